//! line: letters to one address, delivered in order by a task of their own, so that whoever writes never waits.

use super::{Courier, Letter, Pauses, Undelivered};
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tracing::warn;

/// More than ever wait where the other end works at all.
const WAITING_MAX: usize = 100;

/// Hears of each letter that is lost, once.
type Lost = Arc<dyn Fn(&Letter, &Undelivered) + Send + Sync>;

pub struct Line {
    queue: mpsc::Sender<Letter>,
    task: JoinHandle<()>,
    lost: Lost,
}

impl Line {
    pub fn start(
        courier: Courier,
        pauses: Pauses,
        lost: impl Fn(&Letter, &Undelivered) + Send + Sync + 'static,
    ) -> Self {
        let (queue, mut letters) = mpsc::channel::<Letter>(WAITING_MAX);
        let lost: Lost = Arc::new(lost);
        let hears = Arc::clone(&lost);
        let task = tokio::spawn(async move {
            while let Some(letter) = letters.recv().await {
                if let Err(undelivered) = courier.deliver(&letter, pauses).await {
                    hears(&letter, &undelivered);
                }
            }
        });
        Self { queue, task, lost }
    }

    /// Never waits: what does not fit is lost, and said to be.
    pub fn send(&self, letter: Letter) {
        if let Err(unsent) = self.queue.try_send(letter) {
            (self.lost)(&unsent.into_inner(), &Undelivered::Crowded);
        }
    }

    /// Delivers what is waiting, as far as that is possible `within`.
    pub async fn close(self, within: Duration) {
        let Self { queue, mut task, .. } = self;
        drop(queue);
        match timeout(within, &mut task).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(%error, "the task that delivers messages died"),
            Err(_elapsed) => {
                warn!("messages were not delivered before the end");
                task.abort();
            }
        }
    }
}
