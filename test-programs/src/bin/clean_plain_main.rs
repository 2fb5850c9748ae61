//! A `main` without `threadlink::main!`: the module has no `_start`, and the host calls the export
//! `main` that rustc makes.
//@ stdout: 7

use threadlink::thread;

fn main() {
    let thread = thread::spawn(|| 7);
    threadlink::println!("{}", thread.join().unwrap());
}
