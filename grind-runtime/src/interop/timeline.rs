//! A trace as the timeline of a report: who ran when, locks and waits, what ordered threads, and where the accesses of
//! its races are.
//!
//! Time is the number of the event. Plain accesses are between two events, and only in a full trace. To mark those of a
//! light one, a [`Marker`] listens to a run of it.
//!
//! **Limits**: 100,000 slices and arrows; more are counted.

use super::InteropError;
use crate::model::lanes::{self, Drawn, Lanes};
use crate::model::meaning::Touched;
use crate::model::sites::{SiteId, SiteTable};
use crate::model::{Event, EventKind, EventSink, Flow, Records, ThreadId};
use crate::report::finding::fingerprint::Fingerprint;
use crate::report::finding::timeline::{
    Arrow, ArrowKind, Lane, Mark, Point, Slice, SliceKind, Timeline,
};
use crate::report::finding::{Evidence, Finding};
use crate::trace::{Entry, TraceReader};
use rustc_hash::FxHashMap;
use std::io::Read;
use std::sync::Arc;

/// Slices and arrows that are kept.
const MOST: usize = 100_000;

/// Reads a trace, and looks for the accesses of these findings.
///
/// # Errors
/// [`InteropError`].
pub fn timeline<R: Read>(
    mut trace: TraceReader<R>,
    findings: &[Finding],
) -> Result<Timeline, InteropError> {
    let mut drawing = Drawing {
        timeline: Timeline {
            unit: "events".to_owned(),
            ..Timeline::default()
        },
        open: FxHashMap::default(),
        running: None,
    };
    let mut marker = Marker::new(Arc::clone(trace.sites()), findings);
    let mut lanes = Lanes::default();
    let mut now = 0;
    while let Some(entry) = trace.next_entry()? {
        match entry {
            Entry::Slice { slice, .. } => drawing.run(slice.thread, now),
            Entry::Records(thread) if !marker.is_done() => {
                marker.records(thread, trace.records());
            }
            Entry::Event(event) => {
                now += 1;
                marker.event(&event);
                let Event { thread, kind } = event;
                drawing.lane(thread, &kind, now);
                for drawn in lanes.event(thread, &kind, now) {
                    drawing.draw(drawn, now);
                }
            }
            _ => {}
        }
    }
    for drawn in lanes.finish() {
        drawing.draw(drawn, now);
    }
    drawing.run(ThreadId(u32::MAX), now);
    for lane in &mut drawing.timeline.lanes {
        if lane.end == 0 {
            lane.end = now;
        }
    }
    drawing.timeline.marks = marker.into_marks();
    Ok(drawing.timeline)
}

struct Drawing {
    timeline: Timeline,
    /// Slices that began, by thread.
    open: FxHashMap<ThreadId, Vec<(u64, SliceKind, String)>>,
    running: Option<(ThreadId, u64)>,
}

impl Drawing {
    fn lane(&mut self, thread: ThreadId, kind: &EventKind, now: u64) {
        let index = thread.0 as usize;
        for id in self.timeline.lanes.len()..=index {
            self.timeline.lanes.push(Lane {
                thread: ThreadId(id as u32),
                name: None,
                begin: now,
                end: 0,
            });
        }
        match kind {
            EventKind::ThreadStart => self.timeline.lanes[index].begin = now,
            EventKind::ThreadExit(_) => self.timeline.lanes[index].end = now,
            _ => {}
        }
    }

    /// Another thread runs from here on.
    fn run(&mut self, thread: ThreadId, now: u64) {
        if self.running.is_some_and(|(running, _)| running == thread) {
            return;
        }
        if let Some((thread, begin)) = self.running.replace((thread, now))
            && begin < now
        {
            self.slice(thread, begin, now, SliceKind::Run, String::new());
        }
    }

    fn slice(&mut self, thread: ThreadId, begin: u64, end: u64, what: SliceKind, text: String) {
        if self.full() {
            self.timeline.left_out += 1;
            return;
        }
        self.timeline.slices.push(Slice {
            thread,
            begin,
            end,
            what,
            text,
        });
    }

    fn full(&self) -> bool {
        self.timeline.slices.len() + self.timeline.arrows.len() >= MOST
    }

    fn draw(&mut self, drawn: Drawn, now: u64) {
        match drawn {
            Drawn::Name(of, name) => {
                if let Some(lane) = self.timeline.lanes.get_mut(of.0 as usize) {
                    lane.name = Some(name);
                }
            }
            Drawn::Begin(thread, slice, text) => {
                let what = match slice {
                    lanes::Slice::Lock => SliceKind::Lock,
                    lanes::Slice::Wait => SliceKind::Wait,
                };
                self.open.entry(thread).or_default().push((now, what, text));
            }
            Drawn::End(thread) => {
                if let Some((begin, what, text)) = self.open.entry(thread).or_default().pop() {
                    self.slice(thread, begin, now, what, text);
                }
            }
            Drawn::Arrow(_, _, _) if self.full() => self.timeline.left_out += 1,
            Drawn::Arrow(arrow, from, to) => {
                let what = match arrow {
                    lanes::Arrow::Create => ArrowKind::Spawn,
                    lanes::Arrow::Join => ArrowKind::Join,
                    lanes::Arrow::Lock => ArrowKind::Lock,
                    lanes::Arrow::Notify => ArrowKind::Notify,
                };
                let point = |(thread, at)| Point { thread, at };
                self.timeline.arrows.push(Arrow {
                    from: point(from),
                    to: point(to),
                    what,
                    text: String::new(),
                });
            }
            Drawn::Moment => {}
        }
    }
}

/// An access that is looked for.
struct Wanted {
    finding: Fingerprint,
    number: u32,
    thread: ThreadId,
    /// Of the instruction, in the module.
    offset: u32,
    /// First byte, and the one behind the last.
    bytes: (u64, u64),
    text: String,
    /// The one that has to be found before it.
    after: Option<usize>,
    found: bool,
}

/// Looks for the accesses of races in a run, or in a trace that has them, and says when they were.
pub struct Marker {
    sites: Arc<SiteTable>,
    wanted: Vec<Wanted>,
    by_offset: FxHashMap<u32, Vec<usize>>,
    /// How many are not found yet.
    missing: usize,
    events: u64,
    marks: Vec<Mark>,
}

impl Marker {
    /// Looks for the accesses of these findings in a run of the program with these sites.
    #[must_use]
    pub fn new(sites: Arc<SiteTable>, findings: &[Finding]) -> Marker {
        let mut wanted = Vec::new();
        for finding in findings {
            want(&mut wanted, finding);
        }
        let mut by_offset: FxHashMap<u32, Vec<usize>> = FxHashMap::default();
        for (index, one) in wanted.iter().enumerate() {
            by_offset.entry(one.offset).or_default().push(index);
        }
        Marker {
            sites,
            missing: wanted.len(),
            wanted,
            by_offset,
            events: 0,
            marks: Vec::new(),
        }
    }

    /// Whether there is nothing more to look for.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.missing == 0
    }

    /// What was found, in order.
    #[must_use]
    pub fn into_marks(self) -> Vec<Mark> {
        self.marks
    }

    /// Marks an access that was looked for; the later one of a race comes after the earlier.
    fn look(&mut self, thread: ThreadId, site: SiteId, address: u32, len: u32) {
        let offset = self.sites.get(site).offset;
        let Some(indices) = self.by_offset.get(&offset) else {
            return;
        };
        let start = u64::from(address);
        let end = start + u64::from(len.max(1));
        for &index in indices {
            let wanted = &self.wanted[index];
            let in_order = wanted.after.is_none_or(|after| self.wanted[after].found);
            let here = !wanted.found
                && in_order
                && wanted.thread == thread
                && start < wanted.bytes.1
                && wanted.bytes.0 < end;
            if here {
                let at = self.events;
                self.marks.push(Mark {
                    point: Point { thread, at },
                    finding: wanted.finding,
                    number: wanted.number,
                    text: wanted.text.clone(),
                });
                self.wanted[index].found = true;
                self.missing -= 1;
            }
        }
    }

    fn flow(&self) -> Flow {
        match self.is_done() {
            true => Flow::Halt,
            false => Flow::Continue,
        }
    }
}

impl EventSink for Marker {
    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow {
        let sites = Arc::clone(&self.sites);
        for record in records.iter() {
            let site = sites.get(record.site());
            if site.is_access() {
                let address = record.base().wrapping_add(site.displacement);
                self.look(thread, record.site(), address, site.width.into());
            }
        }
        self.flow()
    }

    fn event(&mut self, event: &Event) -> Flow {
        self.events += 1;
        if let Some(Touched {
            addr,
            len: Some(len),
            site: Some(site),
            ..
        }) = event.kind.touches()
        {
            self.look(event.thread, site, addr, len);
        }
        self.flow()
    }
}

/// The accesses of a race, by their instructions.
fn want(all: &mut Vec<Wanted>, finding: &Finding) {
    let Evidence::Race(race) = &finding.evidence else {
        return;
    };
    let mut after = None;
    for (number, access) in (1..).zip(&race.accesses) {
        let Some(frame) = access.stack.first() else {
            continue;
        };
        let start = u64::from(access.address);
        all.push(Wanted {
            finding: finding.fingerprint,
            number,
            thread: access.thread,
            offset: frame.offset,
            bytes: (start, start + u64::from(access.size.max(1))),
            text: access.describe(),
            after,
            found: false,
        });
        after = Some(all.len() - 1);
    }
}
