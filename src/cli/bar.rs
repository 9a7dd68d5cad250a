//! bar: draws a run's progress on a terminal, or says it in plain lines elsewhere.

use crate::progress::{Progress, Seen};
use bytesize::ByteSize;
use indicatif::{ProgressBar, ProgressStyle};
use std::{io::IsTerminal, sync::Arc, time::Duration};

const REDRAW: Duration = Duration::from_millis(200);
const SAY: Duration = Duration::from_secs(10);

/// Runs `work` and shows `progress` on standard error until it ends; silent for programs.
pub async fn watch<T>(title: &str, progress: &Arc<Progress>, silent: bool, work: impl Future<Output = T>) -> T {
    if silent {
        return work.await;
    }
    let terminal = std::io::stderr().is_terminal();
    let mut tick = tokio::time::interval(if terminal { REDRAW } else { SAY });
    tick.reset();
    let bar = if terminal { bar(title) } else { ProgressBar::hidden() };
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                bar.finish_and_clear();
                return done;
            }
            _ = tick.tick() => {
                let seen = progress.seen();
                if terminal {
                    bar.set_length(seen.expected_bytes.max(seen.raw_bytes));
                    bar.set_position(seen.raw_bytes);
                    bar.set_message(said(seen));
                } else {
                    eprintln!("{title}: {} read, {}", ByteSize(seen.raw_bytes), said(seen));
                }
            }
        }
    }
}

fn bar(title: &str) -> ProgressBar {
    let template = "{prefix} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {msg}";
    let style = ProgressStyle::with_template(template).expect("the template is well-formed");
    ProgressBar::new(0).with_style(style).with_prefix(title.to_owned())
}

fn said(seen: Seen) -> String {
    format!("{} rows, {} segments of {}", seen.rows, seen.segments, ByteSize(seen.packed_bytes))
}
