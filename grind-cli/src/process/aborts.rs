//! Where grind itself cannot go on, it ends with the exit code for that, and with no other: 134, which a shell makes of
//! an abort, is that of a guest that trapped.
//!
//! - A panic, on whatever thread: reported, and the process ends there and then. To unwind is not possible from within
//!   the engine, whose handlers are `extern` functions.
//! - An abort: memory that cannot be had, a native stack that ran over, a library that calls `abort`. The runtime of Rust
//!   prints what it was, and a handler of SIGABRT ends the process. On systems without signals the code is the system's.
//!
//! Not to be had: the code of a process that the system kills, for one that takes more memory than there is (SIGKILL, 137).

use crate::output::say;
use grind_runtime::session::ExitCode;
use std::{panic, process};

/// From here on, every end that is grind's own fault has its exit code.
pub(crate) fn install() {
    panic::set_hook(Box::new(|info| {
        // There is nowhere to report a failure to report.
        let _ = say::err(&format!(
            "grind: internal error: {info}\nThis is a defect of grind, not of the guest. Please report it with the module.\n"
        ));
        process::exit(ExitCode::Failure.code().into());
    }));
    #[cfg(unix)]
    {
        use signal_hook::{consts::SIGABRT, flag};
        use std::sync::Arc;
        use std::sync::atomic::AtomicBool;
        let always = Arc::new(AtomicBool::new(true));
        let code = ExitCode::Failure.code().into();
        // If it cannot be registered, an abort ends the process as it always did.
        let _ = flag::register_conditional_shutdown(SIGABRT, code, always);
    }
}
