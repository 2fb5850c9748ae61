//! Pairs of accesses to try, for the analyses that ask what a schedule has to contain.
//!
//! The set that a schedule needs to reach an earlier access `e1` and a current one `e2` only grows with later accesses
//! of the same threads. So if it contains `e1`, the pair is done with for ever, and what is left are the later accesses
//! of `e1`'s thread: every one is passed once by every other thread, unless it races.

use super::analysis::{Place, entry};
use super::clock::Clock;
use super::event::Op;
use super::ideal::{Ideals, Point};
use smallvec::SmallVec;

/// An access, in terms of the schedules that reach it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    pub(super) thread: u32,
    /// Just before it.
    pub(super) point: Point,
    /// The innermost acquire that it is in.
    pub(super) innermost: u32,
    place: Place,
}

/// Whether an earlier access races with the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No: every schedule that reaches both contains the earlier one, which is then not about to happen.
    Contained,
    /// No: but a later access by the current thread may.
    Apart,
    /// Yes.
    Racing,
}

/// What an analysis says of two accesses that program order, fork, join and reads do not order.
pub(super) trait Judge {
    /// `schedule` is a set of events that both accesses need, and at the end has to be the one that decided, with
    /// [`Verdict::Contained`] only if it has `earlier`. The same `schedule` is used for the next access of the same
    /// thread.
    fn judge(
        &mut self,
        ideals: &Ideals,
        schedule: &mut Schedule,
        earlier: &Access,
        now: &Access,
    ) -> Verdict;

    /// As long as this stays the same, the same pair of accesses has the same verdict.
    fn stamp(&self, ideals: &Ideals) -> u32;
}

/// What a schedule has to contain to reach two accesses; computed when somebody asks for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Schedule {
    events: Clock,
    started: bool,
}

impl Schedule {
    /// With what `earlier` and `now` need.
    #[inline]
    pub(super) fn reaching(
        &mut self,
        ideals: &Ideals,
        earlier: &Access,
        now: &Access,
    ) -> &mut Clock {
        if !self.started {
            self.started = true;
            self.events.clear();
            ideals.add(&mut self.events, now.point);
        }
        ideals.add(&mut self.events, earlier.point);
        &mut self.events
    }
}

/// Accesses of a variable by one thread.
#[derive(Clone, Debug, Default)]
struct Accesses {
    list: Vec<Access>,
    /// The thread's outgoing events at the last of them.
    outgoing: u32,
    /// By other thread: so many of `list` are in every schedule that reaches its next event.
    contained: SmallVec<[u32; 8]>,
}

#[derive(Clone, Debug)]
struct OfThread {
    thread: u32,
    reads: Accesses,
    writes: Accesses,
    /// What the last tests were about, and what they said: of a read, of a write.
    tested: [Option<Tested>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Tested {
    version: (u32, u32),
    stamp: u32,
    /// How many accesses of others were known.
    others: u32,
    racing: Option<Place>,
}

/// The accesses of one variable.
#[derive(Clone, Debug, Default)]
struct Variable {
    threads: SmallVec<[OfThread; 1]>,
    accesses: u32,
}

/// The accesses of all variables.
#[derive(Clone, Debug, Default)]
pub(super) struct Pairs {
    variables: Vec<Variable>,
    schedule: Schedule,
}

impl Variable {
    fn of(&mut self, thread: u32) -> usize {
        let known = self
            .threads
            .iter()
            .position(|accesses| accesses.thread == thread);
        known.unwrap_or_else(|| {
            self.threads.push(OfThread {
                thread,
                reads: Accesses::default(),
                writes: Accesses::default(),
                tested: [None; 2],
            });
            self.threads.len() - 1
        })
    }
}

impl Accesses {
    /// The first that `now` races with.
    fn racing(
        &mut self,
        ideals: &Ideals,
        schedule: &mut Schedule,
        judge: &mut impl Judge,
        now: &Access,
    ) -> Option<Place> {
        let owner = self.list.first()?.thread;
        schedule.started = false;
        let mut known = ideals.known(now.thread, owner);
        let contained = entry_of(&mut self.contained, now.thread);
        let mut next = *contained;
        while let Some(access) = self.list.get(next as usize) {
            let verdict = if access.point.position() < known {
                Verdict::Contained
            } else {
                let verdict = judge.judge(ideals, schedule, access, now);
                if schedule.started {
                    known = known.max(schedule.events.get(owner));
                }
                verdict
            };
            match verdict {
                Verdict::Racing => return Some(access.place),
                Verdict::Contained if *contained == next => *contained += 1,
                Verdict::Contained | Verdict::Apart => {}
            }
            next += 1;
        }
        None
    }

    fn push(&mut self, outgoing: u32, access: Access) -> bool {
        // An earlier access stands for this one if nothing in between can be what a schedule needs: then it has both
        // or none.
        let new = self.list.is_empty() || self.outgoing != outgoing;
        if new {
            self.outgoing = outgoing;
            self.list.push(access);
        }
        new
    }
}

fn entry_of(table: &mut SmallVec<[u32; 8]>, index: u32) -> &mut u32 {
    let index = index as usize;
    if index >= table.len() {
        table.resize(index + 1, 0);
    }
    &mut table[index]
}

impl Pairs {
    /// Adds an access of `variable` that is about to happen, and says what it races with.
    pub(super) fn access(
        &mut self,
        ideals: &mut Ideals,
        judge: &mut impl Judge,
        (thread, op, variable): (u32, Op, u32),
        place: Place,
    ) -> Option<Place> {
        let write = op == Op::Write;
        let now = Access {
            thread,
            point: ideals.point(thread),
            innermost: ideals.innermost(thread),
            place,
        };
        let outgoing = ideals.outgoing(thread);
        let variable = entry(&mut self.variables, variable);
        let mine = variable.of(thread);
        let own = &variable.threads[mine];
        let others = variable.accesses - (own.reads.list.len() + own.writes.list.len()) as u32;
        let about = (ideals.version(thread), judge.stamp(ideals), others);
        let racing = match own.tested[usize::from(write)] {
            Some(tested) if (tested.version, tested.stamp, tested.others) == about => tested.racing,
            _ => variable
                .threads
                .iter_mut()
                .filter(|other| other.thread != thread)
                .find_map(|other| {
                    let lists = [Some(&mut other.writes), write.then_some(&mut other.reads)];
                    lists
                        .into_iter()
                        .flatten()
                        .find_map(|list| list.racing(ideals, &mut self.schedule, judge, &now))
                }),
        };
        let own = &mut variable.threads[mine];
        own.tested[usize::from(write)] = Some(Tested {
            version: about.0,
            stamp: about.1,
            others,
            racing,
        });
        let list = if write {
            &mut own.writes
        } else {
            &mut own.reads
        };
        variable.accesses += u32::from(list.push(outgoing, now));
        racing
    }
}
