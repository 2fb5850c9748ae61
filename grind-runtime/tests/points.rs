//! What a scheduling point shows: the operation that each thread does next, and which thread it is in every schedule.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::machine::{self, MachineConfig, NullIo};
use grind_runtime::model::{
    AtomicKind, Event, EventKind, EventSink, Flow, Operation, Records, Slice, ThreadId,
};
use grind_runtime::program::Program;
use grind_runtime::schedule::{Point, Random, STRATEGIES, Scheduler};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Main creates two threads, each of which creates one; all add, store, wait, notify and join.
const GUEST: &str = r#"(module
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (memory 1 1 shared)
    (func $family (param $slot i32)
        (drop (call $create (local.get $slot) (i32.add (local.get $slot) (i32.const 4))))
        (drop (i32.atomic.rmw8.add_u offset=3 (i32.const 64) (i32.const 1)))
        (drop (memory.atomic.wait32 (i32.const 128) (i32.const 0) (i64.const 50)))
        (i64.atomic.store (i32.const 72) (i64.const 1))
        (drop (memory.atomic.notify (i32.const 128) (i32.const 1)))
        (drop (call $join (i32.load (local.get $slot)))))
    (func (export "thread_start") (param $slot i32)
        (atomic.fence)
        (drop (i32.atomic.load (i32.const 64)))
        (if (i32.lt_u (local.get $slot) (i32.const 1024))
            (then (call $family (i32.add (local.get $slot) (i32.const 1024))))))
    (func (export "_start")
        (drop (call $create (i32.const 256) (i32.const 256)))
        (drop (call $create (i32.const 260) (i32.const 512)))
        (drop (call $join (i32.load (i32.const 256))))
        (drop (call $join (i32.load (i32.const 260))))))"#;

/// What was seen at the points of a run, shared with the sink.
#[derive(Debug, Default)]
struct Seen {
    /// What each thread was said to do next, when it was last chosen.
    chosen: BTreeMap<ThreadId, Expected>,
    /// The threads' paths.
    paths: BTreeMap<ThreadId, String>,
    /// Operations that were followed by their event.
    matched: BTreeSet<&'static str>,
}

/// An operation, without its borrowed name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Atomic(u64, u8, AtomicKind),
    Wait(u64, u8),
    WaitEnd(u64),
    Notify(u64),
    Fence,
    Create,
    Joined(ThreadId),
    Other,
}

impl From<Operation<'_>> for Expected {
    fn from(operation: Operation<'_>) -> Expected {
        match operation {
            Operation::Atomic {
                addr, width, kind, ..
            } => Expected::Atomic(addr, width, kind),
            Operation::Wait { addr, width, .. } => Expected::Wait(addr, width),
            Operation::WaitEnd { addr, .. } => Expected::WaitEnd(addr),
            Operation::Notify { addr, .. } => Expected::Notify(addr),
            Operation::Fence { .. } => Expected::Fence,
            Operation::Call("thread_create") => Expected::Create,
            Operation::Joined(child) => Expected::Joined(child),
            _ => Expected::Other,
        }
    }
}

#[derive(Debug)]
struct Watching {
    scheduler: Box<dyn Scheduler>,
    seen: Arc<Mutex<Seen>>,
}

impl Scheduler for Watching {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        let slice = self.scheduler.next(point);
        let mut seen = self.seen.lock().unwrap();
        for &thread in point.runnable {
            let path = point.threads.path(thread).to_string();
            seen.paths.insert(thread, path);
        }
        let next = point.threads.pending(slice.thread).into();
        seen.chosen.insert(slice.thread, next);
        slice
    }

    fn random(&mut self) -> u64 {
        self.scheduler.random()
    }
}

struct Check(Arc<Mutex<Seen>>);

impl EventSink for Check {
    fn records(&mut self, _: ThreadId, _: Records<'_>) -> Flow {
        Flow::Continue
    }

    fn event(&mut self, event: &Event) -> Flow {
        let (did, what) = match event.kind {
            EventKind::Atomic {
                addr, width, kind, ..
            } => (Expected::Atomic(addr.into(), width, kind), "atomic"),
            EventKind::WaitBegin { addr, width, .. } => {
                (Expected::Wait(addr.into(), width), "wait")
            }
            EventKind::WaitEnd { addr, .. } => (Expected::WaitEnd(addr.into()), "wait end"),
            EventKind::Notify { addr, .. } => (Expected::Notify(addr.into()), "notify"),
            EventKind::Fence { .. } => (Expected::Fence, "fence"),
            EventKind::ThreadCreate { .. } => (Expected::Create, "create"),
            // At once, where the thread has ended already; else when it has.
            EventKind::ThreadJoin { child } => (Expected::Joined(child), "joined"),
            _ => return Flow::Continue,
        };
        let mut seen = self.0.lock().unwrap();
        let expected = seen.chosen.insert(event.thread, Expected::Other);
        let at_once = what == "joined" && expected == Some(Expected::Other);
        assert!(
            expected == Some(did) || at_once,
            "{event}: {expected:?} was pending"
        );
        seen.matched.insert(what);
        Flow::Continue
    }
}

fn watch(strategy: Box<dyn Scheduler>) -> Seen {
    let seen = Arc::<Mutex<Seen>>::default();
    let scheduler = Watching {
        scheduler: strategy,
        seen: Arc::clone(&seen),
    };
    let sink = Box::new(Check(Arc::clone(&seen)));
    let config = MachineConfig::new(Box::new(scheduler), sink, Box::new(NullIo));
    let program = Program::new(&wat::parse_str(GUEST).unwrap()).unwrap();
    drop(machine::run(&program, config).unwrap());
    Arc::into_inner(seen).unwrap().into_inner().unwrap()
}

#[test]
fn what_is_pending_is_what_comes() {
    let mut matched = BTreeSet::new();
    for seed in 0..50 {
        for strategy in STRATEGIES {
            matched.extend(watch(strategy.scheduler(seed)).matched);
        }
    }
    let all = [
        "atomic", "create", "fence", "joined", "notify", "wait", "wait end",
    ];
    assert_eq!(matched, BTreeSet::from(all));
}

#[test]
fn a_path_is_the_same_thread_in_every_schedule() {
    let mut orders = BTreeSet::new();
    let expected = BTreeSet::from(["main", "main.0", "main.1", "main.0.0", "main.1.0"]);
    for seed in 0..50 {
        let paths = watch(Box::new(Random::new(seed))).paths;
        let paths: Vec<String> = paths.into_values().collect();
        let set: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
        assert_eq!(set, expected);
        orders.insert(paths);
    }
    // The numbers of threads are those of their creation, which differs.
    assert!(orders.len() > 1);
}
