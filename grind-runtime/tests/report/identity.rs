//! What is one finding and what are two, in runs of guests under many seeds.

use crate::support::Program as Fixture;
use crate::symbols::wat_with_lines;
use grind_runtime::detect::{BlockedThread, Diagnosis, Wanted};
use grind_runtime::machine::BufferIo;
use grind_runtime::model::sites::SiteId;
use grind_runtime::model::{BlockedOn, Schedule, ThreadId};
use grind_runtime::program::Program;
use grind_runtime::program::symbols::{Frame, Symbolizer};
use grind_runtime::report::finding::Evidence;
use grind_runtime::report::merge::Merge;
use grind_runtime::report::{Finding, Report};
use grind_runtime::session::{self, RunOptions};
use std::collections::BTreeSet;
use std::sync::Arc;

const HEAD: &str = r#"(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
"#;

/// Starts two threads, with 0 and 1, and joins them.
const START: &str = r#"
  (func (export "_start")
    (drop (call $create (i32.const 0) (i32.const 0)))
    (drop (call $create (i32.const 4) (i32.const 1)))
    (drop (call $join (i32.load (i32.const 0))))
    (drop (call $join (i32.load (i32.const 4))))))
"#;

/// What twenty seeds show.
pub(crate) fn merged(module: &[u8]) -> Report {
    let program = Program::new(module).expect("the module is right");
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let mut merge = Merge::new();
    for seed in 0..20 {
        let options = RunOptions::seeded(seed);
        let outcome =
            session::run(&program, options.clone(), BufferIo::default()).expect("it can be run");
        merge.add(
            &Schedule::from(seed),
            outcome.report(&program, &symbolizer, &options),
        );
    }
    merge.finish()
}

/// The same with lines, with names only, and without any symbols.
fn forms(functions: &str) -> [Report; 3] {
    let text = format!("{HEAD}{functions}{START}");
    let named = wat::parse_str(&text).expect("the text is right");
    [
        merged(&wat_with_lines(&text)),
        merged(&named),
        merged(&without_names(&named)),
    ]
}

/// The module without its custom sections.
fn without_names(module: &[u8]) -> Vec<u8> {
    use wasmparser::{Parser, Payload};
    let mut out = module.to_vec();
    let custom: Vec<_> = (Parser::new(0).parse_all(module))
        .filter_map(|payload| match payload {
            Ok(Payload::CustomSection(section)) => Some(section.range()),
            _ => None,
        })
        .collect();
    for range in custom.into_iter().rev() {
        // Its id, and its size in one byte: these modules are small.
        out.drain(range.start as usize - 2..range.end as usize);
    }
    out
}

fn fingerprints(report: &Report) -> usize {
    let all: BTreeSet<_> = report.findings.iter().map(|one| one.fingerprint).collect();
    all.len()
}

#[test]
fn two_bugs_in_one_function_are_two_without_lines_too() {
    let [lines, names, stripped] = forms(
        r#"(func (export "thread_start") (param $which i32)
    (if (local.get $which)
      (then
        (i32.store (i32.const 64) (i32.const 1))
        (i32.store (i32.const 128) (i32.const 1))
        (i32.store (i32.const 256) (i32.const 1)))
      (else
        (drop (i32.load (i32.const 64)))
        (drop (i32.load (i32.const 128)))
        (drop (i32.load (i32.const 256))))))"#,
    );
    for report in [&lines, &names, &stripped] {
        assert_eq!(report.findings.len(), 3, "{:?}", report.findings);
    }
    assert_eq!([&lines, &names, &stripped].map(fingerprints), [1, 3, 3]);
}

#[test]
fn bugs_on_one_line_are_told_apart_by_what_they_are_about() {
    let [lines, names, stripped] = forms(
        r#"(func (export "thread_start") (param $which i32) (i32.store (i32.const 64) (i32.const 1)) (i32.store (i32.const 128) (i32.const 1)))"#,
    );
    for report in [lines, names, stripped] {
        assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
    }
    // A load and a store of one variable are one bug.
    let text = format!(
        r#"{HEAD}(func (export "thread_start") (param $which i32) (i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (i32.const 1)))){START}"#
    );
    assert_eq!(merged(&wat_with_lines(&text)).findings.len(), 1);
}

#[test]
fn neither_the_depth_of_a_recursion_nor_the_way_into_it_makes_another_finding() {
    let recursions = [
        // By itself.
        r#"(func $bump (i32.store (i32.const 64) (i32.const 1)))
  (func $walk (param $n i32)
    (if (local.get $n)
      (then (call $walk (i32.sub (local.get $n) (i32.const 1))))
      (else (call $bump))))"#,
        // In turns: who is met first differs.
        r#"(func $bump (i32.store (i32.const 64) (i32.const 1)))
  (func $walk (param $n i32)
    (if (local.get $n)
      (then (call $odd (i32.sub (local.get $n) (i32.const 1))))
      (else (call $bump))))
  (func $odd (param $n i32)
    (if (local.get $n)
      (then (call $walk (i32.sub (local.get $n) (i32.const 1))))
      (else (call $bump))))"#,
    ];
    for recursion in recursions {
        for entry in [
            "(call $walk (local.get $which))",
            "(call $walk (i32.const 0)) (call $walk (i32.const 1)) (call $walk (i32.const 4))",
        ] {
            let functions =
                format!("{recursion} (func (export \"thread_start\") (param $which i32) {entry})");
            for report in forms(&functions) {
                assert_eq!(report.findings.len(), 1, "{entry}: {:?}", report.findings);
            }
        }
    }
}

#[test]
fn two_uses_of_one_accessor_are_two_and_two_ways_to_one_variable_are_one() {
    let of = |other: u32| {
        forms(&format!(
            r#"(func $bump (param $at i32) (i32.store (local.get $at) (i32.const 1)))
  (func $one (call $bump (i32.const 64)))
  (func $two (call $bump (i32.const {other})))
  (func (export "thread_start") (param $which i32) (call $one) (call $two))"#
        ))
    };
    for report in of(128) {
        assert_eq!(report.findings.len(), 2, "{:?}", report.findings);
    }
    for report in of(64) {
        assert_eq!(report.findings.len(), 1, "{:?}", report.findings);
        assert_eq!(fingerprints(&report), 1);
    }
}

#[test]
fn each_seed_counts_once() {
    for report in forms(
        r#"(func $bump (param $at i32) (i32.store (local.get $at) (i32.const 1)))
  (func $one (call $bump (i32.const 64)))
  (func $two (call $bump (i32.const 64)))
  (func (export "thread_start") (param $which i32) (call $one) (call $two))"#,
    ) {
        let [finding] = &report.findings[..] else {
            panic!("{:?}", report.findings)
        };
        let shown = finding.schedules.clone().expect("it is of many schedules");
        assert_eq!((shown.first, shown.shown), (Schedule::from(0).name(), 20));
    }
}

/// T1 waits for a lock that T2 holds, which waits for the end of a thread; others wait for a notification.
fn stuck(program: &Fixture, waiting: u32, held_by: u32, idle: &[u32]) -> Finding {
    let blocked = |thread, on, wants, stack: &[SiteId], locks| BlockedThread {
        thread: ThreadId(thread),
        on,
        wants,
        stack: stack.to_vec(),
        locks,
        by: Vec::new(),
        missed: None,
    };
    let futex = |addr| BlockedOn::Futex {
        site: SiteId(0),
        addr,
    };
    let wanted = Wanted::Lock {
        lock: 0x2000,
        name: None,
        holders: vec![ThreadId(held_by)],
        behind: Vec::new(),
    };
    let join = BlockedOn::Join {
        thread: ThreadId(waiting),
    };
    let mut all = vec![
        blocked(
            waiting,
            futex(0x2000),
            Some(wanted),
            &program.store,
            Vec::new(),
        ),
        blocked(
            held_by,
            join,
            None,
            &program.call,
            vec![program.held(0x2000, None)],
        ),
    ];
    for &thread in idle {
        let condvar = Wanted::Condvar { condvar: 0x3000 };
        all.push(blocked(
            thread,
            futex(0x3000),
            Some(condvar),
            &program.load,
            Vec::new(),
        ));
    }
    program.finding(
        Diagnosis::Deadlock {
            blocked: all,
            cycle: Vec::new(),
            places: Vec::new(),
        },
        1,
    )
}

#[test]
fn who_else_waits_when_threads_are_stuck_makes_no_other_finding() {
    let program = Fixture::new("race-lines");
    let one = stuck(&program, 1, 2, &[]);
    for other in [
        stuck(&program, 2, 1, &[]),
        stuck(&program, 1, 0, &[3]),
        stuck(&program, 3, 1, &[0, 2]),
    ] {
        assert_eq!(one.fingerprint, other.fingerprint);
        assert!(one.is_same_as(&other));
    }
    // Without the lock, it is another one.
    let lost = program.finding(program.lost_wakeup(), 1);
    assert!(!one.is_same_as(&lost));
}

#[test]
fn what_a_library_does_in_between_makes_no_other_finding() {
    let program = Fixture::new("race-lines");
    let one = program.finding(program.race(), 1);
    let library = |function: &str, file: &str| Frame {
        function: Some(function.into()),
        file: Some(file.into()),
        ..one.stacks()[0][0].clone()
    };
    let with = |frames: &[Frame]| {
        let mut other = one.clone();
        if let Evidence::Race(race) = &mut other.evidence {
            // Other threads, other bytes, a way through a pool.
            race.address += 64;
            race.heap_block = None;
            for access in &mut race.accesses {
                access.address += 64;
                access.thread = ThreadId(access.thread.0 + 7);
                let end = access.stack.len();
                access.stack.splice(end..end, frames.iter().cloned());
            }
        }
        other
    };
    let core = "/rustc/1/library/core/src/ops/function.rs";
    let rayon = "/home/u/.cargo/registry/src/index.crates.io-1/rayon-core-1.12.1/src/job.rs";
    assert!(one.is_same_as(&with(&[
        library("core::ops::function::FnOnce::call_once", core),
        library("rayon_core::job::execute", rayon),
        library("other_caller", "src/main.rs"),
    ])));
    assert!(one.is_same_as(&with(&[library("rayon_core::job::execute", rayon)])));
    // A caller of the program's own is another use, of other bytes.
    assert!(!one.is_same_as(&with(&[library("other_caller", "src/main.rs")])));
}
