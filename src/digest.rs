//! digest: the three hashes we write down, each a type of its own, in lower-case hexadecimal.

use md5::Digest as _;
use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! hexadecimal {
    ($name:ident, $bytes:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> String {
                digest.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotHexadecimal;

            fn try_from(text: String) -> Result<Self, NotHexadecimal> {
                parse_hex(&text).map(Self).ok_or(NotHexadecimal { digits: $bytes * 2 })
            }
        }
    };
}

#[derive(Debug, thiserror::Error)]
#[error("expected {digits} lower-case hexadecimal digits")]
pub struct NotHexadecimal {
    digits: usize,
}

/// BLAKE3, 256 bits: the identity of manifests, packed segments and plaintexts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Blake3(pub [u8; 32]);
hexadecimal!(Blake3, 32);

impl Blake3 {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }
}

/// MD5 as in `Content-MD5` and an S3 ETag of a single PUT: a transport check that every server makes.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Md5(pub [u8; 16]);
hexadecimal!(Md5, 16);

impl Md5 {
    pub fn of(bytes: &[u8]) -> Self {
        Self(md5::Md5::digest(bytes).into())
    }
}

/// A segment's name: keyed BLAKE3 of plaintext and parameters, 160 bits. The depositor alone recognises
/// equal cuts; without the digest key a name says nothing about the content.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SegmentId(pub [u8; 20]);
hexadecimal!(SegmentId, 20);

fn parse_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N || digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let nibble = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(nibble(pair[0])? * 16 + nibble(pair[1])?).expect("two nibbles fit a byte");
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_the_published_ones() {
        assert_eq!(Md5::of(b"").to_string(), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(Blake3::of(b"").to_string(), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
    }

    #[test]
    fn a_digest_reads_back_and_a_wrong_one_is_refused() {
        let digest = Md5::of(b"rows");
        assert_eq!(Md5::try_from(digest.to_string()).unwrap(), digest);
        for wrong in [digest.to_string().to_uppercase(), digest.to_string()[1..].to_owned(), "zz".repeat(16)] {
            assert!(Md5::try_from(wrong).is_err());
        }
    }
}
