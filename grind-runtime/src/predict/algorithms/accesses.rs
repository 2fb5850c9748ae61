//! Pairs of accesses to try, for the analyses that ask what a schedule has to contain.
//!
//! The set that a schedule needs to reach an earlier access `e1` and a current one `e2` only grows with later accesses
//! of the same threads. So if it contains `e1`, the pair is done with for ever, and what is left are the later accesses
//! of `e1`'s thread: every one is passed once by every other thread, unless it races.

use crate::predict::algorithms::analysis::{Place, Stop, entry, table_bytes};
use crate::predict::algorithms::clock::Clock;
use crate::predict::algorithms::event::Accessing;
use crate::predict::algorithms::ideal::{Ideals, Point};
use smallvec::SmallVec;

/// An access, in terms of the schedules that reach it.
#[derive(Clone, Copy, Debug)]
pub(in crate::predict) struct Access {
    pub(in crate::predict) thread: u32,
    /// Just before it.
    pub(in crate::predict) point: Point,
    /// The innermost acquire that it is in.
    pub(in crate::predict) innermost: u32,
    place: Place,
}

/// Whether an earlier access races with the current one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::predict) enum Verdict {
    /// No: every schedule that reaches both contains the earlier one, which is then not about to happen.
    Contained,
    /// No: but a later access by the current thread may.
    Apart,
    /// Yes.
    Racing,
}

/// What an analysis says of two accesses that program order, fork, join and reads do not order.
pub(in crate::predict) trait Judge {
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
pub(in crate::predict) struct Schedule {
    events: Clock,
    started: bool,
}

impl Schedule {
    /// With what `earlier` and `now` need.
    #[inline]
    pub(in crate::predict) fn reaching(
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

/// What a thread did to a variable, reads and writes.
#[derive(Clone, Debug, Default)]
struct Both {
    accesses: [Accesses; 2],
    /// What the last test of a read, or of a write, was about, and what it said.
    tested: [Option<Tested>; 2],
}

#[derive(Clone, Debug)]
struct OfThread {
    thread: u32,
    plain: Both,
    /// Few variables have these.
    atomic: Option<Box<Both>>,
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
pub(in crate::predict) struct Pairs {
    variables: Vec<Variable>,
    schedule: Schedule,
    /// Bytes of variables beyond those in `variables`.
    grown: u64,
    pub(in crate::predict) stop: Stop,
}

impl OfThread {
    fn of(&self, how: Accessing) -> Option<&Both> {
        match how.atomic {
            false => Some(&self.plain),
            true => self.atomic.as_deref(),
        }
    }

    /// Those that were made so.
    fn accesses(&mut self, how: Accessing) -> Option<&mut Accesses> {
        let both = match how.atomic {
            false => &mut self.plain,
            true => self.atomic.as_deref_mut()?,
        };
        Some(&mut both.accesses[usize::from(how.write)])
    }

    /// How many of its accesses are kept.
    fn kept(&self) -> u32 {
        let both = [Some(&self.plain), self.atomic.as_deref()];
        let lists = both.into_iter().flatten().flat_map(|both| &both.accesses);
        lists.map(|accesses| accesses.list.len() as u32).sum()
    }
}

impl Variable {
    fn of(&mut self, thread: u32, bytes: &mut u64) -> usize {
        let known = self
            .threads
            .iter()
            .position(|accesses| accesses.thread == thread);
        known.unwrap_or_else(|| {
            let before = self.threads.capacity();
            self.threads.push(OfThread {
                thread,
                plain: Both::default(),
                atomic: None,
            });
            *bytes += ((self.threads.capacity() - before) * size_of::<OfThread>()) as u64;
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
        (stop, bytes): (&Stop, &mut u64),
    ) -> Option<Place> {
        let owner = self.list.first()?.thread;
        schedule.started = false;
        let mut known = ideals.known(now.thread, owner);
        let contained = entry_of(&mut self.contained, now.thread, bytes);
        let mut next = *contained;
        while let Some(access) = self.list.get(next as usize) {
            let verdict = if access.point.position() < known {
                Verdict::Contained
            } else if stop.requested() {
                return None;
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

    fn push(&mut self, outgoing: u32, access: Access, bytes: &mut u64) -> bool {
        // An earlier access stands for this one if nothing in between can be what a schedule needs: then it has both
        // or none.
        let new = self.list.is_empty() || self.outgoing != outgoing;
        if new {
            self.outgoing = outgoing;
            let before = self.list.capacity();
            self.list.push(access);
            *bytes += ((self.list.capacity() - before) * size_of::<Access>()) as u64;
        }
        new
    }
}

fn entry_of<'a>(table: &'a mut SmallVec<[u32; 8]>, index: u32, bytes: &mut u64) -> &'a mut u32 {
    let index = index as usize;
    if index >= table.len() {
        let before = table.capacity();
        table.resize(index + 1, 0);
        *bytes += ((table.capacity() - before) * size_of::<u32>()) as u64;
    }
    &mut table[index]
}

impl Pairs {
    /// About how many bytes they take.
    pub(in crate::predict) fn bytes(&self) -> u64 {
        table_bytes(&self.variables) + self.grown
    }

    /// Adds an access of `variable` that is about to happen, and says what it races with.
    pub(in crate::predict) fn access(
        &mut self,
        ideals: &mut Ideals,
        judge: &mut impl Judge,
        (thread, how, variable): (u32, Accessing, u32),
        place: Place,
    ) -> Option<Place> {
        let now = Access {
            thread,
            point: ideals.point(thread),
            innermost: ideals.innermost(thread),
            place,
        };
        let outgoing = ideals.outgoing(thread);
        let Pairs {
            variables,
            schedule,
            grown,
            stop,
        } = self;
        let variable = entry(variables, variable);
        let mine = variable.of(thread, grown);
        let own = &variable.threads[mine];
        let others = variable.accesses - own.kept();
        let about = (ideals.version(thread), judge.stamp(ideals), others);
        let write = usize::from(how.write);
        let tested = own.of(how).and_then(|own| own.tested[write]);
        let racing = match tested {
            Some(tested) if (tested.version, tested.stamp, tested.others) == about => tested.racing,
            _ => (variable.threads.iter_mut())
                .filter(|other| other.thread != thread)
                .find_map(|other| {
                    let conflicting = CONFLICTING[how.index()].iter();
                    conflicting.copied().find_map(|theirs| {
                        let accesses = other.accesses(theirs)?;
                        accesses.racing(ideals, schedule, judge, &now, (stop, grown))
                    })
                }),
        };
        let own = &mut variable.threads[mine];
        if how.atomic && own.atomic.is_none() {
            *grown += size_of::<Both>() as u64;
        }
        let own = match how.atomic {
            false => &mut own.plain,
            true => own.atomic.get_or_insert_default(),
        };
        own.tested[write] = Some(Tested {
            version: about.0,
            stamp: about.1,
            others,
            racing,
        });
        variable.accesses += u32::from(own.accesses[write].push(outgoing, now, grown));
        racing
    }
}

const fn accessing(write: bool, atomic: bool) -> Accessing {
    Accessing { write, atomic }
}

/// What each kind of access, by its index, conflicts with.
const CONFLICTING: [&[Accessing]; 4] = {
    const READ: Accessing = accessing(false, false);
    const WRITE: Accessing = accessing(true, false);
    const ATOMIC_READ: Accessing = accessing(false, true);
    const ATOMIC_WRITE: Accessing = accessing(true, true);
    [
        &[WRITE, ATOMIC_WRITE],
        &[WRITE, READ, ATOMIC_WRITE, ATOMIC_READ],
        &[WRITE],
        &[WRITE, READ],
    ]
};
