//! A clock, from the host.

use core::mem::MaybeUninit;
use core::ops::{Add, AddAssign, Sub, SubAssign};
use core::time::Duration;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn clock_time_get(id: u32, precision: u64, time_out: *mut u64) -> i32;
}

const MONOTONIC: u32 = 1;

/// A reading of the host's monotonic clock, as [`std::time::Instant`] where std has one.
///
/// Under `grind` the clock is virtual: it advances with the work done, and jumps ahead when every
/// thread sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant {
    since_epoch: Duration,
}

impl Instant {
    /// The present time.
    ///
    /// # Panics
    ///
    /// If the host has no monotonic clock.
    #[must_use]
    pub fn now() -> Instant {
        let mut nanos = MaybeUninit::<u64>::uninit();
        // SAFETY: the pointer is to 8 writable bytes.
        let errno = unsafe { clock_time_get(MONOTONIC, 1, nanos.as_mut_ptr()) };
        assert!(errno == 0, "the host has no monotonic clock: errno {errno}");
        // SAFETY: the host wrote the time, for it reported success.
        let nanos = unsafe { nanos.assume_init() };
        Instant {
            since_epoch: Duration::from_nanos(nanos),
        }
    }

    /// The time from `earlier` to this instant, zero if `earlier` is the later one.
    #[must_use]
    pub fn duration_since(&self, earlier: Instant) -> Duration {
        self.saturating_duration_since(earlier)
    }

    /// The time from `earlier` to this instant, `None` if `earlier` is the later one.
    #[must_use]
    pub fn checked_duration_since(&self, earlier: Instant) -> Option<Duration> {
        self.since_epoch.checked_sub(earlier.since_epoch)
    }

    /// The time from `earlier` to this instant, zero if `earlier` is the later one.
    #[must_use]
    pub fn saturating_duration_since(&self, earlier: Instant) -> Duration {
        self.since_epoch.saturating_sub(earlier.since_epoch)
    }

    /// The time since this instant.
    ///
    /// # Panics
    ///
    /// If the host has no monotonic clock.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Instant::now().saturating_duration_since(*self)
    }

    /// This instant plus `duration`, `None` on overflow.
    #[must_use]
    pub fn checked_add(&self, duration: Duration) -> Option<Instant> {
        let since_epoch = self.since_epoch.checked_add(duration)?;
        Some(Instant { since_epoch })
    }

    /// This instant minus `duration`, `None` before the clock's zero.
    #[must_use]
    pub fn checked_sub(&self, duration: Duration) -> Option<Instant> {
        let since_epoch = self.since_epoch.checked_sub(duration)?;
        Some(Instant { since_epoch })
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        self.checked_add(duration)
            .expect("overflow when adding duration to instant")
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Instant;

    fn sub(self, duration: Duration) -> Instant {
        self.checked_sub(duration)
            .expect("overflow when subtracting duration from instant")
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub<Instant> for Instant {
    type Output = Duration;

    fn sub(self, earlier: Instant) -> Duration {
        self.duration_since(earlier)
    }
}
