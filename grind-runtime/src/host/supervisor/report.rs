//! What came of a supervisor and its children.

use crate::machine::{ActError, Trap, Value};
use crate::model::ThreadId;
use std::collections::VecDeque;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

/// Of what happened in a supervisor, the latest so many things are kept.
pub(super) const HISTORY: usize = 256;

/// How a child ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChildEnd {
    /// Its function returned this.
    Returned(Vec<Value>),
    /// It trapped.
    Trapped(Trap),
    /// Somebody else than its supervisor aborted it.
    Aborted,
    /// Its supervisor asked it to end, and it did, in time.
    Stopped,
    /// Its supervisor aborted it.
    Killed,
    /// It is a supervisor, which ended so.
    Supervisor(Box<SupervisorEnd>),
    /// It could not be started.
    NotStarted(ActError),
}

impl ChildEnd {
    /// Whether a [transient](super::Restart::Transient) child stays ended: it returned, or was stopped, or is a supervisor that ended in order.
    /// That includes a supervisor which reached its limit, for it ends with the reason `shutdown` in OTP.
    #[must_use]
    pub fn is_normal(&self) -> bool {
        match self {
            ChildEnd::Returned(_) | ChildEnd::Stopped | ChildEnd::Killed => true,
            ChildEnd::Supervisor(end) => !matches!(**end, SupervisorEnd::NotStarted { .. }),
            ChildEnd::Trapped(_) | ChildEnd::Aborted | ChildEnd::NotStarted(_) => false,
        }
    }
}

impl Display for ChildEnd {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            ChildEnd::Returned(_) => f.write_str("returned"),
            ChildEnd::Trapped(trap) => write!(f, "trapped: {trap}"),
            ChildEnd::Aborted => f.write_str("was aborted"),
            ChildEnd::Stopped => f.write_str("was stopped"),
            ChildEnd::Killed => f.write_str("was stopped by an abort"),
            ChildEnd::Supervisor(end) => write!(f, "ended: {end}"),
            ChildEnd::NotStarted(why) => write!(f, "could not be started: {why}"),
        }
    }
}

/// Why a supervisor ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SupervisorEnd {
    /// It was asked to.
    Stopped,
    /// There were too many restarts: OTP's `shutdown`, with the reason `reached_max_restart_intensity`.
    LimitReached {
        /// Whose restart was one too many.
        child: String,
        /// So many are allowed …
        max_restarts: u32,
        /// … within this time.
        max_seconds: Duration,
    },
    /// Its significant children have ended: OTP's `shutdown` by `auto_shutdown`.
    AutoShutdown {
        /// The one that ended last.
        child: String,
    },
    /// A child could not be started when it began.
    NotStarted {
        /// Which.
        child: String,
        /// Why; of a supervisor, its report says so.
        why: Option<ActError>,
    },
    /// All children have ended, and none is restarted. A supervisor of OTP would wait for new ones.
    Finished,
}

impl Display for SupervisorEnd {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            SupervisorEnd::Stopped => f.write_str("stopped"),
            SupervisorEnd::LimitReached {
                child,
                max_restarts,
                max_seconds,
            } => write!(
                f,
                "shutdown: more than {max_restarts} restarts within {max_seconds:?}, the last one of `{child}`"
            ),
            SupervisorEnd::AutoShutdown { child } => {
                write!(f, "shutdown: the significant child `{child}` ended")
            }
            SupervisorEnd::NotStarted { child, why } => {
                write!(f, "the child `{child}` could not be started")?;
                why.iter().try_for_each(|why| write!(f, ": {why}"))
            }
            SupervisorEnd::Finished => f.write_str("all children have ended"),
        }
    }
}

/// What happened to a child, when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// Virtual time since the run began.
    pub at: Duration,
    /// The child.
    pub child: String,
    /// What.
    pub what: What,
}

/// See [`Happened`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// It was started. `None` for a supervisor.
    Started(Option<ThreadId>),
    /// It was asked to end.
    Asked,
    /// It ended.
    Ended(ChildEnd),
    /// It will be restarted when so much time has passed.
    Waits(Duration),
    /// It reached the limit of its own, and is not restarted.
    GivenUp,
}

/// A supervisor, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SupervisorReport {
    /// How it ended, if it has.
    pub end: Option<SupervisorEnd>,
    /// How often children were restarted, those that were stopped with others as well.
    pub restarts: u64,
    /// In the order of start.
    pub children: Vec<ChildReport>,
    /// What happened last, the latest 256 things at most. Of children that are supervisors, see theirs.
    pub history: Vec<Happened>,
    /// How many things had happened before those.
    pub forgotten: u64,
}

/// A child, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChildReport {
    /// Its name.
    pub id: String,
    /// How often it was restarted.
    pub restarts: u64,
    /// How it ended the last time, if it has.
    pub end: Option<ChildEnd>,
    /// When that was, in virtual time since the run began.
    pub ended: Option<Duration>,
    /// Its thread, if it is a worker that runs.
    pub thread: Option<ThreadId>,
    /// It reached a limit of its own.
    pub given_up: bool,
    /// If it is a supervisor: how far it has come, or came the last time.
    pub supervisor: Option<SupervisorReport>,
}

impl SupervisorReport {
    /// The child of this name.
    #[must_use]
    pub fn child(&self, id: &str) -> Option<&ChildReport> {
        self.children.iter().find(|child| child.id == id)
    }

    fn write_at(&self, f: &mut Formatter<'_>, depth: usize) -> fmt::Result {
        match &self.end {
            Some(end) => writeln!(f, "{end}")?,
            None => writeln!(f, "running")?,
        }
        for child in &self.children {
            write!(f, "{:1$}", "", 2 * depth + 2)?;
            write!(f, "{}, {} restarts: ", child.id, child.restarts)?;
            if child.given_up {
                f.write_str("given up; ")?;
            }
            match (&child.supervisor, &child.end, child.thread) {
                (Some(supervisor), ..) => supervisor.write_at(f, depth + 1)?,
                (None, _, Some(thread)) => writeln!(f, "runs as {thread}")?,
                (None, Some(end), None) => writeln!(f, "{end}")?,
                (None, None, None) => writeln!(f, "was not started")?,
            }
        }
        Ok(())
    }
}

/// A line for each child, in the order of start.
impl Display for SupervisorReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.write_at(f, 0)
    }
}

/// The latest things that happened.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    latest: VecDeque<Happened>,
    forgotten: u64,
}

impl History {
    pub(super) fn add(&mut self, at: u64, child: &str, what: What) {
        if self.latest.len() == HISTORY {
            self.latest.pop_front();
            self.forgotten += 1;
        }
        self.latest.push_back(Happened {
            at: Duration::from_nanos(at),
            child: child.to_owned(),
            what,
        });
    }

    /// All that are kept, and how many are not.
    pub(super) fn report(&self) -> (Vec<Happened>, u64) {
        (self.latest.iter().cloned().collect(), self.forgotten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_things_are_kept() {
        let mut history = History::default();
        for at in 0..HISTORY as u64 + 3 {
            history.add(at, "a", What::Asked);
        }
        let (kept, forgotten) = history.report();
        assert_eq!((kept.len(), forgotten), (HISTORY, 3));
        assert_eq!(kept[0].at, Duration::from_nanos(3));
    }
}
