//! `Once`, `OnceLock` and `LazyLock`: one thread sets up, all see it.
//@ stdout: 1 60

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Once, OnceLock};
use std::thread;
use wasip1_threads_programs::Shared;

static ONCE: Once = Once::new();
static SET_UP: Shared<u32> = Shared::new(0);
static TEXT: OnceLock<String> = OnceLock::new();
static LIST: LazyLock<Vec<u32>> = LazyLock::new(|| vec![1, 2, 3]);
static SUM: AtomicU32 = AtomicU32::new(0);

fn work(me: u32) {
    // SAFETY: once.
    ONCE.call_once(|| unsafe { *SET_UP.get() += 1 });
    // SAFETY: only read after that.
    let set_up = unsafe { *SET_UP.get() };
    let text = TEXT.get_or_init(|| format!("{me}"));
    assert_eq!((set_up, text.len()), (1, 1));
    let sum: u32 = LIST.iter().sum();
    SUM.fetch_add(sum * 5, Ordering::Relaxed);
}

fn main() {
    let first = thread::spawn(|| work(0));
    let second = thread::spawn(|| work(1));
    first.join().unwrap();
    second.join().unwrap();
    assert!(ONCE.is_completed() && TEXT.get().is_some());
    // SAFETY: nobody else is there.
    println!(
        "{} {}",
        unsafe { *SET_UP.get() },
        SUM.load(Ordering::Relaxed)
    );
}
