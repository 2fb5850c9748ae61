//! Variables with a fixed address: from an address to a name, a size, and where the variable begins.
//!
//! The sources, best first: DWARF's variables, whose location is an address in linear memory; and symbols of
//! data, which a module has that was linked with `--emit-relocs`, or whose data segments are one for each
//! variable ([`data_names`](super::data_names)). Thread-local variables have no fixed address and are none of these.
//!
//! The first question reads all locations, and nothing else of the variables; names and types are read of the one
//! that is asked for. What is malformed is passed over: the frames' reader has told of it.

use super::data_names::DataNames;
use super::demangle::{demangle, shorten};
use super::dwarf::MAX_DEPTH;
use super::entries::{self, Bytes, Described, Entry, Sections, Unit, referenced, text};
use super::layout::Layout;
use super::variable::Variable;
use gimli::{AttributeValue, DebugInfoOffset, UnitOffset};

/// Variables that begin at or before an address and are looked at, the nearest first: several can share an address,
/// and one can lie within another.
const MAX_NEAR: usize = 8;

/// Where the variables are.
#[derive(Debug, Default)]
pub(super) struct Globals {
    /// By address.
    variables: Vec<Definition>,
    symbols: DataNames,
}

/// An entry of the debug information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Definition {
    address: u32,
    unit: DebugInfoOffset,
    entry: UnitOffset,
}

impl Globals {
    /// Finds all variables. Without `dwarf`, the debug information is not to be trusted.
    pub(super) fn read(module: &[u8], layout: &Layout, dwarf: bool) -> Globals {
        let mut variables = Vec::new();
        if dwarf && let Ok(sections) = entries::sections(module, layout) {
            let mut units = sections.units();
            while let Ok(Some(header)) = units.next() {
                let Some(unit) = header.debug_info_offset() else {
                    continue;
                };
                // What was found before an error stays.
                let _ = read_unit(&sections, header, |entry, address| {
                    variables.push(Definition {
                        address,
                        unit,
                        entry,
                    });
                });
            }
        }
        variables.sort();
        Globals {
            variables,
            symbols: DataNames::read(module),
        }
    }

    /// The variable that this byte belongs to.
    pub(super) fn find(&self, module: &[u8], layout: &Layout, address: u32) -> Option<Variable> {
        let end = (self.variables).partition_point(|variable| variable.address <= address);
        let near = self.variables[..end].iter().rev().take(MAX_NEAR);
        let described = near
            .filter_map(|variable| variable.describe(module, layout))
            .find(|global| global.contains(address));
        described.or_else(|| self.symbols.find(address))
    }
}

/// Calls `found` for every variable of a unit that has a fixed address.
fn read_unit<'m>(
    sections: &Sections<'m>,
    header: gimli::UnitHeader<Bytes<'m>>,
    mut found: impl FnMut(UnitOffset, u32),
) -> gimli::Result<()> {
    let unit = sections.unit(header)?;
    let mut entries = unit.entries_raw(None)?;
    while !entries.is_empty() && entries.next_depth() <= MAX_DEPTH {
        let offset = entries.next_offset();
        let Some(abbreviation) = entries.read_abbreviation()? else {
            continue;
        };
        if abbreviation.tag() != gimli::DW_TAG_variable {
            entries.skip_attributes(abbreviation.attributes())?;
            continue;
        }
        for attribute in abbreviation.attributes() {
            let attribute = entries.read_attribute(*attribute)?;
            if attribute.name() == gimli::DW_AT_location
                && let Some(address) = fixed_address(sections, &unit, attribute.value())
            {
                found(offset, address);
            }
        }
    }
    Ok(())
}

/// The address that a location is, if it is nothing but one.
fn fixed_address<'m>(
    sections: &Sections<'m>,
    unit: &Unit<'m>,
    location: AttributeValue<Bytes<'m>>,
) -> Option<u32> {
    let mut operations = location.exprloc_value()?.operations(unit.encoding());
    let address = match operations.next().ok()?? {
        gimli::Operation::Address { address } => address,
        gimli::Operation::AddressIndex { index } => sections.address(unit, index).ok()?,
        _ => return None,
    };
    let mut address = u32::try_from(address).ok()?;
    while let Some(operation) = operations.next().ok()? {
        match operation {
            // One of several variables that the compiler put together.
            gimli::Operation::PlusConstant { value } => {
                address = address.checked_add(u32::try_from(value).ok()?)?;
            }
            _ => return None,
        }
    }
    // Of a variable that the linker dropped it is 0 or the last address.
    (address != 0 && address < u32::MAX - 1).then_some(address)
}

impl Definition {
    fn describe(&self, module: &[u8], layout: &Layout) -> Option<Variable> {
        let sections = entries::sections(module, layout).ok()?;
        let unit = sections.unit(sections.unit_header(self.unit).ok()?).ok()?;
        let described = Described::of(&unit, unit.entry(self.entry).ok()?);
        let linkage = described.text(&sections, &unit, gimli::DW_AT_linkage_name);
        let name = match linkage.filter(|name| super::demangle::mangled(name).is_some()) {
            Some(linkage) => demangle(&linkage),
            None => {
                let name = described.text(&sections, &unit, gimli::DW_AT_name)?;
                let mut path = around(&sections, &unit, self.entry).unwrap_or_default();
                path.push(name);
                shorten(&path.join("::"))
            }
        };
        Some(Variable {
            name,
            address: self.address,
            size: described.size(&unit),
        })
    }
}

/// Names of the namespaces, types and functions that an entry is in, outermost first.
fn around<'m>(
    sections: &Sections<'m>,
    unit: &Unit<'m>,
    wanted: UnitOffset,
) -> gimli::Result<Vec<String>> {
    let mut path: Vec<(isize, String)> = Vec::new();
    let mut entries = unit.entries_raw(None)?;
    let mut entry = Entry::null();
    while !entries.is_empty() && entries.next_offset() < wanted {
        let depth = entries.next_depth();
        if depth > MAX_DEPTH || !entries.read_entry(&mut entry)? {
            continue;
        }
        while path.last().is_some_and(|(outer, _)| *outer >= depth) {
            path.pop();
        }
        if !matches!(
            entry.tag(),
            gimli::DW_TAG_namespace
                | gimli::DW_TAG_subprogram
                | gimli::DW_TAG_structure_type
                | gimli::DW_TAG_class_type
                | gimli::DW_TAG_union_type
        ) {
            continue;
        }
        let mut name = entry.attr_value(gimli::DW_AT_name);
        if name.is_none()
            && let Some(origin) = (entry.attr_value(gimli::DW_AT_abstract_origin))
                .or_else(|| entry.attr_value(gimli::DW_AT_specification))
        {
            name = referenced(unit, origin).and_then(|entry| entry.attr_value(gimli::DW_AT_name));
        }
        if let Some(name) = name.and_then(|name| text(sections, unit, name)) {
            path.push((depth, name));
        }
    }
    let depth = entries.next_depth();
    let outer = path.into_iter().filter(|(outer, _)| *outer < depth);
    Ok(outer.map(|(_, name)| name).collect())
}
