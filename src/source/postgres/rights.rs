//! rights: may this role read everything there is? Asked before each dump, answered with the GRANT that mends it.

use super::{AcceptedLoss, PostgresError};
use crate::manifest::LeftOut;
use tokio_postgres::Client;

/// Something that this role cannot read whole, and the statement that would let it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub object: String,
    pub mend: String,
}

/// One row for each gap: what it is, and the statement that mends it. pg_dump needs USAGE on schemas, SELECT on
/// tables and sequences, SELECT on each large object (no predefined role gives it), and no row-level security.
const GAPS: &str = "
WITH mine AS (
  SELECT oid, nspname FROM pg_namespace n WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
), readable AS (
  SELECT c.*, m.nspname, quote_ident(m.nspname) || '.' || quote_ident(c.relname) AS qname
  FROM pg_class c JOIN mine m ON m.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'S', 'm', 'v') AND c.relpersistence <> 't'
)
SELECT 'schema ' || quote_ident(nspname), 'GRANT USAGE ON SCHEMA ' || quote_ident(nspname) || ' TO ' || quote_ident(current_user) || ';'
  FROM mine WHERE NOT has_schema_privilege(oid, 'USAGE')
UNION ALL
SELECT CASE relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END || qname,
  'GRANT SELECT ON ' || CASE relkind WHEN 'S' THEN 'SEQUENCE ' ELSE '' END || qname || ' TO ' || quote_ident(current_user) || ';'
  FROM readable WHERE relkind IN ('r', 'p', 'S')
   AND NOT CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'SELECT') ELSE has_table_privilege(oid, 'SELECT') END
UNION ALL
SELECT 'all rows of ' || qname || ' (row-level security)', 'ALTER ROLE ' || quote_ident(current_user) || ' BYPASSRLS;'
  FROM readable WHERE relkind IN ('r', 'p') AND row_security_active(oid)
UNION ALL
SELECT 'large object ' || l.oid, 'GRANT SELECT ON LARGE OBJECT ' || l.oid || ' TO ' || quote_ident(current_user) || ';'
  FROM pg_largeobject_metadata l
  WHERE NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AND NOT pg_has_role(l.lomowner, 'USAGE')
    AND current_setting('lo_compat_privileges') = 'off'
    AND NOT EXISTS (SELECT 1 FROM aclexplode(l.lomacl) a
                    WHERE a.privilege_type = 'SELECT' AND (a.grantee = 0 OR pg_has_role(a.grantee, 'USAGE')))
ORDER BY 2, 1";

/// What only a superuser can read; it is lost in silence by pg_dump, so we ask.
const SUPERUSER_ONLY: &str = "
SELECT rolsuper,
  (SELECT count(*) FROM pg_user_mappings m WHERE m.umoptions IS NULL AND EXISTS
     (SELECT 1 FROM pg_foreign_server s WHERE s.oid = m.srvid)),
  (SELECT count(oid) FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())),
  (SELECT count(*) FROM pg_foreign_table)
FROM pg_roles WHERE rolname = current_user";

/// Insists that a dump by this role is complete; gives what the configuration knowingly leaves out.
pub async fn insist(client: &Client, role: &str, accepted: &[AcceptedLoss]) -> Result<Vec<LeftOut>, PostgresError> {
    let asking = || PostgresError::query("asking for this role's rights");
    let rows = client.query(GAPS, &[]).await.map_err(asking())?;
    let mut gaps: Vec<Gap> = rows.iter().map(|row| Gap { object: row.get(0), mend: row.get(1) }).collect();

    let row = client.query_one(SUPERUSER_ONLY, &[]).await.map_err(asking())?;
    let (superuser, mappings, subscriptions, foreign): (bool, i64, i64, i64) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let mut left_out = Vec::new();
    if foreign > 0 {
        let what = format!("rows of foreign tables ({foreign})");
        left_out.push(LeftOut { what, why: "they live on another server".into() });
    }
    if !superuser {
        let losses = [
            (mappings, AcceptedLoss::UserMappings, "options of user mappings", "user-mappings"),
            (subscriptions, AcceptedLoss::Subscriptions, "subscriptions", "subscriptions"),
        ];
        for (count, loss, what, key) in losses.into_iter().filter(|(count, ..)| *count > 0) {
            if accepted.contains(&loss) {
                left_out
                    .push(LeftOut { what: format!("{what} ({count})"), why: "only a superuser can read them".into() });
            } else {
                let mend =
                    format!("-- only a superuser reads {what}: dump as one, or say accept_missing = [\"{key}\"]");
                gaps.push(Gap { object: what.to_owned(), mend });
            }
        }
    }
    if gaps.is_empty() { Ok(left_out) } else { Err(PostgresError::Incomplete { role: role.to_owned(), gaps }) }
}
