//! Threads that the driver keeps: each calls what the driver asks it to, one exported function after the other, in one instance.
//!
//! A call is ordered as two wake-ups are: what the driver did before it asked happens before the call, and the call happens before what
//! the driver does once it took note of the return.

use super::acts::{ActError, MAIN};
use super::io::DriverAct;
use super::run::{Invocation, Machine, Pause};
use super::state::State;
use super::thread::{Block, Status, ThreadEntry};
use super::{Value, ops::Op};
use crate::model::{EventKind, ThreadId};
use crate::program::embedder::RESERVED_KEYS;

/// What a kept thread is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Nothing: it can be asked.
    Idle,
    /// It was asked to call this, with these arguments as bits.
    Asked { export: String, args: Vec<u64> },
    /// It is in the call.
    Calling,
    /// The call has returned, and the driver took no note of it yet.
    Returned,
}

/// By which key a kept thread and the driver wake each other.
fn key(thread: ThreadId) -> u64 {
    RESERVED_KEYS | u64::from(thread.0)
}

impl Machine {
    /// Creates a thread with an instance of its own that calls nothing but what the driver [asks](Machine::ask) it to.
    ///
    /// # Errors
    /// [`ActError::TooManyThreads`], and what holds for any act.
    pub fn open(&mut self) -> Result<ThreadId, ActError> {
        self.act(DriverAct::Open)?;
        Ok(ThreadId(self.engine.state().threads.len() as u32 - 1))
    }

    /// Lets such a thread call this exported function with these values, as soon as it has its turn.
    ///
    /// # Errors
    /// [`ActError::NoThread`] if it has ended or is none of those, [`ActError::InCall`] if it is in a call, or is in one that the driver took no
    /// [note](Machine::results_of_call) of, [`ActError::NoFunction`], [`ActError::Types`].
    pub fn ask(&mut self, thread: ThreadId, export: &str, args: &[Value]) -> Result<(), ActError> {
        self.check_types(export, args)?;
        let (export, args) = (export.to_owned(), args.iter().map(|arg| arg.bits()));
        let args = args.collect();
        let call = DriverAct::Call {
            thread,
            export,
            args,
        };
        self.act(call).map(drop)
    }

    /// Takes note that such a call has returned, if it has: all that it did happens before what the driver does from then on. Returns what
    /// the function returned.
    ///
    /// # Errors
    /// [`ActError::NoThread`] if there is no such call.
    pub fn results_of_call(&mut self, thread: ThreadId) -> Result<Option<Vec<Value>>, ActError> {
        match self.kept(thread)? {
            Kept::Idle => Err(ActError::NoThread(thread)),
            Kept::Asked { .. } | Kept::Calling => Ok(None),
            Kept::Returned => {
                self.act(DriverAct::Returned { thread })?;
                Ok(Some(self.take_results(thread)))
            }
        }
    }

    /// Whether another thread than this one has not ended, and does more than wait for the driver.
    pub(crate) fn others_live(&self, thread: ThreadId) -> bool {
        let mut threads = self.engine.state().threads();
        threads.any(|(id, known)| id != thread && !known.ended() && !known.is_parked())
    }

    /// Ends such a thread, which is in no call. It can be joined as any other.
    ///
    /// # Errors
    /// [`ActError::NoThread`], [`ActError::InCall`]
    pub fn close(&mut self, thread: ThreadId) -> Result<(), ActError> {
        self.act(DriverAct::Close { thread }).map(drop)
    }

    fn kept(&self, thread: ThreadId) -> Result<&Kept, ActError> {
        self.engine.state().kept(thread)
    }

    /// What such a thread was asked to call, if it was.
    pub(super) fn next_asked(&mut self) -> Option<Invocation> {
        let (export, args) = self.engine.state_mut().take_asked()?;
        Some(self.invocation(&export, &args))
    }
}

impl State {
    /// What this thread is about, if it is kept and has not ended.
    ///
    /// # Errors
    /// [`ActError::NoThread`]
    pub(super) fn kept(&self, thread: ThreadId) -> Result<&Kept, ActError> {
        let known = self.get(thread).filter(|known| !known.ended());
        (known.and_then(|known| known.kept.as_ref())).ok_or(ActError::NoThread(thread))
    }

    /// Whether it can be ended: it is in no call, nor in the module's start function.
    pub(super) fn can_close(&self, thread: ThreadId) -> Result<(), ActError> {
        let idle = *self.kept(thread)? == Kept::Idle;
        let known = &self.threads[thread.0 as usize];
        let outside = known.is_parked() || known.status == Status::Ready(Op::Start);
        match idle && outside {
            true => Ok(()),
            false => Err(ActError::InCall(thread)),
        }
    }

    pub(super) fn open(&mut self) -> Result<(), ActError> {
        self.as_main(|state| {
            let entry = ThreadEntry {
                exports: Vec::new(),
                args: Vec::new(),
                stack: None,
            };
            let thread = state.spawn(entry).map_err(|_| ActError::TooManyThreads)?;
            let thread = &mut state.threads[thread.0 as usize];
            thread.of_driver = true;
            thread.kept = Some(Kept::Idle);
            Ok(())
        })
    }

    pub(super) fn ask(&mut self, thread: ThreadId, export: String, args: Vec<u64>) {
        let wake = EventKind::HostWake {
            key: key(thread),
            woken: 1,
        };
        self.as_main(|state| state.emit(wake));
        let known = &mut self.threads[thread.0 as usize];
        known.kept = Some(Kept::Asked { export, args });
        if matches!(known.status, Status::Blocked { .. }) {
            self.make_ready(thread, Op::Called);
        }
    }

    /// The current thread begins the call that it was asked for, if it was.
    fn take_asked(&mut self) -> Option<(String, Vec<u64>)> {
        let thread = self.current;
        let kept = self.thread_mut().kept.as_mut()?;
        let Kept::Asked { export, args } = kept else {
            return None;
        };
        let asked = (std::mem::take(export), std::mem::take(args));
        *kept = Kept::Calling;
        self.emit(EventKind::HostWoken {
            key: key(thread),
            by: Some(MAIN),
        });
        Some(asked)
    }

    /// The current thread, which is kept, has nothing to call. It waits, or ends if nobody can ask it any more. Returns whether it
    /// waits.
    pub(super) fn park(&mut self) -> bool {
        let thread = self.current;
        if !self.outside() {
            return false;
        }
        if self.thread().kept == Some(Kept::Calling) {
            self.emit(EventKind::HostWake {
                key: key(thread),
                woken: 1,
            });
            self.thread_mut().kept = Some(Kept::Returned);
            self.tell_driver(Pause::CallReturned(thread));
        }
        self.block(Block::Driver, None);
        true
    }

    pub(super) fn note_return(&mut self, thread: ThreadId) {
        self.as_main(|state| {
            state.emit(EventKind::HostWoken {
                key: key(thread),
                by: Some(thread),
            });
        });
        self.threads[thread.0 as usize].kept = Some(Kept::Idle);
    }

    pub(super) fn close(&mut self, thread: ThreadId) {
        self.as_thread(thread, State::ends_by_return);
        // It may have been about to begin.
        if thread == self.current && !self.idle {
            self.reschedule();
        }
    }

    /// Nobody asks any more: the threads that wait for that end.
    pub(super) fn close_all(&mut self) {
        for thread in (0..self.threads.len() as u32).map(ThreadId) {
            if thread != MAIN && self.threads[thread.0 as usize].is_parked() {
                self.close(thread);
            }
        }
    }
}
