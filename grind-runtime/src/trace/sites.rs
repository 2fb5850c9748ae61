//! The site table as bytes: `kind 1 | width 1 | word 1 | records 1 | func | offset | displacement`, the latter three as
//! varints, the first two of these relative to the site before. `records` is the size of the region that begins
//! there, or 0.

use super::ModuleHash;
use crate::model::bytes::{Bytes, put, put_signed};
use crate::model::sites::{Site, SiteId, SiteKind, SiteTable};

const KINDS: [SiteKind; 7] = [
    SiteKind::Read,
    SiteKind::Write,
    SiteKind::Call,
    SiteKind::Return,
    SiteKind::Atomic,
    SiteKind::Bulk,
    SiteKind::Trap,
];

/// Sites of a chunk at most; each takes less than 20 bytes.
pub(super) const PER_CHUNK: usize = 1 << 16;

/// Appends these sites.
pub(super) fn encode(out: &mut Vec<u8>, sites: &SiteTable, range: std::ops::Range<u32>) {
    let (mut func, mut offset) = (0, 0);
    for id in range.map(SiteId) {
        let site = sites.get(id);
        let (word, records) = (sites.packed(id).word() as u8, sites.region(id).records);
        out.extend([site.kind as u8, site.width, word, records]);
        put_signed(out, i64::from(site.func) - func);
        put_signed(out, i64::from(site.offset) - offset);
        put(out, site.displacement.into());
        (func, offset) = (site.func.into(), site.offset.into());
    }
}

/// SHA-256 of a site table.
pub(super) fn hash(sites: &SiteTable) -> ModuleHash {
    let mut bytes = Vec::new();
    encode(&mut bytes, sites, 0..sites.len() as u32);
    ModuleHash::of(&bytes)
}

/// Site tables put together again.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    table: SiteTable,
    /// Sites of the region that is not yet whole, and how many it has.
    region: Vec<(Site, u8)>,
    wanted: u8,
}

impl Decoder {
    /// Takes a chunk; false if it is none.
    pub(super) fn chunk(&mut self, bytes: &[u8]) -> bool {
        let mut bytes = Bytes::new(bytes);
        let (mut func, mut offset) = (0i64, 0i64);
        while !bytes.is_empty() {
            let Some((site, word, records)) = site(&mut bytes, &mut func, &mut offset) else {
                return false;
            };
            if !self.add(site, word, records) {
                return false;
            }
        }
        true
    }

    fn add(&mut self, site: Site, word: u8, records: u8) -> bool {
        if !self.region.is_empty() || records > 0 {
            if self.region.is_empty() {
                self.wanted = records;
            } else if records > 0 {
                return false;
            }
            self.region.push((site, word));
            if self.region.len() == usize::from(self.wanted) {
                self.table.push_region(self.region.iter().copied());
                self.region.clear();
            }
        } else {
            self.table.push(site);
        }
        true
    }

    /// How many sites came.
    pub(super) fn len(&self) -> usize {
        self.table.len() + self.region.len()
    }

    /// The table, if it ends with a whole region.
    pub(super) fn finish(self) -> Option<SiteTable> {
        self.region.is_empty().then_some(self.table)
    }
}

fn site(bytes: &mut Bytes<'_>, func: &mut i64, offset: &mut i64) -> Option<(Site, u8, u8)> {
    let code = bytes.byte()?;
    let kind = *KINDS.iter().find(|&&kind| kind as u8 == code)?;
    let (width, word, records) = (bytes.byte()?, bytes.byte()?, bytes.byte()?);
    *func = func.checked_add(bytes.signed()?)?;
    *offset = offset.checked_add(bytes.signed()?)?;
    let site = Site {
        kind,
        width,
        func: u32::try_from(*func).ok()?,
        offset: u32::try_from(*offset).ok()?,
        displacement: u32::try_from(bytes.varint()?).ok()?,
    };
    Some((site, word, records))
}
