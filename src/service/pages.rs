//! pages: the HTTP server of a daemon, where its configuration says, from one configuration to the next.

use crate::{
    clock::Clock,
    failure::with_causes,
    monitor::{self, Board, ServeError},
};
use std::{net::SocketAddr, time::Duration};
use tokio_util::sync::CancellationToken;

/// `/healthz` is unwell when the daemon's loop has not come round for so long.
const ROUND_MAX: Duration = Duration::from_secs(60);

/// Nowhere, to begin with.
#[derive(Default)]
pub struct Pages {
    shown: Option<Shown>,
}

struct Shown {
    asked: SocketAddr,
    stop: CancellationToken,
}

impl Pages {
    /// Listens at `asked`; what was listened at before ends only when the new place is ours.
    pub fn show(&mut self, asked: Option<SocketAddr>, board: &Board, clock: Clock) -> Result<(), ServeError> {
        if self.shown.as_ref().map(|shown| shown.asked) == asked {
            return Ok(());
        }
        let bound = asked.map(monitor::bind).transpose()?;
        self.close();
        let Some((asked, bound)) = asked.zip(bound) else { return Ok(()) };
        tracing::info!(address = %bound.address, "metrics and health are shown");
        let stop = CancellationToken::new();
        let serving = monitor::serve(bound, board.clone(), clock, ROUND_MAX, stop.clone());
        tokio::spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(error = with_causes(&error), "nobody can see metrics and health any more");
            }
        });
        self.shown = Some(Shown { asked, stop });
        Ok(())
    }

    pub fn close(&mut self) {
        if let Some(shown) = self.shown.take() {
            shown.stop.cancel();
        }
    }
}
