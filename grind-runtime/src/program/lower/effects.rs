//! What instructions do, as far as the lowering is concerned.

use super::hooks::AtomicOp;
use wasm_encoder::ValType;
use wasmparser::{ContType, FrameKind, FuncType, ModuleArity, Operator, RefType, SubType};

/// What an instruction does to memory.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    Load(Displacement, u8),
    /// The value's type: it lies above the address on the stack.
    Store(Displacement, u8, ValType),
    /// A lane load takes a vector above the address, and pushes one.
    LoadLane(Displacement, u8),
    Atomic(Displacement, u8, AtomicOp, Wide),
    Wait(Displacement, u8),
    Notify(Displacement),
    Fence,
    Copy,
    Write,
    Size,
    Grow,
    /// Of this table; no other thread can see it.
    TableGrow(u32),
}

/// What is added to the address operand. Memories have 32 bits, which is validated elsewhere.
type Displacement = u32;

fn displacement(memarg: wasmparser::MemArg) -> Displacement {
    memarg.offset as u32
}

/// Whether an atomic works on an `i64`.
pub(super) type Wide = bool;

/// What an instruction does. A function with one that does something emits records or calls hooks.
#[rustfmt::skip]
pub(super) fn effect(op: &Operator<'_>) -> Option<Effect> {
    use AtomicOp::{Add, And, CompareExchange, Exchange, Or, Sub, Xor};
    use Effect::{Atomic, Load, LoadLane, Store, Wait};
    use Operator as O;
    use ValType::{F32, F64, I32, I64, V128};
    Some(match *op {
        O::I32Load8S { memarg } | O::I32Load8U { memarg } | O::I64Load8S { memarg } | O::I64Load8U { memarg }
        | O::V128Load8Splat { memarg } => Load(displacement(memarg), 1),
        O::I32Load16S { memarg } | O::I32Load16U { memarg } | O::I64Load16S { memarg } | O::I64Load16U { memarg }
        | O::V128Load16Splat { memarg } => Load(displacement(memarg), 2),
        O::I32Load { memarg } | O::F32Load { memarg } | O::I64Load32S { memarg } | O::I64Load32U { memarg }
        | O::V128Load32Splat { memarg } | O::V128Load32Zero { memarg } => Load(displacement(memarg), 4),
        O::I64Load { memarg } | O::F64Load { memarg } | O::V128Load64Splat { memarg } | O::V128Load64Zero { memarg }
        | O::V128Load8x8S { memarg } | O::V128Load8x8U { memarg } | O::V128Load16x4S { memarg }
        | O::V128Load16x4U { memarg } | O::V128Load32x2S { memarg } | O::V128Load32x2U { memarg } => Load(displacement(memarg), 8),
        O::V128Load { memarg } => Load(displacement(memarg), 16),
        O::V128Load8Lane { memarg, .. } => LoadLane(displacement(memarg), 1),
        O::V128Load16Lane { memarg, .. } => LoadLane(displacement(memarg), 2),
        O::V128Load32Lane { memarg, .. } => LoadLane(displacement(memarg), 4),
        O::V128Load64Lane { memarg, .. } => LoadLane(displacement(memarg), 8),

        O::I32Store8 { memarg } => Store(displacement(memarg), 1, I32),
        O::I32Store16 { memarg } => Store(displacement(memarg), 2, I32),
        O::I32Store { memarg } => Store(displacement(memarg), 4, I32),
        O::I64Store8 { memarg } => Store(displacement(memarg), 1, I64),
        O::I64Store16 { memarg } => Store(displacement(memarg), 2, I64),
        O::I64Store32 { memarg } => Store(displacement(memarg), 4, I64),
        O::I64Store { memarg } => Store(displacement(memarg), 8, I64),
        O::F32Store { memarg } => Store(displacement(memarg), 4, F32),
        O::F64Store { memarg } => Store(displacement(memarg), 8, F64),
        O::V128Store { memarg } => Store(displacement(memarg), 16, V128),
        O::V128Store8Lane { memarg, .. } => Store(displacement(memarg), 1, V128),
        O::V128Store16Lane { memarg, .. } => Store(displacement(memarg), 2, V128),
        O::V128Store32Lane { memarg, .. } => Store(displacement(memarg), 4, V128),
        O::V128Store64Lane { memarg, .. } => Store(displacement(memarg), 8, V128),

        O::I32AtomicLoad { memarg } => Atomic(displacement(memarg), 4, AtomicOp::Load, false),
        O::I32AtomicLoad8U { memarg } => Atomic(displacement(memarg), 1, AtomicOp::Load, false),
        O::I32AtomicLoad16U { memarg } => Atomic(displacement(memarg), 2, AtomicOp::Load, false),
        O::I64AtomicLoad { memarg } => Atomic(displacement(memarg), 8, AtomicOp::Load, true),
        O::I64AtomicLoad8U { memarg } => Atomic(displacement(memarg), 1, AtomicOp::Load, true),
        O::I64AtomicLoad16U { memarg } => Atomic(displacement(memarg), 2, AtomicOp::Load, true),
        O::I64AtomicLoad32U { memarg } => Atomic(displacement(memarg), 4, AtomicOp::Load, true),
        O::I32AtomicStore { memarg } => Atomic(displacement(memarg), 4, AtomicOp::Store, false),
        O::I32AtomicStore8 { memarg } => Atomic(displacement(memarg), 1, AtomicOp::Store, false),
        O::I32AtomicStore16 { memarg } => Atomic(displacement(memarg), 2, AtomicOp::Store, false),
        O::I64AtomicStore { memarg } => Atomic(displacement(memarg), 8, AtomicOp::Store, true),
        O::I64AtomicStore8 { memarg } => Atomic(displacement(memarg), 1, AtomicOp::Store, true),
        O::I64AtomicStore16 { memarg } => Atomic(displacement(memarg), 2, AtomicOp::Store, true),
        O::I64AtomicStore32 { memarg } => Atomic(displacement(memarg), 4, AtomicOp::Store, true),

        O::I32AtomicRmwAdd { memarg } => Atomic(displacement(memarg), 4, Add, false),
        O::I32AtomicRmw8AddU { memarg } => Atomic(displacement(memarg), 1, Add, false),
        O::I32AtomicRmw16AddU { memarg } => Atomic(displacement(memarg), 2, Add, false),
        O::I64AtomicRmwAdd { memarg } => Atomic(displacement(memarg), 8, Add, true),
        O::I64AtomicRmw8AddU { memarg } => Atomic(displacement(memarg), 1, Add, true),
        O::I64AtomicRmw16AddU { memarg } => Atomic(displacement(memarg), 2, Add, true),
        O::I64AtomicRmw32AddU { memarg } => Atomic(displacement(memarg), 4, Add, true),
        O::I32AtomicRmwSub { memarg } => Atomic(displacement(memarg), 4, Sub, false),
        O::I32AtomicRmw8SubU { memarg } => Atomic(displacement(memarg), 1, Sub, false),
        O::I32AtomicRmw16SubU { memarg } => Atomic(displacement(memarg), 2, Sub, false),
        O::I64AtomicRmwSub { memarg } => Atomic(displacement(memarg), 8, Sub, true),
        O::I64AtomicRmw8SubU { memarg } => Atomic(displacement(memarg), 1, Sub, true),
        O::I64AtomicRmw16SubU { memarg } => Atomic(displacement(memarg), 2, Sub, true),
        O::I64AtomicRmw32SubU { memarg } => Atomic(displacement(memarg), 4, Sub, true),
        O::I32AtomicRmwAnd { memarg } => Atomic(displacement(memarg), 4, And, false),
        O::I32AtomicRmw8AndU { memarg } => Atomic(displacement(memarg), 1, And, false),
        O::I32AtomicRmw16AndU { memarg } => Atomic(displacement(memarg), 2, And, false),
        O::I64AtomicRmwAnd { memarg } => Atomic(displacement(memarg), 8, And, true),
        O::I64AtomicRmw8AndU { memarg } => Atomic(displacement(memarg), 1, And, true),
        O::I64AtomicRmw16AndU { memarg } => Atomic(displacement(memarg), 2, And, true),
        O::I64AtomicRmw32AndU { memarg } => Atomic(displacement(memarg), 4, And, true),
        O::I32AtomicRmwOr { memarg } => Atomic(displacement(memarg), 4, Or, false),
        O::I32AtomicRmw8OrU { memarg } => Atomic(displacement(memarg), 1, Or, false),
        O::I32AtomicRmw16OrU { memarg } => Atomic(displacement(memarg), 2, Or, false),
        O::I64AtomicRmwOr { memarg } => Atomic(displacement(memarg), 8, Or, true),
        O::I64AtomicRmw8OrU { memarg } => Atomic(displacement(memarg), 1, Or, true),
        O::I64AtomicRmw16OrU { memarg } => Atomic(displacement(memarg), 2, Or, true),
        O::I64AtomicRmw32OrU { memarg } => Atomic(displacement(memarg), 4, Or, true),
        O::I32AtomicRmwXor { memarg } => Atomic(displacement(memarg), 4, Xor, false),
        O::I32AtomicRmw8XorU { memarg } => Atomic(displacement(memarg), 1, Xor, false),
        O::I32AtomicRmw16XorU { memarg } => Atomic(displacement(memarg), 2, Xor, false),
        O::I64AtomicRmwXor { memarg } => Atomic(displacement(memarg), 8, Xor, true),
        O::I64AtomicRmw8XorU { memarg } => Atomic(displacement(memarg), 1, Xor, true),
        O::I64AtomicRmw16XorU { memarg } => Atomic(displacement(memarg), 2, Xor, true),
        O::I64AtomicRmw32XorU { memarg } => Atomic(displacement(memarg), 4, Xor, true),
        O::I32AtomicRmwXchg { memarg } => Atomic(displacement(memarg), 4, Exchange, false),
        O::I32AtomicRmw8XchgU { memarg } => Atomic(displacement(memarg), 1, Exchange, false),
        O::I32AtomicRmw16XchgU { memarg } => Atomic(displacement(memarg), 2, Exchange, false),
        O::I64AtomicRmwXchg { memarg } => Atomic(displacement(memarg), 8, Exchange, true),
        O::I64AtomicRmw8XchgU { memarg } => Atomic(displacement(memarg), 1, Exchange, true),
        O::I64AtomicRmw16XchgU { memarg } => Atomic(displacement(memarg), 2, Exchange, true),
        O::I64AtomicRmw32XchgU { memarg } => Atomic(displacement(memarg), 4, Exchange, true),
        O::I32AtomicRmwCmpxchg { memarg } => Atomic(displacement(memarg), 4, CompareExchange, false),
        O::I32AtomicRmw8CmpxchgU { memarg } => Atomic(displacement(memarg), 1, CompareExchange, false),
        O::I32AtomicRmw16CmpxchgU { memarg } => Atomic(displacement(memarg), 2, CompareExchange, false),
        O::I64AtomicRmwCmpxchg { memarg } => Atomic(displacement(memarg), 8, CompareExchange, true),
        O::I64AtomicRmw8CmpxchgU { memarg } => Atomic(displacement(memarg), 1, CompareExchange, true),
        O::I64AtomicRmw16CmpxchgU { memarg } => Atomic(displacement(memarg), 2, CompareExchange, true),
        O::I64AtomicRmw32CmpxchgU { memarg } => Atomic(displacement(memarg), 4, CompareExchange, true),

        O::MemoryAtomicWait32 { memarg } => Wait(displacement(memarg), 4),
        O::MemoryAtomicWait64 { memarg } => Wait(displacement(memarg), 8),
        O::MemoryAtomicNotify { memarg } => Effect::Notify(displacement(memarg)),
        O::AtomicFence { .. } => Effect::Fence,
        O::MemoryCopy { .. } => Effect::Copy,
        O::MemoryFill { .. } | O::MemoryInit { .. } => Effect::Write,
        O::MemorySize { .. } => Effect::Size,
        O::MemoryGrow { .. } => Effect::Grow,
        O::TableGrow { table } => Effect::TableGrow(table),
        _ => return None,
    })
}

pub(super) fn is_equality(op: &Operator<'_>) -> bool {
    use Operator::{I32Eq, I32Eqz, I32Ne, I64Eq, I64Eqz, I64Ne};
    matches!(op, I32Eq | I32Eqz | I32Ne | I64Eq | I64Eqz | I64Ne)
}

/// What the instruction takes and leaves, if it may be part of a region: nothing but the operand stack,
/// locals, memory and what is the instance's own concern it, and control goes to the next.
pub(super) fn straight(op: &Operator<'_>, effect: Option<&Effect>) -> Option<(usize, usize)> {
    match effect {
        Some(Effect::Load(..)) => return Some((1, 1)),
        Some(Effect::Store(..)) => return Some((2, 0)),
        Some(Effect::LoadLane(..)) => return Some((2, 1)),
        Some(_) => return None,
        None => match op {
            // Half of all instructions, known here sooner than there: 2 % of lowering.
            Operator::LocalGet { .. } | Operator::I32Const { .. } => return Some((0, 1)),
            Operator::LocalSet { .. } => return Some((1, 0)),
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Unreachable => return None,
            _ => {}
        },
    }
    match op.operator_arity(&NoModule)? {
        (pops, pushes @ 0..=1) => Some((pops as usize, pushes as usize)),
        _ => None,
    }
}

/// Whether a straight instruction that has no effect on memory may end the thread.
pub(super) fn may_trap(op: &Operator<'_>) -> bool {
    use Operator as O;
    matches!(
        op,
        O::I32DivS
            | O::I32DivU
            | O::I32RemS
            | O::I32RemU
            | O::I64DivS
            | O::I64DivU
            | O::I64RemS
            | O::I64RemU
            | O::I32TruncF32S
            | O::I32TruncF32U
            | O::I32TruncF64S
            | O::I32TruncF64U
            | O::I64TruncF32S
            | O::I64TruncF32U
            | O::I64TruncF64S
            | O::I64TruncF64U
            | O::TableGet { .. }
            | O::TableSet { .. }
            | O::TableFill { .. }
            | O::TableCopy { .. }
            | O::TableInit { .. }
    )
}

/// Instructions whose arity depends on the module are none of a region.
pub(super) struct NoModule;

impl ModuleArity for NoModule {
    fn sub_type_at(&self, _: u32) -> Option<&SubType> {
        None
    }

    fn tag_type_arity(&self, _: u32) -> Option<(u32, u32)> {
        None
    }

    fn type_index_of_function(&self, _: u32) -> Option<u32> {
        None
    }

    fn func_type_of_cont_type(&self, _: &ContType) -> Option<&FuncType> {
        None
    }

    fn sub_type_of_ref_type(&self, _: &RefType) -> Option<&SubType> {
        None
    }

    fn control_stack_height(&self) -> u32 {
        0
    }

    fn label_block(&self, _: u32) -> Option<(wasmparser::BlockType, FrameKind)> {
        None
    }
}

/// Whether control may leave the function here, so that the ring slot has to be in the global. A branch
/// to the outermost label returns.
pub(super) fn exits_function(op: &Operator<'_>, depth: u32) -> bool {
    let outermost = depth.saturating_sub(1);
    match op {
        Operator::Return | Operator::ReturnCall { .. } | Operator::ReturnCallIndirect { .. } => {
            true
        }
        Operator::End => depth == 1,
        Operator::Br { relative_depth } | Operator::BrIf { relative_depth } => {
            *relative_depth == outermost
        }
        Operator::BrTable { targets } => {
            targets.default() == outermost || targets.targets().flatten().any(|t| t == outermost)
        }
        _ => false,
    }
}
