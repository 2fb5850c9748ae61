//! Plain loads that the compiler made unconditional.
//!
//! Of `if ready.load() { data } else { -1 }` LLVM makes a load of `data` in any case, and chooses afterwards:
//!
//! ```text
//! i32.load data        ;; or what is computed of it
//! i32.const -1
//! local.get ready
//! select
//! ```
//!
//! and of `ready.load() && data == 3` an `i32.and` of two comparisons. The program reads `data` only where it is chosen, so only
//! there is the load an access. (ThreadSanitizer's instrumentation switches these transformations off; a module that was
//! built for use has them.)
//!
//! **What counts as one**: a load whose value, or what arithmetic makes of it, is used once, on the operand stack, as an operand of `select`
//! or of an `and` with a truth value, before anything else happens than plain accesses, arithmetic and locals. Such a load writes no record.
//! Behind the instruction that chooses, the record is made where the value was taken. Nothing that other threads
//! can observe lies between, so the access has the same epoch, locks and call stack there.
//!
//! **Never hides** an access on which anything depends: where `select` takes the other operand, or the other operand of `and` is zero, the
//! result is the same whatever was loaded.
//!
//! **Misses** loads that were hoisted out of a loop to a local and are used in some rounds only, and those whose value is
//! chosen by a branch: these are accesses, wherever control comes by.
//!
//! **Cost**: nothing in functions without such a load; one test, and the call that makes a record, where there is one.

use super::effects::{Effect, effect, may_trap, straight};
use crate::program::sites::SiteKind;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use wasmparser::Operator;

/// Loads that are followed at once: bits of a [`Set`].
const MOST_LOADS: usize = 32;
/// Operands that are followed at once.
const MOST_OPERANDS: usize = 64;

/// Loads, by their slot.
type Set = u32;

/// Which operand of a choice depends on the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operand {
    /// The one that was pushed first: of `select`, the one that a condition other than zero takes.
    Lower,
    /// The one that was pushed second.
    Upper,
}

/// A load, and which operand of a choice its value became.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chosen {
    /// Which of the loads that are under way at once it is.
    pub(super) slot: u8,
    /// Where the load is in the file.
    pub(super) offset: u64,
    pub(super) displacement: u32,
    pub(super) width: u8,
    pub(super) operand: Operand,
    /// No choice came before, of those that decide about this load.
    pub(super) first: bool,
    /// None comes after.
    pub(super) last: bool,
}

impl Chosen {
    /// What the record of the load says.
    pub(super) const KIND: SiteKind = SiteKind::Read;
}

/// The speculative loads of a module, by where instructions are in the file.
#[derive(Debug, Default)]
pub(super) struct Speculation {
    /// Loads, with their slot.
    loads: FxHashMap<u64, u8>,
    /// Instructions that choose, with the loads they choose among.
    choices: FxHashMap<u64, SmallVec<[Chosen; 2]>>,
}

impl Speculation {
    /// The slot of a load, if it is speculative.
    #[inline]
    pub(super) fn load(&self, offset: u64) -> Option<u8> {
        if self.loads.is_empty() {
            return None;
        }
        self.loads.get(&offset).copied()
    }

    /// The loads that an instruction chooses among, if it does.
    #[inline]
    pub(super) fn choice(&self, op: &Operator<'_>, offset: u64) -> Option<&[Chosen]> {
        if self.choices.is_empty() || !chooses(op) {
            return None;
        }
        self.choices.get(&offset).map(SmallVec::as_slice)
    }
}

fn chooses(op: &Operator<'_>) -> bool {
    use Operator::{I32And, I64And, Select, TypedSelect};
    matches!(op, Select | TypedSelect { .. } | I32And | I64And)
}

/// What is known of an operand.
#[derive(Clone, Copy, Debug, Default)]
struct Value {
    /// Loads that it depends on.
    loads: Set,
    /// It is 0 or 1.
    truth: bool,
}

/// A load that is followed.
#[derive(Clone, Debug)]
struct Candidate {
    offset: u64,
    displacement: u32,
    width: u8,
    /// What chose so far.
    choices: SmallVec<[(u64, Operand); 2]>,
}

/// Finds them in a function, instruction by instruction.
#[derive(Default)]
pub(super) struct Speculations {
    found: Speculation,
    /// The operand stack from where the first load was; what is below is not known.
    operands: Vec<Value>,
    candidates: Vec<Candidate>,
    /// Those of them whose value was used for nothing but choices so far.
    alive: Set,
    /// The last instruction, and the one before, left a truth value.
    truths: [bool; 2],
}

impl Speculations {
    /// All that were found.
    pub(super) fn into_found(self) -> Speculation {
        self.found
    }

    /// The next instruction, which is here in the file.
    #[inline]
    pub(super) fn next(&mut self, offset: u64, op: &Operator<'_>) {
        if self.alive != 0 || is_candidate(op) {
            self.follow(offset, op);
        }
        self.truths = [is_truth(op), self.truths[0]];
    }

    /// The function ends.
    pub(super) fn end(&mut self) {
        self.flush();
    }

    fn follow(&mut self, offset: u64, op: &Operator<'_>) {
        let effect = effect(op);
        let Some((pops, pushes)) = straight(op, effect.as_ref()) else {
            return self.flush();
        };
        match (op, effect) {
            (_, Some(Effect::Load(displacement, width))) => {
                let address = self.pop();
                self.used(address);
                self.loaded(offset, displacement, width);
            }
            (Operator::Select | Operator::TypedSelect { .. }, None) => {
                let condition = self.pop();
                let upper = self.pop();
                let lower = self.pop();
                self.chosen(offset, lower, Operand::Lower);
                self.chosen(offset, upper, Operand::Upper);
                self.operands.push(Value {
                    loads: condition.loads | lower.loads | upper.loads,
                    truth: lower.truth && upper.truth,
                });
            }
            (Operator::I32And | Operator::I64And, None) => {
                let upper = self.pop();
                let lower = self.pop();
                // Where both come from loads, the one that was made first decides about the other, as `&&` does.
                if upper.loads != 0 && lower.truth {
                    self.used(lower);
                    self.chosen(offset, upper, Operand::Upper);
                } else if upper.truth && upper.loads == 0 {
                    self.chosen(offset, lower, Operand::Lower);
                }
                self.operands.push(Value {
                    loads: lower.loads | upper.loads,
                    truth: lower.truth || upper.truth,
                });
            }
            // Arithmetic carries the value on.
            (_, None) if pushes == 1 && !keeps(op) && !may_trap(op) => {
                let mut loads = 0;
                for _ in 0..pops {
                    loads |= self.pop().loads;
                }
                let truth = is_truth(op);
                self.operands.push(Value { loads, truth });
            }
            _ => {
                for _ in 0..pops {
                    let value = self.pop();
                    self.used(value);
                }
                for _ in 0..pushes {
                    self.operands.push(Value::default());
                }
            }
        }
        if self.alive == 0 || self.operands.len() > MOST_OPERANDS {
            self.flush();
        }
    }

    fn loaded(&mut self, offset: u64, displacement: u32, width: u8) {
        if self.candidates.len() >= MOST_LOADS {
            return self.flush();
        }
        if self.candidates.is_empty() {
            self.operands.clear();
            // What a condition left lies below, if the address took one instruction.
            self.operands.push(Value {
                loads: 0,
                truth: self.truths[1],
            });
        }
        let load = 1 << self.candidates.len();
        self.candidates.push(Candidate {
            offset,
            displacement,
            width,
            choices: SmallVec::new(),
        });
        self.alive |= load;
        self.operands.push(Value {
            loads: load,
            truth: false,
        });
    }

    fn pop(&mut self) -> Value {
        self.operands.pop().unwrap_or_default()
    }

    /// The value is used: what it depends on has been read.
    fn used(&mut self, value: Value) {
        self.alive &= !value.loads;
    }

    fn chosen(&mut self, offset: u64, value: Value, operand: Operand) {
        let loads = value.loads & self.alive;
        for (slot, candidate) in self.candidates.iter_mut().enumerate() {
            if loads >> slot & 1 != 0 {
                candidate.choices.push((offset, operand));
            }
        }
    }

    /// Whatever is followed is used now, in whichever way.
    fn flush(&mut self) {
        for (slot, candidate) in self.candidates.drain(..).enumerate() {
            let last = candidate.choices.len();
            for (index, (at, operand)) in (1..).zip(candidate.choices) {
                self.found.loads.insert(candidate.offset, slot as u8);
                self.found.choices.entry(at).or_default().push(Chosen {
                    slot: slot as u8,
                    offset: candidate.offset,
                    displacement: candidate.displacement,
                    width: candidate.width,
                    operand,
                    first: index == 1,
                    last: index == last,
                });
            }
        }
        self.operands.clear();
        self.alive = 0;
    }
}

/// Whether the instruction is a load that may be one. Vectors are none: nothing chooses among them.
fn is_candidate(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::I32Load { .. }
            | O::I32Load8U { .. }
            | O::I32Load8S { .. }
            | O::I32Load16U { .. }
            | O::I32Load16S { .. }
            | O::I64Load { .. }
            | O::I64Load8U { .. }
            | O::I64Load8S { .. }
            | O::I64Load16U { .. }
            | O::I64Load16S { .. }
            | O::I64Load32U { .. }
            | O::I64Load32S { .. }
            | O::F32Load { .. }
            | O::F64Load { .. }
    )
}

/// Whether what the instruction takes stays somewhere else than on the operand stack.
fn keeps(op: &Operator<'_>) -> bool {
    use Operator::{GlobalSet, LocalSet, LocalTee};
    matches!(op, LocalSet { .. } | LocalTee { .. } | GlobalSet { .. })
}

/// Whether the instruction leaves 0 or 1.
fn is_truth(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::I32Eqz
            | O::I32Eq
            | O::I32Ne
            | O::I32LtS
            | O::I32LtU
            | O::I32GtS
            | O::I32GtU
            | O::I32LeS
            | O::I32LeU
            | O::I32GeS
            | O::I32GeU
            | O::I64Eqz
            | O::I64Eq
            | O::I64Ne
            | O::I64LtS
            | O::I64LtU
            | O::I64GtS
            | O::I64GtU
            | O::I64LeS
            | O::I64LeU
            | O::I64GeS
            | O::I64GeU
            | O::F32Eq
            | O::F32Ne
            | O::F32Lt
            | O::F32Gt
            | O::F32Le
            | O::F32Ge
            | O::F64Eq
            | O::F64Ne
            | O::F64Lt
            | O::F64Gt
            | O::F64Le
            | O::F64Ge
            // A `bool` that is atomic.
            | O::I32AtomicLoad8U { .. }
    )
}
