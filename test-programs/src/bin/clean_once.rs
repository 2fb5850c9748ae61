//! Whoever comes first initialises, and all others wait for it.
//@ stdout: 84

use test_programs::Shared;
use threadlink::sync::TracingOnce;
use threadlink::thread;

static START: TracingOnce = TracingOnce::new();
static ANSWER: Shared<u32> = Shared::new(0);

fn answer() -> u32 {
    START.call_once(|| {
        thread::yield_now();
        // SAFETY: nobody looks before this has ended.
        unsafe { *ANSWER.get() += 42 }
    });
    // SAFETY: nobody writes any more.
    unsafe { *ANSWER.get() }
}

fn main() {
    let threads = [thread::spawn(answer), thread::spawn(answer)];
    let sum: u32 = threads.map(|thread| thread.join().unwrap()).iter().sum();
    threadlink::println!("{sum}");
}

threadlink::main!(main);
