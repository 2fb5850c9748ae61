//! One pass of a run: a machine with all who listen to it. It is run to its end, or in steps.

use super::downcast;
use super::record::{Audience, RecordedIo, Recording};
use super::{RunOptions, machine};
use crate::detect::LiveAnalysis;
use crate::machine::{HostIo, Machine, MachineConfig, MachineError, RunStats};
use crate::model::{Control, Decisions, Driven, Ending, EventSink, LimitReached};
use crate::program::Program;
use crate::schedule::Scheduler;
use crate::schedule::decisions::Logged;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What differs between the runs of one program.
pub(super) struct Pass<'a> {
    pub(super) scheduler: Box<dyn Scheduler>,
    /// Whether its decisions are kept.
    pub(super) logged: bool,
    pub(super) analysis: LiveAnalysis,
    /// Who listens besides.
    pub(super) others: Vec<Box<dyn EventSink>>,
    /// Where it is recorded.
    pub(super) recording: Option<&'a Recording>,
    pub(super) io: Box<dyn HostIo>,
    pub(super) control: Arc<Control>,
    pub(super) driven: Driven,
}

/// What came of one.
pub(super) struct Passed {
    pub(super) ending: Ending,
    /// If they were kept, and are not too many.
    pub(super) decisions: Option<Arc<Decisions>>,
    pub(super) analysis: LiveAnalysis,
    pub(super) others: Vec<Box<dyn EventSink>>,
    pub(super) limits_reached: BTreeSet<LimitReached>,
    pub(super) stats: RunStats,
    pub(super) io: Box<dyn HostIo>,
}

/// Runs a program, with nobody outside but what a log says of him.
pub(super) fn pass(
    program: &Program,
    options: &RunOptions,
    one: Pass<'_>,
) -> Result<Passed, MachineError> {
    Begun::new(program, options, one)?.complete()
}

/// A pass that has not come to its end.
pub(super) struct Begun {
    machine: Machine,
    logged: bool,
    recorded: bool,
}

impl Begun {
    pub(super) fn new(
        program: &Program,
        options: &RunOptions,
        pass: Pass<'_>,
    ) -> Result<Begun, MachineError> {
        let recorded = pass.recording.is_some();
        let (mut scheduler, io) = match pass.recording {
            Some(recording) => (recording.scheduler(pass.scheduler), recording.io(pass.io)),
            None => (pass.scheduler, pass.io),
        };
        if pass.logged {
            scheduler = Box::new(Logged::new(scheduler));
        }
        let audience = Audience {
            others: pass.others,
            recording: pass.recording.cloned(),
            analysis: pass.analysis,
        };
        let config = MachineConfig {
            spec: options.spec.clone(),
            scheduler,
            sink: Box::new(audience),
            io,
            control: pass.control,
            fuel: (options.fuel).unwrap_or_else(|| machine::usual_fuel(pass.driven)),
            engine: options.engine.clone(),
            driven: pass.driven,
            executor: options.executor.clone(),
        };
        Ok(Begun {
            machine: Machine::new(program, config)?,
            logged: pass.logged,
            recorded,
        })
    }

    pub(super) fn machine(&mut self) -> &mut Machine {
        &mut self.machine
    }

    /// Runs a little of it. Returns whether it has come to its end.
    pub(super) fn step(&mut self) -> Result<bool, MachineError> {
        self.machine.run_a_little()
    }

    /// Runs what is left of it.
    pub(super) fn complete(mut self) -> Result<Passed, MachineError> {
        self.machine.run_to_its_end()?;
        Ok(self.finish())
    }

    /// What came of it; it ends where it is.
    pub(super) fn finish(self) -> Passed {
        let result = self.machine.finish();
        let Audience {
            others, analysis, ..
        } = *downcast::<Audience>(result.sink);
        Passed {
            ending: result.ending,
            decisions: match self.logged {
                true => (downcast::<Logged>(result.scheduler).into_decisions()).map(Arc::new),
                false => None,
            },
            analysis,
            others,
            limits_reached: result.limits_reached,
            stats: result.stats,
            io: match self.recorded {
                true => downcast::<RecordedIo>(result.io).into_inner(),
                false => result.io,
            },
        }
    }
}
