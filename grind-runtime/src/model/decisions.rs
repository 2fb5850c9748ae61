//! What a scheduler decided in a run.

use super::Slice;
use super::ThreadId;
use super::bytes::{Bytes, put};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A change of who runs, or for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Change {
    /// Scheduling points since the last change, at which the thread that ran kept what it had left.
    pub kept: u64,
    /// What was decided then.
    pub slice: Slice,
}

/// The decisions of a run, in order: with what the host answered, all that decides what happens in it. Repeated, they give the same run,
/// whatever made them.
///
/// In JSON, each change is `[kept, thread, words]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Plain", into = "Plain")]
pub struct Decisions {
    /// Three varints each: most take as many bytes.
    changes: Vec<u8>,
    /// Random bits for the guest.
    random: Vec<u64>,
}

impl Decisions {
    /// Adds a change.
    pub fn push(&mut self, change: Change) {
        let Change { kept, slice } = change;
        for number in [kept, slice.thread.0.into(), slice.words.into()] {
            put(&mut self.changes, number);
        }
    }

    /// Adds random bits that the guest was given.
    pub fn push_random(&mut self, bits: u64) {
        self.random.push(bits);
    }

    /// The `at`th byte on: the change there, and where the next one is.
    pub(crate) fn change(&self, at: usize) -> Option<(Change, usize)> {
        let mut bytes = Bytes::new(self.changes.get(at..)?);
        let kept = bytes.varint()?;
        let thread = ThreadId(bytes.u32()?);
        let words = bytes.u32()?;
        let slice = Slice { thread, words };
        Some((Change { kept, slice }, self.changes.len() - bytes.len()))
    }

    /// All changes.
    pub fn changes(&self) -> impl Iterator<Item = Change> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (change, next) = self.change(at)?;
            at = next;
            Some(change)
        })
    }

    /// Random bits that the guest was given.
    #[must_use]
    pub fn random(&self) -> &[u64] {
        &self.random
    }

    /// Bytes that they take.
    #[must_use]
    pub fn size(&self) -> usize {
        self.changes.len() + size_of_val(self.random.as_slice())
    }

    /// Tells them from others in a word: the first 8 bytes of their SHA-256, in hexadecimal.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(&self.changes);
        // No change is that long, so that nothing else begins so.
        hash.update([0xff; 8]);
        for bits in &self.random {
            hash.update(bits.to_le_bytes());
        }
        let hash = hash.finalize();
        hash.iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }
}

/// As they are written.
#[derive(Serialize, Deserialize)]
struct Plain {
    changes: Vec<(u64, u32, u32)>,
    random: Vec<u64>,
}

impl From<Plain> for Decisions {
    fn from(plain: Plain) -> Decisions {
        let mut decisions = Decisions {
            changes: Vec::new(),
            random: plain.random,
        };
        for (kept, thread, words) in plain.changes {
            let thread = ThreadId(thread);
            let slice = Slice { thread, words };
            decisions.push(Change { kept, slice });
        }
        decisions
    }
}

impl From<Decisions> for Plain {
    fn from(decisions: Decisions) -> Plain {
        let changes = decisions.changes();
        let changes = changes.map(|Change { kept, slice }| (kept, slice.thread.0, slice.words));
        Plain {
            changes: changes.collect(),
            random: decisions.random,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_written_and_read() {
        let mut decisions = Decisions::default();
        for (kept, thread, words) in [(0, 0, 1), (u64::MAX, 3, u32::MAX), (127, 128, 1 << 20)] {
            let thread = ThreadId(thread);
            let slice = Slice { thread, words };
            decisions.push(Change { kept, slice });
        }
        decisions.push_random(u64::MAX);
        let json = serde_json::to_string(&decisions).expect("text");
        assert_eq!(
            json,
            "{\"changes\":[[0,0,1],[18446744073709551615,3,4294967295],[127,128,1048576]],\
             \"random\":[18446744073709551615]}"
        );
        assert_eq!(
            serde_json::from_str::<Decisions>(&json).ok(),
            Some(decisions.clone())
        );
        let bytes = postcard::to_stdvec(&decisions).expect("bytes");
        assert_eq!(
            postcard::from_bytes::<Decisions>(&bytes).ok(),
            Some(decisions.clone())
        );
        assert_eq!(decisions.digest().len(), 16);
        assert_ne!(decisions.digest(), Decisions::default().digest());
    }
}
