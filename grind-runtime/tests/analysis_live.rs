//! The analysis as a whole: passes, halting, deadlocks, lock misuse, limits.

#[path = "analysis_support/script.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod script;

use grind_runtime::analysis::{
    AnalysisOptions, BlockedThread, Detect, DetectionEnd, Diagnosis, LimitNotice, Limits, Wanted,
};
use grind_runtime::trace::{BlockedOn, EventKind, LockMode, ThreadEnd, ThreadId, WaitOutcome};
use script::{Script, races};

const X: u32 = 0x1000;
const FLAG: u32 = 0x2000;

fn with(limits: Limits) -> AnalysisOptions {
    AnalysisOptions {
        limits,
        ..AnalysisOptions::default()
    }
}

// ---- passes and halting ------------------------------------------------------------------------

#[test]
fn a_second_pass_is_wanted_only_for_races() {
    let mut script = Script::with_children(1);
    script.write(0, X, 4);
    let mut analysis = script.analysis(AnalysisOptions::default());
    script.deliver(&mut analysis);
    assert!(!analysis.needs_second_pass());
    script.write(1, X, 4);
    let mut analysis = script.analysis(AnalysisOptions::default());
    script.deliver(&mut analysis);
    assert!(analysis.needs_second_pass());
}

#[test]
fn without_a_second_pass_a_race_has_one_stack() {
    let mut script = Script::with_children(2);
    script.write(1, X + 1, 2);
    let second = script.write(2, X, 8);
    let mut analysis = script.analysis(AnalysisOptions::default());
    script.deliver(&mut analysis);
    let outcome = analysis.finish();
    let [(a, b)] = races(&outcome)[..] else {
        panic!()
    };
    assert_eq!(
        (a.thread, a.addr, a.len, a.write),
        (ThreadId(1), X + 1, 2, true)
    );
    assert_eq!(a.stack, []);
    assert_eq!(b.stack, [second]);
}

#[test]
fn the_second_pass_ends_when_it_has_seen_enough() {
    let mut script = Script::with_children(2);
    script.write(1, X, 4);
    script.write(2, X, 4);
    let enough = script.len();
    for _ in 0..100 {
        script.read(1, X + 64, 4);
    }
    let mut analysis = script.analysis(AnalysisOptions::default());
    assert_eq!(script.deliver(&mut analysis), script.len());
    let mut second = analysis.into_second_pass();
    assert_eq!(script.deliver(&mut second), enough);
    let outcome = second.finish();
    assert_eq!(outcome.stats.unresolved, 0);
    assert_eq!(outcome.stats.records, 102);
}

#[test]
fn another_stream_in_the_second_pass_is_noticed() {
    let mut script = Script::with_children(2);
    script.write(1, X, 4);
    script.write(2, X, 4);
    let mut analysis = script.analysis(AnalysisOptions::default());
    script.deliver(&mut analysis);
    let mut other = Script::with_children(2);
    other.write(1, X + 64, 4);
    other.write(2, X, 4);
    let mut second = analysis.into_second_pass();
    other.deliver(&mut second);
    assert_eq!(second.finish().stats.unresolved, 1);
}

#[test]
fn halts_at_the_first_finding_if_asked() {
    let mut script = Script::with_children(2);
    let a = script.write(1, X, 4);
    let b = script.write(2, X, 4);
    let first = script.len();
    script.write(1, X + 8, 4);
    script.write(2, X + 8, 4);
    let options = AnalysisOptions {
        halt_on_error: true,
        ..AnalysisOptions::default()
    };
    let mut analysis = script.analysis(options.clone());
    assert_eq!(script.deliver(&mut analysis), first);
    let outcome = script.run_with(options);
    let [(x, y)] = races(&outcome)[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    assert_eq!((x.stack[0], y.stack[0]), (a, b));
}

#[test]
fn without_detection_stacks_and_deadlocks_remain() {
    let mut script = Script::with_children(2);
    script.write(1, X, 4);
    script.write(2, X, 4);
    let call = script.call(1);
    let site = script.wait_begin(1, FLAG);
    script.exit(2);
    script.exit(0);
    let blocked = vec![(ThreadId(1), BlockedOn::Futex { site, addr: FLAG })];
    script.event(1, EventKind::Deadlock { blocked });
    let options = AnalysisOptions {
        detect: Detect::None,
        ..AnalysisOptions::default()
    };
    let mut analysis = script.analysis(options);
    script.deliver(&mut analysis);
    assert!(!analysis.needs_second_pass());
    assert_eq!(analysis.stack(ThreadId(1)), [site, call]);
    let outcome = analysis.finish();
    assert_eq!(outcome.diagnoses.len(), 1);
    assert_eq!(outcome.threads.len(), 3);
}

#[test]
fn threads_are_described() {
    let mut script = Script::with_children(0);
    let call = script.call(0);
    script.spawn(0, 1);
    script.ret(0);
    script.event(
        1,
        EventKind::ThreadName {
            of: ThreadId(1),
            name: "worker".into(),
        },
    );
    let (outer, trap) = (script.call(1), script.read(1, X, 4));
    script.lock(1, FLAG);
    let end = ThreadEnd::Trapped {
        reason: "out of bounds".into(),
        site: Some(trap),
    };
    script.event(1, EventKind::ThreadExit(end));
    let outcome = script.run();
    let [main, worker] = &outcome.threads[..] else {
        panic!("{:?}", outcome.threads)
    };
    assert_eq!((main.id, &main.created), (ThreadId(0), &None));
    assert_eq!(worker.name.as_deref(), Some("worker"));
    assert_eq!(worker.created, Some((ThreadId(0), vec![call])));
    let [trapped] = &outcome.traps[..] else {
        panic!("{:?}", outcome.traps)
    };
    assert_eq!(
        (trapped.thread, &trapped.reason[..]),
        (ThreadId(1), "out of bounds")
    );
    assert_eq!(trapped.stack, [trap, outer]);
    assert_eq!(trapped.locks.len(), 1);
}

// ---- deadlocks ---------------------------------------------------------------------------------

fn deadlock(script: &Script) -> (Vec<BlockedThread>, Vec<u32>) {
    let outcome = script.run();
    let [found] = &outcome.diagnoses[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    let Diagnosis::Deadlock { blocked, cycle } = &found.diagnosis else {
        panic!("{found:?}")
    };
    (
        blocked.clone(),
        cycle.iter().map(|thread| thread.0).collect(),
    )
}

/// The threads block, each with a site of its own, and that is that.
fn blocked_on(script: &mut Script, on: &[(u32, On)]) {
    let blocked: Vec<_> = on
        .iter()
        .map(|&(thread, on)| {
            let on = match on {
                On::Futex(addr) => BlockedOn::Futex {
                    site: script.wait_begin(thread, addr),
                    addr,
                },
                On::Join(thread) => BlockedOn::Join {
                    thread: ThreadId(thread),
                },
            };
            (ThreadId(thread), on)
        })
        .collect();
    script.event(on[0].0, EventKind::Deadlock { blocked });
}

#[derive(Clone, Copy)]
enum On {
    Futex(u32),
    Join(u32),
}

fn futex(addr: u32) -> On {
    On::Futex(addr)
}

fn join(thread: u32) -> On {
    On::Join(thread)
}

#[test]
fn two_locks_in_opposite_order() {
    const A: u32 = 0x100;
    const B: u32 = 0x200;
    let mut script = Script::with_children(2);
    let took = script.call(1);
    script.lock(1, A);
    script.ret(1);
    script.lock(2, B);
    let asks = script.call(1);
    script.request(1, B, LockMode::Exclusive);
    script.request(2, A, LockMode::Exclusive);
    // Main joins one of them; it is no part of the circle.
    blocked_on(&mut script, &[(0, join(1)), (1, futex(B)), (2, futex(A))]);
    let (blocked, cycle) = deadlock(&script);
    assert_eq!(cycle, [1, 2]);
    assert_eq!(
        blocked[1].wants,
        Some(Wanted::Lock {
            lock: B,
            name: None,
            holders: vec![ThreadId(2)]
        })
    );
    assert_eq!(blocked[1].stack[1..], [asks]);
    assert_eq!(blocked[1].locks[0].stack, [took]);
    assert_eq!(blocked[0].wants, None);
}

#[test]
fn a_circle_of_three_with_a_join_in_it() {
    let mut script = Script::with_children(2);
    script.lock(0, 0x100);
    script.lock(1, 0x200);
    script.request(1, 0x100, LockMode::Exclusive);
    script.request(2, 0x200, LockMode::Exclusive);
    blocked_on(
        &mut script,
        &[(0, join(2)), (1, futex(0x100)), (2, futex(0x200))],
    );
    assert_eq!(deadlock(&script).1, [0, 2, 1]);
}

#[test]
fn a_thread_that_waits_for_itself() {
    let mut script = Script::with_children(0);
    script.lock(0, 0x100);
    script.request(0, 0x100, LockMode::Exclusive);
    blocked_on(&mut script, &[(0, futex(0x100))]);
    assert_eq!(deadlock(&script).1, [0]);
}

#[test]
fn a_reader_behind_a_writer_behind_itself() {
    let mut script = Script::with_children(2);
    script.lock_as(1, 0x100, LockMode::Shared);
    script.request(2, 0x100, LockMode::Exclusive);
    script.request(1, 0x100, LockMode::Shared);
    blocked_on(&mut script, &[(1, futex(0x104)), (2, futex(0x100))]);
    assert_eq!(deadlock(&script).1, [1, 2]);
}

#[test]
fn a_lost_wake_up_has_no_circle() {
    let mut script = Script::with_children(1);
    let (condvar, lock) = (0x300, 0x100);
    script.lock(1, lock);
    script.event(1, EventKind::CondvarWait { condvar, lock });
    blocked_on(&mut script, &[(0, join(1)), (1, futex(condvar))]);
    let (blocked, cycle) = deadlock(&script);
    assert_eq!(cycle, [] as [u32; 0]);
    assert_eq!(blocked[1].wants, Some(Wanted::Condvar { condvar }));
    assert_eq!(blocked[1].locks, []);
}

#[test]
fn a_lock_left_by_a_thread_that_ended() {
    let mut script = Script::with_children(1);
    script.lock(1, 0x100);
    script.exit(1);
    script.request(0, 0x100, LockMode::Exclusive);
    blocked_on(&mut script, &[(0, futex(0x100))]);
    let (blocked, cycle) = deadlock(&script);
    assert_eq!(cycle, [] as [u32; 0]);
    let holders = vec![ThreadId(1)];
    assert_eq!(
        blocked[0].wants,
        Some(Wanted::Lock {
            lock: 0x100,
            name: None,
            holders
        })
    );
}

#[test]
fn woken_from_a_condvar_into_a_lock_that_is_taken() {
    let mut script = Script::with_children(2);
    let (condvar, lock) = (0x300, 0x100);
    script.lock(1, lock);
    script.event(1, EventKind::CondvarWait { condvar, lock });
    script.lock(2, lock);
    let site = script.wait_begin(1, condvar);
    script.notify(2, condvar, 1);
    script.wait_end(1, site, condvar, WaitOutcome::Woken);
    blocked_on(&mut script, &[(1, futex(lock)), (2, join(1))]);
    assert_eq!(deadlock(&script).1, [1, 2]);
}

// ---- lock misuse -------------------------------------------------------------------------------

#[test]
fn unlocking_what_one_does_not_hold() {
    let mut script = Script::with_children(2);
    let took = script.call(1);
    script.lock(1, FLAG);
    script.ret(1);
    let unlocks = script.call(2);
    script.unlock(2, FLAG);
    let outcome = script.run();
    let [found] = &outcome.diagnoses[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    let Diagnosis::UnlockNotHeld {
        lock,
        thread,
        stack,
        holders,
        ..
    } = &found.diagnosis
    else {
        panic!("{found:?}")
    };
    assert_eq!((*lock, *thread), (FLAG, ThreadId(2)));
    assert_eq!(*stack, [unlocks]);
    assert_eq!(*holders, [(ThreadId(1), vec![took])]);
}

#[test]
fn unlocking_what_one_holds() {
    let mut script = Script::with_children(1);
    script.lock(1, FLAG);
    script.unlock(1, FLAG);
    // Twice taken, twice released.
    script.lock(1, FLAG);
    script.lock(1, FLAG);
    script.unlock(1, FLAG);
    script.unlock(1, FLAG);
    // Downgraded.
    script.lock(1, FLAG);
    script.unlock_as(1, FLAG, LockMode::Shared);
    // Given up for a wait, and all of it taken back.
    let (condvar, lock) = (0x300, FLAG);
    script.lock(1, FLAG);
    script.lock(1, FLAG);
    script.event(1, EventKind::CondvarWait { condvar, lock });
    script.lock(0, FLAG);
    script.unlock(0, FLAG);
    script.event(
        1,
        EventKind::CondvarWake {
            condvar,
            lock,
            timed_out: true,
        },
    );
    script.unlock(1, FLAG);
    script.unlock(1, FLAG);
    assert_eq!(script.run().diagnoses, []);
}

#[test]
fn misuse_is_counted_and_waits_count_as_release() {
    let mut script = Script::with_children(0);
    let (condvar, lock) = (0x300, FLAG);
    script.unlock(0, FLAG);
    script.unlock(0, FLAG);
    let call = script.call(0);
    script.event(0, EventKind::CondvarWait { condvar, lock });
    let outcome = script.run();
    let counts: Vec<_> = outcome.diagnoses.iter().map(|found| found.count).collect();
    assert_eq!(counts, [2, 1]);
    let Diagnosis::UnlockNotHeld { stack, .. } = &outcome.diagnoses[1].diagnosis else {
        panic!()
    };
    assert_eq!(*stack, [call]);
}

#[test]
fn hooks_within_hooks_are_the_locks_own() {
    let mut script = Script::with_children(1);
    let (condvar, lock, mode) = (0x300, FLAG, LockMode::Exclusive);
    script.lock(0, lock);
    script.event(0, EventKind::CondvarWait { condvar, lock });
    // A condition variable made of the lock it waits with.
    script.unlock(0, lock);
    script.lock(0, 0x400);
    script.unlock(0, 0x400);
    script.lock(0, lock);
    script.event(
        0,
        EventKind::CondvarWake {
            condvar,
            lock,
            timed_out: false,
        },
    );
    script.event(0, EventKind::LockRelease { lock, mode });
    script.unlock(0, 0x404);
    script.event(0, EventKind::LockReleased { lock });
    let outcome = script.run();
    assert_eq!(outcome.diagnoses, []);
}

// ---- limits ------------------------------------------------------------------------------------

#[test]
fn all_2048_slots_can_be_used_and_no_more() {
    let limit = 2048;
    let mut script = Script::with_children(0);
    for child in 1..limit {
        script.spawn(0, child);
    }
    let a = script.write(1, X, 4);
    let b = script.write(limit - 1, X, 4);
    assert_eq!(script.races(), [(a, b)]);
    let position = script.len() as u64;
    script.spawn(0, limit);
    script.write(2, X, 4);
    let outcome = script.run_with(AnalysisOptions::default());
    assert_eq!(races(&outcome).len(), 1);
    let cause = DetectionEnd::Slots(limit);
    let position = position + 1;
    assert_eq!(
        outcome.limits,
        [LimitNotice::DetectionEnded { cause, position }]
    );
    // The rest of the analysis goes on.
    assert_eq!(outcome.threads.len(), limit as usize + 1);
}

#[test]
fn any_number_of_threads_fits_if_they_are_joined() {
    let mut script = Script::with_children(0);
    for child in 1..5000 {
        script.spawn(0, child);
        script.write(child, X, 4);
        script.exit(child);
        script.join(0, child);
    }
    assert_eq!(script.races(), []);
}

#[test]
fn slots_of_a_grandchild_are_reused_once_its_end_is_known() {
    let mut script = Script::with_children(1);
    let limits = Limits {
        slots: 3,
        ..Limits::default()
    };
    for grandchild in 2..10 {
        script.spawn(1, grandchild);
        script.write(grandchild, X, 4);
        script.exit(grandchild);
        script.join(1, grandchild);
    }
    let outcome = script.run_with(with(limits.clone()));
    assert_eq!((outcome.diagnoses.len(), outcome.limits.len()), (0, 0));
    // The main thread knows nothing of these ends, so it cannot reuse their slot.
    script.spawn(0, 10);
    let outcome = script.run_with(with(limits));
    assert_eq!(outcome.limits.len(), 1);
}

#[test]
fn a_clock_that_runs_out_ends_detection() {
    let mut script = Script::with_children(1);
    let release = |script: &mut Script| {
        script.write(1, X + 8, 4);
        script.store(1, FLAG);
    };
    // One epoch each, but what is released without an access in between.
    for _ in 0..4 {
        release(&mut script);
        script.store(1, FLAG + 64);
    }
    let limits = Limits {
        clock: 8,
        ..Limits::default()
    };
    let outcome = script.run_with(with(limits.clone()));
    assert_eq!(outcome.limits, []);
    release(&mut script);
    script.write(1, X, 4);
    script.write(0, X, 4);
    let outcome = script.run_with(with(limits));
    assert_eq!(outcome.diagnoses, []);
    let [LimitNotice::DetectionEnded { cause, .. }] = outcome.limits[..] else {
        panic!()
    };
    assert_eq!(cause, DetectionEnd::Clock(8));
}

#[test]
fn too_many_threads_end_detection() {
    let mut script = Script::with_children(3);
    script.call(3);
    script.write(3, X, 4);
    script.write(0, X, 4);
    script.unlock(3, FLAG);
    let outcome = script.run_with(with(Limits {
        threads: 3,
        ..Limits::default()
    }));
    let [LimitNotice::DetectionEnded { cause, .. }] = outcome.limits[..] else {
        panic!()
    };
    assert_eq!(cause, DetectionEnd::Threads(3));
    assert_eq!(outcome.diagnoses, []);
    assert_eq!(outcome.threads.len(), 3);
}

#[test]
fn too_many_sync_objects_end_detection() {
    let mut script = Script::with_children(1);
    for object in 0..4 {
        script.store(0, FLAG + object * 8);
        script.lock(0, FLAG + object);
        script.unlock(0, FLAG + object);
    }
    let limits = Limits {
        sync_objects: 8,
        ..Limits::default()
    };
    assert_eq!(script.run_with(with(limits.clone())).limits, []);
    script.event(0, EventKind::HappensBefore { object: 1 });
    let outcome = script.run_with(with(limits));
    let [LimitNotice::DetectionEnded { cause, .. }] = outcome.limits[..] else {
        panic!()
    };
    assert_eq!(cause, DetectionEnd::SyncObjects(8));
}

#[test]
fn distinct_races_beyond_the_limit_are_counted() {
    let mut script = Script::with_children(2);
    for index in 0..5 {
        script.write(1, X + index * 8, 4);
        script.write(2, X + index * 8, 4);
    }
    let outcome = script.run_with(with(Limits {
        candidates: 3,
        ..Limits::default()
    }));
    assert_eq!(outcome.diagnoses.len(), 3);
    assert_eq!(
        outcome.limits,
        [LimitNotice::Candidates {
            limit: 3,
            dropped: 2
        }]
    );
}

#[test]
fn calls_beyond_the_limit_are_counted_only() {
    let mut script = Script::with_children(2);
    let calls: Vec<_> = (0..5).map(|_| script.call(1)).collect();
    let deep = script.write(1, X, 4);
    for _ in 0..3 {
        script.ret(1);
    }
    let shallow = script.write(1, X + 8, 4);
    script.write(2, X, 4);
    script.write(2, X + 8, 4);
    let outcome = script.run_with(with(Limits {
        call_depth: 3,
        ..Limits::default()
    }));
    let stacks: Vec<_> = races(&outcome)
        .iter()
        .map(|(first, _)| first.stack.clone())
        .collect();
    assert_eq!(stacks[0], [deep, calls[2], calls[1], calls[0]]);
    assert_eq!(stacks[1], [shallow, calls[1], calls[0]]);
    assert_eq!(outcome.limits, [LimitNotice::CallDepth { limit: 3 }]);
}

#[test]
fn stacks_are_cut_to_their_innermost_frames() {
    let mut script = Script::with_children(2);
    let calls: Vec<_> = (0..5).map(|_| script.call(1)).collect();
    let write = script.write(1, X, 4);
    script.write(2, X, 4);
    let outcome = script.run_with(with(Limits {
        stack_frames: 3,
        ..Limits::default()
    }));
    assert_eq!(races(&outcome)[0].0.stack, [write, calls[4], calls[3]]);
    assert_eq!(outcome.limits, [LimitNotice::StackFrames { limit: 3 }]);
}

#[test]
fn shared_accesses_beyond_the_limit_are_forgotten_and_counted() {
    let mut script = Script::with_children(4);
    for thread in 1..4 {
        script.read(thread, X, 4);
        script.read(thread, X + 8, 4);
    }
    let write = script.write(4, X + 8, 4);
    let outcome = script.run_with(with(Limits {
        shared_bytes: 64,
        ..Limits::default()
    }));
    let (limit, forgotten) = (64, 3);
    assert_eq!(
        outcome.limits,
        [LimitNotice::SharedAccesses { limit, forgotten }]
    );
    assert_eq!(races(&outcome).len(), 1);
    // What is left is right.
    for (_, second) in races(&outcome) {
        assert_eq!(second.stack, [write]);
    }
}

#[test]
fn heap_blocks_and_annotations_beyond_the_limit_are_counted() {
    let mut script = Script::with_children(0);
    for index in 0..4 {
        script.alloc(0, X + index * 16, 8);
        script.event(
            0,
            EventKind::BenignRace {
                addr: index * 16,
                len: 4,
            },
        );
        script.event(
            0,
            EventKind::LockName {
                lock: index,
                name: index.to_string(),
            },
        );
    }
    let limits = Limits {
        heap_blocks: 3,
        annotations: 2,
        ..Limits::default()
    };
    assert_eq!(
        script.run_with(with(limits)).limits,
        [
            LimitNotice::HeapBlocks {
                limit: 3,
                dropped: 1
            },
            LimitNotice::Annotations {
                limit: 2,
                dropped: 4
            }
        ]
    );
}

#[test]
fn notices_say_what_it_cost() {
    let notice = LimitNotice::DetectionEnded {
        cause: DetectionEnd::Slots(2048),
        position: 7,
    };
    assert_eq!(
        notice.to_string(),
        "race detection ended after 7 records: more than 2048 threads whose end no one has waited for"
    );
}
