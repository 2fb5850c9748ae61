//! What the guest reaches of the machine: hooks and imports as functions of the engine.

use crate::machine::abi;
use crate::machine::intercepts::{self, Function};
use crate::machine::ops::{self, Op};
use crate::machine::state::{Filled, State, Verdict};
use crate::model::EventKind;
use crate::model::sites::SiteId;
use crate::program::interceptors::Role;
use crate::program::{AtomicOp, Hook, Program, hooks};
use rustc_hash::FxHashMap;
use wasmi::{
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

impl wasmi::errors::HostError for Leave {}

impl Shared {
    pub(super) fn slot(&self, store: impl wasmi::AsContext) -> u32 {
        self.slot.get(store).i32().map_or(0, i32::cast_unsigned)
    }

    pub(super) fn set_slot(&self, store: impl wasmi::AsContextMut, slot: u32) {
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
    fn note(&self, caller: &mut Caller<'_, State>, note: impl FnOnce(&mut State, &[u8])) {
        let slot = self.slot(&*caller);
        self.deliver(caller, Filled::UpTo(slot));
        let (memory, state) = self.memory.data_and_store_mut(&mut *caller);
        note(state, memory);
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

pub(super) fn from_val(value: &Val) -> u64 {
    match *value {
        Val::I32(value) => u64::from(value.cast_unsigned()),
        Val::I64(value) => value.cast_unsigned(),
        Val::F32(value) => u64::from(value.to_bits()),
        Val::F64(value) => value.to_bits(),
        // No host function takes anything else.
        _ => 0,
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
    let roles: FxHashMap<u32, Function> = (program.interceptors().iter())
        .map(|(function, interceptor)| (*function, Function::from(interceptor)))
        .collect();
    define_hooks(&mut linker, shared, roles)?;
    for import in module.imports() {
        let ExternType::Func(ty) = import.ty() else {
            continue;
        };
        if import.module() == hooks::MODULE {
            continue;
        }
        let (module, name) = (import.module(), import.name());
        let embedded = program
            .embedder()
            .iter()
            .position(|given| given.module == module && given.name == name);
        let op: Box<dyn Fn(Vec<u64>) -> Op + Send + Sync> =
            match (embedded, abi::find(module, name)) {
                (Some(import), _) => {
                    let import = import as u32;
                    Box::new(move |args| Op::Embedded { import, args })
                }
                (None, Some(function)) => Box::new(move |args| Op::Host { function, args }),
                (None, None) => {
                    return Err(Error::new(format!("{module}.{name} is not implemented")));
                }
            };
        // The same function may be imported twice.
        linker.allow_shadowing(true);
        linker.func_new(module, name, ty.clone(), host_function(shared, op))?;
    }
    Ok(linker)
}

fn host_function(
    shared: Shared,
    op: impl Fn(Vec<u64>) -> Op,
) -> impl Fn(Caller<'_, State>, &[Val], &mut [Val]) -> Result<(), Error> {
    move |mut caller, params, results| {
        let args = params.iter().map(from_val).collect();
        let value = shared.operate(&mut caller, op(args))?;
        if let Some(result) = results.first_mut() {
            *result = to_val(value, result.ty());
        }
        Ok(())
    }
}

#[rustfmt::skip]
fn define_hooks(linker: &mut Linker<State>, shared: Shared, roles: FxHashMap<u32, Function>) -> Result<(), Error> {
    type C<'a> = Caller<'a, State>;
    let site = |site: i32| SiteId(site.cast_unsigned());
    let kind = |op: i32| AtomicOp::ALL[op as usize];
    let atomic = move |c: &mut C<'_>, base: i32, operand: u64, expected: u64, op: i32, at: i32| {
        shared.operate(c, Op::Atomic { site: site(at), base: base.cast_unsigned(), op: kind(op), operand, expected })
    };
    let wide = |v: i32| u64::from(v.cast_unsigned());
    let wait = move |c: &mut C<'_>, base: i32, expected: u64, timeout: i64, at: i32| {
        shared.operate(c, Op::Wait { site: site(at), base: base.cast_unsigned(), expected, timeout }).map(|v| v as i32)
    };
    let m = hooks::MODULE;
    for hook in Hook::ALL {
        let name = hook.signature().0;
        let roles = roles.clone();
        match hook {
            Hook::Drain => linker.func_wrap(m, name, move |mut c: C<'_>, slot: i32| shared.drained(&mut c, slot)),
            Hook::Load32 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, op: i32, s: i32| atomic(&mut c, a, 0, 0, op, s).map(|v| v as i32)),
            Hook::Load64 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, op: i32, s: i32| atomic(&mut c, a, 0, 0, op, s).map(u64::cast_signed)),
            Hook::Store32 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, v: i32, op: i32, s: i32| atomic(&mut c, a, wide(v), 0, op, s).map(drop)),
            Hook::Store64 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, v: i64, op: i32, s: i32| atomic(&mut c, a, v.cast_unsigned(), 0, op, s).map(drop)),
            Hook::Rmw32 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, v: i32, op: i32, s: i32| atomic(&mut c, a, wide(v), 0, op, s).map(|v| v as i32)),
            Hook::Rmw64 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, v: i64, op: i32, s: i32| atomic(&mut c, a, v.cast_unsigned(), 0, op, s).map(u64::cast_signed)),
            Hook::Cmpxchg32 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, e: i32, r: i32, op: i32, s: i32| atomic(&mut c, a, wide(r), wide(e), op, s).map(|v| v as i32)),
            Hook::Cmpxchg64 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, e: i64, r: i64, op: i32, s: i32| atomic(&mut c, a, r.cast_unsigned(), e.cast_unsigned(), op, s).map(u64::cast_signed)),
            Hook::Wait32 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, e: i32, t: i64, s: i32| wait(&mut c, a, wide(e), t, s)),
            Hook::Wait64 => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, e: i64, t: i64, s: i32| wait(&mut c, a, e.cast_unsigned(), t, s)),
            Hook::Notify => linker.func_wrap(m, name, move |mut c: C<'_>, a: i32, n: i32, s: i32| {
                shared.operate(&mut c, Op::Notify { site: site(s), base: a.cast_unsigned(), count: n.cast_unsigned() }).map(|v| v as i32)
            }),
            Hook::Fence => linker.func_wrap(m, name, move |mut c: C<'_>, s: i32| shared.operate(&mut c, Op::Fence { site: site(s) }).map(drop)),
            Hook::BulkCopy => linker.func_wrap(m, name, move |mut c: C<'_>, d: i32, f: i32, n: i32, s: i32| {
                shared.note(&mut c, |state, memory| ops::bulk_copy(state, memory.len(), site(s), d.cast_unsigned(), f.cast_unsigned(), n.cast_unsigned()));
            }),
            Hook::BulkWrite => linker.func_wrap(m, name, move |mut c: C<'_>, d: i32, n: i32, s: i32| {
                shared.note(&mut c, |state, memory| ops::bulk_write(state, memory.len(), site(s), d.cast_unsigned(), n.cast_unsigned()));
            }),
            Hook::Size => linker.func_wrap(m, name, move |mut c: C<'_>, _site: i32| shared.operate(&mut c, Op::Size).map(|v| v as i32)),
            Hook::Grow => linker.func_wrap(m, name, move |mut c: C<'_>, pages: i32, _site: i32| {
                shared.operate(&mut c, Op::Grow { pages: pages.cast_unsigned() }).map(|v| v as i32)
            }),
            Hook::GrowFuncTable => linker.func_wrap(m, name, |mut c: C<'_>, value: Nullable<Func>, elements: i32, table: i32| {
                Shared::grow_table(&mut c, table, elements, Ref::Func(value))
            }),
            Hook::GrowExternTable => linker.func_wrap(m, name, |mut c: C<'_>, value: Nullable<ExternRef>, elements: i32, table: i32| {
                Shared::grow_table(&mut c, table, elements, Ref::Extern(value))
            }),
            Hook::Enter => linker.func_wrap(m, name, move |mut c: C<'_>, f: i32, a0: i32, a1: i32, a2: i32, a3: i32| {
                let args = [a0, a1, a2, a3].map(i32::cast_unsigned);
                let hide = Function { role: Role::Hide { callbacks: false }, object: None };
                let function = roles.get(&f.cast_unsigned()).copied().unwrap_or(hide);
                shared.note(&mut c, |state, memory| intercepts::enter(state, memory, function, args));
            }),
            Hook::Leave => linker.func_wrap(m, name, move |mut c: C<'_>, _f: i32, result: i32| {
                shared.note(&mut c, |state, memory| intercepts::leave(state, memory, result.cast_unsigned()));
            }),
            Hook::Stack => linker.func_wrap(m, name, move |mut c: C<'_>, top: i32| {
                shared.note(&mut c, |state, _| state.stack_begins(top.cast_unsigned()));
            }),
            Hook::Callback => linker.func_wrap(m, name, move |mut c: C<'_>, begins: i32, element: i32| {
                let callee = (begins != 0).then_some(element.cast_unsigned());
                shared.note(&mut c, |state, _| intercepts::callback(state, callee));
            }),
        }?;
    }
    Ok(())
}
