//! Thread-locals: each thread has its own, and its destructor runs before a join returns.
//@ stdout: 6 3

use std::cell::{Cell, RefCell};
use std::sync::Mutex;
use std::thread;
use wasip1_threads_programs::Shared;

static LEFT: Mutex<Vec<u32>> = Mutex::new(Vec::new());
static MARKS: [Shared<bool>; 3] = [Shared::new(false), Shared::new(false), Shared::new(false)];

struct Farewell(usize);

impl Drop for Farewell {
    fn drop(&mut self) {
        // SAFETY: read only after the join.
        unsafe { *MARKS[self.0].get() = true };
        LEFT.lock().unwrap().push(self.0 as u32);
    }
}

thread_local! {
    static COUNT: Cell<u32> = const { Cell::new(0) };
    static LIST: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
    static FAREWELL: RefCell<Option<Farewell>> = const { RefCell::new(None) };
}

fn work(me: usize) -> u32 {
    FAREWELL.set(Some(Farewell(me)));
    for number in 0..3 {
        COUNT.set(COUNT.get() + number);
        LIST.with_borrow_mut(|list| list.push(number));
    }
    LIST.with_borrow(|list| assert_eq!(list.len(), 3));
    COUNT.get()
}

fn main() {
    let threads = [0, 1, 2].map(|me| thread::spawn(move || work(me)));
    let mut sum = COUNT.get();
    for (me, thread) in threads.into_iter().enumerate() {
        sum += thread.join().unwrap() - 1;
        // SAFETY: that thread is gone.
        assert!(unsafe { *MARKS[me].get() });
    }
    println!("{sum} {}", LEFT.lock().unwrap().len());
}
