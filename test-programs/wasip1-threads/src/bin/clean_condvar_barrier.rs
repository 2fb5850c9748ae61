//! `Condvar`, with and without a time-out, and `Barrier`.
//@ stdout: 12 leaders: 4

use std::sync::{Barrier, Condvar, Mutex};
use std::thread;
use std::time::Duration;
use wasip1_threads_programs::Shared;

static TURN: Mutex<u32> = Mutex::new(0);
static CHANGED: Condvar = Condvar::new();
static ROUND: Barrier = Barrier::new(3);
static LEADERS: Mutex<u32> = Mutex::new(0);
static BOARD: [Shared<u32>; 3] = [Shared::new(0), Shared::new(0), Shared::new(0)];

fn take_turns(me: u32) {
    for _ in 0..4 {
        let mut turn = CHANGED
            .wait_while(TURN.lock().unwrap(), |turn| *turn % 3 != me)
            .unwrap();
        *turn += 1;
        CHANGED.notify_all();
    }
}

fn rounds(me: usize) {
    for round in 0..4 {
        // SAFETY: mine until the barrier, and everybody's to read until the next.
        unsafe { *BOARD[me].get() = round };
        if ROUND.wait().is_leader() {
            *LEADERS.lock().unwrap() += 1;
        }
        for place in &BOARD {
            // SAFETY: as above.
            assert_eq!(unsafe { *place.get() }, round);
        }
        ROUND.wait();
    }
}

fn main() {
    let threads = [0, 1, 2].map(|me| {
        thread::spawn(move || {
            take_turns(me);
            rounds(me as usize);
        })
    });
    for thread in threads {
        thread.join().unwrap();
    }
    let turn = TURN.lock().unwrap();
    let (turn, waited) = CHANGED
        .wait_timeout(turn, Duration::from_millis(3))
        .unwrap();
    assert!(waited.timed_out());
    println!("{turn} leaders: {}", LEADERS.lock().unwrap());
}
