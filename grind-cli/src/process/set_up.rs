//! The time-out while a program is read, assembled, lowered and compiled. Nothing there can be interrupted, and nothing
//! has run that could be reported, so that the process ends.

use crate::output::say;
use grind_runtime::model::Control;
use grind_runtime::session::ExitCode;
use std::process;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

/// While it lives, the process may end by its time-out.
#[must_use]
pub(crate) struct SetUp {
    _done: Option<Sender<()>>,
}

impl SetUp {
    /// Ends the process after `timeout`, unless the run that is set up has begun by then.
    pub(crate) fn within(timeout: Option<Duration>, run: &Arc<Control>) -> SetUp {
        let done = timeout.map(|timeout| {
            let run = Arc::clone(run);
            let (done, ended) = mpsc::channel();
            thread::spawn(move || {
                let time_out = ended.recv_timeout(timeout) == Err(RecvTimeoutError::Timeout);
                if time_out && !run.has_begun() {
                    end();
                }
            });
            done
        });
        SetUp { _done: done }
    }
}

fn end() -> ! {
    // There is nowhere to report a failure to report.
    let _ =
        say::err("grind: error: the time-out came before the program was set up; nothing ran\n");
    process::exit(ExitCode::Timeout.code().into())
}
