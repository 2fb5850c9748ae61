//! Calling a program's exports one by one, on its main thread.

use super::{Activation, Runner, Status, ThreadId, Val, VecDeque, engine_error};
use crate::machine::{MachineConfig, MachineError, Trap};
use crate::model::{Ending, Unfinished};
use crate::program::{Program, hooks};
use wasmi::{F32, F64, Instance, Nullable, V128};

/// A value of the guest. Floats are bits, so that NaNs keep their payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// Bits of an `f32`.
    F32(u32),
    /// Bits of an `f64`.
    F64(u64),
    /// `v128`
    V128(u128),
    /// A null reference to a function.
    NullFunc,
    /// A null reference of the host.
    NullExtern,
    /// A reference; which one cannot be told.
    Reference,
}

/// An instance whose exports are called one at a time. Threads that a call starts run only while a call does.
pub struct Session<'a> {
    runner: Runner<'a>,
    instance: Instance,
}

impl<'a> Session<'a> {
    /// Instantiates a program and runs its start function.
    ///
    /// # Errors
    /// [`MachineError`] if it cannot be instantiated. A trap of the start function is the inner error.
    pub fn new(
        program: &'a Program,
        config: MachineConfig,
    ) -> Result<Result<Self, Trap>, MachineError> {
        let mut config = config;
        config.spec.entry.unfinished = Unfinished::End;
        let mut runner = Runner::new(program, config, Vec::new())?;
        let guest = runner.instantiate()?;
        let mut session = Session {
            runner,
            instance: guest.instance,
        };
        if program.info().start.is_some()
            && let Err(trap) = session.invoke(hooks::START, &[])?
        {
            return Ok(Err(trap));
        }
        Ok(Ok(session))
    }

    /// Calls an export and lets it come to its end.
    ///
    /// # Errors
    /// [`MachineError::Entry`] if there is no such function, or not with these parameters. A trap is the inner
    /// error; the instance can be used on.
    pub fn invoke(
        &mut self,
        export: &str,
        args: &[Value],
    ) -> Result<Result<Vec<Value>, Trap>, MachineError> {
        let Some(function) = self.instance.get_func(&self.runner.store, export) else {
            return Err(self.entry_error(format!("there is no exported function `{export}`")));
        };
        let args: Vec<Val> = args.iter().map(|&value| to_engine(value)).collect();
        let ty = function.ty(&self.runner.store);
        if !ty.params().iter().copied().eq(args.iter().map(Val::ty)) {
            return Err(self.entry_error(format!("`{export}` takes other parameters")));
        }
        let main = ThreadId(0);
        self.runner.store.data_mut().revive_main();
        self.runner.threads.resize_with(1, Activation::default);
        *self.runner.activation(main) = Activation {
            guest: None,
            queue: VecDeque::from([(function, args)]),
            suspended: Vec::new(),
        };
        self.runner.store.data_mut().thread_mut().status = Status::Running;
        self.runner.call_next(main)?;
        self.runner.run()?;
        let results = std::mem::take(&mut self.runner.main_results);
        let state = self.runner.store.data_mut();
        match (state.ending.take(), state.traps.pop()) {
            (Some(Ending::Returned), _) => Ok(Ok(results
                .into_iter()
                .map(|value| from_engine(&value))
                .collect())),
            (_, Some(report)) => Ok(Err(report.trap)),
            (ending, None) => Err(engine_error(format!("the call ended by {ending:?}"))),
        }
    }

    /// The guest's memory.
    #[must_use]
    pub fn memory(&self) -> &[u8] {
        self.runner.shared.memory.data(&self.runner.store)
    }

    /// The value of an exported global, if there is one of that name.
    #[must_use]
    pub fn global(&self, export: &str) -> Option<Value> {
        let store = &self.runner.store;
        let global = self.instance.get_global(store, export)?;
        Some(from_engine(&global.get(store)))
    }

    fn entry_error(&self, problem: String) -> MachineError {
        MachineError::Entry {
            problem,
            exports: self
                .runner
                .program
                .info()
                .exported_functions()
                .map(str::to_owned)
                .collect(),
        }
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
