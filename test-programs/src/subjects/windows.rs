//! Bugs of SCTBench that show while a thread is between two steps that belong together.

/// CS/bluetooth_driver of SCTBench (first in Qadeer and Wu, PLDI 2004): a driver counts requests in flight, and is stopped when there are none.
///
/// **Fails**: an assertion that it is not stopped while a request is carried out, for a request looks whether it stops before it counts
/// itself. **Preemptions**: 1. **Twin**: counts first.
mod bluetooth_driver {
    use crate::guest::{check, subject, threads, words};

    // The driver itself is counted.
    words!(PENDING = 1, STOPPING = 0, IDLE = 0, STOPPED = 0);

    fn begin<const FIXED: bool>() -> bool {
        if FIXED {
            PENDING.add(1);
        }
        if STOPPING.get() == 1 {
            if FIXED {
                end();
            }
            return false;
        }
        if !FIXED {
            PENDING.add(1);
        }
        true
    }

    fn end() {
        if PENDING.sub(1) == 1 {
            IDLE.set(1);
        }
    }

    fn request<const FIXED: bool>(_: u32) {
        if begin::<FIXED>() {
            check(STOPPED.get() == 0);
            end();
        }
    }

    fn stop(_: u32) {
        STOPPING.set(1);
        end();
        if IDLE.get() == 1 {
            STOPPED.set(1);
        }
    }

    fn run<const FIXED: bool>() {
        threads([request::<FIXED>, stop]);
    }
    subject!(bluetooth_driver, bluetooth_driver_fixed);
}

/// CS/reorder_n of SCTBench: all but one of `n` threads set two words, one after the other, and the last looks at both.
///
/// **Fails**: an assertion that both or none are set; the first has to be set by one thread, and the second by none. **Preemptions**: 1,
/// for every `n`. **Twin**: both are set, and looked at, under a lock.
mod reorder {
    use crate::guest::{check, crowds, lock, subject, words};
    use std::sync::Mutex;

    words!(A = 0, B = 0);
    static LOCK: Mutex<()> = Mutex::new(());

    fn set<const FIXED: bool>(_: u32) {
        let _guard = FIXED.then(|| lock(&LOCK));
        A.set(1);
        B.set(2);
    }

    fn look<const FIXED: bool>(_: u32) {
        let _guard = FIXED.then(|| lock(&LOCK));
        check((A.get() == 0 && B.get() == 0) || (A.get() == 1 && B.get() == 2));
    }

    fn run<const FIXED: bool>(threads: u32) {
        crowds((threads - 1, set::<FIXED>), (1, look::<FIXED>));
    }
    subject!(reorder, reorder_fixed, 3);
}

/// CS/twostage_n of SCTBench: all but one of `n` threads set a word under one lock and then, under another, a second word to one more. The last reads
/// both in the same way.
///
/// **Fails**: an assertion that the second is one more than the first, where that is set and the second is not. **Preemptions**: 1, for
/// every `n`. **Twin**: keeps the first lock while it takes the second.
mod twostage {
    use crate::guest::{check, crowds, lock, subject, words};
    use std::sync::Mutex;

    words!(A = 0, B = 0);
    static LOCK_A: Mutex<()> = Mutex::new(());
    static LOCK_B: Mutex<()> = Mutex::new(());

    fn set<const FIXED: bool>(_: u32) {
        let mut first = Some(lock(&LOCK_A));
        A.set(1);
        if !FIXED {
            first = None;
        }
        {
            let _second = lock(&LOCK_B);
            B.set(A.get() + 1);
        }
        drop(first);
    }

    fn look<const FIXED: bool>(_: u32) {
        let mut first = Some(lock(&LOCK_A));
        let a = A.get();
        if a == 0 {
            return;
        }
        if !FIXED {
            first = None;
        }
        let b = {
            let _second = lock(&LOCK_B);
            B.get()
        };
        drop(first);
        check(b == a + 1);
    }

    fn run<const FIXED: bool>(threads: u32) {
        crowds((threads - 1, set::<FIXED>), (1, look::<FIXED>));
    }
    subject!(twostage, twostage_fixed, 2);
}

/// CS/wronglock of SCTBench: one thread increments a number under one lock, and `n` others under another.
///
/// **Fails**: an assertion that nobody else came in between. **Preemptions**: 1. **Twin**: all take the same lock.
mod wronglock {
    use crate::guest::{check, crowds, lock, subject, words};
    use std::sync::Mutex;

    words!(VALUE = 0);
    static RIGHT: Mutex<()> = Mutex::new(());
    static WRONG: Mutex<()> = Mutex::new(());

    fn alone(_: u32) {
        let _guard = lock(&RIGHT);
        let before = VALUE.get();
        VALUE.set(before + 1);
        check(VALUE.get() == before + 1);
    }

    fn others<const FIXED: bool>(_: u32) {
        let _guard = lock(if FIXED { &RIGHT } else { &WRONG });
        VALUE.set(VALUE.get() + 1);
    }

    fn run<const FIXED: bool>(threads: u32) {
        crowds((1, alone), (threads, others::<FIXED>));
    }
    subject!(wronglock, wronglock_fixed, 7);
}

/// CB/stringbuffer-jdk1.4 (Flanagan and Qadeer, PLDI 2003): `append` asks another buffer for its length, and then for so many characters.
///
/// **Fails**: an assertion that it has so many, where it was cut in between. **Preemptions**: 1. **Twin**: keeps the other buffer's
/// lock.
mod stringbuffer {
    use crate::guest::{check, lock, subject, threads, words};
    use std::sync::Mutex;

    words!(LENGTH = 3, APPENDED = 0);
    static OTHER: Mutex<()> = Mutex::new(());
    static OWN: Mutex<()> = Mutex::new(());

    fn append<const FIXED: bool>(_: u32) {
        let _own = lock(&OWN);
        let _other = FIXED.then(|| lock(&OTHER));
        let length = {
            let _other = (!FIXED).then(|| lock(&OTHER));
            LENGTH.get()
        };
        let _other = (!FIXED).then(|| lock(&OTHER));
        check(length <= LENGTH.get());
        APPENDED.set(length);
    }

    fn cut(_: u32) {
        let _other = lock(&OTHER);
        LENGTH.set(0);
    }

    fn run<const FIXED: bool>() {
        threads([append::<FIXED>, cut]);
    }
    subject!(stringbuffer, stringbuffer_fixed);
}
