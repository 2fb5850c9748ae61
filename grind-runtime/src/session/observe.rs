//! Looking at a run while it is replayed: the stacks at one event, the events of one thread, the accesses to one
//! address.
//!
//! **Limits**: the first 100,000 observations are kept, the others counted.

use crate::model::sites::{SiteId, SiteKind, SiteTable};
use crate::model::{Event, EventKind, EventSink, Flow, Records, ThreadId};
use std::ops::Range;
use std::sync::Arc;

/// Observations that are kept.
pub(super) const MOST: usize = 100_000;

/// What to look for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observe {
    /// The stacks of all threads at the event with this number, counted from 1.
    pub at: Option<u64>,
    /// Events of this thread, or accesses by it where addresses are watched.
    pub thread: Option<ThreadId>,
    /// Accesses to these bytes.
    pub watch: Option<Range<u64>>,
}

/// Something that was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Number of the last event, itself included, counted from 1.
    pub event: u64,
    /// Who.
    pub thread: ThreadId,
    /// What.
    pub what: String,
    /// Where, innermost first.
    pub stack: Vec<SiteId>,
}

/// Takes a run and keeps what was looked for.
#[derive(Debug)]
pub struct Observer {
    sites: Arc<SiteTable>,
    wanted: Observe,
    threads: Vec<Vec<SiteId>>,
    events: u64,
    found: Vec<Observation>,
    left_out: u64,
}

/// Frames that are followed per thread; the calls of deeper ones are not known.
const MAX_FRAMES: usize = 1 << 16;

impl Observer {
    /// Looks at a run of a program with these sites.
    #[must_use]
    pub fn new(sites: Arc<SiteTable>, wanted: Observe) -> Observer {
        Observer {
            sites,
            wanted,
            threads: Vec::new(),
            events: 0,
            found: Vec::new(),
            left_out: 0,
        }
    }

    /// What was found, in order.
    #[must_use]
    pub fn found(&self) -> &[Observation] {
        &self.found
    }

    /// How many more there were than are kept.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    fn calls(&mut self, thread: ThreadId) -> &mut Vec<SiteId> {
        let index = thread.0 as usize;
        if index >= self.threads.len() {
            self.threads.resize_with(index + 1, Vec::new);
        }
        &mut self.threads[index]
    }

    fn find(&mut self, thread: ThreadId, what: String, site: Option<SiteId>) {
        if self.found.len() >= MOST {
            self.left_out += 1;
            return;
        }
        let calls = self.calls(thread).iter().rev().copied();
        let stack = site.into_iter().chain(calls).collect();
        self.found.push(Observation {
            event: self.events,
            thread,
            what,
            stack,
        });
    }

    fn wants(&self, thread: ThreadId) -> bool {
        self.wanted.thread.is_none_or(|wanted| wanted == thread)
    }

    fn watches(&self, thread: ThreadId, address: u64, len: u64) -> bool {
        let watch = self.wanted.watch.as_ref();
        watch.is_some_and(|watch| address < watch.end && watch.start < address + len)
            && self.wants(thread)
    }

    /// The bytes that an event accesses.
    fn accessed(kind: &EventKind) -> Option<(u32, u32)> {
        if let Some(touched) = kind.touches() {
            return Some((touched.addr, touched.len.unwrap_or(1)));
        }
        match *kind {
            EventKind::Alloc { addr, size } => Some((addr, size)),
            // The end of a wait accesses nothing, but belongs to its beginning.
            _ => (kind.waited_at()).map(|(addr, width)| (addr, width.into())),
        }
    }
}

impl EventSink for Observer {
    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow {
        let sites = Arc::clone(&self.sites);
        for record in records.iter() {
            let id = record.site();
            let site = sites.packed(id);
            let kind = site.kind();
            if kind == SiteKind::Call as u8 {
                let calls = self.calls(thread);
                if calls.len() < MAX_FRAMES {
                    calls.push(id);
                }
            } else if kind == SiteKind::Return as u8 {
                self.calls(thread).pop();
            } else if kind <= SiteKind::Write as u8 && self.wanted.watch.is_some() {
                let address = u64::from(record.base()) + u64::from(site.displacement());
                let len = site.width();
                if self.watches(thread, address, len.into()) {
                    let what = if kind == SiteKind::Write as u8 {
                        "write"
                    } else {
                        "read"
                    };
                    self.find(thread, format!("{what} 0x{address:x}+{len}"), Some(id));
                }
            }
        }
        Flow::Continue
    }

    fn event(&mut self, event: &Event) -> Flow {
        self.events += 1;
        let thread = event.thread;
        let site = event.kind.site();
        if self.wanted.watch.is_some() {
            let accessed = Observer::accessed(&event.kind);
            if accessed.is_some_and(|(addr, len)| self.watches(thread, addr.into(), len.into())) {
                self.find(thread, event.kind.to_string(), site);
            }
        } else if self.wanted.thread == Some(thread) {
            self.find(thread, event.kind.to_string(), site);
        }
        if self.wanted.at == Some(self.events) {
            self.find(thread, event.kind.to_string(), site);
            let others = (0..self.threads.len() as u32).map(ThreadId);
            for other in others
                .filter(|&other| other != thread && self.wants(other))
                .collect::<Vec<_>>()
            {
                if !self.calls(other).is_empty() {
                    self.find(other, "is here meanwhile".to_owned(), None);
                }
            }
        }
        if matches!(event.kind, EventKind::ThreadExit(_)) {
            self.calls(thread).clear();
        }
        Flow::Continue
    }
}
