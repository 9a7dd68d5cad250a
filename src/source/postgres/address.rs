//! address: reads `postgres://user@host:port/database?sslmode=...` (PostgreSQL docs, 32.1.1.2) into an [`Address`].
//!
//! Stricter than libpq on purpose: no defaults taken from the environment, no link that falls back to plain text,
//! no parameter that would be ignored in silence. No error repeats the text it was given, which may hold a password.

mod parameters;

use self::parameters::Parameters;
use super::Address;
use crate::failure::{Explain, Kind};
use std::borrow::Cow;
use url::Url;

const PORT: u16 = 5432;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    #[error("the address cannot be read: {0}")]
    NotAUrl(url::ParseError),
    #[error("the address does not begin with postgres:// or postgresql://")]
    OtherScheme,
    #[error("the address holds a password")]
    PasswordInUrl,
    #[error("the address names no user")]
    NoUser,
    #[error("the address names no database")]
    NoDatabase,
    #[error("the address names no host")]
    NoHost,
    #[error("the address names a host and a socket directory")]
    TwoHosts,
    #[error("the address names several hosts")]
    SeveralHosts,
    #[error("the address has more than a database's name after its host")]
    MoreThanADatabase,
    #[error("the address's {0} is not percent-encoded UTF-8")]
    NotText(&'static str),
    #[error("the address has an unknown parameter{0}")]
    UnknownParameter(Shown),
    #[error("the address's port is not a number below 65536")]
    NotAPort,
    #[error("the address gives `{0}` twice")]
    GivenTwice(&'static str),
    #[error("sslmode is{0}, not one of disable, require and verify-full")]
    UnknownTls(Shown),
    #[error("sslmode={0} is not offered")]
    WeakTls(&'static str),
    #[error("TLS is asked for on a unix socket")]
    TlsOnSocket,
    #[error("sslrootcert is given, but nothing is verified")]
    RootsUnused,
}

/// A piece of the address that an error may repeat: a plain lower-case word, or nothing.
/// (`postgres://u:12?34@host/db` is a password with a question mark in it, not a parameter.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(Option<String>);

impl Shown {
    fn of(text: &str) -> Self {
        let plain = text.len() <= 32 && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b == b'-');
        Self((plain && !text.is_empty()).then(|| text.to_owned()))
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.as_ref().map_or(Ok(()), |text| write!(f, " `{text}`"))
    }
}

impl Explain for BadAddress {
    fn kind(&self) -> Kind {
        Kind::Settings
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::PasswordInUrl => {
                "Take it out, and write password = { file = \"keys/NAME.password\" } beside the url."
            }
            Self::NoUser => "Write postgres://USER@HOST/DATABASE; no user is taken from the environment.",
            Self::NoDatabase => "Write postgres://USER@HOST/DATABASE; one source dumps one database.",
            Self::NoHost => "Write a host, or ?host=/var/run/postgresql for a unix socket.",
            Self::SeveralHosts => "Make one source of each, or name the one to dump from.",
            Self::NotAUrl(_) => "Write postgres://USER@HOST:PORT/DATABASE, special characters percent-encoded.",
            Self::UnknownParameter(_) => "Only host, port, sslmode and sslrootcert are understood.",
            Self::WeakTls(_) => {
                "Use verify-full (the default), or require, or disable: what is asked for is what happens."
            }
            Self::TlsOnSocket => "Take sslmode and sslrootcert away: PostgreSQL has no TLS on unix sockets.",
            Self::RootsUnused => "Use sslmode=verify-full with it.",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

impl Address {
    /// The address in `text`. Its `password` is `None`: it comes from a secret, never from a URL.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let url = Url::parse(&with_host(text)).map_err(BadAddress::NotAUrl)?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(BadAddress::OtherScheme);
        }
        if url.password().is_some() {
            return Err(BadAddress::PasswordInUrl);
        }
        let parameters = Parameters::read(url.query().unwrap_or(""))?;
        let user = decode(url.username(), "user")?;
        let path = url.path().strip_prefix('/').unwrap_or("");
        let database = decode(path, "database")?;
        if user.is_empty() {
            return Err(BadAddress::NoUser);
        }
        if path.contains('/') || url.fragment().is_some() {
            return Err(BadAddress::MoreThanADatabase);
        }
        if database.is_empty() {
            return Err(BadAddress::NoDatabase);
        }
        let host = match (url.host_str().filter(|host| *host != NO_HOST), &parameters.host) {
            (Some(_), Some(_)) => return Err(BadAddress::TwoHosts),
            (Some(host), None) => decode(host.trim_start_matches('[').trim_end_matches(']'), "host")?,
            (None, Some(directory)) => directory.clone(),
            (None, None) => return Err(BadAddress::NoHost),
        };
        if host.contains(',') {
            return Err(BadAddress::SeveralHosts);
        }
        let port = match (url.port(), parameters.port) {
            (Some(_), Some(_)) => return Err(BadAddress::GivenTwice("port")),
            (port, other) => port.or(other).unwrap_or(PORT),
        };
        let tls = parameters.tls(host.starts_with('/'))?;
        Ok(Self { host, port, user, database, tls, password: None })
    }
}

/// Stands where an address names no host: libpq allows `postgres://user@/database?host=/dir`, the URL standard
/// does not. The top level `.invalid` is reserved for what does not exist (RFC 2606).
const NO_HOST: &str = "socket.invalid";

fn with_host(text: &str) -> Cow<'_, str> {
    let Some((scheme, rest)) = text.split_once("://") else { return text.into() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host_at = authority.rfind('@').map_or(0, |at| at + 1);
    match authority.split_at(host_at) {
        (user, host) if host.is_empty() || host.starts_with(':') => {
            format!("{scheme}://{user}{NO_HOST}{host}{path}").into()
        }
        _ => text.into(),
    }
}

/// Percent-decoding (RFC 3986, 2.1). NUL is refused: PostgreSQL's own protocol ends texts with it.
fn decode(text: &str, what: &'static str) -> Result<String, BadAddress> {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or("").as_bytes().to_vec();
    for piece in pieces {
        let digits = piece.split_at_checked(2).filter(|(digits, _)| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let (digits, rest) = digits.ok_or(BadAddress::NotText(what))?;
        bytes.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits are a byte"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    let decoded = String::from_utf8(bytes).map_err(|_not_utf8| BadAddress::NotText(what))?;
    if decoded.contains('\0') { Err(BadAddress::NotText(what)) } else { Ok(decoded) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let Address { host, port, user, database, tls, .. } = Address::parse(text).unwrap();
        format!("{user} {host} {port} {database} {tls:?}")
    }

    fn refused(text: &str) -> BadAddress {
        Address::parse(text).expect_err(text)
    }

    #[test]
    fn a_host_is_verified_unless_told_otherwise() {
        assert_eq!(read("postgres://u@db.internal/app"), "u db.internal 5432 app VerifyFull { roots: None }");
        assert_eq!(
            read("postgresql://u@[::1]:5433/app?sslmode=verify-full&sslrootcert=/etc/ca.pem"),
            "u ::1 5433 app VerifyFull { roots: Some(\"/etc/ca.pem\") }"
        );
        assert_eq!(read("postgres://u@h/app?sslrootcert=system"), "u h 5432 app VerifyFull { roots: None }");
        assert_eq!(read("postgres://a%40b@h/my%2Fdb?sslmode=require"), "a@b h 5432 my/db Unverified");
        assert_eq!(read("postgres://u@h/app?sslmode=disable"), "u h 5432 app Off");
    }

    #[test]
    fn a_unix_socket_is_a_directory_in_either_spelling() {
        assert_eq!(read("postgres://u@/app?host=/var/run/postgresql"), "u /var/run/postgresql 5432 app Off");
        assert_eq!(read("postgres://u@:5433/app?host=%2Frun"), "u /run 5433 app Off");
        assert_eq!(read("postgres://u@%2Frun%2Fpg:5433/app"), "u /run/pg 5433 app Off");
        assert_eq!(read("postgres://u@/app?host=/run&port=5434"), "u /run 5434 app Off");
    }

    #[test]
    fn what_would_be_guessed_or_ignored_is_refused() {
        assert_eq!(refused("mysql://u@h/db"), BadAddress::OtherScheme);
        assert_eq!(refused("postgres://h/db"), BadAddress::NoUser);
        assert_eq!(refused("postgres://u@h"), BadAddress::NoDatabase);
        assert_eq!(refused("postgres://u@h/"), BadAddress::NoDatabase);
        assert_eq!(refused("postgres://u@/db"), BadAddress::NoHost);
        assert_eq!(refused("postgres://u@h/db?host=/run"), BadAddress::TwoHosts);
        assert_eq!(refused("postgres://u@h,i/db"), BadAddress::SeveralHosts);
        assert_eq!(refused("postgres://u@h/a/b"), BadAddress::MoreThanADatabase);
        assert_eq!(refused("postgres://u@h/%ff"), BadAddress::NotText("database"));
        assert_eq!(refused("postgres://u@h/a%0"), BadAddress::NotText("database"));
        assert_eq!(refused("postgres://u@h:1/db?port=2"), BadAddress::GivenTwice("port"));
        assert_eq!(refused("postgres://u@/db?host=/run&port=x"), BadAddress::NotAPort);
        assert_eq!(refused("postgres://u@h/db?sslmode=prefer"), BadAddress::WeakTls("prefer"));
        assert_eq!(
            refused("postgres://u@h/db?sslmode=off").to_string(),
            "sslmode is `off`, not one of disable, require and verify-full"
        );
        assert_eq!(refused("postgres://u@/db?host=/run&sslmode=require"), BadAddress::TlsOnSocket);
        assert_eq!(refused("postgres://u@h/db?sslmode=require&sslrootcert=/a"), BadAddress::RootsUnused);
        assert_eq!(
            refused("postgres://u@h/db?application_name=x").to_string(),
            "the address has an unknown parameter `application_name`"
        );
        assert!(matches!(refused("u@h/db"), BadAddress::NotAUrl(_)));
    }

    #[test]
    fn a_password_is_refused_and_never_repeated() {
        for text in [
            "postgres://u:hunter2@h/db",
            "postgres://u:hunter2@/db?host=/run",
            "postgres://u:1?hunter2@h/db",
            "postgres://u:hunter2?@h/db",
            "postgres://u:1/hunter2@h/db",
            "postgres://u:hun#ter2@h/db",
            "postgres://u@h/db?password=hunter2",
            "postgres://u@h/db?sslmode=hunter2",
        ] {
            let error = refused(text);
            let said = format!("{error} {error:?} {:?}", error.hint());
            assert!(!said.contains("hunter2") && !said.contains("ter2"), "{said}");
        }
    }
}
