//! whence: where a configuration says that its keys and credentials are, in words for people. It fetches none of them.

use super::BadConfig;
use std::{fs, path::Path};
use toml::{Table, Value};

/// A configuration that was read before without a mistake, looked at once more for its own words.
pub struct Whence(Table);

impl Whence {
    pub fn read(file: &Path) -> Result<Self, BadConfig> {
        let text =
            fs::read_to_string(file).map_err(|source| BadConfig::Unreadable { file: file.to_owned(), source })?;
        // What is no TOML any more was changed just now; then nothing is known of it.
        Ok(Self(text.parse().unwrap_or_default()))
    }

    /// Where the key `name` of [keys] is.
    pub fn key(&self, name: &str) -> Option<String> {
        words(self.0.get("keys")?.get(name)?)
    }

    /// Where the secret `key` of the vault or source `name` is; `section` is `vault` or `source`.
    pub fn of(&self, section: &str, name: &str, key: &str) -> Option<String> {
        let tables = self.0.get(section)?.as_array()?;
        let table = tables.iter().find(|table| table.get("name").and_then(Value::as_str) == Some(name))?;
        words(table.get(key)?)
    }
}

/// A command's arguments are its owner's business.
fn words(origin: &Value) -> Option<String> {
    let text = |key: &str| origin.get(key).and_then(Value::as_str);
    if let Some(file) = text("file") {
        return Some(format!("`{file}`"));
    }
    if let Some(name) = text("systemd") {
        return Some(format!("the systemd credential `{name}`"));
    }
    if let Some(program) = origin.get("command").and_then(|words| words.get(0)).and_then(Value::as_str) {
        return Some(format!("what `{program}` prints"));
    }
    (origin.as_str() == Some("aws-chain")).then(|| "AWS's own chain".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_named_and_arguments_of_commands_are_not() {
        let text = "[keys]\nsigning = { systemd = \"s\" }\ndigest = { command = [\"pass\", \"hunter2\"] }\n\
                    [[vault]]\nname = \"one\"\ncredentials = \"aws-chain\"\n\
                    [[vault]]\nname = \"two\"\ncredentials = { file = \"keys/two.toml\" }\n";
        let whence = Whence(text.parse().unwrap());
        assert_eq!(whence.key("signing").unwrap(), "the systemd credential `s`");
        assert_eq!(whence.key("digest").unwrap(), "what `pass` prints");
        assert_eq!(whence.of("vault", "one", "credentials").unwrap(), "AWS's own chain");
        assert_eq!(whence.of("vault", "two", "credentials").unwrap(), "`keys/two.toml`");
        assert_eq!(whence.of("source", "app", "password"), None);
    }
}
