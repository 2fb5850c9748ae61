//! What subjects are made of: threads, shared words, locks, and what says that the bug has shown.

use std::arch::{global_asm, wasm32};
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Exports a subject and its twin: `fn run<const FIXED: bool>()`, or `fn run<const FIXED: bool>(size: u32)` with the usual size.
macro_rules! subject {
    ($name:ident, $fixed:ident) => {
        #[unsafe(no_mangle)]
        extern "C" fn $name() {
            run::<false>();
        }
        #[unsafe(no_mangle)]
        extern "C" fn $fixed() {
            run::<true>();
        }
    };
    ($name:ident, $fixed:ident, $size:expr) => {
        #[unsafe(no_mangle)]
        extern "C" fn $name() {
            run::<false>($crate::guest::size($size));
        }
        #[unsafe(no_mangle)]
        extern "C" fn $fixed() {
            run::<true>($crate::guest::size($size));
        }
    };
}
pub(crate) use subject;

/// Words that threads share, with what they hold at first. `#[used]`, so that the compiler does not reason about what they can hold: it
/// would join or leave out accesses.
macro_rules! words {
    ($($name:ident = $value:expr),* $(,)?) => {
        $(#[used]
        static $name: $crate::guest::Word = $crate::guest::Word::new($value);)*
    };
}
pub(crate) use words;

/// An array of such words, all 0.
macro_rules! array {
    ($name:ident: $length:expr) => {
        #[used]
        static $name: [$crate::guest::Word; $length] =
            [const { $crate::guest::Word::new(0) }; $length];
    };
}
pub(crate) use array;

/// A word of shared memory. Every access is atomic, sequentially consistent and a scheduling point.
#[repr(transparent)]
pub(crate) struct Word(AtomicU32);

impl Word {
    pub(crate) const fn new(value: u32) -> Word {
        Word(AtomicU32::new(value))
    }

    #[inline(always)]
    pub(crate) fn get(&self) -> u32 {
        self.0.load(SeqCst)
    }

    #[inline(always)]
    pub(crate) fn set(&self, value: u32) {
        self.0.store(value, SeqCst);
    }

    /// Returns what was there before.
    #[inline(always)]
    pub(crate) fn add(&self, value: u32) -> u32 {
        self.0.fetch_add(value, SeqCst)
    }

    /// Returns what was there before.
    #[inline(always)]
    pub(crate) fn sub(&self, value: u32) -> u32 {
        self.0.fetch_sub(value, SeqCst)
    }

    /// Returns what was there before.
    #[inline(always)]
    pub(crate) fn swap(&self, value: u32) -> u32 {
        self.0.swap(value, SeqCst)
    }

    /// Whether it was `from`, and is `to` now.
    #[inline(always)]
    pub(crate) fn cas(&self, from: u32, to: u32) -> bool {
        self.0.compare_exchange(from, to, SeqCst, SeqCst).is_ok()
    }

    /// Blocks while it holds this value.
    pub(crate) fn wait_while(&self, value: u32) {
        while self.get() == value {
            // SAFETY: a word of shared memory, aligned to 4.
            unsafe { wasm32::memory_atomic_wait32(self.0.as_ptr().cast(), value as i32, -1) };
        }
    }

    /// Sets it, and wakes who waits for that.
    pub(crate) fn set_and_wake(&self, value: u32) {
        self.set(value);
        // SAFETY: a word of shared memory, aligned to 4.
        unsafe { wasm32::memory_atomic_notify(self.0.as_ptr().cast(), u32::MAX) };
    }
}

/// Traps if it does not hold: the bug has shown. Not `assert!`, whose message would be formatted and written, in hundreds of steps.
#[inline(always)]
pub(crate) fn check(holds: bool) {
    if !holds {
        failed();
    }
}

/// A call has a line where the instruction alone, of which the compiler makes one for all of a function, has none.
#[cold]
#[inline(never)]
fn failed() -> ! {
    wasm32::unreachable();
}

/// Nothing is poisoned, for a panic ends its thread.
#[inline(always)]
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[inline(always)]
pub(crate) fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// What a thread does. It is given its number, where several do the same.
pub(crate) type Body = fn(u32);

/// Runs a thread of each of these, created in this order, and returns when all have ended.
pub(crate) fn threads<const COUNT: usize>(bodies: [Body; COUNT]) {
    let threads = bodies.map(|body| spawn(body, 0));
    threads.into_iter().for_each(Thread::join);
}

/// Runs so many threads of the first body, and then those of the second, numbered from 0.
pub(crate) fn crowds((first, body): (u32, Body), (second, other): (u32, Body)) {
    let mut threads = [const { Thread(0) }; THREADS];
    let count = first + second;
    for number in 0..count {
        let body = if number < first { body } else { other };
        threads[number as usize] = spawn(body, number);
    }
    for thread in &threads[..count as usize] {
        Thread(thread.0).join();
    }
}

/// Runs so many threads of this body, numbered from 0.
pub(crate) fn crowd(count: u32, body: Body) {
    crowds((count, body), (0, body));
}

/// A thread that runs, or has ended.
pub(crate) struct Thread(u32);

impl Thread {
    /// Returns when it has ended. Whether it trapped is no matter: that is a finding.
    pub(crate) fn join(self) {
        // SAFETY: it takes a number.
        unsafe { thread_join(self.0) };
    }
}

/// Creates a thread. Only the main thread may.
pub(crate) fn spawn(body: Body, number: u32) -> Thread {
    let mut created = MaybeUninit::uninit();
    // SAFETY: only the main thread is here, and the record is nobody's before the thread is created.
    unsafe {
        let next = ROOMS.next.get();
        check((*next as usize) < THREADS && __subjects_tls_size() <= TLS);
        let room = ROOMS.rooms.get().cast::<Room>().add(*next as usize);
        *next += 1;
        (&raw mut (*room).stack_top).write((&raw mut (*room).stack_end).cast());
        (&raw mut (*room).tls_base).write((&raw mut (*room).tls).cast());
        (&raw mut (*room).body).write(Some(body));
        (&raw mut (*room).number).write(number);
        check(thread_create(created.as_mut_ptr(), room.cast()) == 0);
        Thread(created.assume_init())
    }
}

/// Lets others run.
pub(crate) fn yield_now() {
    // SAFETY: it takes nothing.
    unsafe { thread_yield() };
}

/// The first argument of the program, or this.
pub(crate) fn size(usual: u32) -> u32 {
    const ARGUMENTS: usize = 4;
    const BYTES: usize = 256;
    let (mut count, mut bytes) = (0, 0);
    let mut pointers = [ptr::null::<u8>(); ARGUMENTS];
    let mut buffer = MaybeUninit::<[u8; BYTES]>::uninit();
    // SAFETY: all of them are writable, and as long as the host says that they have to be.
    let mut digit = unsafe {
        check(args_sizes_get(&mut count, &mut bytes) == 0);
        check(count <= ARGUMENTS && bytes <= BYTES);
        if count < 2 {
            return usual;
        }
        check(args_get(pointers.as_mut_ptr(), buffer.as_mut_ptr().cast()) == 0);
        pointers[1]
    };
    let mut size = 0;
    loop {
        // SAFETY: arguments end with a zero.
        let byte = unsafe { digit.read() };
        if byte == 0 {
            return size;
        }
        check(byte.is_ascii_digit());
        size = size * 10 + u32::from(byte - b'0');
        // SAFETY: as above.
        digit = unsafe { digit.add(1) };
    }
}

/// Threads of a subject at most. All have a stack from the beginning.
const THREADS: usize = 128;
const STACK: usize = 2048;
/// Bytes of thread-local storage, of which subjects use none.
const TLS: usize = 64;

/// What a thread runs on. The first two words are read by `thread_start`.
#[repr(C, align(16))]
struct Room {
    stack_top: *mut u8,
    tls_base: *mut u8,
    body: Option<Body>,
    number: u32,
    tls: [u8; TLS],
    stack: [u8; STACK],
    stack_end: [u8; 0],
}

struct Rooms {
    next: UnsafeCell<u32>,
    rooms: UnsafeCell<MaybeUninit<[Room; THREADS]>>,
}

// SAFETY: only the main thread counts rooms and gives them out, and each thread has its own.
unsafe impl Sync for Rooms {}

static ROOMS: Rooms = Rooms {
    next: UnsafeCell::new(0),
    rooms: UnsafeCell::new(MaybeUninit::zeroed()),
};

#[link(wasm_import_module = "threadlink")]
unsafe extern "C" {
    fn thread_create(created: *mut u32, room: *mut u8) -> i32;
    fn thread_join(thread: u32) -> i32;
    fn thread_yield();
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn args_sizes_get(count: *mut usize, bytes: *mut usize) -> i32;
    fn args_get(pointers: *mut *const u8, bytes: *mut u8) -> i32;
}

unsafe extern "C" {
    safe fn __subjects_tls_size() -> usize;
}

// Not threadlink's threads: those allocate a stack, a packet for the result and a handle, and count references to them, which would
// be most of the steps of a subject.
global_asm!(
    "
    .globaltype __stack_pointer, i32
    .globaltype __tls_size, i32, immutable
    .functype __wasm_init_tls (i32) -> ()
    .functype {begin} (i32) -> ()

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
    call {begin}
    end_function

    .section .text.__subjects_tls_size,\"\",@
    .globl __subjects_tls_size
    .type __subjects_tls_size, @function
__subjects_tls_size:
    .functype __subjects_tls_size () -> (i32)
    global.get __tls_size
    end_function
    ",
    begin = sym begin,
);

/// The new thread, on its own stack.
unsafe extern "C" fn begin(room: *mut Room) {
    // SAFETY: it was written before the thread was created, and nobody writes to it any more.
    let (body, number) = unsafe { ((*room).body, (*room).number) };
    if let Some(body) = body {
        body(number);
    }
}
