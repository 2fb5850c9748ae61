//! What the driver of a machine does, as data, so that it is recorded and done again.

use crate::model::ThreadId;
use serde::{Deserialize, Serialize};

/// Something that the driver of a [`Machine`](crate::machine::Machine) did. All but [`DriverAct::Abort`] and [`DriverAct::Wake`] are
/// acts of the main thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DriverAct {
    /// A thread that calls these exported functions, the last with these arguments.
    Spawn {
        /// Functions.
        exports: Vec<String>,
        /// Arguments of the last, one for each parameter.
        args: Vec<u64>,
    },
    /// It takes note of a thread's end.
    Join {
        /// Which has ended.
        thread: ThreadId,
    },
    /// Threads that wait for this key go on, those first that have waited longest.
    Wake {
        /// The embedder's own number.
        key: u64,
        /// How many at most.
        count: u32,
    },
    /// A thread ends where it is.
    Abort {
        /// Which.
        thread: ThreadId,
    },
    /// It reads memory.
    Read {
        /// First byte.
        addr: u32,
        /// Number of bytes.
        len: u32,
    },
    /// It writes memory.
    Write {
        /// First byte.
        addr: u32,
        /// What.
        bytes: Vec<u8>,
    },
    /// Virtual time passes until the next deadline.
    Elapse,
    /// It does nothing any more: the main thread returns.
    End,
    /// A thread that calls nothing by itself, but what the driver asks it to.
    Open,
    /// Such a thread calls this exported function with these arguments.
    Call {
        /// Which.
        thread: ThreadId,
        /// Function.
        export: String,
        /// Its arguments, one for each parameter.
        args: Vec<u64>,
    },
    /// It takes note that such a call has returned.
    Returned {
        /// Of which thread.
        thread: ThreadId,
    },
    /// Such a thread, which is in no call, ends.
    Close {
        /// Which.
        thread: ThreadId,
    },
}

impl DriverAct {
    /// Bytes that keeping it costs, about.
    pub(crate) fn cost(&self) -> usize {
        let own = match self {
            DriverAct::Spawn { exports, args } => {
                exports.iter().map(String::len).sum::<usize>() + size_of_val(args.as_slice())
            }
            DriverAct::Call { export, args, .. } => export.len() + size_of_val(args.as_slice()),
            DriverAct::Write { bytes, .. } => bytes.len(),
            _ => 0,
        };
        size_of::<DriverAct>() + own
    }
}
