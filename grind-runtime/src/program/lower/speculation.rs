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
//! Or a load that was *hoisted*: its value goes to a local that nothing else writes, every use of which is such an operand, and
//! no call and no synchronisation but atomic loads comes between the load and the uses, on any path. Its record is made when it is taken for
//! the first time.
//!
//! **Atomic loads may lie between**, for compilers evaluate `(a.load() ? x : 0) + (b.load() ? y : 0)` from left to right and choose at the
//! end. What follows an atomic load releases nothing to anybody that did not follow before it, so nothing is reported falsely. It may
//! acquire, so a race of the load is missed if what it races with released what was acquired. So that a read that came *too early* is none of
//! these, a load is not followed across an atomic load in a loop, or across the first synchronisation of its function; and what an
//! atomic load behind it says decides nothing about it, for compilers move no load over the acquire that guards it.
//!
//! **Never hides** an access on which anything depends: where `select` takes the other operand, or the other operand of `and` is zero, the
//! result is the same whatever was loaded.
//!
//! **Does not know** loads whose value is chosen by a branch: these are accesses, wherever control comes by.
//!
//! **Cost**: nothing in functions without such a load. Where there is one, the region ends at the load and at the choice, and one test does
//! for all that a choice decides about alike: 1.15 times on the `mixed` kernel, which sorts pairs of numbers (`docs/performance.md`).

use super::effects::{Effect, may_trap, straight};
use super::hooks::AtomicOp;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use wasmparser::Operator;

/// Loads that are followed at once: bits of a [`Set`].
const MOST_LOADS: usize = 32;
/// Hoisted loads of a function that are followed at once.
const MOST_HOISTED: usize = 16;
/// Locals that are followed: as many as the engine takes. The body is not validated yet, so that it can name any.
const MOST_LOCALS: usize = 50_000;
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
    /// The load was hoisted: it may be taken several times, or not have been made.
    pub(super) hoisted: bool,
}

impl Chosen {
    /// Whether this choice alone decides about the load.
    pub(super) fn is_decided_here(&self) -> bool {
        self.first && self.last && !self.hoisted
    }

    /// Whether one decision does for both.
    pub(super) fn is_decided_with(&self, other: &Chosen) -> bool {
        self.is_decided_here() && other.is_decided_here() && self.operand == other.operand
    }
}

/// A load whose record is made later, if at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Late {
    /// See [`Chosen::slot`].
    pub(super) slot: u8,
    /// See [`Chosen::hoisted`].
    pub(super) hoisted: bool,
}

/// The speculative loads of a module, by where instructions are in the file.
#[derive(Debug, Default)]
pub(super) struct Speculation {
    loads: FxHashMap<u64, Late>,
    /// Instructions that choose, with the loads they choose among.
    choices: FxHashMap<u64, SmallVec<[Chosen; 2]>>,
}

impl Speculation {
    /// A load, if it is speculative.
    #[inline]
    pub(super) fn load(&self, offset: u64) -> Option<Late> {
        if self.loads.is_empty() {
            return None;
        }
        self.loads.get(&offset).copied()
    }

    /// What decides about a load.
    fn add(&mut self, load: Load, late: Late, choices: Choices) {
        let last = choices.len();
        for (index, (at, operand)) in (1..).zip(choices) {
            self.loads.insert(load.offset, late);
            self.choices.entry(at).or_default().push(Chosen {
                slot: late.slot,
                offset: load.offset,
                displacement: load.displacement,
                width: load.width,
                operand,
                first: index == 1,
                last: index == last,
                hoisted: late.hoisted,
            });
        }
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
    /// Where the last atomic load is that it depends on, in instructions; 0 if there is none.
    atomic: u32,
}

/// A load.
#[derive(Clone, Copy, Debug)]
struct Load {
    offset: u64,
    displacement: u32,
    width: u8,
}

/// What decides about a value, one after the other, and which of its operands the value is.
type Choices = SmallVec<[(u64, Operand); 2]>;

/// A value that is followed.
#[derive(Clone, Debug)]
struct Candidate {
    load: Load,
    /// Where that is, in instructions.
    at: u32,
    /// The function has synchronised before.
    synchronised: bool,
    /// It comes from the local of this hoisted load.
    local: Option<u32>,
    choices: Choices,
}

/// A load whose value went to a local, that was only chosen among so far.
#[derive(Debug)]
struct Hoisted {
    load: Load,
    local: u32,
    /// Where it is, in instructions.
    at: u32,
    /// The function has synchronised before.
    synchronised: bool,
    /// Where its value was used last.
    used: u32,
    /// A boundary may have come between: further uses show that it is an access.
    stale: bool,
    /// Each use.
    uses: Vec<Choices>,
}

/// What is known of a local.
#[derive(Clone, Copy, Debug, Default)]
struct Local {
    touched: bool,
    /// See [`Value::atomic`].
    atomic: u32,
}

/// A block that has not ended.
#[derive(Clone, Copy, Debug)]
struct Frame {
    /// Where it began, in instructions.
    at: u32,
    is_loop: bool,
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
    hoisted: Vec<Hoisted>,
    /// The last instruction was this load.
    loaded: Option<Load>,
    /// Locals that were read or written, by index, and the last atomic load that their value depends on.
    locals: Vec<Local>,
    /// The last atomic load, if nothing but arithmetic came since.
    recent: u32,
    /// The last atomic load.
    atomic: u32,
    /// Instructions of the function so far.
    at: u32,
    /// The last boundary.
    boundary: u32,
    frames: Vec<Frame>,
}

impl Speculations {
    /// All that were found.
    pub(super) fn into_found(self) -> Speculation {
        self.found
    }

    /// The next instruction, which is here in the file.
    #[inline]
    pub(super) fn next(&mut self, offset: u64, op: &Operator<'_>, effect: Option<Effect>) {
        self.at += 1;
        let hoisted = match *op {
            Operator::LocalGet { local_index } => self.read(local_index),
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                self.written(local_index);
                None
            }
            Operator::Loop { .. }
            | Operator::Block { .. }
            | Operator::If { .. }
            | Operator::TryTable { .. } => {
                self.frames.push(Frame {
                    at: self.at,
                    is_loop: matches!(op, Operator::Loop { .. }),
                });
                None
            }
            Operator::End => {
                self.frame_ends();
                None
            }
            _ => None,
        };
        let candidate = is_candidate(op);
        if let Some(hoisted) = hoisted {
            self.begin(hoisted);
        } else if self.alive != 0 || candidate {
            self.follow(offset, op, effect);
        }
        if is_boundary(op, effect.as_ref()) {
            self.boundary = self.at;
            self.boundary(|_| true);
        }
        match (op, effect) {
            (_, Some(Effect::Atomic(_, _, AtomicOp::Load, _))) => self.atomic_load(),
            // Nearly always: what follows need not be known then.
            _ if self.recent == 0 => {}
            (Operator::LocalGet { .. }, _) => {}
            (_, None) if straight(op, None).is_some() && !keeps(op) => {}
            _ => self.recent = 0,
        }
        self.loaded = match effect {
            Some(Effect::Load(displacement, width)) if candidate => Some(Load {
                offset,
                displacement,
                width,
            }),
            _ => None,
        };
        self.truths = [is_truth(op), self.truths[0]];
    }

    /// A function begins that has so many parameters.
    pub(super) fn begin_function(&mut self, parameters: u32) {
        self.locals.clear();
        let parameter = Local {
            touched: true,
            atomic: 0,
        };
        self.locals.resize(parameters as usize, parameter);
        (self.recent, self.atomic) = (0, 0);
        self.at = 0;
        self.boundary = 0;
        self.frames.clear();
    }

    /// A boundary for some hoisted loads: one that is used afterwards is an access, and so is one whose uses a loop brings round to here.
    fn boundary(&mut self, of: impl Fn(&Hoisted) -> bool) {
        let frames = &self.frames;
        self.hoisted.retain_mut(|hoisted| {
            if !of(hoisted) {
                return true;
            }
            hoisted.stale = true;
            let outermost = (frames.iter()).find(|frame| frame.is_loop && frame.at > hoisted.at);
            outermost.is_none_or(|frame| hoisted.used < frame.at)
        });
    }

    /// An atomic load, which is a boundary for some.
    fn atomic_load(&mut self) {
        let innermost = self.frames.iter().rev().find(|frame| frame.is_loop);
        let waits_since = innermost.map_or(0, |frame| frame.at);
        self.boundary(|hoisted| !hoisted.synchronised || hoisted.at < waits_since);
        for (slot, candidate) in self.candidates.iter().enumerate() {
            if !candidate.synchronised {
                self.alive &= !(1 << slot);
            }
        }
        (self.recent, self.atomic) = (self.at, self.at);
    }

    fn has_synchronised(&self) -> bool {
        self.boundary > 0 || self.atomic > 0
    }

    /// What was loaded in a loop may have been loaded in the round before, and a boundary may have come since.
    fn frame_ends(&mut self) {
        if let Some(frame) = self.frames.pop()
            && frame.is_loop
            && self.boundary.max(self.atomic) > frame.at
        {
            for hoisted in &mut self.hoisted {
                hoisted.stale |= hoisted.at > frame.at;
            }
        }
    }

    /// The function ends.
    pub(super) fn end(&mut self) {
        self.flush();
        for (index, hoisted) in std::mem::take(&mut self.hoisted).into_iter().enumerate() {
            let late = Late {
                slot: (MOST_LOADS + index) as u8,
                hoisted: true,
            };
            for choices in hoisted.uses {
                self.found.add(hoisted.load, late, choices);
            }
        }
        self.loaded = None;
    }

    /// A local is read. Returns the load that it has the value of, if nothing else was done with that.
    fn read(&mut self, local: u32) -> Option<Candidate> {
        self.touch(local);
        let at = (self.hoisted.iter()).position(|hoisted| hoisted.local == local)?;
        if self.hoisted[at].stale {
            self.hoisted.swap_remove(at);
            return None;
        }
        let hoisted = &mut self.hoisted[at];
        hoisted.used = self.at;
        Some(Candidate {
            load: hoisted.load,
            at: hoisted.at,
            synchronised: hoisted.synchronised,
            local: Some(local),
            choices: SmallVec::new(),
        })
    }

    fn written(&mut self, local: u32) {
        self.hoisted.retain(|hoisted| hoisted.local != local);
        let value = self.operands.last().filter(|_| self.alive != 0);
        let atomic = value.map_or(0, |value| value.atomic).max(self.recent);
        let synchronised = self.has_synchronised();
        let is_new = self.touch(local);
        if let Some(local) = self.locals.get_mut(local as usize) {
            local.atomic = atomic;
        }
        if is_new
            && let Some(load) = self.loaded
            && self.hoisted.len() < MOST_HOISTED
        {
            self.hoisted.push(Hoisted {
                load,
                local,
                at: self.at,
                synchronised,
                used: self.at,
                stale: false,
                uses: Vec::new(),
            });
        }
    }

    /// Returns whether nothing was done with the local before.
    fn touch(&mut self, local: u32) -> bool {
        let local = local as usize;
        if local >= MOST_LOCALS {
            return false;
        }
        if local >= self.locals.len() {
            self.locals.resize(local + 1, Local::default());
        }
        !std::mem::replace(&mut self.locals[local].touched, true)
    }

    fn follow(&mut self, offset: u64, op: &Operator<'_>, effect: Option<Effect>) {
        let arity = match effect {
            Some(Effect::Atomic(_, _, AtomicOp::Load, _)) => Some((1, 1)),
            _ => straight(op, effect.as_ref()),
        };
        let Some((pops, pushes)) = arity else {
            return self.flush();
        };
        match (op, effect) {
            (_, Some(Effect::Load(displacement, width))) => {
                let address = self.pop();
                self.used(address);
                let load = Load {
                    offset,
                    displacement,
                    width,
                };
                self.begin(Candidate {
                    load,
                    at: self.at,
                    synchronised: self.has_synchronised(),
                    local: None,
                    choices: SmallVec::new(),
                });
            }
            (Operator::Select | Operator::TypedSelect { .. }, None) => {
                let condition = self.pop();
                let upper = self.pop();
                let lower = self.pop();
                self.chosen(offset, (lower, Operand::Lower), condition);
                self.chosen(offset, (upper, Operand::Upper), condition);
                self.operands.push(Value {
                    loads: condition.loads | lower.loads | upper.loads,
                    truth: lower.truth && upper.truth,
                    atomic: condition.atomic.max(lower.atomic).max(upper.atomic),
                });
            }
            (Operator::I32And | Operator::I64And, None) => {
                let upper = self.pop();
                let lower = self.pop();
                // Where both come from loads, the one that was made first decides about the other, as `&&` does.
                if upper.loads != 0 && lower.truth {
                    self.used(lower);
                    self.chosen(offset, (upper, Operand::Upper), lower);
                } else if upper.truth && upper.loads == 0 {
                    self.chosen(offset, (lower, Operand::Lower), upper);
                }
                self.operands.push(Value {
                    loads: lower.loads | upper.loads,
                    truth: lower.truth || upper.truth,
                    atomic: lower.atomic.max(upper.atomic),
                });
            }
            // Arithmetic carries the value on.
            (_, None) if pushes == 1 && !keeps(op) && !may_trap(op) => {
                let (mut loads, mut atomic) = (0, 0);
                for _ in 0..pops {
                    let value = self.pop();
                    loads |= value.loads;
                    atomic = atomic.max(value.atomic);
                }
                if let Operator::LocalGet { local_index } = *op {
                    let local = self.locals.get(local_index as usize);
                    atomic = local.map_or(0, |local| local.atomic);
                }
                self.operands.push(Value {
                    loads,
                    truth: is_truth(op),
                    atomic,
                });
            }
            _ => {
                let mut atomic = 0;
                for _ in 0..pops {
                    let value = self.pop();
                    self.used(value);
                    atomic = value.atomic;
                }
                if effect.is_some() {
                    // What a load gives depends on nothing before it.
                    atomic = match effect {
                        Some(Effect::Atomic(..)) => self.at,
                        _ => 0,
                    };
                }
                for _ in 0..pushes {
                    self.operands.push(Value {
                        loads: 0,
                        truth: is_truth(op),
                        atomic,
                    });
                }
            }
        }
        if self.alive == 0 || self.operands.len() > MOST_OPERANDS {
            self.flush();
        }
    }

    /// The value of a load is pushed.
    fn begin(&mut self, candidate: Candidate) {
        if self.candidates.len() >= MOST_LOADS {
            self.flush();
        }
        if self.candidates.is_empty() {
            self.operands.clear();
            // What a condition left lies below, if the address took one instruction.
            self.operands.push(Value {
                loads: 0,
                truth: self.truths[1],
                atomic: self.recent,
            });
        }
        let loads = 1 << self.candidates.len();
        self.candidates.push(candidate);
        self.alive |= loads;
        self.operands.push(Value {
            loads,
            ..Value::default()
        });
    }

    fn pop(&mut self) -> Value {
        self.operands.pop().unwrap_or_default()
    }

    /// The value is used: what it depends on has been read.
    fn used(&mut self, value: Value) {
        self.alive &= !value.loads;
    }

    /// A condition chooses an operand, or not. One that was known only after a load does not guard it: its value is used.
    fn chosen(&mut self, offset: u64, (value, operand): (Value, Operand), condition: Value) {
        let loads = value.loads & self.alive;
        for (slot, candidate) in self.candidates.iter_mut().enumerate() {
            if loads >> slot & 1 == 0 {
                continue;
            }
            if condition.atomic > candidate.at {
                self.alive &= !(1 << slot);
            } else {
                candidate.choices.push((offset, operand));
            }
        }
    }

    /// Whatever is followed is used now, in whichever way.
    fn flush(&mut self) {
        for (slot, candidate) in self.candidates.drain(..).enumerate() {
            let Candidate {
                load,
                local,
                choices,
                ..
            } = candidate;
            let late = Late {
                slot: slot as u8,
                hoisted: false,
            };
            match local {
                None => self.found.add(load, late, choices),
                // Used otherwise: then the load is an access where it stands.
                Some(local) if choices.is_empty() => {
                    self.hoisted.retain(|hoisted| hoisted.local != local);
                }
                Some(local) => {
                    let of = self
                        .hoisted
                        .iter_mut()
                        .find(|hoisted| hoisted.local == local);
                    if let Some(hoisted) = of {
                        hoisted.uses.push(choices);
                    }
                }
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

/// Whether other threads can be told of something by the instruction: a call, or synchronisation that is more than an atomic load.
pub(super) fn is_boundary(op: &Operator<'_>, effect: Option<&Effect>) -> bool {
    use Operator as O;
    match effect {
        None => matches!(
            op,
            O::Call { .. }
                | O::CallIndirect { .. }
                | O::ReturnCall { .. }
                | O::ReturnCallIndirect { .. }
        ),
        Some(
            Effect::Load(..)
            | Effect::Store(..)
            | Effect::LoadLane(..)
            | Effect::Atomic(_, _, AtomicOp::Load | AtomicOp::FirstRead, _),
        ) => false,
        Some(_) => true,
    }
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
