//! Takes the [`Profile`] of a run from its events.
//!
//! Accesses of a thread that [looks again and again](super::looks) count once.
//!
//! **Limits**: 65,536 words, and 65,536 pairs of a write and a read; what comes behind is left out, so that a strategy does not choose it.

use super::looks::Looks;
use crate::model::meaning::{Touched, TouchedBy};
use crate::model::sites::SiteId;
use crate::model::{
    AtomicKind, Event, EventKind, EventSink, Flow, Profile, ReadsFrom, Records, SharedWord,
    SpawnPath, ThreadId,
};
use rustc_hash::FxHashMap;
use std::collections::BTreeSet;

const MOST_WORDS: usize = 1 << 16;
const MOST_PAIRS: usize = 1 << 16;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Profiler {
    operations: u64,
    /// By [`ThreadId`].
    threads: Vec<Seen>,
    words: FxHashMap<u32, Word>,
    reads_from: BTreeSet<ReadsFrom>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    path: SpawnPath,
    children: u32,
}

#[derive(Debug, Default)]
struct Word {
    word: SharedWord,
    last_write: Option<SiteId>,
    looks: Looks,
}

impl Profiler {
    fn thread(&mut self, thread: ThreadId) -> &mut Seen {
        let index = thread.0 as usize;
        if self.threads.len() <= index {
            self.threads.resize(index + 1, Seen::default());
        }
        &mut self.threads[index]
    }

    fn created(&mut self, parent: ThreadId, child: ThreadId) {
        let parent = self.thread(parent);
        let mut path = parent.path.clone();
        path.0.push(parent.children);
        parent.children += 1;
        self.thread(child).path = path;
    }

    fn access(&mut self, thread: ThreadId, site: SiteId, addr: u32, reads: bool, writes: bool) {
        self.thread(thread);
        let word = Profile::word(addr);
        if self.words.len() >= MOST_WORDS && !self.words.contains_key(&word) {
            return;
        }
        let known = self.words.entry(word).or_default();
        if !known.looks.again(thread, site, writes) {
            *known.word.accesses.entry(thread.0).or_default() += 1;
        }
        if reads {
            known.word.reads.insert(site);
            if self.reads_from.len() < MOST_PAIRS {
                let write = known.last_write;
                let read = site;
                self.reads_from.insert(ReadsFrom { word, write, read });
            }
        }
        if writes {
            known.word.writes.insert(site);
            known.last_write = Some(site);
        }
    }

    /// The whole.
    pub(crate) fn finish(mut self) -> Profile {
        // A creator before those that it created, whatever numbers they had.
        let mut order: Vec<usize> = (0..self.threads.len()).collect();
        order.sort_by(|&a, &b| self.threads[a].path.cmp(&self.threads[b].path));
        let mut places = vec![0; order.len()];
        for (place, &thread) in (0..).zip(&order) {
            places[thread] = place;
        }
        let is_shared = |word: &SharedWord| word.accesses.len() > 1 && !word.writes.is_empty();
        self.words.retain(|_, known| is_shared(&known.word));
        let words_of = &self.words;
        self.reads_from
            .retain(|pair| words_of.contains_key(&pair.word));
        let shared = self.words.into_iter().map(|(addr, Word { mut word, .. })| {
            let accesses = word.accesses.into_iter();
            word.accesses = accesses
                .map(|(thread, count)| (places[thread as usize], count))
                .collect();
            (addr, word)
        });
        Profile {
            operations: self.operations,
            shared: shared.collect(),
            threads: order
                .into_iter()
                .map(|thread| std::mem::take(&mut self.threads[thread].path))
                .collect(),
            reads_from: self.reads_from,
        }
    }
}

impl EventSink for Profiler {
    fn records(&mut self, _: ThreadId, _: Records<'_>) -> Flow {
        Flow::Continue
    }

    fn event(&mut self, event: &Event) -> Flow {
        let thread = event.thread;
        match &event.kind {
            EventKind::ThreadCreate { child } => self.created(thread, *child),
            kind => {
                let touched = kind.touches();
                if let Some(Touched {
                    by: TouchedBy::Atomic(kind),
                    site: Some(site),
                    addr,
                    ..
                }) = touched
                {
                    self.operations += 1;
                    let (reads, writes) = (kind != AtomicKind::Store, kind != AtomicKind::Load);
                    self.access(thread, site, addr, reads, writes);
                }
            }
        }
        Flow::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(events: &[(u32, EventKind)]) -> Profile {
        let mut profiler = Profiler::default();
        for (thread, kind) in events {
            profiler.event(&Event {
                thread: ThreadId(*thread),
                kind: kind.clone(),
            });
        }
        profiler.finish()
    }

    fn atomic(site: u32, addr: u32, kind: AtomicKind) -> EventKind {
        EventKind::Atomic {
            site: SiteId(site),
            addr,
            width: 4,
            kind,
        }
    }

    #[test]
    fn threads_are_named_by_who_created_them() {
        let create = |child| EventKind::ThreadCreate {
            child: ThreadId(child),
        };
        // The second of main's comes first, and creates one before main's first does.
        let profile = profile(&[
            (0, create(1)),
            (0, create(2)),
            (2, create(3)),
            (1, create(4)),
        ]);
        let paths: Vec<_> = (profile.threads.iter()).map(|path| &*path.0).collect();
        assert_eq!(paths, [&[][..], &[0], &[0, 0], &[1], &[1, 0]]);
    }

    #[test]
    fn words_that_several_access_and_one_writes_are_shared() {
        use AtomicKind::{Load, ReadModifyWrite, Store};
        let profile = profile(&[
            (0, atomic(1, 16, Store)),
            (1, atomic(2, 18, Load)),
            (1, atomic(2, 16, Load)),
            (0, atomic(3, 16, ReadModifyWrite)),
            // One thread only, and no writes.
            (1, atomic(4, 32, Store)),
            (0, atomic(5, 64, Load)),
            (1, atomic(5, 64, Load)),
        ]);
        assert_eq!(profile.shared.keys().copied().collect::<Vec<_>>(), [16]);
        let word = &profile.shared[&16];
        // The second load looked again.
        assert_eq!(word.accesses, [(0, 2), (1, 1)].into());
        assert_eq!(word.reads, [SiteId(2), SiteId(3)].into());
        assert_eq!(word.writes, [SiteId(1), SiteId(3)].into());
        let pair = |write, read| ReadsFrom {
            word: 16,
            write: Some(SiteId(write)),
            read: SiteId(read),
        };
        assert_eq!(profile.reads_from, [pair(1, 2), pair(1, 3)].into());
        assert_eq!(profile.operations, 7);
    }
}
