//! Well-formed traces from arbitrary numbers.

use grind_runtime::predict::{Event, Op};

const LOCKS: u32 = 3;
const VARIABLES: u32 = 3;

/// What to try next; what is not possible is left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) thread: u8,
    pub(crate) what: u8,
    pub(crate) operand: u8,
}

/// A trace of up to three threads. Every event has its number as location.
pub(crate) fn trace(choices: &[Choice], close: bool) -> Vec<Event> {
    let mut events = Vec::new();
    let mut held: [Vec<u32>; 3] = Default::default();
    let mut forked = [true, false, false];
    let mut joined = [false; 3];
    let mut emit = |thread: u32, op, operand| {
        let location = events.len() as u32 + 1;
        events.push(Event {
            op,
            thread,
            operand,
            location,
        });
    };
    for choice in choices {
        let thread = u32::from(choice.thread % 3);
        let index = thread as usize;
        if joined[index] {
            continue;
        }
        if !forked[index] {
            forked[index] = true;
            emit(0, Op::Fork, thread);
        }
        let operand = u32::from(choice.operand);
        let lock = operand % LOCKS;
        // Most accesses are in a section.
        let bare = held[index].is_empty() && operand / 8 % 4 != 0;
        match choice.what % 16 {
            0..=8 | 11
                if held.iter().flatten().all(|&held| held != lock)
                    && (bare || choice.what % 16 > 6) =>
            {
                held[index].push(lock);
                emit(thread, Op::Acquire, lock);
            }
            // Every other access of the last variable is atomic.
            0..=2 if operand % VARIABLES == VARIABLES - 1 && operand % 2 == 0 => {
                emit(thread, Op::AtomicRead, VARIABLES - 1);
            }
            3..=6 if operand % VARIABLES == VARIABLES - 1 && operand % 2 == 0 => {
                emit(thread, Op::AtomicWrite, VARIABLES - 1);
            }
            0..=2 => emit(thread, Op::Read, operand % VARIABLES),
            3..=6 => emit(thread, Op::Write, operand % VARIABLES),
            9..=13 => {
                if let Some(lock) = held[index].pop() {
                    emit(thread, Op::Release, lock);
                }
            }
            14 if operand < 32 => emit(thread, Op::Notify, 0),
            14 if operand < 56 => emit(thread, Op::Wait, 0),
            14 if operand < 64 => emit(thread, Op::Needs, 0),
            14 if operand < 160 => emit(thread, Op::Load, 1 + operand % 2),
            14 => emit(thread, Op::Store, 1 + operand % 2),
            15 if index != 0 && held[index].is_empty() && operand < 32 && !joined[0] => {
                joined[index] = true;
                emit(0, Op::Join, thread);
            }
            _ => {}
        }
    }
    if close {
        for (thread, held) in (0..).zip(&mut held) {
            while let Some(lock) = held.pop() {
                emit(thread, Op::Release, lock);
            }
        }
    }
    events
}
