//! guests: connections to the pages. There are only so many at once, and none stays longer than a page takes: whoever
//! sends a header byte by byte, or never reads, is shown out.

use axum::serve::Listener;
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Sleep, sleep},
};
use tracing::warn;

const GUESTS_MAX: usize = 64;
/// For the whole of a connection: one request and its answer.
const STAYS_FOR_MAX: Duration = Duration::from_secs(3);
/// Where nobody can be let in (too many files open), another try comes after this.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

pub struct Guests {
    listener: TcpListener,
    seats: Arc<Semaphore>,
}

impl Guests {
    pub fn new(listener: TcpListener) -> Self {
        Self { listener, seats: Arc::new(Semaphore::new(GUESTS_MAX)) }
    }
}

impl Listener for Guests {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let seat = Arc::clone(&self.seats).acquire_owned().await.expect("nobody closes the semaphore");
        loop {
            match self.listener.accept().await {
                Ok((stream, address)) => {
                    return (Guest { stream, stay: Box::pin(sleep(STAYS_FOR_MAX)), _seat: seat }, address);
                }
                Err(error) if is_the_guests_own(&error) => {}
                Err(error) => {
                    warn!(%error, "cannot accept a connection to the pages");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A guest that left before being let in.
fn is_the_guests_own(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection, which fails once its time is up.
pub struct Guest {
    stream: TcpStream,
    stay: Pin<Box<Sleep>>,
    _seat: OwnedSemaphorePermit,
}

impl Guest {
    fn overstays(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if self.stay.as_mut().poll(context).is_ready() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.overstays(context)?;
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        self.overstays(context)?;
        Pin::new(&mut self.stream).poll_write(context, from)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.overstays(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.overstays(context)?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
