//! daemon: reads `[daemon]`, how the depositor's daemon runs; every key has a default.

use super::{
    plan::DaemonPlan,
    table::{Found, Table},
};
use std::net::SocketAddr;

const RUNS_AT_ONCE_MAX: usize = 64;

pub fn read(mut table: Table) -> Option<DaemonPlan> {
    let unasked = DaemonPlan::default();
    let listen = table.optional("listen", |found| read_listen(&found.text()?));
    let runs_at_once = table.optional("runs_at_once", |found| found.number(1..=RUNS_AT_ONCE_MAX));
    table.finish();
    Some(DaemonPlan {
        listen: listen?.unwrap_or(unasked.listen),
        runs_at_once: runs_at_once?.map_or(unasked.runs_at_once, |runs| runs.value),
    })
}

/// `Some(None)`: nowhere.
pub fn read_listen(found: &Found<String>) -> Option<Option<SocketAddr>> {
    if found.value == "off" {
        return Some(None);
    }
    match found.value.parse() {
        Ok(address) => Some(Some(address)),
        Err(_not_an_address) => found.refuse(
            "`listen` is not an IP address with a port",
            "Write \"127.0.0.1:7470\" for this host alone, \"0.0.0.0:7470\" for all, or \"off\".",
        ),
    }
}
