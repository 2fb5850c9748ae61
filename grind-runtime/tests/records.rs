//! What is recorded does not depend on where slices end: a region's records are the same, whether they share a
//! header or were made one by one, and end where the thread trapped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::machine::{self, MachineConfig, NullIo};
use grind_runtime::model::sites::SiteKind;
use grind_runtime::model::{
    Event, EventKind, EventSink, Flow, Records, Slice, ThreadEnd, ThreadId,
};
use grind_runtime::program::Program;
use grind_runtime::schedule::{Point, Scheduler};
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

/// What compilers make of `if condition { *p } else { -1 }` where `p` can be read in any case.
#[test]
fn a_load_is_an_access_only_where_its_value_is_chosen() {
    let chosen = |condition: u32, code: &str| {
        let seen = seen(&format!(
            r#"(module (memory 1)
                (func (export "_start") (local $c i32) (local $p i32)
                    (local.set $c (i32.const {condition})) (local.set $p (i32.const 64))
                    (i32.store (i32.const 8) (i32.const 1))
                    {code}
                    (i32.store (i32.const 16) (i32.const 1))))"#
        ));
        let (first, last) = ((Write, 8, 4), (Write, 16, 4));
        assert_eq!(
            (seen.records[0], *seen.records.last().unwrap()),
            (first, last)
        );
        let loads = seen.records[1..seen.records.len() - 1].iter();
        loads
            .map(|&(kind, addr, width)| {
                assert_eq!(kind, Read);
                (addr, width)
            })
            .collect::<Vec<_>>()
    };
    for (code, if_so, if_not) in [
        // Either operand of a `select`, and both.
        ("(drop (select (i32.load (local.get $p)) (i32.const -1) (local.get $c)))", vec![(64, 4)], vec![]),
        ("(drop (select (i32.const -1) (i32.load (local.get $p)) (local.get $c)))", vec![], vec![(64, 4)]),
        (
            "(drop (select (i32.load8_u (local.get $p)) (i32.load16_s offset=4 (local.get $p)) (local.get $c)))",
            vec![(64, 1)],
            vec![(68, 2)],
        ),
        // What is computed of loads.
        (
            "(drop (select (i32.add (i32.mul (i32.load (i32.const 72)) (i32.const 3)) (i32.load (local.get $p)))
                (i32.const 7) (local.get $c)))",
            vec![(72, 4), (64, 4)],
            vec![],
        ),
        (
            "(drop (select (f64.promote_f32 (f32.load (local.get $p))) (f64.const 0) (local.get $c)))",
            vec![(64, 4)],
            vec![],
        ),
        // `condition && load`, on either side.
        (
            "(drop (i32.and (i32.ne (local.get $c) (i32.const 0)) (i32.load8_u (local.get $p))))",
            vec![(64, 1)],
            vec![],
        ),
        (
            "(drop (i32.and (i32.eq (i32.load (local.get $p)) (i32.const 3)) (i32.ne (local.get $c) (i32.const 0))))",
            vec![(64, 4)],
            vec![],
        ),
        // A variable that has two values is a `bool` to the compiler, and `select` gives its value.
        (
            "(drop (select (select (i32.const 42) (i32.const 0) (i32.load8_u (local.get $p))) (i32.const -1) (local.get $c)))",
            vec![(64, 1)],
            vec![],
        ),
        // One choice after the other.
        (
            "(drop (select (select (i64.load (local.get $p)) (i64.const 1) (local.get $c)) (i64.const 2)
                (i32.const 1)))",
            vec![(64, 8)],
            vec![],
        ),
        (
            "(drop (select (i64.const 2) (select (i64.load (local.get $p)) (i64.const 1) (local.get $c))
                (i32.const 1)))",
            vec![],
            vec![],
        ),
    ] {
        assert_eq!(chosen(1, code), if_so, "{code}");
        assert_eq!(chosen(0, code), if_not, "{code}");
    }
    // Something else depends on these, too.
    for code in [
        "(drop (i32.load (local.get $p)))",
        "(drop (select (local.tee $c (i32.load (local.get $p))) (i32.const -1) (i32.const 0)))",
        "(drop (select (i32.const 1) (i32.const -1) (i32.load (local.get $p))))",
        "(drop (i32.and (local.get $c) (i32.load (local.get $p))))",
        "(drop (select (i32.load (i32.and (i32.const 0) (i32.load (local.get $p)))) (i32.const 1) (i32.const 0)))",
        "(if (i32.load (local.get $p)) (then))",
        "(drop (select (i32.div_u (i32.const 6) (i32.or (i32.load (local.get $p)) (i32.const 1))) (i32.const 1) (i32.const 0)))",
    ] {
        assert_eq!(chosen(0, code), [(64, 4)], "{code}");
    }
}

/// What compilers make of a loop that reads a variable in some rounds only.
#[test]
fn a_hoisted_load_is_an_access_once_it_is_chosen() {
    let rounds = |chosen: u32, between: &str, within: &str| {
        let seen = seen(&format!(
            r#"(module (memory 1) (func $nothing)
                (func (export "_start") (local $value i32) (local $round i32) (local $sum i32)
                    (i32.store (i32.const 8) (i32.const 1))
                    (local.set $value (i32.load (i32.const 64)))
                    {between}
                    (loop $again
                        (local.set $sum (i32.add (local.get $sum)
                            (select (local.get $value) (i32.const 0) (i32.eq (local.get $round) (i32.const {chosen})))))
                        {within}
                        (local.set $round (i32.add (local.get $round) (i32.const 1)))
                        (br_if $again (i32.lt_u (local.get $round) (i32.const 5))))
                    (i32.store (i32.const 16) (i32.const 1))))"#
        ));
        seen.records
            .iter()
            .filter(|&&record| record == (Read, 64, 4))
            .count()
    };
    assert_eq!(rounds(9, "", ""), 0);
    assert_eq!(rounds(3, "", ""), 1);
    let twice = "(drop (select (local.get $value) (i32.const 0) (i32.const 1)))";
    assert_eq!(rounds(3, "", twice), 1);
    // These use it otherwise, or let others observe something first.
    assert_eq!(rounds(9, "(drop (local.get $value))", ""), 1);
    assert_eq!(rounds(9, "", "(br_if 1 (local.get $value))"), 1);
    assert_eq!(rounds(9, "(call $nothing)", ""), 1);
    assert_eq!(rounds(9, "(atomic.fence)", ""), 1);
    // A call comes between in every round but the first: chosen or not, it is an access where it stands.
    for round in [0, 3, 9] {
        assert_eq!(rounds(round, "", "(call $nothing)"), 1);
    }
    // So it is where the function has not synchronised before, or a round waits for something.
    let poll = "(drop (i32.atomic.load (i32.const 32)))";
    for (between, within) in [(poll, ""), ("", poll)] {
        assert_eq!(rounds(9, between, within), 1);
    }
}

/// Flags and numbers are read from left to right, and chosen among at the end.
#[test]
fn what_a_later_flag_says_decides_about_no_earlier_load() {
    let loads = |first: &str, before: u32, behind: u32, chosen: &str| {
        let seen = seen(&format!(
            r#"(module (memory 1)
                (func (export "_start") (local $before i32) (local $value i32) (local $behind i32)
                    (i32.store (i32.const 32) (i32.const {before}))
                    (i32.store (i32.const 36) (i32.const {behind}))
                    {first}
                    (local.set $value (i32.load (i32.const 64)))
                    (local.set $behind (i32.ne (i32.atomic.load (i32.const 36)) (i32.const 0)))
                    (drop {chosen})))"#
        ));
        let load = |record: &&_| **record == (Read, 64, 4);
        seen.records.iter().filter(load).count()
    };
    let first = "(local.set $before (i32.atomic.load (i32.const 32)))";
    let by_before = "(select (local.get $value) (i32.const 7) (local.get $before))";
    let by_behind = "(select (local.get $value) (i32.const 7) (local.get $behind))";
    let by_both = "(select (select (local.get $value) (i32.const 7) (local.get $before)) (i32.const 8) (local.get $behind))";
    for (before, behind) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let count = |chosen| loads(first, before, behind, chosen);
        assert_eq!(count(by_before), before as usize);
        assert_eq!(count(by_behind), 1);
        assert_eq!(count(by_both), before as usize);
        // Nothing came before that could guard it.
        assert_eq!(loads("", before, behind, by_before), 1);
    }
}

/// A round of a loop loads, and what follows the loop chooses.
#[test]
fn what_a_loop_loaded_before_a_call_of_its_next_round_is_an_access() {
    let loads = |before: &str, chosen: u32| {
        let seen = seen(&format!(
            r#"(module (memory 1) (func $nothing)
                (func (export "_start") (local $value i32) (local $round i32)
                    (i32.store (i32.const 8) (i32.const 1))
                    (block $out
                        (loop $again
                            {before}
                            (br_if $out (i32.eq (local.get $round) (i32.const 1)))
                            (local.set $value (i32.load (i32.const 64)))
                            (local.set $round (i32.add (local.get $round) (i32.const 1)))
                            (br $again)))
                    (drop (select (local.get $value) (i32.const 0) (i32.const {chosen})))))"#
        ));
        let load = |record: &&_| **record == (Read, 64, 4);
        seen.records.iter().filter(load).count()
    };
    assert_eq!([loads("", 0), loads("", 1)], [0, 1]);
    assert_eq!(
        [0, 1].map(|chosen| loads("(call $nothing)", chosen)),
        [1, 1]
    );
}
