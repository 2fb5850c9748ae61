//! Four threads write one byte of a word each.
//@ stdout: 04030201

use test_programs::Shared;
use threadlink::thread;

static WORD: Shared<u32> = Shared::new(0);

fn write(at: u8) {
    for _ in 0..3 {
        // SAFETY: the address is within the word, and nobody else touches this byte.
        unsafe { *WORD.get().cast::<u8>().add(at.into()) = at + 1 }
    }
}

fn main() {
    let threads = [0, 1, 2, 3].map(|at| thread::spawn(move || write(at)));
    for thread in threads {
        thread.join().unwrap();
    }
    // SAFETY: the others have ended.
    threadlink::println!("{:08x}", unsafe { *WORD.get() });
}

threadlink::main!(main);
