//! One more reading of a trace, for the stacks and locks of events that are known by their number.

use crate::detect::{Access, AccessKind, HeldLock, LockOrderEdge, Stack, ThreadInfo};
use crate::model::{AtomicKind, LockMode, ThreadId};
use crate::predict::algorithms::ReadError;
use crate::predict::algorithms::event::MAX_THREADS;
use crate::predict::translate::source::SyncSource;
use crate::predict::translate::visible::{At, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::ops::ControlFlow;

/// What is known of an event.
#[derive(Clone, Debug)]
pub(in crate::predict) struct Evidence {
    pub(in crate::predict) thread: ThreadId,
    step: Step,
    stack: Stack,
    held: Vec<HeldLock>,
    /// Of the lock that is acquired.
    name: Option<String>,
}

impl Evidence {
    fn new(at: &At<'_>, step: &Step) -> Evidence {
        Evidence {
            thread: at.thread,
            step: *step,
            stack: at.stack(),
            held: (at.held().iter())
                .map(|held| HeldLock {
                    lock: held.lock,
                    name: at.lock_name(held.lock),
                    mode: held.mode,
                    stack: held.stack.clone(),
                })
                .collect(),
            name: match *step {
                Step::Acquire { lock, .. } => at.lock_name(lock),
                _ => None,
            },
        }
    }

    /// As an access, if it is one.
    pub(in crate::predict) fn access(&self) -> Option<Access> {
        let (addr, len, write, kind) = match self.step {
            Step::Access { addr, len, write } => (addr, len, write, AccessKind::Plain),
            Step::Free { addr, len } => (addr, len, true, AccessKind::Free),
            Step::Atomic { addr, len, kind } => {
                (addr, len, kind != AtomicKind::Load, AccessKind::Atomic)
            }
            Step::LockAccess { addr, len } => (addr, len, true, AccessKind::Atomic),
            _ => return None,
        };
        Some(Access {
            thread: self.thread,
            addr,
            len,
            write,
            kind,
            stack: self.stack.clone(),
            locks: self.held.clone(),
        })
    }

    /// As an acquire by a thread that holds `held`, if it is one.
    pub(in crate::predict) fn edge(&self, held: u32) -> Option<LockOrderEdge> {
        let Step::Acquire { lock, shared, .. } = self.step else {
            return None;
        };
        let mode = if shared {
            LockMode::Shared
        } else {
            LockMode::Exclusive
        };
        Some(LockOrderEdge {
            thread: self.thread,
            held: self.held.iter().find(|one| one.lock == held)?.clone(),
            taken: HeldLock {
                lock,
                name: self.name.clone(),
                mode,
                stack: self.stack.clone(),
            },
        })
    }
}

/// Evidence by number, and the threads of the trace.
#[derive(Debug, Default)]
pub(in crate::predict) struct Collected {
    pub(in crate::predict) events: BTreeMap<u64, Evidence>,
    pub(in crate::predict) threads: Vec<ThreadInfo>,
}

impl Collected {
    /// Whether the event is known.
    pub(in crate::predict) fn has(&self, number: u64) -> bool {
        self.events.contains_key(&number)
    }
}

/// Entries between two questions whether to go on.
const TICK: u64 = 64;

/// Reads a trace up to the last of these events, unless `progress`, which is given the position in the file, stops it.
pub(in crate::predict) fn collect<R: Read>(
    mut source: SyncSource<R>,
    wanted: impl IntoIterator<Item = u64>,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<Collected, ReadError> {
    let wanted: BTreeSet<u64> = wanted.into_iter().collect();
    let mut wanted = wanted.into_iter().peekable();
    let mut events = BTreeMap::new();
    let mut threads = Threads::default();
    let mut entries = 0_u64;
    while wanted.peek().is_some() {
        let went = source.advance(|at, step, first, count| {
            while let Some(number) = wanted.next_if(|&number| number < first + count) {
                events.insert(number, Evidence::new(at, step));
            }
            // Others are refused.
            if let Step::Fork(child) = step
                && child.0 < MAX_THREADS
            {
                threads.created(*child, at.thread, at.stack());
            }
        })?;
        source.skip();
        entries += 1;
        let stopped = entries.is_multiple_of(TICK) && progress(source.position()).is_break();
        if !went || stopped {
            break;
        }
    }
    for info in &mut threads.infos {
        info.name = source.thread_name(info.id).cloned();
    }
    Ok(Collected {
        events,
        threads: threads.infos,
    })
}

#[derive(Default)]
struct Threads {
    infos: Vec<ThreadInfo>,
}

impl Threads {
    fn created(&mut self, child: ThreadId, creator: ThreadId, stack: Stack) {
        for id in self.infos.len() as u32..=child.0 {
            self.infos.push(ThreadInfo {
                id: ThreadId(id),
                name: None,
                created: None,
            });
        }
        self.infos[child.0 as usize].created = Some((creator, stack));
    }
}
