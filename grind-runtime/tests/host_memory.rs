//! The guest's memory as numbers of the host: plain accesses race, atomic ones and notifications order, all of it replays.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/recording.rs"]
#[expect(dead_code, reason = "not all suites use all of it")]
mod recording;

use grind_runtime::host::{AtomicNumber, MemoryNumber, ThreadRuntime};
use grind_runtime::session::ReplayOptions;
use grind_runtime::{
    ActError, Diagnosis, NullIo, Outcome, Program, RunOptions, ThreadId, Value, replay,
};
use recording::{Memory, open};
use std::fmt::Debug;

const GUEST: &str = r#"(module
    (memory (export "memory") 1 1 shared)
    (func (export "load") (result i32) (i32.load (i32.const 64)))
    (func (export "load_after_flag") (result i32)
        (loop $again (br_if $again (i32.eqz (i32.atomic.load (i32.const 128)))))
        (i32.load (i32.const 64)))
    (func (export "load_after_wait") (result i32)
        (drop (memory.atomic.wait32 (i32.const 128) (i32.const 0) (i64.const -1)))
        (i32.load (i32.const 64)))
    (func (export "store_and_add") (i32.store (i32.const 64) (i32.const 5))
        (drop (i32.atomic.rmw.add (i32.const 128) (i32.const 1)))))"#;

type Runtime = ThreadRuntime<NullIo>;

fn program() -> Program {
    Program::new(&wat::parse_str(GUEST).unwrap()).unwrap()
}

fn runtime(seed: u64) -> Runtime {
    ThreadRuntime::with_program(&program(), RunOptions::seeded(seed), NullIo).unwrap()
}

/// Between which threads there are races.
fn races<Io>(outcome: &Outcome<Io>) -> Vec<(ThreadId, ThreadId)> {
    let found = outcome.analysis.diagnoses.iter();
    let races = found.map(|one| match &one.diagnosis {
        Diagnosis::DataRace { first, second, .. } => (first.thread, second.thread),
        other => panic!("{other:?}"),
    });
    races.collect()
}

#[test]
fn numbers_are_little_endian_and_come_back() {
    fn back<T: MemoryNumber + PartialEq + Debug>(runtime: &Runtime, value: T, bytes: &[u8]) {
        // It need not be aligned.
        for addr in [64, 67] {
            runtime.mem_write(addr - 1, &[0xaa; 10]).unwrap();
            runtime.store(addr, value).unwrap();
            assert_eq!(runtime.load::<T>(addr).unwrap(), value);
            let around = runtime.mem_read(addr - 1, bytes.len() as u32 + 2).unwrap();
            assert_eq!(around[1..=bytes.len()], *bytes);
            assert_eq!((around[0], around[bytes.len() + 1]), (0xaa, 0xaa));
        }
    }
    let runtime = runtime(1);
    back(&runtime, 0x81_u8, &[0x81]);
    back(&runtime, 0x8102_u16, &[2, 0x81]);
    back(&runtime, 0x8102_0304_u32, &[4, 3, 2, 0x81]);
    back(&runtime, -2_i32, &[0xfe, 0xff, 0xff, 0xff]);
    back(&runtime, 1_u64 << 63, &[0, 0, 0, 0, 0, 0, 0, 0x80]);
    back(&runtime, -1_i64, &[0xff; 8]);
    back(&runtime, 1.5_f32, &1.5_f32.to_le_bytes());
    back(&runtime, -0.25_f64, &(-0.25_f64).to_le_bytes());
    let end = runtime.load::<u64>(65_529);
    assert_eq!(
        end,
        Err(ActError::OutOfBounds {
            addr: 65_529,
            len: 8
        })
    );
    assert!(runtime.store(65_535, 1_u16).is_err());
    assert_eq!(runtime.load::<u8>(65_535), Ok(0));
}

#[test]
fn atomic_accesses_do_what_the_instructions_do() {
    fn all<T: AtomicNumber + PartialEq + Debug>(runtime: &Runtime, zero: T, one: T, most: T) {
        runtime.atomic_store(64, most).unwrap();
        // It wraps around.
        assert_eq!(runtime.atomic_add(64, one).unwrap(), most);
        assert_eq!(runtime.atomic_load::<T>(64).unwrap(), zero);
        assert_eq!(runtime.compare_exchange(64, one, most).unwrap(), Err(zero));
        assert_eq!(runtime.compare_exchange(64, zero, most).unwrap(), Ok(zero));
        assert_eq!(runtime.load::<T>(64).unwrap(), most);
        // Nothing beside it has changed.
        let width = size_of::<T>() as u32;
        assert_eq!(runtime.load::<u8>(64 + width).unwrap(), 0);
        runtime.mem_write(64, &[0; 8]).unwrap();
        let odd = runtime.atomic_load::<T>(64 + width / 2);
        if width > 1 {
            let (addr, width) = (64 + width / 2, width as u8);
            assert_eq!(odd, Err(ActError::Misaligned { addr, width }));
        }
        let beyond = runtime.atomic_store(65_536, one);
        assert!(matches!(beyond, Err(ActError::OutOfBounds { .. })));
    }
    let runtime = runtime(1);
    all(&runtime, 0_u8, 1, u8::MAX);
    all(&runtime, 0_u16, 1, u16::MAX);
    all(&runtime, 0_u32, 1, u32::MAX);
    all(&runtime, 0_i32, 1, -1);
    all(&runtime, 0_u64, 1, u64::MAX);
    all(&runtime, 0_i64, 1, -1);
    assert_eq!(
        runtime.notify(66, 1),
        Err(ActError::Misaligned { addr: 66, width: 4 })
    );
    assert!(matches!(
        runtime.notify(65_536, 1),
        Err(ActError::OutOfBounds { .. })
    ));
    assert_eq!(runtime.notify(64, 1), Ok(0));
}

#[test]
fn a_plain_store_of_the_host_races_with_a_load_that_it_does_not_order() {
    for seed in 0..10 {
        // The host has created the thread before it stores: nothing orders the two.
        let runtime = runtime(seed);
        let loads = runtime.spawn("load", []).unwrap();
        runtime.store(64, 7_u32).unwrap();
        loads.join().unwrap();
        let outcome = runtime.finish().unwrap();
        assert_eq!(races(&outcome), [(ThreadId(0), ThreadId(1))]);

        // By an atomic flag it is.
        let runtime = self::runtime(seed);
        let loads = runtime.spawn("load_after_flag", []).unwrap();
        assert!(!loads.is_finished());
        runtime.store(64, 7_u32).unwrap();
        runtime.atomic_store(128, 1_u32).unwrap();
        assert_eq!(loads.join().unwrap(), [Value::I32(7)]);
        assert_eq!(races(&runtime.finish().unwrap()), []);

        // A flag that is stored plainly races itself, and orders nothing.
        let runtime = self::runtime(seed);
        let loads = runtime.spawn("load_after_flag", []).unwrap();
        assert!(!loads.is_finished());
        runtime.store(64, 7_u32).unwrap();
        runtime.store(128, 1_u32).unwrap();
        loads.join().unwrap();
        assert_eq!(races(&runtime.finish().unwrap()).len(), 2);

        // By a join.
        let runtime = self::runtime(seed);
        let loads = runtime.spawn("load", []).unwrap();
        loads.join().unwrap();
        runtime.store(64, 7_u32).unwrap();
        assert_eq!(races(&runtime.finish().unwrap()), []);
    }
}

#[test]
fn who_is_notified_is_ordered_behind_the_host() {
    for (stores_first, expected) in [(true, 0), (false, 1)] {
        let runtime = runtime(1);
        let ms = std::time::Duration::from_millis(1);
        let waits = [(); 2].map(|()| runtime.spawn("load_after_wait", []).unwrap());
        assert!(waits[0].join_timeout(ms).is_none());
        if stores_first {
            runtime.store(64, 7_u32).unwrap();
        }
        // The one that has waited longest, then all that are left.
        assert_eq!(runtime.notify(128, 1), Ok(1));
        if !stores_first {
            runtime.store(64, 7_u32).unwrap();
        }
        let ended = |one: &grind_runtime::host::ThreadHandle| one.join_timeout(ms).is_some();
        assert_eq!(waits.iter().filter(|one| ended(one)).count(), 1);
        assert_eq!(runtime.notify(128, u32::MAX), Ok(1));
        runtime.sleep(ms).unwrap();
        assert!(
            waits
                .iter()
                .all(grind_runtime::host::ThreadHandle::is_finished)
        );
        // The second one is ordered behind the store either way.
        assert_eq!(races(&runtime.finish().unwrap()).len(), expected);
    }
}

#[test]
fn what_a_guest_did_before_an_atomic_that_the_host_reads_is_before_the_host() {
    for (atomic, expected) in [(true, 0), (false, 1)] {
        let runtime = runtime(1);
        let stores = runtime.spawn("store_and_add", []).unwrap();
        while !stores.is_finished() {}
        if atomic {
            assert_eq!(runtime.atomic_load::<u32>(128), Ok(1));
        }
        assert_eq!(runtime.load::<u32>(64), Ok(5));
        assert_eq!(races(&runtime.finish().unwrap()).len(), expected);
    }
}

#[test]
fn a_trace_has_the_accesses_of_the_host() {
    let program = program();
    for seed in 0..5 {
        let file = Memory::default();
        let options = RunOptions::seeded(seed);
        let runtime = ThreadRuntime::record(&program, options, NullIo, file.clone()).unwrap();
        let waits = runtime.spawn("load_after_wait", []).unwrap();
        let spins = runtime.spawn("load_after_flag", []).unwrap();
        let races = runtime.spawn("load", []).unwrap();
        assert!(!waits.is_finished());
        runtime.store(64, 7_u16).unwrap();
        runtime.atomic_add(128, 2_u64).unwrap();
        let swapped = runtime.compare_exchange(128, 2_u8, 9);
        assert_eq!(swapped, Ok(Ok(2)));
        runtime.notify(128, 5).unwrap();
        for thread in [waits, spins, races] {
            thread.join().unwrap();
        }
        let live = runtime.finish().unwrap();
        assert!(!live.analysis.diagnoses.is_empty());
        assert_eq!(live.analysis.stats.unresolved, 0);
        let open = || open(&file.bytes());
        let again = replay(&program, open, ReplayOptions::default(), Box::new(NullIo)).unwrap();
        assert_eq!(again.outcome.stats, live.stats);
        assert_eq!(again.outcome.analysis.diagnoses, live.analysis.diagnoses);
    }
}
