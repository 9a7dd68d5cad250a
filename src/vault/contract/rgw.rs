//! rgw: a throwaway Ceph RADOS Gateway: a real S3 server with Object Lock.

use super::CLOCK;
use crate::{
    clock::{Clock, SignedDuration},
    secret::Secret,
    vault::{LockPolicy, S3Credentials, S3Settings, Vault, VaultAddress, VaultSettings, s3},
};
use aws_sdk_s3::{
    Client,
    types::{DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetentionMode, ObjectLockRule},
};
use std::{collections::HashMap, net::TcpListener, path::Path, process::Command};
use tempfile::TempDir;

const UP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/rgw-up");
const DOWN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/rgw-down");
const CACHE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/cache-dir");

/// A server of one's own; it goes with the value.
pub struct Rgw {
    data: TempDir,
    said: HashMap<String, String>,
}

impl Rgw {
    pub fn start() -> Self {
        let root = format!("{}/ceph20", output(&mut Command::new(CACHE)).trim());
        assert!(Path::new(&root).is_dir(), "there is no S3 server at {root}: `make test` sets it up");
        let data = TempDir::new().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut up = Command::new(UP);
        up.arg(data.path()).arg(port.to_string()).env("CEPH_ROOT", root).env("RGW_STORE", "memstore");
        let lines = output(&mut up);
        let said = lines.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect();
        Self { data, said }
    }

    /// The owner of all buckets, here in the custodian's part.
    pub fn custodian(&self) -> Client {
        let credentials = self.admin();
        let clock = s3::server_clock::ServerClock::unseen(CLOCK);
        s3::client::open(&self.settings("", "", credentials, LockPolicy::BucketDefault), &clock).unwrap()
    }

    pub fn admin(&self) -> S3Credentials {
        keys(&self.said["AWS_ACCESS_KEY_ID"], &self.said["AWS_SECRET_ACCESS_KEY"])
    }

    /// A user who may do nothing until a bucket policy says so.
    pub fn user(&self, name: &str) -> S3Credentials {
        let mut create = Command::new(&self.said["RGW_ADMIN"]);
        create.args(["user", "create", "--display-name=x", "--secret=secret", "--max-buckets=-1"]);
        output(create.args([format!("--uid={name}"), format!("--access-key={name}")]));
        keys(name, "secret")
    }

    pub fn vault(&self, bucket: &str, prefix: &str, credentials: S3Credentials, lock: LockPolicy) -> Vault {
        open(self.settings(bucket, prefix, credentials, lock), CLOCK)
    }

    pub fn settings(&self, bucket: &str, prefix: &str, credentials: S3Credentials, lock: LockPolicy) -> S3Settings {
        S3Settings {
            bucket: bucket.into(),
            prefix: prefix.into(),
            endpoint: Some(self.said["S3_ENDPOINT"].clone()),
            region: self.said["AWS_REGION"].clone(),
            path_style: true,
            credentials,
            lock,
        }
    }

    pub async fn bucket(&self, name: &str, default: Option<(ObjectLockRetentionMode, i32)>) {
        let custodian = self.custodian();
        custodian.create_bucket().bucket(name).object_lock_enabled_for_bucket(true).send().await.unwrap();
        let Some((mode, days)) = default else { return };
        let rule = ObjectLockRule::builder()
            .default_retention(DefaultRetention::builder().mode(mode).days(days).build())
            .build();
        let configuration =
            ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).rule(rule).build();
        let put = custodian.put_object_lock_configuration().bucket(name);
        put.object_lock_configuration(configuration).send().await.unwrap();
    }
}

impl Drop for Rgw {
    fn drop(&mut self) {
        output(Command::new(DOWN).arg(self.data.path()).arg("--purge"));
    }
}

pub fn open(settings: S3Settings, clock: Clock) -> Vault {
    let address = VaultAddress::S3(Box::new(settings));
    let slack = SignedDuration::ZERO;
    let settings = VaultSettings { name: "offsite".into(), address, term: "35d".parse().unwrap(), slack };
    Vault::open(&settings, clock).unwrap()
}

pub fn keys(access_key_id: &str, secret: &str) -> S3Credentials {
    S3Credentials::Keys {
        access_key_id: access_key_id.into(),
        secret_access_key: Secret::new(secret.as_bytes().to_vec()),
        session_token: None,
        expires_at: None,
    }
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}: `make test` sets it up"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
