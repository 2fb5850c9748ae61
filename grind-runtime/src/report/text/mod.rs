//! Words and guest text: everything a guest can name passes through here on its way to a terminal.

pub mod log;

use crate::model::ThreadId;
use crate::program::symbols::Variable;
use crate::report::text::log::completes_mark;
use std::fmt::Write as _;

/// Longest thread or lock name shown, in characters.
pub(crate) const NAME_CHARS: usize = 64;

/// `text` with everything that could move a cursor, start an escape sequence, reorder a line, hide
/// itself or be a CI server's command in the middle of a line written out: a name must not be able to forge a report.
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '#' if before == '#' && completes_mark(&text[at + 1..]) => out.push_str("\\u{23}"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_unprintable(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// Whether a character must not reach a terminal as it is.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control() || is_invisible(c)
}

/// Format characters: zero-width ones, those that change the direction of text, line and paragraph
/// separators, tags, variation selectors beyond the emoji one.
fn is_invisible(c: char) -> bool {
    matches!(
        u32::from(c),
        0xad | 0x61c | 0x180e | 0x200b..=0x200f | 0x2028..=0x202e | 0x2060..=0x206f | 0xfeff
            | 0xfff9..=0xfffb | 0xe0000..=0xe0fff
    )
}

/// At most `limit` characters of `text`, cut in the middle: both ends of a name tell the most.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    let chars = text.chars().count();
    if chars <= limit {
        return text.to_owned();
    }
    let keep = limit.saturating_sub(1);
    let tail = keep / 2;
    let mut out: String = text.chars().take(keep - tail).collect();
    out.push('…');
    out.extend(text.chars().skip(chars - tail));
    out
}

/// `T1 `worker``, `T0 main`, `T3`.
pub(crate) fn thread_label(id: ThreadId, name: Option<&str>) -> String {
    match name {
        Some(name) if !name.is_empty() => format!("{id} `{}`", shorten(name, NAME_CHARS)),
        _ if id == ThreadId(0) => format!("{id} main"),
        _ => id.to_string(),
    }
}

/// `0x00101c40 `queue``.
pub(crate) fn address_label(address: u32, name: Option<&str>) -> String {
    match name {
        Some(name) if !name.is_empty() => {
            format!("{} `{}`", hex(address), shorten(name, NAME_CHARS))
        }
        _ => hex(address),
    }
}

/// `global `STATE` (8 bytes) + 4`, of an address in a variable that is a `what`.
pub(crate) fn variable(what: &str, variable: &Variable, address: u32) -> String {
    let size = (variable.size).map(|size| format!(" ({})", count(size.into(), "byte", "bytes")));
    let offset = match address.saturating_sub(variable.address) {
        0 => String::new(),
        offset => format!(" + {offset}"),
    };
    let name = shorten(&variable.name, NAME_CHARS);
    format!("{what} `{name}`{}{offset}", size.unwrap_or_default())
}

/// `STATE + 4`.
pub(crate) fn offset_name(name: &str, offset: u32) -> String {
    match offset {
        0 => name.to_owned(),
        offset => format!("{name} + {offset}"),
    }
}

/// `0x00101c40`.
pub(crate) fn hex(address: u32) -> String {
    format!("{address:#010x}")
}

/// `1 byte`, `4 bytes`.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    if n == 1 {
        format!("1 {one}")
    } else {
        format!("{n} {many}")
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [init @ .., last] => format!("{} and {last}", init.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_through_that_a_terminal_obeys() {
        let hostile = "a\x1b[31m\u{9b}2J\r\nb\u{202e}c\u{200b}\u{e0041}\0\x7f";
        assert_eq!(
            clean(hostile),
            "a\\u{1b}[31m\\u{9b}2J\\r\\nb\\u{202e}c\\u{200b}\\u{e0041}\\u{0}\\u{7f}"
        );
        assert_eq!(clean("naïve 日本 🦀"), "naïve 日本 🦀");
    }

    #[test]
    fn long_names_keep_both_ends() {
        assert_eq!(shorten("abcdefghij", 10), "abcdefghij");
        assert_eq!(shorten("abcdefghijk", 10), "abcde…hijk");
        assert_eq!(shorten("ab", 1), "…");
        assert_eq!(shorten(&"ä".repeat(10_000), 64).chars().count(), 64);
    }

    #[test]
    fn labels() {
        assert_eq!(thread_label(ThreadId(0), None), "T0 main");
        assert_eq!(thread_label(ThreadId(2), Some("w")), "T2 `w`");
        assert_eq!(thread_label(ThreadId(2), Some("")), "T2");
        assert_eq!(address_label(16, Some("A")), "0x00000010 `A`");
        assert_eq!(list(&["a".into(), "b".into(), "c".into()]), "a, b and c");
    }
}
