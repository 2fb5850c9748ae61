//! Entries of the debug information: references between them, their names and the sizes of their types.

use super::demangle::shorten;
use super::layout::Layout;
use gimli::{AttributeValue, DwAt, EndianSlice, LittleEndian};

pub(super) type Bytes<'m> = EndianSlice<'m, LittleEndian>;
pub(super) type Sections<'m> = gimli::Dwarf<Bytes<'m>>;
pub(super) type Unit<'m> = gimli::Unit<Bytes<'m>>;
pub(super) type Entry<'m> = gimli::DebuggingInformationEntry<Bytes<'m>>;

/// Longest chain of references between entries that is followed: `typedef` of `const` of `volatile` and so on.
const MAX_CHAIN: usize = 32;

pub(super) fn sections<'m>(module: &'m [u8], layout: &Layout) -> gimli::Result<Sections<'m>> {
    gimli::Dwarf::load(|id| {
        let bytes = &module[layout.debug_section(id.name())];
        Ok(EndianSlice::new(bytes, LittleEndian))
    })
}

/// An entry with those that it refers to for what it does not repeat.
pub(super) struct Described<'m>(Vec<Entry<'m>>);

impl<'m> Described<'m> {
    /// The definition, its declaration, or the function that was inlined.
    pub(super) fn of(unit: &Unit<'m>, entry: Entry<'m>) -> Described<'m> {
        let mut entries = vec![entry];
        while let Some(last) = entries.last()
            && entries.len() < MAX_CHAIN
            && let Some(next) = (last.attr_value(gimli::DW_AT_specification))
                .or_else(|| last.attr_value(gimli::DW_AT_abstract_origin))
            && let Some(entry) = referenced(unit, next)
        {
            entries.push(entry);
        }
        Described(entries)
    }

    fn any(&self, name: DwAt) -> Option<AttributeValue<Bytes<'m>>> {
        self.0.iter().find_map(|entry| entry.attr_value(name))
    }

    /// An attribute's text, of the first that has it.
    pub(super) fn text(
        &self,
        sections: &Sections<'m>,
        unit: &Unit<'m>,
        name: DwAt,
    ) -> Option<String> {
        text(sections, unit, self.any(name)?)
    }

    /// Bytes of its type.
    pub(super) fn size(&self, unit: &Unit<'m>) -> Option<u32> {
        let size = size_of_type(unit, self.any(gimli::DW_AT_type)?)?;
        u32::try_from(size).ok()
    }
}

/// Text that is there and not empty.
pub(super) fn text<'m>(
    sections: &Sections<'m>,
    unit: &Unit<'m>,
    value: AttributeValue<Bytes<'m>>,
) -> Option<String> {
    let bytes = sections.attr_string(unit, value).ok()?;
    let text = shorten(&String::from_utf8_lossy(bytes.slice()));
    (!text.is_empty()).then_some(text)
}

/// The entry that an attribute refers to, if that is in the same unit.
pub(super) fn referenced<'m>(
    unit: &Unit<'m>,
    value: AttributeValue<Bytes<'m>>,
) -> Option<Entry<'m>> {
    let offset = match value {
        AttributeValue::UnitRef(offset) => offset,
        AttributeValue::DebugInfoRef(offset) => offset.to_unit_offset(&unit.header)?,
        _ => return None,
    };
    unit.entry(offset).ok()
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
