//! Compare-exchanges that take a lock which is a word in memory; see [`lock_words`](crate::program::lock_words).
//!
//! ```text
//! block
//!   cmpxchg a, 0, 1
//!   i32.eqz
//!   br_if 0
//!   call lock_contended(a)
//! end
//! ```
//!
//! The pattern is the last atomic instruction before the call of a slow path, near it, if it is a compare-exchange of the
//! word's size that expects and writes what taking such a lock does. Of 1,069 calls in the guests of this project's tests, that
//! finds it for 966; most of the others are in functions that check the word before. Whether it did take the lock is
//! seen when it runs.

use super::effects::{Effect, effect};
use super::hooks::AtomicOp;
use crate::program::interceptors::{Interceptor, Role};
use crate::program::lock_words::{LockWord, NO_DEADLINE, Part};
use crate::trace::LockMode;
use rustc_hash::FxHashMap;
use wasmparser::Operator;

/// Instructions between a compare-exchange and the call of the slow path, at most; more than 9 were not seen.
const LONGEST: u32 = 12;

#[derive(Clone, Copy)]
struct SlowPath {
    word: LockWord,
    mode: LockMode,
    /// It may give up, and the last argument says whether.
    timed: bool,
}

/// Finds the compare-exchanges that take locks, function by function.
pub(super) struct LockSites {
    /// Functions that are a slow path, by index.
    slow: FxHashMap<u32, SlowPath>,
    /// By where they are in the file.
    found: FxHashMap<u64, LockWord>,
    /// Constants that the last two instructions left; none if they did something else.
    constants: [Option<i32>; 2],
    exchange: Option<Exchange>,
}

#[derive(Clone, Copy)]
struct Exchange {
    offset: u64,
    width: u8,
    operands: [Option<i32>; 2],
    since: u32,
}

impl LockSites {
    pub(super) fn new(interceptors: &[(u32, Interceptor)]) -> LockSites {
        let slow = interceptors.iter().filter_map(|(index, interceptor)| {
            let Role::LockWord {
                word,
                part: Part::Wait(mode),
                deadline,
                ..
            } = interceptor.role
            else {
                return None;
            };
            let timed = deadline.is_some();
            Some((*index, SlowPath { word, mode, timed }))
        });
        LockSites {
            slow: slow.collect(),
            found: FxHashMap::default(),
            constants: [None; 2],
            exchange: None,
        }
    }

    /// The next instruction, which is here in the file.
    #[inline]
    pub(super) fn next(&mut self, offset: u64, op: &Operator<'_>) {
        if self.slow.is_empty() {
            return;
        }
        let constant = match *op {
            Operator::I32Const { value } => Some(value),
            _ => None,
        };
        let constants = self.constants;
        self.constants = [constants[1], constant];
        match *op {
            Operator::Call { function_index } => {
                if let Some(exchange) = self.exchange.take() {
                    self.called(function_index, exchange, constants[1]);
                }
            }
            Operator::CallIndirect { .. } | Operator::Loop { .. } | Operator::Else => {
                self.exchange = None;
            }
            _ => {
                if let Some(Effect::Atomic(_, width, op, _)) = effect(op) {
                    self.exchange = (op == AtomicOp::CompareExchange).then_some(Exchange {
                        offset,
                        width,
                        operands: constants,
                        since: 0,
                    });
                } else if let Some(exchange) = &mut self.exchange {
                    exchange.since += 1;
                    if exchange.since > LONGEST {
                        self.exchange = None;
                    }
                }
            }
        }
    }

    /// `last` is the call's last argument, if it is a constant.
    fn called(&mut self, function: u32, exchange: Exchange, last: Option<i32>) {
        let Some(&SlowPath { word, mode, timed }) = self.slow.get(&function) else {
            return;
        };
        let takes = match mode {
            LockMode::Exclusive => exchange.operands == word.taken().map(Some),
            // The readers there are, and one more.
            LockMode::Shared => exchange.operands[1].is_none(),
        };
        let waits = !timed || last == Some(NO_DEADLINE);
        if takes && waits && exchange.width == word.width() {
            self.found.insert(exchange.offset, word);
        }
    }

    /// The function ends.
    pub(super) fn end(&mut self) {
        self.constants = [None; 2];
        self.exchange = None;
    }

    /// All that were found.
    pub(super) fn into_found(self) -> FxHashMap<u64, LockWord> {
        self.found
    }
}
