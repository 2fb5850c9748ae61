//! Fuel that ends at every instruction where it can: what threads do does not depend on it.
//!
//! A thread whose fuel ends is suspended in the middle of a function, where the ring slot of its next record may be in a local, or in the
//! global that all threads share.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../fuzz/fuel.rs"]
mod generated;

use grind_runtime::machine::{self, BufferIo, FUEL, MachineConfig};
use grind_runtime::model::{
    Ending, Event, EventHash, EventKind, EventSink, Flow, Limits, Records, Slice, ThreadId,
    Unfinished,
};
use grind_runtime::program::Program;
use grind_runtime::schedule::{Point, PointKind, Scheduler};
use grind_runtime::session::{self, RunOptions};
use std::path::{Path, PathBuf};

/// Generated programs.
const PROGRAMS: u64 = 300;
/// Bytes that a program is made of.
const BYTES: usize = 200;

#[test]
fn generated_threads_do_the_same_wherever_their_fuel_ends() {
    for program in 0..PROGRAMS {
        let mut state = program;
        let bytes: Vec<u8> = (0..BYTES)
            .map(|_| {
                state = state
                    .wrapping_mul(0x5851_f42d_4c95_7f2d)
                    .wrapping_add(0x1405_7b7e_f767_814f);
                (state >> 56) as u8
            })
            .collect();
        generated::compare(&bytes);
    }
}

/// Lets a thread go on until it does something that others can see, and then others now and then, whatever its fuel.
#[derive(Debug, Default)]
struct Steady(u32);

impl Scheduler for Steady {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        let current = point.current.filter(|_| match point.kind {
            PointKind::Expired => true,
            PointKind::Sync => {
                self.0 += 1;
                !self.0.is_multiple_of(7)
            }
            PointKind::Yield | PointKind::Blocked => false,
        });
        let after = |thread| point.runnable.iter().copied().find(|&other| other > thread);
        let next = point.current.and_then(after).unwrap_or(point.runnable[0]);
        Slice {
            thread: current.unwrap_or(next),
            words: u32::MAX,
        }
    }

    fn random(&mut self) -> u64 {
        4
    }
}

/// Enough for all guests but those that wait for what this scheduler does not let happen.
const STEPS: u64 = 3_000_000;

fn guests() -> Vec<PathBuf> {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    let folders = ["wasm", "wat", "wasip1-threads/wasm", "c/wasm", "zig/wasm"];
    let mut found: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(programs.join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|end| end == "wasm" || end == "wat")
        })
        .collect();
    // It prints how much virtual time passed, and that is counted by what the ring is filled with.
    found.retain(|path| {
        path.file_stem()
            .is_none_or(|name| name != "clean_output_time")
    });
    found.sort();
    found
}

/// All that threads do. How far their stacks reach is told where one is suspended, and so depends on the fuel.
#[derive(Debug, Default, PartialEq)]
struct Doings(EventHash);

impl EventSink for Doings {
    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow {
        self.0.records(thread, records)
    }

    fn event(&mut self, event: &Event) -> Flow {
        match event.kind {
            EventKind::ThreadStack { .. } => Flow::Continue,
            _ => self.0.event(event),
        }
    }
}

fn run(program: &Program, fuel: u64) -> (Ending, Doings) {
    let mut config = MachineConfig::new(
        Box::new(Steady::default()),
        Box::new(Doings::default()),
        Box::new(BufferIo::default()),
    );
    config.fuel = fuel;
    config.spec.args = vec![b"guest".to_vec()];
    // For how long they would be observed depends on virtual time, in which fuel counts.
    config.spec.entry.unfinished = Unfinished::End;
    config.spec.limits = Limits::default().steps(Some(STEPS));
    let result = machine::run(program, config).unwrap();
    (result.ending.clone(), *result.into_sink::<Doings>())
}

#[test]
fn guests_do_the_same_wherever_their_fuel_ends() {
    let mut compared = 0;
    for path in guests() {
        let program = Program::new(&wat::parse_file(&path).unwrap()).unwrap();
        let plenty = run(&program, FUEL);
        let little = run(&program, 1);
        // Where the steps end depends on how many instructions fuel is counted for at once.
        if plenty.0 != Ending::OutOfSteps && little.0 != Ending::OutOfSteps {
            compared += 1;
            assert_eq!(little, plenty, "{}", path.display());
        }
    }
    assert!(compared >= 200, "only {compared} guests came to an end");
}

/// Interrupted at random, and looked at by all detectors in both passes.
#[test]
fn correct_guests_stay_clean_with_little_fuel() {
    let correct = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        ["clean_", "norace_", "noinversion_"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    for path in guests().into_iter().filter(correct) {
        let program = Program::new(&wat::parse_file(&path).unwrap()).unwrap();
        for (seed, fuel) in [(0, 1), (1, 40), (2, 3000)] {
            let mut options = RunOptions::seeded(seed);
            options.spec.args = vec![b"guest".to_vec()];
            options.spec.limits.steps = Some(STEPS);
            options.fuel = Some(fuel);
            let outcome = session::run(&program, options, BufferIo::default()).unwrap();
            let found = &outcome.analysis.diagnoses;
            assert!(
                found.is_empty(),
                "{} with fuel for {fuel}: {found:?}",
                path.display()
            );
        }
    }
}
