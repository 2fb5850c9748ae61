//! Plain accesses and calls as bytes.
//!
//! What a program does next is mostly what it did the last time at the same place: which stretch of code follows
//! another, and by how far each address moves on. So only what differs from that is written:
//!
//! ```text
//! regions                              a varint
//! { right, mask, corrections }*        right: how many regions are as predicted; then one that is not
//! ```
//!
//! Bit 0 of the mask says that another region follows, and its number is given: its first site times two, plus one for
//! a record on its own. Bit n + 1 says that the n-th address operand is another, and its distance from the last one at
//! the same place is given, as a signed varint.
//!
//! **Cost**: 12 bytes per site.

use crate::model::bytes::{Bytes, put, put_signed};
use crate::model::sites::{HEADER, SiteId, SiteTable};
use crate::model::{Records, SINGLE, ThreadId, header};

/// What follows what, and where addresses go.
#[derive(Debug)]
pub(super) struct Predictor {
    /// By first site: the key of the region that came after it the last time.
    next: Vec<u32>,
    /// By first site of a region and operand: the last address, and how far it moved.
    addresses: Vec<(u32, u32)>,
    /// By first site: words of the region; 0 if none begins there.
    words: Vec<u8>,
    /// By thread: its last region.
    last: Vec<SiteId>,
}

/// Regions of a batch at most; the ring holds fewer.
const MAX_REGIONS: u64 = 1 << 16;

impl Predictor {
    pub(super) fn new(sites: &SiteTable) -> Self {
        let words = (0..sites.len() as u32).map(|first| {
            let records = u32::from(sites.region(SiteId(first)).records);
            let operands = (first..first + records)
                .map(|site| sites.packed(SiteId(site)).word() + 1)
                .max();
            operands.map_or(0, |most| most.max(SINGLE as usize) as u8)
        });
        Predictor {
            next: vec![0; sites.len()],
            addresses: vec![(0, 0); sites.len() + 64],
            words: words.collect(),
            last: Vec::new(),
        }
    }

    fn last(&mut self, thread: ThreadId) -> &mut SiteId {
        let index = thread.0 as usize;
        if index >= self.last.len() {
            self.last.resize(index + 1, SiteId(0));
        }
        &mut self.last[index]
    }

    pub(super) fn encode(&mut self, out: &mut Vec<u8>, thread: ThreadId, records: Records<'_>) {
        put(out, records.regions().count() as u64);
        let mut last = *self.last(thread);
        let mut right = 0;
        let mut wrong = Vec::new();
        for region in records.regions() {
            wrong.clear();
            let mut mask = 0u64;
            let key = region.first.0 << 1 | u32::from(region.single());
            let next = &mut self.next[last.0 as usize];
            if *next != key {
                *next = key;
                mask = 1;
                put(&mut wrong, key.into());
            }
            last = region.first;
            let operands = region.words.iter().enumerate();
            for (operand, (_, &word)) in operands.filter(|(word, _)| *word != HEADER).enumerate() {
                let place = &mut self.addresses[last.0 as usize + operand];
                let (before, step) = *place;
                let moved = word.wrapping_sub(before);
                if moved != step {
                    mask |= 2 << operand;
                    put_signed(&mut wrong, i64::from(moved.cast_signed()));
                }
                *place = (word, moved);
            }
            if mask == 0 {
                right += 1;
            } else {
                put(out, right);
                put(out, mask);
                out.extend(&wrong);
                right = 0;
            }
        }
        if right > 0 {
            put(out, right);
        }
        *self.last(thread) = last;
    }

    /// Reads a batch into `words`, as the ring has it; none if it makes no sense.
    pub(super) fn decode(
        &mut self,
        bytes: &mut Bytes<'_>,
        thread: ThreadId,
        words: &mut Vec<u32>,
    ) -> Option<()> {
        words.clear();
        let mut left = bytes.varint().filter(|&regions| regions <= MAX_REGIONS)?;
        let mut last = *self.last(thread);
        while left > 0 {
            let right = bytes.varint().filter(|&right| right <= left)?;
            for _ in 0..right {
                last = self.region(bytes, last, 0, words)?;
            }
            left -= right;
            if left > 0 {
                let mask = bytes.varint()?;
                last = self.region(bytes, last, mask, words)?;
                left -= 1;
            }
        }
        *self.last(thread) = last;
        Some(())
    }

    #[inline]
    fn region(
        &mut self,
        bytes: &mut Bytes<'_>,
        last: SiteId,
        mask: u64,
        words: &mut Vec<u32>,
    ) -> Option<SiteId> {
        if mask & 1 != 0 {
            let key = u32::try_from(bytes.varint()?).ok()?;
            self.next[last.0 as usize] = key;
        }
        let key = self.next[last.0 as usize];
        let (first, single) = (SiteId(key >> 1), key & 1 != 0);
        let size = match (single, self.words.get(first.0 as usize)?) {
            (true, _) => SINGLE as usize,
            (false, 0) => return None,
            (false, &size) => size.into(),
        };
        let places = &mut self.addresses[first.0 as usize..][..size - 1];
        for (operand, place) in places.iter_mut().enumerate() {
            let (before, step) = *place;
            let now = match mask & 2 << operand {
                0 => before.wrapping_add(step),
                _ => before.wrapping_add_signed(i32::try_from(bytes.signed()?).ok()?),
            };
            *place = (now, now.wrapping_sub(before));
            words.push(now);
            if operand + 1 == HEADER {
                words.push(if single { first.0 } else { header(first, size) });
            }
        }
        Some(first)
    }
}
