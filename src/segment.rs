//! segment: packs one bounded cut of a dump (zstd, then age, in memory) and unpacks it again.
//!
//! A segment is one zstd frame inside one unarmored age file, so that the decrypted segments of a stream
//! concatenate into one valid .zst stream. Level 1: on COPY text twice as fast as 3 at the same ratio.

use crate::{
    digest::{Blake3, Md5, SegmentId},
    failure::{Explain, Kind},
    keyring::{DigestKey, Identities, OpenError, Recipients, SegmentNamer},
    manifest::{Contents, Piece, Stream},
};
use bytes::Bytes;
use std::{
    io::{self, Read, Write},
    sync::Arc,
};

/// Where a stream is cut: small enough to hold a few in memory, large enough that requests do not count.
pub const RAW_BYTES_MAX: usize = 32 << 20;
const ZSTD_LEVEL: i32 = 1;
/// Room for a packed segment, which grows by a fraction of a percent where nothing can be compressed. Only what is
/// written takes memory. glibc maps blocks of more than 32 MiB one by one and gives them back when they are freed; of
/// smaller ones it keeps one for every thread that ever filled a segment.
const PACKED_ROOM: usize = RAW_BYTES_MAX + (1 << 20);

/// What packing needs; cheap to clone for each worker.
#[derive(Clone)]
pub struct Packer {
    recipients: Arc<Recipients>,
    digest_key: DigestKey,
}

impl Packer {
    pub fn new(recipients: Recipients, digest_key: DigestKey) -> Self {
        Self { recipients: Arc::new(recipients), digest_key }
    }

    pub fn recipients(&self) -> &Recipients {
        &self.recipients
    }

    pub fn begin(&self, stream: Stream) -> io::Result<Packing> {
        let encrypted = self.recipients.encrypt(Vec::with_capacity(PACKED_ROOM))?;
        let mut namer = self.digest_key.hasher();
        // The parameters that make two packings of one plaintext interchangeable.
        namer.update(format!("strongroom 1 {} {} ", stream.word(), self.recipients.names().join(",")).as_bytes());
        Ok(Packing {
            stream,
            writer: zstd::Encoder::new(Counted { inner: encrypted, bytes: 0 }, ZSTD_LEVEL)?,
            namer,
            plaintext: blake3::Hasher::new(),
            raw_bytes: 0,
        })
    }

    /// One small text in one go: what a manifest's closed part is.
    pub fn pack_whole(&self, plaintext: &[u8]) -> io::Result<Vec<u8>> {
        let mut writer = zstd::Encoder::new(self.recipients.encrypt(Vec::new())?, ZSTD_LEVEL)?;
        writer.write_all(plaintext)?;
        writer.finish()?.finish()
    }
}

/// A segment that is being filled.
pub struct Packing {
    stream: Stream,
    writer: zstd::Encoder<'static, Counted<age::stream::StreamWriter<Vec<u8>>>>,
    namer: SegmentNamer,
    plaintext: blake3::Hasher,
    raw_bytes: u64,
}

impl Packing {
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.namer.update(bytes);
        self.plaintext.update(bytes);
        self.raw_bytes += bytes.len() as u64;
        self.writer.write_all(bytes)
    }

    pub fn raw_bytes(&self) -> usize {
        usize::try_from(self.raw_bytes).expect("a segment fits in memory")
    }

    /// Packs what was written until now to its end; gives how many bytes all of it has become.
    pub fn flush(&mut self) -> io::Result<u64> {
        self.writer.flush()?;
        Ok(self.writer.get_ref().bytes)
    }

    pub fn finish(self, ordinal: u32, pieces: Vec<Piece>) -> io::Result<PackedSegment> {
        let packed = self.writer.finish()?.inner.finish()?;
        Ok(PackedSegment {
            id: self.namer.finish(),
            md5: Md5::of(&packed),
            blake3: Blake3::of(&packed),
            bytes: packed.into(),
            contents: Contents {
                stream: self.stream,
                ordinal,
                blake3: Blake3(*self.plaintext.finalize().as_bytes()),
                raw_bytes: self.raw_bytes,
                pieces,
            },
        })
    }
}

/// Counts what passes.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A packed segment: everything a deposit needs, and what only the closed part may say of it.
#[derive(Clone, Debug)]
pub struct PackedSegment {
    pub id: SegmentId,
    pub bytes: Bytes,
    pub md5: Md5,
    pub blake3: Blake3,
    pub contents: Contents,
}

#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("cannot be opened: {0}")]
    Open(#[from] OpenError),
    #[error("is damaged: {0}")]
    Damaged(#[from] io::Error),
    #[error("does not hold the bytes that the manifest promises")]
    Mismatch,
}

impl Explain for UnpackError {
    fn kind(&self) -> Kind {
        match self {
            Self::Open(OpenError::NoMatchingIdentity) => Kind::CannotOpen,
            _ => Kind::Mismatch,
        }
    }

    fn hint(&self) -> Option<String> {
        (self.kind() == Kind::CannotOpen).then(|| {
            "Give the identity that belongs to one of the manifest's recipients: the drill's, or the recovery key."
                .into()
        })
    }
}

/// Opens a packed segment and insists on the plaintext that `contents` promises.
pub fn unpack(packed: &[u8], contents: &Contents, identities: &Identities) -> Result<Vec<u8>, UnpackError> {
    let plaintext = unpack_whole(packed, identities, contents.raw_bytes)?;
    if plaintext.len() as u64 != contents.raw_bytes || Blake3::of(&plaintext) != contents.blake3 {
        return Err(UnpackError::Mismatch);
    }
    Ok(plaintext)
}

/// Opens an age file of zstd of at most `bytes_max` bytes. More is refused, not cut.
pub fn unpack_whole(packed: &[u8], identities: &Identities, bytes_max: u64) -> Result<Vec<u8>, UnpackError> {
    let decrypted = identities.decrypt(packed)?;
    let mut plaintext = Vec::with_capacity(usize::try_from(bytes_max).unwrap_or(0).min(2 * RAW_BYTES_MAX));
    zstd::Decoder::new(decrypted)?.take(bytes_max.saturating_add(1)).read_to_end(&mut plaintext)?;
    if plaintext.len() as u64 > bytes_max { Err(UnpackError::Mismatch) } else { Ok(plaintext) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{keyring::NewKeys, secret::Secret};

    struct Keys {
        packer: Packer,
        identities: Identities,
    }

    fn keys() -> Keys {
        let keys = NewKeys::generate([7; 32]);
        let digest = DigestKey::parse(&keys.digest).unwrap();
        Keys {
            packer: Packer::new(Recipients::parse(&keys.recipients).unwrap(), digest),
            identities: Identities::parse(&keys.drill_identity).unwrap(),
        }
    }

    fn pack(packer: &Packer, rows: &[u8]) -> PackedSegment {
        let mut packing = packer.begin(Stream::Data).unwrap();
        packing.write(rows).unwrap();
        packing.finish(0, vec![]).unwrap()
    }

    #[test]
    fn what_is_packed_unpacks() {
        let Keys { packer, identities } = keys();
        let rows = b"1\ta\n".repeat(100_000);
        let packed = pack(&packer, &rows);
        assert!(packed.bytes.len() < rows.len() / 10);
        assert_eq!(unpack(&packed.bytes, &packed.contents, &identities).unwrap(), rows);
        assert_eq!(packed.md5, Md5::of(&packed.bytes));
    }

    #[test]
    fn every_flipped_byte_and_every_truncation_is_refused() {
        let Keys { packer, identities } = keys();
        let packed = pack(&packer, &b"row\n".repeat(40));
        for position in 0..packed.bytes.len() {
            let mut flipped = packed.bytes.to_vec();
            flipped[position] ^= 1;
            assert!(unpack(&flipped, &packed.contents, &identities).is_err(), "flip at {position}");
            assert!(unpack(&packed.bytes[..position], &packed.contents, &identities).is_err(), "cut at {position}");
        }
    }

    #[test]
    fn equal_plaintexts_have_equal_names_and_unequal_bytes() {
        let Keys { packer, .. } = keys();
        let (one, two) = (pack(&packer, b"row\n"), pack(&packer, b"row\n"));
        assert_eq!(one.id, two.id);
        assert_ne!(one.bytes, two.bytes);
        assert_ne!(one.id, pack(&packer, b"row2\n").id);
    }

    #[test]
    fn a_segment_that_cannot_be_compressed_fits_its_room() {
        let Keys { packer, .. } = keys();
        let mut noise = vec![0; RAW_BYTES_MAX];
        blake3::Hasher::new().finalize_xof().fill(&mut noise);
        let packed = pack(&packer, &noise);
        assert!(packed.bytes.len() > RAW_BYTES_MAX && packed.bytes.len() < PACKED_ROOM, "{}", packed.bytes.len());
    }

    #[test]
    fn a_wrong_identity_is_told_apart_from_damage() {
        let Keys { packer, .. } = keys();
        let packed = pack(&packer, b"row\n");
        let stranger = NewKeys::generate([8; 32]).recovery_identity;
        let stranger = Identities::parse(&Secret::new(stranger.reveal().to_vec())).unwrap();
        assert_eq!(unpack(&packed.bytes, &packed.contents, &stranger).unwrap_err().kind(), Kind::CannotOpen);
    }

    #[test]
    fn segments_of_a_stream_concatenate_to_one_zstd_stream() {
        let Keys { packer, identities } = keys();
        let mut compressed = Vec::new();
        for part in [&b"first "[..], b"second"] {
            identities.decrypt(&pack(&packer, part).bytes[..]).unwrap().read_to_end(&mut compressed).unwrap();
        }
        assert_eq!(zstd::decode_all(&compressed[..]).unwrap(), b"first second");
    }
}
