//! What is recorded does not depend on where slices end: a region's records are the same, whether they share a
//! header or were made one by one, and end where the thread trapped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::machine::{self, MachineConfig, NullIo};
use grind_runtime::program::{Program, sites::SiteKind};
use grind_runtime::schedule::{Point, Scheduler, Slice};
use grind_runtime::trace::{Event, EventKind, EventSink, Flow, Records, ThreadEnd, ThreadId};
use std::sync::Arc;

/// Slices of the same length.
#[derive(Debug)]
struct Every(u32);

impl Scheduler for Every {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        Slice {
            thread: point.runnable[0],
            words: self.0,
        }
    }

    fn random(&mut self) -> u64 {
        4
    }
}

/// Kind, address and width of each record, and where the thread trapped.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    records: Vec<(SiteKind, u64, u8)>,
    trap: Option<(SiteKind, u8)>,
}

struct Collect {
    program: Arc<Program>,
    seen: Seen,
}

impl EventSink for Collect {
    fn records(&mut self, _: ThreadId, records: Records<'_>) -> Flow {
        for record in records.iter() {
            let site = self.program.sites().get(record.site());
            let addr = u64::from(record.base()) + u64::from(site.displacement);
            self.seen.records.push((site.kind, addr, site.width));
        }
        Flow::Continue
    }

    fn event(&mut self, event: &Event) -> Flow {
        if let EventKind::ThreadExit(ThreadEnd::Trapped { site, .. }) = event.kind {
            let site = site.map(|site| self.program.sites().get(site));
            self.seen.trap = site.map(|site| (site.kind, site.width));
        }
        Flow::Continue
    }
}

fn run(program: &Arc<Program>, words: u32) -> Seen {
    let sink = Collect {
        program: Arc::clone(program),
        seen: Seen::default(),
    };
    let config = MachineConfig::new(Box::new(Every(words)), Box::new(sink), Box::new(NullIo));
    let result = machine::run(program, config).unwrap();
    result.into_sink::<Collect>().seen
}

/// The same with slices of all lengths up to more than a region has words.
fn seen(wat: &str) -> Seen {
    let program = Arc::new(Program::new(&wat::parse_str(wat).unwrap()).unwrap());
    let whole = run(&program, 10_000);
    for words in 1..=80 {
        assert_eq!(run(&program, words), whole, "slices of {words} words");
    }
    whole
}

use SiteKind::{Call, Read, Return, Trap, Write};

#[test]
fn operands_are_shared_where_they_are_the_same_value() {
    let seen = seen(
        r#"(module (memory 1)
            (func $callee (result i32) (i32.load8_u (i32.const 7)))
            (func (export "_start") (local $a i32) (local $b i32)
                (local.set $a (i32.const 64))
                (i32.store (local.get $a) (i32.load offset=4 (local.get $a)))
                (local.set $b (i32.add (local.get $a) (i32.load8_u offset=9 (local.get $a))))
                (i64.store offset=16 (local.get $b) (i64.load (i32.const 128)))
                (local.set $a (i32.const 256))
                (i32.store16 (local.get $a) (call $callee))
                (i32.store8 offset=1 (local.get $a) (i32.load16_u (i32.const 128)))
                (drop (call $callee))))"#,
    );
    let call = |addr| [(Call, 0, 0), (Read, addr, 1), (Return, 0, 0)];
    let mut wanted = vec![
        (Read, 68, 4),
        (Write, 64, 4),
        (Read, 73, 1),
        (Read, 128, 8),
        (Write, 80, 8),
    ];
    wanted.extend(call(7));
    wanted.extend([(Write, 256, 2), (Read, 128, 2), (Write, 257, 1)]);
    wanted.extend(call(7));
    assert_eq!(seen.records, wanted);
    assert_eq!(seen.trap, None);
}

/// As compilers write `x += 5`: the address is in a local that is overwritten before the store.
#[test]
fn an_address_outlives_the_local_that_held_it() {
    let seen = seen(
        r#"(module (memory 1 1) (global $base (mut i32) (i32.const 64))
            (func (export "_start") (local $a i32)
              (drop (i32.load (i32.const 8)))
              global.get $base
              local.tee $a
              local.get $a
              i32.load
              local.tee $a
              i32.const 5
              i32.add
              i32.store
              (if (i32.ne (i32.load (i32.const 64)) (i32.const 5)) (then (unreachable)))))"#,
    );
    let wanted = [(Read, 8, 4), (Read, 64, 4), (Write, 64, 4), (Read, 64, 4)];
    assert_eq!(seen.records, wanted);
    assert_eq!(seen.trap, None);
}

#[test]
fn more_records_than_a_region_holds() {
    let loads: String = (0..100)
        .map(|index| {
            format!(
                "(drop (i32.load offset={} (i32.const {})))",
                index * 4,
                index % 7
            )
        })
        .collect();
    let seen = seen(&format!(
        r#"(module (memory 1) (func (export "_start") {loads}))"#
    ));
    let wanted: Vec<_> = (0..100)
        .map(|index| (Read, index * 4 + index % 7, 4))
        .collect();
    assert_eq!(seen.records, wanted);
}

#[test]
fn a_region_ends_at_the_access_that_traps() {
    for (far, before) in [(0, 0), (1, 1), (2, 2), (3, 3)] {
        // The base of the one that traps is shared with accesses before and after it, or is not.
        for share in [true, false] {
            let access = |index: u32| {
                let offset = if index == far { 65_533 } else { 4 * index };
                let base = if share {
                    "(local.get $a)"
                } else {
                    "(i32.const 8)"
                };
                format!("(drop (i32.load offset={offset} {base}))")
            };
            let accesses: String = (0..4).map(access).collect();
            let seen = seen(&format!(
                r#"(module (memory 1) (func $callee) (func (export "_start") (local $a i32)
                    (local.set $a (i32.const 8)) {accesses} (unreachable)))"#
            ));
            let wanted: Vec<_> = (0..before).map(|index| (Read, 8 + 4 * index, 4)).collect();
            assert_eq!(seen.records, wanted, "{far} {share}");
            assert_eq!(seen.trap, Some((Read, 4)));
        }
    }
}

#[test]
fn what_traps_without_an_access_keeps_what_came_before_and_nothing_after() {
    let seen = seen(
        r#"(module (memory 1) (func $f) (func (export "_start") (local $a i32)
            (drop (i32.load (local.get $a)))
            (drop (i32.load offset=4 (local.get $a)))
            (drop (i32.div_u (i32.const 1) (local.get $a)))
            (drop (i32.load offset=8 (local.get $a)))
            (drop (i32.load offset=12 (local.get $a)))))"#,
    );
    assert_eq!(seen.records, [(Read, 0, 4), (Read, 4, 4)]);
    assert_eq!(seen.trap, None);
}

#[test]
fn an_unreachable_is_named() {
    let seen = seen(
        r#"(module (memory 1) (func (export "_start")
            (i32.store (i32.const 8) (i32.load (i32.const 4))) (unreachable)))"#,
    );
    assert_eq!(seen.records, [(Read, 4, 4), (Write, 8, 4), (Trap, 0, 0)]);
    assert_eq!(seen.trap, Some((Trap, 0)));
}
