//! What is a data race, and, for each, what is not: a twin that differs in one step.

#[path = "analysis_support/script.rs"]
#[expect(dead_code, reason = "shared with other tests")]
mod script;

use grind_runtime::detect::{AccessKind, Diagnosis};
use grind_runtime::model::{AtomicKind, EventKind, LockMode, RangeOrigin, ThreadId, WaitOutcome};
use script::{Script, races};

const X: u32 = 0x1000;
const FLAG: u32 = 0x2000;
const LOCK: u32 = 0x3000;

#[test]
fn an_unprotected_counter_races() {
    let mut script = Script::with_children(2);
    script.read(1, X, 4);
    let w1 = script.write(1, X, 4);
    let (r2, w2) = (script.read(2, X, 4), script.write(2, X, 4));
    // The first thread's write stands for its read as well.
    assert_eq!(script.races(), [(w1, r2), (w1, w2)]);
}

#[test]
fn a_protected_counter_does_not() {
    let mut script = Script::with_children(2);
    for thread in [1, 2, 1] {
        script.lock(thread, LOCK);
        script.read(thread, X, 4);
        script.write(thread, X, 4);
        script.unlock(thread, LOCK);
    }
    assert_eq!(script.races(), []);
}

#[test]
fn two_locks_protect_nothing() {
    let mut script = Script::with_children(2);
    script.lock(1, LOCK);
    let first = script.write(1, X, 4);
    script.unlock(1, LOCK);
    script.lock(2, LOCK + 8);
    let second = script.write(2, X, 4);
    script.unlock(2, LOCK + 8);
    assert_eq!(script.races(), [(first, second)]);
}

#[test]
fn readers_do_not_race() {
    let mut script = Script::with_children(3);
    script.write(0, X + 64, 8);
    for thread in 0..4 {
        script.read(thread, X, 8);
    }
    assert_eq!(script.races(), []);
}

#[test]
fn a_write_races_with_every_reader() {
    let mut script = Script::with_children(3);
    let (a, b) = (script.read(1, X, 4), script.read(2, X + 2, 2));
    let write = script.write(3, X, 4);
    assert_eq!(script.races(), [(a, write), (b, write)]);
}

#[test]
fn mixed_widths_race_where_they_overlap() {
    for (width, addr, other, at, overlap) in [
        (8, X, 1, X + 7, true),
        (4, X, 2, X + 2, true),
        (1, X, 1, X + 1, false),
        (4, X, 4, X + 4, false),
        (2, X + 7, 1, X + 8, true),
        (2, X + 7, 1, X + 9, false),
        (16, X + 1, 1, X + 16, true),
        (16, X + 1, 1, X + 17, false),
        (16, X, 16, X + 15, true),
        (16, X, 16, X + 16, false),
        (8, 0xfffc, 4, 0x1_0000, true),
        (8, 0xfffc, 4, 0x1_0004, false),
    ] {
        let mut script = Script::with_children(2);
        let (a, b) = (script.write(1, addr, width), script.write(2, at, other));
        let expected = if overlap { vec![(a, b)] } else { vec![] };
        assert_eq!(
            script.races(),
            expected,
            "{width} at {addr:#x}, {other} at {at:#x}"
        );
    }
}

#[test]
fn the_last_bytes_of_a_full_memory_are_memory() {
    let mut script = Script::with_children(2);
    let (a, b) = (
        script.write(1, u32::MAX - 15, 16),
        script.write(2, u32::MAX, 1),
    );
    let read = script.bulk(2, u32::MAX - 20, 21, false);
    assert_eq!(script.races(), [(a, b), (a, read)]);
}

#[test]
fn atomic_against_plain_races_atomic_against_atomic_does_not() {
    let mut script = Script::with_children(2);
    script.store(1, X);
    script.store(2, X);
    script.rmw(1, X);
    assert_eq!(script.races(), []);
    let mut script = Script::with_children(2);
    let (a, b) = (script.store(1, X), script.write(2, X, 1));
    assert_eq!(script.races(), [(a, b)]);
    let mut script = Script::with_children(2);
    let (a, b) = (script.write(1, X, 8), script.load(2, X + 4));
    assert_eq!(script.races(), [(a, b)]);
    let mut script = Script::with_children(2);
    script.load(1, X);
    script.read(2, X, 4);
    assert_eq!(script.races(), []);
}

#[test]
fn publishing_needs_a_flag() {
    for flag in [true, false] {
        let mut script = Script::with_children(2);
        let write = script.write(1, X, 4);
        if flag {
            script.store(1, FLAG);
            script.load(2, FLAG);
        }
        let read = script.read(2, X, 4);
        assert_eq!(
            script.races(),
            if flag { vec![] } else { vec![(write, read)] }
        );
    }
}

#[test]
fn what_follows_a_release_is_not_released() {
    let mut script = Script::with_children(2);
    script.store(1, FLAG);
    let late = script.write(1, X, 4);
    script.load(2, FLAG);
    let read = script.read(2, X, 4);
    assert_eq!(script.races(), [(late, read)]);
}

#[test]
fn a_store_ends_a_release_sequence_and_an_rmw_does_not() {
    for (kind, races) in [
        (AtomicKind::Store, true),
        (AtomicKind::ReadModifyWrite, false),
    ] {
        let mut script = Script::with_children(3);
        let write = script.write(1, X, 4);
        script.store(1, FLAG);
        script.atomic(2, kind, FLAG, 4);
        script.load(3, FLAG);
        let read = script.read(3, X, 4);
        assert_eq!(
            script.races(),
            if races { vec![(write, read)] } else { vec![] }
        );
    }
}

#[test]
fn atomics_of_other_widths_synchronise_where_they_overlap() {
    for (addr, width, ordered) in [(FLAG + 3, 1, true), (FLAG, 8, true), (FLAG + 4, 4, false)] {
        let mut script = Script::with_children(2);
        let write = script.write(1, X, 4);
        script.store(1, FLAG);
        script.atomic(2, AtomicKind::Load, addr, width);
        let read = script.read(2, X, 4);
        assert_eq!(
            script.races(),
            if ordered { vec![] } else { vec![(write, read)] }
        );
    }
}

#[test]
fn a_partial_store_leaves_the_rest_of_a_location_released() {
    let mut script = Script::with_children(3);
    script.write(1, X, 4);
    let hidden = script.write(1, X + 8, 4);
    script.store(1, FLAG);
    script.atomic(2, AtomicKind::Store, FLAG, 2);
    script.load(3, FLAG);
    script.read(3, X, 4);
    assert_eq!(script.races(), []);
    // All of it overwritten, in two parts.
    script.atomic(2, AtomicKind::Store, FLAG + 2, 2);
    script.spawn(0, 4);
    script.load(4, FLAG);
    let read = script.read(4, X + 8, 4);
    assert_eq!(script.races(), [(hidden, read)]);
}

#[test]
fn an_atomic_store_forgets_no_older_unordered_one() {
    let mut script = Script::with_children(3);
    let old = script.store(1, X);
    script.store(2, X);
    script.store(2, FLAG);
    script.load(3, FLAG);
    // Ordered after the second store, not after the first.
    let plain = script.write(3, X, 4);
    assert_eq!(script.races(), [(old, plain)]);
}

#[test]
fn an_atomic_store_forgets_no_plain_one_before_it() {
    let mut script = Script::with_children(3);
    let plain = script.write(1, X, 4);
    script.store(1, FLAG);
    script.load(2, FLAG);
    script.store(2, X);
    let store = script.store(3, X);
    assert_eq!(script.races(), [(plain, store)]);
}

#[test]
fn a_second_race_at_the_same_place_is_found() {
    let mut script = Script::with_children(3);
    let a = script.write(1, X, 4);
    let b = script.write(2, X, 4);
    script.store(2, FLAG);
    script.load(3, FLAG);
    let c = script.write(3, X, 4);
    assert_eq!(script.races(), [(a, b), (a, c)]);
}

#[test]
fn fences_alone_order_nothing() {
    let mut script = Script::with_children(2);
    let write = script.write(1, X, 4);
    script.fence(1);
    script.fence(2);
    let read = script.read(2, X, 4);
    assert_eq!(script.races(), [(write, read)]);
    // Together with an atomic on each side they order, for that does.
    let mut script = Script::with_children(2);
    script.write(1, X, 4);
    script.fence(1);
    script.store(1, FLAG);
    script.load(2, FLAG);
    script.fence(2);
    script.read(2, X, 4);
    assert_eq!(script.races(), []);
}

#[test]
fn a_wake_up_orders_after_who_woke_and_nobody_else() {
    for (by, ordered) in [(1, true), (2, false)] {
        let mut script = Script::with_children(4);
        let waits = [3, 4].map(|thread| script.wait_begin(thread, FLAG));
        let write = script.write(1, X, 4);
        script.notify(1, FLAG, 1);
        script.notify(2, FLAG, 1);
        script.woken(3, waits[0], FLAG, by);
        script.woken(4, waits[1], FLAG, 3 - by);
        let read = script.read(3, X, 4);
        let expected = if ordered { vec![] } else { vec![(write, read)] };
        assert_eq!(script.races(), expected, "woken by T{by}");
    }
}

#[test]
fn a_barrier_orders_the_threads_of_a_round() {
    let barrier = LOCK;
    let arrive = EventKind::BarrierArrive { barrier };
    let leave = EventKind::BarrierLeave { barrier };
    let mut script = Script::with_children(2);
    script.write(1, X, 4);
    script.event(1, arrive.clone());
    script.event(2, arrive.clone());
    script.event(1, leave.clone());
    // Between two rounds, while the other thread has not left the first one yet.
    let between = script.write(1, X + 8, 4);
    script.event(1, arrive);
    script.event(2, leave);
    script.write(2, X, 4);
    let late = script.write(2, X + 8, 4);
    assert_eq!(script.races(), [(between, late)]);
}

#[test]
fn a_wake_up_orders_a_timeout_does_not() {
    for (outcome, ordered) in [(WaitOutcome::Woken, true), (WaitOutcome::TimedOut, false)] {
        let mut script = Script::with_children(2);
        let site = script.wait_begin(2, FLAG);
        let write = script.write(1, X, 4);
        script.notify(1, FLAG, u32::from(ordered));
        if ordered {
            script.woken(2, site, FLAG, 1);
        } else {
            script.wait_end(2, site, FLAG, outcome);
        }
        let read = script.read(2, X, 4);
        assert_eq!(
            script.races(),
            if ordered { vec![] } else { vec![(write, read)] }
        );
    }
}

#[test]
fn a_wait_that_does_not_wait_is_an_atomic_load() {
    let mut script = Script::with_children(2);
    script.write(1, X, 4);
    script.store(1, FLAG);
    let site = script.site(grind_runtime::model::sites::SiteKind::Atomic, 4);
    script.wait_end(2, site, FLAG, WaitOutcome::NotEqual);
    script.read(2, X, 4);
    assert_eq!(script.races(), []);
    let plain = script.write(1, FLAG, 4);
    assert_eq!(script.races(), [(site, plain)]);
}

#[test]
fn shared_holders_do_not_exclude_each_other() {
    use LockMode::{Exclusive, Shared};
    for (first, second, ordered) in [
        (Shared, Shared, false),
        (Shared, Exclusive, true),
        (Exclusive, Shared, true),
        (Exclusive, Exclusive, true),
    ] {
        let mut script = Script::with_children(2);
        script.lock_as(1, LOCK, first);
        let a = script.write(1, X, 4);
        script.unlock_as(1, LOCK, first);
        script.lock_as(2, LOCK, second);
        let b = script.write(2, X, 4);
        script.unlock_as(2, LOCK, second);
        let expected = if ordered { vec![] } else { vec![(a, b)] };
        assert_eq!(script.races(), expected, "{first:?} {second:?}");
    }
}

#[test]
fn an_unlock_by_another_thread_takes_no_order_away() {
    use LockMode::{Exclusive, Shared};
    let mut script = Script::with_children(3);
    script.lock_as(1, LOCK, Shared);
    script.write(1, X, 4);
    script.unlock_as(1, LOCK, Shared);
    script.unlock_as(3, LOCK, Exclusive);
    script.lock_as(2, LOCK, Exclusive);
    script.write(2, X, 4);
    assert_eq!(races(&script.run()), []);
}

#[test]
fn a_condvar_orders_through_its_lock_only() {
    for locked in [true, false] {
        let (condvar, lock) = (0x3100, LOCK);
        let mut script = Script::with_children(2);
        script.lock(2, lock);
        script.event(2, EventKind::CondvarWait { condvar, lock });
        if locked {
            script.lock(1, lock);
        }
        let write = script.write(1, X, 4);
        if locked {
            script.unlock(1, lock);
        }
        script.event(1, EventKind::CondvarNotify { condvar, all: true });
        script.event(1, EventKind::CondvarNotified { condvar });
        script.event(
            2,
            EventKind::CondvarWake {
                condvar,
                lock,
                timed_out: false,
            },
        );
        let read = script.read(2, X, 4);
        assert_eq!(
            script.races(),
            if locked { vec![] } else { vec![(write, read)] }
        );
        // And the wait released it.
        script.lock(1, lock);
        script.unlock(1, lock);
        script.run();
    }
}

#[test]
fn annotations_order() {
    let object = 0x4000;
    for after in [object, object + 4] {
        let mut script = Script::with_children(3);
        let a = script.write(1, X, 4);
        let b = script.write(2, X + 8, 4);
        script.event(1, EventKind::HappensBefore { object });
        script.event(2, EventKind::HappensBefore { object });
        script.event(3, EventKind::HappensAfter { object: after });
        let (c, d) = (script.read(3, X, 4), script.read(3, X + 8, 4));
        let expected = if after == object {
            vec![]
        } else {
            vec![(a, c), (b, d)]
        };
        assert_eq!(script.races(), expected);
    }
}

#[test]
fn join_orders_and_detach_does_not() {
    for join in [true, false] {
        let mut script = Script::with_children(1);
        let write = script.write(1, X, 4);
        script.exit(1);
        if join {
            script.join(0, 1);
        } else {
            script.event(0, EventKind::ThreadDetach { child: ThreadId(1) });
        }
        let read = script.read(0, X, 4);
        assert_eq!(
            script.races(),
            if join { vec![] } else { vec![(write, read)] }
        );
    }
}

#[test]
fn creation_orders_only_what_came_before() {
    let mut script = Script::with_children(0);
    script.write(0, X, 4);
    script.spawn(0, 1);
    script.read(1, X, 4);
    let late = script.write(0, X + 8, 4);
    let read = script.read(1, X + 8, 4);
    assert_eq!(script.races(), [(late, read)]);
}

#[test]
fn what_is_hidden_is_not_seen() {
    for hide in [true, false] {
        let mut script = Script::with_children(2);
        let first = script.write(1, X, 4);
        if hide {
            script.event(2, EventKind::HideBegin);
            // Nests.
            script.event(2, EventKind::HideBegin);
            script.event(2, EventKind::HideEnd);
        }
        let second = script.write(2, X, 4);
        let atomic = script.rmw(2, X);
        if hide {
            script.event(2, EventKind::HideEnd);
        }
        // Nor was it recorded.
        script.write(1, X + 4, 4);
        let expected = if hide {
            vec![]
        } else {
            vec![(first, second), (first, atomic)]
        };
        assert_eq!(script.races(), expected);
    }
}

#[test]
fn hidden_atomics_and_locks_make_no_edges() {
    for hide in [true, false] {
        let mut script = Script::with_children(2);
        let write = script.write(1, X, 4);
        for thread in [1, 2] {
            if hide {
                script.event(thread, EventKind::HideBegin);
            }
            script.rmw(thread, FLAG);
            script.lock(thread, LOCK);
            script.unlock(thread, LOCK);
            script.fence(thread);
            if hide {
                script.event(thread, EventKind::HideEnd);
            }
        }
        let read = script.read(2, X, 4);
        assert_eq!(
            script.races(),
            if hide { vec![(write, read)] } else { vec![] }
        );
    }
}

#[test]
fn threads_and_annotations_order_even_when_hidden() {
    let mut script = Script::with_children(0);
    script.write(0, X, 4);
    script.event(0, EventKind::HideBegin);
    script.spawn(0, 1);
    script.event(0, EventKind::HideEnd);
    script.write(1, X, 4);
    script.exit(1);
    script.event(0, EventKind::HideBegin);
    script.join(0, 1);
    script.event(0, EventKind::HideEnd);
    script.write(0, X, 4);
    script.spawn(0, 2);
    script.write(2, X + 8, 4);
    let object = 1;
    for (thread, kind) in [
        (2, EventKind::HappensBefore { object }),
        (0, EventKind::HappensAfter { object }),
    ] {
        script.event(thread, EventKind::HideBegin);
        script.event(thread, kind);
        script.event(thread, EventKind::HideEnd);
    }
    script.write(0, X + 8, 4);
    assert_eq!(script.races(), []);
}

#[test]
fn the_insides_of_a_lock_are_hidden() {
    let mut script = Script::with_children(2);
    let (lock, mode) = (LOCK, LockMode::Exclusive);
    script.write(1, LOCK, 4);
    script.request(2, lock, mode);
    script.write(2, LOCK, 4);
    script.event(2, EventKind::LockAcquire { lock, mode });
    script.event(2, EventKind::LockRelease { lock, mode });
    script.write(2, LOCK, 4);
    script.event(2, EventKind::LockReleased { lock });
    assert_eq!(script.races(), []);
    let (first, second) = (script.write(1, X, 4), script.write(2, X, 4));
    assert_eq!(script.races(), [(first, second)]);
    // A failed attempt ends the region as well.
    script.request(1, lock, mode);
    script.event(1, EventKind::LockFail { lock, mode });
    let third = script.write(1, X, 4);
    assert_eq!(script.races(), [(first, second), (second, third)]);
}

#[test]
fn new_memory_has_no_past() {
    for (addr, size, races) in [
        (X, 16, false),
        (X + 4, 12, true),
        (X, 3, true),
        (X - 100, 300, false),
    ] {
        let mut script = Script::with_children(2);
        let old = script.write(1, X, 4);
        script.alloc(2, addr, size);
        let new = script.write(2, X, 4);
        assert_eq!(
            script.races(),
            if races { vec![(old, new)] } else { vec![] },
            "{addr} {size}"
        );
    }
}

#[test]
fn large_new_memory_has_no_past() {
    let mut script = Script::with_children(2);
    let base = 0x10_0000;
    let before = script.write(1, base - 1, 1);
    script.bulk(1, base, 0x5_0000, true);
    let after = script.write(1, base + 0x5_0000, 4);
    // A granule with more than one epoch, too.
    script.store(1, FLAG);
    script.write(1, base + 0x1_0004, 1);
    script.alloc(2, base, 0x5_0000);
    script.bulk(2, base, 0x5_0000, true);
    assert_eq!(script.races(), []);
    let outside = script.bulk(2, base - 8, 0x5_0010, true);
    assert_eq!(script.races(), [(before, outside), (after, outside)]);
}

#[test]
fn freeing_races_with_use() {
    for joined in [true, false] {
        let mut script = Script::with_children(1);
        script.alloc(0, X, 64);
        let write = script.write(1, X + 32, 4);
        script.exit(1);
        if joined {
            script.join(0, 1);
        }
        let free = script.call(0);
        script.free(0, X);
        script.ret(0);
        let outcome = script.run();
        if joined {
            assert_eq!(outcome.diagnoses, []);
            continue;
        }
        let [found] = &outcome.diagnoses[..] else {
            panic!("{:?}", outcome.diagnoses)
        };
        let Diagnosis::DataRace {
            first,
            second,
            block,
            ..
        } = &found.diagnosis
        else {
            panic!()
        };
        assert_eq!(first.stack, [write]);
        assert_eq!(
            (second.kind, &second.stack[..]),
            (AccessKind::Free, &[free][..])
        );
        assert_eq!((second.addr, second.len, second.write), (X, 64, true));
        let block = block.as_ref().expect("registered");
        assert_eq!((block.addr, block.size, block.thread), (X, 64, ThreadId(0)));
    }
}

#[test]
fn use_races_with_an_earlier_free() {
    let mut script = Script::with_children(1);
    script.alloc(0, X, 64);
    script.call(0);
    script.free(0, X);
    script.ret(0);
    // Unknown: no block.
    script.free(0, X + 400);
    script.write(0, X + 400, 4);
    let read = script.read(1, X, 4);
    let outcome = script.run();
    let [(first, second)] = races(&outcome)[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    assert_eq!(first.kind, AccessKind::Free);
    assert_eq!(second.stack, [read]);
}

#[test]
fn bulk_and_host_accesses_are_accesses() {
    let mut script = Script::with_children(2);
    let copy = script.bulk(1, X + 3, 100, true);
    let read = script.read(2, X + 100, 8);
    script.read(2, X + 103, 4);
    let host = script.call(2);
    let origin = RangeOrigin::Host;
    script.event(
        2,
        EventKind::Range {
            origin,
            addr: X,
            len: 4,
            write: false,
        },
    );
    script.ret(2);
    script.event(
        2,
        EventKind::Range {
            origin,
            addr: X + 50,
            len: 0,
            write: true,
        },
    );
    let outcome = script.run();
    let kinds: Vec<_> = races(&outcome)
        .iter()
        .map(|(a, b)| (a.kind, a.stack[0], b.kind, b.stack[0]))
        .collect();
    assert_eq!(
        kinds,
        [
            (AccessKind::Bulk, copy, AccessKind::Plain, read),
            (AccessKind::Bulk, copy, AccessKind::Host, host)
        ]
    );
    let (first, _) = races(&outcome)[0];
    assert_eq!((first.addr, first.len), (X + 3, 100));
}

#[test]
fn benign_races_are_wanted() {
    for (addr, len, silent) in [
        (X, 4, true),
        (X, 3, false),
        (X - 8, 100, true),
        (X + 4, 4, false),
    ] {
        let mut script = Script::with_children(2);
        script.event(0, EventKind::BenignRace { addr, len });
        let (a, b) = (script.write(1, X, 4), script.write(2, X, 4));
        assert_eq!(script.races(), if silent { vec![] } else { vec![(a, b)] });
    }
}

#[test]
fn two_fields_read_at_once_are_two_races() {
    let mut script = Script::with_children(2);
    let (a, b) = (script.write(1, X, 4), script.write(1, X + 4, 4));
    let both = script.read(2, X, 8);
    assert_eq!(script.races(), [(a, both), (b, both)]);
}

#[test]
fn both_accesses_are_shown_whole() {
    let mut script = Script::with_children(2);
    let (lock, name) = (LOCK, "ledger".to_owned());
    script.event(
        0,
        EventKind::LockName {
            lock,
            name: name.clone(),
        },
    );
    let outer = script.call(1);
    let taking = script.call(1);
    script.lock(1, LOCK);
    script.ret(1);
    let inner = script.call(1);
    let write = script.write(1, X + 2, 4);
    script.ret(1);
    script.unlock(1, LOCK);
    script.ret(1);
    let calling = script.call(2);
    let read = script.read(2, X, 8);
    let outcome = script.run();
    let [(first, second)] = races(&outcome)[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    assert_eq!((first.thread, second.thread), (ThreadId(1), ThreadId(2)));
    assert_eq!(first.stack, [write, inner, outer]);
    assert_eq!(second.stack, [read, calling]);
    assert_eq!((first.addr, first.len, first.write), (X + 2, 4, true));
    assert_eq!((second.addr, second.len, second.write), (X, 8, false));
    let [held] = &first.locks[..] else {
        panic!("{:?}", first.locks)
    };
    assert_eq!(
        (held.lock, &held.name, held.mode),
        (LOCK, &Some(name), LockMode::Exclusive)
    );
    assert_eq!(held.stack, [taking, outer]);
    assert_eq!(second.locks, []);
}

#[test]
fn the_same_race_is_reported_once_and_counted() {
    let mut script = Script::with_children(2);
    let (a, b) = (script.write(1, X, 4), script.write(2, X, 4));
    for index in 1..10 {
        script.at(1, a, X + index * 16);
        script.at(2, b, X + index * 16);
    }
    // In the other order, too.
    script.at(2, b, X + 800);
    script.at(1, a, X + 800);
    let outcome = script.run();
    let [found] = &outcome.diagnoses[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    assert_eq!(found.count, 11);
    assert_eq!(script.races(), [(a, b)]);
}

#[test]
fn the_same_place_by_another_path_is_another_race() {
    let mut script = Script::with_children(2);
    let first = script.write(1, X, 4);
    let second = script.site(grind_runtime::model::sites::SiteKind::Read, 4);
    let mut expected = Vec::new();
    for _ in 0..2 {
        let call = script.call(2);
        script.at(2, second, X);
        script.ret(2);
        script.store(2, FLAG);
        expected.push(vec![second, call]);
    }
    let outcome = script.run();
    let stacks: Vec<_> = races(&outcome)
        .iter()
        .map(|(_, b)| b.stack.clone())
        .collect();
    assert_eq!(stacks, expected);
    assert_eq!(races(&outcome)[0].0.stack, [first]);
}

#[test]
fn memory_reused_within_an_epoch_is_told_apart() {
    let mut script = Script::with_children(2);
    // The same thread, epoch, kind and bytes; but only the second is of the block that races.
    script.alloc(1, X, 8);
    script.write(1, X, 8);
    script.alloc(1, X, 8);
    let new = script.write(1, X, 4);
    let read = script.read(2, X, 8);
    assert_eq!(script.races(), [(new, read)]);
    // Reuse after the race does not matter.
    script.alloc(1, X, 8);
    script.write(1, X, 8);
    assert_eq!(script.races(), [(new, read)]);
}

#[test]
fn an_ended_threads_slot_is_reused_without_mixing_them_up() {
    let mut script = Script::with_children(1);
    script.write(1, X, 4);
    script.exit(1);
    script.join(0, 1);
    // Reuses the slot of thread 1.
    script.spawn(0, 2);
    script.write(2, X, 4);
    assert_eq!(script.races(), []);
    script.spawn(0, 3);
    let second = script.write(2, X + 8, 4);
    let third = script.write(3, X + 8, 4);
    let outcome = script.run();
    let [(a, b)] = races(&outcome)[..] else {
        panic!("{:?}", outcome.diagnoses)
    };
    assert_eq!((a.thread, b.thread), (ThreadId(2), ThreadId(3)));
    assert_eq!((a.stack[0], b.stack[0]), (second, third));
}

#[test]
fn an_unjoined_threads_slot_is_not_reused() {
    let mut script = Script::with_children(1);
    let first = script.write(1, X, 4);
    script.exit(1);
    script.spawn(0, 2);
    let second = script.write(2, X, 4);
    assert_eq!(script.races(), [(first, second)]);
}
