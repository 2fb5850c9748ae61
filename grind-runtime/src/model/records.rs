//! Batches of records, as the ring holds them.
//!
//! The ring holds words of 32 bits. Records of one stretch of straight-line code, a *region*, share a header,
//! and records whose address operand is the same value share that as well:
//!
//! ```text
//! word 0    first address operand
//! word 1    header: a bit that is set | number of words 6 | the region's first site 25
//! word 2…   the other address operands
//! ```
//!
//! What the sites are, and which operand each has, is in the [`SiteTable`]. Only the first and the last record of a
//! region can be other than an access. A record on its own has its site as
//! header. No header in the ring is 0, for a program's site 0 is of no record. On the mixed kernel of
//! `benches/slowdown.rs` a region has four records on average, which take three words.

use super::Record;
use crate::model::sites::{Extent, HEADER, PackedSite, SiteId, SiteKind, SiteTable};

/// In a header: these are the records of a whole region.
const REGION: u32 = 1 << 31;

/// In the header of a region, from this bit on: how many words it takes. It is here rather than in the table
/// because the next header is found by it: a batch is followed a third faster.
const WORDS_SHIFT: u32 = 25;
/// In a header: the site.
const SITE: u32 = (1 << WORDS_SHIFT) - 1;

/// How many sites a program can have.
pub(crate) const MOST_SITES: usize = SITE as usize;

/// The header of a region of so many words, below 64.
pub(crate) fn header(first: SiteId, words: usize) -> u32 {
    REGION | (words as u32) << WORDS_SHIFT | first.0
}

/// Words of a record on its own.
pub(crate) const SINGLE: u32 = 2;
const ALONE: Extent = Extent {
    records: 1,
    bounded: true,
};

/// Records of one thread, in program order, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    words: &'a [u32],
    sites: &'a SiteTable,
}

/// Records that share a header.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Region<'a> {
    pub(crate) first: SiteId,
    pub(crate) len: usize,
    pub(crate) words: &'a [u32],
    /// All of it is the one record.
    single: bool,
    /// Its first or its last record may be no access.
    pub(crate) bounded: bool,
}

impl Region<'_> {
    /// Whether it is a record on its own.
    #[inline]
    pub(crate) fn single(&self) -> bool {
        self.single
    }

    /// The address operand of an access of it.
    #[inline]
    pub(crate) fn operand(&self, site: PackedSite) -> u32 {
        self.words[if self.single { 0 } else { site.word() }]
    }

    /// A record of it, by index.
    pub(crate) fn record(&self, sites: &SiteTable, index: usize) -> Record {
        let site = SiteId(self.first.0 + index as u32);
        if self.single {
            return Record::new(self.words[0], site);
        }
        let packed = sites.packed(site);
        let access = packed.kind() <= SiteKind::Write as u8;
        Record::new(if access { self.operand(packed) } else { 0 }, site)
    }
}

/// The region at the beginning of these words, if they begin with one.
///
/// # Panics
/// If the words end within it, or it names a site that is not in the table.
#[inline]
pub(crate) fn region<'a>(words: &'a [u32], sites: &SiteTable) -> Option<Region<'a>> {
    let header = *words.get(HEADER)?;
    let first = SiteId(header & SITE);
    let single = header & REGION == 0;
    let (size, extent) = if single {
        (SINGLE, ALONE)
    } else {
        ((header & !REGION) >> WORDS_SHIFT, sites.region(first))
    };
    Some(Region {
        first,
        len: extent.records.into(),
        words: &words[..size as usize],
        single,
        bounded: extent.bounded,
    })
}

impl<'a> Records<'a> {
    /// `words` are whole regions of a program with these sites.
    pub(crate) fn new(words: &'a [u32], sites: &'a SiteTable) -> Self {
        Records { words, sites }
    }

    pub(crate) fn words(self) -> &'a [u32] {
        self.words
    }

    pub(crate) fn regions(self) -> impl Iterator<Item = Region<'a>> {
        let (mut rest, sites) = (self.words, self.sites);
        std::iter::from_fn(move || {
            let region = region(rest, sites)?;
            rest = &rest[region.words.len()..];
            Some(region)
        })
    }

    /// The same in pieces of so many words, or of one region that has more.
    pub(crate) fn pieces(self, words: usize) -> impl Iterator<Item = Records<'a>> {
        let (mut rest, sites) = (self.words, self.sites);
        std::iter::from_fn(move || {
            if rest.len() <= words {
                return Some(std::mem::take(&mut rest)).filter(|words| !words.is_empty());
            }
            let mut len = 0;
            while len < words
                && let Some(region) = region(&rest[len..], sites)
            {
                len += region.words.len();
            }
            let piece;
            (piece, rest) = rest.split_at(len);
            Some(piece).filter(|words| !words.is_empty())
        })
        .map(move |words| Records::new(words, sites))
    }

    /// How many there are.
    #[must_use]
    pub fn count(self) -> usize {
        self.regions().map(|region| region.len).sum()
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Record> {
        let sites = self.sites;
        self.regions()
            .flat_map(move |region| (0..region.len).map(move |index| region.record(sites, index)))
    }
}

/// Records one by one, for whoever makes them by hand.
///
/// ```
/// use grind_runtime::model::sites::SiteId;
/// use grind_runtime::model::{Record, RecordBuffer};
///
/// let record = Record::new(16, SiteId(1));
/// let buffer: RecordBuffer = [record].into_iter().collect();
/// assert!(buffer.view().iter().eq([record]));
/// ```
#[derive(Clone, Debug, Default)]
pub struct RecordBuffer(Vec<u32>);

impl RecordBuffer {
    /// Appends a record.
    pub fn push(&mut self, record: Record) {
        self.0.extend([record.base(), record.site().0]);
    }

    /// What is in it.
    #[must_use]
    pub fn view(&self) -> Records<'_> {
        static NO_SITES: SiteTable = SiteTable::new();
        Records::new(&self.0, &NO_SITES)
    }

    /// Empties it.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

impl FromIterator<Record> for RecordBuffer {
    fn from_iter<T: IntoIterator<Item = Record>>(records: T) -> Self {
        let mut buffer = RecordBuffer::default();
        for record in records {
            buffer.push(record);
        }
        buffer
    }
}
