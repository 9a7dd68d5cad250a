//! service: what every daemon of ours is to its host: alone in its `state_dir`, supervised, stopped and reloaded by
//! signals, shown on pages, heard by alerts. What a daemon does is its own.

mod alone;
mod pages;
mod signals;
mod supervisor;
mod teller;

pub use alone::Alone;
pub use pages::Pages;
pub use signals::{Asked, Signals};
pub use supervisor::Supervisor;
pub use teller::Teller;

use crate::{
    failure::{Explain, Kind},
    monitor::{Board, CourierError, ServeError},
};
use std::{path::PathBuf, sync::Arc, time::Duration};

/// A daemon's loop comes round at least so often: a clock that was set is noticed, and an age becomes an alarm.
pub const ROUND: Duration = Duration::from_secs(5);
/// What was to be told when we are stopped, or when others are to be told from now on, is told within this.
pub const TELL_WITHIN: Duration = Duration::from_secs(10);
/// A catalog that is slow, or locked by somebody, does not hold a loop up for longer.
pub const CATALOG_WITHIN: Duration = Duration::from_secs(5);

/// Reads a configuration again: the orders, or in words what is wrong with it.
pub type Reread<O> = Arc<dyn Fn() -> Result<O, String> + Send + Sync>;

#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Courier(#[from] CourierError),
    #[error("cannot listen for signals")]
    Signals(#[from] std::io::Error),
    #[error("another daemon runs on {0}")]
    Another(PathBuf),
    #[error("cannot use {path}")]
    StateDir { path: PathBuf, source: std::io::Error },
}

impl Explain for ServiceError {
    fn kind(&self) -> Kind {
        match self {
            Self::Serve(error) => error.kind(),
            Self::Courier(error) => error.kind(),
            Self::Signals(_) | Self::Another(_) => Kind::Failed,
            Self::StateDir { .. } => Kind::Settings,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Serve(error) => error.hint(),
            Self::Courier(error) => error.hint(),
            Self::Signals(_) => None,
            Self::Another(_) => Some("Each daemon needs a `state_dir` of its own, and each source one daemon.".into()),
            Self::StateDir { .. } => Some("state_dir must be a folder that this user may write.".into()),
        }
    }
}

/// Says what became of a configuration that was read again: `sources` are looked after now.
pub fn reloaded(taken: Result<(), String>, sources: usize, board: &Board) {
    match taken {
        Ok(()) => tracing::info!(sources, "the configuration was read again and is in force"),
        Err(why) => {
            tracing::error!("the configuration was read again and is NOT in force; the old one is: {why}");
            board.update(|shown| shown.reload.succeeded = false);
        }
    }
}

/// Reads a configuration off the runtime's threads: it may ask programs and disks.
pub async fn read_again<O: Send + 'static>(reread: &Reread<O>) -> Result<O, String> {
    let reread = Arc::clone(reread);
    let read = tokio::task::spawn_blocking(move || reread()).await;
    read.unwrap_or_else(|panic| Err(format!("reading it broke off: {panic}")))
}
