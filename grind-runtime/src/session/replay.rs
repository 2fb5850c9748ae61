//! Running a trace again.

use super::observe::{Observe, Observer};
use super::pass::{Begun, Pass, Passed, pass};
use super::playback::{Divergence, Playback, PlaybackIo, Played, TraceInput};
use super::record::{Recording, TraceOutput};
use super::{ExitCode, FirstCame, Outcome, RunOptions, SECOND_STOPPED, downcast};
use crate::detect::{AnalysisOptions, Detect, LiveAnalysis};
use crate::machine::{HostIo, MachineError, NullIo};
use crate::model::{Control, Driven, Ending, EventSink};
use crate::program::symbols::Symbolizer;
use crate::program::{Program, ProgramOptions};
use crate::report::finding::summary::{Command, GuestExit, Report};
use crate::trace::{Header, ModuleHash, TraceError, TraceReader, TraceWriter};
use derive_setters::Setters;
use std::sync::Arc;

/// What to do with a trace besides running it.
#[derive(Default, Setters)]
#[non_exhaustive]
pub struct ReplayOptions {
    /// What to look for.
    pub analysis: AnalysisOptions,
    /// What to look at.
    pub observe: Option<Observe>,
    /// Where to record it again.
    pub record: Option<TraceWriter<TraceOutput>>,
    /// The run seen from outside.
    pub control: Arc<Control>,
}

/// What came of a replay.
pub struct Replayed {
    /// The run.
    pub outcome: Outcome<NullIo>,
    /// How it was run.
    pub options: RunOptions,
    /// The trace ended before the run: it is truncated.
    pub truncated: bool,
    /// What was looked at.
    pub observed: Option<Observer>,
    /// The new trace, without a footer yet.
    pub record: Option<TraceWriter<TraceOutput>>,
}

impl Replayed {
    /// What it showed, and that the trace is truncated where it is.
    #[must_use]
    pub fn report(&self, program: &Program, symbolizer: &Symbolizer) -> Report {
        self.told(self.outcome.report(program, symbolizer, &self.options))
    }

    /// A report of its outcome as one of the replay.
    #[must_use]
    pub fn told(&self, mut report: Report) -> Report {
        report.command = Command::Replay;
        if self.truncated {
            let text = "the trace is truncated: the run was ended where it ends";
            report.warnings.push(text.to_owned());
            if let Some(GuestExit::Stopped { reason }) = &mut report.exit {
                *reason = "the end of the trace".to_owned();
            }
        }
        report
    }

    /// The exit code but for findings: that of the run, unless it only ended because the trace did.
    #[must_use]
    pub fn own_exit_code(&self) -> u8 {
        match self.outcome.own_exit_code() {
            // It is stopped where the trace ends, as by a time-out.
            code if self.truncated && [0, ExitCode::Timeout.code()].contains(&code) => {
                ExitCode::Truncated.code()
            }
            code => code,
        }
    }
}

/// Why a trace could not be run again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The program cannot be started.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// It is of another module.
    #[error("the trace is of module {recorded}, this one is {given}")]
    OtherModule {
        /// SHA-256 of the module that ran.
        recorded: ModuleHash,
        /// SHA-256 of the one that was given.
        given: ModuleHash,
    },
    /// This grind sees other sites in the module than the one that recorded.
    #[error(
        "grind {recorded} recorded the trace and instrumented the module in another way than this grind ({}) does; \
         replay it with the grind that wrote it, or record it again",
        env!("CARGO_PKG_VERSION")
    )]
    OtherSites {
        /// Version of the grind that recorded.
        recorded: String,
    },
    /// The run was another one.
    #[error(transparent)]
    Diverged(#[from] Divergence),
}

impl Header {
    /// How its program has to be made.
    #[must_use]
    pub fn program_options(&self) -> ProgramOptions {
        ProgramOptions {
            interceptors: self.interceptors.clone(),
            ..ProgramOptions::default()
        }
    }
}

/// Runs a program as a trace says, compares what it does with what it did, and looks for what the options say. `open`
/// opens the trace; it is read again if the run raced. What the guest prints goes to `echo`.
///
/// # Errors
/// [`ReplayError`].
pub fn replay(
    program: &Program,
    mut open: impl FnMut() -> Result<TraceReader<TraceInput>, TraceError>,
    options: ReplayOptions,
    echo: Box<dyn HostIo>,
) -> Result<Replayed, ReplayError> {
    let (replay, first) = Replay::begin(program, open()?, options, echo)?;
    match replay.second_pass(program, first.complete()?, &mut open)? {
        Next::Done(replayed) => Ok(replayed),
        Next::Again(again, second) => again.with(second.complete()?),
    }
}

/// What a replay needs to know besides its first pass.
pub(super) struct Replay {
    playback: Playback,
    options: RunOptions,
    control: Arc<Control>,
    recording: Option<Recording>,
    observing: bool,
    driven: Driven,
}

/// What is to be done after the first pass.
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart where it is returned"
)]
pub(super) enum Next {
    /// Nothing: this came of the replay.
    Done(Replayed),
    /// The second pass.
    Again(Again, Begun),
}

/// What came of a replay but for its findings, and what the second pass, which completes them, reads.
pub(super) struct Again {
    came: FirstCame<NullIo>,
    playback: Playback,
    options: RunOptions,
    truncated: bool,
    observed: Option<Observer>,
    recording: Option<Recording>,
}

impl Replay {
    /// Begins the first pass.
    pub(super) fn begin(
        program: &Program,
        reader: TraceReader<TraceInput>,
        options: ReplayOptions,
        echo: Box<dyn HostIo>,
    ) -> Result<(Replay, Begun), ReplayError> {
        let (reader, header) = of_program(reader, program)?;
        let mut run_options = RunOptions::from(header.spec).fuel(header.fuel);
        run_options.analysis = options.analysis;
        let sites = || Arc::clone(program.sites());
        let recording = options.record.map(Recording::new);
        let playback = Playback::new(reader, Arc::clone(&options.control));
        let io = PlaybackIo {
            playback: playback.clone(),
            echo,
        };
        let mut others: Vec<Box<dyn EventSink>> = vec![Box::new(playback.clone())];
        let observing = options.observe.is_some();
        if let Some(observe) = options.observe {
            others.push(Box::new(Observer::new(sites(), observe)));
        }
        let first = Pass {
            scheduler: Box::new(playback.clone()),
            logged: true,
            analysis: LiveAnalysis::new(sites(), run_options.analysis.clone()),
            others,
            recording: recording.as_ref(),
            io: Box::new(io),
            control: Arc::clone(&options.control),
            driven: header.driven,
        };
        let first = Begun::new(program, &run_options, first)?;
        let replay = Replay {
            playback,
            options: run_options,
            control: options.control,
            recording,
            observing,
            driven: header.driven,
        };
        Ok((replay, first))
    }

    /// Looks at what came of the first pass, and begins the second, if one is needed: it reads the trace again.
    pub(super) fn second_pass(
        self,
        program: &Program,
        mut first: Passed,
        open: impl FnOnce() -> Result<TraceReader<TraceInput>, TraceError>,
    ) -> Result<Next, ReplayError> {
        let ended = !matches!(first.ending, Ending::Halted | Ending::TimedOut);
        let truncated = matches!(played(&self.playback, ended)?, Played::Truncated);
        if first.ending == Ending::Halted && self.playback.was_timed_out() {
            first.ending = Ending::TimedOut;
        }
        let observer = first.others.pop().filter(|_| self.observing);
        let observed = observer.map(|observer| *downcast::<Observer>(observer));
        let mut analysis = first.analysis;
        if matches!(first.ending, Ending::Returned | Ending::Exited(0)) {
            analysis.end_normally();
        }
        // What still listens to the first pass writes to it.
        drop((first.others, first.io));
        let mut again = Again {
            came: FirstCame {
                ending: first.ending,
                limits_reached: first.limits_reached,
                stats: first.stats,
                io: NullIo,
                decisions: first.decisions,
                profile: None,
                warnings: Vec::new(),
            },
            playback: self.playback,
            options: self.options,
            truncated,
            observed,
            recording: self.recording,
        };
        if !analysis.needs_second_pass() {
            return Ok(Next::Done(again.replayed(analysis)));
        }
        self.control.next_pass();
        again.playback = Playback::new(open()?, Arc::clone(&self.control));
        let io = PlaybackIo {
            playback: again.playback.clone(),
            echo: Box::new(NullIo),
        };
        let second = Pass {
            scheduler: Box::new(again.playback.clone()),
            logged: false,
            analysis: analysis.into_second_pass(),
            others: vec![Box::new(again.playback.clone())],
            recording: None,
            io: Box::new(io),
            control: self.control,
            driven: self.driven,
        };
        let second = Begun::new(program, &again.options, second)?;
        Ok(Next::Again(again, second))
    }
}

impl Again {
    /// What came of the replay, with what the second pass learned.
    pub(super) fn with(mut self, second: Passed) -> Result<Replayed, ReplayError> {
        // A truncated trace ends the run the same way.
        if second.ending == Ending::TimedOut && !self.truncated {
            self.came.warnings.push(SECOND_STOPPED.to_owned());
        }
        played(&self.playback, false)?;
        Ok(self.replayed(second.analysis))
    }

    fn replayed(self, analysis: LiveAnalysis) -> Replayed {
        Replayed {
            outcome: self.came.outcome(analysis),
            options: self.options,
            truncated: self.truncated,
            observed: self.observed,
            record: self.recording.and_then(Recording::into_writer),
        }
    }
}

/// Runs a program as a trace says, for somebody who listens to all that happens. It ends with the trace, or as soon as the
/// listener has heard enough.
///
/// # Errors
/// [`ReplayError`].
pub fn listen<S: EventSink>(
    program: &Program,
    mut open: impl FnMut() -> Result<TraceReader<TraceInput>, TraceError>,
    listener: S,
) -> Result<S, ReplayError> {
    let (reader, header) = of_program(open()?, program)?;
    let driven = header.driven;
    let mut options = RunOptions::from(header.spec).fuel(header.fuel);
    options.analysis.detect = Detect::None;
    let control = Arc::default();
    let playback = Playback::new(reader, Arc::clone(&control));
    let io = PlaybackIo {
        playback: playback.clone(),
        echo: Box::new(NullIo),
    };
    let mut passed = pass(
        program,
        &options,
        Pass {
            scheduler: Box::new(playback.clone()),
            logged: false,
            analysis: LiveAnalysis::new(Arc::clone(program.sites()), options.analysis.clone()),
            others: vec![Box::new(playback.clone()), Box::new(listener)],
            recording: None,
            io: Box::new(io),
            control,
            driven,
        },
    )?;
    played(&playback, false)?;
    let listener = passed.others.pop().expect("those who listen come back");
    Ok(*downcast::<S>(listener))
}

/// The trace and its header, if it is one of this program.
fn of_program(
    reader: TraceReader<TraceInput>,
    program: &Program,
) -> Result<(TraceReader<TraceInput>, Header), ReplayError> {
    check(&reader, program)?;
    let header = reader.header().clone();
    Ok((reader, header))
}

/// Whether a trace is one of this program, as this grind instruments it.
///
/// # Errors
/// [`ReplayError::OtherModule`] or [`ReplayError::OtherSites`].
pub fn check(reader: &TraceReader<TraceInput>, program: &Program) -> Result<(), ReplayError> {
    let header = reader.header();
    let given = ModuleHash::of(program.original());
    if given != header.module_hash {
        return Err(ReplayError::OtherModule {
            recorded: header.module_hash,
            given,
        });
    }
    if reader.sites() != program.sites() {
        return Err(ReplayError::OtherSites {
            recorded: header.grind.clone(),
        });
    }
    Ok(())
}

fn played(playback: &Playback, ended: bool) -> Result<Played, ReplayError> {
    match playback.finish(ended) {
        Played::Diverged(divergence) => Err(divergence.into()),
        Played::Unreadable(error) => Err(error.into()),
        played => Ok(played),
    }
}
