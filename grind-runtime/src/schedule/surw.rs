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
//! **Deviates** from the paper where a thread [looks again](super::looks) at what has not changed, which is no access of the profile, and where all that could run is held back, or waits for others as [`priorities`](super::priorities) says: then
//! another thread is drawn among those that stand before an access to the word.
//!
//! **Cost**: that of random priorities, and a look at the pending operation of each runnable thread.

use super::access::Access;
use super::looks::Looks;
use super::priorities::Priorities;
use super::table::{Parameter, Row};
use super::{Point, Scheduler};
use crate::model::{Profile, Slice, SpawnPath, ThreadId};
use std::collections::BTreeMap;

pub(super) const ROW: Row = Row {
    name: "surw",
    about: "Random orders of the accesses to one word, chosen after a profile",
    parameters: &[Parameter::any("word"), Parameter::any("accesses")],
    repeated: &[
        Parameter::any("creator"),
        Parameter::any("first"),
        Parameter {
            name: "threads",
            default: 1,
            range: 1..=MOST_THREADS,
        },
        Parameter::any("accesses"),
    ],
    make: |seed, parameters| Box::new(Surw::new(seed, parameters)),
};

/// Turns that a thread which is taken to wait has after the word was written, while others are held back: it may have waited for that.
const PATIENCE: u32 = 256;
/// Threads that parameters name.
const MOST_THREADS: u32 = 1 << 16;

/// The parameters for this word of a profile. Threads that access it are taken to do so this many times more.
pub(crate) fn parameters(profile: &Profile, word: u32, more: u32) -> Vec<u32> {
    let accesses = profile.shared.get(&word).map(|word| &word.accesses);
    let count = |place: u32| {
        let count = accesses.and_then(|all| all.get(&place));
        count.map(|count| count.saturating_add(more))
    };
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
    looks: Looks,
    /// Turns of each thread since the word was written.
    turns: BTreeMap<ThreadId, u32>,
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
            looks: Looks::default(),
            turns: BTreeMap::new(),
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
        if news {
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

    fn accessed(&mut self, point: &Point<'_>, thread: ThreadId, access: Access) {
        // Whether a compare-exchange wrote is seen by what came of it.
        let wrote = access.writes && point.threads.in_vain(thread) == 0;
        if wrote {
            self.turns.clear();
        }
        let again = self.looks.again(thread, access.site, wrote);
        if let Some(left) = self.left.get_mut(&thread) {
            left.own = left.own.saturating_sub(u64::from(!again));
        }
        if self.intended == Some(thread) {
            self.intended = None;
        }
    }

    /// Whether nothing is to be expected of a thread but that it looks again at what has not changed.
    fn waits(&self, thread: ThreadId) -> bool {
        self.priorities.waits(thread)
            && self
                .turns
                .get(&thread)
                .is_some_and(|turns| *turns >= PATIENCE)
    }

    /// One of these, by how many accesses it has left: one at least, if it stands before one. None if nobody has any.
    fn draw(&mut self, among: &[ThreadId], standing: &[ThreadId]) -> Option<ThreadId> {
        let left = &self.left;
        let weighted = among.iter().map(|&thread| {
            let left = (left.get(&thread)).map_or(0, |left| left.own + left.unborn);
            let stands = standing.binary_search(&thread).is_ok();
            (thread, left.max(stands.into()))
        });
        self.priorities.rng.draw(weighted)
    }
}

impl Scheduler for Surw {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        if let Some(done) = self.priorities.carried_out(point) {
            *self.turns.entry(done.thread).or_default() += 1;
            if let Some(access) = done.access().filter(|access| self.is_of_word(*access)) {
                self.accessed(point, done.thread, access);
            }
        }
        self.born(point);
        let standing: Vec<ThreadId> = (point.runnable.iter().copied())
            .filter(|&thread| self.stands_before(point, thread))
            .collect();
        let alive = |intended: &ThreadId| point.runnable.contains(intended);
        self.intended = self.intended.filter(alive);
        if self.intended.is_none() {
            self.intended = self.draw(point.runnable, &standing);
        }
        let stands = |thread| standing.binary_search(&thread).is_ok();
        let held = |intended, thread| intended != Some(thread) && stands(thread);
        let somebody = (point.runnable.iter())
            .any(|&thread| !held(self.intended, thread) && !self.waits(thread));
        if !somebody && !standing.is_empty() {
            self.intended = self.draw(&standing, &standing);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sites::SiteId;
    use crate::model::{AtomicKind, Operation, SharedWord};
    use crate::schedule::{PointKind, Threads};

    /// Each thread makes accesses to these addresses, one after the other.
    #[derive(Debug)]
    struct Programs {
        accesses: Vec<Vec<u64>>,
        at: Vec<usize>,
    }

    impl Threads for Programs {
        fn pending(&self, thread: ThreadId) -> Operation<'_> {
            let thread = thread.0 as usize;
            Operation::Atomic {
                site: SiteId(0),
                addr: self.accesses[thread][self.at[thread]],
                width: 4,
                kind: AtomicKind::ReadModifyWrite,
            }
        }

        fn path(&self, thread: ThreadId) -> SpawnPath {
            SpawnPath(match thread.0 {
                0 => Vec::new(),
                nth => vec![nth - 1],
            })
        }
    }

    /// Lets threads run to their ends, and says who accessed the word in which order.
    fn order(seed: u64, parameters: &[u32], accesses: &[Vec<u64>]) -> Vec<u32> {
        let mut surw = Surw::new(seed, parameters);
        let mut programs = Programs {
            accesses: accesses.to_vec(),
            at: vec![0; accesses.len()],
        };
        let (mut order, mut current) = (Vec::new(), None);
        loop {
            let runnable: Vec<ThreadId> = (0..accesses.len())
                .filter(|&thread| programs.at[thread] < accesses[thread].len())
                .map(|thread| ThreadId(thread as u32))
                .collect();
            if runnable.is_empty() {
                return order;
            }
            let current_one = current.filter(|thread| runnable.contains(thread));
            let slice = surw.next(&Point {
                kind: match current_one {
                    Some(_) => PointKind::Sync,
                    None => PointKind::Blocked,
                },
                current: current_one,
                remaining: 100,
                runnable: &runnable,
                threads: &programs,
            });
            let thread = slice.thread.0 as usize;
            if programs.accesses[thread][programs.at[thread]] == u64::from(parameters[0]) {
                order.push(slice.thread.0);
            }
            programs.at[thread] += 1;
            current = Some(slice.thread);
        }
    }

    #[test]
    fn all_orders_of_accesses_to_the_word_occur_as_often() {
        // Whatever lies between: the second thread makes 20 accesses elsewhere before each.
        let elsewhere = |then: u64| std::iter::repeat_n(64, 20).chain([then]);
        let slow = elsewhere(16).chain(elsewhere(16)).collect();
        let accesses = [vec![16, 16], slow];
        let mut counts: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        for seed in 0..3000 {
            let order = order(seed, &[16, 2, 0, 0, 1, 2], &accesses);
            *counts.entry(order).or_default() += 1;
        }
        // Of four accesses, two of them the first thread's, there are six orders.
        assert_eq!(counts.len(), 6);
        let even = counts.values().all(|count| (400..600).contains(count));
        assert!(even, "{counts:?}");
    }

    #[test]
    fn threads_that_the_profile_does_not_know_run_as_well() {
        let accesses = [vec![16, 16], vec![16, 64, 16]];
        for seed in 0..100 {
            assert_eq!(order(seed, &[16, 0], &accesses).len(), 4);
            assert_eq!(order(seed, &[16, 7, 0, 5, 3, 9], &accesses).len(), 4);
        }
    }

    #[test]
    fn parameters_say_what_the_profile_says() {
        let paths = [&[][..], &[0], &[0, 0], &[0, 1], &[1], &[2], &[4]];
        let counts = [(0, 1), (2, 3), (3, 3), (4, 8), (5, 8), (6, 8)];
        let word = SharedWord {
            accesses: counts.into(),
            ..SharedWord::default()
        };
        let profile = Profile {
            threads: paths.map(|path| SpawnPath(path.to_vec())).to_vec(),
            shared: [(16, word)].into(),
            ..Profile::default()
        };
        let said = parameters(&profile, 16, 0);
        assert_eq!(
            said,
            [16, 1, 0, 0, 1, 0, 1, 0, 2, 3, 0, 1, 2, 8, 0, 4, 1, 8]
        );
        let heard: BTreeMap<SpawnPath, u64> = threads(&said).into_iter().collect();
        for (place, path) in (0..).zip(&profile.threads) {
            let count = counts.iter().find(|(of, _)| *of == place);
            let count = count.map_or(0, |(_, count)| u64::from(*count));
            assert_eq!(heard[path], count, "{path}");
        }
        assert_eq!(heard.len(), profile.threads.len());
    }
}
