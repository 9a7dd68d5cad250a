//! keyring: age recipients and identities, the signing pair in minisign's format, and the digest key.
//!
//! Formats: age spec (C2SP age.md), minisign (jedisct1.github.io/minisign, prehashed Ed25519); the digest key is
//! 64 hexadecimal digits. The depositor's half can encrypt, sign and name; it cannot open anything.

use crate::{
    digest::SegmentId,
    failure::{Explain, Kind},
    secret::{Secret, SecretError},
};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use minisign::{KeyPair, PublicKey, PublicKeyBox, SecretKey, SecretKeyBox, SignatureBox};
use std::{io, io::Read, io::Write};

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("no age recipient in {0} lines; at least two are needed: recovery and drill")]
    TooFewRecipients(usize),
    #[error("line {line} is not an age recipient (age1...)")]
    NotARecipient { line: usize },
    #[error("line {line} is an age identity: a depositor must not be able to read")]
    IdentityAmongRecipients { line: usize },
    #[error("line {line} is not an age identity (AGE-SECRET-KEY-1...)")]
    NotAnIdentity { line: usize },
    #[error("no age identity found")]
    NoIdentity,
    #[error("not a minisign {what}: {why}")]
    NotMinisign { what: &'static str, why: String },
    #[error("the digest key is not 64 hexadecimal digits")]
    NotADigestKey,
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl Explain for KeyError {
    fn kind(&self) -> Kind {
        Kind::Settings
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TooFewRecipients(_) => {
                Some("Write one age public key a line: the recovery key that is kept offline, and the drill's.".into())
            }
            Self::IdentityAmongRecipients { .. } => {
                Some("Put its public half here (age-keygen -y) and move the identity to another machine.".into())
            }
            Self::Secret(error) => error.hint(),
            _ => None,
        }
    }
}

/// The public keys every segment is encrypted to: at least two.
#[derive(Clone)]
pub struct Recipients(Vec<age::x25519::Recipient>);

impl Recipients {
    pub const FEWEST: usize = 2;

    /// One recipient a line; empty lines and `#` comments are skipped.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut recipients = Vec::new();
        for (line, key) in key_lines(text) {
            if key.starts_with("AGE-SECRET-KEY-") {
                return Err(KeyError::IdentityAmongRecipients { line });
            }
            let recipient: age::x25519::Recipient = key.parse().map_err(|_why| KeyError::NotARecipient { line })?;
            if !recipients.contains(&recipient) {
                recipients.push(recipient);
            }
        }
        if recipients.len() < Self::FEWEST {
            Err(KeyError::TooFewRecipients(recipients.len()))
        } else {
            Ok(Self(recipients))
        }
    }

    /// The public keys themselves, sorted: what a manifest names.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        names.sort();
        names
    }

    /// An age file to all recipients, written into `output`. [`age::stream::StreamWriter::finish`] ends it;
    /// dropping it leaves a truncated file that no reader accepts.
    pub fn encrypt<W: Write>(&self, output: W) -> io::Result<age::stream::StreamWriter<W>> {
        let recipients = self.0.iter().map(|recipient| recipient as &dyn age::Recipient);
        age::Encryptor::with_recipients(recipients).map_err(io::Error::other)?.wrap_output(output)
    }
}

/// What can open: the drill's identity, or the recovery one.
pub struct Identities(Vec<age::x25519::Identity>);

#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("none of the given identities can open it")]
    NoMatchingIdentity,
    #[error("it is not an intact age file: {0}")]
    Damaged(String),
}

impl Identities {
    pub fn parse(secret: &Secret) -> Result<Self, KeyError> {
        let mut identities = Vec::new();
        for (line, key) in key_lines(secret.reveal_text()?) {
            identities.push(key.parse().map_err(|_why| KeyError::NotAnIdentity { line })?);
        }
        if identities.is_empty() { Err(KeyError::NoIdentity) } else { Ok(Self(identities)) }
    }

    /// The public keys whose files these open.
    pub fn recipients(&self) -> Vec<String> {
        self.0.iter().map(|identity| identity.to_public().to_string()).collect()
    }

    /// A reader of the plaintext. What it yields is authentic chunk by chunk, and complete only at its end.
    pub fn decrypt<R: Read>(&self, input: R) -> Result<age::stream::StreamReader<R>, OpenError> {
        let damaged = |error: age::DecryptError| match error {
            age::DecryptError::NoMatchingKeys => OpenError::NoMatchingIdentity,
            other => OpenError::Damaged(other.to_string()),
        };
        let identities = self.0.iter().map(|identity| identity as &dyn age::Identity);
        age::Decryptor::new(input).map_err(damaged)?.decrypt(identities).map_err(damaged)
    }
}

fn key_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// The depositor's half of the signing pair.
pub struct SigningKey(SecretKey);

impl SigningKey {
    pub fn parse(secret: &Secret) -> Result<Self, KeyError> {
        let not_a_key = |error: minisign::PError| KeyError::NotMinisign { what: "secret key", why: error.to_string() };
        let boxed = SecretKeyBox::from_string(secret.reveal_text()?).map_err(not_a_key)?;
        boxed.into_unencrypted_secret_key().map_err(not_a_key).map(Self)
    }

    /// A signature file as `minisign -S` writes it; `trusted_comment` is signed along.
    pub fn sign(&self, message: &[u8], trusted_comment: &str) -> String {
        minisign::sign(None, &self.0, message, Some(trusted_comment), Some("signature of a Strongroom manifest"))
            .expect("reading a slice cannot fail and an unencrypted key signs")
            .into_string()
    }

    /// The public half, which the secret one holds as well.
    pub fn verifying(&self) -> VerifyingKey {
        VerifyingKey(PublicKey::from_secret_key(&self.0).expect("a secret key holds its public half"))
    }
}

/// The public half: what inspectors and restorers hold.
#[derive(Clone)]
pub struct VerifyingKey(PublicKey);

impl VerifyingKey {
    /// As in its file.
    pub fn text(&self) -> String {
        ended(self.0.to_box().expect("a key has a text").into_string())
    }

    /// The key's number, as minisign shows it.
    pub fn id(&self) -> String {
        let bytes = self.0.to_bytes();
        bytes.get(2..10).unwrap_or_default().iter().rev().map(|byte| format!("{byte:02X}")).collect()
    }

    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let not_a_key = |error: minisign::PError| KeyError::NotMinisign { what: "public key", why: error.to_string() };
        PublicKeyBox::from_string(text.trim_end()).and_then(PublicKeyBox::into_public_key).map_err(not_a_key).map(Self)
    }

    /// The trusted comment, if `signature` is ours and over exactly `message`.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Option<String> {
        let parsed = SignatureBox::from_string(std::str::from_utf8(signature).ok()?).ok()?;
        minisign::verify(&self.0, &parsed, io::Cursor::new(message), true, false, false).ok()?;
        parsed.trusted_comment().ok()
    }

    /// The trusted comment, if the signature file itself is ours, whatever became of what it signed: minisign
    /// signs signature and trusted comment together ("global signature"). So a seal proves that a backup was
    /// made even when its manifest is gone or was changed.
    pub fn read_comment(&self, signature: &[u8]) -> Option<String> {
        let mut lines = std::str::from_utf8(signature).ok()?.lines().skip(1);
        let signature = BASE64_STANDARD.decode(lines.next()?).ok()?;
        let comment = lines.next()?.strip_prefix("trusted comment: ")?;
        let global = BASE64_STANDARD.decode(lines.next()?).ok()?;
        let signed = [signature.get(10..)?, comment.as_bytes()].concat();
        // Public key file: algorithm (2 bytes), key number (8), Ed25519 key (32).
        let public = self.0.to_bytes();
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, public.get(10..)?);
        key.verify(&signed, &global).ok()?;
        Some(comment.to_owned())
    }
}

/// Names segments: keyed BLAKE3, so that only the depositor recognises equal plaintexts.
#[derive(Clone)]
pub struct DigestKey(zeroize::Zeroizing<[u8; 32]>);

impl DigestKey {
    pub fn parse(secret: &Secret) -> Result<Self, KeyError> {
        let text = secret.reveal_text()?.trim().to_owned();
        let digest = crate::digest::Blake3::try_from(text).map_err(|_why| KeyError::NotADigestKey)?;
        Ok(Self(zeroize::Zeroizing::new(digest.0)))
    }

    pub fn hasher(&self) -> SegmentNamer {
        SegmentNamer(Box::new(blake3::Hasher::new_keyed(&self.0)))
    }
}

/// Names one segment while its plaintext passes.
pub struct SegmentNamer(Box<blake3::Hasher>);

impl SegmentNamer {
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub fn finish(&self) -> SegmentId {
        let mut name = [0; 20];
        self.0.finalize_xof().fill(&mut name);
        SegmentId(name)
    }
}

/// Fresh keys, as the texts of their files.
pub struct NewKeys {
    pub recovery_identity: Secret,
    pub drill_identity: Secret,
    pub recipients: String,
    pub signing: Secret,
    pub verifying: String,
    pub digest: Secret,
    /// Signs drill reports.
    pub report: Secret,
    /// Its public half.
    pub reports: String,
}

impl NewKeys {
    /// `random`: 32 bytes of the system's randomness, for the digest key.
    pub fn generate(random: [u8; 32]) -> Self {
        let (recovery_identity, recovery) = new_identity("recovery identity: keep it offline, on paper or in a safe");
        let (drill_identity, drill) = new_identity("drill identity: lives on the drill host only");
        let (signing, verifying) = new_pair("Strongroom signing key");
        let (report, reports) = new_pair("Strongroom report key");
        let digest = crate::digest::Blake3(random).to_string() + "\n";
        Self {
            recovery_identity,
            drill_identity,
            recipients: format!(
                "# recovery (identity kept offline)\n{recovery}\n# drill (identity on the drill host)\n{drill}\n"
            ),
            signing,
            verifying,
            digest: Secret::new(digest.into_bytes()),
            report,
            reports,
        }
    }
}

/// A minisign pair without a password: the secret file and the public one.
fn new_pair(comment: &str) -> (Secret, String) {
    let pair = KeyPair::generate_unencrypted_keypair().expect("the system's randomness is there");
    let secret = pair.sk.to_box(Some(comment)).expect("a new key has a text");
    (Secret::new(ended(secret.into_string()).into_bytes()), VerifyingKey(pair.pk).text())
}

fn ended(text: String) -> String {
    format!("{}\n", text.trim_end())
}

fn new_identity(purpose: &str) -> (Secret, age::x25519::Recipient) {
    use age::secrecy::ExposeSecret as _;
    let identity = age::x25519::Identity::generate();
    let recipient = identity.to_public();
    let text = format!("# {purpose}\n# public key: {recipient}\n{}\n", identity.to_string().expose_secret());
    (Secret::new(text.into_bytes()), recipient)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> NewKeys {
        NewKeys::generate([7; 32])
    }

    #[test]
    fn new_keys_read_back_and_fit_each_other() {
        let keys = keys();
        let recipients = Recipients::parse(&keys.recipients).unwrap();
        for identity in [&keys.recovery_identity, &keys.drill_identity] {
            let mut sealed = Vec::new();
            let mut writer = recipients.encrypt(&mut sealed).unwrap();
            writer.write_all(b"rows").unwrap();
            writer.finish().unwrap();
            let mut opened = Vec::new();
            Identities::parse(identity).unwrap().decrypt(&sealed[..]).unwrap().read_to_end(&mut opened).unwrap();
            assert_eq!(opened, b"rows");
        }
        let signature = SigningKey::parse(&keys.signing).unwrap().sign(b"manifest", "backup=1");
        let verifying = VerifyingKey::parse(&keys.verifying).unwrap();
        assert_eq!(verifying.verify(b"manifest", signature.as_bytes()).as_deref(), Some("backup=1"));
        assert_eq!(verifying.verify(b"manifesT", signature.as_bytes()), None);
        assert_eq!(verifying.read_comment(signature.as_bytes()).as_deref(), Some("backup=1"));
        let report = SigningKey::parse(&keys.report).unwrap().sign(b"report", "drill");
        let reports = VerifyingKey::parse(&keys.reports).unwrap();
        assert_eq!(reports.verify(b"report", report.as_bytes()).as_deref(), Some("drill"));
        assert_eq!(verifying.verify(b"report", report.as_bytes()), None);
    }

    #[test]
    fn public_halves_are_found_in_secret_ones() {
        let keys = keys();
        let signing = SigningKey::parse(&keys.signing).unwrap();
        assert_eq!(signing.verifying().text(), keys.verifying);
        assert!(keys.verifying.contains(&signing.verifying().id()), "{}", keys.verifying);
        let drill = Identities::parse(&keys.drill_identity).unwrap().recipients();
        assert!(keys.recipients.lines().any(|line| line == drill[0]));
    }

    #[test]
    fn a_seal_with_a_changed_comment_or_another_key_is_not_ours() {
        let ours = keys();
        let verifying = VerifyingKey::parse(&ours.verifying).unwrap();
        let signature = SigningKey::parse(&ours.signing).unwrap().sign(b"m", "backup=1");
        assert_eq!(verifying.read_comment(signature.replace("backup=1", "backup=2").as_bytes()), None);
        let theirs = SigningKey::parse(&keys().signing).unwrap().sign(b"m", "backup=1");
        assert_eq!(verifying.read_comment(theirs.as_bytes()), None);
        assert_eq!(verifying.verify(b"m", theirs.as_bytes()), None);
    }

    #[test]
    fn a_depositor_is_not_given_an_identity() {
        let keys = keys();
        let text = keys.recovery_identity.reveal_text().unwrap();
        assert!(matches!(Recipients::parse(text), Err(KeyError::IdentityAmongRecipients { line: 3 })));
        assert!(matches!(Recipients::parse("# none\n"), Err(KeyError::TooFewRecipients(0))));
    }

    #[test]
    fn another_identity_cannot_open_and_is_told_so() {
        let mut sealed = Vec::new();
        Recipients::parse(&keys().recipients).unwrap().encrypt(&mut sealed).unwrap().finish().unwrap();
        let stranger = Identities::parse(&keys().drill_identity).unwrap();
        assert!(matches!(stranger.decrypt(&sealed[..]), Err(OpenError::NoMatchingIdentity)));
    }

    #[test]
    fn names_depend_on_the_digest_key() {
        let name = |byte: &str| {
            let mut namer = DigestKey::parse(&Secret::new(byte.repeat(64).into_bytes())).unwrap().hasher();
            namer.update(b"rows");
            namer.finish()
        };
        assert_eq!(name("0"), name("0"));
        assert_ne!(name("0"), name("1"));
    }
}
