//! thief: who has the signing key, and the public recipients, seals what he likes: manifests of his own making.

use super::{World, text};
use age::x25519::{Identity, Recipient};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::{Value, json};
use std::{
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
};

/// What a thief may change of a backup before he seals it as another.
pub struct Loot {
    pub open: Value,
    pub closed: Value,
}

/// Seals, with the key in `signing`, a copy of `backup` that `change` has changed, as the backup `forged`. It comes
/// after `backup` in the chain. Gives the files of its manifest and its seal.
pub fn forge(
    world: &World,
    signing: &Path,
    backup: &str,
    forged: &str,
    change: impl FnOnce(&mut Loot),
) -> [PathBuf; 2] {
    let manifest = world.object(&format!("{backup}/manifest.json"));
    let bytes = fs::read(&manifest).unwrap();
    let open: Value = serde_json::from_slice(&bytes).unwrap();
    let closed = unpack(&world.strongroom.path("keys/drill.key"), &text(&open, "/closed"));
    let mut loot = Loot { open, closed };
    loot.open["backup"] = json!(forged);
    let sequence = loot.open["chain"]["sequence"].as_u64().unwrap() + 1;
    let previous = json!({ "backup": backup, "manifest": blake3::hash(&bytes).to_hex().as_str() });
    loot.open["chain"] = json!({ "sequence": sequence, "previous": previous, "unsure": [] });
    change(&mut loot);
    loot.open["closed"] = json!(pack(&world.strongroom.path("keys/recipients.txt"), &loot.closed));
    let bytes = serde_json::to_vec(&loot.open).unwrap();
    let sequence = loot.open["chain"]["sequence"].as_u64().unwrap();
    let digest = blake3::hash(&bytes).to_hex();
    let comment = format!("strongroom 1 source=app backup={forged} sequence={sequence} manifest={digest}");
    let signature = sign(signing, &bytes, &comment);
    // In a directory a version is named by when it was deposited: a little later than what it copies.
    let (_, version) = manifest.to_str().unwrap().rsplit_once('@').unwrap();
    let folder = manifest.parent().unwrap().with_file_name(forged);
    fs::create_dir_all(&folder).unwrap();
    let later = later(version);
    let files = ["manifest.json", "manifest.json.minisig"].map(|name| folder.join(format!("{name}@{later}")));
    fs::write(&files[0], &bytes).unwrap();
    fs::write(&files[1], signature).unwrap();
    files
}

/// The version of a deposit nine milliseconds later or so: its last digit of time grows.
fn later(version: &str) -> String {
    let (deposited, ends) = version.split_once('-').unwrap();
    let (seconds, milliseconds) = deposited.trim_end_matches('Z').split_at(15);
    let milliseconds: u32 = milliseconds.parse::<u32>().unwrap();
    format!("{seconds}{:03}Z-{ends}", (milliseconds + 100).min(999))
}

fn sign(key: &Path, message: &[u8], comment: &str) -> String {
    let boxed = minisign::SecretKeyBox::from_string(&fs::read_to_string(key).unwrap()).unwrap();
    let key = boxed.into_unencrypted_secret_key().unwrap();
    minisign::sign(None, &key, message, Some(comment), None).unwrap().into_string()
}

fn lines(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().filter(|line| line.starts_with("age1") || line.starts_with("AGE-")).map(str::to_owned).collect()
}

fn unpack(identity: &Path, closed: &str) -> Value {
    let identity: Identity = lines(identity)[0].parse().unwrap();
    let packed = BASE64_STANDARD.decode(closed).unwrap();
    let decryptor = age::Decryptor::new(&packed[..]).unwrap();
    let mut frame = Vec::new();
    let identities = [&identity as &dyn age::Identity];
    decryptor.decrypt(identities.into_iter()).unwrap().read_to_end(&mut frame).unwrap();
    serde_json::from_slice(&zstd::decode_all(&frame[..]).unwrap()).unwrap()
}

fn pack(recipients: &Path, closed: &Value) -> String {
    let recipients: Vec<Recipient> = lines(recipients).iter().map(|line| line.parse().unwrap()).collect();
    let frame = zstd::encode_all(&serde_json::to_vec(closed).unwrap()[..], 1).unwrap();
    let recipients = recipients.iter().map(|recipient| recipient as &dyn age::Recipient);
    let mut packed = Vec::new();
    let mut writer = age::Encryptor::with_recipients(recipients).unwrap().wrap_output(&mut packed).unwrap();
    writer.write_all(&frame).unwrap();
    writer.finish().unwrap();
    BASE64_STANDARD.encode(packed)
}
