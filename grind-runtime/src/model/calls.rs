//! A thread's calls, as its records tell of them.
//!
//! **Limit**: 65,536 frames are kept; deeper ones are counted and not known.

use crate::model::sites::{SiteId, SiteKind};

const MAX_FRAMES: usize = 1 << 16;

/// The calls that a thread is in.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallStack {
    /// Outermost first.
    calls: Vec<SiteId>,
    deeper: u64,
}

impl CallStack {
    /// Takes a record that is no access: its site, and the kind of that as its number.
    #[inline]
    pub(crate) fn follow(&mut self, site: SiteId, kind: u8) {
        const CALL: u8 = SiteKind::Call as u8;
        const RETURN: u8 = SiteKind::Return as u8;
        match kind {
            CALL if self.calls.len() < MAX_FRAMES => self.calls.push(site),
            CALL => self.deeper += 1,
            RETURN if self.deeper > 0 => self.deeper -= 1,
            RETURN => drop(self.calls.pop()),
            _ => {}
        }
    }

    /// Innermost first.
    pub(crate) fn sites(&self) -> impl Iterator<Item = SiteId> {
        self.calls.iter().rev().copied()
    }

    /// The innermost one.
    pub(crate) fn top(&self) -> Option<SiteId> {
        self.calls.last().copied()
    }
}
