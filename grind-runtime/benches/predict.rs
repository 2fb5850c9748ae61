//! What the offline analyses cost per event, on one generated trace, and on one that was recorded.
//!
//! `cargo bench -p grind-runtime --bench predict`; criterion's throughput is events per second of CPU time.
//! 10 million events of 8 threads: critical sections of 64 locks, some nested, with accesses of variables that the
//! lock protects; stretches of accesses of a thread's own variables; and now and then an unprotected access of a
//! shared variable. The recorded one is `kernels/locks.wat` with every access: read, translated and analysed.

#[path = "support/cpu_time.rs"]
mod cpu_time;
#[path = "../tests/support/recording.rs"]
#[expect(dead_code, reason = "shared with tests")]
mod recording;

use cpu_time::CpuTime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use grind_runtime::predict::translate::{self, Analysis, Bounds};
use grind_runtime::predict::{
    DeadlockPrediction, Discipline, Event, HappensBefore, LockGraph, Lockset, Op, Osr,
    RaceAnalysis, Shb, SyncPreserving, Wcp,
};
use grind_runtime::program::Program;
use grind_runtime::session::RunOptions;
use grind_runtime::trace::{Detail, TraceReader};
use std::collections::VecDeque;
use std::hint::black_box;
use std::ops::ControlFlow;

const EVENTS: usize = 10_000_000;
const THREADS: u32 = 8;
const LOCKS: u32 = 64;
/// Per lock, and per thread.
const VARIABLES: u32 = 100;

/// xorshift64*, Vigna 2016.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        ((high * u64::from(bound)) >> 32) as u32
    }
}

/// What a thread does next.
fn stretch(random: &mut Random, thread: u32, todo: &mut VecDeque<(Op, u32)>) {
    let access = |random: &mut Random, first: u32| {
        let op = if random.below(3) == 0 {
            Op::Write
        } else {
            Op::Read
        };
        (op, first + random.below(VARIABLES))
    };
    let count = 4 + random.below(9);
    let kind = random.below(1000);
    if kind < 400 {
        let own = (LOCKS + thread) * VARIABLES;
        todo.extend((0..count).map(|_| access(random, own)));
    } else if kind < 990 {
        let lock = random.below(LOCKS);
        // The second lock is higher, so that there is no deadlock.
        let inner = lock + 1 + random.below(LOCKS);
        todo.push_back((Op::Acquire, lock));
        todo.extend((0..count).map(|_| access(random, lock * VARIABLES)));
        if inner < LOCKS && kind < 600 {
            todo.push_back((Op::Acquire, inner));
            todo.extend((0..count / 2).map(|_| access(random, inner * VARIABLES)));
            todo.push_back((Op::Release, inner));
        }
        todo.push_back((Op::Release, lock));
    } else {
        todo.push_back(access(random, (LOCKS + THREADS) * VARIABLES));
    }
}

fn trace(length: usize) -> Vec<Event> {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut events = Vec::with_capacity(length);
    let mut todo = vec![VecDeque::new(); THREADS as usize];
    let mut held = vec![false; LOCKS as usize];
    events.extend((1..THREADS).map(|thread| Event::new(0, Op::Fork, thread)));
    while events.len() < length {
        let thread = random.below(THREADS);
        let todo = &mut todo[thread as usize];
        for _ in 0..1 + random.below(32) {
            if todo.is_empty() {
                stretch(&mut random, thread, todo);
            }
            let (op, operand) = todo[0];
            match op {
                // Blocked: somebody else's turn.
                Op::Acquire if held[operand as usize] => break,
                Op::Acquire => held[operand as usize] = true,
                Op::Release => held[operand as usize] = false,
                _ => {}
            }
            todo.pop_front();
            events.push(Event::new(thread, op, operand).at(operand));
        }
    }
    events.truncate(length);
    events
}

fn races(mut analysis: impl RaceAnalysis, events: &[Event]) -> u32 {
    for &event in events {
        black_box(analysis.feed(event));
    }
    analysis.finish().racy
}

fn predict(criterion: &mut Criterion<CpuTime>) {
    let events = trace(EVENTS);
    let mut group = criterion.benchmark_group("predict");
    group.throughput(Throughput::Elements(events.len() as u64));
    group.sample_size(10);
    group.bench_function("hb", |b| {
        b.iter(|| races(HappensBefore::default(), &events))
    });
    group.bench_function("shb", |b| b.iter(|| races(Shb::default(), &events)));
    group.bench_function("lockset", |b| {
        b.iter(|| races(Lockset::new(Discipline::States), &events));
    });
    group.bench_function("wcp", |b| b.iter(|| races(Wcp::default(), &events)));
    group.bench_function("syncp", |b| {
        b.iter(|| races(SyncPreserving::default(), &events))
    });
    group.bench_function("osr", |b| b.iter(|| races(Osr::default(), &events)));
    group.bench_function("deadlock", |b| {
        b.iter(|| {
            let mut found = 0;
            let mut analysis = DeadlockPrediction::default();
            for &event in &events {
                analysis.feed(event, |_| found += 1);
            }
            found
        });
    });
    group.bench_function("lock_graph", |b| {
        b.iter(|| {
            let mut graph = LockGraph::default();
            for &event in &events {
                graph.feed(event);
            }
            graph.finish().circles.len()
        });
    });
    group.finish();
}

/// A full trace of a kernel, in memory.
fn record() -> Vec<u8> {
    let wasm = wat::parse_str(include_str!("kernels/locks.wat")).expect("a kernel of ours");
    let program = Program::new(&wasm).expect("a kernel of ours");
    recording::record(&program, &RunOptions::default(), Detail::Full)
        .expect("a kernel of ours")
        .1
}

fn recorded(criterion: &mut Criterion<CpuTime>) {
    let bytes = record();
    let analyze = |analysis: Analysis| {
        let open = || TraceReader::open(&bytes[..]);
        translate::analyze(open, &[analysis], &Bounds::default(), |_| {
            ControlFlow::Continue(())
        })
        .expect("a good trace")
    };
    let events = analyze(Analysis::Shb).totals[0].1.events;
    let mut group = criterion.benchmark_group("recorded");
    group.throughput(Throughput::Elements(events.into()));
    group.sample_size(10);
    for analysis in Analysis::ALL {
        group.bench_function(analysis.name(), |b| b.iter(|| analyze(analysis)));
    }
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default().with_measurement(CpuTime);
    targets = predict, recorded
);
criterion_main!(benches);
