//! The twin of race_mixed_width: a half-word and a byte of one word that do not overlap.
//@ stdout: 00ff0304

use test_programs::Shared;
use threadlink::thread;

static WORD: Shared<u32> = Shared::new(0);

fn write_half() {
    // SAFETY: the address is within the word, and nobody else touches the lower half.
    unsafe { *WORD.get().cast::<u16>() = 0x0304 }
}

fn write_byte() {
    // SAFETY: the address is within the word, and nobody else touches the third byte.
    unsafe { *WORD.get().cast::<u8>().add(2) = 0xff }
}

fn main() {
    let threads = [thread::spawn(write_half), thread::spawn(write_byte)];
    for thread in threads {
        thread.join().unwrap();
    }
    // SAFETY: the others have ended.
    threadlink::println!("{:08x}", unsafe { *WORD.get() });
}

threadlink::main!(main);
