//! Several modules over one memory, as one module that each thread has an instance of.
//!
//! Modules keep their functions, globals, tables and segments; only the numbers of these change. So there is one program, with sites and
//! functions that have one number each, and a trace of it needs nothing else. What that costs: an instance has the globals and tables of
//! all, and data segments of all are written when the run begins.
//!
//! What comes of modules *extends* what comes of the first of them: sites and functions that both have are the same, so that one can take the
//! other's place in a run ([`Program::extended`]), where nothing but the new module's data is written.
//!
//! The modules themselves are in a custom section ([`Linked`]), for what is known of their code: names, and DWARF, which has addresses in the
//! code of its own module.

use super::imports::ThreadAbi;
use super::module::{Export, MemoryShape, ModuleInfo};
use super::{Program, ProgramError, ProgramOptions};
use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    CodeSection, CustomSection, DataCountSection, DataSection, ElementSection, EntityType,
    ExportKind, ExportSection, Function, FunctionSection, GlobalSection, ImportSection, MemoryType,
    Module, NameMap, NameSection, StartSection, TableSection, TypeSection,
};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

/// By which names a module imports the memory, of module `env`.
const MEMORY_NAMES: [&str; 2] = ["mem", "memory"];

/// Modules that share one memory, each by a name of the host's choice.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grind_runtime::host::{Modules, ThreadRuntime};
/// use grind_runtime::{NullIo, ProgramOptions, RunOptions, Value};
///
/// let writer = r#"(module (import "env" "mem" (memory 1 4 shared))
///     (func (export "run") (param i32) (i32.atomic.store (i32.const 64) (local.get 0))))"#;
/// let reader = r#"(module (import "env" "memory" (memory 1 4 shared))
///     (func (export "run") (result i32) (i32.atomic.load (i32.const 64))))"#;
/// let modules = Modules::new(2)
///     .add("writer", &wat::parse_str(writer)?)?
///     .add("reader", &wat::parse_str(reader)?)?;
/// let program = modules.link(ProgramOptions::default())?;
/// let runtime = ThreadRuntime::with_program(&program, RunOptions::default(), NullIo)?;
/// runtime.spawn_in("writer", "run", [Value::I32(7)])?.join()?;
/// assert_eq!(runtime.spawn_in("reader", "run", [])?.join()?, [Value::I32(7)]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Modules {
    pages: u32,
    /// Pages at most, where that is not for the modules to say.
    maximum: Option<u32>,
    modules: Vec<Added>,
}

#[derive(Clone, Debug)]
struct Added {
    module: Linked,
    info: ModuleInfo,
}

/// A module, as it is kept in what it was linked to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Linked {
    /// The host's name for it.
    pub(super) name: String,
    pub(super) wasm: Vec<u8>,
    /// Functions behind its own that the linker made.
    pub(super) made: u32,
}

/// The custom section that has the [`Linked`] modules, in order.
pub(super) const SECTION: &str = "grind.linked";

/// Why modules cannot be linked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// What is wrong with a module by itself.
    #[error("module `{module}`: {error}")]
    Module {
        /// Which.
        module: String,
        /// What.
        #[source]
        error: ProgramError,
    },
    /// Two modules have the same name, or it has a dot in it, which is between it and an export's.
    #[error("`{0}` cannot be the name of another module: it is one, or it has a dot in it")]
    Name(String),
    /// A module has no memory, or it does not import it as `env.mem` or `env.memory`, or not as a shared one.
    #[error("module `{0}` does not import a shared memory as `env.mem` or `env.memory`")]
    Memory(String),
    /// A module wants the memory to be of another size.
    #[error(
        "module `{module}` imports a memory of {minimum} to {maximum} pages, and there is one of {pages}"
    )]
    Size {
        /// Which.
        module: String,
        /// Its pages at least.
        minimum: u32,
        /// And at most.
        maximum: u32,
        /// What there is.
        pages: u32,
    },
    /// A module imports something that is neither a function nor the memory.
    #[error("module `{module}` imports {import}, which is neither a function nor the memory")]
    Import {
        /// Which.
        module: String,
        /// What.
        import: String,
    },
    /// Two modules have the entry of threads that the guest creates, so that neither would.
    #[error(
        "module `{module}` exports `{export}`, as another does, so that no thread could be created"
    )]
    Entry {
        /// Which.
        module: String,
        /// The entry.
        export: String,
    },
    /// What they make together is no program.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

impl Modules {
    /// None yet, over a memory that begins with so many pages of 64 KiB.
    #[must_use]
    pub fn new(pages: u32) -> Modules {
        Modules {
            pages,
            maximum: None,
            modules: Vec::new(),
        }
    }

    /// The same, over a memory that can grow to so many pages, and no further whatever the modules allow.
    #[must_use]
    pub fn growing(pages: u32, maximum: u32) -> Modules {
        Modules {
            maximum: Some(maximum),
            ..Modules::new(pages)
        }
    }

    /// The name under which this module was added, if it was.
    pub(crate) fn name_of(&self, wasm: &[u8]) -> Option<&str> {
        let known = self.modules.iter().find(|one| one.module.wasm == wasm)?;
        Some(&known.module.name)
    }

    /// Whether there is one of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.modules.iter().any(|known| known.module.name == name)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.modules.len()
    }

    /// Adds a module in the binary format, under a name.
    ///
    /// # Errors
    /// [`LinkError`]
    pub fn add(mut self, name: &str, wasm: &[u8]) -> Result<Modules, LinkError> {
        if name.contains('.') || self.has(name) {
            return Err(LinkError::Name(name.to_owned()));
        }
        let info = Program::inspect(wasm).map_err(|error| LinkError::Module {
            module: name.to_owned(),
            error,
        })?;
        let shape = info
            .memory
            .filter(|memory| memory.shared && memory.imported);
        let named = info.imports.iter().any(|import| {
            matches!(import.ty, TypeRef::Memory(_))
                && import.module == "env"
                && MEMORY_NAMES.contains(&&*import.name)
        });
        let (
            true,
            Some(MemoryShape {
                minimum, maximum, ..
            }),
        ) = (named, shape)
        else {
            return Err(LinkError::Memory(name.to_owned()));
        };
        let maximum = maximum.unwrap_or(u32::MAX);
        if !(minimum..=maximum).contains(&self.pages)
            || self.maximum.is_some_and(|most| most > maximum)
        {
            return Err(LinkError::Size {
                module: name.to_owned(),
                minimum,
                maximum,
                pages: self.pages,
            });
        }
        let other = info.imports.iter().find(|import| {
            !matches!(
                import.ty,
                TypeRef::Memory(_) | TypeRef::Func(_) | TypeRef::FuncExact(_)
            )
        });
        if let Some(import) = other {
            return Err(LinkError::Import {
                module: name.to_owned(),
                import: format!("{}.{}", import.module, import.name),
            });
        }
        let entry = info.exports.iter().find(|export| {
            let entry = ThreadAbi::ALL.iter().any(|abi| abi.entry() == export.name);
            let others = self.modules.iter().flat_map(|one| &one.info.exports);
            entry && others.clone().any(|other| other.name == export.name)
        });
        if let Some(entry) = entry {
            return Err(LinkError::Entry {
                module: name.to_owned(),
                export: entry.name.clone(),
            });
        }
        let module = Linked {
            name: name.to_owned(),
            wasm: wasm.to_vec(),
            made: info.start.is_some().into(),
        };
        self.modules.push(Added { module, info });
        Ok(self)
    }

    /// The program of all of them.
    ///
    /// # Errors
    /// [`LinkError::Program`]
    pub fn link(&self, options: ProgramOptions) -> Result<Program, LinkError> {
        Ok(Program::with_options(&self.encode()?, options)?)
    }

    /// All of them as one module.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, ProgramError> {
        let refused =
            |error| ProgramError::TooLarge(format!("the modules cannot be linked: {error}"));
        self.sections().map_err(refused)
    }

    /// The least of the most pages that a module allows, unless it was said.
    fn maximum(&self) -> u32 {
        if let Some(maximum) = self.maximum {
            return maximum;
        }
        let each = self
            .modules
            .iter()
            .filter_map(|one| one.info.memory?.maximum);
        each.min().unwrap_or(self.pages)
    }

    fn sections(&self) -> Result<Vec<u8>, reencode::Error> {
        let mut sections = Sections::default();
        sections.imports.import(
            "env",
            "memory",
            EntityType::Memory(MemoryType {
                minimum: u64::from(self.pages),
                maximum: Some(u64::from(self.maximum())),
                memory64: false,
                shared: true,
                page_size_log2: None,
            }),
        );
        let functions = |info: &ModuleInfo| info.imported_functions;
        let mut place = Place {
            all_imports: self.modules.iter().map(|one| functions(&one.info)).sum(),
            ..Place::default()
        };
        let prefixed = |name: &str| {
            let with = self.modules.iter().find_map(|one| {
                let own = name.strip_prefix(&*one.module.name)?.strip_prefix('.')?;
                one.info.exports.iter().find(|export| export.name == own)
            });
            with.is_some()
        };
        let mut exports: FxHashMap<&str, u32> = FxHashMap::default();
        for export in self.modules.iter().flat_map(|one| &one.info.exports) {
            *exports.entry(&export.name).or_default() += 1;
        }
        let unique = |export: &Export| exports[&*export.name] == 1 && !prefixed(&export.name);
        // What was found by a name goes on to be, whatever is added.
        let mut taken: FxHashSet<&str> = FxHashSet::default();
        for one in &self.modules {
            place.own_imports = functions(&one.info);
            sections.add(one, &mut place, |export| match self.maximum {
                Some(_) => !export.name.contains('.') && taken.insert(&export.name),
                None => unique(export),
            })?;
            place = place.after(&one.info);
            if let Some(start) = sections.own_start.take() {
                sections.start(start, &mut place);
            }
        }
        let modules: Vec<&Linked> = self.modules.iter().map(|one| &one.module).collect();
        // It fails only where a value has no serial form, and these have one.
        let modules = postcard::to_stdvec(&modules).unwrap_or_default();
        Ok(sections.finish(place.data, &modules))
    }
}

/// How many of everything come before those of a module.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    all_imports: u32,
    own_imports: u32,
    types: u32,
    imports: u32,
    defined: u32,
    tables: u32,
    globals: u32,
    elements: u32,
    data: u32,
}

impl Place {
    /// That of the module behind. Segments were counted as they were read.
    fn after(self, info: &ModuleInfo) -> Place {
        Place {
            types: self.types + info.types.len() as u32,
            imports: self.imports + info.imported_functions,
            defined: self.defined + info.functions.len() as u32 - info.imported_functions,
            tables: self.tables + info.tables.len() as u32,
            globals: self.globals + info.globals,
            ..self
        }
    }
}

impl Reencode for Place {
    type Error = std::convert::Infallible;

    fn type_index(&mut self, ty: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(self.types + ty)
    }

    fn function_index(&mut self, function: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(match function.checked_sub(self.own_imports) {
            None => self.imports + function,
            Some(defined) => self.all_imports + self.defined + defined,
        })
    }

    fn table_index(&mut self, table: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(self.tables + table)
    }

    fn global_index(&mut self, global: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(self.globals + global)
    }

    fn memory_index(&mut self, _: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(0)
    }

    fn element_index(&mut self, element: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(self.elements + element)
    }

    fn data_index(&mut self, data: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(self.data + data)
    }
}

/// The linked module so far.
#[derive(Default)]
struct Sections {
    types: TypeSection,
    imports: ImportSection,
    functions: FunctionSection,
    tables: TableSection,
    globals: GlobalSection,
    exports: ExportSection,
    elements: ElementSection,
    code: CodeSection,
    data: DataSection,
    /// Calls the start functions of the modules up to here.
    start: Option<u32>,
    /// The start function of the module that was added last.
    own_start: Option<u32>,
    /// Imported functions come before all others.
    imported_names: Vec<(u32, String)>,
    defined_names: Vec<(u32, String)>,
}

impl Sections {
    fn add<'a>(
        &mut self,
        Added { module, info }: &'a Added,
        place: &mut Place,
        mut by_own_name: impl FnMut(&'a Export) -> bool,
    ) -> Result<(), reencode::Error> {
        let (mut elements, mut data) = (0, 0);
        for payload in Parser::new(0).parse_all(&module.wasm) {
            match payload? {
                Payload::TypeSection(reader) => {
                    place.parse_type_section(&mut self.types, reader)?;
                }
                Payload::ImportSection(reader) => {
                    for import in reader.into_imports() {
                        let import = import?;
                        if !matches!(import.ty, TypeRef::Memory(_)) {
                            place.parse_import(&mut self.imports, import)?;
                        }
                    }
                }
                Payload::FunctionSection(reader) => {
                    place.parse_function_section(&mut self.functions, reader)?;
                }
                Payload::TableSection(reader) => {
                    place.parse_table_section(&mut self.tables, reader)?;
                }
                Payload::GlobalSection(reader) => {
                    place.parse_global_section(&mut self.globals, reader)?;
                }
                Payload::ElementSection(reader) => {
                    elements = reader.count();
                    place.parse_element_section(&mut self.elements, reader)?;
                }
                Payload::CodeSectionStart {
                    unchecked_range: range,
                    ..
                } => {
                    let section = &module.wasm[range.start as usize..range.end as usize];
                    let reader = wasmparser::BinaryReader::new(section, range.start);
                    let reader = wasmparser::CodeSectionReader::new(reader)?;
                    place.parse_code_section(&mut self.code, reader)?;
                }
                Payload::DataSection(reader) => {
                    data = reader.count();
                    place.parse_data_section(&mut self.data, reader)?;
                }
                _ => {}
            }
        }
        for export in &info.exports {
            let Some((kind, index)) = exported(export, place)? else {
                continue;
            };
            let name = export_name(&module.name, &export.name);
            self.exports.export(&name, kind, index);
            // What only one has is found by its own name as well: the entry of its threads, among others.
            if by_own_name(export) {
                self.exports.export(&export.name, kind, index);
            }
        }
        if let Some(start) = info.start {
            self.own_start = Some(place.function_index(start)?);
        }
        // Names are not validated.
        let functions = info.functions.len() as u32;
        let names = info.function_names.iter();
        for (function, name) in names.filter(|(function, _)| *function < functions) {
            let names = match *function < place.own_imports {
                true => &mut self.imported_names,
                false => &mut self.defined_names,
            };
            names.push((place.function_index(*function)?, name.clone()));
        }
        place.elements += elements;
        place.data += data;
        Ok(())
    }

    /// A start function that calls this one after those of the modules before, for each thread has an instance of all. It is behind the
    /// module's own functions, where it stays when more modules follow.
    fn start(&mut self, start: u32, place: &mut Place) {
        self.types.ty().function([], []);
        self.functions.function(place.types);
        let mut function = Function::new([]);
        for start in self.start.into_iter().chain([start]) {
            function.instructions().call(start);
        }
        function.instructions().end();
        self.code.function(&function);
        self.start = Some(place.all_imports + place.defined);
        place.types += 1;
        place.defined += 1;
    }

    fn finish(self, data_count: u32, modules: &[u8]) -> Vec<u8> {
        let mut functions = NameMap::new();
        for (index, name) in self.imported_names.iter().chain(&self.defined_names) {
            functions.append(*index, name);
        }
        let mut names = NameSection::new();
        names.functions(&functions);
        let mut module = Module::new();
        module
            .section(&self.types)
            .section(&self.imports)
            .section(&self.functions)
            .section(&self.tables)
            .section(&self.globals)
            .section(&self.exports);
        if let Some(function_index) = self.start {
            module.section(&StartSection { function_index });
        }
        module
            .section(&self.elements)
            .section(&DataCountSection { count: data_count })
            .section(&self.code)
            .section(&self.data)
            .section(&names)
            .section(&CustomSection {
                name: SECTION.into(),
                data: modules.into(),
            });
        module.finish()
    }
}

/// What an export of a module is called in the linked one.
pub(crate) fn export_name(module: &str, export: &str) -> String {
    format!("{module}.{export}")
}

/// What an export is in the linked module. The memory is no module's own.
fn exported(
    export: &Export,
    place: &mut Place,
) -> Result<Option<(ExportKind, u32)>, reencode::Error> {
    Ok(Some(match export.kind {
        ExternalKind::Func | ExternalKind::FuncExact => {
            (ExportKind::Func, place.function_index(export.index)?)
        }
        ExternalKind::Table => (ExportKind::Table, place.table_index(export.index)?),
        ExternalKind::Global => (ExportKind::Global, place.global_index(export.index)?),
        ExternalKind::Memory | ExternalKind::Tag => return Ok(None),
    }))
}
