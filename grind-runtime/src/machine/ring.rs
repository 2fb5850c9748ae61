//! The ring: where the records of the current thread go, and how they come out.

use super::state::State;
use super::stdio;
use crate::model::sites::HEADER;
use crate::model::{Ending, Flow, Records, SINGLE, region};
use crate::program::RING_END;

/// Words of the ring.
pub(super) const RING_WORDS: u32 = RING_END / 4;

/// Where a drain stops.
#[derive(Clone, Copy, Debug)]
pub(super) enum Filled {
    /// At this address.
    UpTo(u32),
    /// Unknown: a free word is zero.
    Scan,
}

impl State {
    /// Hands the current thread its next words of the ring; returns the address of the first.
    pub(super) fn next_slot(&mut self) -> u32 {
        let words = self.remaining.clamp(SINGLE, RING_WORDS);
        let slot = RING_END - 4 * words;
        self.thread_mut().slot = slot;
        slot
    }

    /// Takes the current thread's records, leaves their words zero.
    pub(super) fn drain(&mut self, ring: &mut [u8], filled: Filled) {
        let from = self.thread().slot;
        self.batch.clear();
        let unread = &mut ring[from as usize..RING_END as usize];
        let limit = match filled {
            Filled::UpTo(slot) => {
                debug_assert!((from..=RING_END).contains(&slot), "a thread's own slot");
                slot.saturating_sub(from) as usize
            }
            Filled::Scan => unread.len(),
        };
        let words = unread[..limit].as_chunks::<4>().0;
        self.batch
            .extend(words.iter().map(|bytes| u32::from_le_bytes(*bytes)));
        if let Filled::Scan = filled {
            let mut used = 0;
            while self
                .batch
                .get(used + HEADER)
                .is_some_and(|&header| header != 0)
            {
                let region = region(&self.batch[used..], &self.sites);
                used += region.map_or(0, |region| region.words.len());
            }
            self.batch.truncate(used);
        }
        let used = self.batch.len() as u32;
        if used == 0 {
            return;
        }
        unread[..4 * used as usize].fill(0);
        self.thread_mut().slot = from + 4 * used;
        self.remaining = self.remaining.saturating_sub(used);
        self.clock.recorded(u64::from(used));
        self.control.count_words(u64::from(used));
    }

    /// Hands the drained records to the sink.
    pub(super) fn deliver(&mut self) {
        if !self.batch.is_empty() {
            let records = Records::new(&self.batch, &self.sites);
            let counts = &mut self.threads[self.current.0 as usize].counts;
            if !counts.is_empty() {
                stdio::follow(counts, records, &self.sites);
            }
            self.delivered += self.batch.len() as u64;
            let flow = self.sink.records(self.current, records);
            self.batch.clear();
            if flow == Flow::Halt {
                self.stop(Ending::Halted);
            }
        }
    }
}
