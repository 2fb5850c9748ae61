//! The patterns: who calls what, and what has to come of it.

use super::{Args, Mode};
use grind_runtime::host::ThreadRuntime;
use grind_runtime::{NullIo, Outcome, Program, RunOptions, Value};
use std::error::Error;

type Runtime = ThreadRuntime<NullIo>;
type Tried<T> = Result<T, Box<dyn Error>>;

/// Patterns, and what a run of them gives.
pub(crate) struct Pattern {
    pub(crate) mode: Mode,
    pub(crate) name: &'static str,
    /// Runs threads, and returns what they have made.
    threads: fn(&Runtime, &Args) -> Tried<u64>,
    /// What that has to be.
    pub(crate) expected: fn(&Args) -> u64,
}

/// Numbers to add up begin here.
const NUMBERS: u32 = 1 << 20;
/// Slots of the ring with several producers.
const MPMC_SLOTS: u32 = 65_536;

pub(crate) fn program() -> Tried<Program> {
    Ok(Program::new(&wat::parse_str(include_str!("guest.wat"))?)?)
}

impl Pattern {
    /// Runs it on a memory of its own. Returns what came of it.
    pub(crate) fn run(
        &self,
        program: &Program,
        options: RunOptions,
        args: &Args,
    ) -> Tried<(u64, Outcome<NullIo>)> {
        let runtime = ThreadRuntime::with_program(program, options, NullIo)?;
        runtime.store(16, args.spin)?;
        runtime.store(24, args.wait_ns)?;
        runtime.store(32, args.slots)?;
        runtime.store(36, args.threads)?;
        runtime.store(40, permits(args))?;
        let got = (self.threads)(&runtime, args)?;
        Ok((got, runtime.finish()?))
    }
}

/// How many threads the semaphore lets in.
fn permits(args: &Args) -> u32 {
    args.threads.div_ceil(2)
}

/// All threads call the same, with their number and how often.
fn all(runtime: &Runtime, args: &Args, export: &str) -> Tried<u64> {
    let mut threads = Vec::new();
    for index in 0..args.threads {
        threads.push(runtime.spawn(export, [index.into(), args.iters.into()])?);
    }
    let mut sum = 0;
    for thread in threads {
        if let [Value::I64(part)] = thread.join()?[..] {
            sum += part.cast_unsigned();
        }
    }
    Ok(sum)
}

/// The same, and the result is this word.
fn all_and_word(runtime: &Runtime, args: &Args, export: &str, word: u32) -> Tried<u64> {
    all(runtime, args, export)?;
    Ok(runtime.load::<u32>(word)?.into())
}

/// So many of each side of a ring.
fn ring(runtime: &Runtime, args: &Args, produce: &str, consume: &str, each: u32) -> Tried<u64> {
    let (mut consumers, mut producers) = (Vec::new(), Vec::new());
    for _ in 0..each {
        consumers.push(runtime.spawn(consume, [args.iters.into()])?);
        producers.push(runtime.spawn(produce, [args.iters.into()])?);
    }
    let mut sum = 0;
    for thread in producers {
        thread.join()?;
    }
    for thread in consumers {
        if let [Value::I64(part)] = thread.join()?[..] {
            sum += part.cast_unsigned();
        }
    }
    Ok(sum)
}

/// Producers, or consumers, of the ring with several.
fn sides(args: &Args) -> u32 {
    (args.threads / 2).max(1)
}

fn mpmc(runtime: &Runtime, args: &Args) -> Tried<u64> {
    // In a ring of one slot, written and read again would be the same count.
    let slots = args.slots.max(2);
    runtime.store(32, slots)?;
    for slot in 0..slots {
        runtime.atomic_store(MPMC_SLOTS + 8 * slot, slot)?;
    }
    ring(runtime, args, "mpmc_produce", "mpmc_consume", sides(args))
}

fn reduce(runtime: &Runtime, args: &Args) -> Tried<u64> {
    let numbers: Vec<u8> = (0..args.threads * args.iters)
        .flat_map(u32::to_le_bytes)
        .collect();
    runtime.mem_write(NUMBERS, &numbers)?;
    all(runtime, args, "reduce")
}

/// How often something is done in all.
fn times(args: &Args) -> u64 {
    u64::from(args.threads) * u64::from(args.iters)
}

/// The sum of the numbers below this one.
fn sum_below(n: u64) -> u64 {
    n * n.saturating_sub(1) / 2
}

pub(crate) const PATTERNS: &[Pattern] = &[
    Pattern {
        mode: Mode::Counter,
        name: "atomic counter",
        threads: |runtime, args| all_and_word(runtime, args, "counter", 256),
        expected: times,
    },
    Pattern {
        mode: Mode::Mutex,
        name: "mutex",
        threads: |runtime, args| all_and_word(runtime, args, "mutex", 516),
        expected: times,
    },
    Pattern {
        mode: Mode::Rwlock,
        name: "read-write lock",
        threads: |runtime, args| all_and_word(runtime, args, "rwlock", 772),
        // One of four writes.
        expected: |args| u64::from(args.threads.div_ceil(4)) * u64::from(args.iters),
    },
    Pattern {
        mode: Mode::Barrier,
        name: "barrier",
        threads: |runtime, args| all_and_word(runtime, args, "barrier", 1028),
        expected: |args| 2 * u64::from(args.iters),
    },
    Pattern {
        mode: Mode::Semaphore,
        name: "semaphore",
        threads: |runtime, args| {
            runtime.atomic_store(1280, permits(args))?;
            all_and_word(runtime, args, "semaphore", 1288)
        },
        expected: times,
    },
    Pattern {
        mode: Mode::Condvar,
        name: "condition variable",
        threads: |runtime, args| all_and_word(runtime, args, "condvar", 1548),
        expected: times,
    },
    Pattern {
        mode: Mode::Spsc,
        name: "ring, one producer",
        threads: |runtime, args| ring(runtime, args, "spsc_produce", "spsc_consume", 1),
        expected: |args| sum_below(args.iters.into()),
    },
    Pattern {
        mode: Mode::Mpmc,
        name: "ring, several producers",
        threads: mpmc,
        expected: |args| u64::from(sides(args)) * sum_below(u64::from(args.iters) + 1),
    },
    Pattern {
        mode: Mode::Reduce,
        name: "parallel reduce",
        threads: reduce,
        expected: |args| sum_below(times(args)),
    },
    Pattern {
        mode: Mode::BrokenSpsc,
        name: "ring that is broken",
        threads: |runtime, args| ring(runtime, args, "spsc_produce_broken", "spsc_consume", 1),
        expected: |args| sum_below(args.iters.into()),
    },
];
