//! What it saves to load a program that was stored, over lowering its module.
//!
//! ```text
//! cargo bench -p grind-runtime --bench load
//! ```
//!
//! For committed guests: CPU milliseconds to lower the module, to load the stored program, and to set up the first run, in which the
//! engine translates what was lowered and which neither saves. Medians of repetitions that are interleaved, and the ratio of loading
//! to lowering is one of neighbours.

#![expect(clippy::print_stdout, reason = "a bench prints its tables")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use grind_runtime::model::NullSink;
use grind_runtime::schedule::Random;
use grind_runtime::{Machine, MachineConfig, NullIo, Program, ProgramOptions};
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::hint::black_box;
use std::path::Path;

/// From small to large.
const GUESTS: [&str; 4] = [
    "wasm/race_counter.wasm",
    "wasip1-threads/wasm/race_lock_between.wasm",
    "wasip1-threads/wasm/clean_rayon_sort.wasm",
    "wasip1-threads/wasm/clean_tokio.wasm",
];

const REPETITIONS: usize = 21;

/// CPU milliseconds that it takes.
fn cpu<R>(work: impl FnOnce() -> R) -> (f64, R) {
    let now = || {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
    };
    let before = now();
    let result = black_box(work());
    (now() - before, result)
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    println!(
        "module (kB, stored)                              lower ms  load ms  ratio  first run ms"
    );
    for guest in GUESTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
        let wasm = fs::read(path.join(guest)).unwrap();
        let stored = Program::new(&wasm).unwrap().serialize().unwrap();
        let (mut lower, mut load, mut ratio, mut first) = (vec![], vec![], vec![], vec![]);
        for _ in 0..REPETITIONS {
            let (lowering, _) = cpu(|| Program::new(&wasm).unwrap());
            let deserialize = || Program::deserialize(&stored, ProgramOptions::default()).unwrap();
            let (loading, program) = cpu(deserialize);
            let (setting_up, _) = cpu(|| {
                let scheduler = Box::new(Random::new(1));
                let config = MachineConfig::new(scheduler, Box::new(NullSink), Box::new(NullIo));
                Machine::new(&program, config).unwrap()
            });
            lower.push(lowering);
            load.push(loading);
            ratio.push(loading / lowering);
            first.push(setting_up);
        }
        let name = format!("{guest} ({}, {})", wasm.len() / 1000, stored.len() / 1000);
        println!(
            "{name:<48} {:>8.2} {:>8.2} {:>6.2} {:>13.2}",
            median(lower),
            median(load),
            median(ratio),
            median(first)
        );
    }
}
