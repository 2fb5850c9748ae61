//! `process::exit` in a thread ends the others.
//@ exit: 7
//@ stdout: leaving

use std::process;
use std::thread;

fn main() {
    let thread = thread::spawn(|| {
        println!("leaving");
        process::exit(7)
    });
    thread::park();
    let _ = thread.join();
}
