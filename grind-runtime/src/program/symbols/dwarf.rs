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
pub(super) const MAX_DEPTH: isize = 400;

/// Why the debug information cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum DwarfError {
    #[error("the debug information is malformed ({0})")]
    Malformed(#[from] gimli::Error),
    #[error("the debug information is malformed (its entries nest more than {MAX_DEPTH} deep)")]
    TooDeep,
    #[error(
        "the debug information belongs to other code (a tool rewrote the module and left it behind)"
    )]
    OfOtherCode,
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
    /// Reads the units' headers; their contents follow when they are asked for. Also says what is wrong
    /// with those units that cannot be used.
    pub(super) fn load(
        module: &Arc<[u8]>,
        layout: &Layout,
    ) -> Result<(Self, Option<String>), DwarfError> {
        let survey = Survey::of(module, layout)?;
        if survey.matching < survey.functions.div_ceil(2) {
            return Err(DwarfError::OfOtherCode);
        }
        let warning = match survey.why {
            Some(error) if survey.broken == survey.units => return Err(error.into()),
            Some(error) => Some(format!(
                "{} of {} units of the debug information are malformed ({error}): using names there",
                survey.broken, survey.units
            )),
            None => None,
        };
        let whole = Bytes::new(Arc::clone(module), LittleEndian);
        let sections = gimli::Dwarf::load(|id| {
            Ok::<_, gimli::Error>(whole.range(layout.debug_section(id.name())))
        })?;
        let context = Context::from_dwarf(sections)?;
        Ok((Dwarf { context }, warning))
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

/// What a first look at the debug information tells.
#[derive(Default)]
struct Survey {
    units: u32,
    /// Units that cannot be read, and why the first of them cannot.
    broken: u32,
    why: Option<gimli::Error>,
    /// Functions with an address, and those of them that begin where a function of the module does.
    functions: u32,
    matching: u32,
}

impl Survey {
    /// Walks all entries once, without recursion and without copies.
    fn of(module: &[u8], layout: &Layout) -> Result<Survey, DwarfError> {
        let sections = gimli::Dwarf::load(|id| {
            let bytes = &module[layout.debug_section(id.name())];
            Ok::<_, gimli::Error>(EndianSlice::new(bytes, LittleEndian))
        })?;
        let mut survey = Survey::default();
        let mut units = sections.units();
        while let Some(header) = units.next()? {
            survey.units += 1;
            if let Err(error) = survey.unit(&sections, header, layout) {
                let DwarfError::Malformed(error) = error else {
                    return Err(error);
                };
                survey.broken += 1;
                survey.why.get_or_insert(error);
            }
        }
        Ok(survey)
    }

    fn unit(
        &mut self,
        sections: &gimli::Dwarf<EndianSlice<'_, LittleEndian>>,
        header: gimli::UnitHeader<EndianSlice<'_, LittleEndian>>,
        layout: &Layout,
    ) -> Result<(), DwarfError> {
        let unit = sections.unit(header)?;
        let mut entries = unit.entries_raw(None)?;
        while !entries.is_empty() {
            if entries.next_depth() > MAX_DEPTH {
                return Err(DwarfError::TooDeep);
            }
            let Some(abbreviation) = entries.read_abbreviation()? else {
                continue;
            };
            if abbreviation.tag() != gimli::DW_TAG_subprogram {
                entries.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            for attribute in abbreviation.attributes() {
                let attribute = entries.read_attribute(*attribute)?;
                if attribute.name() == gimli::DW_AT_low_pc
                    && let gimli::AttributeValue::Addr(address) = attribute.value()
                    && !is_tombstone(address)
                {
                    self.functions += 1;
                    self.matching += u32::from(layout.is_function_start(address));
                }
            }
        }
        Ok(())
    }
}

/// What linkers write for functions that they dropped.
fn is_tombstone(address: u64) -> bool {
    address == 0 || address >= 0xffff_fffe
}
