//! The analysis as a whole: passes, halting, deadlocks, lock misuse.

#[path = "analysis_support/script.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod script;

use grind_runtime::detect::{
    AnalysisOptions, AnalysisOutcome, BlockedThread, Detect, Diagnosed, Diagnosis, Misuse, Wanted,
};
use grind_runtime::model::{
    BlockedOn, EventKind, LockMode, ThreadEnd, ThreadId, WaitKind, Waiting,
};
use script::{Script, races};

const X: u32 = 0x1000;
const FLAG: u32 = 0x2000;

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
    let options = AnalysisOptions::default().halt_on_error(true);
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
    let options = AnalysisOptions::default().detect(Detect::None);
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
    let Diagnosis::Deadlock { blocked, cycle, .. } = &found.diagnosis else {
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
            holders: vec![ThreadId(2)],
            behind: vec![],
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
            holders,
            behind: vec![],
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
    script.woken(1, site, condvar, 2);
    blocked_on(&mut script, &[(1, futex(lock)), (2, join(1))]);
    assert_eq!(deadlock(&script).1, [1, 2]);
}

/// What the thread waits for by the functions that it is in.
fn known(script: &mut Script, thread: u32, kind: WaitKind, by: &[u32]) -> (ThreadId, BlockedOn) {
    let addr = 0x700 + 8 * thread;
    let on = BlockedOn::Known {
        site: script.wait_begin(thread, addr),
        addr,
        waiting: Waiting {
            kind,
            of: None,
            object: Some(0x800),
            by: by.iter().map(|&id| ThreadId(id)).collect(),
        },
    };
    (ThreadId(thread), on)
}

fn blocked_all(script: &mut Script, blocked: Vec<(ThreadId, BlockedOn)>) -> Vec<u32> {
    script.event(0, EventKind::Deadlock { blocked });
    deadlock(script).1
}

fn joins(thread: u32, child: u32) -> (ThreadId, BlockedOn) {
    let [thread, child] = [thread, child].map(ThreadId);
    (thread, BlockedOn::Join { thread: child })
}

#[test]
fn initialisations_are_waited_for_as_locks_are() {
    let mut script = Script::with_children(2);
    let one = known(&mut script, 1, WaitKind::Once, &[2]);
    let two = known(&mut script, 2, WaitKind::Once, &[1]);
    assert_eq!(
        blocked_all(&mut script, vec![joins(0, 1), one, two]),
        [1, 2]
    );
    let mut script = Script::with_children(0);
    let own = known(&mut script, 0, WaitKind::Once, &[0]);
    assert_eq!(blocked_all(&mut script, vec![own]), [0]);
}

#[test]
fn a_channel_is_waited_for_with_those_who_used_its_other_side() {
    let mut script = Script::with_children(2);
    let one = known(&mut script, 1, WaitKind::ChannelFull, &[2]);
    let two = known(&mut script, 2, WaitKind::ChannelFull, &[1]);
    assert_eq!(
        blocked_all(&mut script, vec![joins(0, 1), one, two]),
        [1, 2]
    );
    // One that sent and has ended can do nothing.
    let mut script = Script::with_children(1);
    script.exit(1);
    let main = known(&mut script, 0, WaitKind::ChannelEmpty, &[1]);
    assert_eq!(blocked_all(&mut script, vec![main]), [0_u32; 0]);
}

#[test]
fn a_notification_that_came_before_its_wait_is_missed() {
    let mut script = Script::with_children(1);
    let notifies = script.call(0);
    script.notify(0, FLAG, 0);
    script.ret(0);
    blocked_on(&mut script, &[(0, join(1)), (1, futex(FLAG))]);
    let (blocked, cycle) = deadlock(&script);
    // Who gave it waits for who missed it, and that is no more than what follows.
    assert_eq!(cycle, [0_u32; 0]);
    let (by, stack) = blocked[1].missed.as_ref().expect("it was missed");
    assert_eq!((by.0, &stack[1..]), (0, &[notifies][..]));
    assert_eq!(blocked[1].by, [ThreadId(0)]);
}

#[test]
fn a_notification_that_somebody_heard_is_not_missed() {
    let mut script = Script::with_children(1);
    let site = script.wait_begin(1, FLAG);
    script.notify(0, FLAG, 1);
    script.woken(1, site, FLAG, 0);
    blocked_on(&mut script, &[(0, join(1)), (1, futex(FLAG))]);
    let (blocked, cycle) = deadlock(&script);
    assert_eq!(cycle, [0, 1]);
    assert_eq!(blocked[1].missed, None);
    // Memory that was allocated anew has not been notified.
    let mut script = Script::with_children(1);
    script.notify(0, FLAG, 0);
    script.alloc(0, FLAG - 8, 16);
    blocked_on(&mut script, &[(0, join(1)), (1, futex(FLAG))]);
    assert_eq!(deadlock(&script).0[1].missed, None);
}

#[test]
fn who_waits_for_a_notification_with_a_lock_that_the_notifier_wants() {
    let mut script = Script::with_children(1);
    script.notify(0, FLAG, 0);
    script.lock(1, 0x100);
    script.request(0, 0x100, LockMode::Exclusive);
    blocked_on(&mut script, &[(0, futex(0x100)), (1, futex(FLAG))]);
    assert_eq!(deadlock(&script).1, [0, 1]);
}

#[test]
fn a_reader_waits_for_the_writer_that_waits_for_it() {
    let mut script = Script::with_children(1);
    script.lock_as(0, 0x100, LockMode::Shared);
    script.request(1, 0x100, LockMode::Exclusive);
    script.request(0, 0x100, LockMode::Shared);
    blocked_on(&mut script, &[(0, futex(0x100)), (1, futex(0x100))]);
    let (blocked, cycle) = deadlock(&script);
    assert_eq!(cycle, [0, 1]);
    let behind = |thread: &BlockedThread| match &thread.wants {
        Some(Wanted::Lock {
            holders, behind, ..
        }) => (holders.clone(), behind.clone()),
        wants => panic!("{wants:?}"),
    };
    assert_eq!(behind(&blocked[0]), (vec![ThreadId(0)], vec![ThreadId(1)]));
    assert_eq!(behind(&blocked[1]), (vec![ThreadId(0)], vec![]));
}

/// The run ends, while these threads are alive.
fn cancelled(script: &mut Script, threads: &[u32]) {
    for &thread in threads {
        script.event(thread, EventKind::ThreadExit(ThreadEnd::Cancelled));
    }
}

#[test]
fn threads_that_are_stuck_when_the_run_ends_are_in_a_deadlock() {
    let mut script = Script::with_children(3);
    script.lock(1, 0x100);
    script.lock(2, 0x200);
    script.call(1);
    script.request(1, 0x200, LockMode::Exclusive);
    script.call(2);
    script.request(2, 0x100, LockMode::Exclusive);
    // One waits, the other one spins, and a third one only waits for its turn.
    script.wait_begin(1, 0x200);
    let site = script.read(2, 0x100, 4);
    for _ in 0..2000 {
        script.at(2, site, 0x100);
    }
    script.lock(0, 0x300);
    script.request(3, 0x300, LockMode::Exclusive);
    script.wait_begin(3, 0x300);
    cancelled(&mut script, &[0, 1, 2, 3]);
    let (blocked, cycle) = deadlock(&script);
    assert_eq!(cycle, [1, 2]);
    assert_eq!(blocked.len(), 2);
}

#[test]
fn who_asks_when_the_run_ends_need_not_be_stuck() {
    let mut script = Script::with_children(2);
    // A lock that may be taken again, right when it is.
    script.lock(1, 0x100);
    script.request(1, 0x100, LockMode::Exclusive);
    // One that a thread had which trapped.
    script.lock(2, 0x200);
    script.request(0, 0x200, LockMode::Exclusive);
    script.wait_begin(0, 0x200);
    let end = ThreadEnd::Trapped {
        reason: "unreachable".into(),
        site: None,
    };
    script.event(2, EventKind::ThreadExit(end));
    cancelled(&mut script, &[0, 1]);
    let trap = |found: &Diagnosed| matches!(found.diagnosis, Diagnosis::Trap(_));
    assert!(script.run().diagnoses.iter().all(trap));
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
    let Diagnosis::LockMisuse {
        misuse: Misuse::UnlockByOtherThread,
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
    assert_eq!(
        misuses(&outcome),
        [
            (Misuse::UnlockNotHeld, 0, vec![]),
            (Misuse::CondvarWaitWithoutLock { condvar }, 0, vec![])
        ]
    );
    let Diagnosis::LockMisuse { stack, .. } = &outcome.diagnoses[1].diagnosis else {
        panic!()
    };
    assert_eq!(*stack, [call]);
}

/// Who broke which rule, and who held the lock.
fn misuses(outcome: &AnalysisOutcome) -> Vec<(Misuse, u32, Vec<u32>)> {
    let misuse = |found: &Diagnosed| match &found.diagnosis {
        Diagnosis::LockMisuse {
            misuse,
            thread,
            holders,
            ..
        } => {
            let holders = holders.iter().map(|(holder, _)| holder.0).collect();
            (*misuse, thread.0, holders)
        }
        other => panic!("{other:?}"),
    };
    outcome.diagnoses.iter().map(misuse).collect()
}

#[test]
fn destroying_what_somebody_holds() {
    let lock = FLAG;
    let mut script = Script::with_children(2);
    script.lock_as(1, lock, LockMode::Shared);
    script.lock_as(2, lock, LockMode::Shared);
    let destroyed = script.call(1);
    script.event(1, EventKind::LockDestroy { lock });
    let outcome = script.run();
    assert_eq!(
        misuses(&outcome),
        [(Misuse::DestroyHeldLock, 1, vec![1, 2])]
    );
    let Diagnosis::LockMisuse { stack, .. } = &outcome.diagnoses[0].diagnosis else {
        panic!()
    };
    assert_eq!(*stack, [destroyed]);

    // Released before, or part of another lock: as it should be.
    let mut script = Script::with_children(1);
    script.lock(1, lock);
    script.unlock(1, lock);
    script.event(0, EventKind::LockDestroy { lock });
    script.lock(1, lock);
    script.request(0, 0x500, LockMode::Exclusive);
    script.event(0, EventKind::LockDestroy { lock });
    assert_eq!(script.run().diagnoses, []);
}

#[test]
fn waiting_with_the_lock_of_another_thread() {
    let (condvar, lock) = (0x300, FLAG);
    let mut script = Script::with_children(2);
    script.lock(1, lock);
    script.event(2, EventKind::CondvarWait { condvar, lock });
    let misuse = Misuse::CondvarWaitWithoutLock { condvar };
    assert_eq!(misuses(&script.run()), [(misuse, 2, vec![1])]);
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

// ---- threads that nobody joined -----------------------------------------------------------------

/// How many threads leaked per place, and the first.
fn leaks(script: &Script, normal: bool) -> Vec<(u64, u32)> {
    let mut analysis = script.analysis(AnalysisOptions::default());
    script.deliver(&mut analysis);
    if normal {
        analysis.end_normally();
    }
    let leak = |found: &Diagnosed| match &found.diagnosis {
        Diagnosis::ThreadLeak { threads, .. } => (found.count, threads[0].0),
        other => panic!("{other:?}"),
    };
    analysis.finish().diagnoses.iter().map(leak).collect()
}

#[test]
fn threads_that_nobody_joins_leak() {
    let mut script = Script::with_children(0);
    let create = |script: &mut Script, child| {
        script.spawn(0, child);
        let child = ThreadId(child);
        script.event(0, EventKind::ThreadJoinable { child });
    };
    // One after the other at the same place.
    let place = script.call(0);
    for child in 1..=3 {
        create(&mut script, child);
    }
    script.ret(0);
    script.call(0);
    create(&mut script, 4);
    script.ret(0);
    // Of which one is joined; a thread that nobody has to join is none.
    script.spawn(0, 5);
    for child in 1..=4 {
        script.exit(child);
    }
    script.join(0, 2);
    assert_eq!(leaks(&script, true), [(2, 1), (1, 4)]);
    assert_eq!(leaks(&script, false), []);
    let mut analysis = script.analysis(AnalysisOptions::default());
    script.deliver(&mut analysis);
    analysis.end_normally();
    let outcome = analysis.into_second_pass().finish();
    let Diagnosis::ThreadLeak {
        threads,
        creator,
        stack,
    } = &outcome.diagnoses[0].diagnosis
    else {
        panic!()
    };
    assert_eq!(threads[..], [ThreadId(1), ThreadId(3)]);
    assert_eq!((*creator, &stack[..]), (ThreadId(0), &[place][..]));

    for child in [1, 3, 4] {
        let child = ThreadId(child);
        script.event(0, EventKind::ThreadDetach { child });
    }
    assert_eq!(leaks(&script, true), []);
}

#[test]
fn a_thread_that_runs_still_is_no_leak() {
    let mut script = Script::with_children(0);
    for child in [1, 2, 3] {
        script.spawn(0, child);
        let child = ThreadId(child);
        script.event(0, EventKind::ThreadJoinable { child });
    }
    script.exit(1);
    script.exit(0);
    // What comes after the main thread's end is the end of the process.
    script.exit(2);
    assert_eq!(leaks(&script, true), [(1, 1)]);
    let mut analysis = script.analysis(AnalysisOptions::default());
    script.deliver(&mut analysis);
    analysis.end_normally();
    assert_eq!(analysis.finish().running, [ThreadId(2), ThreadId(3)]);
}

#[test]
fn a_wait_without_the_lock_releases_nothing() {
    let mut script = Script::with_children(2);
    let (lock, condvar) = (0x100, 0x200);
    let timed_out = false;
    script.write(1, 0x300, 4);
    script.event(1, EventKind::CondvarWait { condvar, lock });
    script.lock(2, lock);
    script.write(2, 0x300, 4);
    script.unlock(2, lock);
    script.event(
        1,
        EventKind::CondvarWake {
            condvar,
            lock,
            timed_out,
        },
    );
    let mut analysis = script.analysis(AnalysisOptions::default());
    script.deliver(&mut analysis);
    let races = (analysis.finish().diagnoses.iter())
        .filter(|found| matches!(found.diagnosis, Diagnosis::DataRace { .. }))
        .count();
    assert_eq!(races, 1);
}
