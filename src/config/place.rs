//! place: where a vault is, as its `url` and `endpoint` say.

use crate::failure::{Explain, Kind};
use std::{path::PathBuf, str::FromStr};
use url::{Host, Url};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Directory(PathBuf),
    Bucket { bucket: String, prefix: String },
}

/// Says what a vault's address looks like, and does not repeat the text: people write keys into addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPlace {
    #[error("a vault's address is s3://BUCKET/PREFIX or file:///ABSOLUTE/PATH")]
    Unknown,
    #[error("a bucket's name is 3 to 63 letters, digits, dots, hyphens and underscores")]
    BadBucket,
    #[error("a prefix is path elements between single slashes, without `.`, `..`, `?`, `#`, `*` and spaces")]
    BadPrefix,
    #[error("the path must be absolute: file:///srv/strongroom")]
    RelativePath,
}

impl FromStr for Place {
    type Err = BadPlace;

    fn from_str(text: &str) -> Result<Self, BadPlace> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            return bucket_place(bucket, prefix.trim_end_matches('/'));
        }
        let url = Url::parse(text).map_err(|_not_a_url| BadPlace::Unknown)?;
        if url.scheme() != "file" || url.query().is_some() || url.fragment().is_some() {
            return Err(BadPlace::Unknown);
        }
        // The URL standard reads file:srv and file://srv/x as it likes; a path is what stands after three slashes.
        let path = url.to_file_path().map_err(|()| BadPlace::RelativePath)?;
        if text.starts_with("file:///") { Ok(Self::Directory(path)) } else { Err(BadPlace::RelativePath) }
    }
}

fn bucket_place(bucket: &str, prefix: &str) -> Result<Place, BadPlace> {
    let in_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(in_name) {
        return Err(BadPlace::BadBucket);
    }
    let in_element = |b: u8| b.is_ascii_graphic() && !matches!(b, b'?' | b'#' | b'*' | b'"' | b'\\');
    let element = |text: &str| !matches!(text, "" | "." | "..") && text.bytes().all(in_element);
    if prefix.is_empty() || prefix.split('/').all(element) {
        Ok(Place::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    } else {
        Err(BadPlace::BadPrefix)
    }
}

/// Does not repeat the text either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEndpoint {
    #[error("is not an http(s) address")]
    NotHttp,
    #[error("holds credentials, where no secret may be")]
    HoldsCredentials,
    #[error("has more than a host and a port")]
    MoreThanAHost,
    #[error("is plain http to another host: anybody between here and there reads and changes the traffic")]
    PlainHttp,
}

impl Explain for BadEndpoint {
    fn kind(&self) -> Kind {
        Kind::Settings
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::PlainHttp => "Use https, or allow_plain_http = true beside it if the network itself is protected.",
            _ => "Write https://HOST:PORT; the bucket belongs into the vault's url.",
        };
        Some(hint.to_owned())
    }
}

/// The address of an S3 server, without a slash at its end.
pub fn check_endpoint(text: &str) -> Result<String, BadEndpoint> {
    let url = Url::parse(text).map_err(|_not_a_url| BadEndpoint::NotHttp)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(BadEndpoint::NotHttp);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(BadEndpoint::HoldsCredentials);
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(BadEndpoint::MoreThanAHost);
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        return Err(BadEndpoint::PlainHttp);
    }
    Ok(text.trim_end_matches('/').to_owned())
}

pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_bucket_or_an_absolute_directory() {
        let bucket = |bucket: &str, prefix: &str| Ok(Place::Bucket { bucket: bucket.into(), prefix: prefix.into() });
        assert_eq!("s3://acme".parse(), bucket("acme", ""));
        assert_eq!("s3://acme/".parse(), bucket("acme", ""));
        assert_eq!("s3://acme-v.d35/prod/eu/".parse(), bucket("acme-v.d35", "prod/eu"));
        assert_eq!("file:///srv/a%20b".parse(), Ok(Place::Directory("/srv/a b".into())));
    }

    #[test]
    fn anything_else_is_refused() {
        let refused = |text: &str| text.parse::<Place>().expect_err(text);
        for text in ["", "acme", "https://acme/x", "S3:acme", "file:///a?b", "ftp://x"] {
            assert_eq!(refused(text), BadPlace::Unknown, "{text}");
        }
        for text in ["s3://", "s3://a", "s3://KEY:SECRET@acme/x", "s3:///x"] {
            assert_eq!(refused(text), BadPlace::BadBucket, "{text}");
        }
        for text in ["s3://acme//x", "s3://acme/a/../b", "s3://acme/a b", "s3://acme/a*"] {
            assert_eq!(refused(text), BadPlace::BadPrefix, "{text}");
        }
        for text in ["file:srv", "file://srv/x", "file:/srv"] {
            assert_eq!(refused(text), BadPlace::RelativePath, "{text}");
        }
    }
}
