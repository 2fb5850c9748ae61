//! Who notified what, and whether anybody heard: a lost wake-up is a notification that came before the wait.
//!
//! Followed are condition variables with hooks, and `memory.atomic.notify` outside of them. Libraries that look for
//! waiters before they notify (parking_lot, Zig) leave no trace of a notification that nobody waits for.
//!
//! **Cost**: an entry for each address that was notified, up to a limit, with one stack.

use crate::detect::common::context::Contexts;
use crate::detect::common::diagnosis::Stack;
use crate::model::locks::Hook;
use crate::model::meaning::{WaitStep, WokenOn};
use crate::model::{Event, EventKind, ThreadId};
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Addresses whose notifications are remembered; of further ones, none are known.
const MOST: usize = 1 << 16;

/// Threads remembered for each, the first ones.
const MOST_THREADS: usize = 8;

#[derive(Debug, Default)]
struct Notified {
    by: SmallVec<[ThreadId; 2]>,
    /// The last one, if nobody waited then.
    missed: Option<(ThreadId, Stack)>,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::detect) struct Notifications(BTreeMap<u32, Notified>);

impl Notifications {
    /// Follows an event, which the contexts have followed.
    pub(in crate::detect) fn follow(&mut self, contexts: &Contexts, event: &Event, hidden: bool) {
        if let Some(WaitStep::Wake {
            on: WokenOn::Futex(addr),
            woken,
        }) = event.kind.waits()
            && !hidden
        {
            self.notified(contexts, event, addr, woken > 0);
        }
        match event.kind {
            EventKind::CondvarNotify { condvar, .. } => {
                let hook = |thread| contexts.get(thread).and_then(|context| context.hook());
                if matches!(hook(event.thread), Some(Hook::Notify { condvar: outer }) if *outer == condvar)
                {
                    let waits = |hook: &Hook| matches!(hook, Hook::Wait { condvar: waited, .. } if *waited == condvar);
                    let heard =
                        (contexts.iter()).any(|(thread, _)| hook(thread).is_some_and(waits));
                    self.notified(contexts, event, condvar, heard);
                }
            }
            EventKind::Alloc { addr, size } if !self.0.is_empty() => {
                let last = addr.saturating_add(size.saturating_sub(1));
                while let Some((&old, _)) = self.0.range(addr..=last).next() {
                    self.0.remove(&old);
                }
            }
            _ => {}
        }
    }

    fn notified(&mut self, contexts: &Contexts, event: &Event, addr: u32, heard: bool) {
        if self.0.len() >= MOST && !self.0.contains_key(&addr) {
            return;
        }
        let notified = self.0.entry(addr).or_default();
        let thread = event.thread;
        if notified.by.len() < MOST_THREADS && !notified.by.contains(&thread) {
            notified.by.push(thread);
        }
        if heard {
            notified.missed = None;
        } else if let Some(context) = contexts.get(thread) {
            let missed = notified.missed.get_or_insert_default();
            missed.0 = thread;
            context.copy_stack(event.kind.site(), &mut missed.1);
        }
    }

    /// Those who notified it.
    pub(in crate::detect) fn by(&self, addr: u32) -> &[ThreadId] {
        self.0.get(&addr).map_or(&[], |notified| &notified.by)
    }

    /// The last notification of it, if nobody waited then.
    pub(in crate::detect) fn missed(&self, addr: u32) -> Option<&(ThreadId, Stack)> {
        self.0.get(&addr)?.missed.as_ref()
    }
}
