//! What the race detector costs per record, without the interpreter.
//!
//! `cargo bench -p grind-runtime --bench happens_before`; criterion's throughput is records per second.
//! Batches have 4096 records, as the machine's ring delivers them.

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use grind_runtime::detect::{AnalysisOptions, Detect, LiveAnalysis};
use grind_runtime::model::sites::{Site, SiteId, SiteKind, SiteTable};
use grind_runtime::model::{
    AtomicKind, Event, EventKind, EventSink, LockMode, Record, RecordBuffer, ThreadId,
};
use std::hint::black_box;
use std::sync::Arc;

const BATCH: usize = 4096;
const MAIN: ThreadId = ThreadId(0);
/// A thread that exists.
const IDLE: ThreadId = ThreadId(99);

/// Sites of all the kinds that the kernels use, many of each so that the table is not one cache line.
struct Sites {
    table: Arc<SiteTable>,
    of: [Vec<SiteId>; 4],
}

const READ4: usize = 0;
const WRITE4: usize = 1;
const WRITE8: usize = 2;
const CALL: usize = 3;

fn sites() -> Sites {
    let mut table = SiteTable::default();
    let mut of = [const { Vec::new() }; 4];
    let kinds = [
        (SiteKind::Read, 4),
        (SiteKind::Write, 4),
        (SiteKind::Write, 8),
        (SiteKind::Call, 0),
    ];
    for offset in 0..256 {
        for (index, (kind, width)) in kinds.into_iter().enumerate() {
            of[index].push(table.push(Site {
                kind,
                width,
                func: 0,
                offset,
                displacement: offset % 8 * 4,
            }));
        }
    }
    Sites {
        table: Arc::new(table),
        of,
    }
}

fn analysis(sites: &Sites, detect: Detect) -> LiveAnalysis {
    let options = AnalysisOptions::default().detect(detect);
    let mut analysis = LiveAnalysis::new(Arc::clone(&sites.table), options);
    analysis.event(&Event {
        thread: MAIN,
        kind: EventKind::ThreadStart,
    });
    // A thread that is alone is only followed.
    analysis.event(&Event {
        thread: MAIN,
        kind: EventKind::ThreadCreate { child: IDLE },
    });
    analysis
}

fn batches(records: &[Record]) -> Vec<RecordBuffer> {
    let batch = |chunk: &[Record]| chunk.iter().copied().collect();
    records.chunks(BATCH).map(batch).collect()
}

fn deliver(analysis: &mut LiveAnalysis, thread: ThreadId, batches: &[RecordBuffer]) {
    for batch in batches {
        black_box(analysis.records(thread, batch.view()));
    }
}

/// Reads and writes of 4 bytes, irregularly mixed, over 64 KiB that were written before.
fn mixed(sites: &Sites, count: usize) -> Vec<Record> {
    let mut state = 1_u64;
    (0..count)
        .map(|index| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let kind = if state >> 33 & 3 == 0 { WRITE4 } else { READ4 };
            let site = sites.of[kind][(state >> 40) as usize % 256];
            Record::new(0x1_0000 + (index as u32 * 4) % 0xff00, site)
        })
        .collect()
}

fn kernels(criterion: &mut Criterion) {
    let sites = sites();
    let mut group = criterion.benchmark_group("happens_before");

    // Everything was written in this epoch: the fast path.
    let warm: Vec<_> = (0..0x1_0000 / 4 + 64)
        .map(|word| Record::new(0x1_0000 + word * 4, sites.of[WRITE4][0]))
        .collect();
    let records = mixed(&sites, 1 << 16);
    let (warm, mixed) = (batches(&warm), batches(&records));
    let mut detector = analysis(&sites, Detect::HappensBefore);
    deliver(&mut detector, MAIN, &warm);
    group.throughput(Throughput::Elements(records.len() as u64));
    group.bench_function("same_epoch_64k", |bencher| {
        bencher.iter(|| deliver(&mut detector, MAIN, &mixed));
    });

    // The same with a call and a return around every eight accesses.
    let ret = {
        let mut table = (*sites.table).clone();
        let id = table.push(Site {
            kind: SiteKind::Return,
            width: 0,
            func: 0,
            offset: 0,
            displacement: 0,
        });
        (Arc::new(table), id)
    };
    let with_calls: Vec<_> = records
        .chunks(8)
        .flat_map(|chunk| {
            let call = Record::new(0, sites.of[CALL][chunk[0].0 as usize % 256]);
            std::iter::once(call)
                .chain(chunk.iter().copied())
                .chain([Record::new(0, ret.1)])
        })
        .collect();
    let count = with_calls.len() as u64;
    let with_calls = batches(&with_calls);
    let calls = Sites {
        table: ret.0,
        of: sites.of.clone(),
    };
    let mut detector = analysis(&calls, Detect::HappensBefore);
    deliver(&mut detector, MAIN, &warm);
    group.throughput(Throughput::Elements(count));
    group.bench_function("same_epoch_calls", |bencher| {
        bencher.iter(|| deliver(&mut detector, MAIN, &with_calls));
    });
    let mut contexts = analysis(&calls, Detect::None);
    group.bench_function("contexts_only", |bencher| {
        bencher.iter(|| deliver(&mut contexts, MAIN, &with_calls));
    });

    // First touch of 16 MiB: shadow memory is committed on the way.
    let streaming: Vec<_> = (0..(16 << 20) / 8)
        .map(|word| Record::new(0x10_0000 + word * 8, sites.of[WRITE8][0]))
        .collect();
    group.throughput(Throughput::Elements(streaming.len() as u64));
    let streaming = batches(&streaming);
    group.sample_size(20);
    group.bench_function("streaming_16m_first_touch", |bencher| {
        bencher.iter_batched_ref(
            || analysis(&sites, Detect::HappensBefore),
            |detector| deliver(detector, MAIN, &streaming),
            BatchSize::PerIteration,
        );
    });

    // The same over shadow memory that is there, in a new epoch each time.
    let mut detector = analysis(&sites, Detect::HappensBefore);
    group.bench_function("streaming_16m_new_epoch", |bencher| {
        bencher.iter(|| {
            deliver(&mut detector, MAIN, &streaming);
            detector.event(&Event {
                thread: MAIN,
                kind: EventKind::HappensBefore { object: 8 },
            });
        });
    });

    group.sample_size(100);
    group.throughput(Throughput::Elements(64));
    // Two threads take turns on a lock, with 60 accesses in between: half to shared memory, half to their own
    // stacks, where words of a granule are of different epochs.
    let mut detector = analysis(&sites, Detect::HappensBefore);
    let other = ThreadId(1);
    detector.event(&Event {
        thread: MAIN,
        kind: EventKind::ThreadCreate { child: other },
    });
    detector.event(&Event {
        thread: other,
        kind: EventKind::ThreadStart,
    });
    let mut turn = 0_u32;
    group.bench_function("lock_heavy_64", |bencher| {
        bencher.iter(|| {
            turn = turn.wrapping_add(1);
            let thread = ThreadId(turn & 1);
            let (lock, mode) = (0x100, LockMode::Exclusive);
            let mut tell = |kind| detector.event(&Event { thread, kind });
            tell(EventKind::LockRequest {
                lock,
                mode,
                fallible: false,
            });
            tell(EventKind::LockAcquire { lock, mode });
            let mut body = [Record(0); 60];
            for (index, record) in body.iter_mut().enumerate() {
                let index = index as u32;
                let kind = if index.is_multiple_of(3) {
                    WRITE4
                } else {
                    READ4
                };
                let base = if index.is_multiple_of(2) {
                    0x2_0000 + index * 4
                } else {
                    // A few words of the stack, others each time.
                    0x4_0000 + (thread.0 << 16) + (turn.wrapping_mul(28) + index * 4) % 512
                };
                *record = Record::new(base, sites.of[kind][0]);
            }
            detector.records(thread, batches(&body)[0].view());
            let mut tell = |kind| detector.event(&Event { thread, kind });
            tell(EventKind::LockRelease { lock, mode });
            tell(EventKind::LockReleased { lock });
        });
    });

    // Eight threads read what one wrote: every granule is shared.
    let table: Vec<_> = (0..1 << 13)
        .map(|word| Record::new(0x10_0000 + word * 8, sites.of[READ4][0]))
        .collect();
    group.throughput(Throughput::Elements(8 << 13));
    let words = table.len() as u64;
    let table = batches(&table);
    group.bench_function("eight_readers", |bencher| {
        bencher.iter_batched_ref(
            || {
                let mut detector = analysis(&sites, Detect::HappensBefore);
                for child in 1..=8 {
                    let child = ThreadId(child);
                    detector.event(&Event {
                        thread: MAIN,
                        kind: EventKind::ThreadCreate { child },
                    });
                }
                detector
            },
            |detector| {
                for child in 1..=8 {
                    deliver(detector, ThreadId(child), &table);
                }
            },
            BatchSize::PerIteration,
        );
    });

    // Four threads read the same 64 KiB again and again, each time in a new epoch: a table shared by workers
    // that synchronise for every piece of work.
    let mut detector = analysis(&sites, Detect::HappensBefore);
    for child in 1..=4 {
        let child = ThreadId(child);
        detector.event(&Event {
            thread: MAIN,
            kind: EventKind::ThreadCreate { child },
        });
    }
    let mut turn = 0_u32;
    group.throughput(Throughput::Elements(words));
    group.bench_function("shared_table_new_epoch", |bencher| {
        bencher.iter(|| {
            turn = turn.wrapping_add(1);
            let thread = ThreadId(1 + turn % 4);
            let object = thread.0;
            deliver(&mut detector, thread, &table);
            detector.event(&Event {
                thread,
                kind: EventKind::HappensBefore { object },
            });
        });
    });

    // Events alone: a lock taken and released by one thread, with nothing in between.
    let mut detector = analysis(&sites, Detect::HappensBefore);
    group.throughput(Throughput::Elements(4));
    group.bench_function("lock_events", |bencher| {
        let (lock, mode) = (0x100, LockMode::Exclusive);
        bencher.iter(|| {
            let mut tell = |kind| detector.event(&Event { thread: MAIN, kind });
            tell(EventKind::LockRequest {
                lock,
                mode,
                fallible: false,
            });
            tell(EventKind::LockAcquire { lock, mode });
            tell(EventKind::LockRelease { lock, mode });
            tell(EventKind::LockReleased { lock });
        });
    });

    // Atomic increments by two threads in turn.
    let mut detector = analysis(&sites, Detect::HappensBefore);
    detector.event(&Event {
        thread: MAIN,
        kind: EventKind::ThreadCreate { child: ThreadId(1) },
    });
    let mut turn = 0_u32;
    group.throughput(Throughput::Elements(1));
    group.bench_function("atomic_increment", |bencher| {
        bencher.iter(|| {
            turn = turn.wrapping_add(1);
            let kind = EventKind::Atomic {
                site: sites.of[WRITE4][0],
                addr: 0x100,
                width: 4,
                kind: AtomicKind::ReadModifyWrite,
            };
            detector.event(&Event {
                thread: ThreadId(turn & 1),
                kind,
            })
        });
    });
    group.finish();
}

criterion_group!(benches, kernels);
criterion_main!(benches);
