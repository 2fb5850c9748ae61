//! The runtime: a run whose main thread is the host.

use super::Instance;
use super::handle::ThreadHandle;
use super::recorded;
use super::shared::{How, Shared, now};
use crate::machine::{ActError, HostIo, MachineError, PAGE, Value};
use crate::model::{Driven, Unfinished};
use crate::program::embedder::RESERVED_KEYS;
use crate::program::{Modules, Program, export_name};
use crate::session::{DrivenRun, Outcome, Recording, RunOptions, Step, SteppedRun};
use std::fmt;
use std::future;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

/// Steps of a run for which a poll lets it go on.
const STEPS: u32 = 8;

/// Runs threads of a program over one shared memory, as the host asks for them. See [`host`](super) for an example.
///
/// Dropped, it ends the run where it is, at once: whoever waits for a thread of it is told so.
pub struct ThreadRuntime<Io> {
    shared: Arc<Shared>,
    /// Where the run is recorded.
    recording: Option<Recording>,
    /// The main thread waits for the others when it ends.
    waits_at_end: bool,
    /// Its modules, where more can be added.
    pub(super) modules: Option<Mutex<Modules>>,
    io: PhantomData<fn() -> Io>,
}

impl<Io> fmt::Debug for ThreadRuntime<Io> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadRuntime").finish_non_exhaustive()
    }
}

impl<Io: HostIo> ThreadRuntime<Io> {
    /// Sets a program up, and runs nothing of it. `io` are the guest's streams.
    ///
    /// # Errors
    /// [`MachineError`] if the program cannot be started.
    pub fn with_program(
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
        let waits_at_end = options.spec.entry.unfinished == Unfinished::Wait;
        let (io, driven) = (Box::new(io), Driven::AsMainThread);
        let shared = Shared::begin(program, options, io, recording.as_ref(), driven)?;
        Ok(ThreadRuntime {
            shared: Arc::new(shared),
            recording,
            waits_at_end,
            modules: None,
            io: PhantomData,
        })
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The program that it runs, with all modules that were [added](ThreadRuntime::add): what a report is made with.
    ///
    /// # Errors
    /// [`ActError::Over`], [`ActError::Reentered`]
    pub fn program(&self) -> Result<Program, ActError> {
        self.shared.act(|machine| Ok(machine.program().clone()))
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

    /// Creates a thread that calls this exported function of one of the program's [`Modules`](super::Modules).
    ///
    /// # Errors
    /// See [`ThreadRuntime::spawn`].
    pub fn spawn_in(
        &self,
        module: &str,
        export: &str,
        args: impl IntoIterator<Item = Value>,
    ) -> Result<ThreadHandle, ActError> {
        self.spawn(&export_name(module, export), args)
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

    /// Makes an instance in which the host calls exported functions one after the other.
    ///
    /// # Errors
    /// [`ActError::TooManyThreads`], [`ActError::Over`]
    pub fn instance(&self) -> Result<Instance, ActError> {
        Instance::open(&self.shared)
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
        // Keys beyond are of calls that are in flight.
        match key < RESERVED_KEYS {
            true => self.shared.act(|machine| machine.wake(key, count)),
            false => Ok(()),
        }
    }

    /// Ends the run: the main thread returns, as after a last statement of its own. Threads that still run are treated as
    /// [`Entry::unfinished`](crate::model::Entry::unfinished) says, and have no deadlines of the host any more. Returns what the run showed.
    ///
    /// # Errors
    /// [`MachineError`]
    ///
    /// # Panics
    /// In a function that the guest calls.
    pub fn finish(mut self) -> Result<Outcome<Io>, MachineError> {
        now(self.calls_end(How::Blocking));
        let mut outcome = self.take().finish()?;
        self.complete(&mut outcome);
        Ok(outcome)
    }

    /// The same for who awaits it: what is left of the run, and the second pass of one that raced, are run a little at each poll.
    ///
    /// # Errors
    /// [`MachineError`]
    ///
    /// # Panics
    /// In a function that the guest calls.
    pub async fn finish_async(mut self) -> Result<Outcome<Io>, MachineError> {
        self.calls_end(How::Awaiting).await;
        let mut outcome = in_steps(self.take().finish_in_steps()).await?;
        self.complete(&mut outcome);
        Ok(outcome)
    }

    /// Where the main thread waits for the others when it ends, it does so for their calls.
    async fn calls_end(&self, how: How) {
        if self.waits_at_end {
            let calls = self.shared.in_flight();
            // Whatever keeps them from it is in what came of the run.
            let _ = (self.shared.wait_as(how, |_| (!calls.any()).then_some(()))).await;
        }
    }

    fn take(&self) -> DrivenRun {
        let run = self.shared.take();
        run.expect("a function that the guest calls cannot finish its run")
    }

    fn complete(&mut self, outcome: &mut Outcome<Io>) {
        if let Some(recording) = self.recording.take() {
            recorded::complete(recording, outcome);
        }
    }
}

impl<Io> Drop for ThreadRuntime<Io> {
    fn drop(&mut self) {
        // Not under the lock: what the embedder gave is dropped with it.
        drop(self.shared.take());
    }
}

/// Makes some steps of a run at each poll, until it has come to its end.
pub(super) async fn in_steps<Io: HostIo>(
    mut run: SteppedRun<Io>,
) -> Result<Outcome<Io>, MachineError> {
    loop {
        for _ in 0..STEPS {
            match run.step()? {
                Step::More(left) => run = left,
                Step::Done((mut outcome, trace)) => {
                    if let Some(trace) = trace {
                        recorded::end(trace, &mut outcome);
                    }
                    return Ok(outcome);
                }
            }
        }
        let mut polled = false;
        let others_first = |context: &mut Context<'_>| match std::mem::replace(&mut polled, true) {
            true => Poll::Ready(()),
            false => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        };
        future::poll_fn(others_first).await;
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
