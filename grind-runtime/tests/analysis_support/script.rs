//! Event streams written by hand.

use grind_runtime::detect::{Access, AnalysisOptions, AnalysisOutcome, Diagnosis, LiveAnalysis};
use grind_runtime::model::sites::{Site, SiteId, SiteKind, SiteTable};
use grind_runtime::model::{
    AtomicKind, Event, EventKind, EventSink, Flow, LockMode, RangeOrigin, Record, RecordBuffer,
    ThreadEnd, ThreadId, WaitOutcome,
};
use std::sync::Arc;

enum Item {
    Record(ThreadId, Record),
    Event(Event),
}

/// What threads do, in the order of the calls. Thread 0 is there from the start. Everything that has a site gets
/// one of its own, and returns it.
#[derive(Default)]
pub(crate) struct Script {
    sites: SiteTable,
    items: Vec<Item>,
}

impl Script {
    /// Threads 0 to `children`, all but the first created by it.
    pub(crate) fn with_children(children: u32) -> Self {
        let mut script = Script::default();
        script.event(0, EventKind::ThreadStart);
        for child in 1..=children {
            script.spawn(0, child);
        }
        script
    }

    pub(crate) fn site(&mut self, kind: SiteKind, width: u8) -> SiteId {
        let offset = self.sites.len() as u32;
        self.sites.push(Site {
            kind,
            width,
            func: 0,
            offset,
            displacement: 0,
        })
    }

    /// Repeats a site.
    pub(crate) fn at(&mut self, thread: u32, site: SiteId, addr: u32) {
        self.items
            .push(Item::Record(ThreadId(thread), Record::new(addr, site)));
    }

    pub(crate) fn record(&mut self, thread: u32, kind: SiteKind, addr: u32, width: u8) -> SiteId {
        let site = self.site(kind, width);
        self.at(thread, site, addr);
        site
    }

    pub(crate) fn read(&mut self, thread: u32, addr: u32, width: u8) -> SiteId {
        self.record(thread, SiteKind::Read, addr, width)
    }

    pub(crate) fn write(&mut self, thread: u32, addr: u32, width: u8) -> SiteId {
        self.record(thread, SiteKind::Write, addr, width)
    }

    pub(crate) fn call(&mut self, thread: u32) -> SiteId {
        self.record(thread, SiteKind::Call, 0, 0)
    }

    pub(crate) fn ret(&mut self, thread: u32) {
        self.record(thread, SiteKind::Return, 0, 0);
    }

    pub(crate) fn event(&mut self, thread: u32, kind: EventKind) {
        self.items.push(Item::Event(Event {
            thread: ThreadId(thread),
            kind,
        }));
    }

    pub(crate) fn atomic(&mut self, thread: u32, kind: AtomicKind, addr: u32, width: u8) -> SiteId {
        let site = self.site(SiteKind::Atomic, width);
        self.event(
            thread,
            EventKind::Atomic {
                site,
                addr,
                width,
                kind,
            },
        );
        site
    }

    pub(crate) fn load(&mut self, thread: u32, addr: u32) -> SiteId {
        self.atomic(thread, AtomicKind::Load, addr, 4)
    }

    pub(crate) fn store(&mut self, thread: u32, addr: u32) -> SiteId {
        self.atomic(thread, AtomicKind::Store, addr, 4)
    }

    pub(crate) fn rmw(&mut self, thread: u32, addr: u32) -> SiteId {
        self.atomic(thread, AtomicKind::ReadModifyWrite, addr, 4)
    }

    pub(crate) fn fence(&mut self, thread: u32) {
        let site = self.site(SiteKind::Atomic, 0);
        self.event(thread, EventKind::Fence { site });
    }

    pub(crate) fn bulk(&mut self, thread: u32, addr: u32, len: u32, write: bool) -> SiteId {
        let site = self.site(SiteKind::Bulk, 0);
        let origin = RangeOrigin::Bulk(site);
        self.event(
            thread,
            EventKind::Range {
                origin,
                addr,
                len,
                write,
            },
        );
        site
    }

    pub(crate) fn spawn(&mut self, thread: u32, child: u32) {
        self.event(
            thread,
            EventKind::ThreadCreate {
                child: ThreadId(child),
            },
        );
        self.event(child, EventKind::ThreadStart);
    }

    pub(crate) fn exit(&mut self, thread: u32) {
        self.event(thread, EventKind::ThreadExit(ThreadEnd::Returned));
    }

    pub(crate) fn join(&mut self, thread: u32, child: u32) {
        self.event(
            thread,
            EventKind::ThreadJoin {
                child: ThreadId(child),
            },
        );
    }

    pub(crate) fn request(&mut self, thread: u32, lock: u32, mode: LockMode) {
        self.event(
            thread,
            EventKind::LockRequest {
                lock,
                mode,
                fallible: false,
            },
        );
    }

    pub(crate) fn lock_as(&mut self, thread: u32, lock: u32, mode: LockMode) {
        self.request(thread, lock, mode);
        self.event(thread, EventKind::LockAcquire { lock, mode });
    }

    pub(crate) fn unlock_as(&mut self, thread: u32, lock: u32, mode: LockMode) {
        self.event(thread, EventKind::LockRelease { lock, mode });
        self.event(thread, EventKind::LockReleased { lock });
    }

    pub(crate) fn lock(&mut self, thread: u32, lock: u32) {
        self.lock_as(thread, lock, LockMode::Exclusive);
    }

    pub(crate) fn unlock(&mut self, thread: u32, lock: u32) {
        self.unlock_as(thread, lock, LockMode::Exclusive);
    }

    pub(crate) fn wait_begin(&mut self, thread: u32, addr: u32) -> SiteId {
        let site = self.site(SiteKind::Atomic, 4);
        self.event(
            thread,
            EventKind::WaitBegin {
                site,
                addr,
                width: 4,
            },
        );
        site
    }

    pub(crate) fn woken(&mut self, thread: u32, site: SiteId, addr: u32, by: u32) {
        self.wait_ends(thread, site, addr, WaitOutcome::Woken, Some(ThreadId(by)));
    }

    pub(crate) fn wait_end(&mut self, thread: u32, site: SiteId, addr: u32, outcome: WaitOutcome) {
        self.wait_ends(thread, site, addr, outcome, None);
    }

    fn wait_ends(
        &mut self,
        thread: u32,
        site: SiteId,
        addr: u32,
        outcome: WaitOutcome,
        by: Option<ThreadId>,
    ) {
        self.event(
            thread,
            EventKind::WaitEnd {
                site,
                addr,
                width: 4,
                outcome,
                by,
            },
        );
    }

    pub(crate) fn notify(&mut self, thread: u32, addr: u32, woken: u32) {
        let site = self.site(SiteKind::Atomic, 0);
        self.event(thread, EventKind::Notify { site, addr, woken });
    }

    pub(crate) fn alloc(&mut self, thread: u32, addr: u32, size: u32) {
        self.event(thread, EventKind::Alloc { addr, size });
    }

    pub(crate) fn free(&mut self, thread: u32, addr: u32) {
        self.event(thread, EventKind::Free { addr });
    }

    /// Delivers everything, each record in a batch of its own, until the sink wants no more. How many items that
    /// took.
    pub(crate) fn deliver(&self, analysis: &mut LiveAnalysis) -> usize {
        for (at, item) in self.items.iter().enumerate() {
            let flow = match item {
                Item::Record(thread, record) => {
                    let batch: RecordBuffer = [*record].into_iter().collect();
                    analysis.records(*thread, batch.view())
                }
                Item::Event(event) => analysis.event(event),
            };
            if flow == Flow::Halt {
                return at + 1;
            }
        }
        self.items.len()
    }

    pub(crate) fn len(&self) -> usize {
        self.items.len()
    }

    pub(crate) fn analysis(&self, options: AnalysisOptions) -> LiveAnalysis {
        LiveAnalysis::new(Arc::new(self.sites.clone()), options)
    }

    /// Both passes.
    pub(crate) fn run_with(&self, options: AnalysisOptions) -> AnalysisOutcome {
        let mut analysis = self.analysis(options);
        self.deliver(&mut analysis);
        if analysis.needs_second_pass() {
            analysis = analysis.into_second_pass();
            self.deliver(&mut analysis);
        }
        let outcome = analysis.finish();
        assert_eq!(outcome.stats.unresolved, 0);
        outcome
    }

    /// Both passes, nothing special; no table may be full.
    pub(crate) fn run(&self) -> AnalysisOutcome {
        let outcome = self.run_with(AnalysisOptions::default());
        assert_eq!(outcome.limits, []);
        outcome
    }

    /// The races, by the sites of their accesses.
    pub(crate) fn races(&self) -> Vec<(SiteId, SiteId)> {
        races(&self.run())
            .iter()
            .map(|(first, second)| (first.stack[0], second.stack[0]))
            .collect()
    }
}

pub(crate) fn races(outcome: &AnalysisOutcome) -> Vec<(&Access, &Access)> {
    outcome
        .diagnoses
        .iter()
        .filter_map(|found| match &found.diagnosis {
            Diagnosis::DataRace { first, second, .. } => Some((first, second)),
            _ => None,
        })
        .collect()
}
