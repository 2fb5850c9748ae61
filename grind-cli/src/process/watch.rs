//! Watches a run from a thread of its own: ends it at its time-out or when a signal comes, shows how far it is.

use crate::process::signals;
use grind_runtime::model::Control;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Short runs show nothing.
const SHOW_AFTER: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

/// Stops watching when dropped.
pub(crate) struct Watch {
    done: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub(crate) fn start(control: Arc<Control>, timeout: Option<Duration>, progress: bool) -> Watch {
        signals::stop(&control);
        let progress = progress && std::io::stderr().is_terminal();
        if timeout.is_none() && !progress {
            return Watch {
                done: None,
                thread: None,
            };
        }
        let (done, ended) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut start = Instant::now();
            let mut pass = control.pass();
            let mut bar: Option<ProgressBar> = None;
            loop {
                let left = timeout.map(|timeout| timeout.saturating_sub(start.elapsed()));
                match ended.recv_timeout(left.map_or(TICK, |left| left.min(TICK))) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                }
                // Each pass has as long.
                if pass != control.pass() {
                    pass = control.pass();
                    start = Instant::now();
                } else if left.is_some_and(|left| left.is_zero()) {
                    control.stop_pass(pass);
                }
                if progress && start.elapsed() > SHOW_AFTER {
                    let bar = bar.get_or_insert_with(spinner);
                    bar.set_message(format!(
                        "{} words of records, {} threads ended",
                        HumanCount(control.words()),
                        HumanCount(control.threads_ended())
                    ));
                    bar.tick();
                }
            }
            if let Some(bar) = bar {
                bar.finish_and_clear();
            }
        });
        Watch {
            done: Some(done),
            thread: Some(thread),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.done = None;
        if let Some(thread) = self.thread.take() {
            // A watcher that failed leaves the run as it is.
            let _ = thread.join();
        }
    }
}

fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}");
    let bar = ProgressBar::new_spinner();
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar
}

/// How much of a file was read, if anybody looks.
pub(crate) fn bytes(len: u64) -> Option<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {elapsed}");
    let bar = ProgressBar::new(len);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    Some(bar)
}
