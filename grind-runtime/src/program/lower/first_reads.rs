//! Plain loads that are the first half of an atomic operation.
//!
//! WebAssembly has no atomic minimum, maximum or nand. LLVM makes a loop of compare-exchange of them, before which it
//! reads the old value with a plain load:
//!
//! ```text
//! v = load a
//! loop
//!   r = cmpxchg a, v, new(v)
//!   again = r != v
//!   v = r
//!   br_if again
//! end
//! ```
//!
//! Whatever the load reads, only what the compare-exchange finds counts. So the load is a part of the atomic operation in
//! the program's source, and lowered as an atomic one. The pattern is that the value which is loaded goes into
//! a local that the result of a compare-exchange of the same width replaces, in a loop without branches that follows.

use super::effects::{Effect, effect};
use super::hooks::AtomicOp;
use rustc_hash::FxHashSet;
use wasmparser::Operator;

/// Instructions between the load and the end of the loop, at most.
const LONGEST: u32 = 64;

/// Finds them in a function, instruction by instruction.
#[derive(Default)]
pub(super) struct FirstReads {
    /// Where they are in the file.
    found: FxHashSet<u64>,
    /// The load just before.
    loaded: Option<Loaded>,
    candidate: Option<Candidate>,
}

#[derive(Clone, Copy)]
struct Loaded {
    offset: u64,
    width: u8,
    wide: bool,
}

#[derive(Clone, Copy)]
struct Candidate {
    load: Loaded,
    /// Where the value went.
    local: u32,
    within: Within,
    instructions: u32,
}

/// How much of the pattern was seen.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Before,
    Loop,
    /// The compare-exchange was the last instruction.
    Exchanged,
    /// Its result is in this local; the flag says that it is also what the last instruction left.
    Result(u32, bool),
}

/// Whether a load can be such a one, and is of an `i64`.
#[inline]
pub(super) fn is_wide(op: &Operator<'_>) -> Option<bool> {
    use Operator as O;
    match op {
        O::I32Load { .. } | O::I32Load8U { .. } | O::I32Load16U { .. } => Some(false),
        O::I64Load { .. } | O::I64Load8U { .. } | O::I64Load16U { .. } | O::I64Load32U { .. } => {
            Some(true)
        }
        _ => None,
    }
}

impl FirstReads {
    /// All that were found.
    pub(super) fn into_found(self) -> FxHashSet<u64> {
        self.found
    }

    /// The next instruction, which is here in the file.
    #[inline]
    pub(super) fn next(&mut self, offset: u64, op: &Operator<'_>) {
        // Most instructions are neither such a load nor near one.
        if self.loaded.is_some() || self.candidate.is_some() || is_wide(op).is_some() {
            self.look_at(offset, op);
        }
    }

    fn look_at(&mut self, offset: u64, op: &Operator<'_>) {
        let loaded = self.loaded.take();
        if let Some(wide) = is_wide(op)
            && let Some(Effect::Load(_, width)) = effect(op)
        {
            self.loaded = Some(Loaded {
                offset,
                width,
                wide,
            });
        }
        if let (Some(load), Operator::LocalSet { local_index } | Operator::LocalTee { local_index }) =
            (loaded, op)
            && self
                .candidate
                .is_none_or(|candidate| candidate.within == Within::Before)
        {
            self.candidate = Some(Candidate {
                load,
                local: *local_index,
                within: Within::Before,
                instructions: 0,
            });
        } else if let Some(candidate) = self.candidate.take() {
            self.candidate = self.follow(candidate, op);
        }
    }

    /// What becomes of a candidate.
    fn follow(&mut self, mut candidate: Candidate, op: &Operator<'_>) -> Option<Candidate> {
        candidate.instructions += 1;
        if candidate.instructions > LONGEST {
            return None;
        }
        let Candidate { load, local, .. } = candidate;
        candidate.within = match (candidate.within, op) {
            (Within::Before, Operator::Loop { .. }) => Within::Loop,
            (Within::Exchanged, Operator::LocalSet { local_index })
            | (Within::Exchanged, Operator::LocalTee { local_index }) => {
                if *local_index == local {
                    self.found.insert(load.offset);
                    return None;
                }
                let on_stack = matches!(op, Operator::LocalTee { .. });
                Within::Result(*local_index, on_stack)
            }
            (Within::Exchanged, _) => return None,
            (Within::Result(result, true), Operator::LocalSet { local_index })
                if *local_index == local && result != local =>
            {
                self.found.insert(load.offset);
                return None;
            }
            // The local has another value.
            (_, Operator::LocalSet { local_index } | Operator::LocalTee { local_index })
                if *local_index == local =>
            {
                return None;
            }
            (Within::Result(result, _), Operator::LocalGet { local_index }) => {
                Within::Result(result, *local_index == result)
            }
            (Within::Result(result, _), _) if super::effects::straight(op, None).is_some() => {
                Within::Result(result, false)
            }
            (within, _) => match effect(op) {
                Some(Effect::Atomic(_, width, AtomicOp::CompareExchange, wide))
                    if within == Within::Loop && (width, wide) == (load.width, load.wide) =>
                {
                    Within::Exchanged
                }
                Some(Effect::Load(..)) => within,
                None if super::effects::straight(op, None).is_some() => within,
                _ => return None,
            },
        };
        Some(candidate)
    }

    /// The function ends.
    pub(super) fn end(&mut self) {
        self.loaded = None;
        self.candidate = None;
    }
}
