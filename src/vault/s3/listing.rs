//! listing: every version and delete marker below a prefix, page by page.

use super::{Bucket, answer::Trouble, timestamp};
use crate::{
    layout::ObjectKey,
    vault::{ObjectVersion, VaultError, VersionId},
};
use aws_sdk_s3::{operation::list_object_versions::ListObjectVersionsOutput, types::EncodingType};

impl Bucket {
    /// All versions and markers whose keys, relative to the vault's prefix, begin with `prefix`; in key order, the
    /// oldest first. The SDK has no paginator for this call.
    pub async fn versions(&self, prefix: &str) -> Result<Vec<ObjectVersion>, VaultError> {
        let mut listed = Vec::new();
        let mut after: Option<(String, Option<String>)> = None;
        loop {
            let (key_marker, version_marker) = after.clone().unzip();
            let page = self
                .client
                .list_object_versions()
                .bucket(&self.bucket)
                .prefix(self.full(prefix))
                // XML has no room for control characters: one hostile key would make the whole page unreadable.
                .encoding_type(EncodingType::Url)
                .set_key_marker(key_marker)
                .set_version_id_marker(version_marker.flatten())
                .send()
                .await
                .map_err(|error| self.explain("listing", prefix, Trouble::of(&error)))?;
            self.read_page(&page, &mut listed).map_err(|trouble| self.explain("listing", prefix, trouble))?;
            if page.is_truncated != Some(true) {
                break;
            }
            let next = (read_key(&page, page.next_key_marker.as_deref()), page.next_version_id_marker);
            let went_back = after.as_ref().is_some_and(|last| next.0 < last.0 || next == *last);
            if next.0.is_empty() || went_back {
                let stuck = Trouble::unreadable("the server says that there is more, but not where".into());
                return Err(self.explain("listing", prefix, stuck));
            }
            after = Some(next);
        }
        // Servers list the newest first, so that versions of one second come out right: reversed, then sorted stably.
        listed.reverse();
        listed.sort_by(|a, b| (a.key.as_str(), a.last_modified).cmp(&(b.key.as_str(), b.last_modified)));
        Ok(listed)
    }

    fn read_page(&self, page: &ListObjectVersionsOutput, listed: &mut Vec<ObjectVersion>) -> Result<(), Trouble> {
        let incomplete = || Trouble::unreadable("a listed version has no key, version id or date".into());
        let relative = |key: &Option<String>| {
            let key = read_key(page, key.as_deref());
            key.strip_prefix(&self.prefix).map(ObjectKey::listed).ok_or_else(incomplete)
        };
        for marker in page.delete_markers() {
            listed.push(ObjectVersion {
                key: relative(&marker.key)?,
                version: VersionId(marker.version_id.clone().ok_or_else(incomplete)?),
                size: 0,
                last_modified: marker.last_modified.as_ref().and_then(timestamp).ok_or_else(incomplete)?,
                marker: true,
                etag: None,
                storage_class: None,
            });
        }
        for version in page.versions() {
            listed.push(ObjectVersion {
                key: relative(&version.key)?,
                version: VersionId(version.version_id.clone().ok_or_else(incomplete)?),
                size: version.size.and_then(|size| u64::try_from(size).ok()).ok_or_else(incomplete)?,
                last_modified: version.last_modified.as_ref().and_then(timestamp).ok_or_else(incomplete)?,
                marker: false,
                etag: version.e_tag.as_deref().and_then(md5_in),
                storage_class: version.storage_class.as_ref().map(|class| class.as_str().to_owned()),
            });
        }
        Ok(())
    }
}

/// The MD5 that an ETag is where the body came in one PUT. One of a multipart upload goes on with `-` and a number.
fn md5_in(etag: &str) -> Option<String> {
    let digits = etag.trim_matches('"').to_ascii_lowercase();
    (digits.len() == 32 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())).then_some(digits)
}

/// A key as it is, where the server says that it encoded it; a server that ignores the wish sends it plain.
fn read_key(page: &ListObjectVersionsOutput, key: Option<&str>) -> String {
    let key = key.unwrap_or("");
    if page.encoding_type == Some(EncodingType::Url) { decode(key) } else { key.to_owned() }
}

/// Undoes `%20`, and the `+` by which AWS writes a space.
fn decode(key: &str) -> String {
    let mut bytes = Vec::with_capacity(key.len());
    let mut rest = key.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let hexadecimal = tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (first, hexadecimal.and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{decode, md5_in};

    #[test]
    fn listed_keys_are_decoded_and_broken_ones_survive() {
        assert_eq!(decode("v1/a%20b+c%2Bd%C3%BC"), "v1/a b c+dü");
        assert_eq!(decode("%"), "%");
        assert_eq!(decode("50%zz%4"), "50%zz%4");
        assert_eq!(decode("%FF"), "\u{fffd}");
    }

    #[test]
    fn an_etag_is_an_md5_or_nothing() {
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(md5_in(&format!("\"{md5}\"")).as_deref(), Some(md5));
        assert_eq!(md5_in(&md5.to_uppercase()).as_deref(), Some(md5));
        for other in ["", "\"\"", &format!("\"{md5}-3\""), "\"d41d8cd98f00b204\"", &"g".repeat(32)] {
            assert_eq!(md5_in(other), None, "{other}");
        }
    }
}
