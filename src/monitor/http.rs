//! http: the pages that a person, a scraper or an orchestrator asks for: `/`, `/metrics`, `/healthz`, `/readyz`,
//! `/health.json`, and nothing else. They are read-only, need no password and hold no secret.

mod guests;

use self::guests::Guests;
use super::{board::Board, metrics, page};
use crate::{
    clock::{Clock, whole_second},
    failure::{Explain, Kind},
};
use axum::{
    Json, Router,
    extract::State,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}")]
    Bind { address: SocketAddr, source: io::Error },
    #[error("the pages at {address} ended")]
    Ended { address: SocketAddr, source: io::Error },
}

impl Explain for ServeError {
    fn kind(&self) -> Kind {
        match self {
            // Who holds the port may be about to end: a service manager tries again.
            Self::Bind { source, .. } if source.kind() == io::ErrorKind::AddrInUse => Kind::Failed,
            Self::Bind { .. } => Kind::Settings,
            Self::Ended { .. } => Kind::Failed,
        }
    }

    fn hint(&self) -> Option<String> {
        let Self::Bind { source, .. } = self else { return None };
        let hint = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "Another program listens there: choose another port as `listen` in [daemon] or [watch]."
            }
            io::ErrorKind::AddrNotAvailable => {
                "This host has no such address: choose another as `listen` in [daemon] or [watch]."
            }
            io::ErrorKind::PermissionDenied => "Choose a port of 1024 or above as `listen` in [daemon] or [watch].",
            _ => "Choose another address as `listen` in [daemon] or [watch], or \"off\".",
        };
        Some(hint.to_owned())
    }
}

/// A place on which nobody else can listen any more; [`serve`] answers there.
#[derive(Debug)]
pub struct Bound {
    listener: TcpListener,
    /// With the port that the system chose, where 0 was asked for.
    pub address: SocketAddr,
}

/// Takes the address, so that a mistake shows before the daemon begins.
pub fn bind(address: SocketAddr) -> Result<Bound, ServeError> {
    let refused = |source| ServeError::Bind { address, source };
    let listener = TcpListener::bind(address).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok(Bound { listener, address })
}

#[derive(Clone)]
struct Views {
    board: Board,
    clock: Clock,
    beat_within: Duration,
}

/// Answers until `stop`, and then ends what has begun. `/healthz` is well while the board's last beat is at most
/// `beat_within` old.
pub async fn serve(
    bound: Bound,
    board: Board,
    clock: Clock,
    beat_within: Duration,
    stop: CancellationToken,
) -> Result<(), ServeError> {
    let address = bound.address;
    let ended = |source| ServeError::Ended { address, source };
    let guests = Guests::new(tokio::net::TcpListener::from_std(bound.listener).map_err(ended)?);
    let routes = Router::new()
        .route("/", get(status_page))
        .route("/metrics", get(metrics_page))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/health.json", get(health))
        .fallback(async || said(StatusCode::NOT_FOUND, "there are /, /metrics, /healthz, /readyz and /health.json"))
        .with_state(Views { board, clock, beat_within });
    axum::serve(guests, routes).with_graceful_shutdown(stop.cancelled_owned()).await.map_err(ended)
}

async fn status_page(State(Views { board, clock, beat_within }): State<Views>) -> Response {
    answer(StatusCode::OK, page::page(clock.now(), &board, beat_within))
}

async fn metrics_page(State(Views { board, clock, .. }): State<Views>) -> Response {
    let page = metrics::page(clock.now(), &board.shown());
    answer(StatusCode::OK, ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], page))
}

async fn alive(State(Views { board, beat_within, .. }): State<Views>) -> Response {
    match board.stuck_since(beat_within) {
        None => said(StatusCode::OK, "ok"),
        Some(since) => {
            let since = whole_second(since);
            said(StatusCode::SERVICE_UNAVAILABLE, &format!("the daemon's loop has not come round since {since}"))
        }
    }
}

async fn ready(State(Views { board, .. }): State<Views>) -> Response {
    if board.is_ready() {
        said(StatusCode::OK, "ready")
    } else {
        said(StatusCode::SERVICE_UNAVAILABLE, "the daemon is still beginning")
    }
}

async fn health(State(Views { board, clock, .. }): State<Views>) -> Response {
    answer(StatusCode::OK, Json(board.health(clock.now())))
}

fn said(status: StatusCode, text: &str) -> Response {
    answer(status, format!("{text}\n"))
}

/// Of this moment only, and the last on its connection: see [`guests`].
fn answer(status: StatusCode, content: impl IntoResponse) -> Response {
    (status, [(CACHE_CONTROL, "no-store"), (CONNECTION, "close")], content).into_response()
}

#[cfg(test)]
mod tests;
