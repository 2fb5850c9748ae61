//! Supervisors of guest threads, with OTP's semantics and names: children that are restarted when they end, in trees.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use grind_runtime::host::ThreadRuntime;
//! use grind_runtime::host::supervisor::{
//!     ChildSpec, Restart, Strategy, Supervisor, SupervisorEnd, SupervisorSpec,
//! };
//! use grind_runtime::{NullIo, Program, RunOptions};
//!
//! // The first call traps, the second returns.
//! let wasm = wat::parse_str(
//!     r#"(module (memory 1 1 shared)
//!         (func (export "work")
//!             (if (i32.eqz (i32.atomic.rmw.add (i32.const 64) (i32.const 1)))
//!                 (then unreachable))))"#,
//! )?;
//! let runtime = ThreadRuntime::with_program(&Program::new(&wasm)?, RunOptions::seeded(1), NullIo)?;
//! let work = ChildSpec::worker("work", "work", []).restart(Restart::Transient);
//! let mut supervisor = Supervisor::new(SupervisorSpec::new(Strategy::OneForOne).child(work))?;
//! let report = supervisor.run(&runtime)?;
//! assert_eq!(report.end, Some(SupervisorEnd::Finished));
//! assert_eq!(report.restarts, 1);
//! # Ok(())
//! # }
//! ```
//!
//! A supervisor is a value, and driven like everything of the [`host`](super): it has no thread, and does something while somebody calls
//! [`Supervisor::run`]. What it does are acts of the host, which are recorded; its times are virtual. So what it restarts, and when,
//! follows from the guest and the seed, and a trace replays it without the supervisor.
//!
//! A child that returned ended normally; one that trapped, or that somebody aborted, did not. In a module of wasi-threads, a trap of any
//! thread ends the run: there is nothing to restart then ([`JoinError::Over`]). Other than in OTP:
//!
//! - There is a [`Backoff`] before restarts, and the time in which the supervisor stops children or waits does not count for the
//!   [`Intensity`]: children that take long to stop are not restarted for ever.
//! - A child can have a [limit of its own](ChildSpec::intensity), so that it does not take its siblings with it.
//! - A supervisor whose children have all ended ends.
//!
//! | file | what |
//! |---|---|
//! | `spec` | what is to be |
//! | `intensity`, `backoff` | how many restarts are too many, and what is waited for before one |
//! | `child` | one child |
//! | `node` | a supervisor of the tree: who is restarted |
//! | `stop` | how its children are stopped |
//! | `report` | what came of it |

mod backoff;
mod child;
mod intensity;
mod node;
mod report;
mod spec;
mod stop;

pub use backoff::Backoff;
pub use intensity::Intensity;
pub use report::{ChildEnd, ChildReport, Happened, SupervisorEnd, SupervisorReport, What};
pub use spec::{AutoShutdown, ChildSpec, Restart, Shutdown, SpecError, Strategy, SupervisorSpec};

use super::handle::{JoinError, ThreadHandle};
use super::runtime::ThreadRuntime;
use super::shared::Shared;
use crate::machine::{HostIo, Machine};
use crate::schedule::SplitMix64;
use child::Now;
use node::{Context, Node};
use std::sync::Arc;
use std::time::Duration;

/// What is added to the seed of the schedule, whose own numbers are others.
const SALT: u64 = 0x7375_7065_7276_6973;

/// A supervisor of threads of one runtime. See the [module](self).
///
/// Dropped, it aborts the threads that are left.
#[derive(Debug)]
pub struct Supervisor {
    root: Node,
    /// Those of the runtime, and where its random numbers come from, once it has begun.
    begun: Option<(Arc<Shared>, SplitMix64)>,
}

/// Why a supervisor does not go on.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// No child can go on, the run is over, or it failed.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// Its children are threads of another runtime.
    #[error("the supervisor has begun in another runtime")]
    OtherRuntime,
}

/// How far a supervisor has come in the time that it was given.
#[derive(Debug)]
pub enum Progress {
    /// It has ended.
    Ended(SupervisorReport),
    /// These workers have not ended. The supervisor goes on with the next call.
    Pending(Vec<Pending>),
}

/// A worker that has not ended.
#[derive(Debug)]
pub struct Pending {
    /// The supervisors that it is in, and its own name.
    pub path: Vec<String>,
    /// Its thread. Whoever joins it gets its results in the place of the supervisor.
    pub handle: ThreadHandle,
}

/// How many children a supervisor has: OTP's `count_children`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// That are specified.
    pub specs: usize,
    /// That run.
    pub active: usize,
    /// That are supervisors, whether or not they run.
    pub supervisors: usize,
    /// That are workers, whether or not they run.
    pub workers: usize,
}

impl Supervisor {
    /// One that has started nothing.
    ///
    /// # Errors
    /// [`SpecError`] if there is no such supervisor.
    pub fn new(spec: SupervisorSpec) -> Result<Supervisor, SpecError> {
        spec.check()?;
        Ok(Supervisor {
            root: Node::new(spec),
            begun: None,
        })
    }

    /// Lets the guest run until the supervisor has ended. Returns what came of it.
    ///
    /// # Errors
    /// [`SupervisorError`]. If all threads are [blocked](JoinError::Blocked), the host can do something for them and call this again. What is
    /// known then is in the [report](Supervisor::report).
    pub fn run<Io: HostIo>(
        &mut self,
        runtime: &ThreadRuntime<Io>,
    ) -> Result<SupervisorReport, SupervisorError> {
        self.drive(runtime.shared(), None)?;
        Ok(self.report())
    }

    /// The same, for at most so much virtual time.
    ///
    /// # Errors
    /// See [`Supervisor::run`].
    pub fn run_for<Io: HostIo>(
        &mut self,
        runtime: &ThreadRuntime<Io>,
        time: Duration,
    ) -> Result<Progress, SupervisorError> {
        let shared = runtime.shared();
        let until = shared.after(time).map_err(JoinError::refused)?;
        if self.drive(shared, Some(until))? {
            return Ok(Progress::Ended(self.report()));
        }
        let mut threads = Vec::new();
        self.root.threads(&mut Vec::new(), &mut threads);
        let pending = threads.into_iter().map(|(path, thread)| Pending {
            path,
            handle: ThreadHandle::new(Arc::clone(shared), thread),
        });
        Ok(Progress::Pending(pending.collect()))
    }

    /// Stops all children, in reverse order, each as its specification says, and lets the guest run until they have ended.
    ///
    /// # Errors
    /// See [`Supervisor::run`].
    pub fn stop<Io: HostIo>(
        &mut self,
        runtime: &ThreadRuntime<Io>,
    ) -> Result<SupervisorReport, SupervisorError> {
        self.with(runtime.shared(), |root, cx| root.stop(cx))?;
        self.run(runtime)
    }

    /// What has come of it and its children so far.
    #[must_use]
    pub fn report(&self) -> SupervisorReport {
        self.root.report()
    }

    /// How many children it has.
    #[must_use]
    pub fn count_children(&self) -> Count {
        let mut count = Count::default();
        for child in &self.root.children {
            count.specs += 1;
            count.active += usize::from(matches!(child.now, Now::Worker(_) | Now::Supervisor(_)));
            match child.spec.is_supervisor() {
                true => count.supervisors += 1,
                false => count.workers += 1,
            }
        }
        count
    }

    /// Acts on the runtime.
    fn with<R>(
        &mut self,
        shared: &Arc<Shared>,
        act: impl FnOnce(&mut Node, &mut Context<'_>) -> R,
    ) -> Result<R, SupervisorError> {
        let begin = || (Arc::clone(shared), SplitMix64::new(shared.seed ^ SALT));
        let (own, random) = self.begun.get_or_insert_with(begin);
        if !Arc::ptr_eq(own, shared) {
            return Err(SupervisorError::OtherRuntime);
        }
        let root = &mut self.root;
        let done = shared.act(|machine| Ok(act(root, &mut Context { machine, random })));
        Ok(done.map_err(JoinError::refused)?)
    }

    /// Lets the guest run until the supervisor has ended, or virtual time has come to this point. Returns whether it has ended.
    fn drive(&mut self, shared: &Arc<Shared>, until: Option<u64>) -> Result<bool, SupervisorError> {
        loop {
            let now = self.with(shared, |root, cx| {
                root.poll(cx);
                cx.machine.now()
            })?;
            if self.root.end().is_some() {
                return Ok(true);
            }
            if until.is_some_and(|until| until <= now) {
                return Ok(false);
            }
            let root = &self.root;
            let news = |machine: &mut Machine| root.has_news(machine).then_some(());
            match root.timer().into_iter().chain(until).min() {
                Some(at) => drop(shared.wait_until(at, news)?),
                None => shared.wait(news)?,
            }
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        if let Some((shared, _)) = self.begun.clone()
            && self.with(&shared, |root, cx| root.kill(cx)).is_err()
        {
            // There is nothing left to end, or it ends when the function returns that the guest called.
            let mut threads = Vec::new();
            self.root.threads(&mut Vec::new(), &mut threads);
            for (_, thread) in threads {
                shared.abort(thread);
            }
        }
    }
}
