//! One thread writes a word, another a byte within it.

use test_programs::Shared;
use threadlink::thread;

static WORD: Shared<u32> = Shared::new(0);

fn write_word() {
    // SAFETY: none, this is the bug.
    unsafe { *WORD.get() = 0x0102_0304 } //~ race(1)
}

fn write_byte() {
    // SAFETY: the address is within the word; none otherwise, this is the bug.
    unsafe { *WORD.get().cast::<u8>().add(2) = 0xff } //~ race(1)
}

fn main() {
    let threads = [thread::spawn(write_word), thread::spawn(write_byte)];
    for thread in threads {
        thread.join().unwrap();
    }
}

threadlink::main!(main);
