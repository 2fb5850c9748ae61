//! Runs and replays in steps, for a caller that has other things to do on its only thread: a page, an event loop.
//!
//! What happens in a run does not depend on how it is cut, so that the outcome is that of [`run`](super::run), [`record`](super::record) or
//! [`replay`](super::replay). A step is a turn of a thread or a part of one, a millisecond or so. Two take longer, depending on the
//! module: the first of each pass, in which the engine translates the module, if it has not, and sets up the memory; and a step in
//! which the guest calls the host or uses an instruction of bulk memory. A run that is dropped has ended.

use super::pass::Begun;
use super::record::{Recording, TraceOutput};
use super::replay::{self, Replay, ReplayError, ReplayOptions, Replayed};
use super::{FirstCame, Next, Outcome, RunOptions, TraceInput, first_pass, second_pass};
use crate::machine::{HostIo, MachineError};
use crate::model::Driven;
use crate::program::Program;
use crate::trace::{TraceError, TraceReader, TraceWriter};

/// What a step came to.
#[derive(Debug)]
pub enum Step<R, T> {
    /// There is more to do.
    More(R),
    /// It has come to its end.
    Done(T),
}

/// Of a run with its trace, if one is written.
type Ran<Io> = (Outcome<Io>, Option<TraceWriter<TraceOutput>>);

/// A run that is made in steps.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grind_runtime::machine::BufferIo;
/// use grind_runtime::program::Program;
/// use grind_runtime::session::{RunOptions, Step, SteppedRun};
///
/// let program = Program::new(&wat::parse_str(r#"(module (func (export "_start")))"#)?)?;
/// let mut run = SteppedRun::new(program, RunOptions::seeded(1), BufferIo::default(), None);
/// let outcome = loop {
///     match run.step()? {
///         Step::More(left) => run = left,
///         Step::Done((outcome, _)) => break outcome,
///     }
///     // Here is the time for something else.
/// };
/// assert!(outcome.analysis.diagnoses.is_empty());
/// # Ok(())
/// # }
/// ```
pub struct SteppedRun<Io> {
    program: Program,
    options: RunOptions,
    recording: Option<Recording>,
    driven: Driven,
    at: At<Io>,
}

enum At<Io> {
    Start(Io),
    First(Begun),
    Second(FirstCame<Io>, Begun),
}

impl<Io> std::fmt::Debug for SteppedRun<Io> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SteppedRun").finish_non_exhaustive()
    }
}

impl<Io: HostIo> SteppedRun<Io> {
    /// A run of which nothing has happened. If a trace is given, it is written, as by [`record`](super::record).
    #[must_use]
    pub fn new(
        program: Program,
        options: RunOptions,
        io: Io,
        trace: Option<TraceWriter<TraceOutput>>,
    ) -> SteppedRun<Io> {
        SteppedRun {
            program,
            options,
            recording: trace.map(Recording::new),
            driven: Driven::ByNobody,
            at: At::Start(io),
        }
    }

    /// What is left of a run whose driver has ended. `Io` is what it was given.
    pub(super) fn begun(
        program: Program,
        options: RunOptions,
        driven: Driven,
        first: Begun,
    ) -> SteppedRun<Io> {
        SteppedRun {
            program,
            options,
            recording: None,
            driven,
            at: At::First(first),
        }
    }

    /// Makes a step.
    ///
    /// # Errors
    /// See [`run`](super::run).
    pub fn step(self) -> Result<Step<SteppedRun<Io>, Ran<Io>>, MachineError> {
        let SteppedRun {
            program,
            options,
            recording,
            driven,
            at,
        } = self;
        let at = match at {
            At::Start(io) => At::First(first_pass(
                &program,
                &options,
                Box::new(io),
                recording.as_ref(),
                driven,
            )?),
            At::First(mut first) => match first.step()? {
                false => At::First(first),
                true => match second_pass(&program, &options, first.finish(), driven)? {
                    Next::Done(outcome) => return Ok(done(outcome, recording)),
                    Next::Again(came, second) => At::Second(came, second),
                },
            },
            At::Second(came, mut second) => match second.step()? {
                false => At::Second(came, second),
                true => return Ok(done(came.with(second.finish()), recording)),
            },
        };
        Ok(Step::More(SteppedRun {
            program,
            options,
            recording,
            driven,
            at,
        }))
    }
}

fn done<R, Io>(outcome: Outcome<Io>, recording: Option<Recording>) -> Step<R, Ran<Io>> {
    Step::Done((outcome, recording.and_then(Recording::into_writer)))
}

/// A replay that is made in steps; see [`replay`](super::replay).
pub struct SteppedReplay {
    program: Program,
    open: Open,
    at: Replaying,
}

/// Opens the trace; it is read again if the run raced.
type Open = Box<dyn FnMut() -> Result<TraceReader<TraceInput>, TraceError>>;

enum Replaying {
    Start(ReplayOptions, Box<dyn HostIo>),
    First(Replay, Begun),
    Second(Box<replay::Again>, Begun),
}

impl std::fmt::Debug for SteppedReplay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SteppedReplay").finish_non_exhaustive()
    }
}

impl SteppedReplay {
    /// A replay of which nothing has happened.
    #[must_use]
    pub fn new(
        program: Program,
        open: impl FnMut() -> Result<TraceReader<TraceInput>, TraceError> + 'static,
        options: ReplayOptions,
        echo: Box<dyn HostIo>,
    ) -> SteppedReplay {
        SteppedReplay {
            program,
            open: Box::new(open),
            at: Replaying::Start(options, echo),
        }
    }

    /// Makes a step.
    ///
    /// # Errors
    /// See [`replay`](super::replay).
    pub fn step(self) -> Result<Step<SteppedReplay, Box<Replayed>>, ReplayError> {
        let SteppedReplay {
            program,
            mut open,
            at,
        } = self;
        let at = match at {
            Replaying::Start(options, echo) => {
                let (replay, first) = Replay::begin(&program, open()?, options, echo)?;
                Replaying::First(replay, first)
            }
            Replaying::First(replay, mut first) => match first.step()? {
                false => Replaying::First(replay, first),
                true => match replay.second_pass(&program, first.finish(), &mut open)? {
                    replay::Next::Done(replayed) => return Ok(Step::Done(Box::new(replayed))),
                    replay::Next::Again(again, second) => {
                        Replaying::Second(Box::new(again), second)
                    }
                },
            },
            Replaying::Second(again, mut second) => match second.step()? {
                false => Replaying::Second(again, second),
                true => return Ok(Step::Done(Box::new(again.with(second.finish())?))),
            },
        };
        Ok(Step::More(SteppedReplay { program, open, at }))
    }
}
