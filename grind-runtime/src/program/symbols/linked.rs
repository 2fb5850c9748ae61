//! Modules that were linked to one (`crate::program::link`): what is known of a place in the one is what its own module says of the same
//! place there, which is found by counting instructions.

use super::layout::Layout;
use super::{Frame, StackFrame, SymbolSource, Symbolizer};
use crate::model::sites::Site;
use crate::program::link::Linked;
use std::ops::Range;
use std::sync::Arc;
use wasmparser::FunctionBody;

/// One of them.
pub(super) struct Part {
    name: String,
    symbolizer: Symbolizer,
    /// Its functions, by index in what they were linked to.
    functions: Range<u32>,
}

/// All of them, if the module was linked.
pub(super) fn parts(module: &[u8], layout: &Layout) -> Vec<Part> {
    let Some(section) = layout.linked.clone() else {
        return Vec::new();
    };
    let linked: Vec<Linked> = postcard::from_bytes(&module[section]).unwrap_or_default();
    let mut next = layout.imported;
    let part = |linked: Linked| {
        let symbolizer = Symbolizer::new(Arc::from(linked.wasm));
        let functions = next..next.saturating_add(symbolizer.layout().defined());
        next = functions.end.saturating_add(linked.made);
        Part {
            name: linked.name,
            symbolizer,
            functions,
        }
    };
    linked.into_iter().map(part).collect()
}

impl Part {
    /// The index of a function of it in its own module.
    fn own(&self, func: u32) -> Option<u32> {
        let defined = func.checked_sub(self.functions.start)?;
        let own = self.symbolizer.layout().imported;
        self.functions.contains(&func).then_some(own + defined)
    }

    /// The place in its own module of this one in `linked`.
    fn place(&self, linked: &Symbolizer, func: u32, offset: u32) -> Option<(u32, u32)> {
        let own = self.own(func)?;
        let body = linked.layout().body(&linked.module, func)?;
        let before = |at: &u64| *at <= u64::from(offset);
        let number = offsets(&body).take_while(before).count().checked_sub(1)?;
        let layout = self.symbolizer.layout();
        let body = layout.body(&self.symbolizer.module, own)?;
        let offset = offsets(&body).nth(number)?;
        Some((own, u32::try_from(offset).ok()?))
    }

    /// What it says of a place in what it was linked to.
    pub(super) fn frames(&self, linked: &Symbolizer, func: u32, offset: u32) -> Option<Vec<Frame>> {
        let (own, own_offset) = self.place(linked, func, offset)?;
        let mut frames = self.symbolizer.frames_at(own, own_offset);
        for frame in &mut frames {
            (frame.func_index, frame.offset) = (func, offset);
        }
        if let Some(function) = frames.last_mut().and_then(|frame| frame.function.as_mut()) {
            *function = self.prefixed(function);
        }
        Some(frames)
    }

    /// The name of a function of it, behind its own.
    pub(super) fn function_name(&self, func: u32) -> Option<String> {
        let name = self.symbolizer.function_name(self.own(func)?)?;
        Some(self.prefixed(&name))
    }

    /// The frame on a stack of functions that are all its own.
    pub(super) fn stack_frame(
        &self,
        linked: &Symbolizer,
        calls: &[Site],
        top: u32,
        address: u32,
    ) -> Option<StackFrame> {
        let own = |site: &Site| {
            let (func, offset) = self.place(linked, site.func, site.offset)?;
            Some(Site {
                func,
                offset,
                ..*site
            })
        };
        let calls: Vec<Site> = calls.iter().map(own).collect::<Option<_>>()?;
        self.symbolizer.stack_frame(&calls, top, address)
    }

    pub(super) fn symbolizer(&self) -> &Symbolizer {
        &self.symbolizer
    }

    fn prefixed(&self, function: &str) -> String {
        format!("{}.{function}", self.name)
    }
}

/// The best that one of them has.
pub(super) fn best_source(parts: &[Part]) -> Option<SymbolSource> {
    parts.iter().map(|part| part.symbolizer.best_source()).min()
}

/// Where the instructions of a function are in its file, as far as they can be read.
fn offsets(body: &FunctionBody<'_>) -> impl Iterator<Item = u64> {
    let operators = body.get_operators_reader().into_iter().flat_map(|reader| {
        reader
            .into_iter_with_offsets()
            .map_while(Result::ok)
            .map(|(_, offset)| offset)
    });
    operators.collect::<Vec<_>>().into_iter()
}
