//! monitor: what others see of the daemon, and whom it tells: metrics, health pages, alerts, dead-man pings.
//!
//! All are views of the [`Board`], which the daemon writes and nobody else: no view waits for a backup, and no backup
//! waits for a view or for a webhook that does not answer.

mod alert;
mod board;
mod courier;
mod http;
mod metrics;
mod page;
mod ping;

pub use alert::{AlertSettings, Alerts, EventKind, Form, Told, events};
pub use board::{Board, Reload};
pub use courier::{Courier, CourierError, Hook};
pub use http::{ServeError, bind, serve};
pub use ping::{Ping, PingKind, PingSettings, Pings};
