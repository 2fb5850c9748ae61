//! wasmi, the reference: the only folder that names it.
//!
//! One `Store`, one instance per guest thread, one memory and one ring for all. A thread is suspended by a
//! host function that returns an error, and resumed with that function's result.

mod errors;
mod link;

use super::{Engine, Enter, Exit, Instance};
use crate::machine::instances::Instances;
use crate::machine::ops::Op;
use crate::machine::ring::Filled;
use crate::machine::state::{State, Verdict};
use crate::machine::{MachineError, Trap, Value, intercepts};
use crate::model::ThreadId;
use crate::model::limits::TABLE_ELEMENTS;
use crate::program::{Program, Translate, hooks};
use ::wasmi::{
    self, CompilationMode, Config, CustomFuelCosts, Error, ExternType, F32, F64, Func, Global,
    Linker, Memory, MemoryType, Module, Nullable, Ref, ResourceLimiter, ResumableCall,
    ResumableCallHostTrap, ResumableCallOutOfFuel, Store, Table, TrapCode, V128, Val,
};
use errors::{compile_error, engine_error, instantiation_error};
use link::{Leave, Shared, to_val};
use std::sync::Arc;
use wasmi_core::LimiterError;

/// Frames of one thread. Native stacks of 8 MiB hold about as many.
const RECURSION: usize = 50_000;

/// Bytes of one thread's value stack at most.
const VALUE_STACK: usize = 64 << 20;

/// An instance, and what has to be put back before another thread uses it.
struct Guest {
    instance: wasmi::Instance,
    globals: Vec<(Global, Val)>,
    stack_pointer: Option<Global>,
}

enum Suspended {
    HostCall(ResumableCallHostTrap),
    /// The fuel ended, with this in [`Shared::slot`]: between a call and the first instruction of the function called, or of
    /// one that makes a single record, nothing else knows where the thread's next record goes.
    Fuel(ResumableCallOutOfFuel, u32),
}

/// A program set up in wasmi.
struct Wasmi {
    module: Arc<Module>,
    linker: Linker<State>,
    store: Store<State>,
    shared: Shared,
    instances: Vec<Guest>,
    /// Suspended calls of each thread with the room for their results, innermost last: more than one while the host calls the
    /// guest's allocator.
    suspended: Vec<Vec<(Suspended, Vec<Val>)>>,
}

/// See [`Row::start`](super::Row::start).
pub(super) fn start(
    program: &Program,
    state: State,
    pages: u32,
) -> Result<Box<dyn Engine>, MachineError> {
    let module = program.translated(|| translate(program))?;
    let mut store = Store::new(module.engine(), state);
    store.limiter(|state| &mut state.instances);
    let maximum = program.info().memory.and_then(|memory| memory.maximum);
    let memory_type = MemoryType::new(pages, maximum);
    let shared = Shared {
        memory: Memory::new(&mut store, memory_type).map_err(engine_error)?,
        ring: Memory::new(&mut store, MemoryType::new(1, Some(1))).map_err(engine_error)?,
        slot: Global::new(&mut store, Val::I32(0), wasmi::Mutability::Var),
    };
    let linker = link::link(program, &module, &mut store, shared).map_err(engine_error)?;
    Ok(Box::new(Wasmi {
        module,
        linker,
        store,
        shared,
        instances: Vec::new(),
        suspended: Vec::new(),
    }))
}

/// The program's module as wasmi runs it.
fn translate(program: &Program) -> Result<Module, MachineError> {
    let mut config = Config::default();
    config
        .compilation_mode(match program.translate() {
            Translate::AtOnce => CompilationMode::Eager,
            Translate::AsCalled => CompilationMode::Lazy,
        })
        .fuel_cost(FUEL_COSTS)
        .consume_fuel(true)
        .set_max_recursion_depth(RECURSION)
        .set_max_stack_height(VALUE_STACK)
        .set_max_cached_stacks(64);
    Module::new(&wasmi::Engine::new(&config), program.lowered()).map_err(compile_error)
}

/// As they are usually, but that a function which is translated when it is called takes no fuel of who calls it: when fuel ends must not
/// depend on that, and where it ended in a translation the engine could not go on.
const FUEL_COSTS: CustomFuelCosts = CustomFuelCosts {
    bytes_copied_per_fuel: 64,
    fuel_per_bytes_translated: 0,
    fuel_per_bytes_validated: 0,
};

impl Wasmi {
    fn guest(&self, instance: Instance) -> &Guest {
        &self.instances[instance.0 as usize]
    }

    fn suspended(&mut self, thread: ThreadId) -> &mut Vec<(Suspended, Vec<Val>)> {
        let index = thread.0 as usize;
        if self.suspended.len() <= index {
            self.suspended.resize_with(index + 1, Vec::new);
        }
        &mut self.suspended[index]
    }

    fn function(&self, instance: Instance, export: &str) -> Option<Func> {
        let instance = self.guest(instance).instance;
        instance.get_func(&self.store, export)
    }

    fn results_of(&self, function: &Func) -> Vec<Val> {
        let ty = function.ty(&self.store);
        (ty.results().iter())
            .map(|&ty| Val::default_for_ty(ty))
            .collect()
    }

    /// Lets the current thread's next record go to its next slot.
    fn hand_slot(&mut self) {
        let slot = self.store.data_mut().next_slot();
        self.shared.set_slot(&mut self.store, slot);
    }

    /// Returns what was given.
    fn refuel(&mut self, fuel: u64) -> u64 {
        // Metering is on, the only reason for which this could fail.
        let _ = self.store.set_fuel(fuel);
        fuel
    }

    fn drain(&mut self, filled: Filled) {
        let (ring, state) = self.shared.ring.data_and_store_mut(&mut self.store);
        state.drain(ring, filled);
    }

    /// wasmi came back from a call: because it returned, was suspended, or trapped.
    fn left(
        &mut self,
        thread: ThreadId,
        call: Result<ResumableCall, Error>,
        results: Vec<Val>,
    ) -> Result<Exit, MachineError> {
        match call {
            Ok(ResumableCall::Finished) => {
                let slot = self.shared.slot(&self.store);
                self.drain(Filled::UpTo(slot));
                self.store.data_mut().deliver();
                Ok(Exit::Returned(results.iter().map(from_engine).collect()))
            }
            Ok(ResumableCall::HostTrap(call)) => {
                let Some(Leave(verdict)) = call.host_error().downcast_ref::<Leave>().cloned()
                else {
                    return Err(engine_error("a host function failed in a way of its own"));
                };
                if !matches!(verdict, Verdict::Trap(_) | Verdict::EndThread) {
                    (self.suspended(thread)).push((Suspended::HostCall(call), results));
                }
                Ok(Exit::Left(verdict))
            }
            Ok(ResumableCall::OutOfFuel(call)) => {
                self.drain(Filled::Scan);
                self.store.data_mut().deliver();
                let slot = self.shared.slot(&self.store);
                let needs = call.required_fuel();
                (self.suspended(thread)).push((Suspended::Fuel(call, slot), results));
                Ok(Exit::OutOfFuel { needs })
            }
            Err(error) => {
                let trap = match error.as_trap_code() {
                    Some(TrapCode::MemoryOutOfBounds) => Trap::OutOfBounds,
                    Some(TrapCode::StackOverflow) => Trap::StackOverflow,
                    Some(TrapCode::BadSignature) => self.bad_signature(),
                    Some(code) => Trap::Engine(code.trap_message().to_owned()),
                    // A function was translated now, or it is a defect.
                    None => return Err(compile_error(error)),
                };
                self.drain(Filled::Scan);
                Ok(Exit::Trapped(trap))
            }
        }
    }

    /// A function was called with another type than it has: which, where a library calls back.
    fn bad_signature(&self) -> Trap {
        let element = intercepts::called_back(self.store.data());
        let callee =
            element.and_then(|element| self.state().program.info().describe_element(element));
        match callee {
            Some(callee) => Trap::CalleeType { callee },
            None => Trap::Engine(TrapCode::BadSignature.trap_message().to_owned()),
        }
    }
}

impl Engine for Wasmi {
    fn state(&self) -> &State {
        self.store.data()
    }

    fn state_mut(&mut self) -> &mut State {
        self.store.data_mut()
    }

    fn memory(&self) -> &[u8] {
        self.shared.memory.data(&self.store)
    }

    fn memory_and_state(&mut self) -> (&mut [u8], &mut State) {
        self.shared.memory.data_and_store_mut(&mut self.store)
    }

    fn perform(&mut self, op: Op) -> Verdict {
        self.shared.perform(&mut self.store, op)
    }

    fn extend(&mut self, program: &Program) -> Result<(), MachineError> {
        // What a program keeps translated is of an engine of its own.
        let module = Module::new(self.store.engine(), program.lowered()).map_err(compile_error)?;
        let linker = link::link(program, &module, &mut self.store, self.shared);
        self.linker = linker.map_err(engine_error)?;
        self.module = Arc::new(module);
        Ok(())
    }

    fn instantiate(&mut self) -> Result<Instance, MachineError> {
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
        let info = self.state().program.info();
        let exported = |index: u32| {
            instance.get_global(&self.store, &format!("{}{index}", hooks::GLOBAL_PREFIX))
        };
        let globals = info.mutable_globals.iter().filter_map(|(index, _)| {
            let global = exported(*index)?;
            Some((global, global.get(&self.store)))
        });
        let guest = Guest {
            instance,
            globals: globals.collect(),
            stack_pointer: info.stack_pointer.and_then(exported),
        };
        self.instances.push(guest);
        Ok(Instance(self.instances.len() as u32 - 1))
    }

    fn reset(&mut self, instance: Instance) -> Result<(), MachineError> {
        for (global, value) in &self.instances[instance.0 as usize].globals {
            global
                .set(&mut self.store, value.clone())
                .map_err(engine_error)?;
        }
        Ok(())
    }

    fn exports_function(&self, instance: Instance, export: &str) -> bool {
        self.function(instance, export).is_some()
    }

    fn global(&self, instance: Instance, export: &str) -> Option<Value> {
        let instance = self.guest(instance).instance;
        let global = instance.get_global(&self.store, export)?;
        Some(from_engine(&global.get(&self.store)))
    }

    fn set_global(&mut self, instance: Instance, export: &str, value: Value) {
        let instance = self.guest(instance).instance;
        if let Some(global) = instance.get_global(&self.store, export) {
            // A constant stays what it is.
            let _ = global.set(&mut self.store, to_engine(value));
        }
    }

    fn stack_pointer(&self, instance: Instance) -> Option<u32> {
        let pointer = self.guest(instance).stack_pointer?;
        pointer.get(&self.store).i32().map(i32::cast_unsigned)
    }

    fn run(
        &mut self,
        thread: ThreadId,
        enter: Enter<'_>,
        fuel: u64,
    ) -> Result<(Exit, u64), MachineError> {
        let (given, call, results) = match enter {
            Enter::Call {
                instance,
                export,
                args,
            } => {
                let Some(function) = self.function(instance, export) else {
                    return Err(engine_error(format!("export `{export}` vanished")));
                };
                let args: Vec<Val> = args.iter().copied().map(to_engine).collect();
                let mut results = self.results_of(&function);
                self.hand_slot();
                let given = self.refuel(fuel);
                let call = function.call_resumable(&mut self.store, &args, &mut results);
                (given, call, results)
            }
            Enter::Resume(value) => match self.suspended(thread).pop() {
                Some((Suspended::HostCall(call), mut results)) => {
                    let input: Vec<Val> = (call.host_func().ty(&self.store).results().iter())
                        .map(|&ty| to_val(value, ty))
                        .collect();
                    self.hand_slot();
                    let given = self.refuel(fuel);
                    let call = call.resume(&mut self.store, &input, &mut results);
                    (given, call, results)
                }
                Some((Suspended::Fuel(call, slot), mut results)) => {
                    self.shared.set_slot(&mut self.store, slot);
                    // What the next instruction needs, beyond that.
                    let given = self.refuel(fuel.max(call.required_fuel()));
                    let call = call.resume(&mut self.store, &mut results);
                    (given, call, results)
                }
                None => unreachable!("a thread that goes on is suspended in a call"),
            },
        };
        let spent = given.saturating_sub(self.store.get_fuel().unwrap_or(0));
        Ok((self.left(thread, call, results)?, spent))
    }

    fn forget(&mut self, thread: ThreadId) {
        self.suspended(thread).clear();
    }

    fn into_state(self: Box<Self>) -> State {
        // Suspended calls hold stacks of the engine; they go before the store does.
        drop(self.suspended);
        self.store.into_data()
    }
}

fn to_engine(value: Value) -> Val {
    match value {
        Value::I32(value) => Val::I32(value),
        Value::I64(value) => Val::I64(value),
        Value::F32(bits) => Val::F32(F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(F64::from_bits(bits)),
        Value::V128(bits) => Val::V128(V128::from(bits)),
        Value::NullFunc | Value::Reference => Val::FuncRef(Nullable::Null),
        Value::NullExtern => Val::ExternRef(Nullable::Null),
    }
}

fn from_engine(value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value),
        Val::I64(value) => Value::I64(*value),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(Nullable::Null) => Value::NullFunc,
        Val::ExternRef(Nullable::Null) => Value::NullExtern,
        Val::FuncRef(_) | Val::ExternRef(_) => Value::Reference,
    }
}

/// Memory is limited by the machine, and what else an instance takes is counted before it is made.
impl ResourceLimiter for Instances {
    fn memory_growing(
        &mut self,
        _: usize,
        _: usize,
        _: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _: usize,
        wanted: usize,
        _: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(wanted as u64 <= TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        usize::MAX
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}
