//! The functions that lowered code calls in the machine, all imported from module [`MODULE`].

use wasm_encoder::ValType;

/// Import module of the hooks and of the ring. Guests cannot import it: it is not among their imports.
pub(crate) const MODULE: &str = "grind";
/// Name the ring is imported under.
pub(crate) const RING: &str = "ring";
/// Name the guest's memory is imported under.
pub(crate) const MEMORY: &str = "memory";
/// Name the global that holds the ring slot across calls is imported under.
pub(crate) const SLOT: &str = "slot";
/// Export of the guest's start function.
pub(crate) const START: &str = "grind:start";
/// Prefix of the exports of the guest's mutable globals, followed by their index.
pub(crate) const GLOBAL_PREFIX: &str = "grind:global:";
/// Prefix of the exports of the guest's tables, followed by their index.
pub(crate) const TABLE_PREFIX: &str = "grind:table:";

use ValType::{I32, I64};

const FUNC: ValType = ValType::FUNCREF;
const EXTERN: ValType = ValType::EXTERNREF;

/// A hook. `site` is the last parameter of each that has one; `op` is a [`AtomicOp`] number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Hook {
    /// `(slot) -> slot`: the ring is full or the slice used up, from this slot on; where to go on.
    Drain,
    /// `(addr, op, site) -> value`
    Load32,
    Load64,
    /// `(addr, value, op, site)`
    Store32,
    Store64,
    /// `(addr, operand, op, site) -> old`
    Rmw32,
    Rmw64,
    /// `(addr, expected, replacement, op, site) -> old`
    Cmpxchg32,
    Cmpxchg64,
    /// `(addr, expected, timeout, site) -> outcome`
    Wait32,
    Wait64,
    /// `(addr, count, site) -> woken`
    Notify,
    /// `(site)`
    Fence,
    /// `(dest, source, len, site)`, before `memory.copy`
    BulkCopy,
    /// `(dest, len, site)`, before `memory.fill` and `memory.init`
    BulkWrite,
    /// `(site) -> pages`, in place of `memory.size`
    Size,
    /// `(pages, site) -> old size or -1`, in place of `memory.grow`
    Grow,
    /// `(value, elements, table) -> old size or -1`, in place of `table.grow`. It takes no records from the ring.
    GrowFuncTable,
    GrowExternTable,
    /// `(function, a, b, c, d)`, before an intercepted function
    Enter,
    /// `(function, result)`, after it
    Leave,
    /// `(begins, element)`, around a call that an intercepted function makes through a table
    Callback,
    /// `(address)`, when a thread's entry has set the stack pointer
    Stack,
}

impl Hook {
    pub(crate) const COUNT: u32 = Hook::ALL.len() as u32;

    pub(crate) const ALL: [Hook; 23] = [
        Hook::Drain,
        Hook::Load32,
        Hook::Load64,
        Hook::Store32,
        Hook::Store64,
        Hook::Rmw32,
        Hook::Rmw64,
        Hook::Cmpxchg32,
        Hook::Cmpxchg64,
        Hook::Wait32,
        Hook::Wait64,
        Hook::Notify,
        Hook::Fence,
        Hook::BulkCopy,
        Hook::BulkWrite,
        Hook::Size,
        Hook::Grow,
        Hook::GrowFuncTable,
        Hook::GrowExternTable,
        Hook::Enter,
        Hook::Leave,
        Hook::Callback,
        Hook::Stack,
    ];

    /// Import name, parameters, results.
    pub(crate) const fn signature(self) -> (&'static str, &'static [ValType], &'static [ValType]) {
        match self {
            Hook::Drain => ("drain", &[I32], &[I32]),
            Hook::Load32 => ("load32", &[I32, I32, I32], &[I32]),
            Hook::Load64 => ("load64", &[I32, I32, I32], &[I64]),
            Hook::Store32 => ("store32", &[I32, I32, I32, I32], &[]),
            Hook::Store64 => ("store64", &[I32, I64, I32, I32], &[]),
            Hook::Rmw32 => ("rmw32", &[I32, I32, I32, I32], &[I32]),
            Hook::Rmw64 => ("rmw64", &[I32, I64, I32, I32], &[I64]),
            Hook::Cmpxchg32 => ("cmpxchg32", &[I32, I32, I32, I32, I32], &[I32]),
            Hook::Cmpxchg64 => ("cmpxchg64", &[I32, I64, I64, I32, I32], &[I64]),
            Hook::Wait32 => ("wait32", &[I32, I32, I64, I32], &[I32]),
            Hook::Wait64 => ("wait64", &[I32, I64, I64, I32], &[I32]),
            Hook::Notify => ("notify", &[I32, I32, I32], &[I32]),
            Hook::Fence => ("fence", &[I32], &[]),
            Hook::BulkCopy => ("copy", &[I32, I32, I32, I32], &[]),
            Hook::BulkWrite => ("fill", &[I32, I32, I32], &[]),
            Hook::Size => ("size", &[I32], &[I32]),
            Hook::Grow => ("grow", &[I32, I32], &[I32]),
            Hook::GrowFuncTable => ("grow_func_table", &[FUNC, I32, I32], &[I32]),
            Hook::GrowExternTable => ("grow_extern_table", &[EXTERN, I32, I32], &[I32]),
            Hook::Enter => ("enter", &[I32, I32, I32, I32, I32], &[]),
            Hook::Leave => ("leave", &[I32, I32], &[]),
            Hook::Callback => ("callback", &[I32, I32], &[]),
            Hook::Stack => ("stack", &[I32], &[]),
        }
    }
}

/// What an atomic access computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum AtomicOp {
    Load,
    /// A plain load that belongs to the compare-exchange that follows: it may be misaligned.
    FirstRead,
    Store,
    Add,
    Sub,
    And,
    Or,
    Xor,
    Exchange,
    CompareExchange,
}

impl AtomicOp {
    pub(crate) const ALL: [AtomicOp; 10] = [
        AtomicOp::Load,
        AtomicOp::FirstRead,
        AtomicOp::Store,
        AtomicOp::Add,
        AtomicOp::Sub,
        AtomicOp::And,
        AtomicOp::Or,
        AtomicOp::Xor,
        AtomicOp::Exchange,
        AtomicOp::CompareExchange,
    ];
}
