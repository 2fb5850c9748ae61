//! What a supervisor is told: its children, and what becomes of them.

use super::backoff::Backoff;
use super::intensity::Intensity;
use crate::machine::Value;
use derive_setters::Setters;
use std::collections::BTreeSet;
use std::time::Duration;

/// Supervisors within one another, at most.
const DEPTH: usize = 64;

/// Who is restarted when a child has to be: OTP's restart strategy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// That child.
    #[default]
    OneForOne,
    /// All children: the others are stopped, in reverse order, and all are started, in order.
    OneForAll,
    /// That child, and those after it in the order of start.
    RestForOne,
}

/// When a child is restarted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// If its end was [not normal](super::ChildEnd::is_normal).
    Transient,
    /// Never, not even where another one's end stopped it ([`Strategy::OneForAll`], [`Strategy::RestForOne`]).
    Temporary,
}

/// How a child is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// It is aborted.
    BrutalKill,
    /// It is asked to end, and aborted if it has not in so much virtual time. A worker is asked by its [stop flag](ChildSpec::stop_flag); one
    /// that has none cannot be asked, and is aborted at once, as a process of OTP that does not trap exits.
    Timeout(Duration),
    /// It is asked to end, and waited for, however long. Only for supervisors, each of whose children has its own time.
    Infinity,
}

/// Whether the end of [significant](ChildSpec::significant) children ends their supervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AutoShutdown {
    /// It does not.
    #[default]
    Never,
    /// When one has ended by itself and is not restarted.
    AnySignificant,
    /// When the last one has.
    AllSignificant,
}

/// A supervisor, as it is to be. Children are started in their order and stopped in reverse.
#[derive(Clone, Debug, Default, Setters)]
#[non_exhaustive]
pub struct SupervisorSpec {
    /// Who is restarted.
    pub strategy: Strategy,
    /// How often at most. Beyond that, all children are stopped, and the supervisor ends.
    pub intensity: Intensity,
    /// What is waited for before a restart.
    pub backoff: Backoff,
    /// Whether the end of children is its own.
    pub auto_shutdown: AutoShutdown,
    /// In the order of start. Each has an id of its own.
    pub children: Vec<ChildSpec>,
}

impl SupervisorSpec {
    /// Without children, with OTP's defaults: more than one restart in five seconds ends it.
    #[must_use]
    pub fn new(strategy: Strategy) -> SupervisorSpec {
        SupervisorSpec::default().strategy(strategy)
    }

    /// Restarts at most, in the time of [`max_seconds`](SupervisorSpec::max_seconds).
    #[must_use]
    pub fn max_restarts(mut self, restarts: u32) -> SupervisorSpec {
        self.intensity.max_restarts = restarts;
        self
    }

    /// Virtual time in which restarts are counted.
    #[must_use]
    pub fn max_seconds(mut self, time: Duration) -> SupervisorSpec {
        self.intensity.max_seconds = time;
        self
    }

    /// Adds a child, which is started after those that are there.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> SupervisorSpec {
        self.children.push(child);
        self
    }
}

/// A child, as it is to be.
#[derive(Clone, Debug, Setters)]
#[non_exhaustive]
pub struct ChildSpec {
    /// Its name, in reports.
    #[setters(skip)]
    pub id: String,
    #[setters(skip)]
    pub(super) start: Start,
    /// When it is restarted.
    pub restart: Restart,
    /// How it is stopped: a worker in 5 s of virtual time, a supervisor in as long as it takes.
    pub shutdown: Shutdown,
    /// Address of an `i32` in the guest's memory that asks a worker to end: 0 when it is started; to stop it, 1 is stored there atomically and
    /// who waits on it is notified.
    #[setters(strip_option)]
    pub stop_flag: Option<u32>,
    /// Whether its end counts for [`SupervisorSpec::auto_shutdown`].
    pub significant: bool,
    /// A limit of its own, under [`Strategy::OneForOne`]: its restarts do not count for its supervisor, and beyond the limit it is given up
    /// alone. OTP has a supervisor of its own for such a child.
    #[setters(strip_option)]
    pub intensity: Option<Intensity>,
}

/// What a child is.
#[derive(Clone, Debug)]
pub(super) enum Start {
    /// A thread that calls an export.
    Worker { export: String, args: Vec<Value> },
    /// A supervisor with children of its own.
    Supervisor(SupervisorSpec),
}

impl ChildSpec {
    /// A thread of the guest that calls this exported function with these arguments.
    pub fn worker(
        id: impl Into<String>,
        export: impl Into<String>,
        args: impl IntoIterator<Item = Value>,
    ) -> ChildSpec {
        ChildSpec {
            id: id.into(),
            start: Start::Worker {
                export: export.into(),
                args: args.into_iter().collect(),
            },
            restart: Restart::default(),
            shutdown: Shutdown::Timeout(Duration::from_secs(5)),
            stop_flag: None,
            significant: false,
            intensity: None,
        }
    }

    /// A supervisor with children of its own.
    pub fn supervisor(id: impl Into<String>, spec: SupervisorSpec) -> ChildSpec {
        ChildSpec {
            start: Start::Supervisor(spec),
            shutdown: Shutdown::Infinity,
            ..ChildSpec::worker(id, "", [])
        }
    }

    pub(super) fn is_supervisor(&self) -> bool {
        matches!(self.start, Start::Supervisor(_))
    }
}

/// Why there is no such supervisor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Two children have one id.
    #[error("two children are called `{0}`")]
    SameId(String),
    /// A child's end would end its supervisor, and it is always restarted.
    #[error("the child `{0}` is significant and permanent: it never ends")]
    SignificantPermanent(String),
    /// A child's end would end its supervisor, which does not do that.
    #[error("the child `{0}` is significant, and its supervisor has no automatic shutdown")]
    SignificantForNothing(String),
    /// A worker would be waited for for ever.
    #[error("the worker `{0}` has an infinite time to end, which is only for supervisors")]
    InfiniteWorker(String),
    /// A stop flag of a supervisor, which asks its children by theirs.
    #[error("the supervisor `{0}` has a stop flag, which is only for workers")]
    StopFlagOfSupervisor(String),
    /// Who asks one of them asks the other as well.
    #[error("two workers have one stop flag, at 0x{0:x}")]
    SameStopFlag(u32),
    /// An `i32` that is accessed atomically has an address that is a multiple of 4.
    #[error("the stop flag of `{id}` at 0x{address:x} is not aligned")]
    UnalignedStopFlag {
        /// The child.
        id: String,
        /// Where it is.
        address: u32,
    },
    /// A limit of its own, where others are restarted with it.
    #[error("the child `{0}` has a limit of its own, which is only for one_for_one")]
    OwnIntensity(String),
    /// Restarts are counted over no time.
    #[error("restarts are counted within no time: `max_seconds` has to be more than 0")]
    NoTime,
    /// There are more supervisors within one another than 64.
    #[error("supervisors are nested more than {DEPTH} deep")]
    TooDeep,
}

impl SupervisorSpec {
    /// Whether there can be such a supervisor.
    pub(super) fn check(&self) -> Result<(), SpecError> {
        self.check_at(1, &mut BTreeSet::new())
    }

    fn check_at(&self, depth: usize, flags: &mut BTreeSet<u32>) -> Result<(), SpecError> {
        if depth > DEPTH {
            return Err(SpecError::TooDeep);
        }
        let limits = (self.children.iter()).filter_map(|child| child.intensity);
        if (limits.chain([self.intensity])).any(|limit| limit.max_seconds.is_zero()) {
            return Err(SpecError::NoTime);
        }
        let mut ids = BTreeSet::new();
        for child in &self.children {
            let id = || child.id.clone();
            if !ids.insert(&child.id) {
                return Err(SpecError::SameId(id()));
            }
            if child.significant && child.restart == Restart::Permanent {
                return Err(SpecError::SignificantPermanent(id()));
            }
            if child.significant && self.auto_shutdown == AutoShutdown::Never {
                return Err(SpecError::SignificantForNothing(id()));
            }
            if child.intensity.is_some() && self.strategy != Strategy::OneForOne {
                return Err(SpecError::OwnIntensity(id()));
            }
            match &child.start {
                Start::Worker { .. } if child.shutdown == Shutdown::Infinity => {
                    return Err(SpecError::InfiniteWorker(id()));
                }
                Start::Worker { .. } => {}
                Start::Supervisor(_) if child.stop_flag.is_some() => {
                    return Err(SpecError::StopFlagOfSupervisor(id()));
                }
                Start::Supervisor(spec) => spec.check_at(depth + 1, flags)?,
            }
            if let Some(address) = child.stop_flag {
                if !address.is_multiple_of(4) {
                    let id = id();
                    return Err(SpecError::UnalignedStopFlag { id, address });
                }
                if !flags.insert(address) {
                    return Err(SpecError::SameStopFlag(address));
                }
            }
        }
        Ok(())
    }
}
