//! The message of a panic: a thread that is going to trap has usually told standard error why.
//!
//! **Finds** what Rust, Zig, C, C++ and their runtimes write before they abort, in the writes of the thread itself, whatever
//! pieces it came in.
//!
//! **Misses** messages in other words, those that go elsewhere (a test harness that captures them keeps them in memory), and
//! those of more than 16 KiB.
//!
//! **Cost**: a copy of what is written to standard error; 16 KiB for each live thread that writes there.

use std::collections::VecDeque;

/// Bytes of a thread's standard error that are kept.
const KEPT: usize = 16 << 10;
/// Longest message, in bytes.
const LONGEST: usize = 4 << 10;

/// What the line has in it that a message begins with.
const MARKS: [&str; 7] = [
    // Rust, and hooks that print what std gives them.
    "panicked at ",
    // Rust's std, which cannot go on.
    "fatal runtime error: ",
    "memory allocation of ",
    // Zig.
    "panic: ",
    // C.
    "Assertion failed: ",
    // C++.
    "libc++abi: ",
    "terminate called ",
];

/// Beginnings of lines that are about the message and not of it.
const AFTERWARDS: [&str; 2] = ["note: run with `RUST_BACKTRACE", "stack backtrace:"];

/// The last that a thread wrote to standard error.
#[derive(Debug, Default)]
pub(super) struct LastWords(VecDeque<u8>);

impl LastWords {
    /// The thread wrote this.
    pub(super) fn wrote(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(KEPT)..];
        let over = (self.0.len() + bytes.len()).saturating_sub(KEPT);
        self.0.drain(..over);
        self.0.extend(bytes);
    }

    /// The message of the panic that it wrote last, if it wrote one.
    pub(super) fn message(&mut self) -> Option<String> {
        let text = String::from_utf8_lossy(self.0.make_contiguous());
        let mark = MARKS.iter().filter_map(|mark| text.rfind(mark)).max()?;
        let begin = text[..mark].rfind('\n').map_or(0, |end| end + 1);
        let lines = text[begin..].lines();
        let lines: Vec<&str> = lines
            .take_while(|line| !AFTERWARDS.iter().any(|after| line.starts_with(after)))
            .collect();
        let message = lines.join("\n");
        let message = message.trim();
        Some(message[..message.floor_char_boundary(LONGEST)].to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT, LONGEST, LastWords};

    fn message(pieces: &[&str]) -> Option<String> {
        let mut words = LastWords::default();
        for piece in pieces {
            words.wrote(piece.as_bytes());
        }
        words.message()
    }

    #[test]
    fn messages_of_languages() {
        for (pieces, found) in [
            (
                &[
                    "hello\n",
                    "\nthread '",
                    "w",
                    "' (2) panicked at ",
                    "src/a.rs:1:2:\nwhy\n",
                    "note: run with `RUST_BACKTRACE=1` …\n",
                ][..],
                Some("thread 'w' (2) panicked at src/a.rs:1:2:\nwhy"),
            ),
            (
                &[
                    "thread 'w' panicked at a.rs:1:2:\nassertion `left == right` failed\n  left: 1\n right: 2\nstack backtrace:\n 0: f\n",
                ],
                Some(
                    "thread 'w' panicked at a.rs:1:2:\nassertion `left == right` failed\n  left: 1\n right: 2",
                ),
            ),
            (
                &["thread 7 panic: index out of bounds\n"],
                Some("thread 7 panic: index out of bounds"),
            ),
            (
                &["Assertion failed: x == 1 (a.c: main: 3)\n"],
                Some("Assertion failed: x == 1 (a.c: main: 3)"),
            ),
            (
                &["a line\n", "fatal runtime error: x\n"],
                Some("fatal runtime error: x"),
            ),
            (&["all is well\n"], None),
            (&[], None),
            // The last one counts.
            (&["panic: one\n", "panic: two\n"], Some("panic: two")),
        ] {
            assert_eq!(message(pieces).as_deref(), found, "{pieces:?}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut words = LastWords::default();
        for _ in 0..100 {
            words.wrote(&[b'x'; 1000]);
            assert!(words.0.len() <= KEPT);
        }
        words.wrote(&vec![b'y'; 2 * KEPT]);
        assert_eq!(words.0.len(), KEPT);
        assert_eq!(words.message(), None);
        words.wrote(format!("\npanic: {}", "é".repeat(LONGEST)).as_bytes());
        let long = words.message().expect("a message");
        assert!((LONGEST - 1..=LONGEST).contains(&long.len()));
    }
}
