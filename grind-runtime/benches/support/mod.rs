//! Kernels, the ways to run them, and the clocks.

use grind_runtime::detect::{AnalysisOptions, Detect, LiveAnalysis};
use grind_runtime::machine::{self, MachineConfig, NullIo};
use grind_runtime::model::{Driven, Ending, Event, EventKind, EventSink, NullSink, ThreadId};
use grind_runtime::program::{Instrumentation, Program, ProgramOptions};
use grind_runtime::schedule::Random;
use grind_runtime::session::{self, RunOptions, TraceOutput};
use grind_runtime::trace::{Detail, Header, ModuleHash, TraceWriter};
use rustix::time::{ClockId, clock_gettime};
use std::io::{self, Write};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(crate) enum Source {
    Text(&'static str),
    Binary(&'static [u8]),
    File(Vec<u8>),
}

pub(crate) struct Kernel {
    pub(crate) name: &'static str,
    source: Source,
    /// Whether it needs more than plain wasmi.
    pub(crate) threads: bool,
}

const fn text(name: &'static str, text: &'static str, threads: bool) -> Kernel {
    Kernel {
        name,
        source: Source::Text(text),
        threads,
    }
}

pub(crate) const KERNELS: &[Kernel] = &[
    text("mem", include_str!("../kernels/mem.wat"), false),
    text("calls", include_str!("../kernels/calls.wat"), false),
    Kernel {
        name: "mixed",
        source: Source::Binary(include_bytes!("../kernels/mixed.wasm")),
        threads: false,
    },
    text("locks", include_str!("../kernels/locks.wat"), true),
];

/// Measured otherwise than by their slowdown.
const OTHERS: &[Kernel] = &[
    text("switches", include_str!("../kernels/switches.wat"), true),
    text("touch", include_str!("../kernels/touch.wat"), false),
    text("share", include_str!("../kernels/share.wat"), true),
    text("empty", r#"(module (func (export "_start")))"#, false),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The engine without the machine.
    Direct,
    /// The machine with the instrumentation off, nobody listening.
    Plain,
    /// Instrumented, nobody listening.
    Ring,
    /// [`Detect::None`].
    None,
    /// As users run it. A thread that is alone is only followed.
    Host,
    /// With a second thread that does nothing, so that nobody is alone.
    Detect,
}

impl Mode {
    pub(crate) const ALL: [Mode; 6] = [
        Mode::Plain,
        Mode::Direct,
        Mode::Ring,
        Mode::None,
        Mode::Host,
        Mode::Detect,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Direct => "direct",
            Mode::Plain => "plain",
            Mode::Ring => "ring",
            Mode::None => "none",
            Mode::Host => "host",
            Mode::Detect => "detect",
        }
    }

    pub(crate) fn named(name: &str) -> Mode {
        let found = Mode::ALL.into_iter().find(|mode| mode.name() == name);
        found.unwrap_or_else(|| panic!("no mode is called {name}"))
    }
}

impl Kernel {
    pub(crate) fn named(name: &str) -> &'static Kernel {
        let found = KERNELS
            .iter()
            .chain(OTHERS)
            .find(|kernel| kernel.name == name);
        found.unwrap_or_else(|| panic!("no kernel is called {name}"))
    }

    /// A module of the user's. It must end by returning, and be free of races.
    pub(crate) fn read(path: &str) -> Kernel {
        let wasm = std::fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        Kernel {
            name: "module",
            source: Source::File(wasm),
            threads: true,
        }
    }

    pub(crate) fn wasm(&self) -> Vec<u8> {
        match self.source {
            Source::Text(text) => wat::parse_str(text).expect("a kernel of ours"),
            Source::Binary(wasm) => wasm.to_vec(),
            Source::File(ref wasm) => wasm.clone(),
        }
    }

    pub(crate) fn program(&self, mode: Mode) -> Program {
        let instrumentation = match mode {
            Mode::Direct | Mode::Plain => Instrumentation::Off,
            Mode::Ring | Mode::None | Mode::Host | Mode::Detect => Instrumentation::Full,
        };
        let options = ProgramOptions::default().instrumentation(instrumentation);
        let program = Program::with_options(&self.wasm(), options);
        program.expect("a kernel of ours")
    }
}

/// Runs a kernel; returns the number of its records.
pub(crate) fn run(program: &Program, kernel: &Kernel, mode: Mode) -> u64 {
    let on_machine = |sink: Box<dyn EventSink>| {
        let config = MachineConfig::new(Box::new(Random::new(1)), sink, Box::new(NullIo));
        machine::run(program, config).expect("a kernel of ours")
    };
    let (ending, records) = match mode {
        Mode::Direct => (direct(program.original()), 0),
        Mode::Plain | Mode::Ring => (on_machine(Box::new(NullSink)).ending, 0),
        Mode::Detect if !kernel.threads => {
            let options = AnalysisOptions::default();
            let mut analysis = LiveAnalysis::new(Arc::clone(program.sites()), options);
            let (thread, child) = (ThreadId(0), ThreadId(1));
            let _ = analysis.event(&Event {
                thread,
                kind: EventKind::ThreadCreate { child },
            });
            let result = on_machine(Box::new(analysis));
            let ending = result.ending.clone();
            let found = result.into_sink::<LiveAnalysis>().finish();
            (ending, found.stats.records)
        }
        Mode::None | Mode::Host | Mode::Detect => {
            let detect = if mode == Mode::None {
                Detect::None
            } else {
                Detect::HappensBefore
            };
            let options = RunOptions::seeded(1).analysis(AnalysisOptions::default().detect(detect));
            let outcome = session::run(program, options, NullIo).expect("a kernel of ours");
            assert!(
                outcome.analysis.diagnoses.is_empty(),
                "kernels are free of races"
            );
            (outcome.ending, outcome.analysis.stats.records)
        }
    };
    assert_eq!(ending, Ending::Returned, "{}", kernel.name);
    records
}

/// What a recorded run took.
pub(crate) struct Recorded {
    /// Of the file, without what is written before the run.
    pub(crate) bytes: u64,
    pub(crate) events: u64,
    pub(crate) records: u64,
}

/// Counts what is written, and drops it.
#[derive(Clone, Default)]
struct Counter(Arc<AtomicU64>);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Runs a kernel as [`Mode::Host`] does, and records it.
pub(crate) fn record(program: &Program, detail: Detail) -> Recorded {
    let options = RunOptions::seeded(1);
    let header = Header {
        grind: String::new(),
        module: Vec::new(),
        module_hash: ModuleHash::of(b""),
        embedded: None,
        sites: 0,
        detail,
        spec: options.spec.clone(),
        interceptors: Vec::new(),
        driven: Driven::ByNobody,
        fuel: options.fuel,
    };
    let counter = Counter::default();
    let output = Box::new(counter.clone()) as TraceOutput;
    let writer = TraceWriter::create(output, &header, program.sites(), None);
    let before = counter.0.load(Ordering::Relaxed);
    let ran = session::record(
        program,
        options,
        NullIo,
        writer.expect("nothing is written"),
    );
    let (outcome, writer) = ran.expect("a kernel of ours");
    let ended = writer.finish(&outcome.footer(0, 0));
    ended.expect("nothing is written");
    Recorded {
        bytes: counter.0.load(Ordering::Relaxed) - before,
        events: outcome.stats.events,
        records: outcome.analysis.stats.records,
    }
}

/// The same engine with the same settings, but for fuel.
fn direct(wasm: &[u8]) -> Ending {
    let mut config = wasmi::Config::default();
    config.compilation_mode(wasmi::CompilationMode::Eager);
    let engine = wasmi::Engine::new(&config);
    let module = wasmi::Module::new(&engine, wasm).expect("a kernel of ours");
    let mut store = wasmi::Store::new(&engine, ());
    let instance = wasmi::Linker::new(&engine).instantiate_and_start(&mut store, &module);
    let instance = instance.expect("a kernel without imports");
    let start = instance.get_typed_func::<(), ()>(&store, "_start");
    start
        .and_then(|start| start.call(&mut store, ()))
        .expect("a kernel of ours");
    Ending::Returned
}

/// CPU seconds of this thread.
fn now() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

pub(crate) fn cpu<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let before = now();
    let result = work();
    (now() - before, result)
}

pub(crate) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Peak of this process's resident memory, in bytes; 0 where that cannot be known.
pub(crate) fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

fn myself() -> Command {
    Command::new(std::env::current_exe().expect("this program runs"))
}

pub(crate) fn measure_memory(kernel: &str, mode: Mode) -> f64 {
    let output = myself()
        .args(["--once", kernel, mode.name()])
        .output()
        .expect("it runs again");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .expect("a number of bytes")
}

pub(crate) fn count_instructions(kernel: &str, mode: Mode) -> Option<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe().expect("this program runs"))
        .args(["--once", kernel, mode.name()])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    let (_, count) = text
        .lines()
        .find_map(|line| line.split_once("Collected : "))?;
    count.trim().parse().ok()
}

/// The mixed kernel with every function many times over: as large as real guests are.
pub(crate) fn large_module() -> Vec<u8> {
    const COPIES: usize = 40;
    let wasm = Kernel::named("mixed").wasm();
    let mut module = wasm_encoder::Module::new();
    let mut functions = wasm_encoder::FunctionSection::new();
    let mut code = wasm_encoder::CodeSection::new();
    let mut types = Vec::new();
    let mut bodies = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(&wasm) {
        let payload = payload.expect("a kernel of ours");
        match &payload {
            wasmparser::Payload::FunctionSection(reader) => {
                types.extend(reader.clone().into_iter().map_while(Result::ok));
                for _ in 0..COPIES {
                    for &ty in &types {
                        functions.function(ty);
                    }
                }
                module.section(&functions);
            }
            wasmparser::Payload::CodeSectionEntry(body) => {
                let range = body.range();
                bodies.push(&wasm[range.start as usize..range.end as usize]);
                if bodies.len() == types.len() {
                    for _ in 0..COPIES {
                        for body in &bodies {
                            code.raw(body);
                        }
                    }
                    module.section(&code);
                }
            }
            wasmparser::Payload::CodeSectionStart { .. } => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    let data = &wasm[range.start as usize..range.end as usize];
                    module.section(&wasm_encoder::RawSection { id, data });
                }
            }
        }
    }
    module.finish()
}
