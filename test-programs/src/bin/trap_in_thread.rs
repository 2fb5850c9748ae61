//! A thread panics, which is a trap. Its joiner learns of it and goes on.
//@ stdout: failed: the joined thread trapped
//@ stdout: main goes on

use test_programs::spawn_named;

fn main() {
    let worker = spawn_named("worker", || {
        panic!("out of paper"); //~ trap
    });
    match worker.join() {
        Ok(()) => threadlink::println!("fine"),
        Err(payload) => {
            let why = payload.downcast_ref::<&str>().copied().unwrap_or("?");
            threadlink::println!("failed: {why}");
        }
    }
    threadlink::println!("main goes on");
}

threadlink::main!(main);
