//! Circles in which threads took locks: candidates for deadlocks of any number of threads.
//!
//! Havelund, *Using Runtime Analysis to Guide Model Checking of Java Programs* (GoodLock), SPIN 2000; the graph of
//! *wishes*, that is, a lock that a thread takes while it holds others, is that of Tunç and others, PLDI 2023.
//!
//! **Finds** every circle of up to 5 threads in which each takes a lock that the next one holds, no two of which
//! hold a common lock, which would keep them apart. At most 1000 circles, the shortest first.
//!
//! **Misses** longer circles, and acquires that the trace does not have.
//!
//! **Reports falsely** circles that fork, join, or a hand-over of data keep from closing. [`crate::predict::algorithms::deadlock`] proves
//! those of two threads that it can.
//!
//! **Cost**: time by the locks held per acquire, then by the circles and the paths that do not close. Memory by
//! distinct wishes, not by the length of the trace.

use crate::predict::algorithms::analysis::Place;
use crate::predict::algorithms::event::{Event, Op};
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Threads in a circle.
const MAX_LENGTH: usize = 5;

/// Circles that are reported.
const MAX_CIRCLES: usize = 1000;

/// Steps of the search, so that a graph with many paths and few circles does not take for ever.
const MAX_STEPS: usize = 1 << 22;

/// A lock that a thread takes while it holds others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wish {
    /// Who.
    pub thread: u32,
    /// The lock.
    pub lock: u32,
    /// The others, in ascending order.
    pub held: SmallVec<[u32; 4]>,
}

impl Wish {
    pub(in crate::predict) fn new(
        thread: u32,
        lock: u32,
        held: impl IntoIterator<Item = u32>,
    ) -> Self {
        let mut held: SmallVec<[u32; 4]> = held.into_iter().collect();
        held.sort_unstable();
        Wish { thread, lock, held }
    }

    /// Whether this thread holds what the other wants, and they have nothing else in common.
    pub(in crate::predict) fn blocks(&self, other: &Wish) -> bool {
        self.held.contains(&other.lock) && self.apart(other)
    }

    fn apart(&self, other: &Wish) -> bool {
        self.thread != other.thread
            && self.lock != other.lock
            && !self.held.iter().any(|lock| other.held.contains(lock))
    }
}

/// Numbers of wishes.
#[derive(Clone, Debug, Default)]
pub(in crate::predict) struct Wishes {
    numbers: FxHashMap<Wish, u32>,
    wishes: Vec<Wish>,
}

impl Wishes {
    /// The number of `wish`, and whether it is new.
    pub(in crate::predict) fn number(&mut self, wish: Wish) -> (u32, bool) {
        let next = self.wishes.len() as u32;
        if let Some(&number) = self.numbers.get(&wish) {
            return (number, false);
        }
        self.numbers.insert(wish.clone(), next);
        self.wishes.push(wish);
        (next, true)
    }

    pub(in crate::predict) fn get(&self, number: u32) -> &Wish {
        &self.wishes[number as usize]
    }
}

/// Threads that can block each other: each wants a lock that the next one holds, and the last one wants one of the
/// first's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle(
    /// With where each wish was seen first.
    pub Vec<(Wish, Place)>,
);

/// See the [module](self).
#[derive(Clone, Debug, Default)]
pub struct LockGraph {
    held: Vec<SmallVec<[u32; 4]>>,
    wishes: Wishes,
    first: Vec<Place>,
    number: u32,
}

/// What [`LockGraph::finish`] found.
#[derive(Clone, Debug, Default)]
pub struct Circles {
    /// By length, and then by first occurrence.
    pub circles: Vec<Circle>,
    /// Whether there may be more, as a limit was met.
    pub incomplete: bool,
}

impl LockGraph {
    /// Takes the next event.
    pub fn feed(&mut self, event: Event) {
        self.number += 1;
        let held = crate::predict::algorithms::analysis::entry(&mut self.held, event.thread);
        match event.op {
            Op::Acquire => {
                if !held.is_empty() {
                    let wish = Wish::new(event.thread, event.operand, held.iter().copied());
                    if self.wishes.number(wish).1 {
                        let place = Place {
                            number: self.number,
                            location: event.location,
                        };
                        self.first.push(place);
                    }
                }
                held.push(event.operand);
            }
            Op::Release => {
                if let Some(index) = held.iter().rposition(|&lock| lock == event.operand) {
                    held.remove(index);
                }
            }
            _ => {}
        }
    }

    /// Looks for circles; to be called when the trace has ended.
    pub fn finish(&self) -> Circles {
        let wishes = &self.wishes.wishes;
        let mut holders: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        for (index, wish) in (0..).zip(wishes) {
            for &lock in &wish.held {
                holders.entry(lock).or_default().push(index);
            }
        }
        let mut graph: DiGraph<(), ()> = DiGraph::new();
        for _ in wishes {
            graph.add_node(());
        }
        for (index, wish) in (0..).zip(wishes) {
            for &holder in holders.get(&wish.lock).into_iter().flatten() {
                if wishes[holder as usize].blocks(wish) {
                    graph.add_edge(NodeIndex::from(index), NodeIndex::from(holder), ());
                }
            }
        }
        let mut component = vec![0; wishes.len()];
        for (number, members) in tarjan_scc(&graph).into_iter().enumerate() {
            for member in members {
                component[member.index()] = number;
            }
        }
        let mut search = Search {
            wishes,
            graph: &graph,
            component: &component,
            steps: 0,
            found: Vec::new(),
        };
        let mut complete = true;
        for length in 2..=MAX_LENGTH {
            complete = complete
                && (0..wishes.len() as u32).all(|start| search.extend(&mut vec![start], length));
        }
        let with_place =
            |&index: &u32| (wishes[index as usize].clone(), self.first[index as usize]);
        let circles = search
            .found
            .iter()
            .map(|circle| Circle(circle.iter().map(with_place).collect()));
        Circles {
            circles: circles.collect(),
            incomplete: !complete,
        }
    }
}

struct Search<'a> {
    wishes: &'a [Wish],
    graph: &'a DiGraph<(), ()>,
    component: &'a [usize],
    steps: usize,
    found: Vec<Vec<u32>>,
}

impl Search<'_> {
    /// Finds all circles of `length` that begin with `path`, whose first wish is the one seen first. False if there was
    /// no room or time for all.
    fn extend(&mut self, path: &mut Vec<u32>, length: usize) -> bool {
        self.steps += 1;
        let (start, last) = (path[0], path[path.len() - 1]);
        let edge = |to: u32| {
            self.graph
                .contains_edge(NodeIndex::from(last), NodeIndex::from(to))
        };
        if path.len() == length {
            if edge(start) {
                if self.found.len() == MAX_CIRCLES {
                    return false;
                }
                self.found.push(path.clone());
            }
            return self.steps < MAX_STEPS;
        }
        let mut nexts: Vec<u32> = self
            .graph
            .neighbors(NodeIndex::from(last))
            .map(|next| next.index() as u32)
            .filter(|&next| next > start)
            .filter(|&next| self.component[next as usize] == self.component[start as usize])
            .filter(|&next| {
                path.iter()
                    .all(|&known| self.wishes[known as usize].apart(&self.wishes[next as usize]))
            })
            .collect();
        nexts.sort_unstable();
        for next in nexts {
            path.push(next);
            let go_on = self.extend(path, length);
            path.pop();
            if !go_on {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Op::{Acquire, Release};

    fn circles(events: &[(u32, Op, u32)]) -> Vec<Vec<(u32, u32)>> {
        let mut graph = LockGraph::default();
        for &(thread, op, lock) in events {
            graph.feed(Event::new(thread, op, lock));
        }
        let found = graph.finish();
        assert!(!found.incomplete);
        let wishes = |circle: &Circle| {
            circle
                .0
                .iter()
                .map(|(wish, _)| (wish.thread, wish.lock))
                .collect()
        };
        found.circles.iter().map(wishes).collect()
    }

    fn nested(thread: u32, locks: &[u32]) -> Vec<(u32, Op, u32)> {
        let taken = locks.iter().map(|&lock| (thread, Acquire, lock));
        let released = locks.iter().rev().map(|&lock| (thread, Release, lock));
        taken.chain(released).collect()
    }

    #[test]
    fn circles_of_two_and_three() {
        let two = [nested(0, &[0, 1]), nested(1, &[1, 0])].concat();
        assert_eq!(circles(&two), [[(0, 1), (1, 0)]]);
        let three = [nested(0, &[0, 1]), nested(1, &[1, 2]), nested(2, &[2, 0])].concat();
        assert_eq!(circles(&three), [[(0, 1), (1, 2), (2, 0)]]);
    }

    #[test]
    fn no_circle() {
        let one_thread = [nested(0, &[0, 1]), nested(0, &[1, 0])].concat();
        let same_order = [nested(0, &[0, 1]), nested(1, &[0, 1])].concat();
        let guarded = [nested(0, &[5, 0, 1]), nested(1, &[5, 1, 0])].concat();
        for events in [one_thread, same_order, guarded] {
            assert_eq!(
                circles(&events),
                Vec::<Vec<(u32, u32)>>::new(),
                "{events:?}"
            );
        }
    }
}
