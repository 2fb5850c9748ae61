//! The contract between a guest and its thread host: names, error codes and nothing else.
//!
//! `grind-runtime` builds its import table from this file, so the two sides cannot drift.
//! `docs/abi.md` is the prose form.

/// Import module of the threadlink ABI.
pub const MODULE: &str = "threadlink";

/// Import module of guests built for Wasmgrind, which share the lock hooks and the thread calls.
pub const WASMGRIND_MODULE: &str = "wasm_threadlink";

/// Export that a new thread is started with: `thread_start(start: usize)`.
pub const THREAD_START: &str = "thread_start";

/// What an ABI call returns: [`Errno::Ok`] or why it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum Errno {
    /// Success.
    Ok = 0,
    /// No thread has this id, or it was already joined or detached.
    ThreadNotFound = 1,
    /// The joined thread trapped; its result does not exist.
    JoinFailed = 2,
    /// The host could not carry out the call for a reason of its own.
    RuntimeFailure = 3,
    /// A pointer argument does not lie within the guest's memory.
    MemoryOutOfBounds = 4,
    /// A thread cannot join itself.
    JoinSelf = 5,
    /// The limit on threads is reached.
    TooManyThreads = 6,
    /// An argument has no meaning for the call.
    InvalidArgument = 7,
}

impl Errno {
    /// Every code, in the order of its number.
    pub const ALL: [Errno; 8] = [
        Errno::Ok,
        Errno::ThreadNotFound,
        Errno::JoinFailed,
        Errno::RuntimeFailure,
        Errno::MemoryOutOfBounds,
        Errno::JoinSelf,
        Errno::TooManyThreads,
        Errno::InvalidArgument,
    ];

    /// The number that crosses the ABI.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The error with this number, if there is one.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Errno> {
        Errno::ALL.into_iter().find(|errno| errno.code() == code)
    }

    /// What it means, for a person.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Errno::Ok => "success",
            Errno::ThreadNotFound => "no such thread, or it was already joined or detached",
            Errno::JoinFailed => "the joined thread trapped",
            Errno::RuntimeFailure => "the thread host failed",
            Errno::MemoryOutOfBounds => "a pointer argument is outside the guest's memory",
            Errno::JoinSelf => "a thread cannot join itself",
            Errno::TooManyThreads => "the limit on threads is reached",
            Errno::InvalidArgument => "invalid argument",
        }
    }
}

impl core::fmt::Display for Errno {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for Errno {}

/// Type of an ABI parameter or result on wasm32 (`usize` and pointers are [`Ty::I32`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ty {
    /// 32-bit integer, or pointer.
    I32,
    /// 64-bit integer.
    I64,
}

/// One function a host provides to its guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Function {
    /// Name within [`MODULE`].
    pub name: &'static str,
    /// Parameter types.
    pub params: &'static [Ty],
    /// Result type, if any.
    pub result: Option<Ty>,
}

const fn function(name: &'static str, params: &'static [Ty], result: Option<Ty>) -> Function {
    Function {
        name,
        params,
        result,
    }
}

use Ty::{I32, I64};

/// Thread calls. Those that return [`Ty::I32`] return an [`Errno`] unless said otherwise.
pub const THREAD_FUNCTIONS: &[Function] = &[
    // (tid_out: *mut u32, start: usize)
    function("thread_create", &[I32, I32], Some(I32)),
    // (tid: u32); blocks until the thread has ended
    function("thread_join", &[I32], Some(I32)),
    // (tid: u32); the thread will not be joined
    function("thread_detach", &[I32], Some(I32)),
    // (tid: u32, finished_out: *mut u32); writes 1 once the thread has left its last frame
    function("thread_is_finished", &[I32, I32], Some(I32)),
    // () -> tid of the caller
    function("thread_current", &[], Some(I32)),
    function("thread_yield", &[], None),
    // (nanoseconds: u64)
    function("thread_sleep", &[I64], None),
    // (tid: u32, name: *const u8, len: usize)
    function("thread_set_name", &[I32, I32, I32], Some(I32)),
    // () -> how many threads can make progress at once, at least 1
    function("available_parallelism", &[], Some(I32)),
    // (errno: i32) -> !; ends the run
    function("panic", &[I32], None),
];

/// Lock hooks, imported with feature `tracing`. A `lock` is the address of the lock.
///
/// The order is the order of truth: a `start_…_unlock` comes before the real release, a
/// `finish_…_lock` after the real acquisition.
pub const HOOK_FUNCTIONS: &[Function] = &[
    // Exclusive.
    function("start_lock", &[I32], None),
    function("finish_lock", &[I32], None),
    function("start_unlock", &[I32], None),
    function("finish_unlock", &[I32], None),
    // Shared.
    function("start_read_lock", &[I32], None),
    function("finish_read_lock", &[I32], None),
    function("start_read_unlock", &[I32], None),
    function("finish_read_unlock", &[I32], None),
    // May fail at once, or at a deadline: (lock, acquired: 0 or 1).
    function("start_try_lock", &[I32], None),
    function("finish_try_lock", &[I32, I32], None),
    function("start_try_read_lock", &[I32], None),
    function("finish_try_read_lock", &[I32, I32], None),
    // Condition variable: (condvar, lock), (condvar, lock, timed_out: 0 or 1), (condvar, all: 0 or 1).
    // `start_wait` stands for the release of the lock, `finish_wait` for its re-acquisition.
    function("start_wait", &[I32, I32], None),
    function("finish_wait", &[I32, I32, I32], None),
    function("start_notify", &[I32, I32], None),
    function("finish_notify", &[I32, I32], None),
    // Once: `enter`/`leave` surround the closure in the one thread that runs it.
    function("start_once", &[I32], None),
    function("enter_once", &[I32], None),
    function("leave_once", &[I32], None),
    function("finish_once", &[I32], None),
    // Barrier: (barrier).
    function("start_barrier", &[I32], None),
    function("finish_barrier", &[I32], None),
];

/// Annotations, imported with feature `tracing`.
pub const ANNOTATE_FUNCTIONS: &[Function] = &[
    // (address)
    function("annotate_happens_before", &[I32], None),
    function("annotate_happens_after", &[I32], None),
    // Accesses of the calling thread in between are not checked; nests.
    function("annotate_ignore_begin", &[], None),
    function("annotate_ignore_end", &[], None),
    // (address, length)
    function("annotate_benign_race", &[I32, I32], None),
    // (name: *const u8, len)
    function("annotate_thread_name", &[I32, I32], None),
    // (lock, name: *const u8, len)
    function("annotate_lock_name", &[I32, I32, I32], None),
];

/// Export by which a host goes on with the tasks of a module that has returned to it: `threadlink_poll() -> i32`,
/// which returns a [`Polled`].
pub const POLL: &str = "threadlink_poll";

/// What comes before the name of an asynchronous function of the host, where it is imported to begin a call and not to wait for
/// it: it has one more parameter, the last, the call's number (`i32`), and returns nothing.
pub const ASYNC: &str = "[async]";

/// Import of [`MODULE`] by which a thread takes what came of one of its calls: `completed_call(*mut CompletedCall) -> i32`, 0 if nothing has
/// come of any that is left.
pub const COMPLETED_CALL: &str = "completed_call";

/// Import of [`MODULE`] by which a guest tells the host what an asynchronous function of its own came to: `resolve_call(call: i32, bits:
/// i64)`. The host gave it the number as the last argument.
pub const RESOLVE_CALL: &str = "resolve_call";

/// Import of [`MODULE`] by which a thread gives up one of its calls that it has not taken: `cancel_call(call: i32)`. Nothing comes of it then.
pub const CANCEL_CALL: &str = "cancel_call";

/// What came of a call of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct CompletedCall {
    /// The call's number, which the guest gave.
    pub call: u32,
    /// 0, or 1 more than the length of the message, if it failed.
    pub failed: u32,
    /// The result as bits, 0 if there is none.
    pub bits: u64,
    /// Why it failed, in UTF-8, cut at the end of the array.
    pub why: [u8; CompletedCall::MESSAGE],
}

impl CompletedCall {
    /// Bytes of a message at most.
    pub const MESSAGE: usize = 112;

    /// Bytes of all.
    pub const SIZE: usize = 16 + CompletedCall::MESSAGE;

    /// Nothing that came of any.
    #[must_use]
    pub const fn new() -> CompletedCall {
        CompletedCall {
            call: 0,
            failed: 0,
            bits: 0,
            why: [0; CompletedCall::MESSAGE],
        }
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn message(&self) -> Option<&[u8]> {
        let len = self.failed.checked_sub(1)? as usize;
        Some(&self.why[..len.min(CompletedCall::MESSAGE)])
    }

    /// As it is in memory, so that a host need not know how that is laid out.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; CompletedCall::SIZE] {
        let mut bytes = [0; CompletedCall::SIZE];
        bytes[..4].copy_from_slice(&self.call.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.failed.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.bits.to_le_bytes());
        bytes[16..].copy_from_slice(&self.why);
        bytes
    }
}

impl Default for CompletedCall {
    fn default() -> Self {
        CompletedCall::new()
    }
}

/// What [`POLL`] returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
#[non_exhaustive]
pub enum Polled {
    /// No task is left.
    Done = 0,
    /// All tasks that are left are blocked. Nothing is gained by another call before something has happened.
    Blocked = 1,
    /// The host called from within the call of a task. Nothing has happened.
    Refused = 2,
}

impl Polled {
    /// Every code, in the order of its number.
    pub const ALL: [Polled; 3] = [Polled::Done, Polled::Blocked, Polled::Refused];

    /// The number that crosses the ABI.
    #[must_use]
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// What this number means, if it means anything.
    #[must_use]
    pub fn from_code(code: i32) -> Option<Polled> {
        Polled::ALL.into_iter().find(|polled| polled.code() == code)
    }
}
