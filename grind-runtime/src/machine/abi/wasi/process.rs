//! The end of the process, signals to it, and giving way.

use super::{Errno, HostFn, quiet, reply};
use crate::machine::ops::Reply;

pub(super) const FUNCTIONS: &[HostFn] = &[
    quiet("proc_exit", |_, a| Reply::Exit(a[0] as u32 as i32)),
    quiet("proc_raise", |_, a| raise(a[0])),
    quiet("sched_yield", |_, _| Reply::Yield(0)),
];

/// What POSIX does by default: most signals end the process, a few are nothing, and who stops cannot be
/// continued by anyone.
fn raise(signal: u64) -> Reply {
    match signal {
        // none, chld, cont, urg, winch
        0 | 16 | 17 | 22 | 27 => Reply::Value(0),
        // stop, tstp, ttin, ttou
        18..=21 => reply(Err(Errno::Notsup)),
        // As a shell shows it.
        1..=30 => Reply::Exit(128 + signal as i32),
        _ => reply(Err(Errno::Inval)),
    }
}
