//! Restart intensity: how many restarts in which time are too many.

use crate::host::deadlines::nanoseconds;
use std::collections::VecDeque;
use std::time::Duration;

/// More than `max_restarts` within `max_seconds` are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Intensity {
    /// How many restarts are not.
    pub max_restarts: u32,
    /// Virtual time in which they are counted, more than 0.
    ///
    /// It is the time in which nothing is held back: what passes while the supervisor stops children or waits before a restart does
    /// not count. With OTP's clock, children that take longer to stop than `max_seconds / max_restarts` are restarted for ever.
    pub max_seconds: Duration,
}

impl Intensity {
    /// More than `max_restarts` within `max_seconds`.
    #[must_use]
    pub fn new(max_restarts: u32, max_seconds: Duration) -> Intensity {
        Intensity {
            max_restarts,
            max_seconds,
        }
    }
}

impl Default for Intensity {
    /// OTP's: one within five seconds.
    fn default() -> Intensity {
        Intensity::new(1, Duration::from_secs(5))
    }
}

/// When there were restarts: those within the time, one more than are allowed at most.
#[derive(Clone, Debug)]
pub(super) struct Window {
    intensity: Intensity,
    restarts: VecDeque<u64>,
}

impl Window {
    pub(super) fn new(intensity: Intensity) -> Window {
        Window {
            intensity,
            restarts: VecDeque::new(),
        }
    }

    /// There is one more, at this time. Returns whether that is not too many.
    pub(super) fn restart(&mut self, now: u64) -> bool {
        let time = nanoseconds(self.intensity.max_seconds);
        while (self.restarts.front()).is_some_and(|&at| now.saturating_sub(at) > time) {
            self.restarts.pop_front();
        }
        self.restarts.push_back(now);
        self.restarts.len() as u64 <= u64::from(self.intensity.max_restarts)
    }
}

/// A supervisor's clock, which stands still while restarts are held back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HeldClock {
    held: u64,
    since: Option<u64>,
}

impl HeldClock {
    /// What it shows at this virtual time.
    pub(super) fn at(&self, now: u64) -> u64 {
        let held = self.since.map_or(0, |since| now.saturating_sub(since));
        now.saturating_sub(self.held + held)
    }

    /// From this time on it stands, or goes.
    pub(super) fn hold(&mut self, holds: bool, now: u64) {
        match (holds, self.since) {
            (true, None) => self.since = Some(now),
            (false, Some(since)) => {
                self.held += now.saturating_sub(since);
                self.since = None;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_so_many_within_the_time_are_too_many() {
        let mut window = Window::new(Intensity::new(2, Duration::from_nanos(100)));
        // Its end belongs to the time.
        assert!(window.restart(0));
        assert!(window.restart(50));
        assert!(!window.restart(100));
        let mut window = Window::new(Intensity::new(2, Duration::from_nanos(100)));
        for at in [0, 50, 101, 152, 203, 254] {
            assert!(window.restart(at), "{at}");
            assert!(window.restarts.len() <= 2);
        }
        assert!(!window.restart(254));
        assert!(!Window::new(Intensity::new(0, Duration::from_secs(1))).restart(7));
    }

    #[test]
    fn a_clock_that_is_held_stands() {
        let mut clock = HeldClock::default();
        assert_eq!(clock.at(10), 10);
        clock.hold(true, 10);
        clock.hold(true, 12);
        assert_eq!(clock.at(30), 10);
        clock.hold(false, 40);
        clock.hold(false, 50);
        assert_eq!((clock.at(40), clock.at(50)), (10, 20));
    }
}
