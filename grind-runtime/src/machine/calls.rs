//! Calling a program's exports one by one, on its main thread.

use super::engine::Instance;
use super::run::{Invocation, Machine};
use super::thread::Status;
use super::{MachineConfig, MachineError, Trap, Value, entry};
use crate::model::{Ending, ThreadId, Unfinished};
use crate::program::{Program, hooks};

/// An instance whose exports are called one at a time. Threads that a call starts run only while a call does.
#[derive(Debug)]
pub struct Session {
    machine: Machine,
    instance: Instance,
}

impl Session {
    /// Instantiates a program and runs its start function.
    ///
    /// # Errors
    /// [`MachineError`] if it cannot be instantiated. A trap of the start function is the inner error.
    pub fn new(
        program: &Program,
        config: MachineConfig,
    ) -> Result<Result<Session, Trap>, MachineError> {
        let mut config = config;
        config.spec.entry.unfinished = Unfinished::End;
        let mut machine = Machine::bare(program, config, Vec::new())?;
        let instance = machine.instantiate()?;
        let mut session = Session { machine, instance };
        if program.info().start.is_some()
            && let Err(trap) = session.call(hooks::START, Vec::new())?
        {
            return Ok(Err(trap));
        }
        Ok(Ok(session))
    }

    /// Calls an export and lets it come to its end.
    ///
    /// # Errors
    /// [`MachineError::Entry`] if there is no such function, or not with these parameters. A trap is the inner
    /// error; the instance can be used on.
    pub fn invoke(
        &mut self,
        export: &str,
        args: &[Value],
    ) -> Result<Result<Vec<Value>, Trap>, MachineError> {
        let program = &self.machine.engine.state().program;
        let error = |problem: String| Err(entry::error(program, problem));
        let Some(params) = program.info().params_of_export(export) else {
            return error(format!("there is no exported function `{export}`"));
        };
        let fits = params.len() == args.len()
            && args.iter().zip(params).all(|(arg, &param)| arg.is_a(param));
        if !fits {
            return error(format!("`{export}` takes other parameters"));
        }
        self.call(export, args.to_vec())
    }

    fn call(
        &mut self,
        export: &str,
        args: Vec<Value>,
    ) -> Result<Result<Vec<Value>, Trap>, MachineError> {
        let main = ThreadId(0);
        self.machine.engine.state_mut().revive_main();
        let activation = self.machine.activation(main);
        activation.instance = Some(self.instance);
        let export = export.to_owned();
        activation.queue.push_back(Invocation { export, args });
        self.machine.engine.state_mut().thread_mut().status = Status::Running;
        self.machine.call_next(main)?;
        self.machine.run()?;
        let results = self.machine.take_results(main);
        let state = self.machine.engine.state_mut();
        match (state.ending.take(), state.traps.pop()) {
            (Some(Ending::Returned), _) => Ok(Ok(results)),
            (_, Some(report)) => Ok(Err(report.trap)),
            (ending, None) => Err(MachineError::Engine(format!(
                "the call ended by {ending:?}"
            ))),
        }
    }

    /// The guest's memory.
    #[must_use]
    pub fn memory(&self) -> &[u8] {
        self.machine.memory()
    }

    /// The value of an exported global, if there is one of that name.
    #[must_use]
    pub fn global(&self, export: &str) -> Option<Value> {
        self.machine.engine.global(self.instance, export)
    }
}
