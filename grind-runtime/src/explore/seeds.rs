//! A range of seeds, one after the other, under one strategy.

use super::Explorer;
use crate::model::{Schedule, Strategy};
use std::num::NonZeroU64;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Seeds from `first` to `last`, both included. Written as in Rust: `0..10` or `0..=9`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedRange {
    first: u64,
    last: u64,
}

/// Why a text is no [`SeedRange`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SeedRangeError {
    /// It has no two ends.
    #[error("expected A..B or A..=B")]
    NoRange,
    /// One of its ends is no number.
    #[error("`{text}` is not a seed: {error}")]
    NoSeed {
        /// The end.
        text: String,
        /// What is wrong with it.
        error: std::num::ParseIntError,
    },
    /// It ends before it begins.
    #[error("there is no seed in this range")]
    Empty,
}

impl SeedRange {
    /// The first so many, from 0.
    #[must_use]
    pub fn first_of(count: NonZeroU64) -> SeedRange {
        SeedRange {
            first: 0,
            last: count.get() - 1,
        }
    }

    /// One after the other.
    pub(super) fn seeds(self) -> RangeInclusive<u64> {
        self.first..=self.last
    }

    /// How many there are; one less if all are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "there is one at least")]
    pub fn len(self) -> u64 {
        (self.last - self.first).saturating_add(1)
    }
}

impl FromStr for SeedRange {
    type Err = SeedRangeError;

    fn from_str(text: &str) -> Result<SeedRange, SeedRangeError> {
        let number = |text: &str| {
            let parsed = text.trim().parse::<u64>();
            parsed.map_err(|error| SeedRangeError::NoSeed {
                text: text.to_owned(),
                error,
            })
        };
        let (first, last) = (text.split_once("..")).ok_or(SeedRangeError::NoRange)?;
        let range = SeedRange {
            first: number(first)?,
            last: match last.strip_prefix('=') {
                Some(last) => number(last)?,
                None => (number(last)?.checked_sub(1)).ok_or(SeedRangeError::Empty)?,
            },
        };
        if range.first > range.last {
            return Err(SeedRangeError::Empty);
        }
        Ok(range)
    }
}

/// Explores a range of seeds.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// Those that were not given out.
    left: RangeInclusive<u64>,
    strategy: Strategy,
}

impl Seeds {
    /// Under this strategy.
    #[must_use]
    pub fn new(range: SeedRange, strategy: Strategy) -> Seeds {
        Seeds {
            left: range.seeds(),
            strategy,
        }
    }
}

impl From<SeedRange> for Seeds {
    /// Under the usual strategy.
    fn from(range: SeedRange) -> Seeds {
        Seeds::new(range, Strategy::default())
    }
}

impl Explorer for Seeds {
    fn next(&mut self) -> Option<Schedule> {
        let seed = self.left.next()?;
        let strategy = self.strategy.clone();
        Some(Schedule::Strategy { strategy, seed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_as_in_rust() {
        let range = |first, last| Ok(SeedRange { first, last });
        assert_eq!("0..10".parse(), range(0, 9));
        assert_eq!("3..=3".parse(), range(3, 3));
        assert_eq!("7..8".parse(), range(7, 7));
        let all = format!("0..={}", u64::MAX);
        assert_eq!(all.parse(), range(0, u64::MAX));
        for bad in [
            "", "5", "..", "5..5", "6..5", "0..0", "6..=5", "a..b", "1..-2", "..5", "1..2..3",
        ] {
            assert!(bad.parse::<SeedRange>().is_err(), "{bad}");
        }
    }

    #[test]
    fn each_seed_is_given_out_once_up_to_the_last() {
        let of = |text: &str| {
            let range: SeedRange = text.parse().expect("a range");
            let mut seeds = Seeds::from(range);
            let given = std::iter::from_fn(|| seeds.next());
            let given: Vec<u64> = given.filter_map(|schedule| schedule.seed()).collect();
            assert_eq!(given.len() as u64, range.len());
            given
        };
        assert_eq!(of("5..8"), [5, 6, 7]);
        let last = u64::MAX;
        assert_eq!(of(&format!("{}..={last}", last - 1)), [last - 1, last]);
    }
}
