//! Bytes that are no module, almost a module, or a hostile one: always an error, never a panic; and hosts calls
//! with arguments that make no sense.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/run_exports.rs"]
mod run_exports;

use grind_runtime::machine::BufferIo;
use grind_runtime::model::{LimitReached, Limits, RunSpec};
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::program::{Program, imports};
use grind_runtime::report::human;
use grind_runtime::session::{self, Outcome, RunOptions};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::sync::Arc;

/// A fuzz target's saved corpus.
fn corpus_of(target: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let mut paths: Vec<_> = fs::read_dir(corpus.join(target))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 10, "the corpus is not there");
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn corpus() -> Vec<Vec<u8>> {
    corpus_of("load")
}

/// Loads; what can be loaded has to be lowered to a valid module.
fn load(bytes: &[u8]) -> bool {
    match Program::new(bytes) {
        Ok(program) => {
            let lowered = wasmparser::validate(program.lowered()).map(drop);
            assert!(lowered.is_ok(), "{lowered:?}");
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}

#[test]
fn the_corpus_loads() {
    for bytes in corpus() {
        assert!(load(&bytes));
    }
}

#[test]
fn a_module_cut_anywhere_is_an_error_or_a_module() {
    let mut cut = 0;
    for bytes in corpus() {
        for len in 0..bytes.len() {
            cut += u32::from(!load(&bytes[..len]));
        }
    }
    assert!(cut > 1000, "only {cut} cuts were noticed");
}

#[test]
fn a_module_with_a_wrong_byte_is_an_error_or_a_module() {
    let mut wrong = 0;
    for bytes in corpus() {
        for at in 0..bytes.len() {
            for flip in [0x01, 0x40, 0x80, 0xff] {
                let mut bytes = bytes.clone();
                bytes[at] ^= flip;
                wrong += u32::from(!load(&bytes));
            }
        }
    }
    assert!(wrong > 1000, "only {wrong} flips were noticed");
}

fn run(text: &str, limits: Limits) -> Outcome<BufferIo> {
    let program = Program::new(&wat::parse_str(text).unwrap()).unwrap();
    let options = RunOptions::from(RunSpec::default().limits(limits));
    session::run(&program, options, BufferIo::default()).unwrap()
}

/// Calls every function that a guest can import, with every parameter `argument`.
fn call_all(argument: &str) -> String {
    let mut imports = String::new();
    let mut calls = String::new();
    // Those that end the run come last, one per run; here they would hide the others.
    let ends = ["panic", "proc_exit"];
    for (index, function) in imports::host_functions().iter().enumerate() {
        if ends.contains(&function.name) {
            continue;
        }
        let params: Vec<String> = function.params.iter().map(ToString::to_string).collect();
        let result = function
            .result
            .map(|ty| format!("(result {ty})"))
            .unwrap_or_default();
        writeln!(
            imports,
            r#"(import "{}" "{}" (func $f{index} (param {}) {result}))"#,
            function.module,
            function.name,
            params.join(" ")
        )
        .unwrap();
        let args: Vec<String> = params
            .iter()
            .map(|ty| format!("({ty}.const {argument})"))
            .collect();
        let call = format!("(call $f{index} {})", args.join(" "));
        // A wild sleep must not keep the run from its end: time is virtual.
        writeln!(
            calls,
            "{}",
            if function.result.is_some() {
                format!("(drop {call})")
            } else {
                call
            }
        )
        .unwrap();
    }
    format!(
        r#"(module {imports} (import "env" "memory" (memory 1 1 shared))
            (func (export "thread_start") (param i32))
            (func (export "wasi_thread_start") (param i32 i32))
            (func (export "_start") {calls}))"#
    )
}

#[test]
fn host_functions_survive_any_argument() {
    for argument in ["0", "1", "65535", "65536", "0x7fffffff", "0xffffffff"] {
        let limits = Limits::default().steps(Some(10_000_000));
        let outcome = run(&call_all(argument), limits);
        assert!(
            outcome.analysis.traps.is_empty(),
            "{argument}: {:?}",
            outcome.analysis.traps
        );
    }
}

#[test]
fn threads_that_are_not_there_cannot_be_joined() {
    let outcome = run(
        r#"(module
            (import "env" "memory" (memory 1 1 shared))
            (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
            (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
            (import "threadlink" "thread_detach" (func $detach (param i32) (result i32)))
            (func (export "thread_start") (param i32))
            (func $want (param i32 i32)
                (if (i32.ne (local.get 0) (local.get 1)) (then (unreachable))))
            (func (export "_start")
                (call $want (call $join (i32.const 0)) (i32.const 5))
                (call $want (call $join (i32.const 77)) (i32.const 1))
                (call $want (call $create (i32.const 65533) (i32.const 0)) (i32.const 4))
                (call $want (call $create (i32.const 0) (i32.const 0)) (i32.const 0))
                (call $want (call $join (i32.load (i32.const 0))) (i32.const 0))
                (call $want (call $join (i32.load (i32.const 0))) (i32.const 1))
                (call $want (call $detach (i32.load (i32.const 0))) (i32.const 1))))"#,
        Limits::default(),
    );
    assert!(
        outcome.analysis.traps.is_empty(),
        "{:?}",
        outcome.analysis.traps
    );
    assert_eq!(outcome.exit_code(), 0);
}

#[test]
fn a_module_that_cannot_be_instantiated_says_why() {
    for (text, words) in [
        (
            "(table 2 funcref) (elem (i32.const 4000000000) $start)",
            "an element segment of 1 at 4000000000",
        ),
        ("(table 4000000000 funcref)", "a table has more than"),
        (
            r#"(import "env" "table" (table 4000000000 funcref))"#,
            "a table has more than",
        ),
    ] {
        let text = format!(r#"(module {text} (func $start (export "_start")))"#);
        let error = match Program::new(&wat::parse_str(&text).unwrap()) {
            Ok(program) => match session::run(&program, RunOptions::default(), BufferIo::default())
            {
                Ok(_) => panic!("{text} runs"),
                Err(error) => error.to_string(),
            },
            Err(error) => panic!("{text}: {error}"),
        };
        assert!(error.contains(words), "{text}: {error}");
        assert!(!error.contains("defect"), "{text}: {error}");
    }
}

#[test]
fn a_table_that_would_fill_the_hosts_memory_does_not_grow() {
    // To be refused by one's own declaration is no limit of the run.
    for (maximum, reached) in [("", true), ("200000", false)] {
        let text = format!(
            r#"(module (table 0 {maximum} funcref)
                (func (export "_start")
                    (if (i32.ne (table.grow (ref.null func) (i32.const 4000000000)) (i32.const -1))
                        (then (unreachable)))
                    (if (i32.ne (table.grow (ref.null func) (i32.const 100000)) (i32.const 0))
                        (then (unreachable)))))"#
        );
        let outcome = run(&text, Limits::default());
        assert!(outcome.analysis.traps.is_empty());
        assert_eq!(
            outcome.limits_reached.contains(&LimitReached::Tables),
            reached
        );
        let program = Program::new(&wat::parse_str(&text).unwrap()).unwrap();
        let symbolizer = Symbolizer::new(Arc::clone(program.original()));
        let report = outcome.report(&program, &symbolizer, &RunOptions::default());
        let said = human::render(&report, &human::Options::default());
        assert_eq!(
            said.contains("a table of more than 10000000 elements"),
            reached,
            "{said}"
        );
    }
}

#[test]
fn the_corpora_run() {
    let corpora = ["load", "run"].map(corpus_of);
    let ran: usize = corpora
        .iter()
        .flatten()
        .map(|bytes| run_exports::run_exports(bytes))
        .sum();
    assert!(ran >= 30, "{ran}");
}

/// Bodies are looked through before they are validated: what they name can be anything.
#[test]
fn a_local_that_does_not_exist_takes_no_memory() {
    for instruction in [0x20, 0x21, 0x22] {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        // One function without parameters, results and locals.
        wasm.extend([1, 4, 1, 0x60, 0, 0]);
        wasm.extend([3, 2, 1, 0]);
        let body = [0, instruction, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x1a, 0x0b];
        wasm.extend([10, body.len() as u8 + 2, 1, body.len() as u8]);
        wasm.extend(body);
        let error = Program::new(&wasm).err().unwrap().to_string();
        assert!(error.contains("local"), "{error}");
    }
}
