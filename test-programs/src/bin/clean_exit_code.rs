//! Ends the run with a code of its own, while another thread is at work.
//@ exit: 3
//@ stdout: leaving

use threadlink::{process, thread};

fn main() {
    drop(thread::spawn(|| {
        loop {
            thread::yield_now();
        }
    }));
    threadlink::println!("leaving");
    process::exit(3);
}

threadlink::main!(main);
