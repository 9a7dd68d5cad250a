//! connect: one session with a PostgreSQL server, pinned so that what it says does not depend on who asks.

use super::{Address, PostgresError, Tls, error::said};
use rustls::{
    ClientConfig, RootCertStore,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use std::{path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_postgres::{Client, Config, NoTls, config::SslMode, error::SqlState, tls::MakeTlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
const READ_BYTES: usize = 256 << 10;

/// A session and the task that drives it. Dropping it closes the connection, which ends its transaction and
/// gives up its locks.
pub struct Session {
    pub client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// A custom setting given at connection; a pooler that hands us somebody else's server session loses it.
const CANARY: &str = "strongroom.session";

/// As pg_dump pins its session, plus what pg_dump leaves to role and database settings and what changes the text
/// of values (postgres.md in the format's notes: each was seen to change fingerprints).
const PINS: &str = "
    SET search_path = ''; SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET extra_float_digits = 3;
    SET synchronize_seqscans = off; SET statement_timeout = 0; SET lock_timeout = 0;
    SET idle_in_transaction_session_timeout = 0; SET row_security = off; SET quote_all_identifiers = off;
    SET timezone = 'UTC'; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmlbinary = 'base64';
    SET xmloption = 'content'; SET max_parallel_workers_per_gather = 0; SET jit = off;
    SET default_transaction_read_only = off; SET synchronous_commit = on;";
/// How soon the server itself notices that we are gone, and gives up the snapshot that holds vacuum back. A platform
/// that cannot do it refuses the setting.
const WATCHFUL: &str = "
    SET tcp_keepalives_idle = 60; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3;
    SET client_connection_check_interval = '10s'";
const PINS_17: &str = "SET transaction_timeout = 0; SET restrict_nonsystem_relation_kind = 'view, foreign-table';";

impl Address {
    /// `user@host:port/database`, without the password.
    pub fn shown(&self) -> String {
        format!("{}@{}:{}/{}", self.user, self.host, self.port, self.database)
    }

    pub fn with_database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }
}

/// The encoding in which a database's text travels: UTF-8, so that names and rows are what our driver speaks;
/// SQL_ASCII stays SQL_ASCII, which is bytes as they are.
pub fn text_encoding(database_encoding: &str) -> &'static str {
    if database_encoding == "SQL_ASCII" { "SQL_ASCII" } else { "UTF8" }
}

/// Opens a pinned session whose text is in the database's [`text_encoding`], or in `encoding` where the caller replays
/// another database's text.
pub async fn connect(address: &Address, encoding: Option<&str>) -> Result<Session, PostgresError> {
    let connected = tokio::time::timeout(2 * CONNECT_TIMEOUT, pinned(address, encoding)).await;
    connected.map_err(|_elapsed| unreachable(address, "no answer in time".into()))?
}

async fn pinned(address: &Address, encoding: Option<&str>) -> Result<Session, PostgresError> {
    let session = open(address).await?;
    let kept = session.client.query_one("SELECT current_setting($1, true)", &[&CANARY]).await;
    let kept: Option<String> = kept.map_err(PostgresError::query("checking the session"))?.get(0);
    if kept.as_deref() != Some("kept") {
        return Err(PostgresError::Pooler { address: address.shown() });
    }
    let pinning = || PostgresError::query("pinning the session's settings");
    session.client.batch_execute(PINS).await.map_err(pinning())?;
    if let Err(error) = session.client.batch_execute(WATCHFUL).await {
        tracing::debug!(error = said(&error), "the server will notice later when we are gone");
    }
    let row = session
        .client
        .query_one("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')", &[]);
    let row = row.await.map_err(pinning())?;
    let (version, server_encoding): (i32, String) = (row.get(0), row.get(1));
    if version >= 170_000 {
        session.client.batch_execute(PINS_17).await.map_err(pinning())?;
    }
    let encoding = encoding.unwrap_or(text_encoding(&server_encoding));
    let pin = format!("SET client_encoding = '{}'", encoding.replace('\'', "''"));
    session.client.batch_execute(&pin).await.map_err(pinning())?;
    Ok(session)
}

async fn open(address: &Address) -> Result<Session, PostgresError> {
    let mut config = Config::new();
    config
        .user(&address.user)
        .dbname(&address.database)
        .application_name("strongroom")
        .options(format!("-c {CANARY}=kept"));
    if let Some(password) = &address.password {
        let text = password.reveal_text().map_err(|why| refused(address, why.to_string()))?;
        config.password(text);
    }
    let tls = match &address.tls {
        Tls::Off => None,
        Tls::VerifyFull { roots } => Some(verified(roots.as_deref())),
        Tls::Unverified => Some(Ok(unverified())),
    };
    let tls = tls.transpose().map_err(|why| PostgresError::Tls { address: address.shown(), why })?;
    config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
    let greeting = async {
        if address.host.starts_with('/') {
            let socket = format!("{}/.s.PGSQL.{}", address.host, address.port);
            let stream = UnixStream::connect(socket).await.map_err(|error| unreachable(address, error.to_string()))?;
            return drive(address, config.connect_raw(widened(stream), NoTls)).await;
        }
        let stream = TcpStream::connect((address.host.as_str(), address.port)).await;
        let stream = stream.and_then(|stream| kept_alive(stream).map(widened));
        let stream = stream.map_err(|error| unreachable(address, error.to_string()))?;
        let Some(tls) = tls else { return drive(address, config.connect_raw(stream, NoTls)).await };
        let made =
            MakeTlsConnect::<BufReader<TcpStream>>::make_tls_connect(&mut MakeRustlsConnect::new(tls), &address.host);
        let tls = made.map_err(|why| PostgresError::Tls { address: address.shown(), why: why.to_string() })?;
        drive(address, config.connect_raw(stream, tls)).await
    };
    let greeted = tokio::time::timeout(CONNECT_TIMEOUT, greeting).await;
    greeted.map_err(|_elapsed| unreachable(address, "no answer in time".into()))?
}

/// The driver reads 8 KiB at a time; COPY deserves fewer and larger reads.
fn widened<S: AsyncRead>(stream: S) -> BufReader<S> {
    BufReader::with_capacity(READ_BYTES, stream)
}

/// A peer that is gone without a word is noticed within two minutes.
fn kept_alive(stream: TcpStream) -> std::io::Result<TcpStream> {
    use rustix::net::sockopt;
    stream.set_nodelay(true)?;
    sockopt::set_socket_keepalive(&stream, true)?;
    sockopt::set_tcp_keepidle(&stream, Duration::from_secs(30))?;
    sockopt::set_tcp_keepintvl(&stream, Duration::from_secs(10))?;
    sockopt::set_tcp_keepcnt(&stream, 3)?;
    sockopt::set_tcp_user_timeout(&stream, 120_000)?;
    Ok(stream)
}

fn refused(address: &Address, why: String) -> PostgresError {
    PostgresError::Refused { address: address.shown(), why }
}

fn unreachable(address: &Address, why: String) -> PostgresError {
    PostgresError::Unreachable { address: address.shown(), why }
}

async fn drive<S, T>(
    address: &Address,
    connecting: impl Future<Output = Result<(Client, tokio_postgres::Connection<S, T>), tokio_postgres::Error>>,
) -> Result<Session, PostgresError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = connecting.await.map_err(|error| {
        let why = said(&error);
        match error.code() {
            Some(state) if *state == SqlState::PROTOCOL_VIOLATION && why.contains("startup parameter") => {
                PostgresError::Pooler { address: address.shown() }
            }
            Some(state) if [SqlState::CANNOT_CONNECT_NOW, SqlState::TOO_MANY_CONNECTIONS].contains(state) => {
                unreachable(address, why)
            }
            Some(state) if *state == SqlState::UNDEFINED_DATABASE => {
                PostgresError::NoSuchDatabase { database: address.database.clone(), address: address.shown() }
            }
            Some(_) => refused(address, why),
            None if why.contains("tls") || why.contains("TLS") || why.contains("certificate") => {
                PostgresError::Tls { address: address.shown(), why }
            }
            None => unreachable(address, why),
        }
    })?;
    // A broken connection shows as an error in whatever the client does next.
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = said(&error), "connection ended");
        }
    });
    Ok(Session { client, driver })
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring has the default protocol versions")
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn verified(roots: Option<&Path>) -> Result<ClientConfig, String> {
    let mut store = RootCertStore::empty();
    let certificates = match roots {
        Some(path) => {
            let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            read.map_err(|error| format!("cannot read {}: {error}", path.display()))?
        }
        None => rustls_native_certs::load_native_certs().certs,
    };
    let (added, _ignored) = store.add_parsable_certificates(certificates);
    if added == 0 {
        return Err("no root certificate found".to_owned());
    }
    Ok(builder().with_root_certificates(store).with_no_client_auth())
}

fn unverified() -> ClientConfig {
    let verifier = Arc::new(AnyCertificate(provider()));
    builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth()
}

/// sslmode=require, as libpq means it: encrypted, and anybody could be at the other end.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &rustls::DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
