//! The DWARF sections of a module, asked for the frames at one address.
//!
//! Addresses in a wasm module's DWARF are relative to the contents of its code section (what follows the
//! section's id and size). Nothing in here trusts the sections: whatever is wrong with them becomes an
//! error, and the caller falls back to names.

use super::layout::Layout;
use addr2line::Context;
use gimli::{EndianArcSlice, EndianSlice, LittleEndian, Reader as _};
use std::sync::Arc;

type Bytes = EndianArcSlice<LittleEndian>;

/// Deepest nesting of debugging entries that is followed. addr2line descends recursively into inlined
/// calls, so that a hostile module could exhaust the stack; compilers stay below a hundred.
const MAX_DEPTH: isize = 400;

/// Why the debug information cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum DwarfError {
    #[error("{0}")]
    Malformed(#[from] gimli::Error),
    #[error("its entries nest more than {MAX_DEPTH} deep")]
    TooDeep,
}

/// A function frame as DWARF tells it.
#[derive(Debug)]
pub(super) struct DwarfFrame {
    /// Linkage name if there is one, else the plain name.
    pub(super) function: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: Option<u32>,
    pub(super) column: Option<u32>,
}

/// Parsed debug information.
pub(super) struct Dwarf {
    context: Context<Bytes>,
}

impl Dwarf {
    /// Reads the units' headers; their contents follow when they are asked for.
    pub(super) fn load(module: &Arc<[u8]>, layout: &Layout) -> Result<Self, DwarfError> {
        check_depth(module, layout)?;
        let whole = Bytes::new(Arc::clone(module), LittleEndian);
        let sections = gimli::Dwarf::load(|id| {
            Ok::<_, gimli::Error>(whole.range(layout.debug_section(id.name())))
        })?;
        let context = Context::from_dwarf(sections)?;
        Ok(Dwarf { context })
    }

    /// The frames at an address relative to the code section's contents, innermost first; empty if the
    /// debug information does not cover it.
    pub(super) fn frames(&self, address: u64) -> Result<Vec<DwarfFrame>, DwarfError> {
        let mut frames = self.context.find_frames(address).skip_all_loads()?;
        let mut out = Vec::new();
        while let Some(frame) = frames.next()? {
            let function = match &frame.function {
                // An unreadable name is no reason to throw the line away.
                Some(name) => name.name.to_string_lossy().ok().map(|s| s.into_owned()),
                None => None,
            };
            let location = frame.location.as_ref();
            let line = location.and_then(|l| l.line);
            out.push(DwarfFrame {
                function: function.filter(|name| !name.is_empty()),
                file: location
                    .and_then(|l| l.file)
                    .filter(|file| !file.is_empty())
                    .map(super::demangle::shorten),
                line,
                // Column 0 is DWARF's "left edge": no column is known.
                column: location.and_then(|l| l.column).filter(|column| *column > 0),
            });
        }
        Ok(out)
    }
}

/// Walks all entries once, without recursion and without copies.
fn check_depth(module: &[u8], layout: &Layout) -> Result<(), DwarfError> {
    let sections = gimli::Dwarf::load(|id| {
        let bytes = &module[layout.debug_section(id.name())];
        Ok::<_, gimli::Error>(EndianSlice::new(bytes, LittleEndian))
    })?;
    let mut units = sections.units();
    while let Some(header) = units.next()? {
        let Ok(abbreviations) = sections.abbreviations(&header) else {
            continue;
        };
        let mut entries = header.entries_raw(&abbreviations, None)?;
        while !entries.is_empty() {
            if entries.next_depth() > MAX_DEPTH {
                return Err(DwarfError::TooDeep);
            }
            // A unit that is malformed further on may still be good for what comes before.
            let Ok(abbreviation) = entries.read_abbreviation() else {
                break;
            };
            if let Some(abbreviation) = abbreviation
                && entries.skip_attributes(abbreviation.attributes()).is_err()
            {
                break;
            }
        }
    }
    Ok(())
}
