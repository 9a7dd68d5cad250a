//! bucket: the keys of a `[[vault]]` that only an S3 bucket has.

use super::{
    credentials,
    origin::Origins,
    place::{BadEndpoint, check_endpoint},
    table::{Found, Table},
};
use crate::{
    failure::Explain as _,
    vault::{LockPolicy, S3Settings},
};

/// Reads them. With an empty `bucket` (the address was wrong) the result is for nobody; its mistakes count.
pub fn read(table: &mut Table, bucket: String, prefix: String, origins: Origins) -> Option<S3Settings> {
    let plain_http = table.optional("allow_plain_http", Found::flag);
    let plain_http = plain_http.flatten().is_some_and(|allowed| allowed.value);
    let endpoint = table.optional("endpoint", |found| read_endpoint(&found.text()?, plain_http));
    let region = table.optional("region", Found::text);
    let path_style = table.optional("path_style", Found::flag);
    let lock = table.optional("lock", |found| read_lock(&found.text()?));
    let credentials = table.required("credentials", |found| credentials::read(found, origins));
    let endpoint = endpoint?;
    Some(S3Settings {
        bucket,
        prefix,
        region: region?.map_or_else(|| "us-east-1".to_owned(), |region| region.value),
        // A server of one's own seldom has a DNS name for each bucket.
        path_style: path_style?.map_or(endpoint.is_some(), |flag| flag.value),
        endpoint,
        credentials: credentials?,
        lock: lock?.unwrap_or(LockPolicy::BucketDefault),
    })
}

/// A directory has none of them.
pub fn refuse(table: &mut Table) {
    for key in ["allow_plain_http", "endpoint", "region", "path_style", "lock", "credentials"] {
        if let Some(found) = table.take(key) {
            found.wrong(format!("`{key}` is for s3:// vaults; this one is a directory"), None);
        }
    }
}

fn read_lock(found: &Found<String>) -> Option<LockPolicy> {
    match found.value.as_str() {
        "bucket-default" => Some(LockPolicy::BucketDefault),
        "per-object" => Some(LockPolicy::PerObject),
        _ => found.refuse(
            "`lock` must be \"bucket-default\" or \"per-object\"",
            "Prefer bucket-default: then the depositor needs no right to choose locks.",
        ),
    }
}

fn read_endpoint(found: &Found<String>, plain_http: bool) -> Option<String> {
    match check_endpoint(&found.value) {
        Ok(endpoint) => Some(endpoint),
        Err(BadEndpoint::PlainHttp) if plain_http => Some(found.value.trim_end_matches('/').to_owned()),
        Err(error) => {
            found.wrong(format!("`endpoint` {error}"), error.hint());
            None
        }
    }
}
