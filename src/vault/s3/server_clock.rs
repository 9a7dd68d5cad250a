//! server_clock: how far the server's clock is ahead of ours, as the Date of its answers shows.

use crate::clock::{Clock, SignedDuration, Timestamp};
use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeDeserializationInterceptorContextRef},
    error::BoxError,
};
use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

const UNSEEN: i64 = i64::MIN;

/// Reads the Date of every answer, refusals included. Dates are cut to the second and travel for a while, so the lead
/// is never above the true one: a time computed from it is never later than the server's.
#[derive(Clone, Debug)]
pub struct ServerClock {
    ours: Clock,
    lead_ms: Arc<AtomicI64>,
}

impl ServerClock {
    pub fn unseen(ours: Clock) -> Self {
        Self { ours, lead_ms: Arc::new(AtomicI64::new(UNSEEN)) }
    }

    /// Server's clock less ours, by the latest answer; `None` before the first.
    pub fn lead(&self) -> Option<SignedDuration> {
        let lead_ms = self.lead_ms.load(Ordering::Relaxed);
        (lead_ms != UNSEEN).then(|| SignedDuration::from_millis(lead_ms))
    }
}

impl Intercept for ServerClock {
    fn name(&self) -> &'static str {
        "server clock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // An answer without a Date, or with a strange one, tells no time and is no worse for that.
        if let Some(date) = context.response().headers().get("date").and_then(parse_http_date) {
            let lead = date.duration_since(self.ours.now());
            self.lead_ms.store(lead.as_millis().try_into()?, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// `Sat, 21 Nov 2026 12:32:21 GMT` (RFC 9110, section 5.6.7: senders use no other form).
fn parse_http_date(text: &str) -> Option<Timestamp> {
    Some(jiff::fmt::rfc2822::parse(text).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_date_reads_as_utc() {
        assert_eq!(parse_http_date("Sat, 21 Nov 2026 12:32:21 GMT"), "2026-11-21T12:32:21Z".parse().ok());
        assert_eq!(parse_http_date("yesterday"), None);
    }
}
