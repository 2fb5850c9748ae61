//! What a scheduler can learn of the threads that it chooses among.

use super::ops::Op;
use super::thread::{Status, Thread};
use crate::model::sites::{SiteId, SiteTable};
use crate::model::{AtomicKind, Operation, SpawnPath, ThreadId};
use crate::program::AtomicOp;
use crate::program::embedder::HostImport;
use crate::schedule::Threads;

/// The threads at a scheduling point.
pub(super) struct View<'a> {
    pub(super) threads: &'a [Thread],
    /// The current thread, and what it goes on with.
    pub(super) current: Option<(ThreadId, &'a Op)>,
    pub(super) sites: &'a SiteTable,
    pub(super) embedder: &'a [HostImport],
}

impl std::fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let threads = self.threads.len();
        f.debug_struct("View").field("threads", &threads).finish()
    }
}

impl View<'_> {
    fn operation<'a>(&'a self, op: &'a Op) -> Operation<'a> {
        let addr = |site: SiteId, base: u32| {
            u64::from(base) + u64::from(self.sites.packed(site).displacement())
        };
        let width = |site: SiteId| self.sites.packed(site).width() as u8;
        match *op {
            Op::Start | Op::Called | Op::Drained | Op::Refuelled | Op::Value(_) => Operation::Plain,
            Op::Atomic { site, base, op, .. } => Operation::Atomic {
                site,
                addr: addr(site, base),
                width: width(site),
                kind: match op {
                    AtomicOp::Load | AtomicOp::FirstRead => AtomicKind::Load,
                    AtomicOp::Store => AtomicKind::Store,
                    _ => AtomicKind::ReadModifyWrite,
                },
            },
            Op::Wait { site, base, .. } => Operation::Wait {
                site,
                addr: addr(site, base),
                width: width(site),
            },
            Op::Waited { site, addr, .. } => Operation::WaitEnd {
                site,
                addr: addr.into(),
            },
            Op::Notify { site, base, .. } => Operation::Notify {
                site,
                addr: addr(site, base),
            },
            Op::Fence { site } => Operation::Fence { site },
            Op::Size | Op::Grow { .. } => Operation::Memory,
            Op::Joined { child } => Operation::Joined(child),
            Op::Host { function, .. } => Operation::Call(function.name),
            Op::Embedded { import, .. } => Operation::Call(&self.embedder[import as usize].name),
        }
    }
}

impl Threads for View<'_> {
    fn pending(&self, thread: ThreadId) -> Operation<'_> {
        match (self.current, self.threads.get(thread.0 as usize)) {
            (Some((current, op)), _) if current == thread => self.operation(op),
            (_, Some(known)) => match &known.status {
                Status::Ready(op) => self.operation(op),
                _ => Operation::Plain,
            },
            (_, None) => Operation::Plain,
        }
    }

    fn path(&self, thread: ThreadId) -> SpawnPath {
        let mut path = Vec::new();
        let mut at = thread;
        // The main thread is its own origin.
        while at != ThreadId(0)
            && let Some(known) = self.threads.get(at.0 as usize)
        {
            let (creator, number) = known.origin;
            path.push(number);
            at = creator;
        }
        path.reverse();
        SpawnPath(path)
    }

    fn in_vain(&self, thread: ThreadId) -> u32 {
        (self.threads.get(thread.0 as usize)).map_or(0, |known| known.in_vain)
    }
}
