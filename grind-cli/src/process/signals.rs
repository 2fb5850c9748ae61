//! Signals that ask the process to end: Ctrl-C (SIGINT), SIGTERM, SIGHUP.
//!
//! The first one ends the command in order: runs are stopped through their [`Control`], the reading of traces through
//! [`crate::process::bound::Bound`], and what was found until then is reported and written. Where nothing is going on that could have found
//! something, it ends the process at once. A second one kills.
//!
//! A run that raced is repeated for the stacks of its races; when a signal ended it, there are some seconds for that.
//!
//! A SIGHUP that was ignored when the process began, as under `nohup`, stays ignored.

use grind_runtime::model::Control;
use grind_runtime::report::{GuestExit, Report};
use grind_runtime::session::ExitCode;
use std::fmt::{self, Display, Formatter};
use std::process::Child;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// A signal that asks the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Hangup,
    Interrupt,
    Terminate,
}

impl Signal {
    const ALL: [Signal; 3] = [Signal::Hangup, Signal::Interrupt, Signal::Terminate];

    /// What the process exits with when it ended in order: 128 and the number of the signal, as a shell has it.
    pub(crate) fn exit_code(self) -> ExitCode {
        match self {
            Signal::Hangup => ExitCode::Hangup,
            Signal::Interrupt => ExitCode::Interrupted,
            Signal::Terminate => ExitCode::Terminated,
        }
    }
}

impl Display for Signal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Signal::Hangup => "SIGHUP",
            Signal::Interrupt => "SIGINT",
            Signal::Terminate => "SIGTERM",
        })
    }
}

/// Index in `Signal::ALL` of the one that came, plus one. Read often, so it is no part of `State`.
static CAME: AtomicUsize = AtomicUsize::new(0);

static STATE: Mutex<State> = Mutex::new(State {
    orderly: 0,
    controls: Vec::new(),
    child: None,
});

struct State {
    /// Pieces of work that end by themselves when a signal came.
    orderly: usize,
    /// Runs to stop.
    controls: Vec<Weak<Control>>,
    /// A program that works for this one.
    child: Option<Arc<Mutex<Child>>>,
}

fn state() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The signal that asked the process to end, if one did.
pub(crate) fn came() -> Option<Signal> {
    let index = CAME.load(Ordering::Relaxed).checked_sub(1)?;
    Signal::ALL.get(index).copied()
}

/// While this lives, a signal does not end the process: whoever made it looks whether one came.
#[derive(Debug)]
#[must_use]
pub(crate) struct Orderly(());

pub(crate) fn orderly() -> Orderly {
    state().orderly += 1;
    Orderly(())
}

impl Drop for Orderly {
    fn drop(&mut self) {
        state().orderly -= 1;
    }
}

/// A signal stops this run, also one that came before.
pub(crate) fn stop(control: &Arc<Control>) {
    let mut state = state();
    state.controls.retain(|known| known.strong_count() > 0);
    state.controls.push(Arc::downgrade(control));
    if came().is_some() {
        control.request_stop();
    }
}

/// A signal ends this program too, until it is `None`.
pub(crate) fn child(child: Option<Arc<Mutex<Child>>>) {
    state().child = child;
}

/// Says in the report of a run, which `stopped` before its end or did not, that a signal came, and gives the exit code.
pub(crate) fn told(report: &mut Report, stopped: bool, otherwise: u8) -> u8 {
    let Some(signal) = came() else {
        return otherwise;
    };
    if stopped {
        let reason = signal.to_string();
        report
            .limits
            .push(format!("the run was ended by {reason} before its end"));
        report.exit = Some(GuestExit::Stopped { reason });
    }
    signal.exit_code().code()
}

/// Time for the second passes of the runs that were stopped.
#[cfg(unix)]
const FINISHING: Duration = Duration::from_secs(5);

/// How often a pass is looked for that has begun since.
#[cfg(unix)]
const TICK: Duration = Duration::from_millis(100);

/// Stops every pass that is left after some time.
#[cfg(unix)]
fn finish() {
    let finishing = std::thread::Builder::new().name("finishing".to_owned());
    // Without it, a second signal is left.
    let _ = finishing.spawn(|| {
        std::thread::sleep(FINISHING);
        loop {
            for control in state().controls.iter().filter_map(Weak::upgrade) {
                control.request_stop();
            }
            std::thread::sleep(TICK);
        }
    });
}

/// What the first one does.
#[cfg(unix)]
fn first(index: usize, signal: Signal) {
    CAME.store(index + 1, Ordering::Relaxed);
    let state = state();
    for control in state.controls.iter().filter_map(Weak::upgrade) {
        control.request_stop();
    }
    finish();
    // Whoever waits for it holds the lock only when it has ended.
    if let Some(child) = &state.child
        && let Ok(mut child) = child.try_lock()
    {
        let _ = child.kill();
    }
    if state.orderly == 0 {
        std::process::exit(signal.exit_code().code().into());
    }
}

/// From now on, signals end the process as described above.
#[cfg(unix)]
pub(crate) fn install() {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;
    let numbers = [SIGHUP, SIGINT, SIGTERM];
    let wanted = numbers.iter().filter(|&&n| n != SIGHUP || !is_ignored(n));
    // Without a handler, the first signal kills.
    let Ok(mut signals) = Signals::new(wanted) else {
        return;
    };
    let _ = std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            for number in signals.forever() {
                let index = numbers.iter().position(|&known| known == number);
                match index.and_then(|index| Some((index, Signal::ALL.get(index)?))) {
                    Some((index, &signal)) if came().is_none() => first(index, signal),
                    _ => {
                        let _ = signal_hook::low_level::emulate_default_handler(number);
                    }
                }
            }
        });
}

#[cfg(not(unix))]
pub(crate) fn install() {}

/// Whether whoever started the process had it ignore this signal; where the host does not say, it had not.
#[cfg(unix)]
fn is_ignored(number: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask >> (number - 1) & 1 == 1)
}
