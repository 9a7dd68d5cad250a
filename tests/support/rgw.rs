//! rgw: a throwaway Ceph RADOS Gateway, a real S3 server with Object Lock, with users of an account as on AWS.

#![allow(dead_code, reason = "each test file uses its own part of it")]

use crate::support::{Installation, Janitor, PRODUCTION, Ran, Scratch, World, cache, succeed};
use aws_sdk_s3::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
    primitives::{ByteStream, DateTime},
    types::{
        BucketVersioningStatus, DefaultRetention, ObjectLockConfiguration, ObjectLockEnabled, ObjectLockRetention,
        ObjectLockRetentionMode as Mode, ObjectLockRule, ObjectVersion, VersioningConfiguration,
    },
};
use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
};

const SUPPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support");

pub struct Rgw {
    said: BTreeMap<String, String>,
    port: u16,
    /// Ends the server before its folder goes.
    _janitor: Janitor,
    _scratch: Scratch,
}

/// An access key's id and its secret.
#[derive(Clone, Debug)]
pub struct Keys {
    pub id: String,
    pub secret: String,
}

/// A bucket's default retention.
pub type Lock = Option<(Mode, i32)>;

impl Rgw {
    pub fn start() -> Self {
        let root = cache().join("ceph20");
        assert!(root.join("versions").exists(), "no S3 server in {}: `make test` sets it up", root.display());
        let scratch = Scratch::new();
        let data = scratch.path().join("rgw");
        let janitor = Janitor::new("\"$1\" \"$2\" --purge", &[Path::new(&format!("{SUPPORT}/rgw-down")), &data]);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut up = Command::new(format!("{SUPPORT}/rgw-up"));
        let lines = succeed(up.arg(&data).arg(port.to_string()).env("CEPH_ROOT", root).env("RGW_STORE", "memstore"));
        let said = lines.lines().filter_map(|line| line.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned()));
        Self { said: said.collect(), port, _janitor: janitor, _scratch: scratch }
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Who may do everything that the server lets anybody do.
    pub fn admin(&self) -> Keys {
        Keys { id: self.said["AWS_ACCESS_KEY_ID"].clone(), secret: self.said["AWS_SECRET_ACCESS_KEY"].clone() }
    }

    pub fn client(&self, keys: &Keys) -> Client {
        let credentials = Credentials::new(&keys.id, &keys.secret, None, None, "test");
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .endpoint_url(self.endpoint())
            .force_path_style(true)
            .credentials_provider(credentials)
            .http_client(aws_smithy_http_client::Builder::new().build_http());
        Client::from_conf(config.build())
    }

    /// A bucket of `owner` with Object Lock and this default retention.
    pub async fn bucket(&self, owner: &Keys, name: &str, lock: Lock) {
        let custodian = self.client(owner);
        custodian.create_bucket().bucket(name).object_lock_enabled_for_bucket(true).send().await.unwrap();
        let Some((mode, days)) = lock else { return };
        let retention = DefaultRetention::builder().mode(mode).days(days).build();
        let rule = ObjectLockRule::builder().default_retention(retention).build();
        let enabled = ObjectLockConfiguration::builder().object_lock_enabled(ObjectLockEnabled::Enabled).rule(rule);
        let put = custodian.put_object_lock_configuration().bucket(name);
        put.object_lock_configuration(enabled.build()).send().await.unwrap();
    }

    /// The root user of a new account: its users have rights by policies alone, as on AWS.
    pub fn account(&self) -> Keys {
        let account = succeed(Command::new(&self.said["RGW_ADMIN"]).args(["account", "create", "--account-name=acme"]));
        let account: serde_json::Value = serde_json::from_str(&account).unwrap();
        let keys = Keys { id: "ROOT".to_owned(), secret: "rootsecret".to_owned() };
        let mut create = Command::new(&self.said["RGW_ADMIN"]);
        create.args(["user", "create", "--uid=root1", "--display-name=root", "--account-root"]);
        create.arg(format!("--account-id={}", account["id"].as_str().unwrap()));
        succeed(create.args([format!("--access-key={}", keys.id), format!("--secret={}", keys.secret)]));
        keys
    }

    /// A user of the account of `root` who may do what `policy` says and nothing else.
    pub fn user(&self, root: &Keys, name: &str, policy: &str) -> Keys {
        self.iam(root, &[("Action", "CreateUser"), ("UserName", name)]);
        let keys = self.new_keys(root, name);
        let put = [("Action", "PutUserPolicy"), ("UserName", name), ("PolicyName", name), ("PolicyDocument", policy)];
        self.iam(root, &put);
        keys
    }

    /// One more access key for a user.
    pub fn new_keys(&self, root: &Keys, name: &str) -> Keys {
        let made = self.iam(root, &[("Action", "CreateAccessKey"), ("UserName", name)]);
        let field = |tag: &str| {
            let (_, after) = made.split_once(&format!("<{tag}>")).unwrap_or_else(|| panic!("no {tag} in {made}"));
            after.split('<').next().unwrap().to_owned()
        };
        Keys { id: field("AccessKeyId"), secret: field("SecretAccessKey") }
    }

    /// What an administrator does with a key that was seen somewhere.
    pub fn revoke(&self, root: &Keys, name: &str, keys: &Keys) {
        self.iam(root, &[("Action", "DeleteAccessKey"), ("UserName", name), ("AccessKeyId", &keys.id)]);
    }

    /// Takes all rights of a user away; its keys stay.
    pub fn forbid_everything(&self, root: &Keys, name: &str) {
        self.iam(root, &[("Action", "DeleteUserPolicy"), ("UserName", name), ("PolicyName", name)]);
    }

    /// One call of the IAM API, signed as AWS's Signature Version 4 has it.
    fn iam(&self, keys: &Keys, parameters: &[(&str, &str)]) -> String {
        let encode = |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let body: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let body = format!("{}&Version=2010-05-08", body.join("&"));
        let host = format!("127.0.0.1:{}", self.port);
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/us-east-1/iam/aws4_request", &now[..8]);
        let content = "application/x-www-form-urlencoded";
        let (hash, signed) = (sha256(body.as_bytes()), "content-type;host;x-amz-date");
        let canonical = format!("POST\n/\n\ncontent-type:{content}\nhost:{host}\nx-amz-date:{now}\n\n{signed}\n{hash}");
        let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let secret = format!("AWS4{}", keys.secret).into_bytes();
        let key = scope.split('/').fold(secret, |key, part| hmac(&key, part.as_bytes()));
        let signature = hex(&hmac(&key, to_sign.as_bytes()));
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content}\r\nX-Amz-Date: {now}\r\nContent-Length: {}\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}\r\n\
             Connection: close\r\n\r\n{body}",
            body.len(),
            keys.id
        );
        let mut stream = TcpStream::connect(&host).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{parameters:?}: {answer}");
        answer
    }
}

/// A world's database, and a program set up for one bucket.
pub struct Bucket<'a> {
    world: &'a World,
    pub strongroom: Installation,
}

impl<'a> Bucket<'a> {
    /// Configurations for `bucket`, each role with `keys`.
    pub fn new(world: &'a World, server: &Rgw, bucket: &str, keys: &Keys) -> Self {
        let source = format!("app={}", world.postgres.url("strongroom", PRODUCTION));
        let vault = format!("offsite=s3://{bucket}/prod");
        let endpoint = server.endpoint();
        let options = ["--source", &source, "--vault", &vault, "--endpoint", &endpoint, "--term", "35d"];
        let folder = world.scratch.path().join(format!("strongroom-{bucket}"));
        let this = Self { world, strongroom: Installation::new(&folder, &options, &world.postgres.programs) };
        for role in ["depositor", "inspector", "restorer", "reporter"] {
            this.fill_in(role, keys);
        }
        this
    }

    pub fn fill_in(&self, role: &str, keys: &Keys) {
        let text = format!("access_key_id = {:?}\nsecret_access_key = {:?}\n", keys.id, keys.secret);
        fs::write(self.strongroom.path(&format!("keys/{role}.toml")), text).unwrap();
    }

    pub fn restore(&self, database: &str, options: &[&str]) -> Ran {
        let to = self.world.url(database);
        self.strongroom.run("restorer", &[&["restore", "app", "--to", &to], options].concat())
    }

    /// Restores the newest backup, and insists that pg_dump sees no difference.
    #[track_caller]
    pub fn comes_back(&self, database: &str) -> Ran {
        let ran = self.restore(database, &[]).exits(0);
        let whole: &[&str] = &["--create"];
        self.world.postgres.dump(PRODUCTION, whole).assert_equal(&self.world.postgres.dump(database, whole));
        ran
    }
}

/// What one role's credential may do when somebody steals it and calls the server directly.
pub struct Thief<'a> {
    pub client: &'a Client,
    pub bucket: &'a str,
    /// What is there already.
    pub version: &'a ObjectVersion,
}

impl Thief<'_> {
    /// The names of those calls that succeed.
    pub async fn gets_away_with(&self) -> Vec<&'static str> {
        let (client, bucket) = (self.client, self.bucket);
        let (key, id) = (self.version.key().unwrap(), self.version.version_id().unwrap());
        let soon = DateTime::from_secs(1_900_000_000);
        let shorter = ObjectLockRetention::builder().mode(Mode::Governance).retain_until_date(soon).build();
        let suspended = VersioningConfiguration::builder().status(BucketVersioningStatus::Suspended).build();
        let tried = [
            ("get", client.get_object().bucket(bucket).key(key).version_id(id).send().await.is_ok()),
            ("get newest", client.get_object().bucket(bucket).key(key).send().await.is_ok()),
            ("list", client.list_objects_v2().bucket(bucket).send().await.is_ok()),
            ("list versions", client.list_object_versions().bucket(bucket).send().await.is_ok()),
            ("hide", client.delete_object().bucket(bucket).key(key).send().await.is_ok()),
            ("delete", client.delete_object().bucket(bucket).key(key).version_id(id).send().await.is_ok()),
            (
                "shorten",
                client
                    .put_object_retention()
                    .bucket(bucket)
                    .key(key)
                    .version_id(id)
                    .retention(shorter)
                    .send()
                    .await
                    .is_ok(),
            ),
            (
                "suspend",
                client.put_bucket_versioning().bucket(bucket).versioning_configuration(suspended).send().await.is_ok(),
            ),
            ("drop the lifecycle", client.delete_bucket_lifecycle().bucket(bucket).send().await.is_ok()),
            ("drop the bucket", client.delete_bucket().bucket(bucket).send().await.is_ok()),
            (
                "put",
                client
                    .put_object()
                    .bucket(bucket)
                    .key(format!("prod/v1/{key}.new"))
                    .body(ByteStream::from_static(b"x"))
                    .send()
                    .await
                    .is_ok(),
            ),
            (
                "put elsewhere",
                client
                    .put_object()
                    .bucket(bucket)
                    .key("others/x")
                    .body(ByteStream::from_static(b"x"))
                    .send()
                    .await
                    .is_ok(),
            ),
        ];
        tried.into_iter().filter(|(_, succeeded)| *succeeded).map(|(what, _)| what).collect()
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

fn hmac(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key), bytes).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
