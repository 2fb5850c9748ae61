//! What the fuel of a run that a host drives costs, and how long an abort takes.
//!
//! ```text
//! cargo bench -p grind-runtime --bench host
//! ```
//!
//! A thread is left when its fuel is used up, if at nothing else. The first table has, for kernels that two threads run, the CPU time with
//! the fuel of a driven run to that with the fuel of others: the repetitions are interleaved, so that a ratio compares neighbours; figures
//! are medians. The second has the time from an abort by one thread of the host until another, which lets the guest run and waits for that
//! thread, is told.

#![expect(clippy::print_stdout, reason = "a bench prints its tables")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use grind_runtime::host::ThreadRuntime;
use grind_runtime::machine::{FUEL, FUEL_OF_DRIVEN};
use grind_runtime::{NullIo, Program, RunOptions, Value};
use rustix::time::{ClockId, clock_gettime};
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

const GUEST: &str = r#"(module
    (memory 1 1 shared)
    (func (export "no accesses") (param $n i32) (local $x i64)
        (loop $again
            (local.set $x (i64.add (i64.mul (local.get $x) (i64.const 3)) (i64.const 1)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "plain accesses") (param $n i32)
        (loop $again
            (i32.store offset=1024 (i32.and (local.get $n) (i32.const 0xffc))
                (i32.load offset=8192 (i32.and (local.get $n) (i32.const 0xffc))))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "atomic accesses") (param $n i32)
        (loop $again
            (drop (i32.atomic.rmw.add (i32.const 64) (i32.const 1)))
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
    (func (export "spin") (loop $for_ever (br $for_ever)))
    (func (export "spin on memory") (loop $for_ever
        (drop (i32.atomic.load (i32.const 64)))
        (br $for_ever))))"#;

/// Kernels, and how often each goes around.
const KERNELS: [(&str, i32); 3] = [
    ("no accesses", 4_000_000),
    ("plain accesses", 1_000_000),
    ("atomic accesses", 200_000),
];

const REPETITIONS: usize = 15;
const ABORTS: usize = 60;

fn runtime(program: &Program, fuel: u64) -> ThreadRuntime<NullIo> {
    let options = RunOptions::seeded(1).fuel(Some(fuel));
    ThreadRuntime::with_program(program, options, NullIo).unwrap()
}

fn cpu_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// CPU seconds that two threads take.
fn time(program: &Program, export: &str, rounds: i32, fuel: u64) -> f64 {
    let runtime = runtime(program, fuel);
    let before = cpu_seconds();
    let threads = runtime
        .spawn_repeat(export, &[Value::I32(rounds)], 2)
        .unwrap();
    for thread in threads {
        black_box(thread.join().unwrap());
    }
    cpu_seconds() - before
}

fn median<T: Copy + PartialOrd>(mut values: Vec<T>) -> T {
    values.sort_by(|a, b| a.partial_cmp(b).unwrap());
    values[values.len() / 2]
}

/// From the abort until who waits is told.
fn abort(program: &Program, export: &str, fuel: u64) -> Duration {
    let runtime = runtime(program, fuel);
    let stuck = runtime.spawn(export, []).unwrap();
    thread::scope(|scope| {
        let joins = scope.spawn(|| {
            stuck.join().unwrap_err();
            Instant::now()
        });
        thread::sleep(Duration::from_millis(5));
        let began = Instant::now();
        stuck.abort();
        joins.join().unwrap() - began
    })
}

fn main() {
    let program = Program::new(&wat::parse_str(GUEST).unwrap()).unwrap();
    println!("CPU time with fuel of {FUEL_OF_DRIVEN} to that with {FUEL}");
    for (export, rounds) in KERNELS {
        let ratios = (0..REPETITIONS).map(|_| {
            let [less, more] =
                [FUEL_OF_DRIVEN, FUEL].map(|fuel| time(&program, export, rounds, fuel));
            less / more
        });
        println!("{export:>16} {:.3}", median(ratios.collect()));
    }
    println!("\nfrom an abort until it is told: median, longest");
    for export in ["spin", "spin on memory"] {
        for fuel in [FUEL_OF_DRIVEN, FUEL] {
            let times: Vec<Duration> = (0..ABORTS).map(|_| abort(&program, export, fuel)).collect();
            let longest = times.iter().max().copied().unwrap_or_default();
            let median = median(times);
            println!("{export:>16}, fuel {fuel:>8}: {median:>10.1?} {longest:>10.1?}");
        }
    }
}
