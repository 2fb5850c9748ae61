//! STD and RapidBin traces as traces of grind.
//!
//! A variable becomes a word of memory, a lock or condition an address, a location a site whose offset it is. What only
//! the foreign format has, transactions and requests, is left out. There is no module: such a trace can be analysed and
//! exported, not replayed.

use super::InteropError;
use crate::model::sites::{Site, SiteId, SiteKind, SiteTable};
use crate::model::{
    Driven, Event, EventKind, LockMode, Record, RecordBuffer, RunSpec, Schedule, ThreadEnd,
    ThreadId,
};
use crate::predict::algorithms::well_formed::WellFormed;
use crate::predict::algorithms::{Event as Foreign, Op, Operand, Source};
use crate::trace::{Detail, Footer, Header, ModuleHash, TraceWriter};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

/// Where variables, locks and conditions are.
const VARIABLES: u32 = 0;
const LOCKS: u32 = 0x8000_0000;
const CONDITIONS: u32 = 0xc000_0000;
const WORD: u32 = 8;

/// Names of threads and locks that are kept.
const MAX_NAMES: usize = 1 << 16;

/// Turns a foreign trace, which is read twice, into one of grind. `name` says what the foreign trace calls a thread or
/// a lock, if it calls them anything. Says how many events there were.
///
/// # Errors
/// [`InteropError`].
pub fn import<S: Source, W: Write>(
    from: &str,
    mut open: impl FnMut() -> Result<S, InteropError>,
    name: impl Fn(&S, Operand, u32) -> Option<String>,
    out: W,
) -> Result<u64, InteropError> {
    let mut survey = Survey::default();
    // Here and not only when it is analysed: what one thread has to itself is no variable any more then.
    let mut checker = WellFormed::any_nesting();
    let mut source = open()?;
    while let Some(event) = source.next_event()? {
        checker.admit(event)?;
        survey.event(&event);
    }
    let mut named = Vec::new();
    for (kind, count) in [
        (Operand::Thread, survey.threads),
        (Operand::Lock, survey.locks),
    ] {
        named.extend(
            (0..count).filter_map(|number| Some((kind, number, name(&source, kind, number)?))),
        );
    }
    named.truncate(MAX_NAMES);
    let (sites, numbers) = survey.sites();
    let sites = Arc::new(sites);
    let mut import = Import {
        writer: TraceWriter::create(out, &header(from), &sites, None)?,
        numbers,
        started: FxHashSet::default(),
    };
    let mut roots = (0..survey.threads)
        .filter(|thread| !survey.forked.contains(thread))
        .map(ThreadId);
    let first = roots.next().unwrap_or_default();
    import.event(first, EventKind::ThreadStart);
    import.started.insert(first);
    for child in roots {
        // Nothing comes before it, so that it orders nothing.
        import.event(first, EventKind::ThreadCreate { child });
    }
    for (kind, number, name) in named {
        let kind = match kind {
            Operand::Thread => EventKind::ThreadName {
                of: ThreadId(number),
                name,
            },
            _ => EventKind::LockName {
                lock: LOCKS + WORD * number,
                name,
            },
        };
        import.event(first, kind);
    }
    let mut source = open()?;
    let mut events = 0;
    while let Some(event) = source.next_event()? {
        events += 1;
        import.foreign(&event);
    }
    let mut ends: Vec<ThreadId> = import.started.iter().copied().collect();
    ends.sort_unstable();
    for thread in ends {
        import.event(thread, EventKind::ThreadExit(ThreadEnd::Returned));
    }
    let (words, count) = import.writer.counts();
    import.writer.finish(&Footer {
        exit_code: 0,
        words,
        events: count,
        threads: survey.threads,
        findings: 0,
        nanoseconds: 0,
    })?;
    Ok(events)
}

fn header(from: &str) -> Header {
    Header {
        grind: env!("CARGO_PKG_VERSION").to_owned(),
        module: from.as_bytes().to_vec(),
        module_hash: ModuleHash::of(b""),
        embedded: None,
        sites: 0,
        detail: Detail::Full,
        spec: RunSpec {
            // Nobody will ask for the next: the trace has them all.
            schedule: Schedule::Decisions(Arc::default()),
            ..RunSpec::default()
        },
        interceptors: Vec::new(),
        driven: Driven::ByNobody,
        fuel: None,
    }
}

/// What a site is for: the kind of its records, and the location.
type Place = (u8, u32);

#[derive(Default)]
struct Survey {
    places: BTreeSet<Place>,
    threads: u32,
    locks: u32,
    forked: FxHashSet<u32>,
}

impl Survey {
    fn event(&mut self, event: &Foreign) {
        self.threads = self.threads.max(event.thread + 1);
        self.places
            .insert((kind_of(event.op) as u8, event.location));
        match event.op {
            Op::Fork => {
                self.threads = self.threads.max(event.operand + 1);
                self.forked.insert(event.operand);
            }
            Op::Join => self.threads = self.threads.max(event.operand + 1),
            Op::Acquire | Op::Release => self.locks = self.locks.max(event.operand + 1),
            _ => {}
        }
    }

    fn sites(&self) -> (SiteTable, FxHashMap<Place, SiteId>) {
        let mut sites = SiteTable::default();
        let site = |kind, offset| Site {
            kind,
            width: if matches!(kind, SiteKind::Call | SiteKind::Return) {
                0
            } else {
                4
            },
            func: 0,
            offset,
            displacement: 0,
        };
        // No record is of site 0.
        sites.push(site(SiteKind::Return, 0));
        let numbers = (self.places.iter())
            .map(|&(kind, location)| {
                let kind = [SiteKind::Read, SiteKind::Write, SiteKind::Call][usize::from(kind)];
                ((kind as u8, location), sites.push(site(kind, location)))
            })
            .collect();
        sites.push(site(SiteKind::Return, 0));
        (sites, numbers)
    }
}

fn kind_of(op: Op) -> SiteKind {
    match op {
        Op::Read | Op::AtomicRead => SiteKind::Read,
        Op::Write | Op::AtomicWrite => SiteKind::Write,
        _ => SiteKind::Call,
    }
}

struct Import<W: Write> {
    writer: TraceWriter<W>,
    numbers: FxHashMap<Place, SiteId>,
    started: FxHashSet<ThreadId>,
}

impl<W: Write> Import<W> {
    fn event(&mut self, thread: ThreadId, kind: EventKind) {
        self.writer.event(&Event { thread, kind }, &[]);
    }

    fn record(&mut self, thread: ThreadId, base: u32, site: SiteId) {
        let record: RecordBuffer = [Record::new(base, site)].into_iter().collect();
        self.writer.records(thread, record.view());
    }

    fn foreign(&mut self, event: &Foreign) {
        let thread = ThreadId(event.thread);
        if self.started.insert(thread) {
            self.event(thread, EventKind::ThreadStart);
        }
        let site = self.numbers[&(kind_of(event.op) as u8, event.location)];
        let lock = LOCKS + WORD * event.operand;
        let object = CONDITIONS + WORD * event.operand;
        let (mode, child) = (LockMode::Exclusive, ThreadId(event.operand));
        let kinds: &[EventKind] = &match event.op {
            // The formats have no atomics of variables.
            Op::Read | Op::Write | Op::AtomicRead | Op::AtomicWrite => {
                return self.record(thread, VARIABLES + WORD * event.operand, site);
            }
            Op::Begin | Op::End | Op::Request => return,
            Op::Acquire => vec![EventKind::LockAcquire { lock, mode }],
            Op::Release => vec![
                EventKind::LockRelease { lock, mode },
                EventKind::LockReleased { lock },
            ],
            Op::Fork => vec![EventKind::ThreadCreate { child }],
            Op::Join => vec![EventKind::ThreadJoin { child }],
            Op::Wait | Op::Needs | Op::Load => vec![EventKind::HappensAfter { object }],
            Op::Notify | Op::Store => vec![EventKind::HappensBefore { object }],
        };
        // The location is that of a call.
        self.record(thread, 0, site);
        for kind in kinds {
            self.event(thread, kind.clone());
        }
        self.record(thread, 0, self.return_site());
    }

    fn return_site(&self) -> SiteId {
        // Behind those with a location.
        SiteId(self.numbers.len() as u32 + 1)
    }
}
