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
//! The pattern is a compare-exchange of the word's size that expects and writes what taking such a lock does, with nothing
//! between it and the call but one conditional branch, its condition and the call's arguments. A second branch would mean
//! that the same instruction serves a `try_lock` as well: LLVM makes one of two. Whether it did take the lock is seen when it
//! runs.

use super::effects::Effect;
use super::hooks::AtomicOp;
use crate::model::LockMode;
use crate::program::interceptors::{Interceptor, Role};
use crate::program::lock_words::{LockWord, NO_DEADLINE, Part};
use rustc_hash::FxHashMap;
use wasmparser::Operator;

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
    /// The branch was seen.
    decided: bool,
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
    pub(super) fn next(&mut self, offset: u64, op: &Operator<'_>, effect: Option<Effect>) {
        if self.slow.is_empty() {
            return;
        }
        let constant = match *op {
            Operator::I32Const { value } => Some(value),
            _ => None,
        };
        let constants = self.constants;
        self.constants = [constants[1], constant];
        if let Operator::Call { function_index } = *op {
            if let Some(exchange) = self.exchange.take() {
                self.called(function_index, exchange, constants[1]);
            }
        } else if let Some(Effect::Atomic(_, width, AtomicOp::CompareExchange, _)) = effect {
            self.exchange = Some(Exchange {
                offset,
                width,
                operands: constants,
                decided: false,
            });
        } else if let Some(exchange) = &mut self.exchange {
            let conditional = matches!(op, Operator::BrIf { .. } | Operator::If { .. });
            if conditional && exchange.decided || !conditional && !leads_on(op) {
                self.exchange = None;
            } else {
                exchange.decided |= conditional;
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

/// What may be between a compare-exchange and the call, besides the branch.
fn leads_on(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::I32Eqz
            | O::I32Eq
            | O::I32Ne
            | O::I32Add
            | O::I32Const { .. }
            | O::I64Const { .. }
            | O::LocalGet { .. }
            | O::Block { .. }
            | O::End
    )
}

#[cfg(test)]
mod tests {
    use crate::program::Program;

    /// How many places of a module with this code take a mutex of std.
    fn found(code: &str) -> usize {
        let text = format!(
            r#"(module
                (import "env" "memory" (memory 1 1 shared))
                (func $_ZN3std3sys4sync5mutex5futex5Mutex14lock_contended17h0123456789abcdefE (param i32)
                    (i32.atomic.store (local.get 0) (i32.const 2)))
                (func (export "_start") (local $result i32) (local $wait i32)
                    {code}))"#
        );
        let wasm = wat::parse_str(&text).expect("good text");
        let program = Program::new(&wasm).expect("a good module");
        program.lock_sites().len()
    }

    const CALL: &str =
        "call $_ZN3std3sys4sync5mutex5futex5Mutex14lock_contended17h0123456789abcdefE";

    #[test]
    fn an_inlined_lock_is_found() {
        let exchange = "i32.const 8 i32.const 0 i32.const 1 i32.atomic.rmw.cmpxchg";
        assert_eq!(
            found(&format!(
                "block {exchange} i32.eqz br_if 0 i32.const 8 {CALL} end"
            )),
            1
        );
        assert_eq!(
            found(&format!(
                "{exchange} if i32.const 4 i32.const 4 i32.add {CALL} end"
            )),
            1
        );
    }

    #[test]
    fn what_takes_other_values_or_decides_more_is_not_a_lock() {
        let other = "i32.const 8 i32.const 0 i32.const 2 i32.atomic.rmw.cmpxchg";
        assert_eq!(
            found(&format!(
                "block {other} i32.eqz br_if 0 i32.const 8 {CALL} end"
            )),
            0
        );
        let narrow = "i32.const 8 i32.const 0 i32.const 1 i32.atomic.rmw8.cmpxchg_u";
        assert_eq!(
            found(&format!(
                "block {narrow} i32.eqz br_if 0 i32.const 8 {CALL} end"
            )),
            0
        );
        let merged = "i32.const 8 i32.const 0 i32.const 1 i32.atomic.rmw.cmpxchg i32.eqz br_if 0
            local.get $wait i32.eqz br_if 0";
        assert_eq!(found(&format!("block {merged} i32.const 8 {CALL} end")), 0);
        let kept = "i32.const 8 i32.const 0 i32.const 1 i32.atomic.rmw.cmpxchg local.set $result
            local.get $wait br_if 0";
        assert_eq!(found(&format!("block {kept} i32.const 8 {CALL} end")), 0);
    }
}
