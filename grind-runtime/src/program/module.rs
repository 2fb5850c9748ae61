//! Parsing and validation: a module as declarations plus function bodies not yet looked into.

use super::ProgramError;
use super::symbols::demangle;
use std::collections::BTreeMap;
use std::ops::Range;
use wasmparser::{
    BinaryReader, Chunk, ElementItems, ExternalKind, FuncToValidate, FuncType, FunctionBody,
    Parser, Payload, TableType, TypeRef, ValType, ValidPayload, Validator, ValidatorResources,
    WasmFeatures,
};

/// What a module declares.
#[derive(Clone, Debug, Default)]
pub struct ModuleInfo {
    /// Imports, in order.
    pub imports: Vec<Import>,
    /// Exports, in order.
    pub(crate) exports: Vec<Export>,
    /// Function types, by type index; `None` for a type that is not a function.
    pub(crate) types: Vec<Option<FuncType>>,
    /// Type index of every function, imported ones first.
    pub(crate) functions: Vec<u32>,
    /// How many of the functions are imported.
    pub(crate) imported_functions: u32,
    /// How many globals there are, imported ones first.
    pub(crate) globals: u32,
    /// Defined globals that are mutable, by index.
    pub(crate) mutable_globals: Vec<(u32, ValType)>,
    /// Tables, imported ones first.
    pub(crate) tables: Vec<TableType>,
    /// Items of all element segments.
    pub(crate) segment_items: u64,
    /// The memory, if there is one.
    pub memory: Option<MemoryShape>,
    /// Start function, by index.
    pub start: Option<u32>,
    /// Active data segments, in order: the machine writes them once for all threads.
    pub(crate) active_data: Vec<DataSegment>,
    /// The function at an element of the first table, by index, as far as it is known before the module runs.
    pub(crate) elements: BTreeMap<u32, u32>,
    /// Function names of the name section.
    pub(crate) function_names: Vec<(u32, String)>,
    /// The global that holds the stack pointer of C and Rust code, by index, if it has its name.
    pub(crate) stack_pointer: Option<u32>,
    /// Names of the custom sections, in order.
    pub(crate) custom_sections: Vec<String>,
    /// Byte range of the code section's contents in the file.
    pub(crate) code: Range<u64>,
}

/// One import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Module imported from.
    pub module: String,
    /// Name.
    pub name: String,
    /// What it is.
    pub(crate) ty: TypeRef,
}

/// One export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Export {
    /// Name.
    pub(crate) name: String,
    /// What it is.
    pub(crate) kind: ExternalKind,
    /// Its index in the space of its kind.
    pub(crate) index: u32,
}

/// The one linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryShape {
    /// Pages of 64 KiB at the start.
    pub minimum: u32,
    /// Pages of 64 KiB at most; a shared memory always has a limit.
    pub maximum: Option<u32>,
    /// Whether it was declared shared.
    pub shared: bool,
    /// Whether it is imported.
    pub imported: bool,
}

/// An active data segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataSegment {
    /// Address of its first byte; none if it depends on an imported global.
    pub(crate) address: Option<u32>,
    /// Where its bytes are in the original file.
    pub(crate) bytes: Range<usize>,
}

impl ModuleInfo {
    /// The type of a function, by index.
    pub(crate) fn function_type(&self, index: u32) -> Option<&FuncType> {
        let ty = *self.functions.get(index as usize)?;
        self.types.get(ty as usize)?.as_ref()
    }

    /// The function at an element of the first table, for messages: `` `worker` of type `() -> i32` ``.
    pub(crate) fn describe_element(&self, element: u32) -> Option<String> {
        let function = *self.elements.get(&element)?;
        let ty = self.function_type(function)?;
        let named = (self.function_names.iter()).find(|&&(index, _)| index == function);
        let name = named.map_or_else(
            || format!("function {function}"),
            |(_, name)| demangle(name),
        );
        let list = |types: &[ValType]| -> String {
            let names: Vec<String> = types.iter().map(ToString::to_string).collect();
            names.join(", ")
        };
        let (params, results) = (list(ty.params()), list(ty.results()));
        let results = if results.is_empty() { "()" } else { &results };
        Some(format!("`{name}` of type `({params}) -> {results}`"))
    }

    /// The function exported under this name.
    #[must_use]
    pub fn exported_function(&self, name: &str) -> Option<u32> {
        self.exports
            .iter()
            .find(|export| export.name == name && export.kind == ExternalKind::Func)
            .map(|export| export.index)
    }

    /// What the function exported under this name takes.
    pub(crate) fn params_of_export(&self, name: &str) -> Option<&[ValType]> {
        let function = self.exported_function(name)?;
        Some(self.function_type(function)?.params())
    }

    /// Names of all exported functions, in order.
    pub fn exported_functions(&self) -> impl Iterator<Item = &str> {
        self.exports
            .iter()
            .filter(|export| export.kind == ExternalKind::Func)
            .map(|export| export.name.as_str())
    }

    /// The type of an import, if it is a function.
    pub(crate) fn type_of_import(&self, import: &Import) -> Option<&FuncType> {
        match import.ty {
            TypeRef::Func(ty) | TypeRef::FuncExact(ty) => self.types.get(ty as usize)?.as_ref(),
            _ => None,
        }
    }

    /// Whether its functions have names.
    #[must_use]
    pub fn has_names(&self) -> bool {
        !self.function_names.is_empty()
    }

    /// Whether it imports this function.
    #[must_use]
    pub fn imports_function(&self, module: &str, name: &str) -> bool {
        self.imports
            .iter()
            .any(|i| i.module == module && i.name == name && matches!(i.ty, TypeRef::Func(_)))
    }

    /// Whether it carries DWARF.
    #[must_use]
    pub fn has_dwarf(&self) -> bool {
        self.custom_sections.iter().any(|n| n == ".debug_info")
    }
}

/// A module whose declarations are validated and whose bodies are still to be.
pub(super) struct Parsed {
    pub(super) info: ModuleInfo,
    pub(super) bodies: Vec<UnvalidatedBody>,
}

/// A function body, by where it is in the file, and what is needed to validate it.
pub(super) struct UnvalidatedBody {
    pub(super) func: FuncToValidate<ValidatorResources>,
    range: Range<usize>,
}

impl UnvalidatedBody {
    /// The body, in the file that it was found in.
    pub(super) fn read<'a>(&self, wasm: &'a [u8]) -> FunctionBody<'a> {
        let bytes = &wasm[self.range.clone()];
        FunctionBody::new(BinaryReader::new(bytes, self.range.start as u64))
    }

    /// Bytes of it.
    pub(super) fn len(&self) -> usize {
        self.range.len()
    }
}

/// What the engine runs, plus threads, which the lowering takes away.
fn features() -> WasmFeatures {
    WasmFeatures::WASM2
        | WasmFeatures::TAIL_CALL
        | WasmFeatures::EXTENDED_CONST
        | WasmFeatures::RELAXED_SIMD
        | WasmFeatures::THREADS
        // Only so that they are refused by name rather than as a malformed limit.
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::MEMORY64
}

/// Proposals that the module uses and grind does not support; empty for a module that is valid without them, or
/// valid with none.
#[must_use]
pub fn unsupported_proposals(wasm: &[u8]) -> Vec<String> {
    let valid = |features| {
        Validator::new_with_features(features)
            .validate_all(wasm)
            .is_ok()
    };
    if valid(features()) || !valid(WasmFeatures::all()) {
        return Vec::new();
    }
    (WasmFeatures::all() - features())
        .iter_names()
        .filter(|&(_, feature)| !valid(WasmFeatures::all() - feature))
        .map(|(name, _)| name.to_lowercase().replace('_', "-"))
        .collect()
}

/// Reads the declarations of a module.
pub(super) fn parse(wasm: &[u8]) -> Result<Parsed, ProgramError> {
    let mut parsing = Parsing::new(wasm)?;
    while parsing.step(wasm)? {}
    parsing.finish()
}

/// The same in steps.
pub(super) struct Parsing {
    parser: Parser,
    validator: Validator,
    /// Bytes that were read.
    read: usize,
    info: ModuleInfo,
    bodies: Vec<UnvalidatedBody>,
    memories: Vec<(wasmparser::MemoryType, bool)>,
    /// Values, as far as they are known.
    globals: Vec<Option<i32>>,
}

impl Parsing {
    pub(super) fn new(wasm: &[u8]) -> Result<Parsing, ProgramError> {
        check_header(wasm)?;
        Ok(Parsing {
            parser: Parser::new(0),
            validator: Validator::new_with_features(features()),
            read: 0,
            info: ModuleInfo::default(),
            bodies: Vec::new(),
            memories: Vec::new(),
            globals: Vec::new(),
        })
    }

    /// Reads a section, or finds a function body, in the file that it was made for. Returns whether there is more.
    pub(super) fn step(&mut self, wasm: &[u8]) -> Result<bool, ProgramError> {
        let Chunk::Parsed { consumed, payload } = self.parser.parse(&wasm[self.read..], true)?
        else {
            unreachable!("all of the file is there")
        };
        self.read += consumed;
        if let ValidPayload::Func(func, body) = self.validator.payload(&payload)? {
            let range = body.range();
            self.bodies.push(UnvalidatedBody {
                func,
                range: range.start as usize..range.end as usize,
            });
        }
        match payload {
            Payload::TypeSection(reader) => {
                for ty in reader.into_iter_err_on_gc_types() {
                    self.info.types.push(Some(ty?));
                }
            }
            Payload::ImportSection(reader) => {
                for import in reader.into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                            self.info.functions.push(ty);
                            self.info.imported_functions += 1;
                        }
                        TypeRef::Memory(ty) => self.memories.push((ty, true)),
                        TypeRef::Global(_) => {
                            self.info.globals += 1;
                            self.globals.push(None);
                        }
                        TypeRef::Table(ty) => self.info.tables.push(ty),
                        TypeRef::Tag(_) => {}
                    }
                    self.info.imports.push(Import {
                        module: import.module.to_owned(),
                        name: import.name.to_owned(),
                        ty: import.ty,
                    });
                }
            }
            Payload::FunctionSection(reader) => {
                for ty in reader {
                    self.info.functions.push(ty?);
                }
            }
            Payload::TableSection(reader) => {
                for table in reader {
                    self.info.tables.push(table?.ty);
                }
            }
            Payload::MemorySection(reader) => {
                for ty in reader {
                    self.memories.push((ty?, false));
                }
            }
            Payload::GlobalSection(reader) => {
                for global in reader {
                    let global = global?;
                    let ty = global.ty;
                    self.globals
                        .push(constant(&global.init_expr, &self.globals));
                    if ty.mutable {
                        self.info
                            .mutable_globals
                            .push((self.info.globals, ty.content_type));
                    }
                    self.info.globals += 1;
                }
            }
            Payload::ExportSection(reader) => {
                for export in reader {
                    let export = export?;
                    self.info.exports.push(Export {
                        name: export.name.to_owned(),
                        kind: export.kind,
                        index: export.index,
                    });
                }
            }
            Payload::StartSection { func, .. } => self.info.start = Some(func),
            Payload::DataSection(reader) => {
                for data in reader {
                    let data = data?;
                    if let wasmparser::DataKind::Active { offset_expr, .. } = data.kind {
                        let end = data.range.end as usize;
                        self.info.active_data.push(DataSegment {
                            address: constant(&offset_expr, &self.globals).map(i32::cast_unsigned),
                            bytes: end - data.data.len()..end,
                        });
                    }
                }
            }
            Payload::ElementSection(reader) => {
                for element in reader {
                    let element = element?;
                    self.info.segment_items += u64::from(match &element.items {
                        ElementItems::Functions(items) => items.count(),
                        ElementItems::Expressions(_, items) => items.count(),
                    });
                    if let wasmparser::ElementKind::Active {
                        table_index: None | Some(0),
                        offset_expr,
                    } = element.kind
                        && let ElementItems::Functions(functions) = element.items
                        && let Some(first) = constant(&offset_expr, &self.globals)
                    {
                        // One that does not fit into the table ends the module before it begins.
                        for (at, function) in (first.cast_unsigned()..u32::MAX).zip(functions) {
                            self.info.elements.insert(at, function?);
                        }
                    }
                }
            }
            Payload::End(_) => return Ok(false),
            Payload::CodeSectionStart {
                unchecked_range: range,
                ..
            } => {
                self.info.code = range;
            }
            Payload::CustomSection(reader) => {
                self.info.custom_sections.push(reader.name().to_owned());
                if let wasmparser::KnownCustom::Name(names) = reader.as_known() {
                    self.info.function_names = function_names(names.clone());
                    self.info.stack_pointer = stack_pointer(names);
                }
            }
            _ => {}
        }
        Ok(true)
    }

    pub(super) fn finish(self) -> Result<Parsed, ProgramError> {
        let Parsing {
            mut info,
            bodies,
            memories,
            ..
        } = self;
        info.memory = memory_shape(&memories)?;
        if info.tables.iter().any(|table| table.table64) {
            return Err(ProgramError::Table64);
        }
        let exported = info
            .exports
            .iter()
            .find(|export| is_stack_pointer(export.kind, &export.name));
        let stack_pointer = exported.map(|export| export.index).or(info.stack_pointer);
        info.stack_pointer = stack_pointer.filter(|&index| {
            let global = (index, ValType::I32);
            info.mutable_globals.contains(&global)
        });
        Ok(Parsed { info, bodies })
    }
}

fn check_header(wasm: &[u8]) -> Result<(), ProgramError> {
    if !wasm.starts_with(b"\0asm") {
        let what = if wasm.is_empty() {
            "the file is empty".to_owned()
        } else if wasm
            .iter()
            .take(64)
            .all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
        {
            "it looks like text (compile it with `wat2wasm` or `wasm-tools parse` first)".to_owned()
        } else {
            format!(
                "it starts with {:02x?} instead of `\\0asm`",
                &wasm[..wasm.len().min(4)]
            )
        };
        return Err(ProgramError::NotWasm(what));
    }
    if Parser::is_component(wasm) {
        return Err(ProgramError::Component);
    }
    Ok(())
}

fn memory_shape(
    memories: &[(wasmparser::MemoryType, bool)],
) -> Result<Option<MemoryShape>, ProgramError> {
    let &[(ty, imported)] = memories else {
        return match memories.len() {
            0 => Ok(None),
            n => Err(ProgramError::MultipleMemories(n)),
        };
    };
    if ty.memory64 {
        return Err(ProgramError::Memory64);
    }
    let pages = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Some(MemoryShape {
        minimum: pages(ty.initial),
        maximum: ty.maximum.map(pages),
        shared: ty.shared,
        imported,
    }))
}

/// The value of a constant expression, as far as it is one before instantiation. `globals` are the values of
/// the globals so far; that of an imported one is not known.
fn constant(expr: &wasmparser::ConstExpr<'_>, globals: &[Option<i32>]) -> Option<i32> {
    let mut stack = Vec::new();
    for op in expr.get_operators_reader() {
        let value = match op.ok()? {
            wasmparser::Operator::I32Const { value } => value,
            wasmparser::Operator::GlobalGet { global_index } => {
                *globals.get(global_index as usize)?.as_ref()?
            }
            wasmparser::Operator::I32Add => {
                let right: i32 = stack.pop()?;
                stack.pop()?.wrapping_add(right)
            }
            wasmparser::Operator::I32Sub => {
                let right: i32 = stack.pop()?;
                stack.pop()?.wrapping_sub(right)
            }
            wasmparser::Operator::I32Mul => {
                let right: i32 = stack.pop()?;
                stack.pop()?.wrapping_mul(right)
            }
            wasmparser::Operator::End => return stack.pop(),
            _ => return None,
        };
        stack.push(value);
    }
    None
}

/// What linkers call the stack pointer.
const STACK_POINTER: &str = "__stack_pointer";

/// Whether it is the global that holds the stack pointer of C and Rust code.
pub(super) fn is_stack_pointer(kind: ExternalKind, name: &str) -> bool {
    kind == ExternalKind::Global && name == STACK_POINTER
}

/// The same global, in the name section.
pub(super) fn stack_pointer(names: wasmparser::NameSectionReader<'_>) -> Option<u32> {
    names.into_iter().flatten().find_map(|subsection| {
        let wasmparser::Name::Global(map) = subsection else {
            return None;
        };
        let mut names = map.into_iter().map_while(Result::ok);
        let found = names.find(|naming| naming.name == STACK_POINTER)?;
        Some(found.index)
    })
}

/// A broken name section only costs names.
fn function_names(names: wasmparser::NameSectionReader<'_>) -> Vec<(u32, String)> {
    let mut out = Vec::new();
    for subsection in names.into_iter().flatten() {
        if let wasmparser::Name::Function(map) = subsection {
            for naming in map.into_iter().map_while(Result::ok) {
                out.push((naming.index, naming.name.to_owned()));
            }
        }
    }
    out
}
