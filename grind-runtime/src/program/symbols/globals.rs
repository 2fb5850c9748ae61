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
use super::layout::Layout;
use gimli::{AttributeValue, DebugInfoOffset, EndianSlice, LittleEndian, UnitOffset};
use serde::{Deserialize, Serialize};

type Bytes<'m> = EndianSlice<'m, LittleEndian>;
type Sections<'m> = gimli::Dwarf<Bytes<'m>>;
type Unit<'m> = gimli::Unit<Bytes<'m>>;
type Entry<'m> = gimli::DebuggingInformationEntry<Bytes<'m>>;

/// Longest chain of references between entries that is followed: `typedef` of `const` of `volatile` and so on.
const MAX_CHAIN: usize = 32;

/// Variables that begin at or before an address and are looked at, the nearest first: several can share an address,
/// and one can lie within another.
const MAX_NEAR: usize = 8;

/// A variable with a fixed address.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Global {
    /// Its name, demangled and with the namespaces and functions around it.
    pub name: String,
    /// First byte.
    pub address: u32,
    /// Number of bytes; none if its type does not tell.
    pub size: Option<u32>,
}

impl Global {
    /// Whether it is known that this byte is a part of it.
    pub(super) fn contains(&self, address: u32) -> bool {
        match address.checked_sub(self.address) {
            Some(offset) => offset < self.size.unwrap_or(1),
            None => false,
        }
    }
}

/// Where the variables are.
#[derive(Debug, Default)]
pub(super) struct Globals {
    /// By address.
    variables: Vec<Variable>,
    symbols: DataNames,
}

/// An entry of the debug information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Variable {
    address: u32,
    unit: DebugInfoOffset,
    entry: UnitOffset,
}

impl Globals {
    /// Finds all variables. Without `dwarf`, the debug information is not to be trusted.
    pub(super) fn read(module: &[u8], layout: &Layout, dwarf: bool) -> Globals {
        let mut variables = Vec::new();
        if dwarf && let Ok(sections) = sections(module, layout) {
            let mut units = sections.units();
            while let Ok(Some(header)) = units.next() {
                let Some(unit) = header.debug_info_offset() else {
                    continue;
                };
                // What was found before an error stays.
                let _ = read_unit(&sections, header, |entry, address| {
                    variables.push(Variable {
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
    pub(super) fn find(&self, module: &[u8], layout: &Layout, address: u32) -> Option<Global> {
        let end = (self.variables).partition_point(|variable| variable.address <= address);
        let near = self.variables[..end].iter().rev().take(MAX_NEAR);
        let described = near
            .filter_map(|variable| variable.describe(module, layout))
            .find(|global| global.contains(address));
        described.or_else(|| self.symbols.find(address))
    }
}

fn sections<'m>(module: &'m [u8], layout: &Layout) -> gimli::Result<Sections<'m>> {
    gimli::Dwarf::load(|id| {
        let bytes = &module[layout.debug_section(id.name())];
        Ok(EndianSlice::new(bytes, LittleEndian))
    })
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

impl Variable {
    fn describe(&self, module: &[u8], layout: &Layout) -> Option<Global> {
        let sections = sections(module, layout).ok()?;
        let unit = sections.unit(sections.unit_header(self.unit).ok()?).ok()?;
        let entry = unit.entry(self.entry).ok()?;
        // The declaration has what the definition does not repeat.
        let mut entries = vec![entry];
        while let Some(last) = entries.last()
            && entries.len() < MAX_CHAIN
            && let Some(next) = (last.attr_value(gimli::DW_AT_specification))
                .or_else(|| last.attr_value(gimli::DW_AT_abstract_origin))
            && let Some(entry) = referenced(&unit, next)
        {
            entries.push(entry);
        }
        let any = |name| entries.iter().find_map(|entry| entry.attr_value(name));
        let text = |value| text(&sections, &unit, value);
        let linkage = any(gimli::DW_AT_linkage_name).and_then(text);
        let name = match linkage.filter(|name| super::demangle::mangled(name).is_some()) {
            Some(linkage) => demangle(&linkage),
            None => {
                let name = any(gimli::DW_AT_name).and_then(text)?;
                let mut path = around(&sections, &unit, self.entry).unwrap_or_default();
                path.push(name);
                shorten(&path.join("::"))
            }
        };
        let size = any(gimli::DW_AT_type).and_then(|ty| size_of_type(&unit, ty));
        Some(Global {
            name,
            address: self.address,
            size: size.and_then(|size| u32::try_from(size).ok()),
        })
    }
}

/// Text that is there and not empty.
fn text<'m>(
    sections: &Sections<'m>,
    unit: &Unit<'m>,
    value: AttributeValue<Bytes<'m>>,
) -> Option<String> {
    let bytes = sections.attr_string(unit, value).ok()?;
    let text = shorten(&String::from_utf8_lossy(bytes.slice()));
    (!text.is_empty()).then_some(text)
}

/// The entry that an attribute refers to, if that is in the same unit.
fn referenced<'m>(unit: &Unit<'m>, value: AttributeValue<Bytes<'m>>) -> Option<Entry<'m>> {
    let offset = match value {
        AttributeValue::UnitRef(offset) => offset,
        AttributeValue::DebugInfoRef(offset) => offset.to_unit_offset(&unit.header)?,
        _ => return None,
    };
    unit.entry(offset).ok()
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

/// Bytes of a type.
fn size_of_type<'m>(unit: &Unit<'m>, ty: AttributeValue<Bytes<'m>>) -> Option<u64> {
    let mut ty = ty;
    let mut times: u64 = 1;
    for _ in 0..MAX_CHAIN {
        let entry = referenced(unit, ty)?;
        let size = entry.attr(gimli::DW_AT_byte_size);
        if let Some(size) = size.and_then(gimli::Attribute::udata_value) {
            return times.checked_mul(size);
        }
        match entry.tag() {
            gimli::DW_TAG_array_type => times = times.checked_mul(elements(unit, &entry)?)?,
            gimli::DW_TAG_pointer_type
            | gimli::DW_TAG_reference_type
            | gimli::DW_TAG_rvalue_reference_type => {
                return times.checked_mul(unit.encoding().address_size.into());
            }
            _ => {}
        }
        ty = entry.attr_value(gimli::DW_AT_type)?;
    }
    None
}

/// Elements of an array type, over all its dimensions.
fn elements<'m>(unit: &Unit<'m>, array: &Entry<'m>) -> Option<u64> {
    let mut entries = unit.entries_raw(Some(array.offset())).ok()?;
    let mut entry = Entry::null();
    let depth = entries.next_depth();
    entries.read_entry(&mut entry).ok()?;
    let mut elements: u64 = 1;
    for _ in 0..MAX_CHAIN {
        if entries.is_empty() || entries.next_depth() <= depth {
            break;
        }
        if !entries.read_entry(&mut entry).ok()? || entry.tag() != gimli::DW_TAG_subrange_type {
            continue;
        }
        let value = |name| entry.attr(name).and_then(gimli::Attribute::udata_value);
        let count = value(gimli::DW_AT_count)
            .or_else(|| value(gimli::DW_AT_upper_bound)?.checked_add(1))?;
        elements = elements.checked_mul(count)?;
    }
    Some(elements)
}
