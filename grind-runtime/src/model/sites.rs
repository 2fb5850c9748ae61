//! Sites: the places of the original module where something observable happens.
//!
//! A site id is dense and is assigned in the order of the code section, so it is a pure function of the
//! module. Offsets are byte offsets in the *original* file.

use serde::{Deserialize, Serialize};

/// Index into a [`SiteTable`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SiteId(pub u32);

/// What happens at a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum SiteKind {
    /// Plain load of 1, 2, 4, 8 or 16 bytes.
    Read = 0,
    /// Plain store of 1, 2, 4, 8 or 16 bytes.
    Write = 1,
    /// A call leaves this frame; the record precedes the callee's records.
    Call = 2,
    /// The matching return; the record follows the callee's records.
    Return = 3,
    /// Atomic access, wait, notify or fence: reported as an event, never as a record.
    Atomic = 6,
    /// Bulk memory operation: reported as an event, never as a record.
    Bulk = 7,
    /// An `unreachable` instruction is about to trap.
    Trap = 8,
}

/// One place in the original module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Site {
    /// What happens here.
    pub kind: SiteKind,
    /// Bytes accessed; 0 where it has no meaning or is dynamic.
    pub width: u8,
    /// Function index in the original module (imports included).
    pub func: u32,
    /// Byte offset of the instruction in the original file.
    pub offset: u32,
    /// Static offset of the memory argument, added to the address operand. 0 if there is none.
    pub displacement: u32,
}

impl Site {
    /// Whether its records are plain accesses.
    #[must_use]
    pub fn is_access(&self) -> bool {
        matches!(self.kind, SiteKind::Read | SiteKind::Write)
    }
}

/// Every site of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteTable {
    sites: Vec<Site>,
    /// `word << 48 | kind << 40 | width << 32 | displacement`: what the drain loop needs per record.
    packed: Vec<u64>,
    /// Of the region that begins with this site.
    regions: Vec<Extent>,
}

/// How large a region is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Extent {
    pub(crate) records: u8,
    /// Its first record, or its last, is no access.
    pub(crate) bounded: bool,
}

/// The word of a region that its header is in.
pub(crate) const HEADER: usize = 1;

/// What the drain loop needs to know of a site, in one word.
#[derive(Clone, Copy, Debug)]
pub struct PackedSite(u64);

impl PackedSite {
    /// [`SiteKind`] as its number.
    #[inline]
    #[must_use]
    pub fn kind(self) -> u8 {
        (self.0 >> 40) as u8
    }

    /// Bytes accessed.
    #[inline]
    #[must_use]
    pub fn width(self) -> u32 {
        (self.0 >> 32) as u32 & 0xff
    }

    /// Static offset of the memory argument.
    #[inline]
    #[must_use]
    pub fn displacement(self) -> u32 {
        self.0 as u32
    }
}

impl PackedSite {
    /// Which word of its region holds the address operand.
    #[inline]
    #[must_use]
    pub(crate) fn word(self) -> usize {
        (self.0 >> 48) as usize & 0xff
    }
}

impl SiteTable {
    /// No sites.
    #[must_use]
    pub const fn new() -> Self {
        SiteTable {
            sites: Vec::new(),
            packed: Vec::new(),
            regions: Vec::new(),
        }
    }

    /// No sites, with room for this many.
    pub(crate) fn with_capacity(sites: usize) -> Self {
        SiteTable {
            sites: Vec::with_capacity(sites),
            packed: Vec::with_capacity(sites),
            regions: Vec::with_capacity(sites),
        }
    }

    /// Whether the first of these are those of another table, but for where they are in the file.
    pub(crate) fn extends(&self, other: &SiteTable) -> bool {
        self.packed.starts_with(&other.packed) && self.regions.starts_with(&other.regions)
    }

    /// Adds a site and returns its id.
    ///
    /// # Panics
    /// If there would be more than `u32::MAX` sites; a module of 4 GiB code cannot have them.
    pub fn push(&mut self, site: Site) -> SiteId {
        let id = u32::try_from(self.sites.len()).expect("fewer sites than code bytes");
        self.sites.push(site);
        self.packed.push(
            u64::from(site.kind as u8) << 40
                | u64::from(site.width) << 32
                | u64::from(site.displacement),
        );
        self.regions.push(Extent::default());
        SiteId(id)
    }

    /// Adds the sites of a region, each with the word that holds its address operand. Returns the id of the first; the others follow.
    ///
    /// # Panics
    /// If there would be more than `u32::MAX` sites.
    pub(crate) fn push_region(&mut self, sites: impl Iterator<Item = (Site, u8)>) -> SiteId {
        let first = self.sites.len();
        for (site, word) in sites {
            let id = self.push(site);
            self.packed[id.0 as usize] |= u64::from(word) << 48;
        }
        if let [start, .., end] | [start @ end] = &self.sites[first..] {
            self.regions[first] = Extent {
                records: (self.sites.len() - first) as u8,
                bounded: !start.is_access() || !end.is_access(),
            };
        }
        SiteId(first as u32)
    }

    /// The region that begins with this site.
    #[inline]
    pub(crate) fn region(&self, first: SiteId) -> Extent {
        self.regions[first.0 as usize]
    }

    /// The site with this id.
    ///
    /// # Panics
    /// If the id is not of this table.
    #[must_use]
    pub fn get(&self, id: SiteId) -> Site {
        self.sites[id.0 as usize]
    }

    /// The packed words, indexed by site id.
    #[inline]
    #[must_use]
    pub fn packed(&self, id: SiteId) -> PackedSite {
        PackedSite(self.packed[id.0 as usize])
    }

    /// Whether it knows of each site all that there is to know: one that was read may not.
    pub(crate) fn is_complete(&self) -> bool {
        !self.sites.is_empty()
            && self.sites.len() == self.packed.len()
            && self.sites.len() == self.regions.len()
    }

    /// How many sites there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sites.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }
}
