//! How long a command may go on: to its time-out, or until a signal asks it to end.

use crate::process::signals::{self, Signal};
use grind_runtime::session::ExitCode;
use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Time for what belongs to a report that is being written when a signal came.
const FINISHING: Duration = Duration::from_secs(5);

/// Why something ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Timeout,
    Signal(Signal),
}

impl Stop {
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Stop::Timeout => ExitCode::Timeout,
            Stop::Signal(signal) => signal.exit_code(),
        }
    }
}

impl Display for Stop {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Stop::Timeout => f.write_str("the time-out"),
            Stop::Signal(signal) => signal.fmt(f),
        }
    }
}

/// How long something may go on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    until: Option<Instant>,
    heeds_signals: bool,
}

impl Bound {
    /// For so long from now, or without a limit, and until a signal comes.
    pub(crate) fn new(timeout: Option<Duration>) -> Bound {
        Bound {
            until: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
            heeds_signals: true,
        }
    }

    /// For what belongs to a report: as long as the run might take, and some seconds if a signal came before.
    pub(crate) fn finishing(timeout: Option<Duration>) -> Bound {
        match signals::came() {
            Some(_) => Bound {
                heeds_signals: false,
                ..Bound::new(Some(FINISHING))
            },
            None => Bound::new(timeout),
        }
    }

    /// Why it has to end now, if it has to.
    pub(crate) fn reached(&self) -> Option<Stop> {
        if self.heeds_signals
            && let Some(signal) = signals::came()
        {
            return Some(Stop::Signal(signal));
        }
        let late = self.until.is_some_and(|until| Instant::now() >= until);
        late.then_some(Stop::Timeout)
    }
}

/// A file whose end comes when the bound is reached, so that whoever reads it ends in order. Before [`Gate::close_late`] there
/// is no bound.
pub(crate) struct BoundedFile {
    file: File,
    bound: Bound,
    gate: Gate,
}

/// What is known of a bounded file from outside.
#[derive(Clone, Default)]
pub(crate) struct Gate {
    heeds: Arc<AtomicBool>,
    stopped: Arc<OnceLock<Stop>>,
}

impl Gate {
    /// From now on, the file ends when its bound is reached.
    pub(crate) fn close_late(&self) {
        self.heeds.store(true, Ordering::Relaxed);
    }

    /// Why the file ended early, if it did.
    pub(crate) fn stopped(&self) -> Option<Stop> {
        self.stopped.get().copied()
    }
}

impl BoundedFile {
    pub(crate) fn new(file: File, bound: Bound, stopped: &Gate) -> (BoundedFile, Gate) {
        let gate = Gate {
            heeds: Arc::default(),
            stopped: Arc::clone(&stopped.stopped),
        };
        let file = BoundedFile {
            file,
            bound,
            gate: gate.clone(),
        };
        (file, gate)
    }
}

impl Read for BoundedFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.gate.heeds.load(Ordering::Relaxed)
            && let Some(stop) = self.bound.reached()
        {
            self.gate.stopped.get_or_init(|| stop);
            return Ok(0);
        }
        self.file.read(buffer)
    }
}
