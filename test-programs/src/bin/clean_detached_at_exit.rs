//! The run ends when main does, whatever a detached thread is waiting for.
//@ stdout: bye

use threadlink::thread;

fn main() {
    drop(thread::spawn(|| {
        loop {
            thread::park();
        }
    }));
    threadlink::println!("bye");
}

threadlink::main!(main);
