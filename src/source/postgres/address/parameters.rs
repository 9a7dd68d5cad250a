//! parameters: what follows the question mark of an address: where the socket is, and how the link is protected.

use super::{BadAddress, Shown, decode};
use crate::source::postgres::Tls;
use std::path::PathBuf;

#[derive(Default)]
pub struct Parameters {
    pub host: Option<String>,
    pub port: Option<u16>,
    tls: Option<String>,
    roots: Option<String>,
}

impl Parameters {
    pub fn read(query: &str) -> Result<Self, BadAddress> {
        let mut parameters = Self::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode(value, "parameter")?;
            let given_before = match name {
                "host" if value.starts_with('/') => parameters.host.replace(value).map(|_| "host"),
                "host" => return Err(BadAddress::NoHost),
                "port" => {
                    parameters.port.replace(value.parse().map_err(|_not_u16| BadAddress::NotAPort)?).map(|_| "port")
                }
                "sslmode" => parameters.tls.replace(value).map(|_| "sslmode"),
                "sslrootcert" => parameters.roots.replace(value).map(|_| "sslrootcert"),
                "password" | "sslpassword" => return Err(BadAddress::PasswordInUrl),
                _ => return Err(BadAddress::UnknownParameter(Shown::of(name))),
            };
            if let Some(name) = given_before {
                return Err(BadAddress::GivenTwice(name));
            }
        }
        Ok(parameters)
    }

    pub fn tls(self, on_socket: bool) -> Result<Tls, BadAddress> {
        let tls = match self.tls.as_deref() {
            None if on_socket => Tls::Off,
            None | Some("verify-full") => {
                // libpq's "system" means what no file at all means to us.
                Tls::VerifyFull { roots: self.roots.as_deref().filter(|roots| *roots != "system").map(PathBuf::from) }
            }
            Some("require") => Tls::Unverified,
            Some("disable") => Tls::Off,
            Some("allow") => return Err(BadAddress::WeakTls("allow")),
            Some("prefer") => return Err(BadAddress::WeakTls("prefer")),
            Some("verify-ca") => return Err(BadAddress::WeakTls("verify-ca")),
            Some(other) => return Err(BadAddress::UnknownTls(Shown::of(other))),
        };
        match tls {
            Tls::VerifyFull { .. } | Tls::Unverified if on_socket => Err(BadAddress::TlsOnSocket),
            Tls::Unverified | Tls::Off if self.roots.is_some() => Err(BadAddress::RootsUnused),
            tls => Ok(tls),
        }
    }
}
