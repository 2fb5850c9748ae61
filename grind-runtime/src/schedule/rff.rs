//! Partial order sampling towards reads that see certain writes: the schedules of reads-from fuzzing (Wolff, Shi, Duck, Mathur, Roychoudhury, ASPLOS
//! 2024, section 4). What is wanted is chosen by [`explore`](crate::explore), after what earlier runs saw.
//!
//! **Finds** what shows when a few reads see certain writes, whatever happens besides: where other strategies need the luck of all orders in between,
//! this needs that of finding the pairs, and runs tell it which there are.
//!
//! **Misses** what no pair of a write and a read tells apart: orders of writes that nobody reads, and the same pair between other threads.
//!
//! **Parameters**, in groups of four: 1 if the pair is wanted, or 0 if it is to be avoided; one more than the site of the write, or 0 for what
//! is there from the beginning; the site of the read; the address of the word, or 0 for any. Without them it is [`pos`](super::pos).
//!
//! **Deviates** from the paper: a read that would see another write than the wanted one is put off, as are writes that would take the wanted one away
//! and reads that would see an avoided one; a pair that was wanted is wanted once. A compare-exchange counts as a write before it is made.
//!
//! **Cost**: that of `pos`, and the last write of each word.

use super::access::Access;
use super::pos::draw_conflicts;
use super::priorities::Priorities;
use super::table::{Parameter, Row};
use super::{Point, Scheduler};
use crate::model::{Profile, Slice};
use rustc_hash::FxHashMap;

pub(super) const ROW: Row = Row {
    name: "rff",
    about: "Random priorities, towards reads that see what no run saw",
    parameters: &[],
    repeated: &[
        Parameter {
            name: "wanted",
            default: 1,
            range: 0..=1,
        },
        Parameter::any("write"),
        Parameter::any("read"),
        Parameter::any("word"),
    ],
    make: |seed, parameters| Box::new(Rff::new(seed, parameters)),
};

/// A pair of a write and a read.
#[derive(Clone, Copy, Debug)]
struct Pair {
    wanted: bool,
    /// One more than the site, or 0 for what is there from the beginning.
    write: u32,
    read: u32,
    /// 0 for any.
    word: u32,
}

/// See the module.
#[derive(Clone, Debug)]
struct Rff {
    priorities: Priorities,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
struct Wanted {
    /// Those that were wanted and have been seen are gone.
    pairs: Vec<Pair>,
    /// One more than the site that wrote a word last.
    last_writes: FxHashMap<u32, u32>,
}

impl Rff {
    fn new(seed: u64, parameters: &[u32]) -> Rff {
        let pairs = parameters.chunks_exact(4).filter_map(|group| match *group {
            [wanted, write, read, word] => Some(Pair {
                wanted: wanted == 1,
                write,
                read,
                word,
            }),
            _ => None,
        });
        Rff {
            priorities: Priorities::new(seed),
            wanted: Wanted {
                pairs: pairs.collect(),
                last_writes: FxHashMap::default(),
            },
        }
    }
}

impl Wanted {
    fn last_write(&self, word: u32) -> u32 {
        self.last_writes.get(&word).copied().unwrap_or(0)
    }

    fn carried_out(&mut self, access: Access) {
        let Some(word) = access.addr().map(Profile::word) else {
            return;
        };
        if access.reads {
            let (read, write) = (access.site.0, self.last_write(word));
            let seen = |pair: &Pair| {
                pair.wanted
                    && (pair.read, pair.write) == (read, write)
                    && (pair.word == 0 || pair.word == word)
            };
            self.pairs.retain(|pair| !seen(pair));
        }
        if access.writes {
            self.last_writes.insert(word, access.site.0 + 1);
        }
    }

    /// Whether an access is to be made before others (1), or after them (-1).
    fn band(&self, access: Access) -> i8 {
        let Some(word) = access.addr().map(Profile::word) else {
            return 0;
        };
        let (site, last) = (access.site.0, self.last_write(word));
        let mut band = 0;
        for pair in &self.pairs {
            if pair.word != 0 && pair.word != word {
                continue;
            }
            let reads = access.reads && pair.read == site;
            match (reads, pair.write == last, pair.wanted) {
                (true, true, true) => return 1,
                (true, false, true) | (true, true, false) => band = -1,
                // Of a pair for any word, it is not known whether this is the one.
                (false, true, true) if access.writes && pair.word == word => band = -1,
                _ => {}
            }
        }
        band
    }
}

impl Scheduler for Rff {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        let Rff { priorities, wanted } = self;
        if let Some(done) = priorities.carried_out(point) {
            draw_conflicts(priorities, point, done);
            if let (Some(access), false) = (done.access(), wanted.pairs.is_empty()) {
                wanted.carried_out(access);
            }
        }
        let band = |thread| match wanted.pairs.is_empty() {
            true => Some(0),
            false => {
                let access = Access::of(&point.threads.pending(thread));
                Some(access.map_or(0, |access| wanted.band(access)))
            }
        };
        let highest = priorities.highest(point, band);
        priorities.turn(point, highest.unwrap_or(point.runnable[0]))
    }

    fn random(&mut self) -> u64 {
        self.priorities.rng.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sites::SiteId;
    use crate::model::{AtomicKind, Operation, SpawnPath, ThreadId};
    use crate::schedule::{PointKind, Threads};

    /// The first thread reads once, at site 9; the others write, each at the site of its number.
    #[derive(Debug)]
    struct Race;

    impl Threads for Race {
        fn pending(&self, thread: ThreadId) -> Operation<'_> {
            let (site, kind) = match thread.0 {
                0 => (9, AtomicKind::Load),
                nth => (nth, AtomicKind::Store),
            };
            Operation::Atomic {
                site: SiteId(site),
                addr: 16,
                width: 4,
                kind,
            }
        }

        fn path(&self, _: ThreadId) -> SpawnPath {
            SpawnPath::default()
        }
    }

    /// Which write the read sees, of 20: the site, or 0; and whether something else was left to do.
    fn seen(seed: u64, parameters: &[u32]) -> (u32, bool) {
        let mut rff = Rff::new(seed, parameters);
        let mut left: Vec<ThreadId> = (0..=20).map(ThreadId).collect();
        let mut last = 0;
        loop {
            let slice = rff.next(&Point {
                kind: PointKind::Blocked,
                current: None,
                remaining: 0,
                runnable: &left,
                threads: &Race,
            });
            if slice.thread == ThreadId(0) {
                return (last, left.len() > 1);
            }
            last = slice.thread.0;
            left.retain(|thread| *thread != slice.thread);
        }
    }

    #[test]
    fn a_read_sees_what_is_wanted_and_not_what_is_avoided() {
        for seed in 0..200 {
            for word in [16, 0] {
                assert_eq!(seen(seed, &[1, 8, 9, word]).0, 7, "{seed}");
                assert_ne!(seen(seed, &[0, 8, 9, word]), (7, true), "{seed}");
            }
            // To be there first, others have to be put off, which takes the word.
            assert_eq!(seen(seed, &[1, 0, 9, 16]), (0, true), "{seed}");
            // Of another word nothing was said.
            assert_eq!(seen(seed, &[1, 8, 9, 32]), seen(seed, &[]), "{seed}");
        }
        // Without a wish it is one of many.
        let by_itself = (0..200).filter(|&seed| seen(seed, &[]).0 == 7).count();
        assert!(by_itself < 40, "{by_itself}");
    }
}
