//! Results that threads share, each worked out once.

use std::cell::UnsafeCell;
use std::sync::Mutex;

/// Results for the numbers below 64. None is 0, which stands for one that is not known yet.
pub struct Memo {
    results: UnsafeCell<[u64; 64]>,
    writing: Mutex<()>,
}

// SAFETY: whoever writes holds the lock.
unsafe impl Sync for Memo {}

impl Memo {
    pub const fn new() -> Memo {
        Memo {
            results: UnsafeCell::new([0; 64]),
            writing: Mutex::new(()),
        }
    }

    /// The result for `n`, which is worked out if it is not known.
    pub fn get(&self, n: usize, work_out: fn(usize) -> u64) -> u64 {
        // SAFETY: a number is there, or it is not.
        let known = unsafe { (*self.results.get())[n] };
        if known != 0 {
            return known;
        }
        let result = work_out(n);
        let _writing = self.writing.lock().unwrap();
        // SAFETY: nobody else writes.
        unsafe { (*self.results.get())[n] = result };
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn plus_one(n: usize) -> u64 {
        n as u64 + 1
    }

    #[test]
    fn a_result_is_worked_out_once() {
        let memo = Memo::new();
        assert_eq!(memo.get(3, plus_one), 4);
        assert_eq!(memo.get(3, |_| unreachable!()), 4);
    }

    #[test]
    fn threads_get_the_same_results() {
        static MEMO: Memo = Memo::new();
        let all = || (0..64).map(|n| MEMO.get(n, plus_one)).sum::<u64>();
        let threads = [thread::spawn(all), thread::spawn(all)];
        for thread in threads {
            assert_eq!(thread.join().unwrap(), 2080);
        }
    }
}
