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
    /// Entry of a function whose inside is hidden (allocator, libc internals).
    HideBegin = 4,
    /// The matching exit.
    HideEnd = 5,
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

/// Every site of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteTable {
    sites: Vec<Site>,
    /// `kind << 40 | width << 32 | displacement`: the one word that the drain loop needs per record.
    packed: Vec<u64>,
}

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

impl SiteTable {
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
        SiteId(id)
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
