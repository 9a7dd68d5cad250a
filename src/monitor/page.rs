//! page: the board as the status page for people, with what is wrong with the daemon itself.

use super::board::Board;
use crate::{
    clock::{Timestamp, whole_second},
    health::judge,
    page::{Status, policy, status},
};
use axum::{
    http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
    response::IntoResponse,
};
use std::time::Duration;

/// The page of this moment, with the headers that keep it to itself.
pub fn page(now: Timestamp, board: &Board, beat_within: Duration) -> impl IntoResponse {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, policy()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (X_FRAME_OPTIONS, "DENY".to_owned()),
        (REFERRER_POLICY, "no-referrer".to_owned()),
    ];
    (headers, written(now, board, beat_within))
}

fn written(now: Timestamp, board: &Board, beat_within: Duration) -> String {
    let shown = board.shown();
    let mut warnings = Vec::new();
    if let Some(since) = board.stuck_since(beat_within) {
        let since = whole_second(since);
        warnings
            .push(format!("Its loop has not come round since {since}: what is told here may be older than it says."));
    }
    if !shown.reload.succeeded {
        let loaded_at = whole_second(shown.reload.loaded_at);
        warnings.push(format!(
            "The configuration was changed and has mistakes: in force is the one of {loaded_at}. `strongroom check` \
             finds them."
        ));
    }
    let failed = shown.totals.alerts_failed.iter().filter(|(_, count)| **count > 0);
    let remarks = failed.map(|(alert, count)| {
        format!("Messages of alert `{alert}` that could not be delivered since the daemon began: {count}.")
    });
    status(&Status {
        health: &judge(now, &shown.facts),
        stories: &shown.stories,
        told_by: shown.told_by,
        beginning: !shown.ready,
        warnings,
        remarks: remarks.collect(),
    })
}

#[cfg(test)]
mod browser;
#[cfg(test)]
mod tests;
