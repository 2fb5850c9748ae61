//! One pass over a module's sections: where its code, names and debug sections are.

use crate::program::link;
use crate::program::module::{is_stack_pointer, stack_pointer};
use rustc_hash::FxHashMap;
use std::ops::Range;
use wasmparser::{
    BinaryReader, CustomSectionReader, ExternalKind, FunctionBody, KnownCustom, Name, Parser,
    Payload, TypeRef,
};

/// Where a function's name was found, the best place first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum NameOrigin {
    /// The name section.
    NameSection,
    /// The module exports the function, or imports it.
    ImportOrExport,
}

/// What symbolication needs to know of a module.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// File offset of the code section's contents: address 0 of the module's DWARF.
    pub(super) code_start: Option<u64>,
    /// Addresses of each function's body, relative to the code section's contents, ascending.
    bodies: Vec<Range<u64>>,
    /// Functions before those with bodies.
    pub(super) imported: u32,
    /// The contents of the section of modules that this one was linked of.
    pub(super) linked: Option<Range<usize>>,
    /// The global that holds the stack pointer of C and Rust code, if it has its name.
    pub(super) stack_pointer: Option<u32>,
    /// Names as they stand in the module, by function index.
    names: FxHashMap<u32, (NameOrigin, Box<str>)>,
    /// Whether there is a name section that names at least one function.
    pub(super) has_function_names: bool,
    /// Custom sections whose name begins with `.debug_`.
    pub(super) debug_sections: Vec<(Box<str>, Range<usize>)>,
    /// Where the toolchain says the debug information is, when it is not in the module.
    pub(super) external_debug_info: Option<Box<str>>,
    /// What could not be read.
    pub(super) warnings: Vec<String>,
}

impl Layout {
    /// Reads as much as is readable of `module`.
    pub(super) fn parse(module: &[u8]) -> Self {
        let mut layout = Layout::default();
        if let Err(error) = layout.read(module) {
            layout
                .warnings
                .push(format!("cannot read the module's symbols: {error}"));
        }
        layout
    }

    /// How many functions it has that are not imported.
    pub(super) fn defined(&self) -> u32 {
        self.bodies.len() as u32
    }

    /// The name of a function as it stands in the module.
    pub(super) fn name(&self, func: u32) -> Option<(NameOrigin, &str)> {
        self.names
            .get(&func)
            .map(|(origin, name)| (*origin, &**name))
    }

    /// The address, relative to the code section's contents, of what is at this offset of the file.
    pub(super) fn address(&self, offset: u32) -> Option<u64> {
        u64::from(offset).checked_sub(self.code_start?)
    }

    /// The code of a function that is not imported.
    pub(super) fn body<'m>(&self, module: &'m [u8], func: u32) -> Option<FunctionBody<'m>> {
        let body = self.bodies.get(func.checked_sub(self.imported)? as usize)?;
        let start = self.code_start?;
        let range = (start + body.start) as usize..(start + body.end) as usize;
        let reader = BinaryReader::new(module.get(range)?, start + body.start);
        Some(FunctionBody::new(reader))
    }

    /// Whether a function begins at this address, relative to the code section's contents. Some tools
    /// count the body's size, of up to 5 bytes, as a part of it.
    pub(super) fn is_function_start(&self, address: u64) -> bool {
        let next = self.bodies.partition_point(|body| body.start < address);
        self.bodies
            .get(next)
            .is_some_and(|body| body.start - address <= 5)
    }

    /// The contents of a debug section; empty if there is none of this name.
    pub(super) fn debug_section(&self, name: &str) -> Range<usize> {
        self.debug_sections
            .iter()
            .find(|(n, _)| **n == *name)
            .map_or(0..0, |(_, range)| range.clone())
    }

    fn read(&mut self, module: &[u8]) -> wasmparser::Result<()> {
        for payload in Parser::new(0).parse_all(module) {
            match payload? {
                Payload::ImportSection(reader) => {
                    for import in reader.into_imports() {
                        let import = import?;
                        if matches!(import.ty, TypeRef::Func(_) | TypeRef::FuncExact(_)) {
                            let name = format!("{}.{}", import.module, import.name);
                            self.offer(self.imported, NameOrigin::ImportOrExport, &name);
                            self.imported += 1;
                        }
                    }
                }
                Payload::ExportSection(reader) => {
                    for export in reader {
                        let export = export?;
                        if matches!(export.kind, ExternalKind::Func | ExternalKind::FuncExact) {
                            self.offer(export.index, NameOrigin::ImportOrExport, export.name);
                        } else if is_stack_pointer(export.kind, export.name) {
                            self.stack_pointer = Some(export.index);
                        }
                    }
                }
                Payload::CodeSectionStart {
                    unchecked_range, ..
                } => self.code_start = Some(unchecked_range.start),
                Payload::CodeSectionEntry(body) => {
                    let start = self.code_start.unwrap_or_default();
                    let Range { start: first, end } = body.range();
                    let address = |offset: u64| offset.saturating_sub(start);
                    self.bodies.push(address(first)..address(end));
                }
                Payload::CustomSection(section) => {
                    if let KnownCustom::Name(names) = section.as_known() {
                        self.stack_pointer = (self.stack_pointer).or(stack_pointer(names.clone()));
                        if let Err(error) = self.read_names(names) {
                            self.warnings
                                .push(format!("the name section is malformed: {error}"));
                        }
                    } else if section.name() == link::SECTION {
                        self.linked = Some(contents(&section));
                    } else if section.name().starts_with(".debug_") {
                        let range = contents(&section);
                        self.debug_sections.push((section.name().into(), range));
                    } else if section.name() == "external_debug_info" {
                        let mut reader = wasmparser::BinaryReader::new(section.data(), 0);
                        self.external_debug_info = reader.read_string().ok().map(Into::into);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn read_names(&mut self, names: wasmparser::NameSectionReader<'_>) -> wasmparser::Result<()> {
        for subsection in names {
            if let Name::Function(map) = subsection? {
                for naming in map {
                    let naming = naming?;
                    if !naming.name.is_empty() {
                        self.has_function_names = true;
                        self.offer(naming.index, NameOrigin::NameSection, naming.name);
                    }
                }
            }
        }
        Ok(())
    }

    /// Keeps `name` unless there is one already of the same or a better origin.
    fn offer(&mut self, func: u32, origin: NameOrigin, name: &str) {
        let known = self.names.get(&func);
        if known.is_none_or(|(best, _)| origin < *best) {
            self.names.insert(func, (origin, name.into()));
        }
    }
}

/// Where the contents of a custom section are in the file.
fn contents(section: &CustomSectionReader<'_>) -> Range<usize> {
    let start = section.data_offset() as usize;
    start..start + section.data().len()
}
