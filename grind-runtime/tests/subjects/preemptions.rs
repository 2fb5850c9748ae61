//! Every schedule with so many preemptions (Musuvathi and Qadeer, PLDI 2007), for subjects whose threads take few steps.
//!
//! It knows nothing of independence: schedules that differ in the order of what is independent are all run. So it is for bounds of
//! 0 to 2, and holds that these are the least that show a bug, and that a twin has none within them.

use crate::table::Row;
use crate::trials::{PROGRAM, spec};
use grind_runtime::model::NullSink;
use grind_runtime::schedule::PointKind;
use grind_runtime::{
    Ending, FindingKind, Machine, MachineConfig, NullIo, Pause, Point, Schedule, Scheduler, Slice,
    ThreadId,
};

/// So long that no slice ends.
const WORDS: u32 = 1 << 20;

/// What came of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// A schedule fails, the one of this number.
    Fails(u32),
    /// None does, of so many.
    Holds(u32),
    /// None of so many did, and there are more.
    TooMany(u32),
}

/// Runs schedules with at most so many preemptions, until one fails.
pub(crate) fn search(row: &Row, fixed: bool, bound: usize, most: u32) -> Search {
    let mut prefix = Vec::new();
    for number in 1..=most {
        let (failed, made) = run(row, fixed, prefix);
        if failed {
            return Search::Fails(number);
        }
        match next(&made, bound) {
            Some(other) => prefix = other,
            None => return Search::Holds(number),
        }
    }
    Search::TooMany(most)
}

/// A choice that was made in a run.
#[derive(Debug)]
struct Choice {
    /// Which candidate was taken. The first is who can go on, if somebody can.
    taken: usize,
    candidates: usize,
    /// Every candidate but the first is a preemption.
    preempts: bool,
}

impl Choice {
    fn preemptions(&self, taken: usize) -> usize {
        usize::from(self.preempts && taken > 0)
    }
}

/// The last choice that can be made in another way within the bound, and those before it as they were.
fn next(made: &[Choice], bound: usize) -> Option<Vec<usize>> {
    let mut before = 0;
    let mut found = None;
    for (nth, choice) in made.iter().enumerate() {
        let other = choice.taken + 1;
        if other < choice.candidates && before + choice.preemptions(other) <= bound {
            found = Some(nth);
        }
        before += choice.preemptions(choice.taken);
    }
    let mut prefix: Vec<usize> = made[..=found?].iter().map(|choice| choice.taken).collect();
    *prefix.last_mut()? += 1;
    Some(prefix)
}

/// Makes the choices that it is given, and preempts nobody behind them.
#[derive(Debug)]
struct Follow {
    prefix: Vec<usize>,
    made: Vec<Choice>,
}

impl Scheduler for Follow {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        let goes_on = point.current.filter(|_| point.kind != PointKind::Blocked);
        let others = point.runnable.iter().copied();
        let others = others.filter(|&thread| Some(thread) != goes_on);
        let candidates: Vec<ThreadId> = goes_on.into_iter().chain(others).collect();
        let taken = match candidates.len() {
            1 => 0,
            count => {
                let taken = self.prefix.get(self.made.len()).copied().unwrap_or(0);
                self.made.push(Choice {
                    taken,
                    candidates: count,
                    preempts: goes_on.is_some(),
                });
                taken
            }
        };
        Slice {
            thread: candidates[taken],
            words: WORDS,
        }
    }

    fn random(&mut self) -> u64 {
        0
    }
}

/// Whether it failed, and the choices in it.
fn run(row: &Row, fixed: bool, prefix: Vec<usize>) -> (bool, Vec<Choice>) {
    let follow = Follow {
        prefix,
        made: Vec::new(),
    };
    let mut config = MachineConfig::new(Box::new(follow), Box::new(NullSink), Box::new(NullIo));
    config.spec = spec(row, fixed, Schedule::default());
    let mut machine = Machine::new(&PROGRAM, config).expect("the entry is there");
    while machine.run().expect("it chooses who can run") != Pause::Ended {}
    let result = machine.finish();
    let trapped = !result.traps.is_empty();
    let failed = match (fixed, row.kind) {
        (true, _) => trapped || result.ending != Ending::Returned,
        (false, FindingKind::Trap) => trapped,
        (false, _) => !trapped && result.ending == Ending::Deadlock,
    };
    let scheduler: Box<dyn std::any::Any> = result.scheduler;
    let follow = scheduler.downcast::<Follow>().expect("as it was given");
    (failed, follow.made)
}
