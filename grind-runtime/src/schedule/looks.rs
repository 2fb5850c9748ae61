//! Accesses of a thread that waits for a word to change: it looks again at the same place, and the word is as it was.
//!
//! How often it looks depends on the schedule and on nothing else, so that such accesses do not count where the accesses of a thread do.

use crate::model::ThreadId;
use crate::model::sites::SiteId;
use std::collections::BTreeMap;

/// Who looked at a word last where, and how often it had been written then.
#[derive(Clone, Debug, Default)]
pub(super) struct Looks {
    writes: u64,
    last: BTreeMap<ThreadId, (SiteId, u64)>,
}

impl Looks {
    /// Takes note of an access. Returns whether the thread has made it before, and nothing was written since.
    pub(super) fn again(&mut self, thread: ThreadId, site: SiteId, writes: bool) -> bool {
        self.writes += u64::from(writes);
        let look = (site, self.writes);
        self.last.insert(thread, look) == Some(look) && !writes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_look_at_the_same_value_is_one_again() {
        let mut looks = Looks::default();
        let mut again = |thread, site, writes| looks.again(ThreadId(thread), SiteId(site), writes);
        assert!(!again(0, 1, false));
        assert!(again(0, 1, false) && again(0, 1, false));
        // Another thread, another place, and a write.
        assert!(!again(1, 1, false) && !again(0, 2, false) && !again(0, 1, false));
        assert!(!again(1, 3, true) && !again(1, 3, true));
        assert!(!again(0, 1, false) && again(0, 1, false));
    }
}
