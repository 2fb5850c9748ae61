//! The entry of a namespace, called to its end.
//!
//! Without an executor this is the run that `grind run` makes, under the same schedule for the same seed. With one, somebody has to wait
//! for what is in flight: the run is [driven from outside](Driven::FromOutside), and its threads have the fuel of driven runs, so
//! that a call that is done is soon noticed.

use super::{Namespace, NamespaceError};
use crate::host::Stdio;
use crate::host::handle::JoinError;
use crate::host::recorded;
use crate::host::runtime::in_steps;
use crate::host::shared::Shared;
use crate::machine::{FUEL_OF_DRIVEN, MachineError};
use crate::model::Driven;
use crate::program::Program;
use crate::session::{self, DrivenRun, Outcome, Recording, RunOptions, SteppedRun, TraceOutput};
use crate::trace::TraceWriter;
use std::convert::Infallible;

impl Namespace {
    /// Calls the entry, and lets the guest run on this thread until the run has ended. The exit code is that of `grind run`:
    /// [`Outcome::exit_code`].
    ///
    /// | what happens | [`Outcome::ending`] | exit code, if nothing was found |
    /// |---|---|---|
    /// | the entry returns | `Returned`, or `Exited` with the `i32` that it returned | 0, or that |
    /// | a thread calls `proc_exit(n)` | `Exited(n)` | the low byte of `n` |
    /// | the main thread traps, or any thread of a module that imports `wasi.thread-spawn` | `Trapped` | 134 |
    /// | another thread of a `threadlink` module traps | that of the main thread | 134 |
    /// | nobody can ever go on | `Deadlock` | 66, for that is a finding |
    /// | a limit is reached, or the [control](Namespace::control) stops it | `OutOfSteps`, `TimedOut` | 124 |
    ///
    /// What then becomes of threads that still run follows from [`Unfinished`](crate::Unfinished): they end where they are (`End`), run to
    /// their ends after the entry has returned (`Wait`), or are observed for a while without an effect outside (`Observe`, the default). A
    /// trap ends them at once.
    ///
    /// # Errors
    /// [`NamespaceError`]
    pub fn run(self) -> Result<Outcome<Stdio>, NamespaceError> {
        let Parts {
            program,
            options,
            stdio,
            trace,
        } = self.into_parts()?;
        if options.executor.is_some() {
            let mut run = Entered::new(&program, options, stdio, trace)?;
            ended(run.shared.wait(|_| None))?;
            let mut outcome = run.take().finish()?;
            run.complete(&mut outcome);
            return Ok(outcome);
        }
        let Some(trace) = trace else {
            return Ok(session::run(&program, options, stdio)?);
        };
        let (mut outcome, trace) = session::record(&program, options, stdio, trace)?;
        recorded::end(trace, &mut outcome);
        Ok(outcome)
    }

    /// The same for who awaits it. A poll lets the guest run for a millisecond or so; the first one lowers and translates the module, unless it is
    /// of a [program](Namespace::from_program) that has run. Dropped before it is ready, it ends the threads of the guest.
    ///
    /// # Errors
    /// [`NamespaceError`]
    pub async fn run_async(self) -> Result<Outcome<Stdio>, NamespaceError> {
        let Parts {
            program,
            options,
            stdio,
            trace,
        } = self.into_parts()?;
        if options.executor.is_none() {
            return Ok(in_steps(SteppedRun::new(program, options, stdio, trace)).await?);
        }
        let mut run = Entered::new(&program, options, stdio, trace)?;
        ended(run.shared.wait_async(|_| None).await)?;
        let mut outcome = in_steps(run.take().finish_in_steps()).await?;
        run.complete(&mut outcome);
        Ok(outcome)
    }

    fn into_parts(mut self) -> Result<Parts, NamespaceError> {
        let program = self.program()?;
        let mut options = self.options;
        let mut driven = Driven::ByNobody;
        if options.executor.is_some() {
            options.fuel.get_or_insert(FUEL_OF_DRIVEN);
            driven = Driven::FromOutside;
        }
        Ok(Parts {
            trace: recorded::begin(&program, &options, driven, self.trace)?,
            program,
            options,
            stdio: self.stdio,
        })
    }
}

/// What a run is made of.
struct Parts {
    program: Program,
    options: RunOptions,
    stdio: Stdio,
    trace: Option<TraceWriter<TraceOutput>>,
}

/// A run whose main thread runs the entry. Dropped, it ends, and calls in flight are dropped as well.
struct Entered {
    shared: Shared,
    recording: Option<Recording>,
}

impl Entered {
    fn new(
        program: &Program,
        options: RunOptions,
        stdio: Stdio,
        trace: Option<TraceWriter<TraceOutput>>,
    ) -> Result<Entered, MachineError> {
        let (io, driven) = (Box::new(stdio), Driven::FromOutside);
        let recording = trace.map(Recording::new);
        let shared = Shared::begin(program, options, io, recording.as_ref(), driven)?;
        Ok(Entered { shared, recording })
    }

    fn take(&self) -> DrivenRun {
        let run = self.shared.take();
        run.expect("only this and the destructor take it")
    }

    fn complete(&mut self, outcome: &mut Outcome<Stdio>) {
        if let Some(recording) = self.recording.take() {
            recorded::complete(recording, outcome);
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        drop(self.shared.take());
    }
}

/// The run has come to its end, or to where nobody goes on: what that means is found when it is finished.
fn ended(waited: Result<Infallible, JoinError>) -> Result<(), NamespaceError> {
    match waited {
        Err(JoinError::Failed(error)) => Err(NamespaceError::Machine(error)),
        Ok(_) | Err(_) => Ok(()),
    }
}
