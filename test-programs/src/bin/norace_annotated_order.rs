//! The flag that hands the message over is plain, and nobody is to look at it; annotations say what
//! it stands for.
//@ stdout: 42

use test_programs::Shared;
use threadlink::{annotate, thread};

static MESSAGE: Shared<u32> = Shared::new(0);
static READY: Shared<bool> = Shared::new(false);

fn publish() {
    // SAFETY: nobody looks before READY.
    unsafe { *MESSAGE.get() = 42 }
    annotate::happens_before(&READY);
    let _ignore = annotate::ignore();
    // SAFETY: a byte is written at once, and on the machine that this is for, in order.
    unsafe { READY.get().write_volatile(true) }
}

fn is_ready() -> bool {
    let _ignore = annotate::ignore();
    // SAFETY: as above.
    unsafe { READY.get().read_volatile() }
}

fn consume() {
    while !is_ready() {
        thread::yield_now();
    }
    annotate::happens_after(&READY);
    // SAFETY: nobody writes after READY.
    threadlink::println!("{}", unsafe { *MESSAGE.get() });
}

fn main() {
    let threads = [thread::spawn(publish), thread::spawn(consume)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
