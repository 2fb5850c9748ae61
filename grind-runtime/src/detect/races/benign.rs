//! Bytes on which the guest says that it races on purpose.

use std::collections::BTreeMap;

/// Disjoint ranges of bytes, at most `limit` of them.
#[derive(Debug)]
pub(crate) struct BenignRanges {
    /// First byte to the one after the last.
    ranges: BTreeMap<u64, u64>,
    limit: usize,
    dropped: u64,
}

impl BenignRanges {
    pub(crate) fn new(limit: usize) -> Self {
        BenignRanges {
            ranges: BTreeMap::new(),
            limit,
            dropped: 0,
        }
    }

    /// Adds a range; counts it as dropped if there are too many.
    pub(crate) fn add(&mut self, addr: u32, len: u32) {
        if len == 0 {
            return;
        }
        let (mut first, mut end) = (u64::from(addr), u64::from(addr) + u64::from(len));
        // Join with all that it touches.
        while let Some((&start, &until)) = self.ranges.range(..=end).next_back()
            && until >= first
        {
            self.ranges.remove(&start);
            first = first.min(start);
            end = end.max(until);
        }
        if self.ranges.len() >= self.limit {
            self.dropped += 1;
        } else {
            self.ranges.insert(first, end);
        }
    }

    /// The bytes belong to a new object, of which nothing was said yet.
    pub(crate) fn remove(&mut self, addr: u32, len: u32) {
        let (first, end) = (u64::from(addr), u64::from(addr) + u64::from(len));
        while let Some((&start, &until)) = self.ranges.range(..end).next_back()
            && until > first
        {
            self.ranges.remove(&start);
            if until > end {
                self.ranges.insert(end, until);
            }
            if start < first {
                self.ranges.insert(start, first);
            }
        }
    }

    /// Which of the bytes of a granule of 8 are *not* benign.
    pub(in crate::detect) fn strip(&self, granule: u32, mask: u8) -> u8 {
        if self.ranges.is_empty() {
            return mask;
        }
        let base = u64::from(granule) * 8;
        (0..8)
            .filter(|&bit| !self.within(base + bit))
            .fold(0, |left, bit| left | 1 << bit)
            & mask
    }

    /// Ranges that were left out.
    pub(in crate::detect) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether races on this byte are wanted.
    #[inline]
    pub(crate) fn contains(&self, addr: u32) -> bool {
        !self.ranges.is_empty() && self.within(addr.into())
    }

    fn within(&self, addr: u64) -> bool {
        self.ranges
            .range(..=addr)
            .next_back()
            .is_some_and(|(_, &end)| addr < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_and_splits() {
        let mut benign = BenignRanges::new(10);
        benign.add(8, 4);
        benign.add(14, 2);
        assert_eq!(benign.strip(1, 0xff), 0x30);
        benign.add(12, 2);
        assert_eq!(benign.ranges.len(), 1);
        assert_eq!(benign.strip(1, 0xff), 0);
        assert_eq!(benign.strip(0, 0xff), 0xff);
        benign.remove(10, 1);
        assert_eq!(benign.strip(1, 0xff), 0x04);
        assert_eq!(benign.strip(1, 0xf0), 0);
        benign.remove(0, 100);
        assert_eq!(benign.strip(1, 0x0f), 0x0f);
    }

    #[test]
    fn too_many_are_counted() {
        let mut benign = BenignRanges::new(1);
        benign.add(0, 4);
        benign.add(8, 4);
        assert_eq!(benign.dropped(), 1);
        assert_eq!(benign.strip(1, 0x0f), 0x0f);
    }
}
