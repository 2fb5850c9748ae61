//! The thread calls of the ABI; [`crate::abi::THREAD_FUNCTIONS`] is the table of them.

#[link(wasm_import_module = "threadlink")]
unsafe extern "C" {
    /// `tid_out` must be writable. The new thread runs `thread_start(start)`.
    pub(super) fn thread_create(tid_out: *mut u32, start: usize) -> i32;
    pub(super) safe fn thread_join(tid: u32) -> i32;
    pub(super) safe fn thread_detach(tid: u32) -> i32;
    /// `finished_out` must be writable.
    pub(super) fn thread_is_finished(tid: u32, finished_out: *mut u32) -> i32;
    pub(super) safe fn thread_current() -> u32;
    pub(super) safe fn thread_yield();
    pub(super) safe fn thread_sleep(nanoseconds: u64);
    /// `name` must point to `len` bytes.
    pub(super) fn thread_set_name(tid: u32, name: *const u8, len: usize) -> i32;
    pub(super) safe fn available_parallelism() -> u32;
    pub(super) safe fn panic(errno: i32) -> !;
}
