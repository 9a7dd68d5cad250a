//! written: how spans and runs are written in JSON: spans in whole seconds, a run flat, with its trigger's word.

use crate::{clock::SignedDuration, run};
use serde::{Serialize, Serializer};

pub fn seconds<S: Serializer>(span: &Option<SignedDuration>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| span.as_secs()).serialize(serializer)
}

pub fn span<S: Serializer>(span: &SignedDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

pub fn last_run<S: Serializer>(record: &Option<run::Record>, serializer: S) -> Result<S::Ok, S::Error> {
    let written = record.as_ref().map(|record| {
        let end = record.ended.as_ref();
        serde_json::json!({
            "backup": record.backup,
            "trigger": record.trigger.word(),
            "phase": record.phase,
            "started_at": record.started_at,
            "ended_at": end.map(|end| end.at),
            "took_seconds": record.took().map(|took| took.as_secs_f64()),
            "outcome": end.map(|end| end.outcome),
            "why": end.and_then(|end| end.why.as_ref()),
            "bytes": end.map(|end| end.bytes),
            "rows": end.map(|end| end.rows),
            "tables": end.map(|end| end.tables),
            "segments": end.map(|end| end.segments),
        })
    });
    written.serialize(serializer)
}
