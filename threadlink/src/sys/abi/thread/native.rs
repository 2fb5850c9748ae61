//! A thread as the host knows it: a number, and the memory it runs on.

use core::fmt;
use core::mem::{ManuallyDrop, MaybeUninit};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::imports;
use super::stack::{Block, Work};
use crate::abi::Errno;

/// Why a thread was not created.
///
/// Not yet an [`io::Error`], so that a guest that only calls `spawn`, and panics, need not carry the
/// formatting of those.
#[derive(Clone, Copy)]
pub(super) enum SpawnError {
    StackTooLarge,
    OutOfMemory,
    Host(Errno),
}

impl SpawnError {
    fn message(self) -> &'static str {
        match self {
            SpawnError::StackTooLarge => "the stack size is too large",
            SpawnError::OutOfMemory => "no memory for a stack",
            SpawnError::Host(errno) => errno.message(),
        }
    }

    #[cold]
    pub(super) fn panic(self) -> ! {
        panic!("failed to spawn thread: {}", self.message())
    }
}

impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> io::Error {
        let kind = match error {
            SpawnError::StackTooLarge => io::ErrorKind::InvalidInput,
            SpawnError::OutOfMemory => io::ErrorKind::OutOfMemory,
            SpawnError::Host(Errno::TooManyThreads) => io::ErrorKind::WouldBlock,
            SpawnError::Host(_) => io::ErrorKind::Other,
        };
        io::Error::new(kind, error)
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl fmt::Debug for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl core::error::Error for SpawnError {}

/// A thread that has not been joined. Dropping it detaches the thread.
#[derive(Debug)]
pub(super) struct Native {
    tid: u32,
    block: ManuallyDrop<Block>,
}

impl Native {
    /// Creates a thread that does `work`.
    ///
    /// # Errors
    ///
    /// When its memory cannot be had, or the host refuses.
    pub(super) fn create(stack_size: Option<usize>, work: Work) -> Result<Native, SpawnError> {
        reap();
        let block = Block::new(stack_size, work)?;
        let mut tid = MaybeUninit::uninit();
        // SAFETY: `tid` is writable, and the block is freed only after the thread has ended.
        let code =
            unsafe { imports::thread_create(tid.as_mut_ptr(), block.start().expose_provenance()) };
        if code != Errno::Ok.code() {
            // SAFETY: the host did not create a thread.
            unsafe { block.discard() };
            return Err(SpawnError::Host(
                Errno::from_code(code).unwrap_or(Errno::RuntimeFailure),
            ));
        }
        Ok(Native {
            // SAFETY: the host wrote it, for it reported success.
            tid: unsafe { tid.assume_init() },
            block: ManuallyDrop::new(block),
        })
    }

    pub(super) fn tid(&self) -> u32 {
        self.tid
    }

    /// Whether the thread has left its last frame, or trapped.
    pub(super) fn is_finished(&self) -> bool {
        is_finished(self.tid)
    }

    /// Waits for the thread's end. Returns whether it came to its end, instead of trapping.
    ///
    /// # Panics
    ///
    /// If a thread joins itself.
    pub(super) fn join(self) -> bool {
        let mut this = ManuallyDrop::new(self);
        let code = imports::thread_join(this.tid);
        let completed = match Errno::from_code(code) {
            Some(Errno::Ok) => true,
            Some(Errno::JoinFailed) => false,
            Some(errno) => panic!("failed to join thread: {errno}"),
            None => panic!("failed to join thread: unknown error {code}"),
        };
        // SAFETY: `this` is never used again.
        let block = unsafe { ManuallyDrop::take(&mut this.block) };
        // SAFETY: the host says that the thread has ended.
        unsafe { block.free() };
        completed
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // It fails for a thread the host does not know, and there is nothing to detach then.
        let _ = imports::thread_detach(self.tid);
        // SAFETY: `self` is never used again.
        let block = unsafe { ManuallyDrop::take(&mut self.block) };
        retire(self.tid, block);
    }
}

pub(super) fn is_finished(tid: u32) -> bool {
    let mut finished = 0;
    // SAFETY: the pointer is to a writable word.
    let code = unsafe { imports::thread_is_finished(tid, &mut finished) };
    code == Errno::Ok.code() && finished != 0
}

/// Detached threads whose memory is still to be freed.
static RETIRED: Mutex<Vec<(u32, Block)>> = Mutex::new(Vec::new());

/// How many are in [`RETIRED`]. A spawner that sees none leaves the lock alone: the lock would
/// otherwise order all threads that spawn, and hide races between them from a detector.
static RETIRED_COUNT: AtomicUsize = AtomicUsize::new(0);

/// Leaves the block of a detached thread to a later [`reap`].
#[inline(never)]
fn retire(tid: u32, block: Block) {
    let mut retired = RETIRED.lock().unwrap_or_else(PoisonError::into_inner);
    retired.push((tid, block));
    RETIRED_COUNT.store(retired.len(), Ordering::Relaxed);
}

/// Frees the blocks of those detached threads that have ended.
#[inline(never)]
fn reap() {
    if RETIRED_COUNT.load(Ordering::Relaxed) == 0 {
        return;
    }
    let mut retired = RETIRED.lock().unwrap_or_else(PoisonError::into_inner);
    for (_, block) in retired.extract_if(.., |(tid, _)| is_finished(*tid)) {
        // SAFETY: the host says that the thread has ended.
        unsafe { block.free() };
    }
    RETIRED_COUNT.store(retired.len(), Ordering::Relaxed);
}
