//! How far an analysis of a trace is: shows it, and ends it in time.
//!
//! `grind analyze` reads a trace up to three times: what the run showed, what it predicts, and the stacks of that. The time that
//! it is given has to do for all of them.

use crate::process::watch;
use grind_runtime::model::Control;
use grind_runtime::predict::translate::Progress;
use indicatif::ProgressBar;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Shows how far it is, and ends it in time.
pub(crate) struct Pace {
    bar: Option<ProgressBar>,
    control: Arc<Control>,
    start: Instant,
    time: Option<Duration>,
    /// When the reading that goes on began, and which it is.
    reading: (u8, Instant),
    /// Seconds per byte of the first reading: the last one takes about as long.
    per_byte: f64,
    /// When it was asked to stop.
    stopped: Option<Instant>,
}

/// Time to take the stacks of what was found, when it is asked to stop.
const GRACE: Duration = Duration::from_millis(700);

impl Pace {
    /// From now on. With the length of the trace in bytes, it is shown.
    pub(crate) fn new(control: &Arc<Control>, time: Option<Duration>, len: Option<u64>) -> Pace {
        let now = Instant::now();
        Pace {
            bar: len.and_then(watch::bytes),
            control: Arc::clone(control),
            start: now,
            time,
            reading: (0, now),
            per_byte: 0.0,
            stopped: None,
        }
    }

    pub(crate) fn progress(&mut self, now: Progress) -> ControlFlow<()> {
        if let Some(bar) = &self.bar {
            bar.set_position(now.position);
        }
        if now.reading != self.reading.0 {
            self.reading = (now.reading, Instant::now());
        }
        let position = now.position as f64;
        let enough = match now.reading {
            1 => {
                self.per_byte = self.reading.1.elapsed().as_secs_f64() / position.max(1.0);
                false
            }
            // What is left has to do for the stacks.
            2 => self.time.is_some_and(|time| {
                let left = time.saturating_sub(self.start.elapsed());
                left.as_secs_f64() < position * self.per_byte
            }),
            3 if self.control.stop_requested() => {
                self.stopped.get_or_insert_with(Instant::now).elapsed() > GRACE
            }
            _ => false,
        };
        match enough {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
