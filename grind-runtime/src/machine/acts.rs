//! What the driver of a machine does between two turns of its threads. See [`Machine`].

use super::io::DriverAct;
use super::kept::Kept;
use super::run::Machine;
use super::state::State;
use super::thread::{Block, Status, ThreadEntry};
use super::{Joined, Value, driver_memory, embedded};
use crate::model::{Driven, EventKind, ThreadEnd, ThreadId};
use crate::program::embedder::{InFlight, ValType};
use crate::program::{Program, WasmType};
use std::sync::Arc;

/// The main thread, which stands for the driver where there is one.
pub(super) const MAIN: ThreadId = ThreadId(0);

/// Why an act of a driver was refused. Nothing has happened, but that the run's limits tell of [`ActError::TooManyThreads`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActError {
    /// The main thread runs code of the guest, so that it is not the driver's to act as.
    #[error(
        "the main thread of this machine runs the guest's entry; make it `Driven::AsMainThread`"
    )]
    NotDriven,
    /// The driver said that it does nothing any more.
    #[error("the driver has ended")]
    Over,
    /// A function of the host that the guest called acts on the runtime of that guest.
    #[error("a function that the guest calls acts on it by what it was called with")]
    Reentered,
    /// There is no such function.
    #[error("there is no exported function `{0}`")]
    NoFunction(String),
    /// A function takes something else.
    #[error("the export `{export}` takes {takes}, and not {given} numbers")]
    Arguments {
        /// Which.
        export: String,
        /// Its parameters.
        takes: String,
        /// How many arguments there were.
        given: usize,
    },
    /// A function takes values of other types, or another number of them.
    #[error("the export `{export}` takes {takes}, and not {given:?}")]
    Types {
        /// Which.
        export: String,
        /// Its parameters.
        takes: String,
        /// What it was given.
        given: Vec<Value>,
    },
    /// There are too many threads, or too many instances.
    #[error("too many threads")]
    TooManyThreads,
    /// There is no such thread, or it is the main one.
    #[error("there is no {0} that the driver could act on")]
    NoThread(ThreadId),
    /// The thread has not ended, or was joined.
    #[error("{0} cannot be joined: it has not ended, or was joined before")]
    NotJoinable(ThreadId),
    /// Not in memory.
    #[error("{len} bytes at 0x{addr:x} are not all in memory")]
    OutOfBounds {
        /// First byte.
        addr: u32,
        /// How many.
        len: usize,
    },
    /// The thread is in a call, or in one that the driver took no note of.
    #[error("{0} is in a call")]
    InCall(ThreadId),
    /// No thread waits for a deadline, or one can go on without.
    #[error("no thread waits for time to pass")]
    NoDeadline,
    /// A thread can go on, or the point is in the past.
    #[error("time cannot pass to {until} ns now, at {now} ns")]
    NotThen {
        /// To when, in virtual nanoseconds.
        until: u64,
        /// Virtual time.
        now: u64,
    },
    /// A module that is no extension of the present one, or that finds no room.
    #[error("the module cannot be added: {0}")]
    Module(String),
    /// An atomic access, or a notification, at an address that is no multiple of its width.
    #[error("an atomic access of {width} bytes at 0x{addr:x} is not aligned")]
    Misaligned {
        /// First byte.
        addr: u32,
        /// Its width in bytes.
        width: u8,
    },
}

impl Machine {
    /// Creates a thread that calls these exported functions one after the other, the last with these numbers as arguments, as bits.
    ///
    /// # Errors
    /// [`ActError`]
    pub fn spawn(
        &mut self,
        exports: impl IntoIterator<Item = impl Into<String>>,
        args: impl IntoIterator<Item = u64>,
    ) -> Result<ThreadId, ActError> {
        let exports = exports.into_iter().map(Into::into).collect();
        let args = args.into_iter().collect();
        let thread = self.act(DriverAct::Spawn { exports, args })?;
        Ok(ThreadId(thread as u32))
    }

    /// Creates a thread that calls this exported function with these values.
    ///
    /// # Errors
    /// [`ActError`]
    pub fn spawn_with(&mut self, export: &str, args: &[Value]) -> Result<ThreadId, ActError> {
        self.check_types(export, args)?;
        self.spawn([export], args.iter().map(|arg| arg.bits()))
    }

    /// Whether this exported function takes these values.
    pub(super) fn check_types(&self, export: &str, args: &[Value]) -> Result<(), ActError> {
        let params = self.engine.state().program.info().params_of_export(export);
        let params = params.ok_or_else(|| ActError::NoFunction(export.to_owned()))?;
        let fits = |(arg, &ty): (&Value, &WasmType)| arg.is_a(ty) && ValType::of(ty).is_some();
        if params.len() != args.len() || !args.iter().zip(params).all(fits) {
            return Err(ActError::Types {
                export: export.to_owned(),
                takes: listed(params),
                given: args.to_vec(),
            });
        }
        Ok(())
    }

    /// Takes note of the end of a thread that the driver created: all that it did happens before what the driver does from then on.
    /// Returns what its last function returned, or why it did not.
    ///
    /// # Errors
    /// [`ActError`]
    pub fn join(&mut self, thread: ThreadId) -> Result<Joined, ActError> {
        self.act(DriverAct::Join { thread })?;
        Ok(self.outcome(thread))
    }

    /// Lets threads go on that wait for a key in a function of the embedder ([`Reply::Block`](crate::program::embedder::Reply)),
    /// `count` at most. It orders nothing: who is outside of the guest has done nothing in it.
    ///
    /// # Errors
    /// [`ActError::Over`]
    pub fn wake(&mut self, key: u64, count: u32) -> Result<(), ActError> {
        self.act(DriverAct::Wake { key, count }).map(drop)
    }

    /// Ends a thread where it is, whatever it does. Locks that it holds stay taken.
    ///
    /// # Errors
    /// [`ActError::NoThread`] if it has ended, or is the main one.
    pub fn abort(&mut self, thread: ThreadId) -> Result<(), ActError> {
        self.act(DriverAct::Abort { thread }).map(drop)
    }

    /// Reads the guest's memory, as an access of the main thread.
    ///
    /// # Errors
    /// [`ActError`]
    pub fn read(&mut self, addr: u32, len: u32) -> Result<Vec<u8>, ActError> {
        self.act(DriverAct::Read { addr, len })?;
        let start = addr as usize;
        Ok(self.engine.memory()[start..start + len as usize].to_vec())
    }

    /// Writes to the guest's memory, as an access of the main thread.
    ///
    /// # Errors
    /// [`ActError`]
    pub fn write(&mut self, addr: u32, bytes: &[u8]) -> Result<(), ActError> {
        let bytes = bytes.to_vec();
        self.act(DriverAct::Write { addr, bytes }).map(drop)
    }

    /// Lets virtual time pass to the next deadline, where no thread can go on before.
    ///
    /// # Errors
    /// [`ActError::NoDeadline`]
    pub fn elapse(&mut self) -> Result<(), ActError> {
        self.act(DriverAct::Elapse).map(drop)
    }

    /// The driver does nothing any more: the main thread returns, if it stands for the driver, and what still waits for the driver waits
    /// for ever.
    ///
    /// # Errors
    /// [`ActError::Over`]
    pub fn end(&mut self) -> Result<(), ActError> {
        self.act(DriverAct::End).map(drop)
    }

    /// Calls of asynchronous functions of the embedder that are in flight, if somebody drives the run.
    pub(crate) fn in_flight(&self) -> Option<&Arc<InFlight>> {
        self.engine.state().in_flight.as_ref()
    }

    /// The guest's memory, as somebody sees it who takes no part.
    #[must_use]
    pub fn memory(&self) -> &[u8] {
        self.engine.memory()
    }

    /// Does something for the driver, and says so to whoever records. Returns what it gives back: a thread's number, a value of memory, how
    /// many were woken; else 0.
    pub(super) fn act(&mut self, act: DriverAct) -> Result<u64, ActError> {
        self.check(&act)?;
        let extension = match &act {
            DriverAct::Extend { module } => Some(self.extension(module)?),
            _ => None,
        };
        let state = self.engine.state_mut();
        let tick = state.tick;
        state.io.driven(tick, &act);
        let (memory, state) = self.engine.memory_and_state();
        match act {
            DriverAct::Spawn { exports, args } => {
                return state.as_main(|state| {
                    let entry = ThreadEntry {
                        exports,
                        args,
                        stack: None,
                    };
                    let child = state.spawn(entry).map_err(|_| ActError::TooManyThreads)?;
                    state.threads[child.0 as usize].of_driver = true;
                    Ok(child.0.into())
                });
            }
            DriverAct::Join { thread } => state.as_main(|state| {
                state.threads[thread.0 as usize].detached = true;
                state.emit(EventKind::ThreadJoin { child: thread });
            }),
            DriverAct::Wake { key, count } => embedded::wake(state, key, count, None),
            DriverAct::Abort { thread } => {
                state.abort(thread);
                self.engine.forget(thread);
                self.recycle(thread);
            }
            DriverAct::Read { addr, len } => {
                state.as_main(|state| embedded::access(state, addr, len, false));
            }
            DriverAct::Write { addr, bytes } => {
                state.as_main(|state| embedded::write(state, memory, addr, &bytes));
            }
            DriverAct::Elapse => {
                state.clock.jump();
            }
            DriverAct::End => state.driver_ends(),
            DriverAct::ElapseTo { until } => state.clock.pass_to(until),
            DriverAct::Atomic { addr, width, op } => {
                return Ok(
                    state.as_main(|state| driver_memory::atomic(state, memory, addr, width, op))
                );
            }
            DriverAct::Notify { addr, count } => {
                return Ok(state.as_main(|state| driver_memory::notify(state, addr, count)));
            }
            DriverAct::Open => state.open()?,
            DriverAct::Call {
                thread,
                export,
                args,
            } => state.ask(thread, export, args),
            DriverAct::Returned { thread } => state.note_return(thread),
            DriverAct::Close { thread } => {
                state.close(thread);
                self.recycle(thread);
            }
            DriverAct::Extend { .. } => {
                if let Some(program) = extension {
                    self.extend_by(&program);
                }
            }
        }
        Ok(0)
    }

    /// Whether there are so many bytes of memory.
    pub(super) fn in_memory(&self, addr: u32, len: usize) -> Result<(), ActError> {
        match (addr as usize).checked_add(len) {
            Some(end) if end <= self.engine.memory().len() => Ok(()),
            _ => Err(ActError::OutOfBounds { addr, len }),
        }
    }

    /// Whether the driver can do this now.
    fn check(&self, act: &DriverAct) -> Result<(), ActError> {
        let state = self.engine.state();
        if state.ending.is_some() || !state.outside() {
            return Err(ActError::Over);
        }
        let as_main = !matches!(
            act,
            DriverAct::Wake { .. }
                | DriverAct::Abort { .. }
                | DriverAct::Elapse
                | DriverAct::ElapseTo { .. }
                | DriverAct::End
        );
        if as_main && self.driven != Driven::AsMainThread {
            return Err(ActError::NotDriven);
        }
        match act {
            DriverAct::Spawn { exports, args } => {
                let is_number = |ty| ValType::of(ty).is_some();
                exports_take(&state.program, exports, args.len(), is_number)
            }
            DriverAct::Join { thread } => {
                let known = state.get(*thread).filter(|known| known.of_driver);
                let known = known.ok_or(ActError::NoThread(*thread))?;
                match known.ended() && !known.detached {
                    true => Ok(()),
                    false => Err(ActError::NotJoinable(*thread)),
                }
            }
            DriverAct::Abort { thread } => {
                let alive = state.get(*thread).is_some_and(|known| !known.ended());
                match alive && *thread != MAIN {
                    true => Ok(()),
                    false => Err(ActError::NoThread(*thread)),
                }
            }
            DriverAct::Read { addr, len } => self.in_memory(*addr, *len as usize),
            DriverAct::Write { addr, bytes } => self.in_memory(*addr, bytes.len()),
            DriverAct::Elapse if !state.idle || state.clock.next().is_none() => {
                Err(ActError::NoDeadline)
            }
            DriverAct::ElapseTo { until } => {
                let (until, now) = (*until, state.clock.now());
                let later = state.clock.next().is_some_and(|deadline| deadline < until);
                match state.all_wait() && !later && until >= now {
                    true => Ok(()),
                    false => Err(ActError::NotThen { until, now }),
                }
            }
            DriverAct::Atomic { addr, width, .. } => {
                aligned(*addr, *width)?;
                self.in_memory(*addr, (*width).into())
            }
            DriverAct::Notify { addr, .. } => {
                aligned(*addr, driver_memory::NOTIFIED)?;
                self.in_memory(*addr, driver_memory::NOTIFIED.into())
            }
            DriverAct::Call {
                thread,
                export,
                args,
            } => {
                if *state.kept(*thread)? != Kept::Idle {
                    return Err(ActError::InCall(*thread));
                }
                // Its instance may be older than the function.
                let instance = self.instance_of(*thread);
                if instance.is_some_and(|one| !self.engine.exports_function(one, export)) {
                    return Err(ActError::NoFunction(export.clone()));
                }
                let is_number = |ty| ValType::of(ty).is_some();
                let exports = std::slice::from_ref(export);
                exports_take(&state.program, exports, args.len(), is_number)
            }
            DriverAct::Returned { thread } => match state.kept(*thread)? {
                Kept::Returned => Ok(()),
                _ => Err(ActError::NoThread(*thread)),
            },
            DriverAct::Close { thread } => state.can_close(*thread),
            DriverAct::Open
            | DriverAct::Elapse
            | DriverAct::Wake { .. }
            | DriverAct::End
            | DriverAct::Extend { .. } => Ok(()),
        }
    }
}

/// The widths of atomic accesses are the powers of two up to 8.
fn aligned(addr: u32, width: u8) -> Result<(), ActError> {
    match matches!(width, 1 | 2 | 4 | 8) && addr.is_multiple_of(width.into()) {
        true => Ok(()),
        false => Err(ActError::Misaligned { addr, width }),
    }
}

/// Whether a thread can call these exported functions one after the other, the last with so many arguments, of types that fit.
pub(super) fn exports_take(
    program: &Program,
    exports: &[String],
    given: usize,
    fits: impl Fn(WasmType) -> bool,
) -> Result<(), ActError> {
    let Some((last, first)) = exports.split_last() else {
        return Err(ActError::NoFunction(String::new()));
    };
    for (export, given) in (first.iter().map(|name| (name, 0))).chain([(last, given)]) {
        let Some(params) = program.info().params_of_export(export) else {
            return Err(ActError::NoFunction(export.clone()));
        };
        if params.len() != given || !params.iter().copied().all(&fits) {
            return Err(ActError::Arguments {
                export: export.clone(),
                takes: listed(params),
                given,
            });
        }
    }
    Ok(())
}

/// Parameters of a function, as messages have them.
fn listed(params: &[WasmType]) -> String {
    let names: Vec<String> = params.iter().map(ToString::to_string).collect();
    format!("({})", names.join(", "))
}

impl State {
    /// Whether the driver can still act.
    pub(super) fn outside(&self) -> bool {
        self.outside
    }

    /// Learns when the driver acts next.
    pub(super) fn expect_act(&mut self) {
        self.pause_at = self.io.next_act().map_or(u64::MAX, |(tick, _)| tick);
        self.paused |= self.tick >= self.pause_at;
    }

    /// The main thread begins, and runs nothing: the driver acts as it.
    pub(super) fn main_is_the_driver(&mut self) {
        self.emit(EventKind::ThreadStart);
        self.thread_mut().status = Status::Blocked {
            on: Block::Driver,
            deadline: None,
        };
        self.not_runnable(MAIN);
        self.idle = true;
        self.at_place = true;
    }

    /// Lets the main thread do something, whoever has the turn.
    pub(super) fn as_main<R>(&mut self, act: impl FnOnce(&mut State) -> R) -> R {
        self.as_thread(MAIN, act)
    }

    /// Lets a thread do something, whoever has the turn.
    pub(super) fn as_thread<R>(
        &mut self,
        thread: ThreadId,
        act: impl FnOnce(&mut State) -> R,
    ) -> R {
        let current = std::mem::replace(&mut self.current, thread);
        let done = act(self);
        self.current = current;
        done
    }

    /// The driver does nothing any more.
    pub(super) fn driver_ends(&mut self) {
        self.outside = false;
        self.close_all();
        if self.threads[0].is_parked() {
            self.as_main(State::ends_by_return);
        }
    }

    /// A thread ends where it is. It is alive, and not the main one.
    pub(super) fn abort(&mut self, thread: ThreadId) {
        if let Status::Blocked { on, deadline } = self.threads[thread.0 as usize].status {
            if let Some(deadline) = deadline {
                self.clock.disarm(deadline, thread);
            }
            match on {
                Block::Futex { addr, .. } => self.futexes.forget(addr, thread),
                Block::Key { key } => self.keys.forget(key, thread),
                Block::Input => self.input.forget(thread),
                Block::Join { thread: child } => {
                    (self.threads[child.0 as usize].joiners).retain(|&joiner| joiner != thread);
                }
                Block::Sleep | Block::Driver | Block::Exited => {}
            }
        }
        self.emit_for(thread, EventKind::ThreadExit(ThreadEnd::Aborted));
        self.ended(thread, Status::Aborted);
        self.end_with_the_last();
        if thread == self.current {
            self.reschedule();
        }
    }
}
