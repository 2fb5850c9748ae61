//! Lock-order inversions over streams written by hand: what is one, and what is none.

#[path = "analysis_support/script.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod script;

use LockMode::{Exclusive, Shared};
use grind_runtime::detect::{
    AnalysisOptions, AnalysisOutcome, Detect, DetectionEnd, Diagnosis, LimitNotice, Limits,
    LockOrderEdge,
};
use grind_runtime::model::sites::SiteId;
use grind_runtime::model::{BlockedOn, EventKind, LockMode, ThreadId};
use script::Script;

const A: u32 = 0x100;
const B: u32 = 0x200;
const C: u32 = 0x300;
const D: u32 = 0x400;

impl Script {
    /// Takes locks one within the other, each at a call of its own, and releases them.
    fn nest(&mut self, thread: u32, locks: &[u32]) -> Vec<SiteId> {
        let modes: Vec<_> = locks.iter().map(|&lock| (lock, Exclusive)).collect();
        self.nest_as(thread, &modes)
    }

    fn nest_as(&mut self, thread: u32, locks: &[(u32, LockMode)]) -> Vec<SiteId> {
        let taken = locks.iter().map(|&(lock, mode)| {
            let site = self.call(thread);
            self.lock_as(thread, lock, mode);
            self.ret(thread);
            site
        });
        let sites = taken.collect();
        for &(lock, mode) in locks.iter().rev() {
            self.unlock_as(thread, lock, mode);
        }
        sites
    }
}

fn inversions(outcome: &AnalysisOutcome) -> Vec<&[LockOrderEdge]> {
    (outcome.diagnoses.iter())
        .filter_map(|found| match &found.diagnosis {
            Diagnosis::LockOrderInversion { edges } => Some(&edges[..]),
            _ => None,
        })
        .collect()
}

/// The circles, each as the threads and the locks they hold.
fn circles(outcome: &AnalysisOutcome) -> Vec<Vec<(u32, u32)>> {
    let circle = |edges: &[LockOrderEdge]| {
        let next = edges.iter().cycle().skip(1);
        assert!((edges.iter().zip(next)).all(|(edge, next)| edge.taken.lock == next.held.lock));
        (edges.iter().map(|edge| (edge.thread.0, edge.held.lock))).collect()
    };
    inversions(outcome).into_iter().map(circle).collect()
}

fn found(script: &Script) -> Vec<Vec<(u32, u32)>> {
    circles(&script.run())
}

const NONE: [Vec<(u32, u32)>; 0] = [];

#[test]
fn both_orders_by_two_threads() {
    let mut script = Script::with_children(2);
    let ab = script.nest(1, &[A, B]);
    let ba = script.nest(2, &[B, A]);
    // Again is nothing new.
    script.nest(1, &[A, B]);
    script.nest(2, &[B, A]);
    let outcome = script.run();
    let [edges] = inversions(&outcome)[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    let shown: Vec<_> = (edges.iter())
        .map(|edge| (edge.thread.0, &edge.held.stack, &edge.taken.stack))
        .collect();
    assert_eq!(
        shown,
        [
            (1, &vec![ab[0]], &vec![ab[1]]),
            (2, &vec![ba[0]], &vec![ba[1]])
        ]
    );
    assert_eq!(circles(&outcome), [[(1, A), (2, B)]]);
    assert_eq!(outcome.diagnoses[0].count, 1);
}

#[test]
fn one_order_or_one_thread_is_none() {
    let mut script = Script::with_children(2);
    script.nest(1, &[A, B]);
    script.nest(2, &[A, B]);
    script.nest(1, &[C, D]);
    script.nest(1, &[D, C]);
    // One after the other is no order.
    script.nest(2, &[B]);
    script.nest(2, &[A]);
    assert_eq!(found(&script), NONE);
}

#[test]
fn circles_of_three_need_three_threads() {
    let mut script = Script::with_children(3);
    script.nest(3, &[C, A]);
    script.nest(1, &[A, B]);
    script.nest(1, &[B, C]);
    assert_eq!(found(&script), NONE);
    script.nest(2, &[B, C]);
    assert_eq!(found(&script), [[(1, A), (2, B), (3, C)]]);
}

#[test]
fn circles_up_to_eight_locks() {
    for (length, expected) in [(8, 1), (9, 0)] {
        let mut script = Script::with_children(length);
        for thread in 1..=length {
            script.nest(thread, &[0x100 + thread, 0x100 + thread % length + 1]);
        }
        assert_eq!(found(&script).len(), expected, "{length}");
    }
}

#[test]
fn each_circle_once() {
    // Every pair in both orders: three circles of two locks, two of three.
    let mut script = Script::with_children(6);
    let pairs = [[A, B], [B, A], [A, C], [C, A], [B, C], [C, B]];
    for _ in 0..3 {
        for (thread, pair) in (1..).zip(pairs) {
            script.nest(thread, &pair);
        }
    }
    let found = found(&script);
    let lengths: Vec<_> = found.iter().map(Vec::len).collect();
    assert_eq!(lengths.iter().filter(|&&length| length == 2).count(), 3);
    assert_eq!(lengths.len(), 5, "{found:?}");
}

#[test]
fn a_gate_lets_one_in_at_a_time() {
    let mut script = Script::with_children(2);
    script.nest(1, &[C, A, B]);
    script.nest(2, &[C, B, A]);
    assert_eq!(found(&script), NONE);
    // Not if one of them goes around it.
    script.nest(2, &[B, A]);
    assert_eq!(found(&script), [[(1, A), (2, B)]]);
}

#[test]
fn readers_share_a_gate_and_writers_do_not() {
    for (mine, theirs, expected) in [
        (Shared, Shared, 1),
        (Shared, Exclusive, 0),
        (Exclusive, Exclusive, 0),
    ] {
        let mut script = Script::with_children(2);
        script.nest_as(1, &[(C, mine), (A, Exclusive), (B, Exclusive)]);
        script.nest_as(2, &[(C, theirs), (B, Exclusive), (A, Exclusive)]);
        assert_eq!(found(&script).len(), expected, "{mine:?} {theirs:?}");
    }
}

#[test]
fn a_lock_of_the_circle_can_be_the_gate() {
    let mut script = Script::with_children(3);
    script.nest(1, &[A, B]);
    script.nest(2, &[A, B, C]);
    script.nest(3, &[C, A]);
    // 1 and 2 both need A, so only 2 and 3 can meet.
    assert_eq!(found(&script), [[(2, A), (3, C)]]);
}

#[test]
fn readers_do_not_wait_for_readers() {
    for (held, asked, expected) in [
        (Shared, Shared, 0),
        (Shared, Exclusive, 1),
        (Exclusive, Shared, 1),
        (Exclusive, Exclusive, 1),
    ] {
        let mut script = Script::with_children(2);
        script.nest_as(1, &[(A, held), (B, Exclusive)]);
        script.nest_as(2, &[(B, Exclusive), (A, asked)]);
        assert_eq!(found(&script).len(), expected, "{held:?} {asked:?}");
    }
}

#[test]
fn attempts_wait_for_nobody() {
    let mut script = Script::with_children(2);
    let (lock, mode) = (A, Exclusive);
    script.nest(1, &[A, B]);
    script.lock(2, B);
    let fallible = true;
    let request = EventKind::LockRequest {
        lock,
        mode,
        fallible,
    };
    script.event(2, request.clone());
    script.event(2, EventKind::LockAcquire { lock, mode });
    script.unlock(2, A);
    script.unlock(2, B);
    assert_eq!(found(&script), NONE);
    // What an attempt got is held like any other.
    script.event(2, request);
    script.event(2, EventKind::LockAcquire { lock, mode });
    script.lock(2, C);
    script.unlock(2, C);
    script.unlock(2, A);
    script.nest(1, &[C, A]);
    assert_eq!(found(&script), [[(2, A), (1, C)]]);
}

#[test]
fn taking_again_what_one_has_is_no_order() {
    let mut script = Script::with_children(2);
    script.nest(1, &[A, B, A]);
    script.nest(2, &[A, B, A]);
    assert_eq!(found(&script), NONE);
}

#[test]
fn a_wake_up_asks_for_its_lock() {
    let wait = |script: &mut Script, thread| {
        let (condvar, lock, timed_out) = (D, A, false);
        script.event(thread, EventKind::CondvarWait { condvar, lock });
        let wake = EventKind::CondvarWake {
            condvar,
            lock,
            timed_out,
        };
        script.event(thread, wake);
    };
    let mut script = Script::with_children(2);
    script.lock(1, A);
    script.lock(1, B);
    wait(&mut script, 1);
    script.unlock(1, B);
    script.unlock(1, A);
    script.nest(2, &[A, B]);
    assert_eq!(found(&script), [[(2, A), (1, B)]]);
    let mut script = Script::with_children(2);
    script.lock(1, A);
    wait(&mut script, 1);
    script.unlock(1, A);
    script.nest(2, &[A, B]);
    assert_eq!(found(&script), NONE);
}

#[test]
fn creation_and_join_keep_orders_apart() {
    // Before the creation, and after the join.
    let mut script = Script::with_children(0);
    script.nest(0, &[A, B]);
    script.spawn(0, 1);
    script.nest(1, &[B, A]);
    script.exit(1);
    script.join(0, 1);
    script.nest(0, &[A, B]);
    assert_eq!(found(&script), NONE);
    // Through a third thread.
    script.spawn(0, 2);
    script.spawn(2, 3);
    script.nest(3, &[A, B]);
    assert_eq!(found(&script), NONE);
    // While both are there, in a moment of main that is not the first with this edge.
    let mut script = Script::with_children(0);
    script.nest(0, &[A, B]);
    script.spawn(0, 1);
    script.nest(0, &[A, B]);
    script.nest(1, &[B, A]);
    assert_eq!(found(&script), [[(0, A), (1, B)]]);
    // Locks that order the threads in this run do not.
    let mut script = Script::with_children(2);
    script.nest(1, &[A, B]);
    script.nest(1, &[C]);
    script.nest(2, &[C]);
    script.nest(2, &[B, A]);
    assert_eq!(found(&script).len(), 1);
}

#[test]
fn a_lock_that_ended_is_another_one_afterwards() {
    for end in [
        EventKind::LockDestroy { lock: B },
        EventKind::Alloc {
            addr: B - 8,
            size: 16,
        },
    ] {
        let mut script = Script::with_children(2);
        script.nest(1, &[A, B]);
        script.event(1, end);
        script.nest(2, &[B, A]);
        assert_eq!(found(&script), NONE);
        script.nest(1, &[A, B]);
        assert_eq!(found(&script), [[(1, A), (2, B)]]);
    }
    let mut script = Script::with_children(2);
    script.nest(1, &[A, B]);
    script.alloc(1, B + 4, 16);
    script.alloc(1, B, 0);
    script.nest(2, &[B, A]);
    assert_eq!(found(&script), [[(1, A), (2, B)]]);
}

#[test]
fn hidden_regions_make_no_order() {
    let mut script = Script::with_children(2);
    script.nest(1, &[A, B]);
    script.event(2, EventKind::HideBegin);
    script.nest(2, &[B, A]);
    script.event(2, EventKind::HideEnd);
    assert_eq!(found(&script), NONE);
    // Nor do locks that a lock is made of.
    script.lock(2, B);
    script.request(2, C, Exclusive);
    script.nest(2, &[A]);
    let (lock, mode) = (C, Exclusive);
    script.event(2, EventKind::LockAcquire { lock, mode });
    assert_eq!(found(&script), NONE);
}

fn blocked(script: &mut Script, waits: &[(u32, u32)]) {
    let site = script.wait_begin(waits[0].0, waits[0].1);
    let on = |addr| BlockedOn::Futex { site, addr };
    let blocked = (waits.iter())
        .map(|&(thread, addr)| (ThreadId(thread), on(addr)))
        .collect();
    script.event(0, EventKind::Deadlock { blocked });
}

#[test]
fn a_circle_that_came_true_is_the_deadlock() {
    let mut script = Script::with_children(4);
    // It could have been seen before.
    script.nest(1, &[A, B]);
    script.nest(2, &[B, A]);
    // Another one stays.
    script.nest(3, &[C, D]);
    script.nest(4, &[D, C]);
    script.lock(1, A);
    script.lock(2, B);
    script.request(1, B, Exclusive);
    script.request(2, A, Exclusive);
    blocked(&mut script, &[(1, B), (2, A)]);
    let outcome = script.run();
    assert_eq!(circles(&outcome), [[(3, C), (4, D)]]);
    assert_eq!(outcome.diagnoses.len(), 2);
}

#[test]
fn threads_that_block_each_other_while_others_go_on() {
    let mut script = Script::with_children(2);
    script.lock(1, A);
    script.lock(2, B);
    script.request(1, B, Exclusive);
    script.request(2, A, Exclusive);
    assert_eq!(found(&script), [[(1, A), (2, B)]]);
}

#[test]
fn it_is_found_without_race_detection_and_halts() {
    let mut script = Script::with_children(2);
    script.nest(1, &[A, B]);
    script.lock(2, B);
    script.lock(2, A);
    let until = script.len();
    script.unlock(2, A);
    let options = AnalysisOptions::default()
        .detect(Detect::None)
        .halt_on_error(true);
    let mut analysis = script.analysis(options);
    assert_eq!(script.deliver(&mut analysis), until);
    assert!(!analysis.needs_second_pass());
    assert_eq!(circles(&analysis.finish()), [[(1, A), (2, B)]]);
}

#[test]
fn races_do_not_change_what_is_found() {
    let mut script = Script::with_children(2);
    script.write(1, 0x1000, 4);
    script.write(2, 0x1000, 4);
    script.nest(1, &[A, B]);
    script.nest(2, &[B, A]);
    let outcome = script.run();
    assert_eq!(outcome.diagnoses.len(), 2);
    assert_eq!(circles(&outcome).len(), 1);
}

// ---- limits ------------------------------------------------------------------------------------

fn with(limits: Limits) -> AnalysisOptions {
    AnalysisOptions::default().limits(limits)
}

#[test]
fn pairs_of_locks_that_are_gone_make_room() {
    let limits = Limits::default().lock_orders(2);
    let mut script = Script::with_children(2);
    for lock in 0x1000..0x1100 {
        script.nest(1, &[A, lock]);
        let destroy = EventKind::LockDestroy { lock };
        script.event(1, destroy);
    }
    script.nest(1, &[A, B]);
    script.nest(2, &[B, A]);
    let outcome = script.run_with(with(limits.clone()));
    assert_eq!(circles(&outcome), [[(1, A), (2, B)]]);
    assert_eq!(outcome.limits, []);
    script.nest(1, &[C, D]);
    script.nest(2, &[D, C]);
    let outcome = script.run_with(with(limits));
    assert_eq!(circles(&outcome), [[(1, A), (2, B)]]);
    let (limit, dropped) = (2, 2);
    assert_eq!(outcome.limits, [LimitNotice::LockOrders { limit, dropped }]);
}

#[test]
fn threads_that_ended_make_room_for_others() {
    // Twenty threads take the edge and are joined; the one that comes after them is seen.
    let mut script = Script::with_children(0);
    for child in 1..=20 {
        script.spawn(0, child);
        script.nest(child, &[A, B]);
        script.exit(child);
        script.join(0, child);
    }
    script.spawn(0, 21);
    script.spawn(0, 22);
    script.nest(22, &[B, A]);
    assert_eq!(found(&script), NONE);
    script.nest(21, &[A, B]);
    assert_eq!(found(&script), [[(21, A), (22, B)]]);
}

#[test]
fn a_search_that_finds_no_end_is_told() {
    // All orders of thirty locks: far more circles than are kept.
    let mut script = Script::with_children(30);
    for first in 0..30 {
        for second in 0..30 {
            if first != second {
                script.nest(first + 1, &[0x1000 + first, 0x1000 + second]);
            }
        }
    }
    let outcome = script.run_with(AnalysisOptions::default());
    assert_eq!(inversions(&outcome).len(), 1000);
    assert!(
        matches!(outcome.limits[..], [LimitNotice::LockOrderSearch { searches }] if searches > 0),
        "{:?}",
        outcome.limits
    );
}

#[test]
fn without_slots_there_is_no_order() {
    let limits = Limits::default().slots(3);
    let mut script = Script::with_children(3);
    script.nest(1, &[A, B]);
    script.nest(2, &[B, A]);
    script.nest(3, &[C, D]);
    script.nest(0, &[D, C]);
    let outcome = script.run_with(with(limits));
    assert_eq!(circles(&outcome), [[(1, A), (2, B)]]);
    let cause = DetectionEnd::Slots(3);
    let ended = LimitNotice::LockOrderEnded { cause };
    assert!(outcome.limits.contains(&ended), "{:?}", outcome.limits);
}
