//! The memory a new thread runs on, and the instructions that put it there.
//!
//! A thread is a fresh instance of the module, so its `__stack_pointer` and `__tls_base` globals hold
//! what the first thread's held at the start: no Rust code may run before they are set. The spawner
//! therefore allocates one block for the thread:
//!
//! ```text
//! base                        record                tls
//! | stack, grows downwards   | Record             | thread-local storage |
//! ```
//!
//! and `thread_start`, which the host calls with the address of the record, is written in assembly:
//! it loads the two addresses at the start of the record, and only then calls Rust.

use core::alloc::Layout;
use core::arch::global_asm;
use core::ptr::NonNull;
use std::alloc;
use std::sync::Arc;

use super::handle::{self, Inner};
use super::native::SpawnError;

/// What the psABI of wasm asks of a stack pointer.
const STACK_ALIGN: usize = 16;

/// What musl, and with it wasi-libc, gives a thread.
const DEFAULT_STACK: usize = 128 * 1024;

/// Enough for the entry itself, so that a guest that asks for nothing still starts.
const MIN_STACK: usize = 4 * 1024;

/// What the spawner leaves for the new thread. The first two words are read by `thread_start`.
#[repr(C, align(16))]
pub(super) struct Record {
    stack_top: usize,
    tls_base: usize,
    /// Taken by the new thread.
    work: Option<Work>,
    /// Written by the new thread as its last act: it will not touch the block again, and nothing
    /// on its stack is borrowed any more.
    completed: bool,
}

/// What the new thread is to do, and who it is.
pub(super) struct Work {
    pub(super) main: Box<dyn FnOnce() + Send>,
    pub(super) inner: Arc<Inner>,
}

global_asm!(
    "
    .globaltype __stack_pointer, i32
    .globaltype __tls_size, i32, immutable
    .globaltype __tls_align, i32, immutable
    .functype __wasm_init_tls (i32) -> ()
    .functype {run} (i32) -> ()

    .section .text.thread_start,\"\",@
    .globl thread_start
    .export_name thread_start, thread_start
    .type thread_start, @function
thread_start:
    .functype thread_start (i32) -> ()
    local.get 0
    i32.load 0
    global.set __stack_pointer
    local.get 0
    i32.load 4
    call __wasm_init_tls
    local.get 0
    call {run}
    end_function

    .section .text.__threadlink_tls_size,\"\",@
    .globl __threadlink_tls_size
    .type __threadlink_tls_size, @function
__threadlink_tls_size:
    .functype __threadlink_tls_size () -> (i32)
    global.get __tls_size
    end_function

    .section .text.__threadlink_tls_align,\"\",@
    .globl __threadlink_tls_align
    .type __threadlink_tls_align, @function
__threadlink_tls_align:
    .functype __threadlink_tls_align () -> (i32)
    global.get __tls_align
    end_function
    ",
    run = sym run,
);

// The linker keeps the assembly above because these two are called.
unsafe extern "C" {
    safe fn __threadlink_tls_size() -> usize;
    safe fn __threadlink_tls_align() -> usize;
}

/// The new thread, on its own stack.
///
/// # Safety
///
/// `record` is that of a [`Block`] made for this thread, which nobody frees before it has ended.
unsafe extern "C" fn run(record: *mut Record) {
    // SAFETY: the spawner wrote the record before the thread was created, and has not kept a reference.
    let work = unsafe { (*record).work.take() };
    if let Some(Work { main, inner }) = work {
        handle::enter(inner);
        main();
        handle::leave();
    }
    // SAFETY: as above; whoever reads this waits for the thread's end first.
    unsafe { (*record).completed = true };
}

/// The stack, record and thread-local storage of one thread.
///
/// Has no destructor: only who knows that the thread has ended may free it.
#[derive(Debug)]
pub(super) struct Block {
    base: NonNull<u8>,
    layout: Layout,
    record: NonNull<Record>,
}

// SAFETY: a block is memory, with no tie to the thread that allocated it.
unsafe impl Send for Block {}
// SAFETY: a shared reference to a block gives access to nothing but addresses.
unsafe impl Sync for Block {}

impl Block {
    /// Allocates the block of a thread that will do `work`, with at least `stack_size` bytes of stack.
    ///
    /// # Errors
    ///
    /// When the memory cannot be had.
    pub(super) fn new(stack_size: Option<usize>, work: Work) -> Result<Block, SpawnError> {
        let stack_size = stack_size.unwrap_or(DEFAULT_STACK).max(MIN_STACK);
        let (layout, record_at, tls_at) =
            Block::layout(stack_size).ok_or(SpawnError::StackTooLarge)?;
        // SAFETY: the layout has a size above zero, that of the record.
        let base = NonNull::new(unsafe { alloc::alloc(layout) }).ok_or(SpawnError::OutOfMemory)?;
        // SAFETY: both offsets are within the layout.
        let (record, tls_base) = unsafe {
            (
                base.add(record_at).cast::<Record>(),
                base.add(tls_at).addr().get(),
            )
        };
        // SAFETY: the layout has room for a record there, at its alignment.
        unsafe {
            record.write(Record {
                stack_top: record.addr().get(),
                tls_base,
                work: Some(work),
                completed: false,
            });
        }
        Ok(Block {
            base,
            layout,
            record,
        })
    }

    /// The layout of the whole, and the offsets of the record (also the top of the stack) and of the
    /// thread-local storage.
    fn layout(stack_size: usize) -> Option<(Layout, usize, usize)> {
        let stack = Layout::from_size_align(stack_size, STACK_ALIGN).ok()?;
        let (layout, record_at) = stack.extend(Layout::new::<Record>()).ok()?;
        let tls = Layout::from_size_align(__threadlink_tls_size(), __threadlink_tls_align().max(1));
        let (layout, tls_at) = layout.extend(tls.ok()?).ok()?;
        Some((layout, record_at, tls_at))
    }

    /// The argument of `thread_start`.
    pub(super) fn start(&self) -> *mut Record {
        self.record.as_ptr()
    }

    /// Frees the block of a thread that was never created.
    ///
    /// # Safety
    ///
    /// No thread runs on the block.
    pub(super) unsafe fn discard(self) {
        // SAFETY: the record was written by `new`, and no thread has taken anything from it.
        unsafe { self.record.drop_in_place() };
        // SAFETY: allocated by `new` with this layout.
        unsafe { alloc::dealloc(self.base.as_ptr(), self.layout) };
    }

    /// Frees the block of a thread that has ended, unless it trapped: then threads of a
    /// [`scope`](super::scope) it was in may go on borrowing from its stack.
    ///
    /// # Safety
    ///
    /// The thread has ended, and its end happens before this call.
    pub(super) unsafe fn free(self) {
        // SAFETY: the thread was the only one with access, and has ended.
        if unsafe { self.record.as_ref().completed } {
            // SAFETY: allocated by `new` with this layout. The thread has taken the work, so that the
            // record has nothing left to drop.
            unsafe { alloc::dealloc(self.base.as_ptr(), self.layout) };
        }
    }
}
