//! What the driver of a machine does, as data, so that it is recorded and done again.

use crate::model::ThreadId;
use serde::{Deserialize, Serialize};

/// Something that the driver of a [`Machine`](crate::machine::Machine) did. All but [`DriverAct::Abort`], [`DriverAct::Wake`] and those
/// that let time pass are acts of the main thread. New ones are added at the end, for traces have their numbers.
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
    /// Virtual time passes to a point before the next deadline, which wakes nobody.
    ElapseTo {
        /// Nanoseconds since the run began.
        until: u64,
    },
    /// It accesses memory atomically.
    Atomic {
        /// First byte, a multiple of the width.
        addr: u32,
        /// Bytes: 1, 2, 4 or 8.
        width: u8,
        /// What is done.
        op: DriverAtomic,
    },
    /// It lets threads go on that wait on this address, those first that have waited longest.
    Notify {
        /// A multiple of 4.
        addr: u32,
        /// How many at most.
        count: u32,
    },
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
    /// It puts another module in place, which extends the present one: threads have instances of that from then on.
    Extend {
        /// In the binary format.
        module: Vec<u8>,
    },
}

/// An atomic access of a driver. Values are bits, of which the width of the access counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DriverAtomic {
    /// It reads.
    Load,
    /// It writes.
    Store {
        /// What.
        value: u64,
    },
    /// It adds, and wraps around.
    Add {
        /// What.
        value: u64,
    },
    /// It replaces the value, if it is the expected one.
    CompareExchange {
        /// The expected one.
        expected: u64,
        /// By what.
        new: u64,
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
            DriverAct::Write { bytes, .. } | DriverAct::Extend { module: bytes } => bytes.len(),
            _ => 0,
        };
        size_of::<DriverAct>() + own
    }
}
