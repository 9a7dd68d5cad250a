//! keys: the `[keys]` of each role, and the refusal of every other role's.

use super::{
    origin::Origins,
    plan::{DepositorKeys, Keys, Role},
    table::{Found, Table},
};
use crate::keyring::{DigestKey, Identities, Recipients, SigningKey, VerifyingKey};
use toml::de::DeValue;

pub fn read(mut table: Table, role: Role, origins: Origins) -> Option<Keys> {
    let keys = match role {
        Role::Depositor => depositor(&mut table, origins),
        Role::Inspector => inspector(&mut table, origins),
        Role::Restorer => restorer(&mut table, origins),
    };
    table.finish();
    keys
}

fn depositor(table: &mut Table, origins: Origins) -> Option<Keys> {
    table.forbid(
        "identity",
        "a depositor must not be able to read what it deposits: no `identity` here",
        "Keep identities on the drill host and offline; `recipients`, their public halves, are enough.",
    );
    table.forbid("verifying", "a depositor verifies nothing: no `verifying` here", "Its `signing` key is enough.");
    let recipients = table
        .required("recipients", |found| origins.public(found)?.parse(|keys| Recipients::parse(keys.reveal_text()?)));
    let signing = table.required("signing", |found| origins.secret(found)?.parse(SigningKey::parse));
    let digest = table.required("digest", |found| origins.secret(found)?.parse(DigestKey::parse));
    Some(Keys::Depositor(Box::new(DepositorKeys { recipients: recipients?, signing: signing?, digest: digest? })))
}

fn inspector(table: &mut Table, origins: Origins) -> Option<Keys> {
    forbid_depositors(table, Role::Inspector);
    table.forbid(
        "identity",
        "an inspector must not be able to read data: no `identity` here",
        "Identities belong to the restorer alone.",
    );
    let verifying = verifying(table, origins);
    let reports = table.optional("reports", |found| read_verifying(found, origins));
    Some(Keys::Inspector { verifying: verifying?, reports: reports? })
}

fn restorer(table: &mut Table, origins: Origins) -> Option<Keys> {
    forbid_depositors(table, Role::Restorer);
    let verifying = verifying(table, origins);
    let identities = table.required("identity", |found| origins.secret(found)?.parse(Identities::parse));
    let report = table.optional("report", |found| origins.secret(found)?.parse(SigningKey::parse));
    Some(Keys::Restorer { verifying: verifying?, identities: identities?, report: report? })
}

fn verifying(table: &mut Table, origins: Origins) -> Option<VerifyingKey> {
    table.required("verifying", |found| read_verifying(found, origins))
}

fn read_verifying(found: Found<DeValue>, origins: Origins) -> Option<VerifyingKey> {
    origins.public(found)?.parse(|key| VerifyingKey::parse(key.reveal_text()?))
}

fn forbid_depositors(table: &mut Table, role: Role) {
    for key in ["signing", "digest", "recipients"] {
        table.forbid(
            key,
            format!("the {role} writes no backups: no `{key}` here"),
            "It belongs into the depositor's configuration, on the depositor's host.",
        );
    }
}
