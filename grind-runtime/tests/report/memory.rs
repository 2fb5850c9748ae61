//! What an address belongs to: variables by name, stacks by thread.

use crate::support::fixture;
use crate::symbols::rewrite;
use grind_runtime::machine::NullIo;
use grind_runtime::model::ThreadId;
use grind_runtime::model::sites::{Site, SiteKind};
use grind_runtime::program::Program;
use grind_runtime::program::symbols::{StackFrame, Symbolizer, Variable};
use grind_runtime::report::finding::{Evidence, Memory};
use grind_runtime::report::{Report, human, json};
use grind_runtime::session::{self, RunOptions};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Where the linker puts the variables of a module of Rust.
const BASE: u32 = 0x0010_0000;

#[test]
fn statics_have_their_paths_and_sizes() {
    for name in ["race-full", "race-v0"] {
        let symbolizer = Symbolizer::new(fixture(name));
        let found: Vec<Variable> = (BASE - 16..BASE + 64)
            .filter_map(|address| symbolizer.global(address))
            .collect();
        let [counter, ..] = &found[..] else {
            panic!("{name}: no variable found");
        };
        assert_eq!(counter.name, "race::COUNTER");
        assert_eq!(counter.size, Some(4));
        assert_eq!(found, vec![counter.clone(); 4], "each byte, and no other");
    }
}

#[test]
fn without_variables_nothing_is_named() {
    for name in ["race-lines", "race-names", "race-stripped"] {
        let symbolizer = Symbolizer::new(fixture(name));
        let found = (BASE - 16..BASE + 64).find_map(|address| symbolizer.global(address));
        assert_eq!(found, None, "{name}");
    }
}

fn of_text(text: &str) -> Symbolizer {
    let module = wat::parse_str(text).expect("the text is right");
    Symbolizer::new(module.into())
}

fn named(symbolizer: &Symbolizer, address: u32) -> Option<(String, u32, Option<u32>)> {
    let global = symbolizer.global(address)?;
    Some((global.name, global.address, global.size))
}

#[test]
fn segments_of_one_variable_have_its_name() {
    let symbolizer = of_text(
        r#"(module
            (memory 1)
            (data $.data._ZN3app5STATE17h0123456789abcdefE (i32.const 16) "12345678")
            (data $.data (i32.const 32) "many variables")
            (data $.bss.later "1234")
            (data $.bss.never "1234")
            (func $start
                (memory.init $.bss.later (i32.const 64) (i32.const 0) (i32.const 4))
                (memory.init $.bss.never (i32.const 80) (i32.const 2) (i32.const 2)))
            (start $start))"#,
    );
    let state = Some(("app::STATE".to_owned(), 16, Some(8)));
    for (address, wanted) in [
        (15, None),
        (16, state.clone()),
        (23, state),
        (24, None),
        (33, None),
        (65, Some(("later".to_owned(), 64, Some(4)))),
        (80, None),
        (u32::MAX, None),
    ] {
        assert_eq!(named(&symbolizer, address), wanted, "{address}");
    }
}

#[test]
fn a_symbol_table_names_data() {
    // Version 2; subsection 8 of 14 bytes with one symbol, of data: flags, name, segment, offset, size.
    let symbolizer = of_text(
        r#"(module
            (memory 1)
            (data (i32.const 1024) "12345678")
            (@custom "linking" "\02\08\0c\01\01\00\05table\00\04\04"))"#,
    );
    assert_eq!(named(&symbolizer, 1027), None);
    let table = Some(("table".to_owned(), 1028, Some(4)));
    assert_eq!(named(&symbolizer, 1031), table);
    assert_eq!(named(&symbolizer, 1032), None);
}

#[test]
fn symbols_that_make_no_sense_name_nothing() {
    for linking in [
        // Segment 9, an offset beyond memory, a size of 0, a name that ends too early.
        r"\02\08\0c\01\01\00\05table\09\04\04",
        r"\02\08\10\01\01\00\05table\00\ff\ff\ff\ff\0f\04",
        r"\02\08\0c\01\01\00\05table\00\04\00",
        r"\02\08\05\01\01\00\05ta",
    ] {
        let symbolizer = of_text(&format!(
            r#"(module (memory 1) (data (i32.const 1024) "12345678")
                (@custom "linking" "{linking}"))"#
        ));
        for address in [0, 1024, 1028, u32::MAX] {
            assert_eq!(named(&symbolizer, address), None, "{linking}");
        }
    }
}

fn report(guest: &str, seed: u64) -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../test-programs")
        .join(guest);
    let wasm = std::fs::read(&path).expect(guest);
    let program = Program::new(&wasm).expect("the guest loads");
    let options = RunOptions::seeded(seed);
    let outcome = session::run(&program, options.clone(), NullIo).expect("the guest starts");
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    outcome.report(&program, &symbolizer, &options)
}

fn memories(report: &Report) -> Vec<Option<&Memory>> {
    (report.findings.iter())
        .map(|finding| match &finding.evidence {
            Evidence::Race(race) => race.memory.as_ref(),
            _ => None,
        })
        .collect()
}

#[test]
fn races_say_which_variable_they_are_on() {
    let report = report("c/wasm/race_globals.wasm", 1);
    let text = human::render(&report, &human::Options::default());
    for line in [
        "memory: global `total` (4 bytes)\n",
        "memory: global `table` (32 bytes) + 20\n",
        "memory: global `work::calls` (8 bytes)\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let zigs = self::report("zig/wasm/race_thread.wasm", 1);
    let zig = memories(&zigs)[0];
    assert!(
        matches!(zig, Some(Memory::Global(global)) if global.name == "number"),
        "{zig:?}"
    );
    let written = json::to_string(&report);
    assert!(written.contains(r#""name": "table""#), "{written}");
    let read = json::from_str(&written).expect("our own report");
    assert_eq!(memories(&read), memories(&report));
}

#[test]
fn races_on_a_stack_say_whose_it_is() {
    for (guest, wanted) in [
        ("c/wasm/race_stack.wasm", &[0, 1][..]),
        ("wasip1-threads/wasm/race_scoped.wasm", &[0]),
        ("wasm/race_scoped_stack.wasm", &[0]),
    ] {
        for seed in 0..10 {
            let report = report(guest, seed);
            let owners: BTreeSet<u32> = memories(&report)
                .into_iter()
                .map(|memory| match memory {
                    Some(Memory::Stack {
                        thread: ThreadId(thread),
                        ..
                    }) => *thread,
                    other => panic!("{guest}: {other:?}"),
                })
                .collect();
            assert!(owners.iter().eq(wanted), "{guest}: {owners:?}");
        }
    }
}

/// Memory as the reports of a guest name it, over several schedules.
fn places(guest: &str) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    for seed in 0..10 {
        let text = human::render(&report(guest, seed), &human::Options::default());
        let lines = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("memory: "));
        places.extend(lines.map(str::to_owned));
    }
    places
}

#[test]
fn races_on_a_stack_name_the_variable_and_the_call_whose_it_is() {
    let wanted = [
        "local `own` (4 bytes), stack of thread T0 main, in main (src/race_stack.c:31:9)",
        "local `own` (4 bytes), stack of thread T1, in lend (src/race_stack.c:21:9)",
    ];
    let found = places("c/wasm/race_stack.wasm");
    let heap = |place: &str| place.contains("heap block");
    let found: Vec<&String> = found.iter().filter(|place| !heap(place)).collect();
    assert_eq!(found, wanted);
}

#[test]
fn without_variables_the_call_is_named() {
    let found = places("wasip1-threads/wasm/race_scoped.wasm");
    let wanted = "stack of thread T0 main, in race_scoped::main (src/bin/race_scoped.rs:9:5)";
    assert!(found.iter().eq([wanted]), "{found:?}");
}

#[test]
fn flipped_bits_of_debug_information_cost_the_variables_name_at_most() {
    let guest = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../test-programs/c/wasm/race_stack.wasm"
    );
    let module = std::fs::read(guest).expect("the guest is there");
    // Where `_start` calls `main`, and `main` stores into its variable.
    let calls = [(9, 816), (8, 588)].map(|(func, offset)| Site {
        kind: SiteKind::Call,
        width: 0,
        func,
        offset,
        displacement: 0,
    });
    let frame =
        |module: Vec<u8>| Symbolizer::new(module.into()).stack_frame(&calls, 0x10000, 0xfffc);
    let whole = frame(module.clone()).expect("it is in a frame");
    assert_eq!(whole.variable.expect("it is one").name, "own");
    for victim in [".debug_info", ".debug_abbrev"] {
        let mut size = 0;
        rewrite(&module, |name, data| {
            if name == victim {
                size = data.len();
            }
            None
        });
        for byte in 0..size {
            let broken = rewrite(&module, |name, data| {
                let mut data = data.to_vec();
                if name == victim {
                    data[byte] ^= 1 << (byte % 8);
                }
                Some(data)
            });
            let found = frame(broken).expect("code tells the frame");
            assert_eq!(found.stack[0].func_index, 9);
        }
    }
}

/// A module with one function of this code, whose frame is asked for.
fn frame_of(code: &str, address: u32) -> Option<StackFrame> {
    let symbolizer = of_text(&format!(
        r#"(module
            (memory 1)
            (global $__stack_pointer (mut i32) (i32.const 1024))
            (func $outer (param $size i32) (local $frame i32) {code})
            (func $inner
                (global.set $__stack_pointer (i32.sub (global.get $__stack_pointer) (i32.const 16)))))"#
    ));
    let site = |func| Site {
        kind: SiteKind::Call,
        width: 0,
        func,
        offset: 0,
        displacement: 0,
    };
    symbolizer.stack_frame(&[site(1), site(0)], 1024, address)
}

#[test]
fn frames_are_read_off_the_code() {
    let prologue = "global.get $__stack_pointer i32.const 32 i32.sub local.tee $frame";
    let epilogue = "local.get $frame i32.const 32 i32.add global.set $__stack_pointer";
    let set = "global.set $__stack_pointer";
    let get = "global.get $__stack_pointer";
    for code in [
        format!(
            "{prologue} {set} (block (br_if 0 (local.get $size)) {epilogue} return) {epilogue}"
        ),
        // A leaf, a frame that is restored, an addition of a negative number, unoptimised code.
        format!("{prologue} drop"),
        format!("{prologue} {set} local.get $frame {set} {epilogue}"),
        format!("{get} i32.const -32 i32.add {set}"),
        format!(
            "{get} local.set $frame i32.const 32 local.set $size local.get $frame local.get $size i32.sub {set}"
        ),
        // The first function of a thread.
        format!("local.get $size {set} {prologue} {set}"),
    ] {
        let function = |address| {
            let frame = frame_of(&code, address)?;
            frame.stack[0].function.clone()
        };
        for (address, wanted) in [
            (1024, None),
            (1023, Some("outer")),
            (1024 - 32, Some("outer")),
            (1024 - 33, Some("inner")),
            (1024 - 48, Some("inner")),
            (1024 - 49, None),
        ] {
            assert_eq!(function(address).as_deref(), wanted, "{code}: {address}");
        }
    }
    for code in [
        // alloca, an aligned frame, and a tail call.
        format!("{prologue} {set} {get} local.get $size i32.sub {set}"),
        format!("{get} i32.const 32 i32.sub i32.const -64 i32.and local.tee $frame {set}"),
        format!("{prologue} {set} {epilogue} return_call $inner"),
    ] {
        for address in 1024 - 64..1024 {
            assert_eq!(frame_of(&code, address), None, "{code}");
        }
    }
}

#[test]
fn no_heap_block_or_variable_is_taken_for_a_stack() {
    for guest in [
        "wasm/race_heap.wasm",
        "wasm/race_counter.wasm",
        "wasm/race_deep_stack.wasm",
        "c/wasm/race_mutex.wasm",
        "wasip1-threads/wasm/race_wrong_lock.wasm",
    ] {
        let report = report(guest, 3);
        assert!(!report.findings.is_empty());
        assert!(memories(&report).iter().all(Option::is_none), "{guest}");
    }
}
