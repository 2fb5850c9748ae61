//! Heap blocks used against their rules, over streams written by hand.

#[path = "analysis_support/script.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod script;

use grind_runtime::detect::{
    Access, AccessKind, AnalysisOptions, AnalysisOutcome, Detect, Diagnosis, HeapBlock, HeapMisuse,
    StackOverflow,
};
use grind_runtime::model::sites::SiteId;
use grind_runtime::model::{EventKind, ThreadId};
use script::{Script, races};

const X: u32 = 0x1000;
const FLAG: u32 = 0x8000;

impl Script {
    fn freed(&mut self, thread: u32, addr: u32) -> SiteId {
        let site = self.call(thread);
        self.free(thread, addr);
        self.ret(thread);
        site
    }

    /// What `from` did so far happens before what `to` does next.
    fn order(&mut self, from: u32, to: u32) {
        self.store(from, FLAG);
        self.load(to, FLAG);
    }
}

fn misuses(outcome: &AnalysisOutcome) -> Vec<(HeapMisuse, &Access, &HeapBlock, u64)> {
    (outcome.diagnoses.iter())
        .filter_map(|found| match &found.diagnosis {
            Diagnosis::HeapMisuse {
                misuse,
                access,
                block,
            } => Some((*misuse, access, block, found.count)),
            _ => None,
        })
        .collect()
}

#[track_caller]
fn clean(script: &Script) {
    assert_eq!(script.run().diagnoses, []);
}

#[test]
fn an_access_in_order_after_the_free() {
    let mut script = Script::with_children(2);
    let allocated = script.call(1);
    script.alloc(1, X, 48);
    script.ret(1);
    script.write(1, X, 4);
    let freed = script.freed(1, X);
    script.order(1, 2);
    let read = script.read(2, X + 40, 8);
    let outcome = script.run();
    let [(misuse, access, block, 1)] = misuses(&outcome)[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    assert_eq!(misuse, HeapMisuse::UseAfterFree);
    assert_eq!(
        (access.thread, access.addr, access.len),
        (ThreadId(2), X + 40, 8)
    );
    assert_eq!((access.write, &access.stack[..]), (false, &[read][..]));
    assert_eq!((block.addr, block.size, block.thread), (X, 48, ThreadId(1)));
    assert_eq!(block.stack, [allocated]);
    assert_eq!(block.freed, Some((ThreadId(1), vec![freed])));
    assert_eq!(outcome.diagnoses.len(), 1);
}

#[test]
fn an_access_by_the_thread_that_freed_it() {
    // In the same epoch as accesses before the free, and as the free.
    for width in [1, 4, 8] {
        for write in [true, false] {
            let mut script = Script::with_children(1);
            script.alloc(1, X, 48);
            let access = |script: &mut Script| match write {
                true => script.write(1, X + 8, width),
                false => script.read(1, X + 8, width),
            };
            access(&mut script);
            script.free(1, X);
            access(&mut script);
            let outcome = script.run();
            let kinds: Vec<_> = misuses(&outcome).iter().map(|found| found.0).collect();
            assert_eq!(kinds, [HeapMisuse::UseAfterFree], "{width} {write}");
        }
    }
}

#[test]
fn accesses_of_every_kind() {
    let mut script = Script::with_children(1);
    script.alloc(1, X, 64);
    script.free(1, X);
    let sites = [
        script.store(1, X),
        script.load(1, X + 8),
        script.bulk(1, X + 16, 40, false),
        // Across the end of the block.
        script.write(1, X + 60, 8),
        // Across two granules.
        script.read(1, X + 4, 8),
    ];
    let outcome = script.run();
    let found: Vec<_> = misuses(&outcome)
        .iter()
        .map(|found| found.1.stack[0])
        .collect();
    assert_eq!(found, sites);
}

#[test]
fn the_same_use_again_is_counted() {
    let mut script = Script::with_children(1);
    script.alloc(1, X, 64);
    script.free(1, X);
    let site = script.read(1, X, 4);
    // A repetition within the epoch is none; in the next one it is.
    script.at(1, site, X);
    script.order(1, 0);
    script.at(1, site, X);
    // In several granules at once.
    script.order(1, 0);
    let bulk = script.bulk(1, X, 64, true);
    let outcome = script.run();
    let found: Vec<_> = (misuses(&outcome).iter())
        .map(|found| (found.1.stack[0], found.3))
        .collect();
    assert_eq!(found, [(site, 2), (bulk, 1)]);
}

#[test]
fn without_order_it_is_a_race() {
    let mut script = Script::with_children(2);
    script.alloc(1, X, 48);
    script.order(1, 2);
    script.free(1, X);
    let read = script.read(2, X, 4);
    let outcome = script.run();
    let [(first, second)] = races(&outcome)[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    assert_eq!((first.kind, second.stack[0]), (AccessKind::Free, read));
    assert_eq!(misuses(&outcome), []);
    let Diagnosis::DataRace { block, .. } = &outcome.diagnoses[0].diagnosis else {
        panic!()
    };
    let freed = block.as_ref().and_then(|block| block.freed.as_ref());
    assert_eq!(freed.map(|(thread, _)| *thread), Some(ThreadId(1)));
}

#[test]
fn freed_before_there_were_other_threads() {
    let mut script = Script::with_children(0);
    script.alloc(0, X, 48);
    script.free(0, X);
    script.spawn(0, 1);
    script.write(1, X, 4);
    assert_eq!(misuses(&script.run()).len(), 1);
}

#[test]
fn use_before_the_free_or_beside_the_block_is_right() {
    let mut script = Script::with_children(2);
    script.alloc(1, X, 44);
    script.write(1, X, 8);
    script.order(1, 2);
    script.write(2, X, 8);
    script.order(2, 1);
    script.free(1, X);
    script.order(1, 2);
    script.write(2, X + 44, 4);
    script.write(2, X - 4, 4);
    clean(&script);
}

#[test]
fn memory_that_was_allocated_again_is_new() {
    // The same block, one over its end, one over all of it; and in place, as by realloc.
    for (addr, size) in [(X, 48), (X - 16, 96), (X, 64)] {
        let mut script = Script::with_children(2);
        script.alloc(1, X, 48);
        script.write(1, X, 8);
        script.free(1, X);
        script.alloc(2, addr, size);
        script.write(2, X + 8, 8);
        script.order(2, 1);
        script.read(1, X + 8, 8);
        script.free(1, addr);
        clean(&script);
    }
    // Of a block that is covered in part, the rest is nobody's.
    let mut script = Script::with_children(1);
    script.alloc(1, X, 48);
    script.free(1, X);
    script.alloc(1, X, 16);
    script.write(1, X, 8);
    script.write(1, X + 32, 8);
    clean(&script);
}

#[test]
fn allocators_and_annotated_ranges_may() {
    let mut script = Script::with_children(1);
    script.alloc(1, X, 48);
    script.free(1, X);
    script.event(1, EventKind::HideBegin);
    script.write(1, X, 8);
    script.bulk(1, X, 48, true);
    script.free(1, X);
    script.event(1, EventKind::HideEnd);
    script.event(
        1,
        EventKind::BenignRace {
            addr: X + 8,
            len: 8,
        },
    );
    script.write(1, X + 8, 8);
    clean(&script);
}

#[test]
fn freed_twice() {
    for ordered in [true, false] {
        let mut script = Script::with_children(2);
        let allocated = script.call(1);
        script.alloc(1, X, 48);
        script.ret(1);
        let first = script.freed(1, X);
        if ordered {
            script.order(1, 2);
        }
        let second = script.freed(2, X);
        let outcome = script.run();
        let [(HeapMisuse::DoubleFree, access, block, 1)] = misuses(&outcome)[..] else {
            panic!("{:?}", outcome.diagnoses)
        };
        assert_eq!(
            (access.thread, access.kind),
            (ThreadId(2), AccessKind::Free)
        );
        assert_eq!((access.addr, &access.stack[..]), (X, &[second][..]));
        assert_eq!(
            (block.thread, &block.stack[..]),
            (ThreadId(1), &[allocated][..])
        );
        assert_eq!(block.freed, Some((ThreadId(1), vec![first])));
        assert_eq!(outcome.diagnoses.len(), 1);
    }
}

#[test]
fn freed_by_an_address_within() {
    let mut script = Script::with_children(1);
    script.alloc(1, X, 48);
    let free = script.freed(1, X + 16);
    // The block lives on.
    script.write(1, X, 8);
    script.free(1, X);
    let outcome = script.run();
    let [(HeapMisuse::InvalidFree, access, block, 1)] = misuses(&outcome)[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    assert_eq!((access.addr, access.stack[0]), (X + 16, free));
    assert_eq!((block.addr, &block.freed), (X, &None));
    // Of nothing that is known: of a block that came before the tables, or from elsewhere.
    let mut script = Script::with_children(1);
    script.alloc(1, X, 48);
    script.free(1, X + 48);
    script.free(1, X - 1);
    clean(&script);
}

#[test]
fn allocated_and_freed_again_and_again() {
    let mut script = Script::with_children(2);
    for round in 0..4 {
        let (one, other) = (1 + round % 2, 2 - round % 2);
        script.alloc(one, X, 48);
        script.write(one, X, 8);
        script.order(one, other);
        script.read(other, X, 8);
        script.free(other, X);
    }
    clean(&script);
}

#[test]
fn halts_and_needs_race_detection() {
    let mut script = Script::with_children(1);
    script.alloc(1, X, 48);
    script.free(1, X);
    script.write(1, X, 8);
    let until = script.len();
    script.write(1, X + 8, 8);
    let halting = AnalysisOptions::default().halt_on_error(true);
    let mut analysis = script.analysis(halting);
    assert_eq!(script.deliver(&mut analysis), until);
    assert!(!analysis.needs_second_pass());
    assert_eq!(misuses(&analysis.finish()).len(), 1);
    let off = AnalysisOptions::default().detect(Detect::None);
    assert_eq!(script.run_with(off).diagnoses, []);
}

#[test]
fn a_stack_that_grows_out_of_its_block_is_named_once() {
    let run = |lows: &[u32], block: Option<u32>| {
        let mut script = Script::with_children(1);
        if let Some(size) = block {
            script.event(0, EventKind::Alloc { addr: X, size });
        }
        for &low in lows {
            let high = X + 0x100;
            script.event(1, EventKind::ThreadStack { low, high });
        }
        script.run().overflows
    };
    let (thread, size) = (ThreadId(1), 0x100);
    let used = 0x110;
    assert_eq!(
        run(&[X + 0x80, X - 0x10, X - 0x20], Some(0x100)),
        [StackOverflow { thread, size, used }]
    );
    // What fits, a stack in no block, and one whose block begins further down.
    assert_eq!(run(&[X + 0x80, X], Some(0x100)), []);
    assert_eq!(run(&[X - 0x10], None), []);
    assert_eq!(run(&[X - 0x10], Some(0x80)), []);
}
