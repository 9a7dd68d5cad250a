//! alone: one dump of a source at a time, on whichever host: an advisory lock in the source's own database.

use super::{
    Address, PostgresError,
    connect::{Session, connect},
};
use crate::layout::SourceName;

/// Held while a source is dumped; the server gives it up with the session.
pub struct Alone(#[expect(dead_code, reason = "its life is its work")] Session);

/// PostgreSQL keeps advisory locks by database and 64-bit number (functions-admin, \"Advisory Lock Functions\").
fn number_of(source: &SourceName) -> i64 {
    let hash = blake3::hash(format!("strongroom run of {source}").as_bytes());
    i64::from_be_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"))
}

const HOLDER: &str = "
    SELECT coalesce(a.application_name, '?') || ' at ' || coalesce(host(a.client_addr), 'this server''s own socket')
           || ' since ' || to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')
    FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
      AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND (l.classid::bigint << 32) | l.objid::bigint = $1";

/// Takes the lock or says who has it; never waits for it.
pub async fn insist(address: &Address, source: &SourceName) -> Result<Alone, PostgresError> {
    let session = connect(address, None).await?;
    let number = number_of(source);
    let locking = session.client.query_one("SELECT pg_try_advisory_lock($1)", &[&number]).await;
    if locking.map_err(PostgresError::query("asking whether another run is under way"))?.get(0) {
        return Ok(Alone(session));
    }
    let asked = session.client.query(HOLDER, &[&number]).await.map_err(PostgresError::query("asking who runs"))?;
    let holder = asked.first().and_then(|row| row.get::<_, Option<String>>(0));
    let holder = holder.unwrap_or_else(|| "somebody who has just ended".to_owned());
    Err(PostgresError::Busy { source_name: source.to_string(), holder })
}
