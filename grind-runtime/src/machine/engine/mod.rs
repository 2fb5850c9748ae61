//! The engine: the only module that names wasmi.
//!
//! One `Store`, one instance per guest thread, one memory and one ring for all. A thread is suspended by a
//! host function that returns an error, and resumed with that function's result.

mod errors;
mod instances;
mod link;
mod session;

pub(super) use instances::Instances;
pub use session::{Session, Value};

use crate::machine::intercepts;
use crate::machine::ops::{self, Op};
use crate::machine::state::{Filled, State, Verdict};
use crate::machine::thread::{Status, TlsLayout};
use crate::machine::{MachineConfig, MachineError, RunResult, RunStats, Trap};
use crate::model::limits::LimitReached;
use crate::model::{Ending, Entry, EventKind, ThreadId};
use crate::program::{Program, hooks};
use crate::schedule::PointKind;
use errors::{compile_error, instantiation_error, too_large};
use link::{Leave, Shared, from_val, to_val};
use std::collections::VecDeque;
use std::sync::Arc;
use wasmi::{
    CompilationMode, Config, Engine, Error, ExternType, Func, Global, Instance, Linker, Memory,
    MemoryType, Module, Ref, ResumableCall, ResumableCallHostTrap, ResumableCallOutOfFuel, Store,
    Table, TrapCode, Val, ValType,
};

/// Frames of one thread. Native stacks of 8 MiB hold about as many.
const RECURSION: usize = 50_000;

/// Bytes of one thread's value stack at most.
const VALUE_STACK: usize = 64 << 20;

/// An instance and what has to be put back before another thread uses it.
struct Guest {
    instance: Instance,
    globals: Vec<(Global, Val)>,
    stack_pointer: Option<Global>,
}

enum Suspended {
    HostCall(ResumableCallHostTrap),
    /// The fuel ended, with this in [`Shared::slot`]: between a call and the first instruction of the function called, or of
    /// one that makes a single record, nothing else knows where the thread's next record goes.
    Fuel(ResumableCallOutOfFuel, u32),
}

/// The engine's half of a thread.
#[derive(Default)]
struct Activation {
    guest: Option<Guest>,
    /// Calls to make when the present one has returned.
    queue: VecDeque<(Func, Vec<Val>)>,
    /// Suspended calls, innermost last: more than one while the host calls the guest's allocator.
    suspended: Vec<(Suspended, Vec<Val>)>,
}

struct Runner<'a> {
    program: &'a Program,
    module: Arc<Module>,
    linker: Linker<State>,
    store: Store<State>,
    shared: Shared,
    threads: Vec<Activation>,
    spare: Vec<Guest>,
    instances: u32,
    steps: u64,
    /// Fuel given at a time.
    fuel: u64,
    fuel_given: u64,
    /// What the main thread's last call returned.
    main_results: Vec<Val>,
    /// What all calls returned that the driver wanted.
    driven: Vec<u64>,
    /// The main thread is in such a call.
    in_driven: bool,
}

pub(super) fn run(program: &Program, config: MachineConfig) -> Result<RunResult, MachineError> {
    let entry = entry(program, &config.spec.entry)?;
    let mut runner = Runner::new(program, config, entry)?;
    runner.store.data_mut().control.begin();
    runner.store.data_mut().point(PointKind::Blocked);
    runner.run()?;
    Ok(runner.finish())
}

/// The functions the main thread runs, one after the other.
fn entry(program: &Program, wanted: &Entry) -> Result<Vec<String>, MachineError> {
    if program.driver().is_some() {
        return Ok(Vec::new());
    }
    const START: &str = "_start";
    const INITIALIZE: &str = "_initialize";
    let info = program.info();
    let error = |problem: String| MachineError::Entry {
        problem,
        exports: info.exported_functions().map(str::to_owned).collect(),
    };
    let exported = |name: &str| info.exported_function(name).is_some();
    let name = match wanted.function.as_deref() {
        Some(name) => name,
        None => [START, "main"]
            .into_iter()
            .find(|name| exported(name))
            .ok_or_else(|| error("the module exports neither `_start` nor `main`".to_owned()))?,
    };
    let mut names = Vec::new();
    if wanted.after_start && name != START {
        names.push(START);
    } else if name != START && name != INITIALIZE && exported(INITIALIZE) {
        names.push(INITIALIZE);
    }
    names.push(name);
    for &name in &names {
        let Some(index) = info.exported_function(name) else {
            return Err(error(format!("there is no exported function `{name}`")));
        };
        let params = (info.function_type(index)).map_or(0, |ty| ty.params().len());
        // A C or Rust `main(argc, argv)` is called without arguments.
        if params != 0 && name != "main" {
            return Err(error(format!(
                "`{name}` takes {params} parameters, which cannot be given"
            )));
        }
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

fn engine_error(error: impl std::fmt::Display) -> MachineError {
    MachineError::Engine(error.to_string())
}

impl<'a> Runner<'a> {
    fn new(
        program: &'a Program,
        config: MachineConfig,
        entry: Vec<String>,
    ) -> Result<Self, MachineError> {
        let translated = program.translated(|| translate(program))?;
        let shape = program.info().memory;
        let wanted = config.spec.initial_memory.unwrap_or(0).div_ceil(65_536);
        let most = shape.map_or(0, |memory| memory.maximum.unwrap_or(65_536));
        let pages = match u32::try_from(wanted) {
            Ok(wanted) if wanted <= most => wanted.max(shape.map_or(0, |memory| memory.minimum)),
            _ => {
                return Err(MachineError::InitialMemory {
                    wanted: wanted.saturating_mul(65_536),
                    maximum: u64::from(most) * 65_536,
                });
            }
        };
        let (wanted, limit) = (u64::from(pages) * 65_536, config.spec.limits.memory);
        if wanted > limit {
            return Err(MachineError::Memory { wanted, limit });
        }
        let fuel = config.fuel;
        let mut store = Store::new(translated.engine(), State::new(program, config, entry));
        store.limiter(|state| &mut state.instances);
        if !store.data_mut().instances.reserve() {
            return Err(too_large(program.info()));
        }
        let memory_type = MemoryType::new(pages, shape.and_then(|memory| memory.maximum));
        let shared = Shared {
            memory: Memory::new(&mut store, memory_type).map_err(engine_error)?,
            ring: Memory::new(&mut store, MemoryType::new(1, Some(1))).map_err(engine_error)?,
            slot: Global::new(&mut store, Val::I32(0), wasmi::Mutability::Var),
        };
        write_data(program, &mut store, shared.memory)?;
        let linker = link::link(program, &translated, &mut store, shared).map_err(engine_error)?;
        Ok(Runner {
            program,
            module: translated,
            linker,
            store,
            shared,
            threads: Vec::new(),
            spare: Vec::new(),
            instances: 0,
            steps: 0,
            fuel,
            fuel_given: 0,
            main_results: Vec::new(),
            driven: Vec::new(),
            in_driven: false,
        })
    }

    fn run(&mut self) -> Result<(), MachineError> {
        while self.store.data().ending.is_none() {
            let thread = self.store.data().current;
            let status = &mut self.store.data_mut().thread_mut().status;
            let Status::Ready(op) = std::mem::replace(status, Status::Running) else {
                unreachable!("the scheduler picks runnable threads only");
            };
            self.step(thread, op)?;
        }
        match self.store.data_mut().wrong_decision.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn finish(mut self) -> RunResult {
        self.store.data_mut().cancel_all();
        let memory = self.shared.memory.data_size(&self.store) as u64;
        // Suspended calls hold stacks of the engine; they go before the store does.
        drop(self.threads);
        let state = self.store.into_data();
        let ending = match (state.ending, self.main_results.first()) {
            (Some(Ending::Returned), Some(Val::I32(code))) => Ending::Exited(*code),
            (Some(ending), _) => ending,
            (None, _) => unreachable!("the run goes on until it has an ending"),
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

    /// Lets a thread go on with `op` until it suspends, ends, or another has its turn.
    fn step(&mut self, thread: ThreadId, op: Op) -> Result<(), MachineError> {
        let verdict = match op {
            Op::Start => {
                self.enter(thread)?;
                return self.call_next(thread);
            }
            Op::Refuelled => Verdict::Value(0),
            Op::Drained => Verdict::Value(u64::from(self.store.data_mut().next_slot())),
            op => self.shared.perform(&mut self.store, op),
        };
        self.follow(thread, verdict)
    }

    /// Does what an operation of the thread came to.
    fn follow(&mut self, thread: ThreadId, verdict: Verdict) -> Result<(), MachineError> {
        match verdict {
            Verdict::Value(value) => self.resume(thread, value),
            Verdict::Suspend | Verdict::Stop => Ok(()),
            Verdict::Trap(trap) => {
                self.trapped(thread, trap);
                Ok(())
            }
            Verdict::EndThread => {
                self.returned(thread);
                Ok(())
            }
            Verdict::Call { export, args } => {
                let guest = self.threads[thread.0 as usize].guest.as_ref();
                match guest.and_then(|guest| guest.instance.get_func(&self.store, export)) {
                    Some(function) => {
                        let args = args
                            .iter()
                            .map(|&arg| Val::I32(arg.cast_signed()))
                            .collect();
                        self.activation(thread).queue.push_front((function, args));
                        self.call_next(thread)
                    }
                    // Without the export the host call goes on as if the allocation had failed.
                    None => {
                        let verdict = self.nested_result(0);
                        self.follow(thread, verdict)
                    }
                }
            }
        }
    }

    /// The function called on behalf of a host call returned `value`.
    fn nested_result(&mut self, value: u64) -> Verdict {
        let (memory, state) = self.shared.memory.data_and_store_mut(&mut self.store);
        match state.thread_mut().after_calls.pop() {
            Some(Op::Host { function, mut args }) => {
                args.push(value);
                state.perform(memory, Op::Host { function, args })
            }
            _ => unreachable!("a nested call is made for a host function"),
        }
    }

    fn activation(&mut self, thread: ThreadId) -> &mut Activation {
        &mut self.threads[thread.0 as usize]
    }

    /// Gives a new thread its instance and its list of calls.
    fn enter(&mut self, thread: ThreadId) -> Result<(), MachineError> {
        let guest = match self.spare.pop() {
            Some(guest) => {
                for (global, value) in &guest.globals {
                    global
                        .set(&mut self.store, value.clone())
                        .map_err(engine_error)?;
                }
                guest
            }
            None => self.instantiate()?,
        };
        let export = |name: &str| guest.instance.get_func(&self.store, name);
        let mut queue = VecDeque::new();
        queue.extend(export(hooks::START).map(|start| (start, Vec::new())));
        let entry = self.store.data().thread().entry.clone();
        if let Some(stack) = entry.stack {
            let init_tls = export("__wasm_init_tls");
            queue.extend(init_tls.map(|f| (f, vec![Val::I32(stack.tls.cast_signed())])));
            if let Some(global) = guest.instance.get_global(&self.store, "__stack_pointer") {
                let top = Val::I32(stack.top.cast_signed());
                global.set(&mut self.store, top).map_err(engine_error)?;
            }
        } else if thread == ThreadId(0)
            && let Some(global) = guest.stack_pointer
            && let Val::I32(top) = global.get(&self.store)
        {
            self.store.data_mut().stack_begins(top.cast_unsigned());
        }
        // Without a function it is the main thread, whose calls the driver decides.
        if let Some((last, first)) = entry.exports.split_last() {
            for name in first {
                let function = guest.instance.get_func(&self.store, name);
                queue.extend(function.map(|function| (function, Vec::new())));
            }
            let Some(function) = guest.instance.get_func(&self.store, last) else {
                return Err(engine_error(format!("export `{last}` vanished")));
            };
            let params = function.ty(&self.store).params().len();
            let mut args: Vec<Val> = entry
                .args
                .iter()
                .map(|&arg| Val::I32(arg.cast_signed()))
                .collect();
            args.resize(params, Val::I32(0));
            queue.push_back((function, args));
        }
        if self.threads.len() <= thread.0 as usize {
            self.threads
                .resize_with(thread.0 as usize + 1, Activation::default);
        }
        *self.activation(thread) = Activation {
            guest: Some(guest),
            queue,
            suspended: Vec::new(),
        };
        self.store.data_mut().emit(EventKind::ThreadStart);
        Ok(())
    }

    fn instantiate(&mut self) -> Result<Guest, MachineError> {
        // A table is a thread's own even where it is imported: its functions belong to an instance.
        for import in self.module.imports() {
            if let ExternType::Table(ty) = import.ty() {
                let null = Ref::default_for_ty(ty.element());
                let table = Table::new(&mut self.store, *ty, null).map_err(instantiation_error)?;
                self.linker.allow_shadowing(true);
                self.linker
                    .define(import.module(), import.name(), table)
                    .map_err(engine_error)?;
            }
        }
        let instance = self
            .linker
            .instantiate_and_start(&mut self.store, &self.module)
            .map_err(instantiation_error)?;
        self.instances += 1;
        if self.store.data().tls_layout.is_none() {
            let read = |name| match instance.get_global(&self.store, name)?.get(&self.store) {
                Val::I32(value) => Some(value.cast_unsigned()),
                _ => None,
            };
            let layout = read("__tls_size").zip(read("__tls_align"));
            self.store.data_mut().tls_layout =
                layout.map(|(size, align)| TlsLayout { size, align });
        }
        let globals = self
            .program
            .info()
            .mutable_globals
            .iter()
            .filter_map(|(index, _)| {
                let global = instance
                    .get_global(&self.store, &format!("{}{index}", hooks::GLOBAL_PREFIX))?;
                Some((global, global.get(&self.store)))
            });
        let globals = globals.collect();
        let pointer = self.program.info().stack_pointer;
        let stack_pointer = pointer.and_then(|index| {
            instance.get_global(&self.store, &format!("{}{index}", hooks::GLOBAL_PREFIX))
        });
        Ok(Guest {
            instance,
            globals,
            stack_pointer,
        })
    }

    /// Makes the next call of a thread's list, or ends the thread.
    fn call_next(&mut self, thread: ThreadId) -> Result<(), MachineError> {
        let next = match self.activation(thread).queue.pop_front() {
            None if thread == ThreadId(0) => match self.next_driven() {
                Ok(next) => next,
                Err(trap) => {
                    self.trapped(thread, trap);
                    return Ok(());
                }
            },
            next => next,
        };
        let Some((function, args)) = next else {
            self.returned(thread);
            return Ok(());
        };
        let mut results = results_of(&function, &self.store);
        self.hand_slot();
        self.refill(0);
        let call = function.call_resumable(&mut self.store, &args, &mut results);
        self.left(thread, call, results)
    }

    /// What the driver wants the main thread to call, if there is one.
    fn next_driven(&mut self) -> Result<Option<(Func, Vec<Val>)>, Trap> {
        let Some(driver) = self.program.driver() else {
            return Ok(None);
        };
        let results = std::mem::take(&mut self.main_results);
        if std::mem::replace(&mut self.in_driven, true) {
            self.driven.push(results.first().map_or(0, from_val));
        }
        let (memory, state) = self.shared.memory.data_and_store_mut(&mut self.store);
        let Some(call) = ops::next_call(state, memory, driver, &self.driven)? else {
            return Ok(None);
        };
        let guest = self.threads[0].guest.as_ref();
        let function = guest.and_then(|guest| guest.instance.get_func(&self.store, call.export()));
        let Some(function) = function else {
            let export = call.export();
            return Err(Trap::Embedder(format!(
                "there is no exported function `{export}`"
            )));
        };
        let ty = function.ty(&self.store);
        let numbers = [ValType::I32, ValType::I64, ValType::F32, ValType::F64];
        if ty.params().len() != call.args().len()
            || !ty.params().iter().all(|param| numbers.contains(param))
        {
            return Err(Trap::Embedder(format!(
                "the export `{}` does not take {} numbers",
                call.export(),
                call.args().len()
            )));
        }
        let args = call.args().iter().zip(ty.params());
        let args = args.map(|(&arg, &ty)| to_val(arg, ty)).collect();
        Ok(Some((function, args)))
    }

    /// Resumes the innermost call of a thread with the result of the host function it is in.
    fn resume(&mut self, thread: ThreadId, value: u64) -> Result<(), MachineError> {
        match self.activation(thread).suspended.pop() {
            Some((Suspended::HostCall(call), mut results)) => {
                let input: Vec<Val> = (call.host_func().ty(&self.store).results().iter())
                    .map(|&ty| to_val(value, ty))
                    .collect();
                self.hand_slot();
                self.refill(0);
                let call = call.resume(&mut self.store, &input, &mut results);
                self.left(thread, call, results)
            }
            Some((Suspended::Fuel(call, slot), mut results)) => {
                self.shared.set_slot(&mut self.store, slot);
                self.refill(call.required_fuel());
                let call = call.resume(&mut self.store, &mut results);
                self.left(thread, call, results)
            }
            None => unreachable!("a thread that goes on is suspended in a call"),
        }
    }

    /// The engine came back from a call: because it returned, was suspended, or trapped.
    fn left(
        &mut self,
        thread: ThreadId,
        call: Result<ResumableCall, Error>,
        results: Vec<Val>,
    ) -> Result<(), MachineError> {
        let spent = self
            .fuel_given
            .saturating_sub(self.store.get_fuel().unwrap_or(0));
        self.steps += spent;
        match call {
            Ok(ResumableCall::Finished) => {
                let slot = self.shared.slot(&self.store);
                self.drain(Filled::UpTo(slot));
                if !self.activation(thread).suspended.is_empty() {
                    let value = results.first().map_or(0, from_val);
                    let verdict = self.nested_result(value);
                    return self.follow(thread, verdict);
                }
                if thread == ThreadId(0) {
                    self.main_results = results;
                }
                self.call_next(thread)
            }
            Ok(ResumableCall::HostTrap(call)) => {
                let leave = call.host_error().downcast_ref::<Leave>().cloned();
                let suspended = (Suspended::HostCall(call), results);
                match leave {
                    Some(Leave(verdict @ (Verdict::Trap(_) | Verdict::EndThread))) => {
                        self.follow(thread, verdict)
                    }
                    Some(Leave(verdict)) => {
                        self.activation(thread).suspended.push(suspended);
                        if verdict == Verdict::Suspend {
                            self.note_stack(thread);
                        }
                        self.follow(thread, verdict)
                    }
                    None => Err(engine_error("a host function failed in a way of its own")),
                }
            }
            Ok(ResumableCall::OutOfFuel(call)) => {
                self.drain(Filled::Scan);
                let slot = self.shared.slot(&self.store);
                self.activation(thread)
                    .suspended
                    .push((Suspended::Fuel(call, slot), results));
                self.note_stack(thread);
                let state = self.store.data_mut();
                state.thread_mut().status = Status::Ready(Op::Refuelled);
                // An instruction is about a nanosecond of native time.
                state.refuel(spent);
                if state.limits.steps.is_some_and(|limit| self.steps >= limit) {
                    state.limits_reached.insert(LimitReached::Steps);
                    state.end(Ending::OutOfSteps);
                }
                Ok(())
            }
            Err(error) => {
                let trap = match error.as_trap_code() {
                    Some(TrapCode::MemoryOutOfBounds) => Trap::OutOfBounds,
                    Some(TrapCode::StackOverflow) => Trap::StackOverflow,
                    Some(TrapCode::BadSignature) => self.bad_signature(),
                    Some(code) => Trap::Engine(code.trap_message().to_owned()),
                    None => return Err(engine_error(error)),
                };
                self.fill(Filled::Scan);
                self.trapped(thread, trap);
                Ok(())
            }
        }
    }

    /// A function was called with another type than it has: which, where a library calls back.
    fn bad_signature(&self) -> Trap {
        let element = intercepts::called_back(self.store.data());
        let callee = element.and_then(|element| self.program.info().describe_element(element));
        match callee {
            Some(callee) => Trap::CalleeType { callee },
            None => Trap::Engine(TrapCode::BadSignature.trap_message().to_owned()),
        }
    }

    /// While a thread is suspended, and only then, others can reach what is on its stack.
    fn note_stack(&mut self, thread: ThreadId) {
        let guest = self.threads[thread.0 as usize].guest.as_ref();
        if let Some(global) = guest.and_then(|guest| guest.stack_pointer)
            && let Val::I32(pointer) = global.get(&self.store)
        {
            let state = self.store.data_mut();
            state.stack_reaches(thread, pointer.cast_unsigned());
        }
    }

    fn returned(&mut self, thread: ThreadId) {
        self.recycle(thread);
        self.store.data_mut().returned();
    }

    fn trapped(&mut self, thread: ThreadId, trap: Trap) {
        *self.activation(thread) = Activation::default();
        let memory = self.shared.memory.data_size(&self.store);
        self.store.data_mut().trapped(trap, memory);
    }

    /// The instance of a thread whose entry returned may serve another one.
    fn recycle(&mut self, thread: ThreadId) {
        let activation = std::mem::take(self.activation(thread));
        if self.program.instances_recyclable() {
            self.spare.extend(activation.guest);
            self.store.data_mut().instances.recycled();
        }
    }

    /// Takes the records out of the ring, without delivering them.
    fn fill(&mut self, filled: Filled) {
        let (ring, state) = self.shared.ring.data_and_store_mut(&mut self.store);
        state.drain(ring, filled);
    }

    fn drain(&mut self, filled: Filled) {
        self.fill(filled);
        self.store.data_mut().deliver();
    }

    /// Lets the current thread's next record go to its next slot.
    fn hand_slot(&mut self) {
        let slot = self.store.data_mut().next_slot();
        self.shared.set_slot(&mut self.store, slot);
    }

    /// Fuel for a while, and beyond that what the next instruction needs.
    fn refill(&mut self, required: u64) {
        let left = self
            .store
            .data()
            .limits
            .steps
            .map_or(u64::MAX, |limit| limit.saturating_sub(self.steps));
        self.fuel_given = self.fuel.min(left).max(required).max(1);
        // Metering is on, the only reason for which this could fail.
        let _ = self.store.set_fuel(self.fuel_given);
    }
}

/// The program's module as the engine runs it.
fn translate(program: &Program) -> Result<Module, MachineError> {
    let mut config = Config::default();
    config
        // In the lazy modes, fuel that runs out during translation is a hard error.
        .compilation_mode(CompilationMode::Eager)
        .consume_fuel(true)
        .set_max_recursion_depth(RECURSION)
        .set_max_stack_height(VALUE_STACK)
        .set_max_cached_stacks(64);
    Module::new(&Engine::new(&config), program.lowered()).map_err(compile_error)
}

fn results_of(function: &Func, store: &Store<State>) -> Vec<Val> {
    function
        .ty(store)
        .results()
        .iter()
        .map(|&ty| Val::default_for_ty(ty))
        .collect()
}

/// The active data segments, which all threads share.
fn write_data(
    program: &Program,
    store: &mut Store<State>,
    memory: Memory,
) -> Result<(), MachineError> {
    let bytes = memory.data_mut(store);
    for segment in &program.info().active_data {
        let data = &program.original()[segment.bytes.clone()];
        // Only an imported global could leave it open, and those are refused.
        let address = segment.address.unwrap_or(u32::MAX);
        let start = address as usize;
        match bytes.get_mut(start..start.saturating_add(data.len())) {
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
