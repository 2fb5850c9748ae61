//! The seam for engines: what runs the code of the lowered module, one call at a time.
//!
//! An engine is a folder beside this file and a row in [`ENGINES`]. It knows instances, calls and memory. Threads, time, the
//! scheduler and the meaning of operations are the machine's ([`State`], [`Machine`](super::Machine)), which names no engine.
//!
//! What an engine has to do:
//!
//! - It holds the [`State`] while it runs, so that hooks and imports reach it: each hands over the records in the ring
//!   ([`State::drain`], [`State::deliver`]), asks for its turn ([`State::request`]), is carried out ([`Engine::perform`]) and gets the
//!   next slot of the ring ([`State::next_slot`]). Any other [`Verdict`] than a value leaves the guest.
//! - A call that was left can be gone on with later, whatever else was called in between: each thread has a stack of its own.
//! - All records are handed over when it comes back from a call.
//! - The same module, calls and answers give the same records, whatever the engine.

#[cfg(test)]
mod scripted;
mod wasmi;

use super::ops::Op;
use super::state::{State, Verdict};
use super::{MachineError, Trap, Value};
use crate::model::ThreadId;
use crate::program::Program;

/// Sets the program up over this state, in a memory of so many pages, without an instance.
type Start = fn(&Program, State, u32) -> Result<Box<dyn Engine>, MachineError>;

/// An engine that is built in.
pub(super) struct Row {
    /// What users call it.
    pub(super) name: &'static str,
    pub(super) start: Start,
}

/// All that are built in; the first is used where none is named.
pub(super) const ENGINES: &[Row] = &[
    Row {
        name: "wasmi",
        start: wasmi::start,
    },
    #[cfg(test)]
    Row {
        name: "scripted",
        start: scripted::start,
    },
];

/// The row of the engine of this name, or of the first.
///
/// # Errors
/// [`MachineError::UnknownEngine`]
pub(super) fn named(name: Option<&str>) -> Result<&'static Row, MachineError> {
    let Some(name) = name else {
        return Ok(&ENGINES[0]);
    };
    (ENGINES.iter().find(|row| row.name == name)).ok_or_else(|| MachineError::UnknownEngine {
        name: name.to_owned(),
        built_in: ENGINES.iter().map(|row| row.name).collect(),
    })
}

/// An instance of the program, by number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instance(pub(super) u32);

/// How a thread enters the guest.
#[derive(Debug)]
pub(super) enum Enter<'a> {
    /// It calls an exported function, which exists and takes these.
    Call {
        instance: Instance,
        export: &'a str,
        args: &'a [Value],
    },
    /// It goes on in the innermost call that it left: with this as the result of the host function, if it left in one.
    Resume(u64),
}

/// How it came back.
#[derive(Debug)]
pub(super) enum Exit {
    /// The call returned.
    Returned(Vec<Value>),
    /// A hook or import left the guest. Unless the thread is over, it can be gone on with.
    Left(Verdict),
    /// The fuel ended; it can be gone on with. Records up to here were handed over.
    OutOfFuel {
        /// What the next instruction needs.
        needs: u64,
    },
    /// It trapped, and is over. Its last records are drained and not delivered, for some may be of what did not happen.
    Trapped(Trap),
}

/// One program set up in an engine; see the module.
pub(super) trait Engine: Send {
    fn state(&self) -> &State;

    fn state_mut(&mut self) -> &mut State;

    /// The guest's memory.
    fn memory(&self) -> &[u8];

    fn memory_and_state(&mut self) -> (&mut [u8], &mut State);

    /// Carries an operation of the current thread out, whose turn has come: [`Op::Grow`] itself, with [`ops`](super::ops)'
    /// consent, anything else by [`State::perform`].
    fn perform(&mut self, op: Op) -> Verdict;

    /// Instances are of this program from now on, which extends the one before.
    ///
    /// # Errors
    /// [`MachineError`] if it cannot be translated, and then nothing has happened.
    fn extend(&mut self, program: &Program) -> Result<(), MachineError>;

    /// Makes an instance. No code of it runs.
    fn instantiate(&mut self) -> Result<Instance, MachineError>;

    /// Gives an instance of a program whose instances can be used again the globals that it began with.
    fn reset(&mut self, instance: Instance) -> Result<(), MachineError>;

    fn exports_function(&self, instance: Instance, export: &str) -> bool;

    /// An exported global.
    fn global(&self, instance: Instance, export: &str) -> Option<Value>;

    /// Sets an exported global, if there is a mutable one of that name and type.
    fn set_global(&mut self, instance: Instance, export: &str, value: Value);

    /// The stack pointer, where the module has one.
    fn stack_pointer(&self, instance: Instance) -> Option<u32>;

    /// Lets a thread run with so much fuel, an instruction of which takes about one. Returns how it came back, and the fuel it
    /// spent.
    ///
    /// # Errors
    /// [`MachineError::Engine`] for a defect of grind.
    fn run(
        &mut self,
        thread: ThreadId,
        enter: Enter<'_>,
        fuel: u64,
    ) -> Result<(Exit, u64), MachineError>;

    /// Forgets the calls that a thread has left.
    fn forget(&mut self, thread: ThreadId);

    fn into_state(self: Box<Self>) -> State;
}
