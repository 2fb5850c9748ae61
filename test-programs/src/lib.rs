//! What the guests share.

use std::cell::UnsafeCell;
use std::hint::black_box;

use threadlink::process;
use threadlink::thread::{self, JoinHandle};

/// Memory that threads may share without any rule: what races are made of.
///
/// Whether accesses through [`get`](Shared::get) are ordered is up to the guest, and getting it wrong
/// is what half of them are for.
pub struct Shared<T>(UnsafeCell<T>);

// SAFETY: none is promised, see above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    /// Memory that holds `value`.
    pub const fn new(value: T) -> Shared<T> {
        Shared(UnsafeCell::new(value))
    }

    /// Where the memory is.
    ///
    /// The compiler does not learn it: otherwise it might join accesses, leave out those nobody looks
    /// at, or shrink a variable that is only ever 0 or 1, and the accesses of the module would not be
    /// those of the source.
    #[inline(always)]
    pub fn get(&self) -> *mut T {
        black_box(self.0.get())
    }
}

/// The number that follows `name` among the guest's arguments.
pub fn option(name: &str, default: u32) -> u32 {
    let digits = process::args().skip_while(|arg| arg != name).nth(1);
    // Not `parse`, whose error would have to be printed: the modules are to be small.
    digits.map_or(default, |digits| {
        digits.bytes().fold(0, |number, digit| {
            assert!(digit.is_ascii_digit(), "not a number");
            number * 10 + u32::from(digit - b'0')
        })
    })
}

/// Spawns a thread with a name.
pub fn spawn_named<T: Send + 'static>(
    name: &str,
    f: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let builder = thread::Builder::new().name(name.to_owned());
    // Not `unwrap`, for the same reason.
    builder.spawn(f).ok().expect("cannot spawn")
}
