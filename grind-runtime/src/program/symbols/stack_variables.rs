//! Variables in frames: from the address of a byte to the variable of a function, or of one that was inlined into it.
//!
//! Toolchains say where such a variable is by its distance from the local that holds the frame's lowest address, which
//! DWARF for WebAssembly calls the frame base. A variable counts where its function, block or inlined function has the
//! instruction at which the frame was left; a variable of another block may have had the same bytes.

use super::dwarf::MAX_DEPTH;
use super::entries::{self, Bytes, Described, Entry, Sections, Unit};
use super::layout::Layout;
use super::variable::Variable;
use gimli::{AttributeValue, Operation};
use std::cell::Cell;

/// Ranges of instructions that one search reads: entries of a hostile module can all refer to the same long list.
const MAX_RANGES: u32 = 1 << 20;

/// The variable that this byte belongs to, and how many functions were inlined into each other around it. The frame is
/// that of the function at `pc`, relative to the code section's contents; `base` is the local that holds its
/// lowest address, and that address.
pub(super) fn find(
    module: &[u8],
    layout: &Layout,
    pc: u64,
    base: (u32, u32),
    address: u32,
) -> Option<(usize, Variable)> {
    let sections = entries::sections(module, layout).ok()?;
    let ranges = Cell::new(MAX_RANGES);
    let mut units = sections.units();
    while let Ok(Some(header)) = units.next() {
        let Ok(unit) = sections.unit(header) else {
            continue;
        };
        let search = Search {
            sections: &sections,
            unit: &unit,
            pc,
            base,
            address,
            ranges: &ranges,
        };
        // What is malformed is passed over: the frames' reader has told of it.
        if let Ok(Some(found)) = search.run() {
            return Some(found);
        }
    }
    None
}

struct Search<'a, 'm> {
    sections: &'a Sections<'m>,
    unit: &'a Unit<'m>,
    pc: u64,
    base: (u32, u32),
    address: u32,
    /// Those that may still be read.
    ranges: &'a Cell<u32>,
}

impl<'m> Search<'_, 'm> {
    fn run(&self) -> gimli::Result<Option<(usize, Variable)>> {
        let mut entries = self.unit.entries_raw(None)?;
        let mut entry = Entry::null();
        // Depths of the scopes around, and whether each is an inlined function.
        let mut scopes: Vec<(isize, bool)> = Vec::new();
        // Nothing below this depth is looked at: it is in a scope that does not have the instruction.
        let mut elsewhere: Option<isize> = None;
        let mut found = None;
        while !entries.is_empty() {
            let depth = entries.next_depth();
            if depth > MAX_DEPTH || !entries.read_entry(&mut entry)? {
                continue;
            }
            if elsewhere.is_some_and(|outer| depth > outer) {
                continue;
            }
            elsewhere = None;
            while scopes.last().is_some_and(|&(outer, _)| outer >= depth) {
                scopes.pop();
            }
            match entry.tag() {
                gimli::DW_TAG_subprogram
                | gimli::DW_TAG_inlined_subroutine
                | gimli::DW_TAG_lexical_block => {
                    let subprogram = entry.tag() == gimli::DW_TAG_subprogram;
                    if self.has_pc(&entry)? && (!subprogram || self.has_base(&entry)) {
                        let inlined = entry.tag() == gimli::DW_TAG_inlined_subroutine;
                        scopes.push((depth, inlined));
                    } else {
                        elsewhere = Some(depth);
                    }
                }
                gimli::DW_TAG_variable | gimli::DW_TAG_formal_parameter if !scopes.is_empty() => {
                    // Of two at one place, the one in the inner scope is the one that is there now.
                    if let Some(variable) = self.variable(&entry) {
                        let inlined = scopes.iter().filter(|(_, inlined)| *inlined).count();
                        found = Some((inlined, variable));
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    fn has_pc(&self, entry: &Entry<'m>) -> gimli::Result<bool> {
        let mut ranges = self.sections.die_ranges(self.unit, entry)?;
        while let Some(left) = self.ranges.get().checked_sub(1)
            && let Some(range) = ranges.next()?
        {
            self.ranges.set(left);
            if (range.begin..range.end).contains(&self.pc) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether distances are from the frame's lowest address.
    fn has_base(&self, function: &Entry<'m>) -> bool {
        let location = function.attr_value(gimli::DW_AT_frame_base);
        matches!(self.operations(location).as_deref(),
            Some([Operation::WasmLocal { index }, Operation::StackValue]) if *index == self.base.0)
    }

    fn variable(&self, entry: &Entry<'m>) -> Option<Variable> {
        let location = entry.attr_value(gimli::DW_AT_location);
        let [Operation::FrameOffset { offset }] = self.operations(location)?[..] else {
            return None;
        };
        let address = self
            .base
            .1
            .checked_add_signed(i32::try_from(offset).ok()?)?;
        if address > self.address {
            return None;
        }
        let described = Described::of(self.unit, entry.clone());
        let variable = Variable {
            name: described.text(self.sections, self.unit, gimli::DW_AT_name)?,
            address,
            size: described.size(self.unit),
        };
        variable.contains(self.address).then_some(variable)
    }

    /// A location of at most two operations.
    fn operations(
        &self,
        location: Option<AttributeValue<Bytes<'m>>>,
    ) -> Option<Vec<Operation<Bytes<'m>>>> {
        let mut operations = location?.exprloc_value()?.operations(self.unit.encoding());
        let mut found = Vec::new();
        while let Some(operation) = operations.next().ok()? {
            if found.len() == 2 {
                return None;
            }
            found.push(operation);
        }
        Some(found)
    }
}
