//! Function bodies: what each instruction becomes.

mod choices;
mod regions;

use super::copy::{Read, encode, encode_barrier};
use super::effects::{
    Effect, NoModule, Wide, effect, exits_function, is_equality, may_trap, straight,
};
use super::hooks::{AtomicOp, Hook};
use super::in_place::InPlace;
use super::operands::{Operands, Origin};
use super::region::{Base, Planned, Region};
use super::speculation::{Late, is_boundary};
use super::{Context, Instrumentation, RING_END, RING_MEMORY, SLOT_GLOBAL, Shift, first_reads};
use crate::model::sites::{Site, SiteKind, SiteTable};
use crate::program::ProgramError;
use smallvec::SmallVec;
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{BlockType, InstructionSink, MemArg, MemArgTarget, ValType};
use wasmparser::{
    FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator,
    ValidatorResources,
};

/// Lowers one body. `index` is its function index in the original module.
pub(super) fn lower(
    context: &Context,
    sites: &mut SiteTable,
    index: u32,
    func: FuncToValidate<ValidatorResources>,
    body: &FunctionBody<'_>,
    allocations: &mut FuncValidatorAllocations,
) -> Result<wasm_encoder::Function, ProgramError> {
    let mut validator = func.into_validator(std::mem::take(allocations));
    let (code, begin) = (body.as_bytes(), body.range().start);
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
        callbacks: context.has_callbacks(index),
        stack_pointer: context.stack_pointer_of_entry(index),
        operands: Operands::default(),
        region: Region::default(),
        returned: None,
        hoisted: SmallVec::new(),
        compares: false,
        confused: false,
    };
    if !context.is_silent(index) {
        let ring = lowering.extra_local(ValType::I32, Slot::Ring);
        lowering.ring = Some(ring);
        lowering.load_ring(ring);
    }
    let mut instruction = InPlace::new();
    while !reader.eof() {
        let offset = reader.original_position();
        let op = instruction.read(&mut reader)?;
        let end = reader.original_position();
        let effect = lowering.effect(op, offset);
        let read = Read {
            op,
            effect: effect.as_ref(),
            offset,
            bytes: &code[(offset - begin) as usize..(end - begin) as usize],
        };
        lowering.instruction(&mut validator, &read)?;
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
    /// The address operand of a speculative load.
    Speculative(u8),
    /// Whether the value of a speculative load was taken by every choice so far.
    Taken(u8),
    /// Whether a hoisted load was made and has no record yet.
    Pending(u8),
    /// What decides a choice.
    Condition(ValType),
    /// The element of a table that is called.
    Callee,
}

/// A word of a region, from where the ring is.
fn ring_word(word: u8) -> MemArg {
    MemArg {
        offset: 4 * u64::from(word),
        align: 2,
        target: MemArgTarget::Memory(RING_MEMORY),
        ordering: None,
    }
}

struct Body<'a> {
    context: &'a Context,
    sites: &'a mut SiteTable,
    index: u32,
    code: Vec<u8>,
    first_extra: u32,
    extra: Vec<(Slot, ValType)>,
    ring: Option<u32>,
    /// The function is intercepted, but not what it calls through a table.
    callbacks: bool,
    /// In a thread's entry, the global whose value is the thread's stack.
    stack_pointer: Option<u32>,
    operands: Operands,
    region: Region,
    /// The return that is still to be recorded.
    returned: Option<Site>,
    /// Hoisted loads so far whose record is made later, by their slot.
    hoisted: SmallVec<[u8; 4]>,
    /// The instruction before compares for equality.
    compares: bool,
    /// The present instruction has to be kept apart from the one before; see [`encode_barrier`].
    confused: bool,
}

impl Body<'_> {
    fn sink(&mut self) -> InstructionSink<'_> {
        InstructionSink::new(&mut self.code)
    }

    fn effect(&self, op: &Operator<'_>, offset: u64) -> Option<Effect> {
        match effect(op) {
            Some(Effect::Load(at, width)) if self.context.first_reads.contains(&offset) => {
                let wide = first_reads::is_wide(op)?;
                Some(Effect::Atomic(at, width, AtomicOp::FirstRead, wide))
            }
            effect => effect,
        }
    }

    fn call(&mut self, function: u32) {
        self.sink().call(function);
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

    fn site(&self, kind: SiteKind, width: u8, offset: u64, displacement: u32) -> Site {
        Site {
            kind,
            width,
            func: self.index,
            offset: offset as u32,
            displacement,
        }
    }

    // ---- the ring ------------------------------------------------------------------------------

    fn load_ring(&mut self, ring: u32) {
        self.sink().global_get(SLOT_GLOBAL);
        self.sink().local_set(ring);
    }

    fn store_ring(&mut self) {
        if let Some(ring) = self.ring {
            self.sink().local_get(ring);
            self.sink().global_set(SLOT_GLOBAL);
        }
    }

    fn advance_ring(&mut self, ring: u32, words: usize) {
        self.sink().local_get(ring);
        self.sink().i32_const(4 * words as i32);
        self.sink().i32_add();
        self.sink().local_set(ring);
    }

    /// Calls the machine if too little is left for one record.
    ///
    /// The order matters: by the time `drain` runs, the accesses of all records in the ring are done, and
    /// the record that follows is not yet in it, so a thread may be suspended there.
    fn check_ring(&mut self, ring: u32) {
        let drain = self.context.hook(Hook::Drain);
        self.sink()
            .block(BlockType::Empty)
            .local_get(ring)
            .i32_const(RING_END.cast_signed() - 8)
            .i32_le_u()
            .br_if(0)
            .local_get(ring)
            .call(drain)
            .local_set(ring)
            .end();
    }

    fn store_first_words(&mut self, ring: u32, header: u32, base: NamedBase) {
        self.sink().local_get(ring);
        let high = u64::from(header) << 32;
        match base {
            NamedBase::Constant(base) => {
                let record = high | u64::from(base.cast_unsigned());
                self.sink().i64_const(record.cast_signed());
            }
            NamedBase::Local(local) => {
                self.sink().local_get(local);
                self.sink().i64_extend_i32_u();
                self.sink().i64_const(high.cast_signed());
                self.sink().i64_or();
            }
        }
        self.sink().i64_store(ring_word(0));
    }

    fn call_hook(&mut self, hook: Hook, site: Site) {
        let site = self.sites.push(site);
        self.sink().i32_const(site.0.cast_signed());
        self.store_ring();
        self.call(self.context.hook(hook));
        if let Some(ring) = self.ring {
            self.load_ring(ring);
        }
    }

    // ---- instructions --------------------------------------------------------------------------

    fn instruction(
        &mut self,
        validator: &mut FuncValidator<ValidatorResources>,
        read: &Read<'_>,
    ) -> Result<(), ProgramError> {
        let Read { op, offset, .. } = *read;
        let height = validator.operand_stack_height() as usize;
        let frame = validator.get_control_frame(0);
        let dead = frame.is_some_and(|frame| frame.unreachable);
        let frame_height = frame.map_or(0, |frame| frame.height);
        let depth = validator.control_stack_height();
        validator.op(offset, op)?;
        if !matches!(op, Operator::Nop) {
            let before = std::mem::replace(&mut self.compares, is_equality(op));
            self.confused = before && matches!(op, Operator::Select | Operator::TypedSelect { .. });
        }
        let recording = self.ring.is_some() && !dead;
        let stack = match *op {
            Operator::GlobalSet { global_index } if recording => {
                (self.stack_pointer).filter(|&pointer| pointer == global_index)
            }
            _ => None,
        };
        let context = self.context;
        let choice = if recording {
            context.speculation.choice(op, offset)
        } else {
            None
        };
        let arity = if recording && stack.is_none() && choice.is_none() {
            straight(op, read.effect)
        } else {
            None
        };
        if let Some((pops, pushes)) = arity {
            debug_assert_eq!(height, self.operands.height());
            let result = (pushes > 0).then(|| self.operand_type(validator, 0));
            return self.straight(read, height - pops, result);
        }
        if let Some(chosen) = choice {
            self.end_region(None);
            self.choose(read, chosen)?;
        } else if recording {
            if !self.hoisted.is_empty() && is_boundary(op, read.effect) {
                self.forget_hoisted();
            }
            let call = match *op {
                Operator::Call { function_index } => !self.context.is_silent(function_index),
                Operator::CallIndirect { .. } => true,
                _ => false,
            };
            self.boundary(read, depth, call)?;
        } else {
            self.copy_or_hook(read, depth)?;
        }
        if let Some(pointer) = stack {
            self.tell_stack(pointer);
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
            self.operands.push(ty, Origin::Unknown, None);
        }
        Ok(())
    }

    /// The type of an operand; of one in dead code, which may have none, any.
    fn operand_type(&self, validator: &FuncValidator<ValidatorResources>, depth: usize) -> ValType {
        let ty = validator.get_operand_type(depth).flatten();
        ty.and_then(|ty| Shift(&self.context.info).val_type(ty).ok())
            .unwrap_or(ValType::I32)
    }

    /// An instruction within a region.
    fn straight(
        &mut self,
        read: &Read<'_>,
        low: usize,
        result: Option<ValType>,
    ) -> Result<(), ProgramError> {
        let Read { op, offset, .. } = *read;
        let speculative = match read.effect {
            Some(Effect::Load(..)) => self.context.speculation.load(offset),
            _ => None,
        };
        let access = match read.effect {
            _ if speculative.is_some() => None,
            Some(&Effect::Load(at, width)) => Some((at, width, SiteKind::Read, None)),
            Some(&Effect::Store(at, width, ty)) => Some((at, width, SiteKind::Write, Some(ty))),
            Some(&Effect::LoadLane(at, width)) => {
                Some((at, width, SiteKind::Read, Some(ValType::V128)))
            }
            _ => None,
        };
        let may_trap = read.effect.is_some() || may_trap(op);
        // Between the records of a region, only accesses may trap.
        let fixed = may_trap && access.is_none();
        if self.region.is_full() || fixed && (self.region.has_records() || self.returned.is_some())
        {
            self.end_region(None);
        }
        if self.region.is_empty() {
            self.region.begin(&self.operands);
        }
        let records = self.region.records.len();
        if let Some((at, width, kind, above)) = access {
            let returned = self.returned.take().map(|site| Planned {
                site,
                base: Base::None,
                above: None,
            });
            self.region.records.extend(returned);
            let site = self.site(kind, width, offset, at);
            // The address is the lowest operand of every access.
            let base = match self.operands.at(low).origin {
                Origin::Local(local) => Base::Local {
                    local,
                    version: self.region.version(local),
                },
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
            self.region.records.push(Planned { site, base, above });
        }
        let from = self.region.bytes.len();
        if self.confused {
            encode_barrier(&mut self.region.bytes);
        }
        if let Some(Late { slot, .. }) = speculative {
            let address = self.extra_local(ValType::I32, Slot::Speculative(slot));
            InstructionSink::new(&mut self.region.bytes).local_tee(address);
        }
        encode(self.context, read, &mut self.region.bytes)?;
        if let Some(Late {
            slot,
            hoisted: true,
        }) = speculative
        {
            let pending = self.extra_local(ValType::I32, Slot::Pending(slot));
            InstructionSink::new(&mut self.region.bytes)
                .i32_const(1)
                .local_set(pending);
            if !self.hoisted.contains(&slot) {
                self.hoisted.push(slot);
            }
        }
        let piece = self.region.pieces.len();
        self.region.add((from, records), (low, result), may_trap);
        self.operands.truncate(low);
        if let Operator::LocalSet { local_index } | Operator::LocalTee { local_index } = *op {
            self.operands.local_written(local_index);
            self.region.local_written(local_index);
        }
        if let Some(ty) = result {
            let origin = match *op {
                Operator::LocalGet { local_index } | Operator::LocalTee { local_index } => {
                    Origin::Local(local_index)
                }
                Operator::I32Const { value } => Origin::Constant(value),
                _ => Origin::Piece(piece),
            };
            self.operands.push(ty, origin, Some(piece));
        }
        Ok(())
    }

    /// An instruction that ends a region, in live code of a function that records.
    fn boundary(&mut self, read: &Read<'_>, depth: u32, call: bool) -> Result<(), ProgramError> {
        let Read { op, offset, .. } = *read;
        if call {
            let call = self.site(SiteKind::Call, 0, offset, 0);
            let back = self.site(SiteKind::Return, 0, offset, 0);
            self.end_region(Some(call));
            self.store_ring();
            let callback = self.callbacks && matches!(op, Operator::CallIndirect { .. });
            if callback {
                // The element of the table is on top of the stack, and stays there.
                let callee = self.extra_local(ValType::I32, Slot::Callee);
                self.sink().local_tee(callee).i32_const(1).local_get(callee);
                self.call(self.context.hook(Hook::Callback));
            }
            self.copy(read)?;
            if callback {
                self.sink().i32_const(0).i32_const(0);
                self.call(self.context.hook(Hook::Callback));
            }
            if let Some(ring) = self.ring {
                self.load_ring(ring);
            }
            self.returned = Some(back);
        } else if matches!(op, Operator::Unreachable) {
            let site = self.site(SiteKind::Trap, 0, offset, 0);
            self.end_region(Some(site));
            self.copy(read)?;
        } else {
            self.end_region(None);
            self.copy_or_hook(read, depth)?;
        }
        Ok(())
    }

    fn tell_stack(&mut self, pointer: u32) {
        self.store_ring();
        // The ring slot is the first global.
        self.sink().global_get(pointer + 1);
        self.call(self.context.hook(Hook::Stack));
        if let Some(ring) = self.ring {
            self.load_ring(ring);
        }
    }

    /// An instruction outside regions.
    fn copy_or_hook(&mut self, read: &Read<'_>, depth: u32) -> Result<(), ProgramError> {
        let Read { op, offset, .. } = *read;
        let off = self.context.instrumentation == Instrumentation::Off;
        match read.effect {
            Some(&Effect::Atomic(at, width, kind, wide)) => {
                self.atomic(at, width, kind, wide, offset);
            }
            Some(&Effect::Wait(at, width)) => {
                let site = self.site(SiteKind::Atomic, width, offset, at);
                let hook = if width == 8 {
                    Hook::Wait64
                } else {
                    Hook::Wait32
                };
                self.call_hook(hook, site);
            }
            Some(&Effect::Notify(at)) => {
                let site = self.site(SiteKind::Atomic, 4, offset, at);
                self.call_hook(Hook::Notify, site);
            }
            Some(Effect::Fence) => {
                let site = self.site(SiteKind::Atomic, 0, offset, 0);
                self.call_hook(Hook::Fence, site);
            }
            Some(Effect::Copy) if !off => self.bulk(Hook::BulkCopy, read)?,
            Some(Effect::Write) if !off => self.bulk(Hook::BulkWrite, read)?,
            Some(Effect::Size) => {
                let site = self.site(SiteKind::Bulk, 0, offset, 0);
                self.call_hook(Hook::Size, site);
            }
            Some(Effect::Grow) => {
                let site = self.site(SiteKind::Bulk, 0, offset, 0);
                self.call_hook(Hook::Grow, site);
            }
            Some(&Effect::TableGrow(table)) => self.grow_table(table),
            _ => {
                if exits_function(op, depth) {
                    self.store_ring();
                }
                self.copy(read)?;
            }
        }
        Ok(())
    }

    fn atomic(&mut self, at: u32, width: u8, op: AtomicOp, wide: Wide, offset: u64) {
        let site = self.site(SiteKind::Atomic, width, offset, at);
        let hook = match (op, wide) {
            (AtomicOp::Load | AtomicOp::FirstRead, false) => Hook::Load32,
            (AtomicOp::Load | AtomicOp::FirstRead, true) => Hook::Load64,
            (AtomicOp::Store, false) => Hook::Store32,
            (AtomicOp::Store, true) => Hook::Store64,
            (AtomicOp::CompareExchange, false) => Hook::Cmpxchg32,
            (AtomicOp::CompareExchange, true) => Hook::Cmpxchg64,
            (_, false) => Hook::Rmw32,
            (_, true) => Hook::Rmw64,
        };
        self.sink().i32_const(op as i32);
        self.call_hook(hook, site);
    }

    /// The hook is told before the instruction runs; nothing can come in between.
    fn bulk(&mut self, hook: Hook, read: &Read<'_>) -> Result<(), ProgramError> {
        let site = self.site(SiteKind::Bulk, 0, read.offset, 0);
        let dest = self.extra_local(ValType::I32, Slot::Dest);
        let source = self.extra_local(ValType::I32, Slot::Source);
        let length = self.extra_local(ValType::I32, Slot::Length);
        self.sink().local_set(length);
        self.sink().local_set(source);
        self.sink().local_set(dest);
        self.sink().local_get(dest);
        if hook == Hook::BulkCopy {
            self.sink().local_get(source);
        }
        self.sink().local_get(length);
        self.call_hook(hook, site);
        self.sink().local_get(dest);
        self.sink().local_get(source);
        self.sink().local_get(length);
        self.copy(read)
    }

    /// The engine's own `table.grow` keeps a frame of the host's stack at each execution.
    fn grow_table(&mut self, table: u32) {
        let hook = match self.context.info.tables.get(table as usize) {
            Some(ty) if ty.element_type.is_extern_ref() => Hook::GrowExternTable,
            _ => Hook::GrowFuncTable,
        };
        self.sink().i32_const(table.cast_signed());
        self.call(self.context.hook(hook));
    }

    fn copy(&mut self, read: &Read<'_>) -> Result<(), ProgramError> {
        if self.confused {
            encode_barrier(&mut self.code);
        }
        encode(self.context, read, &mut self.code)
    }

    fn finish(self, body: &FunctionBody<'_>) -> Result<wasm_encoder::Function, ProgramError> {
        let mut locals = Vec::new();
        for entry in body.get_locals_reader()? {
            let (count, ty) = entry?;
            locals.push((count, Shift(&self.context.info).val_type(ty)?));
        }
        locals.extend(self.extra.iter().map(|&(_, ty)| (1, ty)));
        let mut function = wasm_encoder::Function::new(locals);
        function.raw(self.code);
        Ok(function)
    }
}

/// An address operand that can be named.
#[derive(Clone, Copy)]
enum NamedBase {
    Local(u32),
    Constant(i32),
}
