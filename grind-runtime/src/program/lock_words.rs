//! Locks of libraries that are a word in memory: those of Rust's std and of parking_lot, and Zig's.
//!
//! Taking one that is free is a compare-exchange, inlined into whatever function asks for it, so that there is no
//! function to intercept. But the slow path is a function, too large and too cold to be inlined, and known by its name. So a
//! compare-exchange that leads straight to a call of it takes such a lock where it succeeds (`lower/lock_sites.rs`). Once a word is
//! known to be a lock, what it says ([`LockWord::state`]) tells whether such an instruction, or one within a function of the
//! lock, took it, and who left it, by whatever instruction.
//!
//! What is learned here comes *besides* the atomics: it hides nothing and orders nothing. So where the compiler made
//! something else of a lock, locks are missing from a report, and no race is found or missed.
//!
//! **Misses** locks whose slow path has no name (a stripped module) or was merged with another's, until a thread
//! has to wait for them; and what an inlined `try_lock` takes, for nothing tells it from another compare-exchange.

use crate::model::LockMode;
use serde::{Deserialize, Serialize};

/// What a word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LockWord {
    /// `std::sync::Mutex` over futexes: 0 is free, 1 taken, 2 taken and waited for.
    StdMutex,
    /// `std::sync::RwLock` over futexes: 30 bits count readers, or are all set for a writer; two say who waits.
    StdRwLock,
    /// `parking_lot::RawMutex`: bit 0 is taken, bit 1 waited for.
    ParkingLotMutex,
    /// `parking_lot::RawRwLock`: bit 3 is a writer, from bit 4 on readers are counted.
    ParkingLotRwLock,
    /// `std.Thread.Mutex` of Zig over futexes: 0 is free, 1 taken, 3 taken and waited for.
    ZigMutex,
}

/// Who has a lock, as its word tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LockState {
    /// Somebody excludes all others.
    pub exclusive: bool,
    /// So many share it.
    pub readers: u64,
}

impl LockState {
    /// Whether somebody has it now who did not have it `before`.
    pub(crate) fn takes_from(self, before: LockState) -> bool {
        self.exclusive && !before.exclusive || self.readers > before.readers
    }
}

impl LockWord {
    /// What programs call the lock.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LockWord::StdMutex => "std::sync::Mutex",
            LockWord::StdRwLock => "std::sync::RwLock",
            LockWord::ParkingLotMutex => "parking_lot::Mutex",
            LockWord::ParkingLotRwLock => "parking_lot::RwLock",
            LockWord::ZigMutex => "std.Thread.Mutex",
        }
    }

    /// Bytes.
    #[must_use]
    pub fn width(self) -> u8 {
        match self {
            LockWord::ParkingLotMutex => 1,
            _ => 4,
        }
    }

    /// What a value of the word says; none if a lock of this kind cannot have it.
    #[must_use]
    pub fn state(self, value: u64) -> Option<LockState> {
        const STD_COUNT: u64 = (1 << 30) - 1;
        let mutex = |exclusive| LockState {
            exclusive,
            readers: 0,
        };
        match (self, value) {
            (LockWord::StdMutex, 0..=2) => Some(mutex(value != 0)),
            (LockWord::ZigMutex, 0 | 1 | 3) => Some(mutex(value != 0)),
            (LockWord::ParkingLotMutex, 0..=3) => Some(mutex(value & 1 != 0)),
            (LockWord::StdRwLock, _) => Some(match value & STD_COUNT {
                STD_COUNT => mutex(true),
                readers => LockState {
                    exclusive: false,
                    readers,
                },
            }),
            (LockWord::ParkingLotRwLock, _) => Some(LockState {
                // A writer that waits for the readers to leave keeps others out already.
                exclusive: value & 8 != 0 && value >> 4 == 0,
                readers: value >> 4,
            }),
            _ => None,
        }
    }

    /// Whether its slow path can give up: it has a deadline, whose nanoseconds are its last parameter.
    pub(super) fn has_deadline(self) -> bool {
        matches!(self, LockWord::ParkingLotMutex | LockWord::ParkingLotRwLock)
    }

    /// What the compare-exchange expects and writes that takes the lock exclusively.
    pub(super) fn taken(self) -> [i32; 2] {
        match self {
            LockWord::StdRwLock => [0, (1 << 30) - 1],
            LockWord::ParkingLotRwLock => [0, 8],
            LockWord::StdMutex | LockWord::ParkingLotMutex | LockWord::ZigMutex => [0, 1],
        }
    }
}

/// `None` of an `Option<Instant>`, whose nanoseconds are passed last: one more than there are in a second.
pub(crate) const NO_DEADLINE: i32 = 1_000_000_000;

/// What a function does to a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Takes it, and waits until it can.
    Take(LockMode),
    /// The same, called only where it was not free: the slow path.
    Wait(LockMode),
    /// Takes it, or not.
    Try,
    /// Leaves it, maybe to whoever waits longest.
    Leave,
}

impl Part {
    /// How it asks for the lock, if it does not give up.
    #[must_use]
    pub fn asks(self) -> Option<LockMode> {
        match self {
            Part::Take(mode) | Part::Wait(mode) => Some(mode),
            Part::Try | Part::Leave => None,
        }
    }
}

use LockMode::{Exclusive, Shared};

/// Methods of a type. Only the slow paths are functions if the program is optimised.
type Methods = &'static [(&'static str, Part)];

const MUTEX: Methods = &[
    ("lock_contended", Part::Wait(Exclusive)),
    ("lock", Part::Take(Exclusive)),
    ("try_lock", Part::Try),
];

const RWLOCK: Methods = &[
    ("read_contended", Part::Wait(Shared)),
    ("write_contended", Part::Wait(Exclusive)),
    ("read", Part::Take(Shared)),
    ("write", Part::Take(Exclusive)),
    ("try_read", Part::Try),
    ("try_write", Part::Try),
];

const PARKING_LOT_MUTEX: Methods = &[
    ("lock_slow", Part::Wait(Exclusive)),
    ("unlock_slow", Part::Leave),
    ("lock", Part::Take(Exclusive)),
    ("try_lock", Part::Try),
];

const PARKING_LOT_RWLOCK: Methods = &[
    ("lock_exclusive_slow", Part::Wait(Exclusive)),
    ("lock_shared_slow", Part::Wait(Shared)),
    ("unlock_exclusive_slow", Part::Leave),
    ("lock_exclusive", Part::Take(Exclusive)),
    ("lock_shared", Part::Take(Shared)),
    ("try_lock_exclusive", Part::Try),
    ("try_lock_shared", Part::Try),
];

const ZIG_MUTEX: Methods = &[
    ("lockSlow", Part::Wait(Exclusive)),
    ("lock", Part::Take(Exclusive)),
    ("tryLock", Part::Try),
];

/// Whether the lock is what the first parameter points to, or somewhere in that. Types around the lock's own are functions
/// where that was inlined into them and atomic operations were not: in builds without optimisation.
type IsLock = bool;

/// The end of a type's path, and what it is. Some are where older versions of std have them.
const TABLE: &[(&str, LockWord, IsLock, Methods)] = &[
    (
        "sys::sync::mutex::futex::Mutex",
        LockWord::StdMutex,
        true,
        MUTEX,
    ),
    ("locks::futex_mutex::Mutex", LockWord::StdMutex, true, MUTEX),
    (
        "std::sync::poison::mutex::Mutex",
        LockWord::StdMutex,
        false,
        MUTEX,
    ),
    ("std::sync::mutex::Mutex", LockWord::StdMutex, false, MUTEX),
    (
        "sys::sync::rwlock::futex::RwLock",
        LockWord::StdRwLock,
        true,
        RWLOCK,
    ),
    (
        "locks::futex_rwlock::RwLock",
        LockWord::StdRwLock,
        true,
        RWLOCK,
    ),
    (
        "std::sync::poison::rwlock::RwLock",
        LockWord::StdRwLock,
        false,
        RWLOCK,
    ),
    (
        "std::sync::rwlock::RwLock",
        LockWord::StdRwLock,
        false,
        RWLOCK,
    ),
    (
        "parking_lot::raw_mutex::RawMutex",
        LockWord::ParkingLotMutex,
        true,
        PARKING_LOT_MUTEX,
    ),
    (
        "parking_lot::raw_rwlock::RawRwLock",
        LockWord::ParkingLotRwLock,
        true,
        PARKING_LOT_RWLOCK,
    ),
    (
        "Thread.Mutex.FutexImpl",
        LockWord::ZigMutex,
        true,
        ZIG_MUTEX,
    ),
];

/// Whether a mangled symbol may be in the table: to demangle all that cannot be takes longer than to look.
pub(super) fn may_be_known(symbol: &str) -> bool {
    const WITHIN: [&str; 7] = [
        "5futex",
        "5mutex",
        "6rwlock",
        "futex_mutex",
        "futex_rwlock",
        "raw_mutex",
        "raw_rwlock",
    ];
    WITHIN.iter().any(|name| symbol.contains(name))
}

/// What a function with this name, demangled, does to what lock.
pub(super) fn part(name: &str) -> Option<(LockWord, IsLock, Part)> {
    // `<std::sys::sync::mutex::futex::Mutex>::lock`, `parking_lot::raw_rwlock::RawRwLock<_>::lock_shared_slow`,
    // `<parking_lot::raw_mutex::RawMutex as lock_api::mutex::RawMutex>::lock`, `Thread.Mutex.FutexImpl.lock`.
    let (ty, method) = name.rsplit_once("::").or_else(|| name.rsplit_once('.'))?;
    let ty = ty.trim_start_matches('<');
    let ty = ty
        .split(['<', ' '])
        .next()?
        .trim_end_matches('>')
        .trim_end_matches("::");
    let (_, word, is_lock, methods) = TABLE.iter().find(|(path, ..)| ty.ends_with(path))?;
    let (_, part) = methods.iter().find(|(name, _)| *name == method)?;
    Some((*word, *is_lock, *part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_all_manglings_are_known() {
        let wait = Part::Wait(Exclusive);
        for (symbol, known) in [
            (
                "_RNvMNtNtNtNtCs1cbpOjQgv0Q_3std3sys4sync5mutex5futexNtB2_5Mutex14lock_contended",
                (LockWord::StdMutex, true, wait),
            ),
            (
                "_ZN3std3sys4sync6rwlock5futex6RwLock14read_contended17h0123456789abcdefE",
                (LockWord::StdRwLock, true, Part::Wait(Shared)),
            ),
            (
                "_ZN3std3sys4unix5locks11futex_mutex5Mutex14lock_contended17h0123456789abcdefE",
                (LockWord::StdMutex, true, wait),
            ),
            (
                "_ZN11parking_lot9raw_mutex8RawMutex9lock_slow17h2847b73c8b529803E",
                (LockWord::ParkingLotMutex, true, wait),
            ),
            (
                "_ZN11parking_lot10raw_rwlock18RawRwLock$LT$_$GT$19lock_exclusive_slow17hf1f2c2cfdff06ad5E",
                (LockWord::ParkingLotRwLock, true, wait),
            ),
            (
                "_ZN78_$LT$parking_lot..raw_mutex..RawMutex$u20$as$u20$lock_api..mutex..RawMutex$GT$4lock17hfa4323b8c099d503E",
                (LockWord::ParkingLotMutex, true, Part::Take(Exclusive)),
            ),
            (
                "_ZN3std4sync6poison5mutex14Mutex$LT$T$GT$4lock17h12b91395c3e1b396E",
                (LockWord::StdMutex, false, Part::Take(Exclusive)),
            ),
            (
                "Thread.Mutex.FutexImpl.lockSlow",
                (LockWord::ZigMutex, true, wait),
            ),
        ] {
            let name = format!("{:#}", rustc_demangle::demangle(symbol));
            assert_eq!(part(&name), Some(known), "{name}");
            assert!(may_be_known(symbol) || name == symbol, "{symbol}");
        }
    }

    #[test]
    fn what_only_looks_like_a_lock_of_a_library_is_left_alone() {
        for name in [
            "my_app::Mutex::lock",
            "std::sync::poison::mutex::Mutex<T>::into_inner",
            "std::sys::sync::mutex::futex::Mutex::wake",
            "parking_lot_core::word_lock::WordLock::lock_slow",
        ] {
            assert_eq!(part(name), None, "{name}");
        }
    }

    #[test]
    fn a_word_tells_who_has_it() {
        let one = Some(LockState {
            exclusive: true,
            readers: 0,
        });
        let shared = |readers| {
            Some(LockState {
                exclusive: false,
                readers,
            })
        };
        for (word, value, state) in [
            (LockWord::StdMutex, 0, shared(0)),
            (LockWord::StdMutex, 2, one),
            (LockWord::StdMutex, 3, None),
            (LockWord::ZigMutex, 2, None),
            (LockWord::StdRwLock, 0x3fff_ffff, one),
            (LockWord::StdRwLock, 0xbfff_ffff, one),
            (LockWord::StdRwLock, 0xc000_0002, shared(2)),
            (LockWord::ParkingLotMutex, 2, shared(0)),
            (LockWord::ParkingLotMutex, 3, one),
            (LockWord::ParkingLotRwLock, 0x23, shared(2)),
            (LockWord::ParkingLotRwLock, 0x9, one),
        ] {
            assert_eq!(word.state(value), state, "{word:?} {value:#x}");
        }
    }
}
