//! From a site to what a person can read: function, file, line, inlined frames.
//!
//! The sources, best first: DWARF sections in the module, its name section, the names under which it
//! imports or exports a function, and at last the function's index and the instruction's offset. A
//! [`Frame`] says which it was. Everything is read from the *original* bytes, on the first question, and
//! none of it is trusted: what is malformed yields a [warning](Symbolizer::warnings) and the next source.
//!
//! Variables are named as well: those with a fixed address, and those in the frames of a call stack.

mod data_names;
mod demangle;
mod dwarf;
mod entries;
mod globals;
mod layout;
mod linked;
mod prologue;
mod stack_variables;
mod variable;

pub use demangle::demangle;
pub use variable::Variable;

use crate::model::sites::Site;
use dwarf::{Dwarf, DwarfFrame};
use globals::Globals;
use layout::{Layout, NameOrigin};
use linked::Part;
use prologue::Prologue;
use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Where the description of a frame comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SymbolSource {
    /// DWARF debug information: function, file and line.
    Dwarf,
    /// The name section: function only.
    NameSection,
    /// The name of an import or export: function only.
    Export,
    /// Nothing: the function's index and the offset in the file are all there is.
    Offset,
}

/// One frame of a call stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Frame {
    /// Demangled name, without hashes.
    pub function: Option<String>,
    /// Source file, as the toolchain recorded it.
    pub file: Option<String>,
    /// Line, from 1.
    pub line: Option<u32>,
    /// Column, from 1, in bytes as toolchains count.
    pub column: Option<u32>,
    /// Whether the compiler inlined this function into the next frame.
    pub inlined: bool,
    /// Index of the wasm function that holds the instruction, imports included.
    pub func_index: u32,
    /// Byte offset of the instruction in the original file.
    pub offset: u32,
    /// Where this comes from.
    pub source: SymbolSource,
}

/// `function (file:line:column)`, with what is known of it.
impl std::fmt::Display for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.function {
            Some(function) => f.write_str(function)?,
            None => write!(f, "function {}", self.func_index)?,
        }
        match (&self.file, self.line) {
            (Some(file), Some(line)) => {
                write!(f, " ({file}:{line}")?;
                self.column
                    .map_or(Ok(()), |column| write!(f, ":{column}"))?;
                f.write_str(")")
            }
            _ => write!(f, " (+0x{:x})", self.offset),
        }
    }
}

/// What a byte of a thread's stack belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StackFrame {
    /// Where the function was whose frame it is, or the function inlined into it whose variable; and what that one was
    /// inlined into.
    pub stack: Vec<Frame>,
    /// The variable, if the debug information tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variable: Option<Variable>,
}

/// Answers questions about the code of one module. See the [module's documentation](self).
pub struct Symbolizer {
    module: Arc<[u8]>,
    layout: OnceLock<Layout>,
    globals: OnceLock<Globals>,
    /// The modules that it was linked of, if it was.
    parts: OnceLock<Vec<Part>>,
    /// What was asked before, by function and offset: stacks of one run have most of their frames in
    /// common.
    known: Mutex<Known>,
    /// Behind a lock since addr2line fills its caches behind a shared reference.
    dwarf: Mutex<DwarfState>,
}

type Known = FxHashMap<(u32, u32), Arc<[Frame]>>;

/// Most sites whose frames are kept.
const MAX_KNOWN: usize = 1 << 16;

#[derive(Default)]
enum DwarfState {
    #[default]
    NotAsked,
    Absent,
    Broken(Vec<String>),
    Loaded(Box<Dwarf>, Vec<String>),
}

impl Symbolizer {
    /// A symbolizer of this module, which should be the bytes that the user gave, not a lowered form.
    /// Nothing is read yet.
    #[must_use]
    pub fn new(module: Arc<[u8]>) -> Symbolizer {
        Symbolizer {
            module,
            layout: OnceLock::new(),
            globals: OnceLock::new(),
            parts: OnceLock::new(),
            known: Mutex::default(),
            dwarf: Mutex::default(),
        }
    }

    /// Reads what is read once for all questions, so that the first takes no longer than others.
    pub fn prepare(&self) {
        drop(self.dwarf());
    }

    /// The frames at a site, innermost first: one per function inlined there, and at last the function
    /// itself. Never empty.
    #[must_use]
    pub fn frames(&self, site: Site) -> Vec<Frame> {
        self.frames_at(site.func, site.offset)
    }

    /// The frames at the instruction at this offset of the original file, which is in function `func`.
    #[must_use]
    pub fn frames_at(&self, func: u32, offset: u32) -> Vec<Frame> {
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(frames) = known().get(&(func, offset)) {
            return frames.to_vec();
        }
        let frames = self.find_frames(func, offset);
        let mut known = known();
        if known.len() < MAX_KNOWN {
            known.insert((func, offset), frames.as_slice().into());
        }
        frames
    }

    fn find_frames(&self, func: u32, offset: u32) -> Vec<Frame> {
        let of_part = |part: &Part| part.frames(self, func, offset);
        if let Some(frames) = self.parts().iter().find_map(of_part) {
            return frames;
        }
        let found = self.dwarf_frames(offset);
        let Some(last) = found.len().checked_sub(1) else {
            return vec![self.frame_without_dwarf(func, offset)];
        };
        found
            .into_iter()
            .enumerate()
            .map(|(index, frame)| {
                let inlined = index != last;
                let function = frame.function.as_deref().map(demangle);
                Frame {
                    function: if inlined {
                        function
                    } else {
                        self.fuller_name(func, frame.function.as_deref())
                            .or(function)
                    },
                    file: frame.file,
                    line: frame.line,
                    column: frame.column,
                    inlined,
                    func_index: func,
                    offset,
                    source: SymbolSource::Dwarf,
                }
            })
            .collect()
    }

    /// How many bytes into its function an offset of the file is. Other than the offset, it stays when other functions change.
    #[must_use]
    pub fn offset_in_function(&self, func: u32, offset: u32) -> Option<u32> {
        let body = self.layout().body(&self.module, func)?;
        offset.checked_sub(u32::try_from(body.range().start).ok()?)
    }

    /// The demangled name of a function, from the name section or else from an import or export.
    #[must_use]
    pub fn function_name(&self, func: u32) -> Option<String> {
        let of_part = |part: &Part| part.function_name(func);
        let of_part = self.parts().iter().find_map(of_part);
        of_part.or_else(|| self.raw_function_name(func).map(demangle))
    }

    /// The name of a function as it stands in the module, still mangled.
    #[must_use]
    pub fn raw_function_name(&self, func: u32) -> Option<&str> {
        self.layout().name(func).map(|(_, name)| name)
    }

    /// The variable with a fixed address that this byte of memory belongs to, if the module's symbols tell.
    #[must_use]
    pub fn global(&self, address: u32) -> Option<Variable> {
        let of_part = |part: &Part| part.symbolizer().global(address);
        if let Some(variable) = self.parts().iter().find_map(of_part) {
            return Some(variable);
        }
        let dwarf = matches!(*self.dwarf(), DwarfState::Loaded(..));
        let read = || Globals::read(&self.module, self.layout(), dwarf);
        let globals = self.globals.get_or_init(read);
        globals.find(&self.module, self.layout(), address)
    }

    /// The frame of a call stack that this byte belongs to. `calls` are the sites of all its calls, innermost first, and
    /// `top` is where the stack begins, behind its last byte. None if the size of a frame on the way is not known.
    #[must_use]
    pub fn stack_frame(&self, calls: &[Site], top: u32, address: u32) -> Option<StackFrame> {
        let of_part = |part: &Part| part.stack_frame(self, calls, top, address);
        if let Some(frame) = self.parts().iter().find_map(of_part) {
            return Some(frame);
        }
        let mut high = top;
        // Recursion meets the same function again and again.
        let mut known: FxHashMap<u32, Option<Prologue>> = FxHashMap::default();
        for site in calls.iter().rev() {
            let prologue = known.entry(site.func);
            let prologue = (*prologue.or_insert_with(|| self.prologue(site.func)))?;
            let low = high.checked_sub(prologue.size)?;
            if (low..high).contains(&address) {
                return Some(self.variable_in_frame(*site, &prologue, low, address));
            }
            high = low;
        }
        None
    }

    fn prologue(&self, func: u32) -> Option<Prologue> {
        let layout = self.layout();
        let body = layout.body(&self.module, func)?;
        Prologue::read(&body, layout.stack_pointer?)
    }

    fn variable_in_frame(
        &self,
        site: Site,
        prologue: &Prologue,
        low: u32,
        address: u32,
    ) -> StackFrame {
        let layout = self.layout();
        let dwarf = matches!(*self.dwarf(), DwarfState::Loaded(..));
        let pc = layout.address(site.offset).filter(|_| dwarf);
        let found = pc.zip(prologue.pointer).and_then(|(pc, pointer)| {
            stack_variables::find(&self.module, layout, pc, (pointer, low), address)
        });
        let (inlined, variable) = found.map_or((0, None), |(depth, found)| (depth, Some(found)));
        let mut frames = self.frames(site);
        // Innermost first, and there is at least one.
        let inner = frames.len().saturating_sub(inlined + 1);
        StackFrame {
            stack: frames.split_off(inner),
            variable,
        }
    }

    /// The best source this module has. Says nothing about a particular function: a library in it may
    /// have been built without debug information.
    #[must_use]
    pub fn best_source(&self) -> SymbolSource {
        if let Some(source) = linked::best_source(self.parts()) {
            return source;
        }
        if matches!(*self.dwarf(), DwarfState::Loaded(..)) {
            SymbolSource::Dwarf
        } else if self.layout().has_function_names {
            SymbolSource::NameSection
        } else {
            SymbolSource::Offset
        }
    }

    /// What was wrong with the module's symbols, as far as they were asked for.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.layout().warnings.clone();
        match &*self.dwarf() {
            DwarfState::Broken(more) | DwarfState::Loaded(_, more) => {
                warnings.extend(more.iter().cloned());
            }
            DwarfState::NotAsked | DwarfState::Absent => {}
        }
        for part in self.parts() {
            warnings.extend(part.symbolizer().warnings());
        }
        warnings
    }

    fn parts(&self) -> &[Part] {
        let read = || linked::parts(&self.module, self.layout());
        self.parts.get_or_init(read)
    }

    fn layout(&self) -> &Layout {
        self.layout.get_or_init(|| Layout::parse(&self.module))
    }

    /// The debug information, loaded.
    fn dwarf(&self) -> MutexGuard<'_, DwarfState> {
        let layout = self.layout();
        let mut state = self.dwarf.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, DwarfState::NotAsked) {
            *state = if layout.debug_section(".debug_info").is_empty() {
                match &layout.external_debug_info {
                    None => DwarfState::Absent,
                    Some(path) => DwarfState::Broken(vec![format!(
                        "the debug information is in another file ({path}), which is not read"
                    )]),
                }
            } else {
                match Dwarf::load(&self.module, layout) {
                    Ok((dwarf, warning)) => {
                        DwarfState::Loaded(Box::new(dwarf), warning.into_iter().collect())
                    }
                    Err(error) => DwarfState::Broken(vec![format!("{error}: using names instead")]),
                }
            };
        }
        state
    }

    fn dwarf_frames(&self, offset: u32) -> Vec<DwarfFrame> {
        let Some(address) = self.layout().address(offset) else {
            return Vec::new();
        };
        let DwarfState::Loaded(dwarf, warnings) = &mut *self.dwarf() else {
            return Vec::new();
        };
        match dwarf.frames(address) {
            Ok(frames) => frames,
            Err(error) => {
                let warning = format!("{error}: using names where it fails");
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
                Vec::new()
            }
        }
    }

    fn frame_without_dwarf(&self, func: u32, offset: u32) -> Frame {
        let (source, function) = match self.layout().name(func) {
            Some((NameOrigin::NameSection, name)) => (SymbolSource::NameSection, Some(name)),
            Some((NameOrigin::ImportOrExport, name)) => (SymbolSource::Export, Some(name)),
            None => (SymbolSource::Offset, None),
        };
        Frame {
            function: function.map(demangle),
            file: None,
            line: None,
            column: None,
            inlined: false,
            func_index: func,
            offset,
            source,
        }
    }

    /// With line tables only, DWARF calls `<app::Counter as app::Work>::work` just `work`. The module's
    /// own name for the function is then better, if it is about the same function.
    fn fuller_name(&self, func: u32, dwarf: Option<&str>) -> Option<String> {
        let full = self.function_name(func)?;
        let Some(plain) = dwarf else {
            return Some(full);
        };
        if plain.starts_with("wasm-function[") {
            // What `wat` calls a function that has no name in the text.
            return Some(full);
        }
        if demangle::mangled(plain).is_some() {
            return None;
        }
        let base = plain.split('<').next().unwrap_or(plain);
        let base = match base.split_once('#') {
            Some((closure, _)) => closure,
            None => base,
        };
        let last = full.rsplit("::").next().unwrap_or(&full);
        let last = last.trim_start_matches('{');
        (!base.is_empty() && last.starts_with(base.trim_start_matches('{'))).then_some(full)
    }
}

impl fmt::Debug for Symbolizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Symbolizer")
            .field("module_bytes", &self.module.len())
            .finish_non_exhaustive()
    }
}
