//! The runtime: a run whose main thread is the host.

use super::deadlines::Deadlines;
use super::handle::{JoinError, ThreadHandle};
use super::recorded;
use crate::machine::{ActError, HostIo, Machine, MachineError, PAGE, Pause, Value};
use crate::model::{Control, Driven};
use crate::program::Program;
use crate::session::{DrivenRun, Outcome, Recording, RunOptions};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Runs threads of a program over one shared memory, as the host asks for them. See [`host`](super) for an example.
///
/// Dropped, it ends the run where it is, at once: whoever waits for a thread of it is told so.
pub struct ThreadRuntime<Io> {
    shared: Arc<Shared>,
    /// Where the run is recorded.
    recording: Option<Recording>,
    io: PhantomData<fn() -> Io>,
}

impl<Io> fmt::Debug for ThreadRuntime<Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadRuntime").finish_non_exhaustive()
    }
}

/// What handles share with their runtime.
pub(super) struct Shared {
    /// None when the runtime was dropped, or finished.
    run: Mutex<Option<DrivenRun>>,
    /// Who waits to get at it.
    waiting: AtomicUsize,
    control: Arc<Control>,
    pub(super) deadlines: Mutex<Deadlines>,
    /// Of the schedule: what the host draws at random follows from it.
    pub(super) seed: u64,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl Shared {
    /// Gets at the run, which comes back for that at its next scheduling point.
    fn lock(&self) -> MutexGuard<'_, Option<DrivenRun>> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        self.control.interrupt();
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if self.waiting.fetch_sub(1, Ordering::SeqCst) == 1 {
            // It was for this.
            self.control.take_interrupt();
        }
        run
    }

    /// Does something with the machine.
    ///
    /// # Errors
    /// [`ActError::Over`] if there is none any more.
    pub(super) fn act<R>(
        &self,
        act: impl FnOnce(&mut Machine) -> Result<R, ActError>,
    ) -> Result<R, ActError> {
        match &mut *self.lock() {
            Some(run) => act(run.machine()),
            None => Err(ActError::Over),
        }
    }

    /// Lets the guest run until the machine says what is waited for. Others get at it in between.
    pub(super) fn wait<R>(
        &self,
        mut done: impl FnMut(&mut Machine) -> Option<R>,
    ) -> Result<R, JoinError> {
        loop {
            {
                let mut run = self.lock();
                let machine = run.as_mut().ok_or(JoinError::Over)?.machine();
                if let Some(result) = done(machine) {
                    return Ok(result);
                }
                self.advance(machine, Machine::run)?;
            }
            // The lock is not a fair one.
            while self.waiting.load(Ordering::SeqCst) > 0 {
                thread::yield_now();
            }
        }
    }

    /// Lets the guest run for a slice, unless the machine says before what is asked for.
    pub(super) fn poll<R>(&self, mut done: impl FnMut(&mut Machine) -> Option<R>) -> Option<R> {
        let mut run = self.lock();
        let machine = run.as_mut()?.machine();
        if let Some(result) = done(machine) {
            return Some(result);
        }
        // Whoever waits is told of what goes wrong.
        let _ = self.advance(machine, Machine::run_a_slice);
        done(machine)
    }

    /// Lets threads run, and time pass where all wait for it.
    fn advance(
        &self,
        machine: &mut Machine,
        run: impl FnOnce(&mut Machine) -> Result<Pause, MachineError>,
    ) -> Result<(), JoinError> {
        self.deadlines().apply(machine);
        let failed = |error: MachineError| JoinError::Failed(Arc::new(error));
        match run(machine).map_err(failed)? {
            Pause::ThreadEnded(thread) => {
                self.deadlines().ended(thread);
                Ok(())
            }
            Pause::Interrupted | Pause::Alarm => Ok(()),
            Pause::Waiting { deadline: Some(_) } => {
                // It is refused only where nobody waits for a deadline.
                let _ = machine.elapse();
                Ok(())
            }
            Pause::Waiting { deadline: None } => Err(JoinError::Blocked),
            Pause::Ended => Err(JoinError::Over),
        }
    }
}

impl<Io: HostIo> ThreadRuntime<Io> {
    /// Sets a program up, and runs nothing of it. `io` are the guest's streams.
    ///
    /// # Errors
    /// [`MachineError`] if the program cannot be started.
    pub fn new(
        program: &Program,
        options: RunOptions,
        io: Io,
    ) -> Result<ThreadRuntime<Io>, MachineError> {
        ThreadRuntime::begin(program, options, io, None)
    }

    pub(super) fn begin(
        program: &Program,
        options: RunOptions,
        io: Io,
        recording: Option<Recording>,
    ) -> Result<ThreadRuntime<Io>, MachineError> {
        let control = Arc::clone(&options.control);
        let seed = options.spec.schedule.seed().unwrap_or_default();
        let (io, driven) = (Box::new(io), Driven::AsMainThread);
        let run = DrivenRun::new(program, options, io, recording.as_ref(), driven)?;
        Ok(ThreadRuntime {
            shared: Arc::new(Shared {
                run: Mutex::new(Some(run)),
                waiting: AtomicUsize::new(0),
                control,
                deadlines: Mutex::default(),
                seed,
            }),
            recording,
            io: PhantomData,
        })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Creates a thread that calls this exported function with these arguments. It runs when somebody waits.
    ///
    /// # Errors
    /// [`ActError::NoFunction`], [`ActError::Arguments`], [`ActError::TooManyThreads`], or [`ActError::Over`] if the run is.
    pub fn spawn(
        &self,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<ThreadHandle, ActError> {
        let args: Vec<Value> = args.into_iter().collect();
        let thread = self
            .shared
            .act(|machine| machine.spawn_with(export, &args))?;
        Ok(ThreadHandle::new(Arc::clone(&self.shared), thread))
    }

    /// Creates so many threads that call the same. If one cannot be created, those before it are not given back; they run all the same.
    ///
    /// # Errors
    /// See [`ThreadRuntime::spawn`].
    pub fn spawn_repeat(
        &self,
        export: &str,
        args: &[Value],
        count: usize,
    ) -> Result<Vec<ThreadHandle>, ActError> {
        (0..count)
            .map(|_| self.spawn(export, args.iter().copied()))
            .collect()
    }

    /// Reads the guest's memory, as an access of the main thread.
    ///
    /// # Errors
    /// [`ActError::OutOfBounds`], or [`ActError::Over`].
    pub fn mem_read(&self, addr: u32, len: u32) -> Result<Vec<u8>, ActError> {
        self.shared.act(|machine| machine.read(addr, len))
    }

    /// Writes to the guest's memory, as an access of the main thread.
    ///
    /// # Errors
    /// [`ActError::OutOfBounds`], or [`ActError::Over`].
    pub fn mem_write(&self, addr: u32, bytes: &[u8]) -> Result<(), ActError> {
        self.shared.act(|machine| machine.write(addr, bytes))
    }

    /// Lets threads go on that wait for this key of the embedder, `count` at most.
    ///
    /// # Errors
    /// [`ActError::Over`]
    pub fn wake(&self, key: u64, count: u32) -> Result<(), ActError> {
        self.shared.act(|machine| machine.wake(key, count))
    }

    /// Ends the run: the main thread returns, as after a last statement of its own. Threads that still run are treated as
    /// [`Entry::unfinished`](crate::model::Entry::unfinished) says, and have no deadlines of the host any more. Returns what the run showed.
    ///
    /// # Errors
    /// [`MachineError`]
    pub fn finish(mut self) -> Result<Outcome<Io>, MachineError> {
        let run = self.shared.lock().take();
        let run = run.expect("only this and the destructor take it");
        let mut outcome = run.finish()?;
        if let Some(recording) = self.recording.take() {
            recorded::complete(recording, &mut outcome);
        }
        Ok(outcome)
    }
}

impl<Io> Drop for ThreadRuntime<Io> {
    fn drop(&mut self) {
        let run = self.shared.lock().take();
        // Not under the lock: what the embedder gave is dropped with it.
        drop(run);
    }
}

/// Pages of memory that hold so many bytes.
///
/// ```
/// # use grind_runtime::host::shared_pages_for_bytes;
/// assert_eq!(shared_pages_for_bytes(65_537), 2);
/// ```
#[must_use]
pub fn shared_pages_for_bytes(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE)
}
