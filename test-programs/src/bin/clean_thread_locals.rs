//! Every thread has its own of a thread-local, with and without a destructor.
//@ stdout: 3 3 0

use std::cell::{Cell, RefCell};

use threadlink::thread;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static LOG: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

fn work() -> usize {
    for _ in 0..3 {
        COUNT.set(COUNT.get() + 1);
        LOG.with_borrow_mut(|log| log.push(COUNT.get()));
    }
    LOG.with_borrow(|log| assert_eq!(*log, [1, 2, 3]));
    COUNT.get()
}

fn main() {
    let threads = [thread::spawn(work), thread::spawn(work)];
    let [a, b] = threads.map(|thread| thread.join().unwrap());
    threadlink::println!("{a} {b} {}", COUNT.get());
}

threadlink::main!(main);
