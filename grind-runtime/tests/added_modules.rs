//! Modules that are added to a runtime as it goes on.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::host::{CallError, LinkError, SpawnError, ThreadRuntime};
use grind_runtime::{
    ActError, Diagnosis, HostImport, NullIo, ProgramOptions, RunOptions, Symbolizer, Value,
};

type Runtime = ThreadRuntime<NullIo>;

fn wasm(wat: &str) -> Vec<u8> {
    wat::parse_str(wat).unwrap()
}

/// Over a memory of one page, which grows to two.
fn runtime(seed: u64) -> Runtime {
    let imports = vec![HostImport::wrap("host", "ten", |_, ()| Ok(10))];
    let program = ProgramOptions::default().imports(imports);
    ThreadRuntime::with_memory(1..=2, program, RunOptions::seeded(seed), NullIo).unwrap()
}

fn result(runtime: &Runtime, wat: &str, export: &str, args: &[Value]) -> i32 {
    let thread = runtime.spawn_wat(wat, export, args.iter().copied());
    match thread.unwrap().join().unwrap()[..] {
        [Value::I32(result)] => result,
        ref other => panic!("{other:?}"),
    }
}

const PEEK: &str = r#"(module (import "env" "mem" (memory 1 4 shared))
    (func $peek (export "run") (param i32) (result i32) (i32.load8_u (local.get 0))))"#;

const POKE: &str = r#"(module (import "env" "memory" (memory 1 2 shared))
    (func $poke (export "run") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))"#;

/// What a module can bring besides functions: an import, data, a table, a global, a start function.
const FULL: &str = r#"(module (import "env" "mem" (memory 1 2 shared))
    (import "host" "ten" (func $ten (result i32)))
    (type $get (func (result i32)))
    (table $ops 1 funcref)
    (elem (i32.const 0) func $sum)
    (global $of_start (mut i32) (i32.const 0))
    (data (i32.const 16) "\05")
    (func $start (global.set $of_start (call $ten)))
    (start $start)
    (func $sum (type $get) (i32.add (global.get $of_start) (i32.load8_u (i32.const 16))))
    (func (export "sum") (result i32) (call_indirect $ops (type $get) (i32.const 0)))
    (func (export "run") (result i32) (i32.const 1)))"#;

#[test]
fn threads_of_different_modules_share_the_memory_whenever_they_come() {
    for seed in 0..10 {
        let runtime = runtime(seed);
        runtime.mem_write(16, &[3]).unwrap();
        let (at, five) = (Value::I32(16), Value::I32(7));
        assert_eq!(result(&runtime, PEEK, "run", &[at]), 3);
        // Its data is written when it comes.
        assert_eq!(result(&runtime, FULL, "sum", &[]), 15);
        assert_eq!(result(&runtime, PEEK, "run", &[at]), 5);
        let poke = runtime.spawn_wat(POKE, "run", [at, five]).unwrap();
        assert_eq!(poke.join().unwrap(), []);
        assert_eq!(result(&runtime, FULL, "sum", &[]), 17);
        assert_eq!(result(&runtime, FULL, "run", &[]), 1);
        let found = runtime.finish().unwrap().analysis.diagnoses;
        assert!(found.is_empty(), "{found:?}");
    }
}

#[test]
fn a_thread_that_waits_meanwhile_goes_on_in_its_own_instance() {
    const WAITS: &str = r#"(module (import "env" "mem" (memory 1 2 shared))
        (global $own (mut i32) (i32.const 0))
        (func $wait (result i32)
            (drop (memory.atomic.wait32 (i32.const 32) (i32.const 0) (i64.const -1)))
            (global.get $own))
        (func (export "run") (param i32) (result i32)
            (global.set $own (local.get 0))
            (call $wait)))"#;
    const WAKES: &str = r#"(module (import "env" "mem" (memory 1 2 shared))
        (global $other (mut i32) (i32.const 99))
        (func (export "run") (result i32)
            (i32.atomic.store (i32.const 32) (i32.const 1))
            (memory.atomic.notify (i32.const 32) (i32.const 9))))"#;
    let runtime = runtime(1);
    let waits = runtime.spawn_wat(WAITS, "run", [Value::I32(41)]).unwrap();
    // It runs, and waits.
    assert_eq!(result(&runtime, PEEK, "run", &[Value::I32(0)]), 0);
    assert!(!waits.is_finished());
    assert_eq!(result(&runtime, WAKES, "run", &[]), 1);
    assert_eq!(waits.join().unwrap(), [Value::I32(41)]);
}

#[test]
fn a_module_is_added_once_and_by_whatever_it_is_given() {
    let runtime = runtime(1);
    let args = [Value::I32(0)];
    runtime.spawn_wat(PEEK, "run", args).unwrap();
    let sites = runtime.program().unwrap().sites().len();
    let program = grind_runtime::Program::new(&wasm(PEEK)).unwrap();
    let threads = [
        runtime.spawn_wasm(&wasm(PEEK), "run", args),
        runtime.spawn_module(&program, "run", args),
    ];
    for thread in threads {
        assert_eq!(thread.unwrap().join().unwrap(), [Value::I32(0)]);
    }
    assert_eq!(runtime.program().unwrap().sites().len(), sites);
    runtime.add("m1", &wasm(POKE)).unwrap();
    let poke = runtime.spawn_in("m1", "run", [Value::I32(3), Value::I32(4)]);
    poke.unwrap().join().unwrap();
    assert_eq!(result(&runtime, FULL, "run", &[]), 1);
    assert_eq!(runtime.mem_read(3, 1).unwrap(), [4]);
    // The first to have a name has it for good.
    let first = runtime.spawn("run", args).unwrap();
    assert_eq!(first.join().unwrap(), [Value::I32(0)]);
}

/// A thread of the first module writes a byte, and when it has ended, joined or not, one of a module that comes then reads it. Returns what
/// was found, and the functions of both accesses.
fn accessed_by_two(seed: u64, joins: bool) -> (Vec<Diagnosis>, Vec<String>) {
    const LATE: &str = r#"(module (import "env" "mem" (memory 1 4 shared))
        (func $late (export "run") (param i32) (result i32) (i32.load8_u (local.get 0))))"#;
    let runtime = runtime(seed);
    let poke = runtime.spawn_wat(POKE, "run", [Value::I32(128), Value::I32(1)]);
    let poke = poke.unwrap();
    while !poke.is_finished() {}
    if joins {
        poke.join().unwrap();
    }
    // With an import, so that functions have other indices than before.
    assert_eq!(result(&runtime, FULL, "run", &[]), 1);
    assert_eq!(result(&runtime, LATE, "run", &[Value::I32(128)]), 1);
    let program = runtime.program().unwrap();
    let outcome = runtime.finish().unwrap();
    assert_eq!(outcome.analysis.stats.unresolved, 0);
    let symbolizer = Symbolizer::new(program.original().clone());
    let (mut found, mut functions) = (Vec::new(), Vec::new());
    for one in outcome.analysis.diagnoses {
        if let Diagnosis::DataRace { first, second, .. } = &one.diagnosis {
            for access in [first, second] {
                let frames = symbolizer.frames(program.sites().get(access.stack[0]));
                functions.extend(frames[0].function.clone());
            }
        }
        found.push(one.diagnosis);
    }
    (found, functions)
}

#[test]
fn a_race_with_a_module_that_came_later_names_both() {
    for seed in 0..10 {
        let (found, functions) = accessed_by_two(seed, false);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(functions, ["m0.poke", "m2.late"]);
        assert_eq!(accessed_by_two(seed, true).0, []);
    }
}

#[test]
fn threads_of_the_guest_are_of_the_module_that_has_their_entry() {
    const SPAWNS: &str = r#"(module (import "env" "memory" (memory 1 2 shared))
        (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
        (global $of_start (mut i32) (i32.const 0))
        (func $start (global.set $of_start (i32.const 30)))
        (start $start)
        (func (export "wasi_thread_start") (param $tid i32) (param $arg i32)
            (i32.atomic.store (i32.const 64) (i32.add (local.get $arg) (global.get $of_start)))
            (drop (memory.atomic.notify (i32.const 64) (i32.const 1))))
        (func (export "run") (result i32)
            (drop (call $spawn (i32.const 7)))
            (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1)))
            (i32.atomic.load (i32.const 64))))"#;
    let runtime = runtime(3);
    assert_eq!(result(&runtime, PEEK, "run", &[Value::I32(0)]), 0);
    assert_eq!(result(&runtime, SPAWNS, "run", &[]), 37);
    let another = format!("{SPAWNS} ;; another one").replace("i32.const 30", "i32.const 20");
    let error = runtime.spawn_wat(&another, "run", []).unwrap_err();
    let said = error.to_string();
    assert!(
        matches!(error, SpawnError::Link(LinkError::Entry { .. })),
        "{said}"
    );
    assert!(said.contains("exports `wasi_thread_start`"), "{said}");
}

#[test]
fn an_instance_has_the_functions_of_when_it_entered_the_guest() {
    let runtime = runtime(1);
    runtime.add("peek", &wasm(PEEK)).unwrap();
    let old = runtime.instance().unwrap();
    let args = [Value::I32(16)];
    assert_eq!(old.call("peek.run", args).unwrap(), [Value::I32(0)]);
    runtime.add("full", &wasm(FULL)).unwrap();
    let error = old.call("full.sum", []).unwrap_err();
    let missing = ActError::NoFunction("full.sum".to_owned());
    assert!(matches!(error, CallError::Refused(error) if error == missing));
    assert_eq!(old.call("peek.run", args).unwrap(), [Value::I32(5)]);
    let new = runtime.instance().unwrap();
    assert_eq!(new.call("full.sum", []).unwrap(), [Value::I32(15)]);
}

#[test]
fn what_cannot_be_added_is_refused_and_harms_nobody() {
    let runtime = runtime(2);
    let refused = |wat: &str| runtime.spawn_wat(wat, "run", []).unwrap_err().to_string();
    let said = refused(r#"(module (memory 1 4 shared) (func (export "run")))"#);
    assert!(said.contains("does not import a shared memory"), "{said}");
    let said = refused(r#"(module (import "env" "mem" (memory 2 2 shared)))"#);
    assert!(
        said.contains("of 2 to 2 pages, and there is one of 1"),
        "{said}"
    );
    // The memory can grow to more than it allows.
    let said = refused(r#"(module (import "env" "mem" (memory 1 1 shared)))"#);
    assert!(said.contains("of 1 to 1 pages"), "{said}");
    let said =
        refused(r#"(module (import "env" "mem" (memory 1 2 shared)) (import "a" "b" (func)))"#);
    assert!(said.contains("a.b") || said.contains("`a`"), "{said}");
    let data = r#"(module (import "env" "mem" (memory 1 2 shared)) (data (i32.const 65535) "ab"))"#;
    let said = refused(data);
    assert_eq!(said, "2 bytes at 0xffff are not all in memory");
    let said = refused("(module (func");
    assert!(said.contains("expected"), "{said}");
    let said = refused(PEEK);
    assert!(said.contains("takes (i32), and not []"), "{said}");
    let said = runtime.spawn_wat(PEEK, "walk", []).unwrap_err().to_string();
    assert!(said.contains("there is no exported function"), "{said}");
    assert_eq!(result(&runtime, PEEK, "run", &[Value::I32(0)]), 0);
    assert_eq!(result(&runtime, FULL, "sum", &[]), 15);

    let program = grind_runtime::Program::new(&wasm(PEEK)).unwrap();
    let fixed = Runtime::with_program(&program, RunOptions::default(), NullIo).unwrap();
    let error = fixed.spawn_wat(POKE, "run", []).unwrap_err();
    assert!(matches!(error, SpawnError::OneProgram), "{error}");
}

#[test]
fn so_many_modules_and_no_more() {
    let runtime = ThreadRuntime::new(1).unwrap();
    let module = |number: usize| {
        format!(
            r#"(module (import "env" "mem" (memory 1 1 shared))
                (func (export "run") (result i32) (i32.const {number})))"#
        )
    };
    for number in 0..256 {
        let name = format!("of{number}");
        runtime.add(&name, &wasm(&module(number))).unwrap();
    }
    let error = runtime.spawn_wat(&module(256), "run", []).unwrap_err();
    assert!(matches!(error, SpawnError::TooMany), "{error}");
    assert_eq!(result(&runtime, &module(255), "run", &[]), 255);
}

#[test]
fn lines_of_added_modules_are_those_of_their_own_files() {
    let with_lines = |name: &str, text: &str| {
        let mut parser = wat::Parser::new();
        parser.generate_dwarf(wat::GenerateDwarf::Full);
        parser.parse_str(Some(name.as_ref()), text).unwrap()
    };
    let poke = with_lines("poke.wat", &POKE.replace("(i32.store8", "\n\n(i32.store8"));
    let peek = with_lines("peek.wat", PEEK);
    for seed in 0..5 {
        let runtime = runtime(seed);
        let first = runtime.spawn_wasm(&poke, "run", [Value::I32(128), Value::I32(1)]);
        assert_eq!(result(&runtime, FULL, "run", &[]), 1);
        let second = runtime.spawn_wasm(&peek, "run", [Value::I32(128)]);
        for thread in [first, second] {
            thread.unwrap().join().unwrap();
        }
        let program = runtime.program().unwrap();
        let symbolizer = Symbolizer::new(program.original().clone());
        let found = runtime.finish().unwrap().analysis.diagnoses;
        let [one] = &found[..] else {
            panic!("{found:?}")
        };
        let Diagnosis::DataRace { first, second, .. } = &one.diagnosis else {
            panic!("{one:?}")
        };
        let mut places = [first, second].map(|access| {
            let frame = symbolizer.frames(program.sites().get(access.stack[0]));
            let frame = frame[0].clone();
            (
                frame.function.unwrap(),
                frame.file.unwrap(),
                frame.line.unwrap(),
            )
        });
        places.sort();
        let expected = [("m0.poke", "poke.wat", 4), ("m2.peek", "peek.wat", 2)];
        for ((function, file, line), expected) in places.iter().zip(expected) {
            assert_eq!((&**function, *line), (expected.0, expected.2));
            assert!(file.ends_with(expected.1), "{file}");
        }
    }
}
