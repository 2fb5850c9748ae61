//! Suppressions that are always in force: what libc does on purpose and no interceptor can hide, because the
//! compiler inlined it.

use crate::report::filter::suppress::{About, Origin, Pattern, Suppression};

/// Pattern of the innermost frame's source file or function, and why it may race.
const BUILTIN: &[(About, &str, &str)] = &[
    (
        About::RaceTop,
        "libc-top-half/musl/src/thread/__",
        "wasi-libc's own locks read plainly what they write atomically",
    ),
    (
        About::RaceTop,
        "libc-top-half/musl/src/thread/pthread_create.c",
        "its list of threads, which ends after the thread did",
    ),
    (
        About::RaceTop,
        "libc-top-half/musl/src/internal/atomic.h",
        "the atomics of those",
    ),
    (
        About::RaceTop,
        "libc-top-half/musl/src/stdio/",
        "standard streams have locks of their own, which are hidden",
    ),
];

/// The built-in suppressions.
#[must_use]
pub fn builtin() -> Vec<Suppression> {
    let make = |&(about, pattern, reason): &(About, &str, &str)| Suppression {
        about,
        pattern: Pattern::new(pattern),
        reason: Some(reason.to_owned()),
        until: None,
        origin: Origin::Builtin,
    };
    BUILTIN.iter().map(make).collect()
}
