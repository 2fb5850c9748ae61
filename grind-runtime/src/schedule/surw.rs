//! Selectively uniform random walk (Zhao, Wolff, Mathur, Roychoudhury, ASPLOS 2025, algorithm 2): the order of the accesses to one word of
//! memory, chosen for the schedule, is uniform among all its orders; whatever else happens has random priorities.
//!
//! **Finds** orders of accesses to one word that need a thread to be held back for long, or one of many threads to come at a certain place: what
//! happens between these accesses costs no luck. If each thread makes as many accesses to the word as in the profile, every order of them is
//! as likely as any other.
//!
//! **Misses**, mostly, what needs certain orders at several words at once, and threads that the profile has not seen.
//!
//! **Parameters**: the address of the word, the accesses of the main thread to it, and for other threads in groups of four: who created them (0
//! for main, 1 for the first thread of these groups, ...), how many threads that one had created before them, how many there are of them,
//! and how many accesses each makes. They come from a [`Profile`](crate::model::Profile); without them it is a walk by random priorities.
//!
//! **Deviates** from the paper where all that could run is held back, or waits for others as [`priorities`](super::priorities) says: then
//! another thread is drawn among those that stand before an access to the word.
//!
//! **Cost**: that of random priorities, and a look at the pending operation of each runnable thread.

use super::access::Access;
use super::priorities::Priorities;
use super::table::{Parameter, Row};
use super::{Point, Scheduler};
use crate::model::{Profile, Slice, SpawnPath, ThreadId};
use std::collections::BTreeMap;

const ANY: std::ops::RangeInclusive<u32> = 0..=u32::MAX;

pub(super) const ROW: Row = Row {
    name: "surw",
    about: "Random orders of the accesses to one word, chosen after a profile",
    parameters: &[
        Parameter {
            name: "word",
            default: 0,
            range: ANY,
        },
        Parameter {
            name: "accesses",
            default: 0,
            range: ANY,
        },
    ],
    repeated: &[
        Parameter {
            name: "creator",
            default: 0,
            range: ANY,
        },
        Parameter {
            name: "first",
            default: 0,
            range: ANY,
        },
        Parameter {
            name: "threads",
            default: 1,
            range: 1..=MOST_THREADS,
        },
        Parameter {
            name: "accesses",
            default: 0,
            range: ANY,
        },
    ],
    make: |seed, parameters| Box::new(Surw::new(seed, parameters)),
};

/// Threads that parameters name.
const MOST_THREADS: u32 = 1 << 16;

/// The parameters for this word of a profile.
pub(crate) fn parameters(profile: &Profile, word: u32) -> Vec<u32> {
    let accesses = profile.shared.get(&word).map(|word| &word.accesses);
    let count = |place: u32| accesses.and_then(|all| all.get(&place)).copied();
    let mut parameters = vec![word, count(0).unwrap_or(0)];
    let mut places: BTreeMap<&[u32], u32> = BTreeMap::new();
    for (place, path) in (0..).zip(&profile.threads) {
        places.insert(&path.0, place);
        let Some((&number, creator)) = path.0.split_last() else {
            continue;
        };
        let creator = places.get(creator).copied().unwrap_or(0);
        let accesses = count(place).unwrap_or(0);
        // Those that one thread creates one after the other, to do the same, are one group.
        match parameters[2..].last_chunk_mut() {
            Some([same, first, many, each])
                if (*same, *each, *first + *many) == (creator, accesses, number) =>
            {
                *many += 1;
            }
            _ => parameters.extend([creator, number, 1, accesses]),
        }
    }
    parameters
}

/// Which threads there will be, each with its accesses.
fn threads(parameters: &[u32]) -> Vec<(SpawnPath, u64)> {
    let accesses = parameters.get(1).copied().unwrap_or(0);
    let mut threads = vec![(SpawnPath::default(), accesses.into())];
    for group in parameters.get(2..).unwrap_or_default().chunks_exact(4) {
        let &[creator, first, many, each] = group else {
            continue;
        };
        let Some((creator, _)) = threads.get(creator as usize).cloned() else {
            continue;
        };
        for number in first..first.saturating_add(many) {
            if threads.len() > MOST_THREADS as usize {
                break;
            }
            let mut path = creator.clone();
            path.0.push(number);
            threads.push((path, each.into()));
        }
    }
    threads
}

/// See the module.
#[derive(Clone, Debug)]
struct Surw {
    priorities: Priorities,
    word: u32,
    /// Threads that have no turn yet, and their accesses.
    unborn: BTreeMap<SpawnPath, u64>,
    /// Accesses that a thread still has to make, with those of threads that it and its descendants will create.
    left: BTreeMap<ThreadId, Left>,
    /// Who makes the next access.
    intended: Option<ThreadId>,
}

#[derive(Clone, Debug)]
struct Left {
    path: SpawnPath,
    own: u64,
    /// Of threads that are not born.
    unborn: u64,
}

impl Surw {
    fn new(seed: u64, parameters: &[u32]) -> Surw {
        Surw {
            priorities: Priorities::new(seed),
            word: parameters.first().copied().unwrap_or(0),
            unborn: threads(parameters).into_iter().collect(),
            left: BTreeMap::new(),
            intended: None,
        }
    }

    /// Takes note of threads that are there for the first time.
    fn born(&mut self, point: &Point<'_>) {
        let mut news = false;
        for &thread in point.runnable {
            if !self.left.contains_key(&thread) {
                let path = point.threads.path(thread);
                let own = self.unborn.remove(&path).unwrap_or(0);
                let unborn = 0;
                self.left.insert(thread, Left { path, own, unborn });
                news = true;
            }
        }
        if news && !self.unborn.is_empty() {
            self.hand_out();
        }
    }

    /// Counts accesses of threads that are not born for the nearest ancestor that is.
    fn hand_out(&mut self) {
        let mut of: BTreeMap<&[u32], u64> = BTreeMap::new();
        for left in self.left.values() {
            of.insert(&left.path.0, 0);
        }
        for (path, accesses) in &self.unborn {
            let mut ancestor = path.0.as_slice();
            while let Some((_, above)) = ancestor.split_last() {
                ancestor = above;
                if let Some(sum) = of.get_mut(ancestor) {
                    *sum += accesses;
                    break;
                }
            }
        }
        let sums: Vec<u64> = (self.left.values())
            .map(|left| of.get(left.path.0.as_slice()).copied().unwrap_or(0))
            .collect();
        for (left, sum) in self.left.values_mut().zip(sums) {
            left.unborn = sum;
        }
    }

    /// Whether a thread is about to access the word.
    fn stands_before(&self, point: &Point<'_>, thread: ThreadId) -> bool {
        let access = Access::of(&point.threads.pending(thread));
        access.is_some_and(|access| self.is_of_word(access))
    }

    fn is_of_word(&self, access: Access) -> bool {
        (access.reads || access.writes)
            && access.addr().map(Profile::word) == Some(Profile::word(self.word))
    }

    fn weight(&self, thread: ThreadId, at_least: u64) -> u64 {
        let left = (self.left.get(&thread)).map_or(0, |left| left.own + left.unborn);
        left.max(at_least)
    }
}

impl Scheduler for Surw {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        if let Some(done) = self.priorities.carried_out(point)
            && done.access().is_some_and(|access| self.is_of_word(access))
        {
            if let Some(left) = self.left.get_mut(&done.thread) {
                left.own = left.own.saturating_sub(1);
            }
            if self.intended == Some(done.thread) {
                self.intended = None;
            }
        }
        self.born(point);
        let standing: Vec<ThreadId> = (point.runnable.iter().copied())
            .filter(|&thread| self.stands_before(point, thread))
            .collect();
        let alive = |intended: &ThreadId| point.runnable.contains(intended);
        self.intended = self.intended.filter(alive);
        if self.intended.is_none() {
            let all: Vec<(ThreadId, u64)> = (point.runnable.iter())
                .map(|&thread| {
                    (
                        thread,
                        self.weight(thread, standing.contains(&thread).into()),
                    )
                })
                .collect();
            self.intended = self.priorities.rng.draw(all.into_iter());
        }
        let held = |intended, thread| intended != Some(thread) && standing.contains(&thread);
        let somebody = (point.runnable.iter())
            .any(|&thread| !held(self.intended, thread) && !self.priorities.waits(thread));
        if !somebody && !standing.is_empty() {
            let standing: Vec<(ThreadId, u64)> = (standing.iter())
                .map(|&thread| (thread, self.weight(thread, 1)))
                .collect();
            self.intended = self.priorities.rng.draw(standing.into_iter());
        }
        let intended = self.intended;
        let highest =
            (self.priorities).highest(point, |thread| (!held(intended, thread)).then_some(0));
        self.priorities
            .turn(point, highest.unwrap_or(point.runnable[0]))
    }

    fn random(&mut self) -> u64 {
        self.priorities.rng.next()
    }
}
