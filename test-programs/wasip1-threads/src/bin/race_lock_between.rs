//! One thread writes a number before its section, another reads it after its own. The lock orders the two only if the
//! writer has it first; a trace of such a run still predicts the race.
//@ seeds: some

use std::hint::black_box;
use std::sync::Mutex;
use std::thread;
use wasip1_threads_programs::Shared;

static LOCK: Mutex<()> = Mutex::new(());
static NUMBER: Shared<u32> = Shared::new(0);

fn section() {
    drop(LOCK.lock().unwrap());
}

fn write() {
    // SAFETY: none, this is the bug.
    unsafe { *NUMBER.get() = 1 } //~ race(1)
    section();
}

fn read() {
    section();
    // SAFETY: none, this is the bug.
    black_box(unsafe { *NUMBER.get() }); //~ race(1)
}

fn main() {
    let threads = [write, read].map(|work| thread::spawn(work));
    for thread in threads {
        thread.join().unwrap();
    }
}
