//! What a race's history says: which steps, in which order, and which release and acquire missed each other.

#[path = "analysis_support/script.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod script;

use grind_runtime::detect::{AnalysisOutcome, Diagnosis, History, StepKind};
use grind_runtime::model::{EventKind, LockMode, ThreadId};
use script::Script;

const X: u32 = 0x1000;
const FLAG: u32 = 0x2000;
const LOCK: u32 = 0x3000;
const OTHER: u32 = 0x3008;

fn histories<'a>(outcome: &'a AnalysisOutcome) -> Vec<&'a History> {
    let of = |diagnosis: &'a Diagnosis| match diagnosis {
        Diagnosis::DataRace { history, .. } => history.as_ref(),
        _ => None,
    };
    (outcome.diagnoses.iter())
        .filter_map(|found| of(&found.diagnosis))
        .collect()
}

/// The only race's history, as threads and deeds.
fn steps(history: &History) -> Vec<(u32, StepKind)> {
    (history.steps.iter())
        .map(|step| (step.thread.0, step.did))
        .collect()
}

#[test]
fn two_locks_are_named_as_what_missed_each_other() {
    let mut script = Script::with_children(2);
    script.event(
        1,
        EventKind::LockName {
            lock: LOCK,
            name: "left".into(),
        },
    );
    script.lock(1, LOCK);
    script.write(1, X, 4);
    script.unlock(1, LOCK);
    script.lock(2, OTHER);
    script.write(2, X, 4);
    script.unlock(2, OTHER);
    let outcome = script.run();
    let [history] = histories(&outcome)[..] else {
        panic!("one race: {outcome:?}");
    };
    assert_eq!(
        steps(history),
        [
            (1, StepKind::Start),
            (2, StepKind::Start),
            (1, StepKind::Lock),
            (1, StepKind::FirstAccess),
            (1, StepKind::Unlock),
            (2, StepKind::Lock),
            (2, StepKind::SecondAccess),
        ]
    );
    assert_eq!((history.released, history.acquired), (Some(4), Some(5)));
    let names: Vec<_> = (history.steps.iter())
        .map(|step| (step.address, step.name.as_deref()))
        .collect();
    assert_eq!(names[4], (Some(LOCK), Some("left")));
    assert_eq!(names[5], (Some(OTHER), None));
    assert!(history.steps.iter().all(|step| step.left_out == 0));
}

#[test]
fn an_acquire_before_the_release_is_too_early() {
    let mut script = Script::with_children(2);
    script.load(2, FLAG);
    script.write(1, X, 4);
    script.store(1, FLAG);
    script.read(2, X, 4);
    let outcome = script.run();
    let history = histories(&outcome)[0];
    let (released, acquired) = (history.released.unwrap(), history.acquired.unwrap());
    assert!(acquired < released);
    assert_eq!(history.steps[released].did, StepKind::Store);
    assert_eq!(history.steps[acquired].did, StepKind::Load);
    assert_eq!(
        history.steps[released].address,
        history.steps[acquired].address
    );
}

#[test]
fn an_atomic_access_is_its_own_release_or_acquire() {
    let mut script = Script::with_children(2);
    script.store(1, X);
    script.read(2, X, 4);
    let outcome = script.run();
    let history = histories(&outcome)[0];
    let first = steps(history)
        .iter()
        .position(|step| step.1 == StepKind::FirstAccess);
    assert_eq!(history.released, first);

    let mut script = Script::with_children(2);
    script.write(1, X, 4);
    script.load(2, X);
    let outcome = script.run();
    let history = histories(&outcome)[0];
    assert_eq!(history.acquired, Some(history.steps.len() - 1));
    assert_eq!(history.released, None);
    // As one step, not as an access and a load.
    assert!(!steps(history).contains(&(2, StepKind::Load)));
}

#[test]
fn only_the_nearest_steps_are_kept_and_the_others_counted() {
    let mut script = Script::with_children(2);
    for n in 0..20 {
        script.load(1, FLAG + n * 8);
    }
    script.write(1, X, 4);
    for n in 0..20 {
        script.load(1, FLAG + n * 8);
    }
    script.lock(1, LOCK);
    script.unlock(1, LOCK);
    script.load(2, FLAG);
    for n in 0..20 {
        script.store(2, OTHER + n * 8);
    }
    script.write(2, X, 4);
    let outcome = script.run();
    let history = histories(&outcome)[0];
    let counts: Vec<_> = (history.steps.iter())
        .map(|step| (step.thread.0, step.did, step.left_out))
        .collect();
    let loads = [(1, StepKind::Load, 0); 16];
    let access = [(1, StepKind::FirstAccess, 0)];
    // After the other four loads, and the lock; after the other four stores.
    let rest = [
        (1, StepKind::Unlock, 5),
        (2, StepKind::Load, 0),
        (2, StepKind::Store, 4),
    ];
    let stores = [(2, StepKind::Store, 0); 15];
    let second = [(2, StepKind::SecondAccess, 0)];
    let wanted = [&loads[..], &access, &loads, &rest, &stores, &second].concat();
    assert_eq!(counts, wanted);
    assert_eq!((history.released, history.acquired), (Some(33), Some(34)));
}

#[test]
fn what_comes_after_the_race_is_no_part_of_it() {
    let mut script = Script::with_children(3);
    script.write(1, X, 4);
    script.write(2, X, 4);
    // Another race, so that the second pass goes on.
    script.unlock_as(1, LOCK, LockMode::Exclusive);
    script.lock(2, LOCK);
    script.write(1, X + 64, 4);
    script.write(3, X + 64, 4);
    let outcome = script.run();
    let found = histories(&outcome);
    assert_eq!(found.len(), 2);
    assert_eq!(
        steps(found[0]),
        [
            (1, StepKind::Start),
            (2, StepKind::Start),
            (1, StepKind::FirstAccess),
            (2, StepKind::SecondAccess)
        ]
    );
    assert_eq!(found[0].released, None);
}

/// Every edge that the order of threads is made of is a step here, and hidden ones are not.
#[test]
fn every_edge_is_a_step() {
    type Act = fn(&mut Script, u32);
    let edges: [(Act, StepKind, Act, StepKind, bool); 8] = [
        (
            |script, thread| script.unlock(thread, LOCK),
            StepKind::Unlock,
            |script, thread| script.lock(thread, LOCK),
            StepKind::Lock,
            true,
        ),
        (
            |script, thread| script.unlock(thread, LOCK),
            StepKind::Unlock,
            |script, thread| script.lock_as(thread, LOCK, LockMode::Shared),
            StepKind::LockShared,
            true,
        ),
        (
            |script, thread| _ = script.store(thread, FLAG),
            StepKind::Store,
            |script, thread| _ = script.load(thread, FLAG),
            StepKind::Load,
            true,
        ),
        (
            |script, thread| _ = script.rmw(thread, FLAG),
            StepKind::Update,
            |script, thread| _ = script.rmw(thread, FLAG),
            StepKind::Update,
            true,
        ),
        (
            |script, thread| script.notify(thread, FLAG, 1),
            StepKind::Notify,
            |script, thread| {
                let site = script.wait_begin(thread, FLAG + 64);
                script.woken(thread, site, FLAG, 3 - thread);
            },
            StepKind::Woken,
            true,
        ),
        (
            |script, thread| script.event(thread, EventKind::HappensBefore { object: FLAG }),
            StepKind::Release,
            |script, thread| script.event(thread, EventKind::HappensAfter { object: FLAG }),
            StepKind::Acquire,
            false,
        ),
        (
            |script, thread| {
                script.lock(thread, LOCK);
                script.event(
                    thread,
                    EventKind::CondvarWait {
                        condvar: FLAG,
                        lock: LOCK,
                    },
                );
            },
            StepKind::CondvarWait,
            |script, thread| {
                script.event(
                    thread,
                    EventKind::CondvarWake {
                        condvar: FLAG,
                        lock: LOCK,
                        timed_out: false,
                    },
                );
            },
            StepKind::CondvarWake,
            false,
        ),
        (
            |script, thread| script.exit(thread),
            StepKind::End,
            |script, thread| script.join(thread, 1),
            StepKind::Join,
            false,
        ),
    ];
    for (release, released, acquire, acquired, hideable) in edges {
        assert!(released.releases() && acquired.acquires());
        // With the edge, nothing races; the other way round, it races, and the history has both.
        let mut ordered = Script::with_children(2);
        ordered.write(1, X, 4);
        release(&mut ordered, 1);
        acquire(&mut ordered, 2);
        ordered.write(2, X, 4);
        let outcome = ordered.run();
        assert_eq!(histories(&outcome).len(), 0, "{released:?}, {acquired:?}");

        let mut racy = Script::with_children(2);
        racy.write(1, X, 4);
        release(&mut racy, 1);
        racy.write(2, X, 4);
        acquire(&mut racy, 2);
        racy.write(1, X + 64, 4);
        let outcome = racy.run();
        let history = histories(&outcome)[0];
        let last = |index: Option<usize>| history.steps[index.unwrap()].did;
        assert_eq!(last(history.released), released);
        assert_eq!(last(history.acquired), StepKind::Start);

        let mut late = Script::with_children(2);
        acquire(&mut late, 2);
        late.write(1, X, 4);
        late.write(2, X, 4);
        let outcome = late.run();
        let [history] = histories(&outcome)[..] else {
            // To join a thread orders even what it does later.
            assert_eq!(acquired, StepKind::Join);
            continue;
        };
        assert_eq!(history.steps[history.acquired.unwrap()].did, acquired);

        if hideable {
            let mut hidden = Script::with_children(2);
            hidden.write(1, X, 4);
            hidden.event(1, EventKind::HideBegin);
            release(&mut hidden, 1);
            hidden.event(1, EventKind::HideEnd);
            hidden.write(2, X, 4);
            let outcome = hidden.run();
            let history = histories(&outcome)[0];
            assert_eq!(history.released, None, "{released:?}");
        }
    }
    let mut created = Script::with_children(1);
    created.write(1, X, 4);
    created.spawn(1, 2);
    created.write(0, X, 4);
    let outcome = created.run();
    let history = histories(&outcome)[0];
    let step = &history.steps[history.released.unwrap()];
    assert_eq!(
        (step.did, step.other),
        (StepKind::Create, Some(ThreadId(2)))
    );
    // The main thread's beginning comes after nothing.
    assert_eq!(history.acquired, None);
}
