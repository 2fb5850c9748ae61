//! One number for everything that happened: two runs are the same if theirs are equal.

use super::{Event, EventSink, Flow, Records, ThreadId};
use std::io;

/// Hashes a stream of records and events, in order. How records are divided into batches does not count.
///
/// The number is a function of the stream alone: it is the same on every platform. It is no defence against
/// someone who wants two streams to collide.
///
/// ```
/// use grind_runtime::model::sites::SiteId;
/// use grind_runtime::model::{EventHash, EventSink, Record, RecordBuffer, ThreadId};
///
/// let records = [Record::new(16, SiteId(1)), Record::new(20, SiteId(2))];
/// let batch = |records: &[Record]| records.iter().copied().collect::<RecordBuffer>();
/// let (mut once, mut twice) = (EventHash::default(), EventHash::default());
/// once.records(ThreadId(0), batch(&records).view());
/// twice.records(ThreadId(0), batch(&records[..1]).view());
/// twice.records(ThreadId(0), batch(&records[1..]).view());
/// assert_eq!(once.value(), twice.value());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventHash {
    state: u64,
    records: u64,
    events: u64,
}

impl EventHash {
    /// The hash of what came so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        // The finaliser of SplitMix64: the state's high bits are better than its low ones.
        let mut z = self.state ^ self.records.rotate_left(32) ^ self.events;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Records so far.
    #[must_use]
    pub fn records_seen(&self) -> u64 {
        self.records
    }

    /// Events so far.
    #[must_use]
    pub fn events_seen(&self) -> u64 {
        self.events
    }

    fn add(&mut self, word: u64) {
        self.state = (self.state.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl EventSink for EventHash {
    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow {
        for record in records.iter() {
            self.add(u64::from(thread.0) + 1);
            self.add(record.0);
            self.records += 1;
        }
        Flow::Continue
    }

    fn event(&mut self, event: &Event) -> Flow {
        // Its serial form, since `Hash` depends on the platform.
        self.add(0);
        let written = postcard::to_io(event, Bytes(self));
        debug_assert!(written.is_ok(), "an event has a serial form");
        self.events += 1;
        Flow::Continue
    }
}

struct Bytes<'a>(&'a mut EventHash);

impl io::Write for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            self.0.add(u64::from(byte));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sites::SiteId;
    use crate::model::{EventKind, Record, RecordBuffer};

    fn hash(stream: &[(u32, Result<u64, u32>)]) -> u64 {
        let mut hash = EventHash::default();
        for &(thread, what) in stream {
            let thread = ThreadId(thread);
            match what {
                Ok(record) => {
                    let batch: RecordBuffer = [Record(record)].into_iter().collect();
                    hash.records(thread, batch.view())
                }
                Err(site) => hash.event(&Event {
                    thread,
                    kind: EventKind::Fence { site: SiteId(site) },
                }),
            };
        }
        hash.value()
    }

    #[test]
    fn every_part_of_a_stream_counts() {
        let streams: [&[_]; 9] = [
            &[],
            &[(0, Ok(0))],
            &[(0, Ok(1))],
            &[(1, Ok(1))],
            &[(0, Ok(1)), (1, Ok(1))],
            &[(1, Ok(1)), (0, Ok(1))],
            &[(0, Err(1))],
            &[(0, Err(1)), (0, Ok(1))],
            &[(0, Ok(1)), (0, Err(1))],
        ];
        let mut hashes: Vec<u64> = streams.into_iter().map(hash).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), streams.len());
    }

    #[test]
    fn the_number_is_the_same_everywhere() {
        assert_eq!(hash(&[(0, Ok(7)), (3, Err(2))]), 16_900_382_298_659_419_115);
    }
}
