//! policy: what each role may do to a bucket, as AWS policies, and the custodian's one-time script.
//!
//! Whatever is not allowed is denied, and no policy allows an action that deletes, bypasses or changes a lock: those
//! are nobody's. The depositor is denied them by name as well: on servers without accounts an object belongs to
//! whoever put it, and an owner needs no allowance. (Such servers ignore a Deny with NotAction.)

use super::answers::{Answers, NewVault};
use crate::config::{Place, Role};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SETTINGS: [&str; 3] =
    ["s3:GetBucketObjectLockConfiguration", "s3:GetBucketVersioning", "s3:GetLifecycleConfiguration"];
const LISTING: [&str; 2] = ["s3:ListBucket", "s3:ListBucketVersions"];
const READING: [&str; 2] = ["s3:GetObject", "s3:GetObjectVersion"];
const LOCKS: [&str; 1] = ["s3:GetObjectRetention"];
const NEVER: [&str; 14] = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:BypassGovernanceRetention",
    "s3:PutObjectRetention",
    "s3:PutObjectLegalHold",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
    "s3:GetObjectAcl",
    "s3:PutObjectTagging",
    "s3:PutObjectVersionTagging",
    "s3:DeleteObjectTagging",
    "s3:DeleteObjectVersionTagging",
];

/// Keys of drill reports, of whichever source.
const REPORTS: &str = "*/drills/*";

pub fn json(role: Role, answers: &Answers) -> String {
    let buckets: BTreeSet<_> = answers.buckets().filter_map(bucket_arn).collect();
    let objects = objects(answers, "*");
    let on_buckets = |actions: &[&str]| statement("Bucket", actions, json!(buckets));
    let statements = match role {
        Role::Depositor => vec![
            statement("Deposit", &["s3:PutObject"], json!(objects)),
            statement("ReadLocksBack", &LOCKS, json!(objects)),
            on_buckets(&SETTINGS),
            json!({ "Sid": "NeverEvenItsOwn", "Effect": "Deny", "Action": NEVER, "Resource": objects }),
        ],
        Role::Inspector => vec![
            statement("ReadManifests", &READING, json!(self::objects(answers, "*/backups/*"))),
            statement("ReadReports", &READING, json!(self::objects(answers, REPORTS))),
            statement("ReadLocks", &LOCKS, json!(objects)),
            on_buckets(&[&SETTINGS[..], &LISTING].concat()),
        ],
        Role::Restorer => vec![
            statement("Read", &[&READING[..], &LOCKS].concat(), json!(objects)),
            on_buckets(&[&SETTINGS[..], &LISTING].concat()),
        ],
    };
    written(&statements)
}

/// What the drill host may put, besides reading: reports of drills, under the vault's lock.
pub fn reporter(answers: &Answers) -> String {
    let (reports, all) = (objects(answers, REPORTS), objects(answers, "*"));
    written(&[
        statement("DepositReports", &["s3:PutObject"], json!(reports)),
        statement("ReadLocksBack", &LOCKS, json!(reports)),
        json!({ "Sid": "NeverEvenItsOwn", "Effect": "Deny", "Action": NEVER, "Resource": all }),
    ])
}

fn written(statements: &[Value]) -> String {
    let policy = json!({ "Version": "2012-10-17", "Statement": statements });
    format!("{policy:#}\n")
}

fn statement(name: &str, actions: &[&str], resources: Value) -> Value {
    json!({ "Sid": name, "Effect": "Allow", "Action": actions, "Resource": resources })
}

fn bucket_arn(vault: &NewVault) -> Option<String> {
    let Place::Bucket { bucket, .. } = &vault.place else { return None };
    Some(format!("arn:aws:s3:::{bucket}"))
}

fn objects(answers: &Answers, pattern: &str) -> Vec<String> {
    answers.buckets().filter_map(|vault| objects_arn(vault, pattern)).collect()
}

/// The objects of ours (layout: everything lies under `v1/`) whose keys go on as `pattern`.
fn objects_arn(vault: &NewVault, pattern: &str) -> Option<String> {
    let Place::Bucket { bucket, prefix } = &vault.place else { return None };
    let slash = if prefix.is_empty() { "" } else { "/" };
    Some(format!("arn:aws:s3:::{bucket}/{prefix}{slash}{}{pattern}", crate::layout::ROOT))
}

pub fn custodian(answers: &Answers) -> String {
    let buckets: BTreeSet<_> = answers
        .buckets()
        .filter_map(|vault| match &vault.place {
            Place::Bucket { bucket, .. } => Some(bucket.as_str()),
            Place::Directory(_) => None,
        })
        .collect();
    let head = "#!/bin/sh\n\
        # The custodian runs this once, with credentials that are parked afterwards and never reach a backup host.\n\
        # COMPLIANCE cannot be undone: until its term has passed, nobody deletes what was deposited.\n\
        set -eu\n";
    head.to_owned() + &buckets.into_iter().map(|bucket| make_bucket(bucket, answers)).collect::<String>()
}

fn make_bucket(bucket: &str, answers: &Answers) -> String {
    let days = answers.term.days();
    let region = answers.region.as_deref().unwrap_or("us-east-1");
    let mut aws = format!("aws --region {}", shell(region));
    if let Some(endpoint) = &answers.endpoint {
        aws += &format!(" --endpoint-url {}", shell(endpoint));
    }
    // AWS refuses the constraint in us-east-1 and wants it everywhere else; other servers know one place.
    let place = if answers.endpoint.is_some() || region == "us-east-1" {
        String::new()
    } else {
        format!(" --create-bucket-configuration LocationConstraint={}", shell(region))
    };
    let lock = json!({
        "ObjectLockEnabled": "Enabled",
        "Rule": { "DefaultRetention": { "Mode": "COMPLIANCE", "Days": days } },
    });
    // Nothing is hidden before its lock lapses, and then removed without any delete credential. The last rule
    // stands alone because a rule with Days may not also remove markers.
    let lifecycle = json!({ "Rules": [
        {
            "ID": "lapsed", "Status": "Enabled", "Filter": { "Prefix": "" },
            "Expiration": { "Days": days + 2 },
            "NoncurrentVersionExpiration": { "NoncurrentDays": 1 },
        },
        {
            "ID": "markers", "Status": "Enabled", "Filter": { "Prefix": "" },
            "Expiration": { "ExpiredObjectDeleteMarker": true },
        },
    ] });
    let private = "BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true";
    format!(
        "\n# {bucket}\n\
         {aws} s3api create-bucket --bucket {bucket} --object-lock-enabled-for-bucket{place}\n\
         {aws} s3api put-object-lock-configuration --bucket {bucket} --object-lock-configuration '{lock}'\n\
         {aws} s3api put-bucket-lifecycle-configuration --bucket {bucket} --lifecycle-configuration '{lifecycle}'\n\
         {aws} s3api put-public-access-block --bucket {bucket} --public-access-block-configuration {private}\n\
         {aws} s3api get-object-lock-configuration --bucket {bucket}\n"
    )
}

fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
