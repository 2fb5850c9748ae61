//! A run as an object that is driven.
//!
//! Only the engine behind [`Engine`] runs code of the guest; threads, time, the ring and the scheduler are [`State`]'s. What is here
//! lets threads have their turns, and comes back where the driver has something to say or to hear.
//!
//! A driver can act where the machine came back, and nowhere else: at an operation, at the end of a slice or of the fuel, where a
//! thread of its own ended, or where nobody can go on. Those places are counted ([`State::tick`]), each act is told to
//! [`HostIo::driven`](super::HostIo::driven) with the tick, and a repeated run is given it at the same one
//! ([`HostIo::next_act`](super::HostIo::next_act)). So a run that was driven is a function of its log, as any other.

use super::acts::{ActError, MAIN};
use super::engine::{self, Engine, Enter, Exit, Instance};
use super::instances::too_large;
use super::ops::Op;
use super::state::{State, Verdict};
use super::thread::{Status, TlsLayout};
use super::{MachineConfig, MachineError, PAGE, RunResult, RunStats, Trap, Value, embedded, entry};
use crate::model::{Driven, Ending, EventKind, LimitReached, ThreadId};
use crate::program::{Program, WasmType, hooks};
use crate::schedule::PointKind;
use std::collections::VecDeque;

/// Fuel for which a thread runs before a run that is made [in steps](Machine::run_a_little) comes back.
const PORTION: u64 = 50_000;

/// Why a machine came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pause {
    /// The run has come to its end: [`Machine::finish`].
    Ended,
    /// A thread that the driver created has ended. It is told once.
    ThreadEnded(ThreadId),
    /// What the driver [asked](Machine::ask) a thread to call has returned. It is told once.
    CallReturned(ThreadId),
    /// No thread can go on until the driver acts. With a deadline (virtual nanoseconds), one goes on if time
    /// [elapses](Machine::elapse).
    Waiting {
        /// The next deadline of a thread.
        deadline: Option<u64>,
    },
    /// Somebody asked for it: [`Control::interrupt`](crate::model::Control::interrupt).
    Interrupted,
    /// Virtual time has come to the point that [`Machine::set_alarm`] named. It is told once.
    Alarm,
}

/// A call that a thread makes.
#[derive(Debug)]
pub(super) struct Invocation {
    pub(super) export: String,
    pub(super) args: Vec<Value>,
}

/// The driver's half of a thread.
#[derive(Debug, Default)]
pub(super) struct Activation {
    pub(super) instance: Option<Instance>,
    /// Calls to make when the present one has returned.
    pub(super) queue: VecDeque<Invocation>,
    /// What the last call returned, where somebody may ask.
    results: Vec<Value>,
}

/// A thread that left the guest for no reason of its own: it goes on as if it had not.
#[derive(Debug)]
struct Interruption {
    thread: ThreadId,
    /// Fuel spent of what it was given.
    spent: u64,
    /// It is in a call of the host, which may suspend it.
    at_call: bool,
}

/// A run of a program; see the module.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grind_runtime::machine::{Machine, MachineConfig, NullIo, Pause, Value};
/// use grind_runtime::model::{Driven, NullSink};
/// use grind_runtime::program::Program;
/// use grind_runtime::schedule::Random;
///
/// let wasm = wat::parse_str(
///     r#"(module (func (export "double") (param i32) (result i32)
///         (i32.mul (local.get 0) (i32.const 2))))"#,
/// )?;
/// let program = Program::new(&wasm)?;
/// let scheduler = Box::new(Random::new(1));
/// let config = MachineConfig::new(scheduler, Box::new(NullSink), Box::new(NullIo));
/// let config = config.driven(Driven::AsMainThread);
/// let mut machine = Machine::new(&program, config)?;
/// let thread = machine.spawn(["double"], [21])?;
/// assert_eq!(machine.run()?, Pause::ThreadEnded(thread));
/// assert_eq!(machine.join(thread)?, Ok(vec![Value::I32(42)]));
/// machine.end()?;
/// assert_eq!(machine.run()?, Pause::Ended);
/// let result = machine.finish();
/// # let _ = result;
/// # Ok(())
/// # }
/// ```
pub struct Machine {
    pub(super) engine: Box<dyn Engine>,
    pub(super) threads: Vec<Activation>,
    /// Instances of finished threads.
    pub(super) spare: Vec<Instance>,
    instances: u32,
    steps: u64,
    /// Fuel given at a time.
    fuel: u64,
    /// Of that, what is given before the machine comes back, if it was asked to.
    portion: u64,
    /// Where the machine came back in the middle of a thread's turn.
    interruption: Option<Interruption>,
    /// Fuel that the present thread has spent of what it was given, before such a place.
    spent: u64,
    /// What all calls returned that the program's [`Driver`](crate::program::embedder::Driver) wanted.
    returned: Vec<u64>,
    /// The main thread is in such a call.
    in_call: bool,
    pub(super) driven: Driven,
    /// What the next [`DriverAct::Extend`](super::io::DriverAct) puts in place, where the driver has made it.
    pub(super) extended: Option<Program>,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let threads = self.threads.len();
        f.debug_struct("Machine")
            .field("threads", &threads)
            .finish()
    }
}

impl Machine {
    /// Sets a program up, and runs nothing of it.
    ///
    /// # Errors
    /// [`MachineError`] if it cannot be started.
    pub fn new(program: &Program, config: MachineConfig) -> Result<Machine, MachineError> {
        let as_main = config.driven == Driven::AsMainThread;
        let functions = match as_main {
            true if config.spec.entry.function.is_some() => {
                return Err(MachineError::Contradiction(
                    "it names a function to run, and the driver is the main thread",
                ));
            }
            true => Vec::new(),
            false => entry::functions(program, &config.spec.entry)?,
        };
        let mut machine = Machine::bare(program, config, functions)?;
        let state = machine.engine.state_mut();
        state.control.begin();
        if as_main {
            state.main_is_the_driver();
        } else {
            state.point(PointKind::Blocked, None);
        }
        state.expect_act();
        Ok(machine)
    }

    /// The same, where nobody has had a turn.
    pub(super) fn bare(
        program: &Program,
        config: MachineConfig,
        functions: Vec<String>,
    ) -> Result<Machine, MachineError> {
        let engine = engine::named(config.engine.as_deref())?;
        let pages = initial_pages(program, &config)?;
        let (fuel, driven) = (config.fuel, config.driven);
        let mut state = State::new(program, config, functions);
        if !state.instances.reserve() {
            return Err(too_large(program.info()));
        }
        let mut engine = (engine.start)(program, state, pages)?;
        write_data(program, engine.memory_and_state().0)?;
        Ok(Machine {
            engine,
            threads: Vec::new(),
            spare: Vec::new(),
            instances: 0,
            steps: 0,
            fuel,
            extended: None,
            portion: u64::MAX,
            interruption: None,
            spent: 0,
            returned: Vec::new(),
            in_call: false,
            driven,
        })
    }

    /// Lets threads run until there is something to say.
    ///
    /// # Errors
    /// [`MachineError::Scheduler`] if the scheduler decides what it cannot, [`MachineError`] for what only shows when a thread enters
    /// the guest.
    pub fn run(&mut self) -> Result<Pause, MachineError> {
        let state = self.engine.state_mut();
        // What there was to do where it came back is done.
        state.at_place = state.idle;
        state.paused |= state.alarm_is_reached();
        loop {
            let state = self.engine.state_mut();
            if state.ending.is_some() {
                return match state.wrong_decision.take() {
                    Some(error) => Err(error),
                    None => Ok(Pause::Ended),
                };
            }
            // A replay learns that the driver acts here by what was recorded since the place was counted.
            state.paused |= state.at_place && state.control.interrupted();
            if std::mem::take(&mut state.paused) {
                let interrupted = self.at_pause()?;
                if self.engine.state_mut().take_alarm() {
                    return Ok(Pause::Alarm);
                }
                if interrupted {
                    return Ok(Pause::Interrupted);
                }
            }
            let state = self.engine.state_mut();
            if let Some(news) = state.news.pop_front() {
                return Ok(news);
            }
            if state.idle {
                state.reschedule();
                if state.idle {
                    state.io.idle();
                    if state.stopping() {
                        continue;
                    }
                }
                if state.idle {
                    let deadline = state.clock.next();
                    if self.passes_to_the_alarm(deadline) {
                        return Ok(Pause::Alarm);
                    }
                    return Ok(Pause::Waiting { deadline });
                }
                // Who goes on was decided: an act at this place would come before that in a repeated run.
                state.at_place = false;
                continue;
            }
            state.at_place = false;
            let thread = state.current;
            let status = &mut state.thread_mut().status;
            let Status::Ready(op) = std::mem::replace(status, Status::Running) else {
                unreachable!("the scheduler picks runnable threads only");
            };
            self.step(thread, op)?;
            if self.interruption.as_ref().is_some_and(|one| !one.at_call) {
                // No place of the driver's: it is none in a run that is not cut.
                return Ok(Pause::Interrupted);
            }
        }
    }

    /// Lets threads run to the next place where a driver could act, at most for the fuel of one; one has a turn, if one can.
    ///
    /// # Errors
    /// See [`Machine::run`].
    pub fn run_a_slice(&mut self) -> Result<Pause, MachineError> {
        self.interrupt_who_has_a_turn();
        self.run()
    }

    /// Who has a turn ends it soon; where nobody can go on, that is what there is to say.
    fn interrupt_who_has_a_turn(&mut self) {
        let state = self.engine.state_mut();
        if state.idle {
            state.reschedule();
        }
        if !state.idle {
            state.control.interrupt();
        }
    }

    /// Runs to the end, where nobody is outside but what a log says of him: a driver that still could act ends as soon as it is for
    /// it to say how the run goes on.
    ///
    /// # Errors
    /// See [`Machine::run`].
    pub fn run_to_the_end(mut self) -> Result<RunResult, MachineError> {
        self.run_to_its_end()?;
        Ok(self.finish())
    }

    /// The same, where it is finished by somebody else.
    pub(crate) fn run_to_its_end(&mut self) -> Result<(), MachineError> {
        self.portion = u64::MAX;
        while !self.run_undriven()? {}
        Ok(())
    }

    /// Lets threads run until the next place where a driver could act, or until one has used up [`PORTION`]: a millisecond or
    /// so, whatever the guest does, but for a call of the host and an instruction that takes longer by itself. Returns whether the run
    /// has come to its end. What happens in a run does not depend on whether it is cut.
    pub(crate) fn run_a_little(&mut self) -> Result<bool, MachineError> {
        self.portion = PORTION;
        self.interrupt_who_has_a_turn();
        self.run_undriven()
    }

    /// Runs on, where nobody is outside but what a log says of him. Returns whether the run has come to its end.
    fn run_undriven(&mut self) -> Result<bool, MachineError> {
        match self.run()? {
            Pause::Ended => return Ok(true),
            Pause::Waiting { .. } => {
                // It can be refused only where it has happened.
                let _ = self.end();
            }
            Pause::ThreadEnded(_) | Pause::CallReturned(_) | Pause::Interrupted | Pause::Alarm => {}
        }
        Ok(false)
    }

    /// Does what the driver did here when the run was recorded. Returns whether somebody asked for the run to come back.
    fn at_pause(&mut self) -> Result<bool, MachineError> {
        let state = self.engine.state_mut();
        let interrupted = state.control.take_interrupt();
        while self.engine.state().ending.is_none()
            && let Some((tick, act)) = self.engine.state_mut().io.next_act()
        {
            if tick > self.engine.state().tick {
                break;
            }
            match self.act(act) {
                // What found no room then finds none now, and is told of as it was.
                Ok(_) | Err(ActError::TooManyThreads) => {}
                Err(why) => return Err(MachineError::Act { tick, why }),
            }
        }
        self.engine.state_mut().expect_act();
        Ok(interrupted)
    }

    /// How the run ended, if it has.
    pub(crate) fn ending(&self) -> Option<&Ending> {
        self.engine.state().ending.as_ref()
    }

    /// Wasm instructions so far, about.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Ends the run where it is, and gives back what it was given.
    #[must_use]
    pub fn finish(mut self) -> RunResult {
        let state = self.engine.state_mut();
        state.end(Ending::Halted);
        state.cancel_all();
        let memory = self.engine.memory().len() as u64;
        let code = self.take_results(MAIN).first().copied();
        let state = self.engine.into_state();
        let ending = match (state.ending, code) {
            (Some(Ending::Returned), Some(Value::I32(code))) => Ending::Exited(code),
            (Some(ending), _) => ending,
            (None, _) => unreachable!("it has just ended"),
        };
        RunResult {
            ending,
            stats: RunStats {
                words: state.delivered,
                events: state.events,
                threads: state.threads.len() as u32,
                steps: self.steps,
                nanoseconds: state.clock.now(),
                memory,
                instances: self.instances,
            },
            traps: state.traps,
            limits_reached: state.limits_reached,
            scheduler: state.scheduler,
            sink: state.sink,
            io: state.io,
        }
    }

    // ---- threads -------------------------------------------------------------------------------

    /// Lets a thread go on with `op` until it suspends, ends, or another has its turn.
    fn step(&mut self, thread: ThreadId, op: Op) -> Result<(), MachineError> {
        let interruption = self.interruption.take().filter(|one| one.thread == thread);
        self.spent = interruption.as_ref().map_or(0, |one| one.spent);
        let verdict = match op {
            Op::Start => {
                self.enter(thread)?;
                return self.call_next(thread);
            }
            Op::Called => return self.call_next(thread),
            Op::Refuelled => Verdict::Value(0),
            Op::Drained => Verdict::Value(u64::from(self.engine.state_mut().next_slot())),
            op => self.engine.perform(op),
        };
        if interruption.is_some_and(|one| one.at_call) && verdict == Verdict::Suspend {
            self.note_stack(thread);
        }
        self.follow(thread, verdict)
    }

    /// Does what an operation of the thread came to.
    fn follow(&mut self, thread: ThreadId, verdict: Verdict) -> Result<(), MachineError> {
        if !matches!(verdict, Verdict::Value(_)) {
            // It leaves the guest, and is given fuel anew.
            self.spent = 0;
        }
        match verdict {
            Verdict::Value(value) => self.go(thread, Enter::Resume(value)),
            Verdict::Suspend | Verdict::Pause | Verdict::Stop => Ok(()),
            Verdict::Trap(trap) => {
                self.trapped(thread, trap);
                Ok(())
            }
            Verdict::EndThread => {
                self.returned(thread);
                Ok(())
            }
            Verdict::Call { export, args } => {
                let instance = self.activation(thread).instance;
                if instance.is_some_and(|one| self.engine.exports_function(one, export)) {
                    let args = args.iter().copied().map(Value::from).collect();
                    let export = export.to_owned();
                    (self.activation(thread).queue).push_front(Invocation { export, args });
                    self.call_next(thread)
                } else {
                    // Without the export the host call goes on as if the allocation had failed.
                    let verdict = self.nested_result(0);
                    self.follow(thread, verdict)
                }
            }
        }
    }

    /// The function called on behalf of a host call returned `value`.
    fn nested_result(&mut self, value: u64) -> Verdict {
        match self.engine.state_mut().thread_mut().after_calls.pop() {
            Some(Op::Host { function, mut args }) => {
                args.push(value);
                self.engine.perform(Op::Host { function, args })
            }
            _ => unreachable!("a nested call is made for a host function"),
        }
    }

    pub(super) fn activation(&mut self, thread: ThreadId) -> &mut Activation {
        let index = thread.0 as usize;
        if self.threads.len() <= index {
            self.threads.resize_with(index + 1, Activation::default);
        }
        &mut self.threads[index]
    }

    /// What a thread's last call returned.
    pub(super) fn take_results(&mut self, thread: ThreadId) -> Vec<Value> {
        std::mem::take(&mut self.activation(thread).results)
    }

    /// Gives a new thread its instance and its list of calls.
    fn enter(&mut self, thread: ThreadId) -> Result<(), MachineError> {
        let instance = match self.spare.pop() {
            Some(instance) => {
                self.engine.reset(instance)?;
                instance
            }
            None => self.instantiate()?,
        };
        let call = |export: &str, args| Invocation {
            export: export.to_owned(),
            args,
        };
        let mut queue = VecDeque::new();
        let mut add = |engine: &dyn Engine, export: &str, args: Vec<Value>| {
            if engine.exports_function(instance, export) {
                queue.push_back(call(export, args));
            }
        };
        add(&*self.engine, hooks::START, Vec::new());
        let entry = self.engine.state().thread().entry.clone();
        if let Some(stack) = entry.stack {
            add(&*self.engine, "__wasm_init_tls", vec![stack.tls.into()]);
            let top = Value::from(stack.top);
            (self.engine).set_global(instance, "__stack_pointer", top);
        } else if thread == MAIN
            && let Some(top) = self.engine.stack_pointer(instance)
        {
            self.engine.state_mut().stack_begins(top);
        }
        // Without a function it is the main thread, whose calls the program's driver decides.
        if let Some((last, first)) = entry.exports.split_last() {
            for name in first {
                add(&*self.engine, name, Vec::new());
            }
            queue.push_back(self.invocation(last, &entry.args));
        }
        *self.activation(thread) = Activation {
            instance: Some(instance),
            queue,
            results: Vec::new(),
        };
        self.engine.state_mut().emit(EventKind::ThreadStart);
        Ok(())
    }

    /// A call of this exported function, with arguments as bits.
    pub(super) fn invocation(&self, export: &str, args: &[u64]) -> Invocation {
        let params = self.engine.state().program.info().params_of_export(export);
        let args = (params.unwrap_or_default().iter().enumerate()).map(|(index, &ty)| {
            let bits = args.get(index).copied().unwrap_or(0);
            Value::number(bits, ty).unwrap_or(Value::NullFunc)
        });
        Invocation {
            export: export.to_owned(),
            args: args.collect(),
        }
    }

    pub(super) fn instantiate(&mut self) -> Result<Instance, MachineError> {
        let instance = self.engine.instantiate()?;
        self.instances += 1;
        if self.engine.state().tls_layout.is_none() {
            let read = |name| match self.engine.global(instance, name)? {
                Value::I32(value) => Some(value.cast_unsigned()),
                _ => None,
            };
            let layout = read("__tls_size").zip(read("__tls_align"));
            self.engine.state_mut().tls_layout =
                layout.map(|(size, align)| TlsLayout { size, align });
        }
        Ok(instance)
    }

    /// Makes the next call of a thread's list, or ends the thread.
    pub(super) fn call_next(&mut self, thread: ThreadId) -> Result<(), MachineError> {
        let next = match self.activation(thread).queue.pop_front() {
            None if thread == MAIN => match self.next_driven() {
                Ok(next) => next,
                Err(trap) => {
                    self.trapped(thread, trap);
                    return Ok(());
                }
            },
            None if self.engine.state().thread().kept.is_some() => match self.next_asked() {
                None if self.engine.state_mut().park() => return Ok(()),
                next => next,
            },
            next => next,
        };
        let (Some(Invocation { export, args }), Some(instance)) =
            (next, self.activation(thread).instance)
        else {
            self.returned(thread);
            return Ok(());
        };
        let call = Enter::Call {
            instance,
            export: &export,
            args: &args,
        };
        self.go(thread, call)
    }

    /// What the program's driver wants the main thread to call, if there is one.
    fn next_driven(&mut self) -> Result<Option<Invocation>, Trap> {
        let Some(driver) = self.engine.state().program.driver().cloned() else {
            return Ok(None);
        };
        let results = self.take_results(MAIN);
        if std::mem::replace(&mut self.in_call, true) {
            self.returned
                .push(results.first().map_or(0, |result| result.bits()));
        }
        let (memory, state) = self.engine.memory_and_state();
        let Some(call) = embedded::next_call(state, memory, &driver, &self.returned)? else {
            return Ok(None);
        };
        let (export, given) = (call.export(), call.args());
        let Some(params) = self.engine.state().program.info().params_of_export(export) else {
            return Err(Trap::Embedder(format!(
                "there is no exported function `{export}`"
            )));
        };
        let number = |(&bits, &ty): (&u64, &WasmType)| Value::number(bits, ty);
        let args: Option<Vec<Value>> = given.iter().zip(params).map(number).collect();
        match args.filter(|_| params.len() == given.len()) {
            Some(args) => Ok(Some(Invocation {
                export: export.to_owned(),
                args,
            })),
            None => Err(Trap::Embedder(format!(
                "the export `{export}` does not take {} numbers",
                given.len()
            ))),
        }
    }

    /// Lets a thread run code of the guest, and does what came of it.
    fn go(&mut self, thread: ThreadId, enter: Enter<'_>) -> Result<(), MachineError> {
        let left = match self.engine.state().limits.steps {
            Some(limit) => limit.saturating_sub(self.steps),
            None => u64::MAX,
        };
        let before = std::mem::take(&mut self.spent);
        let fuel = self.fuel.saturating_sub(before).min(left).max(1);
        let (exit, spent) = (self.engine).run(thread, enter, fuel.min(self.portion))?;
        self.steps += spent;
        match exit {
            Exit::Returned(results) => {
                if !self.engine.state().thread().after_calls.is_empty() {
                    let value = results.first().map_or(0, |result| result.bits());
                    let verdict = self.nested_result(value);
                    return self.follow(thread, verdict);
                }
                self.activation(thread).results = results;
                self.call_next(thread)
            }
            // In a run to which nobody comes it goes on in the guest.
            Exit::Left(Verdict::Pause) => {
                self.interruption = Some(Interruption {
                    thread,
                    spent: before + spent,
                    at_call: true,
                });
                Ok(())
            }
            Exit::Left(verdict) => {
                if verdict == Verdict::Suspend {
                    self.note_stack(thread);
                }
                self.follow(thread, verdict)
            }
            // Nothing has happened: with all of its fuel, the thread had gone on here.
            Exit::OutOfFuel { needs } if needs <= fuel.saturating_sub(spent) => {
                self.interruption = Some(Interruption {
                    thread,
                    spent: before + spent,
                    at_call: false,
                });
                let state = self.engine.state_mut();
                state.thread_mut().status = Status::Ready(Op::Refuelled);
                Ok(())
            }
            Exit::OutOfFuel { .. } => {
                self.note_stack(thread);
                let state = self.engine.state_mut();
                state.thread_mut().status = Status::Ready(Op::Refuelled);
                state.refuel(before + spent);
                if state.limits.steps.is_some_and(|limit| self.steps >= limit) {
                    state.limits_reached.insert(LimitReached::Steps);
                    state.end(Ending::OutOfSteps);
                }
                Ok(())
            }
            Exit::Trapped(trap) => {
                self.trapped(thread, trap);
                Ok(())
            }
        }
    }

    /// While a thread is suspended, and only then, others can reach what is on its stack.
    fn note_stack(&mut self, thread: ThreadId) {
        if let Some(instance) = self.activation(thread).instance
            && let Some(pointer) = self.engine.stack_pointer(instance)
        {
            self.engine.state_mut().stack_reaches(thread, pointer);
        }
    }

    fn returned(&mut self, thread: ThreadId) {
        self.engine.forget(thread);
        self.recycle(thread);
        self.engine.state_mut().returned();
    }

    fn trapped(&mut self, thread: ThreadId, trap: Trap) {
        self.engine.forget(thread);
        *self.activation(thread) = Activation::default();
        let memory = self.engine.memory().len();
        self.engine.state_mut().trapped(trap, memory);
    }

    /// The instance of a thread that has ended may serve another one.
    pub(super) fn recycle(&mut self, thread: ThreadId) {
        let activation = self.activation(thread);
        activation.queue = VecDeque::new();
        let instance = activation.instance.take();
        if self.engine.state().program.instances_recyclable()
            && let Some(instance) = instance
        {
            self.spare.push(instance);
            self.engine.state_mut().instances.recycled();
        }
    }
}

/// Pages of memory that a run begins with.
fn initial_pages(program: &Program, config: &MachineConfig) -> Result<u32, MachineError> {
    let shape = program.info().memory;
    let wanted = config.spec.initial_memory.unwrap_or(0).div_ceil(PAGE);
    let most = shape.map_or(0, |memory| memory.maximum.unwrap_or(PAGE as u32));
    let pages = match u32::try_from(wanted) {
        Ok(wanted) if wanted <= most => wanted.max(shape.map_or(0, |memory| memory.minimum)),
        _ => {
            return Err(MachineError::InitialMemory {
                wanted: wanted.saturating_mul(PAGE),
                maximum: u64::from(most) * PAGE,
            });
        }
    };
    let (wanted, limit) = (u64::from(pages) * PAGE, config.spec.limits.memory);
    match wanted > limit {
        true => Err(MachineError::Memory { wanted, limit }),
        false => Ok(pages),
    }
}

/// The active data segments, which all threads share.
fn write_data(program: &Program, memory: &mut [u8]) -> Result<(), MachineError> {
    for segment in &program.info().active_data {
        let data = &program.original()[segment.bytes.clone()];
        // Only an imported global could leave it open, and those are refused.
        let address = segment.address.unwrap_or(u32::MAX);
        let start = address as usize;
        match memory.get_mut(start..start.saturating_add(data.len())) {
            Some(target) => target.copy_from_slice(data),
            None => {
                return Err(MachineError::DataSegment {
                    address,
                    len: data.len(),
                });
            }
        }
    }
    Ok(())
}
