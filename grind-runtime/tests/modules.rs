//! Several modules over one memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/recording.rs"]
#[expect(dead_code, reason = "not all suites use all of it")]
mod recording;

use grind_runtime::host::{LinkError, Modules, ThreadRuntime};
use grind_runtime::session::{ReplayOptions, TraceInput};
use grind_runtime::{
    ActError, Diagnosis, HostImport, NullIo, Program, ProgramOptions, RunOptions, Symbolizer,
    TraceReader, Value, replay,
};
use recording::Memory;
use std::io::Cursor;

/// One with a bit of everything that a module can have.
const COUNTER: &str = r#"(module
    (import "host" "ten" (func $ten (result i32)))
    (import "env" "mem" (memory 1 4 shared))
    (type $op (func (param i32) (result i32)))
    (table $ops 2 funcref)
    (global $step (mut i32) (i32.const 0))
    (elem (i32.const 0) func $add $sub)
    (elem declare func $sub)
    (data (i32.const 16) "\05\00\00\00")
    (data $passive "\07\00\00\00")
    (func $add (type $op)
        (i32.atomic.rmw.add (i32.const 64) (local.get 0)))
    (func $sub (type $op)
        (i32.atomic.rmw.sub (i32.const 64) (local.get 0)))
    (func $start (global.set $step (call $ten)))
    (start $start)
    (func (export "run") (param $op i32) (result i32)
        (drop (call_indirect $ops (type $op) (global.get $step) (local.get $op)))
        (i32.atomic.load (i32.const 64)))
    (func (export "data") (param $to i32) (result i32)
        (memory.init $passive (local.get $to) (i32.const 0) (i32.const 4))
        (i32.add (i32.load (i32.const 16)) (i32.load (local.get $to))))
    (func $write (export "write") (i32.store (i32.const 128) (i32.const 1))))"#;

/// Another, whose numbers mean other things.
const READER: &str = r#"(module
    (import "env" "memory" (memory 2 8 shared))
    (import "host" "add" (func $host_add (param i32 i32) (result i32)))
    (import "host" "ten" (func $ten (result i32)))
    (global $unused i64 (i64.const 3))
    (global $seven i32 (i32.const 7))
    (table $other 3 funcref)
    (elem (i32.const 2) func $of_ten)
    (data (i32.const 24) "\09")
    (func $of_ten (result i32) (call $host_add (call $ten) (global.get $seven)))
    (func (export "run") (param i64) (result i32)
        (call_indirect $other (result i32) (i32.const 2)))
    (func $peek (export "peek") (param $at i32) (result i32)
        (i32.load8_u (local.get $at)))
    (func (export "grow") (result i32) (memory.grow (i32.const 2))))"#;

fn modules() -> Modules {
    let wasm = [COUNTER, READER].map(|wat| wat::parse_str(wat).unwrap());
    let [counter, reader] = &wasm;
    Modules::new(2)
        .add("counter", counter)
        .and_then(|modules| modules.add("reader", reader))
        .unwrap()
}

fn program() -> Program {
    let imports = vec![
        HostImport::wrap("host", "ten", |_, ()| Ok(10)),
        HostImport::wrap("host", "add", |_, (a, b): (i32, i32)| Ok(a + b)),
    ];
    modules()
        .link(ProgramOptions::default().imports(imports))
        .unwrap()
}

#[test]
fn each_module_keeps_what_is_its_own_and_all_share_the_memory() {
    for seed in 0..10 {
        let runtime =
            ThreadRuntime::with_program(&program(), RunOptions::seeded(seed), NullIo).unwrap();
        let result = |module: &str, export: &str, args: &[Value]| {
            let thread = runtime.spawn_in(module, export, args.iter().copied());
            match thread.unwrap().join().unwrap()[..] {
                [Value::I32(result)] => result,
                ref other => panic!("{other:?}"),
            }
        };
        assert_eq!(result("counter", "run", &[Value::I32(0)]), 10);
        assert_eq!(result("counter", "run", &[Value::I32(0)]), 20);
        assert_eq!(result("counter", "run", &[Value::I32(1)]), 10);
        assert_eq!(result("reader", "run", &[Value::I64(0)]), 17);
        assert_eq!(result("reader", "peek", &[Value::I32(64)]), 10);
        assert_eq!(result("counter", "data", &[Value::I32(32)]), 12);
        assert_eq!(result("reader", "peek", &[Value::I32(24)]), 9);
        assert_eq!(result("reader", "peek", &[Value::I32(32)]), 7);
        // The least maximum is that of the memory.
        assert_eq!(result("reader", "grow", &[]), 2);
        assert_eq!(result("reader", "grow", &[]), -1);
        let found = runtime.finish().unwrap().analysis.diagnoses;
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn an_export_that_only_one_has_is_found_by_its_own_name() {
    let program = program();
    let runtime = ThreadRuntime::with_program(&program, RunOptions::seeded(1), NullIo).unwrap();
    let peek = runtime.spawn("peek", [Value::I32(16)]).unwrap();
    assert_eq!(peek.join().unwrap(), [Value::I32(5)]);
    let unclear = runtime.spawn("run", [Value::I32(0)]).unwrap_err();
    assert_eq!(unclear, ActError::NoFunction("run".to_owned()));
    let types = runtime.spawn_in("reader", "run", [Value::I32(0)]);
    let said = "the export `reader.run` takes (i64), and not [I32(0)]";
    assert_eq!(types.unwrap_err().to_string(), said);
    let gone = runtime.spawn_in("writer", "run", []).unwrap_err();
    assert_eq!(gone, ActError::NoFunction("writer.run".to_owned()));
}

#[test]
fn start_functions_run_in_every_instance() {
    let runtime = ThreadRuntime::with_program(&program(), RunOptions::seeded(2), NullIo).unwrap();
    // `run` uses what the module's start function set.
    let instance = runtime.instance().unwrap();
    let run = instance.call("counter.run", [Value::I32(0)]);
    assert_eq!(run.unwrap(), [Value::I32(10)]);
    let spawned = runtime.spawn("counter.run", [Value::I32(0)]).unwrap();
    assert_eq!(spawned.join().unwrap(), [Value::I32(20)]);
}

#[test]
fn names_that_collide_or_are_of_no_function_harm_nobody() {
    let other = |name: &str| {
        let wat = format!(
            r#"(module (import "env" "mem" (memory 1 4 shared))
                (func (export "{name}") (result i32) (i32.const 3)))"#
        );
        wat::parse_str(wat).unwrap()
    };
    let mut named = other("run");
    // Of functions: one that there is not, by a name of one byte.
    let name = b"\x01\x08\x01\xff\xff\xff\xff\x0f\x01x";
    named.extend([0, 5 + name.len() as u8, 4]);
    named.extend(b"name");
    named.extend(name);
    let program = Modules::new(1)
        .add("a", &named)
        .and_then(|modules| modules.add("b", &other("a.run")))
        .and_then(|modules| modules.link(ProgramOptions::default()))
        .unwrap();
    let runtime = ThreadRuntime::with_program(&program, RunOptions::seeded(2), NullIo).unwrap();
    for (module, export) in [("a", "run"), ("b", "a.run")] {
        let thread = runtime.spawn_in(module, export, []).unwrap();
        assert_eq!(thread.join().unwrap(), [Value::I32(3)]);
    }
}

/// Lets a thread of each module access a byte, the second when the first has ended, or not.
fn two_modules(program: &Program, seed: u64, joins: bool) -> (Vec<u8>, Vec<Diagnosis>) {
    let file = Memory::default();
    let (options, out) = (RunOptions::seeded(seed), file.clone());
    let runtime = ThreadRuntime::record(program, options, NullIo, out).unwrap();
    let write = runtime.spawn_in("counter", "write", []).unwrap();
    if joins {
        write.join().unwrap();
    }
    let peek = runtime.spawn_in("reader", "peek", [Value::I32(128)]);
    peek.unwrap().join().unwrap();
    if !joins {
        write.join().unwrap();
    }
    let diagnoses = runtime.finish().unwrap().analysis.diagnoses.into_iter();
    (file.bytes(), diagnoses.map(|one| one.diagnosis).collect())
}

#[test]
fn a_race_of_two_modules_names_both_and_replays() {
    let program = program();
    let symbolizer = Symbolizer::new(program.original().clone());
    for seed in 0..10 {
        assert_eq!(two_modules(&program, seed, true).1, []);
        let (trace, found) = two_modules(&program, seed, false);
        let [Diagnosis::DataRace { first, second, .. }] = &found[..] else {
            panic!("{found:?}")
        };
        let mut functions = [first, second].map(|access| {
            let site = program.sites().get(access.stack[0]);
            symbolizer.function_name(site.func)
        });
        functions.sort();
        let expected = ["counter.write", "reader.peek"].map(|name| Some(name.to_owned()));
        assert_eq!(functions, expected);

        let open = || TraceReader::open(Box::new(Cursor::new(trace.clone())) as TraceInput);
        let reader = open().unwrap();
        let (module, options) = (reader.module().unwrap(), reader.header().program_options());
        let again = Program::for_replay(module, options).unwrap();
        let again = replay(&again, open, ReplayOptions::default(), Box::new(NullIo)).unwrap();
        let again = again.outcome.analysis.diagnoses.into_iter();
        assert_eq!(again.map(|one| one.diagnosis).collect::<Vec<_>>(), found);
    }
}

#[test]
fn functions_with_a_meaning_have_it_in_linked_modules() {
    let wat = r#"(module (import "env" "mem" (memory 1 4 shared))
        (func $malloc (param i32) (result i32) (i32.const 64))
        (func $free (param i32))
        (func (export "run") (result i32)
            (call $free (call $malloc (i32.const 8)))
            (i32.load (i32.const 64))))"#;
    let alone = Program::new(&wat::parse_str(wat).unwrap()).unwrap();
    let names = |program: &Program| -> Vec<String> {
        let known = program.interceptors().iter();
        known.map(|(_, one)| one.name.clone()).collect()
    };
    assert_eq!(names(&alone), ["malloc", "free"]);
    let linked = Modules::new(1)
        .add("a", &wat::parse_str(COUNTER).unwrap())
        .and_then(|modules| modules.add("b", &wat::parse_str(wat).unwrap()))
        .and_then(|modules| {
            let ten = HostImport::wrap("host", "ten", |_, ()| Ok(10));
            modules.link(ProgramOptions::default().imports(vec![ten]))
        })
        .unwrap();
    assert_eq!(names(&linked), names(&alone));
    let runtime = ThreadRuntime::with_program(&linked, RunOptions::seeded(1), NullIo).unwrap();
    runtime.spawn_in("b", "run", []).unwrap().join().unwrap();
    let found = runtime.finish().unwrap().analysis.diagnoses;
    assert_eq!(found.len(), 1, "{found:?}");
    let Diagnosis::HeapMisuse { .. } = &found[0].diagnosis else {
        panic!("{found:?}")
    };
}

#[test]
fn modules_that_are_wrong_are_refused_by_what_is_wrong() {
    let add = |wat: &str| {
        let wasm = wat::parse_str(wat).unwrap();
        modules().add("third", &wasm).unwrap_err().to_string()
    };
    let said = add("(module (memory 1 4 shared))");
    assert!(said.contains("does not import a shared memory"), "{said}");
    let said = add(r#"(module (import "env" "mem" (memory 1 4)))"#);
    assert!(said.contains("does not import a shared memory"), "{said}");
    let said = add(r#"(module (import "env" "other" (memory 1 4 shared)))"#);
    assert!(said.contains("as `env.mem` or `env.memory`"), "{said}");
    let said = add(r#"(module (import "env" "mem" (memory 3 4 shared)))"#);
    assert_eq!(
        said,
        "module `third` imports a memory of 3 to 4 pages, and there is one of 2"
    );
    let said = add(r#"(module (import "env" "mem" (memory 1 1 shared)))"#);
    assert!(said.contains("of 1 to 1 pages"), "{said}");
    let said =
        add(r#"(module (import "env" "mem" (memory 1 4 shared)) (import "x" "g" (global i32)))"#);
    assert!(said.contains("imports x.g, which is neither"), "{said}");
    let error = modules().add("third", b"\0asm").unwrap_err();
    assert!(error.to_string().contains("module `third`"), "{error}");
    let wasm = wat::parse_str(READER).unwrap();
    for name in ["reader", "a.b"] {
        let error = modules().add(name, &wasm).unwrap_err();
        assert!(matches!(error, LinkError::Name(_)), "{error}");
    }
    let missing = modules().link(ProgramOptions::default()).unwrap_err();
    assert!(missing.to_string().contains("ten"), "{missing}");
}
