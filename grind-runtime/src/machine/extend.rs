//! A program that takes the place of the one that a machine runs, and extends it: [`Modules`](crate::program::Modules) of a host that adds
//! one more.
//!
//! Threads that have an instance keep it, and all sites in their records are sites of the new program as well. Threads that enter the guest
//! from then on have instances of that. Its data is written by the driver, as far as it is new.

use super::acts::ActError;
use super::embedded;
use super::engine::Instance;
use super::io::DriverAct;
use super::run::Machine;
use crate::model::ThreadId;
use crate::program::{DataSegment, Program};
use std::sync::Arc;

impl Machine {
    /// Puts another program in the present one's place, which extends it: all that the present one has is in it under the same numbers.
    ///
    /// # Errors
    /// [`ActError::Module`] if it does not, has data where there is no memory, or cannot be translated; what holds for any act.
    pub fn extend(&mut self, program: &Program) -> Result<(), ActError> {
        self.extended = Some(program.clone());
        let module = program.original().to_vec();
        let done = self.act(DriverAct::Extend { module });
        self.extended = None;
        done.map(drop)
    }

    /// The program, with all that it was extended by.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.engine.state().program
    }

    /// The instance of a thread that has entered the guest.
    pub(super) fn instance_of(&self, thread: ThreadId) -> Option<Instance> {
        self.threads.get(thread.0 as usize)?.instance
    }

    /// What this module makes of the present program, which the engine takes. Whatever can fail does so here.
    pub(super) fn extension(&mut self, module: &[u8]) -> Result<Program, ActError> {
        let refused = |why: &dyn std::fmt::Display| ActError::Module(why.to_string());
        let program = match self.extended.take() {
            Some(program) => program,
            None => (self.program().extended(module)).map_err(|error| refused(&error))?,
        };
        for segment in self.new_data(&program) {
            self.in_memory(segment.address.unwrap_or(u32::MAX), segment.bytes.len())?;
        }
        let taken = self.engine.extend(&program);
        taken.map_err(|error| refused(&error))?;
        Ok(program)
    }

    /// Data segments that the present program has not.
    fn new_data<'a>(&self, program: &'a Program) -> &'a [DataSegment] {
        let known = self.program().info().active_data.len();
        program.info().active_data.get(known..).unwrap_or_default()
    }

    /// Puts it in place.
    pub(super) fn extend_by(&mut self, program: &Program) {
        let data = self.new_data(program).to_vec();
        // They are of the program before.
        self.spare.clear();
        let (memory, state) = self.engine.memory_and_state();
        state.program = program.clone();
        state.sites = Arc::clone(program.sites());
        state.intercepts.know(program);
        state.lock_words.know(Arc::clone(program.lock_sites()));
        state.instances.are_of(program.info());
        state.sink.sites(program.sites());
        state.as_main(|state| {
            for segment in data {
                let bytes = &program.original()[segment.bytes.clone()];
                let addr = segment.address.unwrap_or(u32::MAX);
                embedded::write(state, memory, addr, bytes);
            }
        });
    }
}
