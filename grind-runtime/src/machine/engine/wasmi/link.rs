//! What the guest reaches of the machine: hooks and imports as functions of the engine.

use super::from_engine;
use crate::machine::hooks::{self as machine, Import};
use crate::machine::ops::{self, Op};
use crate::machine::ring::Filled;
use crate::machine::state::{State, Verdict};
use crate::model::EventKind;
use crate::program::{Hook, Program, hooks};
use ::wasmi::{
    AsContextMut, Caller, Error, Extern, ExternRef, ExternType, F32, F64, Func, Global, Linker,
    Memory, Module, Nullable, Ref, Store, Val, ValType,
};

/// What all instances share.
#[derive(Clone, Copy)]
pub(super) struct Shared {
    pub(super) memory: Memory,
    pub(super) ring: Memory,
    /// The ring slot, while its owner is in a call.
    pub(super) slot: Global,
}

/// Why a host function left the guest.
#[derive(Clone, Debug)]
pub(super) struct Leave(pub(super) Verdict);

impl std::fmt::Display for Leave {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl ::wasmi::errors::HostError for Leave {}

impl Shared {
    pub(super) fn slot(&self, store: impl ::wasmi::AsContext) -> u32 {
        self.slot.get(store).i32().map_or(0, i32::cast_unsigned)
    }

    pub(super) fn set_slot(&self, store: impl ::wasmi::AsContextMut, slot: u32) {
        let set = self.slot.set(store, Val::I32(slot.cast_signed()));
        debug_assert!(set.is_ok(), "the slot is a mutable i32");
    }

    /// Delivers the records of the calling thread.
    fn deliver(&self, caller: &mut Caller<'_, State>, filled: Filled) {
        let (ring, state) = self.ring.data_and_store_mut(&mut *caller);
        state.drain(ring, filled);
        state.deliver();
    }

    /// Every operation of a guest: its records first, then the operation, then its next slot.
    fn operate(&self, caller: &mut Caller<'_, State>, op: Op) -> Result<u64, Error> {
        let slot = self.slot(&*caller);
        self.deliver(caller, Filled::UpTo(slot));
        let verdict = match caller.data_mut().request(&op) {
            Some(verdict) => verdict,
            None => self.perform(&mut *caller, op),
        };
        match verdict {
            Verdict::Value(value) => {
                let first = caller.data_mut().next_slot();
                self.set_slot(&mut *caller, first);
                Ok(value)
            }
            verdict => Err(Error::host(Leave(verdict))),
        }
    }

    /// A note that is no operation: nothing can come of it but the end of the run.
    fn note(&self, caller: &mut Caller<'_, State>, hook: Hook, args: [u32; 5]) {
        let slot = self.slot(&*caller);
        self.deliver(caller, Filled::UpTo(slot));
        let (memory, state) = self.memory.data_and_store_mut(&mut *caller);
        machine::note(state, memory, hook, args);
        let first = state.next_slot();
        self.set_slot(caller, first);
    }

    fn drained(&self, caller: &mut Caller<'_, State>, slot: i32) -> Result<i32, Error> {
        self.deliver(caller, Filled::UpTo(slot.cast_unsigned()));
        match caller.data_mut().drained() {
            Verdict::Value(slot) => Ok(slot as i32),
            verdict => Err(Error::host(Leave(verdict))),
        }
    }

    /// Carries an operation of the current thread out; its turn has come.
    pub(super) fn perform(&self, mut store: impl AsContextMut<Data = State>, op: Op) -> Verdict {
        if let Op::Grow { pages } = op {
            return self.grow(store, pages);
        }
        let (memory, state) = self.memory.data_and_store_mut(&mut store);
        state.perform(memory, op)
    }

    /// `memory.grow`: the old size in pages, or -1.
    fn grow(&self, mut store: impl AsContextMut<Data = State>, pages: u32) -> Verdict {
        const REFUSED: Verdict = Verdict::Value(u32::MAX as u64);
        let (memory, state) = self.memory.data_and_store_mut(&mut store);
        if !ops::may_grow(state, memory.len(), pages) {
            return REFUSED;
        }
        let Ok(old) = self.memory.grow(&mut store, u64::from(pages)) else {
            return REFUSED;
        };
        let pages = self.memory.size(&store) as u32;
        let mut store = store.as_context_mut();
        let state = store.data_mut();
        state.emit(EventKind::MemoryGrow { pages });
        match state.ending {
            Some(_) => Verdict::Stop,
            None => Verdict::Value(old),
        }
    }

    /// `table.grow`: the old size in elements, or -1. The table is the calling thread's own.
    fn grow_table(caller: &mut Caller<'_, State>, table: i32, elements: i32, value: Ref) -> i32 {
        const REFUSED: i32 = -1;
        let name = format!("{}{table}", hooks::TABLE_PREFIX);
        let Some(table) = caller.get_export(&name).and_then(Extern::into_table) else {
            return REFUSED;
        };
        let by = u64::from(elements.cast_unsigned());
        let old = table.size(&*caller);
        let wanted = old + by;
        if table
            .ty(&*caller)
            .maximum()
            .is_some_and(|maximum| wanted > maximum)
        {
            return REFUSED;
        }
        let state = caller.data_mut();
        if let Err(limit) = state.instances.grow_table(old, wanted) {
            state.limits_reached.insert(limit);
            return REFUSED;
        }
        match table.grow(&mut *caller, by, value) {
            Ok(old) => old as i32,
            Err(_) => REFUSED,
        }
    }
}

pub(super) fn to_val(value: u64, ty: ValType) -> Val {
    match ty {
        ValType::I64 => Val::I64(value.cast_signed()),
        ValType::F32 => Val::F32(F32::from_bits(value as u32)),
        ValType::F64 => Val::F64(F64::from_bits(value)),
        _ => Val::I32(value as u32 as i32),
    }
}

/// Defines all that a lowered module imports, except its tables.
pub(super) fn link(
    program: &Program,
    module: &Module,
    store: &mut Store<State>,
    shared: Shared,
) -> Result<Linker<State>, Error> {
    let mut linker = Linker::new(store.engine());
    linker.define(hooks::MODULE, hooks::MEMORY, shared.memory)?;
    linker.define(hooks::MODULE, hooks::RING, shared.ring)?;
    linker.define(hooks::MODULE, hooks::SLOT, shared.slot)?;
    for hook in Hook::ALL {
        define_hook(&mut linker, shared, hook)?;
    }
    for import in module.imports() {
        let ExternType::Func(ty) = import.ty() else {
            continue;
        };
        if import.module() == hooks::MODULE {
            continue;
        }
        let (module, name) = (import.module(), import.name());
        let Some(function) = Import::find(program, module, name) else {
            return Err(Error::new(format!("{module}.{name} is not implemented")));
        };
        // The same function may be imported twice.
        linker.allow_shadowing(true);
        linker.func_new(module, name, ty.clone(), host_function(shared, function))?;
    }
    Ok(linker)
}

fn host_function(
    shared: Shared,
    function: Import,
) -> impl Fn(Caller<'_, State>, &[Val], &mut [Val]) -> Result<(), Error> {
    move |mut caller, params, results| {
        let args = params.iter().map(|param| from_engine(param).bits());
        let value = shared.operate(&mut caller, function.call(args.collect()))?;
        if let Some(result) = results.first_mut() {
            *result = to_val(value, result.ty());
        }
        Ok(())
    }
}

/// Hooks are called more than anything else, so that each has a closure of its own types, without slices of values.
#[rustfmt::skip]
fn define_hook(linker: &mut Linker<State>, shared: Shared, hook: Hook) -> Result<(), Error> {
    type C<'a> = Caller<'a, State>;
    let operate = move |c: &mut C<'_>, args: [u64; 5]| shared.operate(c, machine::operation(hook, args));
    let note = move |c: &mut C<'_>, args: [i32; 5]| shared.note(c, hook, args.map(i32::cast_unsigned));
    let wide = |v: i32| u64::from(v.cast_unsigned());
    let low = |v: u64| v as i32;
    let (m, name) = (hooks::MODULE, hook.signature().0);
    match hook {
        Hook::Load32 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, op: i32, s: i32| operate(&mut c, [wide(a), wide(op), wide(s), 0, 0]).map(low)),
        Hook::Load64 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, op: i32, s: i32| operate(&mut c, [wide(a), wide(op), wide(s), 0, 0]).map(u64::cast_signed)),
        Hook::Store32 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, v: i32, op: i32, s: i32| operate(&mut c, [wide(a), wide(v), wide(op), wide(s), 0]).map(drop)),
        Hook::Store64 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, v: i64, op: i32, s: i32| operate(&mut c, [wide(a), v.cast_unsigned(), wide(op), wide(s), 0]).map(drop)),
        Hook::Rmw32 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, v: i32, op: i32, s: i32| operate(&mut c, [wide(a), wide(v), wide(op), wide(s), 0]).map(low)),
        Hook::Rmw64 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, v: i64, op: i32, s: i32| operate(&mut c, [wide(a), v.cast_unsigned(), wide(op), wide(s), 0]).map(u64::cast_signed)),
        Hook::Cmpxchg32 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, e: i32, r: i32, op: i32, s: i32| operate(&mut c, [wide(a), wide(e), wide(r), wide(op), wide(s)]).map(low)),
        Hook::Cmpxchg64 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, e: i64, r: i64, op: i32, s: i32| operate(&mut c, [wide(a), e.cast_unsigned(), r.cast_unsigned(), wide(op), wide(s)]).map(u64::cast_signed)),
        Hook::Wait32 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, e: i32, t: i64, s: i32| operate(&mut c, [wide(a), wide(e), t.cast_unsigned(), wide(s), 0]).map(low)),
        Hook::Wait64 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, e: i64, t: i64, s: i32| operate(&mut c, [wide(a), e.cast_unsigned(), t.cast_unsigned(), wide(s), 0]).map(low)),
        Hook::Notify => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, n: i32, s: i32| operate(&mut c, [wide(a), wide(n), wide(s), 0, 0]).map(low)),
        Hook::Fence => linker.func_wrap(m, name, move |mut c: C<'_>, s: i32| operate(&mut c, [wide(s), 0, 0, 0, 0]).map(drop)),
        Hook::Size => linker.func_wrap(m, name, move |mut c: C<'_>, s: i32| operate(&mut c, [wide(s), 0, 0, 0, 0]).map(low)),
        Hook::Grow => linker.func_wrap(m, name, move |mut c: C<'_>, pages: i32, s: i32| operate(&mut c, [wide(pages), wide(s), 0, 0, 0]).map(low)),
        Hook::Drain => linker.func_wrap(m, name, move |mut c: C<'_>, slot: i32| shared.drained(&mut c, slot)),
        Hook::GrowFuncTable => linker.func_wrap(m, name, |mut c: C<'_>, value: Nullable<Func>, elements: i32, table: i32| Shared::grow_table(&mut c, table, elements, Ref::Func(value))),
        Hook::GrowExternTable => linker.func_wrap(m, name, |mut c: C<'_>, value: Nullable<ExternRef>, elements: i32, table: i32| Shared::grow_table(&mut c, table, elements, Ref::Extern(value))),
        Hook::BulkCopy => linker.func_wrap(m, name, move |mut c: C<'_>, to: i32, from: i32, n: i32, s: i32| note(&mut c, [to, from, n, s, 0])),
        Hook::BulkWrite => linker.func_wrap(m, name, move |mut c: C<'_>, to: i32, n: i32, s: i32| note(&mut c, [to, n, s, 0, 0])),
        Hook::Enter => linker.func_wrap(m, name, move |mut c: C<'_>, f: i32, a: i32, b: i32, d: i32, e: i32| note(&mut c, [f, a, b, d, e])),
        Hook::Leave => linker.func_wrap(m, name, move |mut c: C<'_>, f: i32, result: i32| note(&mut c, [f, result, 0, 0, 0])),
        Hook::Callback => linker.func_wrap(m, name, move |mut c: C<'_>, begins: i32, element: i32| note(&mut c, [begins, element, 0, 0, 0])),
        Hook::Stack => linker.func_wrap(m, name, move |mut c: C<'_>, top: i32| note(&mut c, [top, 0, 0, 0, 0])),
    }?;
    Ok(())
}
