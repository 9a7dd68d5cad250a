//! holders: who holds which key, by what it is known, and what whoever has it can and cannot do.

use super::{Facts, row};
use crate::config::Role;

pub fn section(facts: &Facts) -> String {
    let rows: String =
        keys(facts).iter().map(|key| row(&[&key.what, &key.place, key.holder, key.can, key.cannot])).collect();
    let recipients: String = facts.recipients.iter().map(|recipient| format!("- `{recipient}`\n")).collect();
    let known = match (facts.role(), facts.recipients.is_empty()) {
        (_, true) => {
            "Not known here: `keys/recipients.txt` on the backup host, or `strongroom show BACKUP`, names them.\n"
        }
        (Role::Depositor, false) => "One is the recovery key's, one the drill's:\n\n",
        (_, false) => "Those that this host can open for (`keys/recipients.txt` on the backup host names all):\n\n",
    };
    format!(
        "## 3. Who holds which key\n\n\
         | key | where | on which host | who has it can | and cannot |\n|---|---|---|---|---|\n{rows}\n\
         The public half of the signing key, number {}, as it stands in `signing.pub`:\n\n```text\n{}```\n\n\
         Backups are encrypted to these age public keys. {known}{recipients}\n\
         `age-keygen -y recovery.key` prints the public half of a recovery key: it must be one of them.\n",
        facts.verifying.id(),
        facts.verifying.text(),
    )
}

struct Key {
    what: String,
    place: String,
    holder: &'static str,
    can: &'static str,
    cannot: &'static str,
}

fn keys(facts: &Facts) -> [Key; 6] {
    let key = |what: &str, place, holder, can, cannot| Key { what: what.to_owned(), place, holder, can, cannot };
    [
        key(
            "**recovery identity** (age)",
            "offline, as you decided: paper, safe, second person".to_owned(),
            "none",
            "open every backup",
            "delete or change one; get at one without a reading credential",
        ),
        key(
            "drill identity (age)",
            facts.origin(Role::Restorer, "identity", "keys/drill.key"),
            "drill host (restorer)",
            "open every backup that is encrypted to it",
            "delete, change or forge one",
        ),
        key(
            "signing key (minisign)",
            facts.origin(Role::Depositor, "signing", "keys/signing.key"),
            "backup host (depositor)",
            "seal backups that verify, forged ones included",
            "open, delete or change one that is there",
        ),
        key(
            "digest key",
            facts.origin(Role::Depositor, "digest", "keys/digest.key"),
            "backup host (depositor)",
            "tell whether a known text is in a backup",
            "open anything",
        ),
        key(
            "verifying key (public)",
            facts.origin(facts.role(), "verifying", "keys/signing.pub"),
            "inspector's and drill host",
            "tell our backups from forged ones",
            "do anything else",
        ),
        key(
            "report key (minisign)",
            facts.origin(Role::Restorer, "report", "keys/report.key"),
            "drill host (restorer)",
            "say of a backup that it was restored and equal",
            "open, seal, delete or change a backup",
        ),
    ]
}
