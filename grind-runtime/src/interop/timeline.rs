//! A trace as the timeline of a report: who ran when, locks and waits, what ordered threads, and where the accesses of
//! its races are.
//!
//! Time is the number of the event. Plain accesses are between two events, and only in a full trace; of a race in a light
//! one, nothing is marked but atomics.
//!
//! **Limits**: 100,000 slices and arrows; more are counted.

use super::InteropError;
use crate::program::sites::{SiteId, SiteTable};
use crate::report::finding::Evidence;
use crate::report::timeline::{Arrow, ArrowKind, Lane, Mark, Point, Slice, SliceKind, Timeline};
use crate::report::{Finding, Fingerprint};
use crate::trace::file::{Entry, TraceReader};
use crate::trace::lanes::{self, Drawn, Lanes};
use crate::trace::{Event, EventKind, ThreadId};
use rustc_hash::FxHashMap;
use std::io::Read;
use std::sync::Arc;

/// Slices and arrows that are kept.
const MOST: usize = 100_000;

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
    found: bool,
}

/// Reads a trace, and looks for the accesses of these findings.
///
/// # Errors
/// [`InteropError`].
pub fn timeline<R: Read>(
    mut trace: TraceReader<R>,
    findings: &[Finding],
) -> Result<Timeline, InteropError> {
    let sites = Arc::clone(trace.sites());
    let mut drawing = Drawing {
        timeline: Timeline {
            unit: "events".to_owned(),
            ..Timeline::default()
        },
        open: FxHashMap::default(),
        running: None,
        wanted: findings.iter().flat_map(wanted).collect(),
    };
    let mut lanes = Lanes::default();
    let mut now = 0;
    while let Some(entry) = trace.next_entry()? {
        match entry {
            Entry::Slice { slice, .. } => drawing.run(slice.thread, now),
            Entry::Records(thread) if !drawing.wanted.is_empty() => {
                for record in trace.records().iter() {
                    let site = record.site();
                    let address = record.base().wrapping_add(sites.get(site).displacement);
                    drawing.look(&sites, (thread, now), site, address);
                }
            }
            Entry::Event(Event { thread, kind }) => {
                now += 1;
                drawing.lane(thread, &kind, now);
                if let EventKind::Atomic { site, addr, .. } = kind {
                    drawing.look(&sites, (thread, now), site, addr);
                }
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
    Ok(drawing.timeline)
}

/// The accesses of a race, by their instructions.
fn wanted(finding: &Finding) -> Vec<Wanted> {
    let Evidence::Race(race) = &finding.evidence else {
        return Vec::new();
    };
    let places = (1..).zip(&race.accesses).filter_map(|(number, access)| {
        let start = u64::from(access.address);
        Some(Wanted {
            finding: finding.fingerprint,
            number,
            thread: access.thread,
            offset: access.stack.first()?.offset,
            bytes: (start, start + u64::from(access.size)),
            text: access.describe(),
            found: false,
        })
    });
    places.collect()
}

struct Drawing {
    timeline: Timeline,
    /// Slices that began, by thread.
    open: FxHashMap<ThreadId, Vec<(u64, SliceKind, String)>>,
    running: Option<(ThreadId, u64)>,
    wanted: Vec<Wanted>,
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

    /// Marks an access that was looked for; the later one of a race comes after the earlier.
    fn look(&mut self, sites: &SiteTable, (thread, at): lanes::Moment, site: SiteId, address: u32) {
        let site = sites.get(site);
        let (start, end) = (
            u64::from(address),
            u64::from(address) + u64::from(site.width.max(1)),
        );
        for index in 0..self.wanted.len() {
            let wanted = &self.wanted[index];
            let here = !wanted.found
                && wanted.thread == thread
                && wanted.offset == site.offset
                && start < wanted.bytes.1
                && wanted.bytes.0 < end;
            let before = index.checked_sub(1).map(|before| &self.wanted[before]);
            let after = before.is_none_or(|one| one.finding != wanted.finding || one.found);
            if here && after {
                let wanted = &mut self.wanted[index];
                wanted.found = true;
                self.timeline.marks.push(Mark {
                    point: Point { thread, at },
                    finding: wanted.finding,
                    number: wanted.number,
                    text: wanted.text.clone(),
                });
                break;
            }
        }
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
