//! Function bodies: what each instruction becomes.

use super::hooks::{AtomicOp, Hook};
use super::operands::{Operands, Origin};
use super::{Context, Instrumentation, RING_MEMORY, SLOT_GLOBAL, Shift};
use crate::program::ProgramError;
use crate::program::sites::{Site, SiteId, SiteKind, SiteTable};
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{BlockType, Encode, Instruction, MemArg, MemArgTarget, ValType};
use wasmparser::{
    FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator,
    ValidatorResources,
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
        code: Vec::with_capacity(2 * (body.range().end - body.range().start) as usize),
        first_extra: validator.len_locals(),
        extra: Vec::new(),
        ring: None,
        operands: Operands::default(),
    };
    let records = !context.is_silent(index);
    if records {
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
    Address,
    Value(ValType),
    Dest,
    Source,
    Length,
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

    /// Takes the next slot; calls the machine when the slots are used up.
    ///
    /// The order matters: by the time `drain` runs, the accesses of all records in the ring are done, and
    /// the record that follows is not yet in it, so a thread may be suspended there.
    fn record(&mut self, site: SiteId, base: Base) {
        let Some(ring) = self.ring else { return };
        self.emit(&Instruction::Block(BlockType::Empty));
        self.emit(&Instruction::LocalGet(ring));
        self.emit(&Instruction::I32Const(8));
        self.emit(&Instruction::I32Sub);
        self.emit(&Instruction::LocalTee(ring));
        self.emit(&Instruction::BrIf(0));
        self.emit(&Instruction::Call(self.context.hook(Hook::Drain)));
        self.emit(&Instruction::LocalSet(ring));
        self.emit(&Instruction::End);
        self.emit(&Instruction::LocalGet(ring));
        let high = u64::from(site.0) << 32;
        match base {
            Base::Constant(base) => {
                let record = high | u64::from(base.cast_unsigned());
                self.emit(&Instruction::I64Const(record.cast_signed()));
            }
            Base::Local(local) => {
                self.emit(&Instruction::LocalGet(local));
                self.emit(&Instruction::I64ExtendI32U);
                self.emit(&Instruction::I64Const(high.cast_signed()));
                self.emit(&Instruction::I64Or);
            }
        }
        self.emit(&Instruction::I64Store(MemArg {
            offset: 0,
            align: 3,
            target: MemArgTarget::Memory(RING_MEMORY),
            ordering: None,
        }));
    }

    fn call_hook(&mut self, hook: Hook, site: SiteId) {
        self.emit(&Instruction::I32Const(site.0.cast_signed()));
        self.store_ring();
        self.emit(&Instruction::Call(self.context.hook(hook)));
        if let Some(ring) = self.ring {
            self.load_ring(ring);
        }
    }

    fn instruction(
        &mut self,
        validator: &mut FuncValidator<ValidatorResources>,
        offset: u64,
        op: &Operator<'_>,
    ) -> Result<(), ProgramError> {
        let height = validator.operand_stack_height() as usize;
        let dead = validator
            .get_control_frame(0)
            .is_some_and(|frame| frame.unreachable);
        let depth = validator.control_stack_height();
        validator.op(offset, op)?;
        let off = self.context.instrumentation == Instrumentation::Off;
        match effect(op) {
            Some(Effect::Load(arg, width)) if !dead && !off => {
                self.load(arg, width, offset, height);
                self.copy(op)?;
            }
            Some(Effect::Store(arg, width, ty)) if !dead && !off => {
                self.store(arg, width, ty, SiteKind::Write, offset, height);
                self.copy(op)?;
            }
            Some(Effect::LoadLane(arg, width)) if !dead && !off => {
                self.store(arg, width, ValType::V128, SiteKind::Read, offset, height);
                self.copy(op)?;
            }
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
            _ => self.control(op, offset, depth, dead)?,
        }
        self.track(validator, op);
        Ok(())
    }

    /// Instructions without an effect on memory, of which calls and exits concern the ring.
    fn control(
        &mut self,
        op: &Operator<'_>,
        offset: u64,
        depth: u32,
        dead: bool,
    ) -> Result<(), ProgramError> {
        let records = self.ring.is_some() && !dead;
        match *op {
            Operator::Call { function_index }
                if records && !self.context.is_silent(function_index) =>
            {
                self.call(op, offset)
            }
            Operator::CallIndirect { .. } if records => self.call(op, offset),
            Operator::Unreachable if records => {
                let site = self.site(SiteKind::Trap, 0, offset, 0);
                self.record(site, Base::Constant(0));
                self.copy(op)
            }
            _ => {
                if exits_function(op, depth) {
                    self.store_ring();
                }
                self.copy(op)
            }
        }
    }

    fn call(&mut self, op: &Operator<'_>, offset: u64) -> Result<(), ProgramError> {
        let call = self.site(SiteKind::Call, 0, offset, 0);
        let back = self.site(SiteKind::Return, 0, offset, 0);
        self.record(call, Base::Constant(0));
        self.store_ring();
        self.copy(op)?;
        if let Some(ring) = self.ring {
            self.load_ring(ring);
        }
        self.record(back, Base::Constant(0));
        Ok(())
    }

    fn load(&mut self, arg: wasmparser::MemArg, width: u8, offset: u64, height: usize) {
        let site = self.site(SiteKind::Read, width, offset, arg.offset);
        let base = match self.operands.at(height - 1) {
            Some(origin) => origin.into(),
            None => {
                let address = self.extra_local(ValType::I32, Slot::Address);
                self.emit(&Instruction::LocalTee(address));
                Base::Local(address)
            }
        };
        self.record(site, base);
    }

    /// An access whose address lies under another operand.
    fn store(
        &mut self,
        arg: wasmparser::MemArg,
        width: u8,
        ty: ValType,
        kind: SiteKind,
        offset: u64,
        height: usize,
    ) {
        let site = self.site(kind, width, offset, arg.offset);
        if let Some(origin) = self.operands.at(height - 2) {
            return self.record(site, origin.into());
        }
        let value = self.extra_local(ty, Slot::Value(ty));
        let address = self.extra_local(ValType::I32, Slot::Address);
        self.emit(&Instruction::LocalSet(value));
        self.emit(&Instruction::LocalTee(address));
        self.record(site, Base::Local(address));
        self.emit(&Instruction::LocalGet(value));
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

    /// Follows where operands come from, after `op` was validated.
    fn track(&mut self, validator: &FuncValidator<ValidatorResources>, op: &Operator<'_>) {
        let height = validator.operand_stack_height() as usize;
        match *op {
            Operator::LocalGet { local_index } => {
                self.operands.pushed(height, Origin::Local(local_index));
            }
            Operator::I32Const { value } => self.operands.pushed(height, Origin::Constant(value)),
            Operator::LocalSet { local_index } => {
                self.operands.replaced_top(height + 1);
                self.operands.local_written(local_index);
            }
            Operator::LocalTee { local_index } => {
                self.operands.replaced_top(height);
                self.operands.local_written(local_index);
                self.operands.pushed(height, Origin::Local(local_index));
            }
            ref op if pushes_at_most_one(op) => self.operands.replaced_top(height),
            _ => self.operands.forget(),
        }
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

/// The address half of a record.
#[derive(Clone, Copy)]
enum Base {
    Local(u32),
    Constant(i32),
}

impl From<Origin> for Base {
    fn from(origin: Origin) -> Base {
        match origin {
            Origin::Local(local) => Base::Local(local),
            Origin::Constant(value) => Base::Constant(value),
        }
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

/// Control instructions and calls may push several values or none of their own; after them nothing is
/// known. Everything else replaces some operands by at most one.
fn pushes_at_most_one(op: &Operator<'_>) -> bool {
    !matches!(
        op,
        Operator::Block { .. }
            | Operator::Loop { .. }
            | Operator::If { .. }
            | Operator::Else
            | Operator::End
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::Return
            | Operator::Unreachable
            | Operator::Call { .. }
            | Operator::CallIndirect { .. }
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
    )
}
