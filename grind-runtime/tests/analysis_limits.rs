//! The analysis at its limits: what is given up, and what is said of it.

#[path = "analysis_support/script.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod script;

use grind_runtime::detect::{AnalysisOptions, DetectionEnd, LimitNotice, Limits};
use grind_runtime::model::EventKind;
use script::{Script, races};

const X: u32 = 0x1000;
const FLAG: u32 = 0x2000;

fn with(limits: Limits) -> AnalysisOptions {
    AnalysisOptions::default().limits(limits)
}

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
    let limits = Limits::default().slots(3);
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
    let limits = Limits::default().clock(8);
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
    let outcome = script.run_with(with(Limits::default().threads(3)));
    let cause = DetectionEnd::Threads(3);
    let position = 6;
    assert_eq!(
        outcome.limits,
        [
            LimitNotice::DetectionEnded { cause, position },
            LimitNotice::LockOrderEnded { cause }
        ]
    );
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
    let limits = Limits::default().sync_objects(8);
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
    let outcome = script.run_with(with(Limits::default().candidates(3)));
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
    let outcome = script.run_with(with(Limits::default().call_depth(3)));
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
    let outcome = script.run_with(with(Limits::default().stack_frames(3)));
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
    let outcome = script.run_with(with(Limits::default().shared_bytes(64)));
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
    let limits = Limits::default().heap_blocks(3).annotations(2);
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
