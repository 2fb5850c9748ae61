//! A child: started, watched, asked to end, and what came of it.

use super::intensity::Window;
use super::node::{Context, Node};
use super::report::{ChildEnd, ChildReport, SupervisorReport};
use super::spec::{ChildSpec, Shutdown, Start};
use crate::host::deadlines::nanoseconds;
use crate::machine::{ActError, DriverAtomic, Machine, ThreadError};
use crate::model::ThreadId;
use std::time::Duration;

/// Bytes of a stop flag.
const FLAG: u8 = 4;

#[derive(Debug)]
pub(super) struct Child {
    pub(super) spec: ChildSpec,
    pub(super) now: Now,
    pub(super) restarts: u64,
    /// When it was started the last time.
    pub(super) started: u64,
    /// Restarts since it last ran for long.
    pub(super) failures: u32,
    pub(super) end: Option<ChildEnd>,
    pub(super) ended: u64,
    /// Restarts, if it has a limit of its own.
    pub(super) window: Option<Window>,
    pub(super) given_up: bool,
    /// It was started at some time.
    pub(super) began: bool,
    /// Of a supervisor that has ended.
    supervisor: Option<SupervisorReport>,
}

/// What a child does.
#[derive(Debug)]
pub(super) enum Now {
    /// It was not started, or has ended.
    Nothing,
    /// It runs, or has ended, which nobody has taken note of.
    Worker(ThreadId),
    /// The same.
    Supervisor(Box<Node>),
    /// It could not be started, which nobody has taken note of.
    Failed(ActError),
    /// It waits for its restart, until then.
    Waits(u64),
}

/// How a child takes it to be asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It has ended.
    Ended,
    /// It has until then.
    Until(u64),
    /// It has as long as it takes.
    Forever,
}

impl Child {
    pub(super) fn new(spec: ChildSpec) -> Child {
        Child {
            window: spec.intensity.map(Window::new),
            spec,
            now: Now::Nothing,
            restarts: 0,
            started: 0,
            failures: 0,
            end: None,
            ended: 0,
            given_up: false,
            began: false,
            supervisor: None,
        }
    }

    /// Whether it runs, or has ended without anybody having taken note.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self.now, Now::Nothing | Now::Waits(_))
    }

    /// Starts it. Whether it could be is known as its end.
    pub(super) fn start(&mut self, cx: &mut Context<'_>) {
        self.restarts += u64::from(self.began);
        self.began = true;
        self.started = cx.machine.now();
        self.now = match self.try_start(cx) {
            Ok(now) => now,
            Err(why) => Now::Failed(why),
        };
    }

    fn try_start(&self, cx: &mut Context<'_>) -> Result<Now, ActError> {
        match &self.spec.start {
            Start::Worker { export, args } => {
                if let Some(flag) = self.spec.stop_flag {
                    let value = 0;
                    (cx.machine).atomic(flag, FLAG, DriverAtomic::Store { value })?;
                }
                Ok(Now::Worker(cx.machine.spawn_with(export, args)?))
            }
            Start::Supervisor(spec) => {
                let mut node = Box::new(Node::new(spec.clone()));
                node.poll(cx);
                Ok(Now::Supervisor(node))
            }
        }
    }

    /// The number of its end among those of all threads, if it has ended. What is no thread comes first.
    pub(super) fn ended_as(&self, machine: &Machine) -> Option<u32> {
        match &self.now {
            Now::Worker(thread) => machine.ended_as(*thread).map(|number| number + 1),
            Now::Supervisor(node) => node.end().map(|_| 0),
            Now::Failed(_) => Some(0),
            Now::Nothing | Now::Waits(_) => None,
        }
    }

    /// Takes note of its end, if it has ended.
    pub(super) fn take_end(&mut self, cx: &mut Context<'_>, stopped: bool) -> Option<ChildEnd> {
        self.ended_as(cx.machine)?;
        let end = match std::mem::replace(&mut self.now, Now::Nothing) {
            Now::Worker(thread) => worker_end(cx.machine, thread, stopped),
            Now::Supervisor(node) => {
                self.supervisor = Some(node.report());
                let end = node.end().cloned();
                ChildEnd::Supervisor(Box::new(end.unwrap_or(super::SupervisorEnd::Stopped)))
            }
            Now::Failed(why) => ChildEnd::NotStarted(why),
            Now::Nothing | Now::Waits(_) => return None,
        };
        self.ended = cx.machine.now();
        self.end = Some(end.clone());
        Some(end)
    }

    /// Asks it to end, as its specification says.
    pub(super) fn ask(&mut self, cx: &mut Context<'_>) -> Asked {
        if self.ended_as(cx.machine).is_some() {
            return Asked::Ended;
        }
        let until = |cx: &Context<'_>, time| {
            Asked::Until(cx.machine.now().saturating_add(nanoseconds(time)))
        };
        let flag = self.spec.stop_flag;
        match (&mut self.now, self.spec.shutdown) {
            (Now::Worker(_), Shutdown::Timeout(time)) => {
                let store = DriverAtomic::Store { value: 1 };
                let asked = flag.and_then(|flag| {
                    (cx.machine).atomic(flag, FLAG, store).ok()?;
                    cx.machine.notify(flag, u32::MAX).ok()
                });
                if asked.is_some() {
                    return until(cx, time);
                }
            }
            (Now::Supervisor(node), Shutdown::Timeout(time)) => {
                node.stop(cx);
                return until(cx, time);
            }
            (Now::Supervisor(node), Shutdown::Infinity) => {
                node.stop(cx);
                return Asked::Forever;
            }
            _ => {}
        }
        Asked::Ended
    }

    /// It is not restarted, if it waits for that.
    pub(super) fn forget_restart(&mut self) {
        if matches!(self.now, Now::Waits(_)) {
            self.now = Now::Nothing;
        }
    }

    /// Ends it at once. Returns how it has ended, if it ran.
    pub(super) fn kill(&mut self, cx: &mut Context<'_>) -> Option<ChildEnd> {
        let killed = match &mut self.now {
            Now::Worker(thread) => cx.machine.abort(*thread).is_ok(),
            Now::Supervisor(node) => {
                node.kill(cx);
                false
            }
            Now::Nothing | Now::Failed(_) | Now::Waits(_) => false,
        };
        let end = self.take_end(cx, true);
        if killed {
            self.end = Some(ChildEnd::Killed);
            return self.end.clone();
        }
        end
    }

    pub(super) fn report(&self) -> ChildReport {
        ChildReport {
            id: self.spec.id.clone(),
            restarts: self.restarts,
            end: self.end.clone(),
            ended: (self.end.as_ref()).map(|_| Duration::from_nanos(self.ended)),
            thread: match self.now {
                Now::Worker(thread) => Some(thread),
                _ => None,
            },
            given_up: self.given_up,
            supervisor: match &self.now {
                Now::Supervisor(node) => Some(node.report()),
                _ => self.supervisor.clone(),
            },
        }
    }
}

/// How a thread ended that has. It is joined, so that what it did is before what the host does.
fn worker_end(machine: &mut Machine, thread: ThreadId, stopped: bool) -> ChildEnd {
    let joined = match machine.join(thread) {
        Ok(joined) => joined,
        // Somebody else has its results.
        Err(_) => (machine.end_of(thread).unwrap_or(Ok(()))).map(|()| Vec::new()),
    };
    match joined {
        Ok(_) if stopped => ChildEnd::Stopped,
        Ok(values) => ChildEnd::Returned(values),
        Err(ThreadError::Trapped(trap)) => ChildEnd::Trapped(trap),
        Err(ThreadError::Aborted) => ChildEnd::Aborted,
    }
}
