//! Function bodies: what each instruction becomes.

use super::hooks::{AtomicOp, Hook};
use super::operands::{Operands, Origin};
use super::region::{Base, Plan, Planned, Region};
use super::{Context, Instrumentation, RING_END, RING_MEMORY, SLOT_GLOBAL, Shift};
use crate::program::ProgramError;
use crate::program::sites::{Site, SiteId, SiteKind, SiteTable};
use smallvec::SmallVec;
use std::ops::Range;
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{BlockType, Encode, Instruction, MemArg, MemArgTarget, ValType};
use wasmparser::{
    ContType, FrameKind, FuncToValidate, FuncType, FuncValidator, FuncValidatorAllocations,
    FunctionBody, ModuleArity, Operator, RefType, SubType, ValidatorResources,
};

/// What an instruction does to memory.
enum Effect {
    Load(wasmparser::MemArg, u8),
    /// The value's type: it lies above the address on the stack.
    Store(wasmparser::MemArg, u8, ValType),
    /// A lane load takes a vector above the address, and pushes one.
    LoadLane(wasmparser::MemArg, u8),
    Atomic(wasmparser::MemArg, u8, AtomicOp, Wide),
    Wait(wasmparser::MemArg, u8),
    Notify(wasmparser::MemArg),
    Fence,
    Copy,
    Write,
    Grow,
}

/// Whether an atomic works on an `i64`.
type Wide = bool;

/// Whether a function with this instruction emits records or calls hooks.
pub(super) fn is_observable(op: &Operator<'_>) -> bool {
    effect(op).is_some()
}

#[rustfmt::skip]
fn effect(op: &Operator<'_>) -> Option<Effect> {
    use AtomicOp::{Add, And, CompareExchange, Exchange, Or, Sub, Xor};
    use Effect::{Atomic, Load, LoadLane, Store, Wait};
    use Operator as O;
    use ValType::{F32, F64, I32, I64, V128};
    Some(match *op {
        O::I32Load8S { memarg } | O::I32Load8U { memarg } | O::I64Load8S { memarg } | O::I64Load8U { memarg }
        | O::V128Load8Splat { memarg } => Load(memarg, 1),
        O::I32Load16S { memarg } | O::I32Load16U { memarg } | O::I64Load16S { memarg } | O::I64Load16U { memarg }
        | O::V128Load16Splat { memarg } => Load(memarg, 2),
        O::I32Load { memarg } | O::F32Load { memarg } | O::I64Load32S { memarg } | O::I64Load32U { memarg }
        | O::V128Load32Splat { memarg } | O::V128Load32Zero { memarg } => Load(memarg, 4),
        O::I64Load { memarg } | O::F64Load { memarg } | O::V128Load64Splat { memarg } | O::V128Load64Zero { memarg }
        | O::V128Load8x8S { memarg } | O::V128Load8x8U { memarg } | O::V128Load16x4S { memarg }
        | O::V128Load16x4U { memarg } | O::V128Load32x2S { memarg } | O::V128Load32x2U { memarg } => Load(memarg, 8),
        O::V128Load { memarg } => Load(memarg, 16),
        O::V128Load8Lane { memarg, .. } => LoadLane(memarg, 1),
        O::V128Load16Lane { memarg, .. } => LoadLane(memarg, 2),
        O::V128Load32Lane { memarg, .. } => LoadLane(memarg, 4),
        O::V128Load64Lane { memarg, .. } => LoadLane(memarg, 8),

        O::I32Store8 { memarg } => Store(memarg, 1, I32),
        O::I32Store16 { memarg } => Store(memarg, 2, I32),
        O::I32Store { memarg } => Store(memarg, 4, I32),
        O::I64Store8 { memarg } => Store(memarg, 1, I64),
        O::I64Store16 { memarg } => Store(memarg, 2, I64),
        O::I64Store32 { memarg } => Store(memarg, 4, I64),
        O::I64Store { memarg } => Store(memarg, 8, I64),
        O::F32Store { memarg } => Store(memarg, 4, F32),
        O::F64Store { memarg } => Store(memarg, 8, F64),
        O::V128Store { memarg } => Store(memarg, 16, V128),
        O::V128Store8Lane { memarg, .. } => Store(memarg, 1, V128),
        O::V128Store16Lane { memarg, .. } => Store(memarg, 2, V128),
        O::V128Store32Lane { memarg, .. } => Store(memarg, 4, V128),
        O::V128Store64Lane { memarg, .. } => Store(memarg, 8, V128),

        O::I32AtomicLoad { memarg } => Atomic(memarg, 4, AtomicOp::Load, false),
        O::I32AtomicLoad8U { memarg } => Atomic(memarg, 1, AtomicOp::Load, false),
        O::I32AtomicLoad16U { memarg } => Atomic(memarg, 2, AtomicOp::Load, false),
        O::I64AtomicLoad { memarg } => Atomic(memarg, 8, AtomicOp::Load, true),
        O::I64AtomicLoad8U { memarg } => Atomic(memarg, 1, AtomicOp::Load, true),
        O::I64AtomicLoad16U { memarg } => Atomic(memarg, 2, AtomicOp::Load, true),
        O::I64AtomicLoad32U { memarg } => Atomic(memarg, 4, AtomicOp::Load, true),
        O::I32AtomicStore { memarg } => Atomic(memarg, 4, AtomicOp::Store, false),
        O::I32AtomicStore8 { memarg } => Atomic(memarg, 1, AtomicOp::Store, false),
        O::I32AtomicStore16 { memarg } => Atomic(memarg, 2, AtomicOp::Store, false),
        O::I64AtomicStore { memarg } => Atomic(memarg, 8, AtomicOp::Store, true),
        O::I64AtomicStore8 { memarg } => Atomic(memarg, 1, AtomicOp::Store, true),
        O::I64AtomicStore16 { memarg } => Atomic(memarg, 2, AtomicOp::Store, true),
        O::I64AtomicStore32 { memarg } => Atomic(memarg, 4, AtomicOp::Store, true),

        O::I32AtomicRmwAdd { memarg } => Atomic(memarg, 4, Add, false),
        O::I32AtomicRmw8AddU { memarg } => Atomic(memarg, 1, Add, false),
        O::I32AtomicRmw16AddU { memarg } => Atomic(memarg, 2, Add, false),
        O::I64AtomicRmwAdd { memarg } => Atomic(memarg, 8, Add, true),
        O::I64AtomicRmw8AddU { memarg } => Atomic(memarg, 1, Add, true),
        O::I64AtomicRmw16AddU { memarg } => Atomic(memarg, 2, Add, true),
        O::I64AtomicRmw32AddU { memarg } => Atomic(memarg, 4, Add, true),
        O::I32AtomicRmwSub { memarg } => Atomic(memarg, 4, Sub, false),
        O::I32AtomicRmw8SubU { memarg } => Atomic(memarg, 1, Sub, false),
        O::I32AtomicRmw16SubU { memarg } => Atomic(memarg, 2, Sub, false),
        O::I64AtomicRmwSub { memarg } => Atomic(memarg, 8, Sub, true),
        O::I64AtomicRmw8SubU { memarg } => Atomic(memarg, 1, Sub, true),
        O::I64AtomicRmw16SubU { memarg } => Atomic(memarg, 2, Sub, true),
        O::I64AtomicRmw32SubU { memarg } => Atomic(memarg, 4, Sub, true),
        O::I32AtomicRmwAnd { memarg } => Atomic(memarg, 4, And, false),
        O::I32AtomicRmw8AndU { memarg } => Atomic(memarg, 1, And, false),
        O::I32AtomicRmw16AndU { memarg } => Atomic(memarg, 2, And, false),
        O::I64AtomicRmwAnd { memarg } => Atomic(memarg, 8, And, true),
        O::I64AtomicRmw8AndU { memarg } => Atomic(memarg, 1, And, true),
        O::I64AtomicRmw16AndU { memarg } => Atomic(memarg, 2, And, true),
        O::I64AtomicRmw32AndU { memarg } => Atomic(memarg, 4, And, true),
        O::I32AtomicRmwOr { memarg } => Atomic(memarg, 4, Or, false),
        O::I32AtomicRmw8OrU { memarg } => Atomic(memarg, 1, Or, false),
        O::I32AtomicRmw16OrU { memarg } => Atomic(memarg, 2, Or, false),
        O::I64AtomicRmwOr { memarg } => Atomic(memarg, 8, Or, true),
        O::I64AtomicRmw8OrU { memarg } => Atomic(memarg, 1, Or, true),
        O::I64AtomicRmw16OrU { memarg } => Atomic(memarg, 2, Or, true),
        O::I64AtomicRmw32OrU { memarg } => Atomic(memarg, 4, Or, true),
        O::I32AtomicRmwXor { memarg } => Atomic(memarg, 4, Xor, false),
        O::I32AtomicRmw8XorU { memarg } => Atomic(memarg, 1, Xor, false),
        O::I32AtomicRmw16XorU { memarg } => Atomic(memarg, 2, Xor, false),
        O::I64AtomicRmwXor { memarg } => Atomic(memarg, 8, Xor, true),
        O::I64AtomicRmw8XorU { memarg } => Atomic(memarg, 1, Xor, true),
        O::I64AtomicRmw16XorU { memarg } => Atomic(memarg, 2, Xor, true),
        O::I64AtomicRmw32XorU { memarg } => Atomic(memarg, 4, Xor, true),
        O::I32AtomicRmwXchg { memarg } => Atomic(memarg, 4, Exchange, false),
        O::I32AtomicRmw8XchgU { memarg } => Atomic(memarg, 1, Exchange, false),
        O::I32AtomicRmw16XchgU { memarg } => Atomic(memarg, 2, Exchange, false),
        O::I64AtomicRmwXchg { memarg } => Atomic(memarg, 8, Exchange, true),
        O::I64AtomicRmw8XchgU { memarg } => Atomic(memarg, 1, Exchange, true),
        O::I64AtomicRmw16XchgU { memarg } => Atomic(memarg, 2, Exchange, true),
        O::I64AtomicRmw32XchgU { memarg } => Atomic(memarg, 4, Exchange, true),
        O::I32AtomicRmwCmpxchg { memarg } => Atomic(memarg, 4, CompareExchange, false),
        O::I32AtomicRmw8CmpxchgU { memarg } => Atomic(memarg, 1, CompareExchange, false),
        O::I32AtomicRmw16CmpxchgU { memarg } => Atomic(memarg, 2, CompareExchange, false),
        O::I64AtomicRmwCmpxchg { memarg } => Atomic(memarg, 8, CompareExchange, true),
        O::I64AtomicRmw8CmpxchgU { memarg } => Atomic(memarg, 1, CompareExchange, true),
        O::I64AtomicRmw16CmpxchgU { memarg } => Atomic(memarg, 2, CompareExchange, true),
        O::I64AtomicRmw32CmpxchgU { memarg } => Atomic(memarg, 4, CompareExchange, true),

        O::MemoryAtomicWait32 { memarg } => Wait(memarg, 4),
        O::MemoryAtomicWait64 { memarg } => Wait(memarg, 8),
        O::MemoryAtomicNotify { memarg } => Effect::Notify(memarg),
        O::AtomicFence { .. } => Effect::Fence,
        O::MemoryCopy { .. } => Effect::Copy,
        O::MemoryFill { .. } | O::MemoryInit { .. } => Effect::Write,
        O::MemoryGrow { .. } => Effect::Grow,
        _ => return None,
    })
}

/// Lowers one body. `index` is its function index in the original module.
pub(super) fn lower(
    context: &Context<'_>,
    sites: &mut SiteTable,
    index: u32,
    func: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
    allocations: &mut FuncValidatorAllocations,
) -> Result<wasm_encoder::Function, ProgramError> {
    let mut validator = func.into_validator(std::mem::take(allocations));
    let mut reader = body.get_operators_reader()?;
    {
        let mut locals = body.get_binary_reader();
        validator.read_locals(&mut locals)?;
    }
    let mut lowering = Body {
        context,
        sites,
        index,
        code: Vec::with_capacity(4 * (body.range().end - body.range().start) as usize),
        first_extra: validator.len_locals(),
        extra: Vec::new(),
        ring: None,
        operands: Operands::default(),
        region: Region::default(),
        returned: None,
    };
    if !context.is_silent(index) {
        let ring = lowering.extra_local(ValType::I32, Slot::Ring);
        lowering.ring = Some(ring);
        lowering.load_ring(ring);
    }
    while !reader.eof() {
        let offset = reader.original_position();
        let op = reader.read()?;
        lowering.instruction(&mut validator, offset, &op)?;
    }
    reader.finish()?;
    *allocations = validator.into_allocations();
    lowering.finish(body)
}

/// What an added local is for; each is added at most once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Slot {
    Ring,
    /// The address operand that was left at this height.
    Address(usize),
    /// The operand at this height, where it enters or leaves a region.
    Operand(usize, ValType),
    /// The operand above an address.
    Value(ValType),
    Dest,
    Source,
    Length,
}

/// How the records of a piece are made.
#[derive(Clone, Copy)]
enum Mode {
    /// Into the slot after those of the region before; no check.
    Fast { slot: u64 },
    /// By a call that checks.
    Slow,
}

struct Body<'a> {
    context: &'a Context<'a>,
    sites: &'a mut SiteTable,
    index: u32,
    code: Vec<u8>,
    first_extra: u32,
    extra: Vec<(Slot, ValType)>,
    ring: Option<u32>,
    operands: Operands,
    region: Region,
    /// The return that is still to be recorded.
    returned: Option<SiteId>,
}

impl Body<'_> {
    fn emit(&mut self, instruction: &Instruction<'_>) {
        instruction.encode(&mut self.code);
    }

    fn extra_local(&mut self, ty: ValType, slot: Slot) -> u32 {
        let position = self
            .extra
            .iter()
            .position(|&(s, _)| s == slot)
            .unwrap_or_else(|| {
                self.extra.push((slot, ty));
                self.extra.len() - 1
            });
        self.first_extra + position as u32
    }

    fn site(&mut self, kind: SiteKind, width: u8, offset: u64, displacement: u64) -> SiteId {
        self.sites.push(Site {
            kind,
            width,
            func: self.index,
            offset: offset as u32,
            displacement: displacement as u32,
        })
    }

    // ---- the ring ------------------------------------------------------------------------------

    fn load_ring(&mut self, ring: u32) {
        self.emit(&Instruction::GlobalGet(SLOT_GLOBAL));
        self.emit(&Instruction::LocalSet(ring));
    }

    fn store_ring(&mut self) {
        if let Some(ring) = self.ring {
            self.emit(&Instruction::LocalGet(ring));
            self.emit(&Instruction::GlobalSet(SLOT_GLOBAL));
        }
    }

    fn advance_ring(&mut self, ring: u32, records: usize) {
        self.emit(&Instruction::LocalGet(ring));
        self.emit(&Instruction::I32Const(8 * records as i32));
        self.emit(&Instruction::I32Add);
        self.emit(&Instruction::LocalSet(ring));
    }

    /// Calls the machine if the slots are used up.
    ///
    /// The order matters: by the time `drain` runs, the accesses of all records in the ring are done, and
    /// the record that follows is not yet in it, so a thread may be suspended there.
    fn check_ring(&mut self, ring: u32) {
        self.emit(&Instruction::Block(BlockType::Empty));
        self.emit(&Instruction::LocalGet(ring));
        self.emit(&Instruction::I32Const(RING_END.cast_signed()));
        self.emit(&Instruction::I32Ne);
        self.emit(&Instruction::BrIf(0));
        self.emit(&Instruction::Call(self.context.hook(Hook::Drain)));
        self.emit(&Instruction::LocalSet(ring));
        self.emit(&Instruction::End);
    }

    /// Writes a record, `slot` slots after the next.
    fn store_record(&mut self, ring: u32, slot: u64, site: SiteId, base: NamedBase) {
        self.emit(&Instruction::LocalGet(ring));
        let high = u64::from(site.0) << 32;
        match base {
            NamedBase::Constant(base) => {
                let record = high | u64::from(base.cast_unsigned());
                self.emit(&Instruction::I64Const(record.cast_signed()));
            }
            NamedBase::Local(local) => {
                self.emit(&Instruction::LocalGet(local));
                self.emit(&Instruction::I64ExtendI32U);
                self.emit(&Instruction::I64Const(high.cast_signed()));
                self.emit(&Instruction::I64Or);
            }
        }
        self.emit(&Instruction::I64Store(MemArg {
            offset: 8 * slot,
            align: 3,
            target: MemArgTarget::Memory(RING_MEMORY),
            ordering: None,
        }));
    }

    fn record(&mut self, ring: u32, mode: Mode, site: SiteId, base: NamedBase) {
        match mode {
            Mode::Fast { slot } => self.store_record(ring, slot, site, base),
            Mode::Slow => {
                self.emit(&match base {
                    NamedBase::Local(local) => Instruction::LocalGet(local),
                    NamedBase::Constant(base) => Instruction::I32Const(base),
                });
                self.emit(&Instruction::I32Const(site.0.cast_signed()));
                self.emit(&Instruction::Call(self.context.step()));
            }
        }
    }

    fn call_hook(&mut self, hook: Hook, site: SiteId) {
        self.emit(&Instruction::I32Const(site.0.cast_signed()));
        self.store_ring();
        self.emit(&Instruction::Call(self.context.hook(hook)));
        if let Some(ring) = self.ring {
            self.load_ring(ring);
        }
    }

    // ---- instructions --------------------------------------------------------------------------

    fn instruction(
        &mut self,
        validator: &mut FuncValidator<ValidatorResources>,
        offset: u64,
        op: &Operator<'_>,
    ) -> Result<(), ProgramError> {
        let height = validator.operand_stack_height() as usize;
        let frame = validator.get_control_frame(0);
        let dead = frame.is_some_and(|frame| frame.unreachable);
        let frame_height = frame.map_or(0, |frame| frame.height);
        let depth = validator.control_stack_height();
        validator.op(offset, op)?;
        let recording = self.ring.is_some() && !dead;
        let arity = if recording { straight(op) } else { None };
        if let Some((pops, pushes)) = arity {
            debug_assert_eq!(height, self.operands.height());
            let result = (pushes > 0).then(|| self.operand_type(validator, 0));
            return self.straight(offset, op, height - pops, result);
        }
        if recording {
            let call = match *op {
                Operator::Call { function_index } => !self.context.is_silent(function_index),
                Operator::CallIndirect { .. } => true,
                _ => false,
            };
            self.boundary(offset, op, depth, call)?;
        } else {
            self.copy_or_hook(offset, op, depth)?;
        }
        // Operands below those that the instruction takes are what they were.
        let kept = match *op {
            Operator::BrIf { .. } => height,
            Operator::Call { function_index } => {
                let ty = self.context.info.function_type(function_index);
                height.saturating_sub(ty.map_or(0, |ty| ty.params().len()))
            }
            Operator::Block { .. } | Operator::Loop { .. } | Operator::If { .. } => validator
                .get_control_frame(0)
                .map_or(0, |frame| frame.height),
            ref op => match op.operator_arity(&NoModule) {
                Some((pops, _)) => height.saturating_sub(pops as usize),
                None => frame_height,
            },
        };
        let now = validator.operand_stack_height() as usize;
        self.operands.truncate(kept.min(now));
        for depth in (0..now - self.operands.height()).rev() {
            let ty = self.operand_type(validator, depth);
            self.operands.push(ty, Origin::Unknown);
        }
        Ok(())
    }

    /// The type of an operand; of one in dead code, which may have none, any.
    fn operand_type(&self, validator: &FuncValidator<ValidatorResources>, depth: usize) -> ValType {
        let ty = validator.get_operand_type(depth).flatten();
        ty.and_then(|ty| Shift(self.context.info).val_type(ty).ok())
            .unwrap_or(ValType::I32)
    }

    /// An instruction within a region.
    fn straight(
        &mut self,
        offset: u64,
        op: &Operator<'_>,
        low: usize,
        result: Option<ValType>,
    ) -> Result<(), ProgramError> {
        if self.region.is_full() {
            self.end_region(None);
        }
        if self.region.is_empty() {
            self.region.begin(&self.operands);
        }
        let access = match effect(op) {
            Some(Effect::Load(arg, width)) => Some((arg, width, SiteKind::Read, None)),
            Some(Effect::Store(arg, width, ty)) => Some((arg, width, SiteKind::Write, Some(ty))),
            Some(Effect::LoadLane(arg, width)) => {
                Some((arg, width, SiteKind::Read, Some(ValType::V128)))
            }
            _ => None,
        };
        let may_trap = may_trap(op);
        let mut records = SmallVec::new();
        if access.is_some() || may_trap {
            records.extend(self.returned.take().map(|site| Planned {
                site,
                base: Base::Constant(0),
                above: None,
            }));
        }
        if let Some((arg, width, kind, above)) = access {
            let site = self.site(kind, width, offset, arg.offset);
            // The address is the lowest operand of every access.
            let base = match self.operands.at(low).origin {
                Origin::Local(local) => Base::Local(local),
                Origin::Constant(value) => Base::Constant(value),
                Origin::Piece(piece) => Base::Operand {
                    height: low,
                    piece: Some(piece),
                },
                Origin::Unknown => Base::Operand {
                    height: low,
                    piece: None,
                },
            };
            records.push(Planned { site, base, above });
        }
        let from = self.region.bytes.len();
        let instruction = Shift(self.context.info).instruction(op.clone())?;
        instruction.encode(&mut self.region.bytes);
        let piece = self.region.pieces.len();
        self.region.add(from, records, (low, result), may_trap);
        self.operands.truncate(low);
        if let Operator::LocalSet { local_index } | Operator::LocalTee { local_index } = *op {
            self.operands.local_written(local_index);
        }
        if let Some(ty) = result {
            let origin = match *op {
                Operator::LocalGet { local_index } | Operator::LocalTee { local_index } => {
                    Origin::Local(local_index)
                }
                Operator::I32Const { value } => Origin::Constant(value),
                _ => Origin::Piece(piece),
            };
            self.operands.push(ty, origin);
        }
        Ok(())
    }

    /// An instruction that ends a region, in live code of a function that records.
    fn boundary(
        &mut self,
        offset: u64,
        op: &Operator<'_>,
        depth: u32,
        call: bool,
    ) -> Result<(), ProgramError> {
        if call {
            let call = self.site(SiteKind::Call, 0, offset, 0);
            let back = self.site(SiteKind::Return, 0, offset, 0);
            self.end_region(Some(call));
            self.store_ring();
            self.copy(op)?;
            if let Some(ring) = self.ring {
                self.load_ring(ring);
            }
            self.returned = Some(back);
        } else if matches!(op, Operator::Unreachable) {
            let site = self.site(SiteKind::Trap, 0, offset, 0);
            self.end_region(Some(site));
            self.copy(op)?;
        } else {
            self.end_region(None);
            self.copy_or_hook(offset, op, depth)?;
        }
        Ok(())
    }

    /// An instruction outside regions.
    fn copy_or_hook(
        &mut self,
        offset: u64,
        op: &Operator<'_>,
        depth: u32,
    ) -> Result<(), ProgramError> {
        let off = self.context.instrumentation == Instrumentation::Off;
        match effect(op) {
            Some(Effect::Atomic(arg, width, kind, wide)) => {
                self.atomic(arg, width, kind, wide, offset);
            }
            Some(Effect::Wait(arg, width)) => {
                let site = self.site(SiteKind::Atomic, width, offset, arg.offset);
                let hook = if width == 8 {
                    Hook::Wait64
                } else {
                    Hook::Wait32
                };
                self.call_hook(hook, site);
            }
            Some(Effect::Notify(arg)) => {
                let site = self.site(SiteKind::Atomic, 4, offset, arg.offset);
                self.call_hook(Hook::Notify, site);
            }
            Some(Effect::Fence) => {
                let site = self.site(SiteKind::Atomic, 0, offset, 0);
                self.call_hook(Hook::Fence, site);
            }
            Some(Effect::Copy) if !off => self.bulk(Hook::BulkCopy, offset, op)?,
            Some(Effect::Write) if !off => self.bulk(Hook::BulkWrite, offset, op)?,
            Some(Effect::Grow) => {
                let site = self.site(SiteKind::Bulk, 0, offset, 0);
                self.call_hook(Hook::Grow, site);
            }
            _ => {
                if exits_function(op, depth) {
                    self.store_ring();
                }
                self.copy(op)?;
            }
        }
        Ok(())
    }

    fn atomic(
        &mut self,
        arg: wasmparser::MemArg,
        width: u8,
        op: AtomicOp,
        wide: Wide,
        offset: u64,
    ) {
        let site = self.site(SiteKind::Atomic, width, offset, arg.offset);
        let hook = match (op, wide) {
            (AtomicOp::Load, false) => Hook::Load32,
            (AtomicOp::Load, true) => Hook::Load64,
            (AtomicOp::Store, false) => Hook::Store32,
            (AtomicOp::Store, true) => Hook::Store64,
            (AtomicOp::CompareExchange, false) => Hook::Cmpxchg32,
            (AtomicOp::CompareExchange, true) => Hook::Cmpxchg64,
            (_, false) => Hook::Rmw32,
            (_, true) => Hook::Rmw64,
        };
        self.emit(&Instruction::I32Const(op as i32));
        self.call_hook(hook, site);
    }

    /// The hook is told before the instruction runs; nothing can come in between.
    fn bulk(&mut self, hook: Hook, offset: u64, op: &Operator<'_>) -> Result<(), ProgramError> {
        let site = self.site(SiteKind::Bulk, 0, offset, 0);
        let dest = self.extra_local(ValType::I32, Slot::Dest);
        let source = self.extra_local(ValType::I32, Slot::Source);
        let length = self.extra_local(ValType::I32, Slot::Length);
        self.emit(&Instruction::LocalSet(length));
        self.emit(&Instruction::LocalSet(source));
        self.emit(&Instruction::LocalSet(dest));
        self.emit(&Instruction::LocalGet(dest));
        if hook == Hook::BulkCopy {
            self.emit(&Instruction::LocalGet(source));
        }
        self.emit(&Instruction::LocalGet(length));
        self.call_hook(hook, site);
        self.emit(&Instruction::LocalGet(dest));
        self.emit(&Instruction::LocalGet(source));
        self.emit(&Instruction::LocalGet(length));
        self.copy(op)
    }

    fn copy(&mut self, op: &Operator<'_>) -> Result<(), ProgramError> {
        let instruction = Shift(self.context.info).instruction(op.clone())?;
        self.emit(&instruction);
        Ok(())
    }

    // ---- regions -------------------------------------------------------------------------------

    /// Ends the present region, with this record at its end, if any.
    fn end_region(&mut self, last: Option<SiteId>) {
        let mut region = std::mem::take(&mut self.region);
        if region.is_empty() {
            region.begin(&self.operands);
        }
        let tail: SmallVec<[SiteId; 2]> = self.returned.take().into_iter().chain(last).collect();
        let (Some(ring), Some(plan)) = (self.ring, region.plan(tail.len())) else {
            self.code.extend_from_slice(&region.bytes);
            self.operands.end_region(|_, _, _| Origin::Unknown);
            return self.reuse(region);
        };
        self.copy_pieces(&region, 0..plan.inner.start);
        if plan.records == 1 {
            self.check_ring(ring);
            self.pieces(&region, &plan, Mode::Fast { slot: 0 });
            for &site in &tail {
                self.store_record(ring, 0, site, NamedBase::Constant(0));
            }
            self.advance_ring(ring, 1);
            self.operands.end_region(|_, _, _| Origin::Unknown);
        } else {
            self.twice(ring, &region, &plan, &tail);
        }
        self.copy_pieces(&region, plan.inner.end..region.pieces.len());
        self.reuse(region);
    }

    /// Keeps the buffers.
    fn reuse(&mut self, mut region: Region) {
        region.clear();
        self.region = region;
    }

    /// A region with several records.
    fn twice(&mut self, ring: u32, region: &Region, plan: &Plan, tail: &[SiteId]) {
        let bottom = plan.taken.start;
        let local_of = |body: &mut Self, at: usize, types: &[ValType]| {
            let ty = types[at - bottom];
            body.extra_local(ty, Slot::Operand(at, ty))
        };
        let taken = region.types(plan.inner.start, bottom);
        let left = region.types(plan.inner.end, bottom);
        for at in plan.taken.clone().rev() {
            let local = local_of(self, at, &taken);
            self.emit(&Instruction::LocalSet(local));
        }
        self.emit(&Instruction::Block(BlockType::Empty));
        self.emit(&Instruction::Block(BlockType::Empty));
        self.emit(&Instruction::LocalGet(ring));
        self.emit(&Instruction::I32Const(
            RING_END.cast_signed() - 8 * plan.records as i32,
        ));
        self.emit(&Instruction::I32LeU);
        self.emit(&Instruction::BrIf(0));
        for mode in [Mode::Slow, Mode::Fast { slot: 0 }] {
            if let Mode::Slow = mode {
                self.store_ring();
            }
            for at in plan.taken.clone() {
                let local = local_of(self, at, &taken);
                self.emit(&Instruction::LocalGet(local));
            }
            let mut mode = self.pieces(region, plan, mode);
            for &site in tail {
                self.record(ring, mode, site, NamedBase::Constant(0));
                mode.next();
            }
            match mode {
                Mode::Slow => self.load_ring(ring),
                Mode::Fast { .. } => self.advance_ring(ring, plan.records),
            }
            for at in plan.left.clone().rev() {
                let local = local_of(self, at, &left);
                self.emit(&Instruction::LocalSet(local));
            }
            if let Mode::Slow = mode {
                self.emit(&Instruction::Br(1));
            }
            self.emit(&Instruction::End);
        }
        for at in plan.left.clone() {
            let local = local_of(self, at, &left);
            self.emit(&Instruction::LocalGet(local));
        }
        let (first, extra) = (self.first_extra, &self.extra);
        self.operands.end_region(|height, piece, ty| {
            let wanted = Slot::Operand(height, ty);
            let known = extra.iter().position(|&(slot, _)| slot == wanted);
            match known {
                Some(position) if plan.left.contains(&height) && piece < plan.inner.end => {
                    Origin::Local(first + position as u32)
                }
                _ => Origin::Unknown,
            }
        });
    }

    /// Pieces without their records.
    fn copy_pieces(&mut self, region: &Region, pieces: Range<usize>) {
        for piece in &region.pieces[pieces] {
            self.code
                .extend_from_slice(&region.bytes[piece.code.clone()]);
        }
    }

    /// The inner pieces of a region, with their records; the mode that goes on from there.
    fn pieces(&mut self, region: &Region, plan: &Plan, mut mode: Mode) -> Mode {
        let Some(ring) = self.ring else { return mode };
        // Addresses that have to be kept when they are left, by piece.
        let mut kept: SmallVec<[(usize, u32); 8]> = SmallVec::new();
        for planned in region.pieces[plan.inner.clone()]
            .iter()
            .flat_map(|piece| &piece.records)
        {
            if let Base::Operand {
                height,
                piece: Some(piece),
            } = planned.base
                && piece >= plan.inner.start
            {
                kept.push((piece, self.extra_local(ValType::I32, Slot::Address(height))));
            }
        }
        for at in plan.inner.clone() {
            let piece = &region.pieces[at];
            for planned in &piece.records {
                self.piece_record(ring, plan, mode, planned);
                mode.next();
            }
            self.code
                .extend_from_slice(&region.bytes[piece.code.clone()]);
            if let Some(&(_, local)) = kept.iter().find(|&&(piece, _)| piece == at) {
                self.emit(&Instruction::LocalTee(local));
            }
        }
        mode
    }

    fn piece_record(&mut self, ring: u32, plan: &Plan, mode: Mode, planned: &Planned) {
        let Planned { site, base, above } = *planned;
        let base = match base {
            Base::Local(local) => NamedBase::Local(local),
            Base::Constant(value) => NamedBase::Constant(value),
            Base::Operand {
                height,
                piece: Some(piece),
            } if piece >= plan.inner.start => {
                NamedBase::Local(self.extra_local(ValType::I32, Slot::Address(height)))
            }
            // It came from outside, by way of a local, if the region exists twice.
            Base::Operand { height, .. } if plan.records > 1 => {
                let slot = Slot::Operand(height, ValType::I32);
                NamedBase::Local(self.extra_local(ValType::I32, slot))
            }
            Base::Operand { height, .. } => {
                let address = self.extra_local(ValType::I32, Slot::Address(height));
                let value = above.map(|ty| self.extra_local(ty, Slot::Value(ty)));
                if let Some(value) = value {
                    self.emit(&Instruction::LocalSet(value));
                }
                self.emit(&Instruction::LocalTee(address));
                self.record(ring, mode, site, NamedBase::Local(address));
                if let Some(value) = value {
                    self.emit(&Instruction::LocalGet(value));
                }
                return;
            }
        };
        self.record(ring, mode, site, base);
    }

    fn finish(self, body: &FunctionBody<'_>) -> Result<wasm_encoder::Function, ProgramError> {
        let mut locals = Vec::new();
        for entry in body.get_locals_reader()? {
            let (count, ty) = entry?;
            locals.push((count, Shift(self.context.info).val_type(ty)?));
        }
        locals.extend(self.extra.iter().map(|&(_, ty)| (1, ty)));
        let mut function = wasm_encoder::Function::new(locals);
        function.raw(self.code);
        Ok(function)
    }
}

impl Mode {
    /// A record was made.
    fn next(&mut self) {
        if let Mode::Fast { slot } = self {
            *slot += 1;
        }
    }
}

/// An address operand that can be named.
#[derive(Clone, Copy)]
enum NamedBase {
    Local(u32),
    Constant(i32),
}

/// What the instruction takes and leaves, if it may be part of a region: nothing but the operand stack,
/// locals, memory and what is the instance's own concern it, and control goes to the next.
fn straight(op: &Operator<'_>) -> Option<(usize, usize)> {
    match effect(op) {
        Some(Effect::Load(..) | Effect::Store(..) | Effect::LoadLane(..)) => {}
        Some(_) => return None,
        None => match op {
            Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Unreachable
            // Another thread may have grown the memory.
            | Operator::MemorySize { .. } => return None,
            _ => {}
        },
    }
    match op.operator_arity(&NoModule)? {
        (pops, pushes @ 0..=1) => Some((pops as usize, pushes as usize)),
        _ => None,
    }
}

/// Whether a straight instruction may end the thread.
fn may_trap(op: &Operator<'_>) -> bool {
    use Operator as O;
    effect(op).is_some()
        || matches!(
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
                | O::TableGrow { .. }
                | O::TableFill { .. }
                | O::TableCopy { .. }
                | O::TableInit { .. }
        )
}

/// Instructions whose arity depends on the module are none of a region.
struct NoModule;

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
fn exits_function(op: &Operator<'_>, depth: u32) -> bool {
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
