//! What is waited for before a restart. OTP waits for nothing, so that a child which cannot run yet uses its restarts up at once.

use crate::host::deadlines::nanoseconds;
use derive_setters::Setters;
use std::time::Duration;

/// Grows with each restart of a child, and begins anew when the child has run for as long as restarts are counted
/// ([`Intensity::max_seconds`](super::Intensity::max_seconds)). All of it is virtual time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Setters)]
#[non_exhaustive]
pub struct Backoff {
    /// Before the first restart. With 0, nothing is waited for at all.
    pub initial: Duration,
    /// By how much it grows.
    pub factor: u32,
    /// At most.
    pub max: Duration,
    /// By how many percent of it, at most, it is less: a number at random between, so that children which failed together do not come back
    /// together. It follows from the seed of the run's schedule.
    pub jitter_percent: u8,
}

impl Default for Backoff {
    /// 10 ms, twice as much each time up to 1 s, less up to a fifth of it.
    fn default() -> Backoff {
        Backoff {
            initial: Duration::from_millis(10),
            factor: 2,
            max: Duration::from_secs(1),
            jitter_percent: 20,
        }
    }
}

impl Backoff {
    /// Nothing is waited for, as in OTP.
    #[must_use]
    pub fn none() -> Backoff {
        Backoff::default().initial(Duration::ZERO)
    }

    /// Nanoseconds before the restart after so many others; the bits are random.
    pub(super) fn delay(&self, before: u32, bits: u64) -> u64 {
        let max = nanoseconds(self.max);
        let growth = u64::from(self.factor).saturating_pow(before);
        let whole = nanoseconds(self.initial).saturating_mul(growth).min(max);
        let percent = u128::from(self.jitter_percent.min(100));
        let most_less = u128::from(whole) * percent / 100;
        // The high half of the product is uniform below the factor.
        let less = (most_less * u128::from(bits)) >> u64::BITS;
        whole - less as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_up_to_its_most() {
        let backoff = Backoff::default().jitter_percent(0);
        let ms = |before| backoff.delay(before, u64::MAX) / 1_000_000;
        assert_eq!([ms(0), ms(1), ms(2), ms(6)], [10, 20, 40, 640]);
        assert_eq!([ms(7), ms(60), ms(u32::MAX)], [1000; 3]);
        assert_eq!(Backoff::none().delay(5, 7), 0);
    }

    #[test]
    fn jitter_makes_it_less_by_its_percentage_at_most() {
        let backoff = Backoff::default();
        assert_eq!(backoff.delay(0, 0), 10_000_000);
        assert_eq!(backoff.delay(0, 1 << 63), 9_000_000);
        assert_eq!(backoff.delay(0, u64::MAX), 8_000_001);
        let all = Backoff::default().jitter_percent(255);
        assert_eq!(all.delay(0, u64::MAX), 1);
    }
}
