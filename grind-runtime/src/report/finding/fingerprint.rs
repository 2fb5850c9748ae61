//! The identity of a bug across runs, builds and unrelated edits.
//!
//! A fingerprint covers the kind of finding and, of each stack that makes it up, the place: the innermost frame of the user's
//! own code. Of that it takes the function's own name (without crate and module path, generic arguments, hashes,
//! closure numbers) and its file's name (without directories), and where the line is not known, the offset of the
//! instruction within the function; of a plain or atomic access, its size. It takes no line, column, address, thread or
//! seed, and neither who called the function, nor from how deep a recursion, nor whether it was inlined. So it survives moved
//! lines, other checkouts, other toolchains, other optimisation levels and other levels of debug information that have lines,
//! and it is the same whichever way a run came to the place: what [`identity`](crate::report::finding::identity) takes to be one
//! finding has one fingerprint.
//!
//! What it cannot tell apart: two bugs in the same functions. Both are reported, under one fingerprint.
//!
//! The hash is FNV-1a with 64 bits, which is fixed for all time (std's hashers are not).

use crate::program::symbols::{Frame, Symbolizer};
use crate::report::finding::frames::place;
use crate::report::finding::parts::parts;
use crate::report::finding::{Evidence, FindingKind};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Changes whenever the normalisation does, so that old and new fingerprints never meet by chance.
const SCHEME: &str = "grind-fingerprint-2";

/// See the [module's documentation](self). Shown as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint(pub u64);

/// A text that is not a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a fingerprint: 16 hexadecimal digits are expected")]
pub struct NotAFingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = NotAFingerprint;

    fn try_from(text: String) -> Result<Self, NotAFingerprint> {
        text.parse()
    }
}

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match u64::from_str_radix(text, 16) {
            Ok(value) if digits => Ok(Fingerprint(value)),
            _ => Err(NotAFingerprint(crate::report::text::shorten(text, 40))),
        }
    }
}

impl Fingerprint {
    /// The fingerprint of a finding of this kind with this evidence.
    #[must_use]
    pub(crate) fn of(kind: FindingKind, evidence: &Evidence, symbols: &Symbolizer) -> Fingerprint {
        let mut texts: Vec<String> = (parts(evidence).into_iter())
            .map(|part| format!("{}\n{}", part.what, normal_place(part.stack, symbols)))
            .collect();
        texts.sort();
        let mut hash = Fnv::new();
        hash.text(SCHEME);
        hash.text(kind.name());
        // Any number of threads that do the same thing are one bug; the two accesses of a race are two.
        if !matches!(evidence, Evidence::Race(_)) {
            texts.dedup();
        }
        for text in &texts {
            hash.text(text);
        }
        Fingerprint(hash.0)
    }
}

/// 64-bit FNV-1a.
struct Fnv(u64);

impl Fnv {
    fn new() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }

    /// The text and a separator that occurs in none.
    fn text(&mut self, text: &str) {
        for &byte in text.as_bytes().iter().chain(&[0xff]) {
            self.0 ^= u64::from(byte);
            self.0 = self.0.wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

/// The place of a stack, without what varies.
fn normal_place(stack: &[Frame], symbols: &Symbolizer) -> String {
    let Some(frame) = place(stack) else {
        return String::new();
    };
    let function = normal_function(frame);
    if frame.line.is_some() {
        return function;
    }
    let offset = symbols
        .offset_in_function(frame.func_index, frame.offset)
        .unwrap_or(frame.offset);
    format!("{function}+{offset}")
}

/// A frame's function and the name of its file.
pub(in crate::report) fn normal_function(frame: &Frame) -> String {
    let function = match &frame.function {
        Some(name) => normal_name(name),
        None => format!("func {}", frame.func_index),
    };
    let file = match &frame.file {
        Some(file) => file.rsplit(['/', '\\']).next().unwrap_or(file),
        None => "",
    };
    format!("{function}@{file}")
}

/// A function's own name: `<app::Queue<T> as app::Push>::push::<u32>` is `push`,
/// `void ns::f<int>(std::vector<int>)` is `f`, `app::main::{closure#3}` is `{closure}`.
fn normal_name(name: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_u32;
    let mut chars = name.chars().peekable();
    while let Some(c) = chars.next() {
        if out.ends_with("operator") && depth == 0 && !c.is_alphanumeric() && c != '_' {
            // A C++ operator: its symbols are its name, up to the parameters.
            out.push(c);
            if c == '(' && chars.peek() == Some(&')') {
                out.push(')');
            } else {
                while let Some(c) = chars.next_if(|&c| c != '(') {
                    out.push(c);
                }
            }
            break;
        }
        match c {
            // `->` within generic arguments closes nothing.
            '-' if chars.peek() == Some(&'>') => {
                chars.next();
            }
            // The parameters of a C++ function end its name; a leading one is `(anonymous namespace)`.
            '(' if depth == 0 && out.ends_with(|c: char| c.is_alphanumeric() || c == '_') => break,
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            '#' => while chars.next_if(char::is_ascii_digit).is_some() {},
            c => out.push(c),
        }
    }
    let own = out
        .rsplit("::")
        .map(str::trim)
        .find(|segment| !segment.is_empty())
        .unwrap_or(name);
    // `void f`: what C++ puts before the name of a template instance is its type.
    let own = match own.rsplit_once(' ') {
        Some((_, last)) if !own.contains("operator") => last,
        _ => own,
    };
    own.replace("{{", "{").replace("}}", "}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_varies() {
        for (name, own) in [
            ("app::bump", "bump"),
            ("bump", "bump"),
            ("<app::Queue<T> as app::Push>::push::<u32>", "push"),
            (
                "for_each<core::ops::Range<u32>, app::{impl#0}::work::{closure_env#0}>",
                "for_each",
            ),
            ("app::main::{closure#3}", "{closure}"),
            ("app::main::{{closure}}", "{closure}"),
            ("{closure#0}<u32, app::F>", "{closure}"),
            ("apply::<fn(u32) -> u32>", "apply"),
            (
                "void ns::f<int>(std::vector<int, std::allocator<int> >) const",
                "f",
            ),
            ("(anonymous namespace)::g(int)", "g"),
            ("ns::A::operator()(int) const", "operator()"),
            ("ns::operator<<(std::ostream&, ns::A const&)", "operator<<"),
            ("core::ptr::drop_in_place<app::X>", "drop_in_place"),
            ("{{closure}}", "{closure}"),
            ("::", "::"),
            ("<<<", "<<<"),
            ("", ""),
        ] {
            assert_eq!(normal_name(name), own, "{name}");
        }
    }

    #[test]
    fn fnv_is_the_published_one() {
        let mut hash = Fnv::new();
        for &b in b"foobar" {
            hash.0 ^= u64::from(b);
            hash.0 = hash.0.wrapping_mul(0x0000_0100_0000_01b3);
        }
        assert_eq!(hash.0, 0x8594_4171_f739_67e8);
    }

    #[test]
    fn as_text_and_back() {
        let fingerprint = Fingerprint(0x0012_3456_789a_bcde);
        assert_eq!(fingerprint.to_string(), "00123456789abcde");
        assert_eq!("00123456789abcde".parse(), Ok(fingerprint));
        for bad in [
            "",
            "123",
            "+0123456789abcde",
            "00123456789abcdeg",
            "zz123456789abcde",
        ] {
            assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
        }
    }
}
