//! Call stacks, interned so that an event names its stack by a number.
//!
//! A stack is a node of a tree, named by its parent and the call on top; node 0 is the empty stack. Who writes is told the
//! calls at each event, and interns what is new of them; who reads a full trace follows the calls.
//!
//! **Limits**: those of [`CallStack`]. 2^20 nodes are interned; a stack that would need more is written as empty.

use crate::model::Records;
use crate::model::calls::CallStack;
use crate::model::sites::{SiteId, SiteKind, SiteTable};
use rustc_hash::FxHashMap;

const MAX_NODES: usize = 1 << 20;

/// A thread, as a reader follows it.
#[derive(Clone, Debug, Default)]
pub(super) struct Thread {
    calls: CallStack,
    /// The node that the trace gave last.
    pub(super) written: u32,
}

impl Thread {
    /// Calls, innermost first.
    pub(super) fn stack(&self) -> impl Iterator<Item = SiteId> {
        self.calls.sites()
    }

    /// Follows records. Of a region, only the first and the last can be other than accesses.
    pub(super) fn records(&mut self, records: Records<'_>, sites: &SiteTable) {
        const WRITE: u8 = SiteKind::Write as u8;
        for region in records.regions().filter(|region| region.bounded) {
            let last = region.len as u32 - 1;
            for index in [0, last].into_iter().take(1 + usize::from(last > 0)) {
                let site = SiteId(region.first.0 + index);
                let kind = sites.packed(site).kind();
                if kind > WRITE {
                    self.calls.follow(site, kind);
                }
            }
        }
    }

    /// It ended.
    pub(super) fn end(&mut self) {
        *self = Thread {
            written: self.written,
            ..Thread::default()
        };
    }
}

/// A thread, as it was last written.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// Calls, outermost first, each with the node of the stack up to it.
    calls: Vec<(SiteId, u32)>,
    pub(super) node: u32,
}

/// Numbers for stacks.
#[derive(Debug, Default)]
pub(super) struct Interner {
    nodes: FxHashMap<(u32, SiteId), u32>,
}

impl Interner {
    /// Brings a thread to these calls, outermost first; `new` gets each node that is made for it, as its parent and
    /// call.
    pub(super) fn tell(
        &mut self,
        written: &mut Written,
        calls: &[SiteId],
        mut new: impl FnMut(u32, SiteId),
    ) {
        let same = (written.calls.iter().zip(calls)).take_while(|((one, _), other)| one == *other);
        let same = same.count();
        written.calls.truncate(same);
        written.node = written.calls.last().map_or(0, |&(_, node)| node);
        for &site in &calls[same..] {
            let next = self.nodes.len() as u32 + 1;
            let node = match self.nodes.get(&(written.node, site)) {
                Some(&found) => found,
                None if self.nodes.len() >= MAX_NODES => {
                    *written = Written::default();
                    return;
                }
                None => {
                    self.nodes.insert((written.node, site), next);
                    new(written.node, site);
                    next
                }
            };
            written.calls.push((site, node));
            written.node = node;
        }
    }
}

/// Stacks by number, as a reader learns them.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<(u32, SiteId)>,
}

impl Tree {
    /// Adds a node and returns its number; none if its parent does not exist or there are too many.
    pub(super) fn add(&mut self, parent: u32, site: SiteId) -> Option<u32> {
        if parent as usize > self.nodes.len() || self.nodes.len() >= MAX_NODES {
            return None;
        }
        self.nodes.push((parent, site));
        Some(self.nodes.len() as u32)
    }

    pub(super) fn contains(&self, node: u32) -> bool {
        node as usize <= self.nodes.len()
    }

    /// Calls, innermost first.
    pub(super) fn stack(&self, mut node: u32) -> impl Iterator<Item = SiteId> {
        std::iter::from_fn(move || {
            let &(parent, site) = self.nodes.get((node as usize).checked_sub(1)?)?;
            node = parent;
            Some(site)
        })
    }
}
