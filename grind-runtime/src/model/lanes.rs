//! Events as a picture: slices on the lane of a thread, arrows between lanes, and moments.
//!
//! Slices are locks that are held and waits. They nest: if a lock is released within a slice that began after it was
//! taken, that slice ends as well and begins again. Arrows go from a creation to the thread's start, from a thread's end to
//! its join, from a release to the next acquire by another thread, and from a notification to whom it woke.
//!
//! **Cost**: memory by threads, locks and addresses that were notified.

use super::event::{EventKind, ThreadId, WaitOutcome};
use super::meaning::{LockStep, LockToldBy, OfLock, WaitStep, WokenOn};
use rustc_hash::FxHashMap;

/// What a slice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slice {
    Lock,
    Wait,
}

/// What an arrow is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arrow {
    Create,
    Join,
    Lock,
    Notify,
}

/// A thread and a time.
pub(crate) type Moment = (ThreadId, u64);

/// Something to draw, at the time of the event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Drawn {
    /// The thread is called so.
    Name(ThreadId, String),
    /// A slice begins.
    Begin(ThreadId, Slice, String),
    /// The innermost slice ends.
    End(ThreadId),
    Arrow(Arrow, Moment, Moment),
    /// The event itself.
    Moment,
}

/// Follows events.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    open: FxHashMap<ThreadId, Vec<(Slice, String)>>,
    created: FxHashMap<ThreadId, Moment>,
    ended: FxHashMap<ThreadId, u64>,
    released: FxHashMap<u32, Moment>,
    notified: FxHashMap<WokenOn, Moment>,
    names: FxHashMap<u32, String>,
}

impl Lanes {
    /// What an event draws.
    pub(crate) fn event(&mut self, thread: ThreadId, kind: &EventKind, now: u64) -> Vec<Drawn> {
        let mut drawn = Vec::new();
        let here = (thread, now);
        if let Some(of) = kind.locks() {
            self.lock_step(&mut drawn, here, of);
            return drawn;
        }
        if let Some(step) = kind.waits() {
            self.wait_step(&mut drawn, here, step);
            return drawn;
        }
        match *kind {
            EventKind::ThreadStart => {
                drawn.push(Drawn::Moment);
                if let Some(from) = self.created.remove(&thread) {
                    drawn.push(Drawn::Arrow(Arrow::Create, from, here));
                }
            }
            EventKind::ThreadName { of, ref name } => drawn.push(Drawn::Name(of, name.clone())),
            EventKind::ThreadCreate { child } => {
                self.created.insert(child, here);
                drawn.push(Drawn::Moment);
            }
            EventKind::ThreadExit(_) => {
                drawn.extend(self.close(thread));
                drawn.push(Drawn::Moment);
                self.ended.insert(thread, now);
            }
            EventKind::ThreadJoin { child } => {
                drawn.push(Drawn::Moment);
                if let Some(&ended) = self.ended.get(&child) {
                    drawn.push(Drawn::Arrow(Arrow::Join, (child, ended), here));
                }
            }
            EventKind::LockName { lock, ref name } => {
                self.names.insert(lock, name.clone());
            }
            EventKind::LockReleased { .. }
            | EventKind::CondvarNotified { .. }
            | EventKind::HideBegin
            | EventKind::HideEnd => {}
            _ => drawn.push(Drawn::Moment),
        }
        drawn
    }

    fn lock_step(&mut self, drawn: &mut Vec<Drawn>, here: Moment, of: OfLock) {
        let (thread, lock) = (here.0, of.lock);
        match of.step {
            LockStep::Ask { .. } => self.begin(drawn, thread, Slice::Wait, self.wait_for(lock)),
            LockStep::Fail => self.end(drawn, thread, &self.wait_for(lock)),
            LockStep::Take { .. } => {
                let waited = match of.told_by {
                    LockToldBy::Condvar { condvar } => wait_at(condvar),
                    LockToldBy::Hooks | LockToldBy::Word { .. } => self.wait_for(lock),
                };
                self.end(drawn, thread, &waited);
                self.begin(drawn, thread, Slice::Lock, self.lock(lock));
                self.handed(drawn, lock, here);
            }
            LockStep::Leave { .. } => {
                self.end(drawn, thread, &self.lock(lock));
                self.released.insert(lock, here);
                if let LockToldBy::Condvar { condvar } = of.told_by {
                    self.begin(drawn, thread, Slice::Wait, wait_at(condvar));
                }
            }
        }
    }

    fn wait_step(&mut self, drawn: &mut Vec<Drawn>, here: Moment, step: WaitStep) {
        let thread = here.0;
        let text = |on| match on {
            WokenOn::Futex(addr) => wait_at(addr),
            WokenOn::Key(key) => format!("waits for key {key}"),
        };
        match step {
            WaitStep::Begin { on } => self.begin(drawn, thread, Slice::Wait, text(on)),
            WaitStep::End { on, outcome } => {
                self.end(drawn, thread, &text(on));
                drawn.push(Drawn::Moment);
                if let (WaitOutcome::Woken, Some(&from)) = (outcome, self.notified.get(&on)) {
                    drawn.push(Drawn::Arrow(Arrow::Notify, from, here));
                }
            }
            WaitStep::Wake { on, woken } => {
                drawn.push(Drawn::Moment);
                if woken > 0 {
                    self.notified.insert(on, here);
                }
            }
        }
    }

    /// The slices that are open end.
    pub(crate) fn finish(&mut self) -> Vec<Drawn> {
        let mut threads: Vec<ThreadId> = self.open.keys().copied().collect();
        threads.sort_unstable();
        threads
            .into_iter()
            .flat_map(|thread| self.close(thread))
            .collect()
    }

    fn close(&mut self, thread: ThreadId) -> Vec<Drawn> {
        let open = self.open.remove(&thread).unwrap_or_default();
        open.iter().map(|_| Drawn::End(thread)).collect()
    }

    fn begin(&mut self, drawn: &mut Vec<Drawn>, thread: ThreadId, slice: Slice, text: String) {
        drawn.push(Drawn::Begin(thread, slice, text.clone()));
        self.open.entry(thread).or_default().push((slice, text));
    }

    fn end(&mut self, drawn: &mut Vec<Drawn>, thread: ThreadId, text: &str) {
        let open = self.open.entry(thread).or_default();
        let Some(index) = open.iter().rposition(|(_, one)| one == text) else {
            return;
        };
        let within = open.split_off(index + 1);
        open.pop();
        drawn.extend((0..=within.len()).map(|_| Drawn::End(thread)));
        for (slice, text) in within {
            self.begin(drawn, thread, slice, text);
        }
    }

    fn handed(&self, drawn: &mut Vec<Drawn>, lock: u32, here: Moment) {
        if let Some(&from) = self.released.get(&lock)
            && from.0 != here.0
        {
            drawn.push(Drawn::Arrow(Arrow::Lock, from, here));
        }
    }

    fn lock(&self, lock: u32) -> String {
        let name = self.names.get(&lock);
        name.cloned().unwrap_or_else(|| format!("lock 0x{lock:x}"))
    }

    fn wait_for(&self, lock: u32) -> String {
        format!("waits for {}", self.lock(lock))
    }
}

fn wait_at(address: u32) -> String {
    format!("waits at 0x{address:x}")
}
