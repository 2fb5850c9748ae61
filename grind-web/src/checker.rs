//! The work as an object that is stepped: a module under one seed or many, or a trace that is run again.

use crate::options::Options;
use crate::streams::{Output, Streams, To};
use crate::{Detail, WebError};
use grind_runtime::explore::{Explorer, SeedRange, Seeds};
use grind_runtime::interop::timeline::{self, Marker};
use grind_runtime::model::Control;
use grind_runtime::program::imports::ThreadAbi;
use grind_runtime::program::{Loading, Translate};
use grind_runtime::report::merge::Merge;
use grind_runtime::session::{
    self, FileTree, MemoryFiles, ReplayOptions, Replayed, Reporting, SteppedReplay, TraceInput,
    TraceOutput,
};
use grind_runtime::trace::{self, Header, ModuleHash};
use grind_runtime::{
    Driven, ExitCode, FindingKind, Kind, Outcome, Program, ProgramOptions, Report, RunOptions,
    Step, SteppedRun, Symbolizer, TraceReader, TraceWriter,
};
use std::io::{self, Cursor, Write};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

/// Work that is made in steps.
pub struct Checker {
    options: Options,
    stdin: Arc<[u8]>,
    /// What each run begins with.
    files: FileTree,
    /// What the first run left of them.
    left: Option<FileTree>,
    output: Output,
    /// Of the present run.
    control: Arc<Control>,
    /// Words of records of the runs before.
    words: u64,
    progress: Progress,
    /// `None` after an error, and after the end.
    work: Option<Work>,
    finished: Option<Finished>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Runs that have ended.
    pub runs: u64,
    /// Runs that are to be made.
    pub of: u64,
    /// Findings so far.
    pub findings: u64,
    /// Words of records so far: what the guests have done.
    pub words: u64,
}

/// What came of it.
pub struct Finished {
    /// The report, which can be written as any kind.
    pub report: Report,
    /// What the command exits with.
    pub exit_code: u8,
    /// The trace, if one was recorded.
    pub trace: Option<Vec<u8>>,
    /// It was a trace that ended before the run did.
    pub truncated: bool,
}

enum Work {
    /// Bytes of a module.
    Module(Vec<u8>, Wanted),
    Load(Loading, Wanted),
    Many(Box<Many>),
    Once(Box<Once>),
    Replay(Box<Replaying>),
}

/// What is done with a module.
enum Wanted {
    Check(SeedRange),
    Run,
    /// It is run as this trace says.
    Replay(Arc<[u8]>),
}

struct Guest {
    program: Program,
    symbolizer: Symbolizer,
    options: RunOptions,
}

struct Many {
    guest: Guest,
    seeds: Seeds,
    merge: Merge,
    code: u8,
    /// No more are to be run.
    last: bool,
    now: Option<Stage>,
}

/// A run that is made, and then reported.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one, which a step takes and gives back"
)]
enum Stage {
    Run(SteppedRun<World>),
    Report(Box<Concluded>),
}

/// What the guests see.
type World = MemoryFiles<Streams>;

/// A run that has come to its end.
struct Concluded {
    outcome: Outcome<World>,
    trace: Option<TraceWriter<TraceOutput>>,
    reporting: Reporting,
}

struct Once {
    guest: Guest,
    /// What is written of the trace.
    trace: Option<Buffer>,
    now: Stage,
}

struct Replaying {
    program: Program,
    symbolizer: Symbolizer,
    trace: Arc<[u8]>,
    now: ReplayStage,
}

/// A replay that is made, and then reported.
enum ReplayStage {
    Run(SteppedReplay),
    Report(Box<Replayed>, Reporting),
}

impl Stage {
    /// Makes a step. Returns what there is more to do, or the outcome and its report.
    fn step(self, guest: &Guest) -> Result<ControlFlow<(Concluded, Report), Stage>, WebError> {
        Ok(match self {
            Stage::Run(run) => ControlFlow::Continue(match run.step()? {
                Step::More(run) => Stage::Run(run),
                Step::Done((outcome, trace)) => Stage::Report(Box::new(Concluded {
                    outcome,
                    trace,
                    reporting: Reporting::default(),
                })),
            }),
            Stage::Report(mut concluded) => {
                let Concluded {
                    outcome, reporting, ..
                } = &mut *concluded;
                let Guest {
                    program,
                    symbolizer,
                    options,
                } = guest;
                match reporting.step(outcome, program, symbolizer, options) {
                    true => ControlFlow::Continue(Stage::Report(concluded)),
                    false => {
                        let report = std::mem::take(reporting).finish();
                        ControlFlow::Break((*concluded, report))
                    }
                }
            }
        })
    }
}

/// A trace in memory.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Buffer {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Seeds that are run under if nothing is said.
const SEEDS: &str = "0..20";

/// Words of records of a run up to which its timeline is drawn: that takes a reading of its trace and a run, in one piece.
const DRAWN: u64 = 200_000;

impl Checker {
    /// A module under many seeds.
    ///
    /// # Errors
    /// [`WebError::Options`].
    pub fn check(module: Vec<u8>, options: Options) -> Result<Checker, WebError> {
        if options.trace.is_some() {
            let text = "trace: one run can be recorded, by `run`, and not many seeds";
            return Err(WebError::Options(text.to_owned()));
        }
        if options.seed.is_some() {
            let text = "seed: `check` has `seeds`, a range; one seed is for `run`";
            return Err(WebError::Options(text.to_owned()));
        }
        let seeds = match options.seeds()? {
            Some(seeds) => seeds,
            None => (SEEDS.parse()).map_err(|error| WebError::Options(format!("{error}")))?,
        };
        options.spec()?;
        let work = Work::Module(module, Wanted::Check(seeds));
        Ok(Checker::new(options, work, seeds.len()))
    }

    /// A module under one seed.
    ///
    /// # Errors
    /// [`WebError::Options`].
    pub fn run(module: Vec<u8>, options: Options) -> Result<Checker, WebError> {
        if options.seeds.is_some() {
            let text = "seeds: `run` has one `seed`; many are for `check`";
            return Err(WebError::Options(text.to_owned()));
        }
        options.spec()?;
        Ok(Checker::new(options, Work::Module(module, Wanted::Run), 1))
    }

    /// A trace, and its module if that is not in it.
    ///
    /// # Errors
    /// [`WebError::Trace`] if it is none, [`WebError::NoModule`], [`WebError::Program`].
    pub fn replay(
        trace: Vec<u8>,
        module: Option<Vec<u8>>,
        options: Options,
    ) -> Result<Checker, WebError> {
        let trace: Arc<[u8]> = trace.into();
        let reader = open(&trace)?;
        if reader.header().module_hash == ModuleHash::of(b"") {
            return Err(WebError::Imported);
        }
        let wasm = match (module, reader.module()) {
            (Some(module), _) => module,
            (None, Some(embedded)) => embedded.to_vec(),
            (None, None) => return Err(WebError::NoModule),
        };
        let as_recorded = reader.header().program_options();
        let loading = Loading::for_replay(&wasm, as_recorded.translate(Translate::AsCalled));
        drop(reader);
        let work = Work::Load(loading, Wanted::Replay(trace));
        Ok(Checker::new(options, work, 1))
    }

    fn new(options: Options, work: Work, of: u64) -> Checker {
        Checker {
            options,
            stdin: Arc::default(),
            files: FileTree::default(),
            left: None,
            output: Output::default(),
            control: Arc::default(),
            words: 0,
            progress: Progress {
                of,
                ..Progress::default()
            },
            work: Some(work),
            finished: None,
        }
    }

    /// What the guests read. Each gets all of it.
    pub fn set_stdin(&mut self, bytes: Vec<u8>) {
        self.stdin = bytes.into();
    }

    /// A file that the guests find, or with a slash at the end of its path a directory. Each gets it as it is given.
    ///
    /// # Errors
    /// [`WebError::Options`].
    pub fn add_file(&mut self, path: &str, contents: Vec<u8>) -> Result<(), WebError> {
        Ok(self.files.insert(path, contents)?)
    }

    /// The files as the first run left them, by their paths.
    #[must_use]
    pub fn files(&self) -> Vec<(String, &[u8])> {
        self.left.as_ref().map_or_else(Vec::new, FileTree::files)
    }

    /// What was printed since this was asked last.
    pub fn take_stdout(&self) -> Vec<u8> {
        self.output.take(To::Stdout)
    }

    /// What was printed since this was asked last.
    pub fn take_stderr(&self) -> Vec<u8> {
        self.output.take(To::Stderr)
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            words: self.words + self.control.words(),
            ..self.progress
        }
    }

    /// What came of it, if it has come to its end.
    #[must_use]
    pub fn finished(&self) -> Option<&Finished> {
        self.finished.as_ref()
    }

    /// The report as a kind of its name.
    ///
    /// # Errors
    /// [`WebError::Over`] if there is none yet, [`WebError::Options`] if there is no such kind.
    pub fn render(&self, kind: &str) -> Result<String, WebError> {
        let finished = self.finished.as_ref().ok_or(WebError::Over)?;
        let found = Kind::from_name(kind).ok_or_else(|| {
            let known: Vec<&str> = Kind::all().map(Kind::name).collect();
            WebError::Options(format!(
                "there is no kind of report `{kind}` here: {}",
                known.join(", ")
            ))
        })?;
        Ok(found.render(&finished.report, &grind_runtime::report::Options::default()))
    }

    /// Makes steps while there is time, one at least. Returns whether it has come to its end. Before what takes long by itself the first time,
    /// such as reading debug information, it returns.
    ///
    /// # Errors
    /// [`WebError`]; after one it is over.
    pub fn step(&mut self, mut time: impl FnMut() -> bool) -> Result<bool, WebError> {
        loop {
            let work = self.work.take().ok_or(WebError::Over)?;
            let (work, long) = match work {
                Work::Module(bytes, wanted) => (Some(load(&bytes, wanted)?), false),
                Work::Load(loading, wanted) => match loading.step()? {
                    ControlFlow::Continue(left) => (Some(Work::Load(left, wanted)), false),
                    // In the step after it the engine begins.
                    ControlFlow::Break(program) => (Some(self.prepare(program, wanted)?), true),
                },
                Work::Many(many) => self.many(many)?,
                Work::Once(once) => self.once(*once)?,
                Work::Replay(replaying) => self.replaying(*replaying)?,
            };
            self.work = work;
            if self.work.is_none() {
                return Ok(true);
            }
            if long || !time() {
                return Ok(false);
            }
        }
    }

    /// Begins what is wanted.
    fn prepare(&mut self, program: Program, wanted: Wanted) -> Result<Work, WebError> {
        if self.options.preopens.is_empty() && !self.files.is_empty() {
            self.options.preopens.push(("/".to_owned(), "/".to_owned()));
        }
        let mut options = RunOptions::from(self.options.spec()?).analysis(self.options.analysis());
        let symbolizer = Symbolizer::new(Arc::clone(program.original()));
        Ok(match wanted {
            Wanted::Replay(trace) => {
                let echo = Streams {
                    stdin: Arc::default(),
                    read: 0,
                    output: Some(self.output.clone()),
                };
                let again = Arc::clone(&trace);
                let replay = SteppedReplay::new(
                    program.clone(),
                    move || open(&again),
                    ReplayOptions::default()
                        .analysis(self.options.analysis())
                        .control(Arc::clone(&self.control)),
                    Box::new(echo),
                );
                Work::Replay(Box::new(Replaying {
                    program,
                    symbolizer,
                    trace,
                    now: ReplayStage::Run(replay),
                }))
            }
            Wanted::Check(range) => {
                // Without creating any, a thread can wait for what never comes, if memory is shared.
                let info = program.info();
                let shared = info.memory.is_some_and(|memory| memory.shared);
                if !shared && ThreadAbi::of(info).next().is_none() {
                    let name = |abi: &ThreadAbi| {
                        let (module, name) = abi.create();
                        format!("{module}.{name}")
                    };
                    return Err(WebError::NoThreads(
                        ThreadAbi::ALL.iter().map(name).collect(),
                    ));
                }
                Work::Many(Box::new(Many {
                    seeds: Seeds::new(range, self.options.strategy()?),
                    guest: Guest {
                        program,
                        symbolizer,
                        options,
                    },
                    merge: Merge::new(),
                    code: 0,
                    last: false,
                    now: None,
                }))
            }
            Wanted::Run => {
                options = options.control(Arc::clone(&self.control));
                let trace = self.options.trace.map(|detail| (Buffer::default(), detail));
                let writer = match &trace {
                    Some((buffer, detail)) => {
                        Some(self.record(&program, &options, buffer, *detail)?)
                    }
                    None => None,
                };
                let world = self.world(true)?;
                let run = SteppedRun::new(program.clone(), options.clone(), world, writer);
                Work::Once(Box::new(Once {
                    now: Stage::Run(run),
                    guest: Guest {
                        program,
                        symbolizer,
                        options,
                    },
                    trace: trace.map(|(buffer, _)| buffer),
                }))
            }
        })
    }

    /// What a run begins with.
    fn world(&self, prints: bool) -> Result<World, WebError> {
        let streams = Streams {
            stdin: Arc::clone(&self.stdin),
            read: 0,
            output: prints.then(|| self.output.clone()),
        };
        let preopens = self.options.preopens.iter().cloned();
        Ok(MemoryFiles::new(streams, self.files.clone(), preopens)?)
    }

    fn record(
        &self,
        program: &Program,
        options: &RunOptions,
        buffer: &Buffer,
        detail: Detail,
    ) -> Result<TraceWriter<TraceOutput>, WebError> {
        let header = Header {
            grind: env!("CARGO_PKG_VERSION").to_owned(),
            module: self.options.module().as_bytes().to_vec(),
            module_hash: ModuleHash::of(program.original()),
            embedded: None,
            sites: 0,
            detail: detail.into(),
            spec: options.spec.clone(),
            interceptors: Vec::new(),
            driven: Driven::ByNobody,
            fuel: options.fuel,
        };
        let embedded = (self.options.embed_module).then_some(&**program.original());
        let out: TraceOutput = Box::new(buffer.clone());
        let writer = TraceWriter::create(out, &header, program.sites(), embedded);
        writer.map_err(|error| WebError::Trace(error.into()))
    }

    fn many(&mut self, mut many: Box<Many>) -> Result<(Option<Work>, bool), WebError> {
        let Some(stage) = many.now.take() else {
            let next = if many.last { None } else { many.seeds.next() };
            let Some(schedule) = next else {
                let code = many.code;
                let report = many.merge.finish();
                self.end(report, code, None);
                return Ok((None, true));
            };
            self.words += self.control.words();
            self.control = Arc::default();
            let options = &mut many.guest.options;
            options.control = Arc::clone(&self.control);
            options.spec.schedule = schedule;
            let world = self.world(self.progress.runs == 0)?;
            let program = many.guest.program.clone();
            let run = SteppedRun::new(program, options.clone(), world, None);
            many.now = Some(Stage::Run(run));
            return Ok((Some(Work::Many(many)), false));
        };
        let mut long = false;
        match stage.step(&many.guest)? {
            ControlFlow::Continue(stage) => {
                // What the first report has read is known to the others.
                long = self.progress.runs == 0 && matches!(stage, Stage::Report(_));
                many.now = Some(stage);
            }
            ControlFlow::Break((Concluded { outcome, .. }, mut report)) => {
                self.about(&mut report, &many.guest);
                self.keep_files(&outcome);
                many.code = ExitCode::worse(many.code, outcome.own_exit_code());
                many.merge.add(&many.guest.options.spec.schedule, report);
                self.progress.runs += 1;
                self.progress.findings = many.merge.report_mut().findings.len() as u64;
                many.last = self.options.fail_fast && self.progress.findings > 0;
            }
        }
        Ok((Some(Work::Many(many)), long))
    }

    fn once(&mut self, mut once: Once) -> Result<(Option<Work>, bool), WebError> {
        let (concluded, mut report) = match once.now.step(&once.guest)? {
            ControlFlow::Continue(stage) => {
                let long = matches!(stage, Stage::Report(_));
                once.now = stage;
                return Ok((Some(Work::Once(Box::new(once))), long));
            }
            ControlFlow::Break(concluded) => concluded,
        };
        self.about(&mut report, &once.guest);
        let outcome = concluded.outcome;
        self.keep_files(&outcome);
        let mut bytes = None;
        if let (Some(writer), Some(trace)) = (concluded.trace, once.trace) {
            let code = exit_code(&report, outcome.own_exit_code());
            let footer = outcome.footer(code, report.findings.len());
            let finished = writer.finish(&footer);
            finished.map_err(|error| WebError::Trace(error.into()))?;
            let written: Arc<[u8]> = trace.take().into();
            self.draw(
                &mut report,
                &once.guest.program,
                &written,
                outcome.stats.words,
            )?;
            bytes = Some(written.to_vec());
        }
        self.progress.runs = 1;
        self.progress.findings = report.findings.len() as u64;
        self.end(report, outcome.own_exit_code(), bytes);
        Ok((None, true))
    }

    fn replaying(&mut self, mut replaying: Replaying) -> Result<(Option<Work>, bool), WebError> {
        let (program, symbolizer) = (&replaying.program, &replaying.symbolizer);
        let now = match replaying.now {
            ReplayStage::Run(replay) => match replay.step()? {
                Step::More(replay) => ReplayStage::Run(replay),
                Step::Done(replayed) => ReplayStage::Report(replayed, Reporting::default()),
            },
            ReplayStage::Report(replayed, mut reporting) => {
                let (outcome, options) = (&replayed.outcome, &replayed.options);
                if !reporting.step(outcome, program, symbolizer, options) {
                    let report = replayed.told(reporting.finish());
                    self.replayed(&replayed, report, program, &replaying.trace)?;
                    return Ok((None, true));
                }
                ReplayStage::Report(replayed, reporting)
            }
        };
        let long = matches!(now, ReplayStage::Report(..));
        replaying.now = now;
        Ok((Some(Work::Replay(Box::new(replaying))), long))
    }

    /// A replay has come to its end.
    fn replayed(
        &mut self,
        replayed: &Replayed,
        mut report: Report,
        program: &Program,
        trace: &Arc<[u8]>,
    ) -> Result<(), WebError> {
        let header = open(trace)?.header().clone();
        report.program.module = String::from_utf8_lossy(&header.module).into_owned();
        report.program.arguments = arguments(&replayed.options);
        let words = replayed.outcome.stats.words;
        self.draw(&mut report, program, trace, words)?;
        self.progress.runs = 1;
        self.progress.findings = report.findings.len() as u64;
        self.end(report, replayed.own_exit_code(), None);
        if let Some(finished) = &mut self.finished {
            finished.truncated = replayed.truncated;
        }
        Ok(())
    }

    /// Of many runs the first tells what became of the files.
    fn keep_files(&mut self, outcome: &Outcome<World>) {
        if self.left.is_none() {
            self.left = Some(outcome.io.tree().clone());
        }
    }

    /// Draws the timeline, if the run was short.
    fn draw(
        &self,
        report: &mut Report,
        program: &Program,
        trace: &Arc<[u8]>,
        words: u64,
    ) -> Result<(), WebError> {
        if words > DRAWN {
            return Ok(());
        }
        let light = open(trace)?.header().detail == trace::Detail::Light;
        let marker = Marker::new(Arc::clone(program.sites()), &report.findings);
        let marks = match light && !marker.is_done() {
            true => Some(session::listen(program, || open(trace), marker)?.into_marks()),
            false => None,
        };
        // It is of a trace that was read to its end just now.
        if let Ok(mut drawn) = timeline::timeline(open(trace)?, &report.findings) {
            if let Some(marks) = marks {
                drawn.marks = marks;
            }
            report.timeline = Some(drawn);
        }
        Ok(())
    }

    /// What only the caller knows of a run.
    fn about(&self, report: &mut Report, guest: &Guest) {
        report.program.module = self.options.module().to_owned();
        report.program.arguments = arguments(&guest.options);
        report.reproduce = self.options.reproduce(guest.options.spec.schedule.seed());
    }

    /// `own` is the exit code but for findings.
    fn end(&mut self, report: Report, own: u8, trace: Option<Vec<u8>>) {
        self.finished = Some(Finished {
            exit_code: exit_code(&report, own),
            report,
            trace,
            truncated: false,
        });
    }
}

/// Begins to load a module.
fn load(bytes: &[u8], wanted: Wanted) -> Result<Work, WebError> {
    if bytes.starts_with(&trace::MAGIC) {
        return Err(WebError::IsTrace);
    }
    let options = ProgramOptions::default().translate(Translate::AsCalled);
    Ok(Work::Load(Loading::new(bytes, options), wanted))
}

fn open(trace: &Arc<[u8]>) -> Result<TraceReader<TraceInput>, grind_runtime::TraceError> {
    TraceReader::open(Box::new(Cursor::new(Arc::clone(trace))) as TraceInput)
}

/// Those of the guest, without its name.
fn arguments(options: &RunOptions) -> Vec<String> {
    let given = options.spec.args.iter().skip(1);
    given
        .map(|arg| String::from_utf8_lossy(arg).into_owned())
        .collect()
}

/// What the command exits with, if its own code but for findings is `own`.
fn exit_code(report: &Report, own: u8) -> u8 {
    let findings = &report.findings;
    if findings.iter().any(|one| one.kind != FindingKind::Trap) {
        ExitCode::Findings.code()
    } else if !findings.is_empty() {
        ExitCode::Trap.code()
    } else {
        own
    }
}
