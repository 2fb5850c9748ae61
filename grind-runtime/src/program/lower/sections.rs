//! The lowered module, section by section.

use super::hooks::{self, Hook};
use super::{Context, RING_END, RING_MEMORY, SLOT_GLOBAL, Shift, body, wrapper};
use crate::model::sites::SiteTable;
use crate::program::ProgramError;
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{
    BlockType, ConstExpr, DataCountSection, DataSection, DataSegment, DataSegmentMode,
    ElementSection, Encode, EntityType, ExportKind, ExportSection, Function, FunctionSection,
    GlobalSection, GlobalType, ImportSection, MemArg, MemArgTarget, MemoryType, Module, RawSection,
    SectionId, TableSection, TypeSection, ValType,
};
use wasmparser::{
    FuncToValidate, FuncValidatorAllocations, FunctionBody, Parser, Payload, TypeRef,
    ValidatorResources,
};

/// Pages of 64 KiB of the ring memory.
pub(crate) const RING_PAGES: u32 = 1;

/// The lowered module, all of whose bodies are lowered.
pub(super) fn encode(wasm: &[u8], context: &Context, code: Code) -> Result<Vec<u8>, ProgramError> {
    let info = &context.info;
    let mut shift = Shift(info);
    let mut types = TypeSection::new();
    let mut imports = ImportSection::new();
    let mut functions = FunctionSection::new();
    let mut tables = TableSection::new();
    let mut globals = GlobalSection::new();
    let mut exports = ExportSection::new();
    let mut elements = ElementSection::new();
    let mut data = DataSection::new();
    let mut data_count = None;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(reader) => shift.parse_type_section(&mut types, reader)?,
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    let import = import?;
                    // The memory is imported under a name of ours, first, so that its index is 0.
                    if !matches!(import.ty, TypeRef::Memory(_)) {
                        shift.parse_import(&mut imports, import)?;
                    }
                }
            }
            Payload::FunctionSection(reader) => {
                shift.parse_function_section(&mut functions, reader)?
            }
            Payload::TableSection(reader) => shift.parse_table_section(&mut tables, reader)?,
            Payload::GlobalSection(reader) => shift.parse_global_section(&mut globals, reader)?,
            Payload::ExportSection(reader) => shift.parse_export_section(&mut exports, reader)?,
            Payload::ElementSection(reader) => {
                shift.parse_element_section(&mut elements, reader)?
            }
            Payload::DataCountSection { count, .. } => data_count = Some(count),
            Payload::DataSection(reader) => {
                for segment in reader {
                    data_segment(&mut data, &segment?);
                }
            }
            _ => {}
        }
    }

    for hook in Hook::ALL {
        let (name, params, results) = hook.signature();
        types
            .ty()
            .function(params.iter().copied(), results.iter().copied());
        imports.import(
            hooks::MODULE,
            name,
            EntityType::Function(context.hook_types[hook as usize]),
        );
    }
    types.ty().function([ValType::I32; 2], []);
    let guest_pages = info.memory.map_or(0, |memory| memory.minimum);
    for (name, pages, maximum) in [
        (
            hooks::MEMORY,
            guest_pages,
            info.memory.and_then(|memory| memory.maximum),
        ),
        (hooks::RING, RING_PAGES, Some(RING_PAGES)),
    ] {
        imports.import(
            hooks::MODULE,
            name,
            MemoryType {
                minimum: u64::from(pages),
                maximum: maximum.map(u64::from),
                memory64: false,
                shared: false,
                page_size_log2: None,
            },
        );
    }

    // The guest imports no globals, so that this is the first.
    imports.import(
        hooks::MODULE,
        hooks::SLOT,
        GlobalType {
            val_type: ValType::I32,
            mutable: true,
            shared: false,
        },
    );
    for &(index, _) in &info.mutable_globals {
        exports.export(
            &format!("{}{index}", hooks::GLOBAL_PREFIX),
            ExportKind::Global,
            shift.global_index(index)?,
        );
    }
    for index in 0..info.tables.len() as u32 {
        let name = format!("{}{index}", hooks::TABLE_PREFIX);
        exports.export(&name, ExportKind::Table, index);
    }
    if let Some(start) = info.start {
        exports.export(hooks::START, ExportKind::Func, shift.function_index(start)?);
    }

    let code = code.finish(context, &mut functions);
    let mut module = Module::new();
    module
        .section(&types)
        .section(&imports)
        .section(&functions)
        .section(&tables)
        .section(&globals)
        .section(&exports)
        .section(&elements);
    if let Some(count) = data_count {
        module.section(&DataCountSection { count });
    }
    let code = RawSection {
        id: SectionId::Code as u8,
        data: &code,
    };
    module.section(&code).section(&data);
    Ok(module.finish())
}

/// An active segment is written by the machine, once for all threads. What is left here behaves like the
/// dropped segment it would be.
fn data_segment(data: &mut DataSection, segment: &wasmparser::Data<'_>) {
    let active = matches!(segment.kind, wasmparser::DataKind::Active { .. });
    let offset = ConstExpr::i32_const(0);
    data.segment(DataSegment {
        mode: if active {
            DataSegmentMode::Active {
                memory_index: super::GUEST_MEMORY,
                offset: &offset,
            }
        } else {
            DataSegmentMode::Passive
        },
        data: if active { &[] } else { segment.data }.iter().copied(),
    });
}

/// Bytes of lowered code for each byte of the original, that need no more room: more than the kernels of the benches take.
const GROWTH: usize = 4;

/// The contents of the code section, in a buffer that need not grow.
pub(super) struct Code {
    bytes: Vec<u8>,
    /// Bodies of intercepted functions, with their types.
    moved: Vec<(u32, Function)>,
    allocations: FuncValidatorAllocations,
}

impl Code {
    /// For so many bodies.
    pub(super) fn new(context: &Context, bodies: usize) -> Code {
        let original = &context.info.code;
        let wrapped = context.interceptors.len();
        let mut bytes = Vec::with_capacity(GROWTH * (original.end - original.start) as usize);
        (bodies + wrapped + 1).encode(&mut bytes);
        Code {
            bytes,
            moved: Vec::with_capacity(wrapped),
            allocations: FuncValidatorAllocations::default(),
        }
    }

    /// Validates and lowers the next body, of the function with this index.
    pub(super) fn function(
        &mut self,
        context: &Context,
        sites: &mut SiteTable,
        index: u32,
        func: FuncToValidate<ValidatorResources>,
        body: &FunctionBody<'_>,
    ) -> Result<(), ProgramError> {
        let lowered = body::lower(context, sites, index, func, body, &mut self.allocations)?;
        if context.interceptor(index).is_some() {
            let new_index = context.step() + 1 + self.moved.len() as u32;
            wrapper::wrap(context, index, new_index)?.encode(&mut self.bytes);
            let ty = context.info.functions[index as usize];
            self.moved.push((ty, lowered));
        } else {
            lowered.encode(&mut self.bytes);
        }
        Ok(())
    }

    fn finish(mut self, context: &Context, functions: &mut FunctionSection) -> Vec<u8> {
        functions.function(context.step_type());
        step(context).encode(&mut self.bytes);
        for (ty, function) in &self.moved {
            functions.function(*ty);
            function.encode(&mut self.bytes);
        }
        self.bytes
    }
}

/// Makes a record, on behalf of a region that finds too few slots for all of its records.
fn step(context: &Context) -> Function {
    let (base, site, slot) = (0, 1, 2);
    let word = |offset: u64| MemArg {
        offset,
        align: 2,
        target: MemArgTarget::Memory(RING_MEMORY),
        ordering: None,
    };
    let mut function = Function::new([(1, ValType::I32)]);
    function
        .instructions()
        .global_get(SLOT_GLOBAL)
        .local_tee(slot)
        .i32_const(RING_END.cast_signed() - 8)
        .i32_gt_u()
        .if_(BlockType::Empty)
        .local_get(slot)
        .call(context.hook(Hook::Drain))
        .local_set(slot)
        .end()
        .local_get(slot)
        .local_get(base)
        .i32_store(word(0))
        .local_get(slot)
        .local_get(site)
        .i32_store(word(4))
        .local_get(slot)
        .i32_const(8)
        .i32_add()
        .global_set(SLOT_GLOBAL)
        .end();
    function
}
