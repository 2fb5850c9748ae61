//! Demangling, bounded: a symbol comes from the guest, and a short one can stand for an endless name.

use cpp_demangle::{DemangleOptions, ParseOptions};
use std::fmt::{self, Write as _};

/// Longest name kept, in bytes. What is longer is cut in the middle, since both ends tell the most.
pub(super) const MAX_NAME: usize = 4096;

/// Longest symbol that is worth a try; a longer one is shown (cut) as it is.
const MAX_SYMBOL: usize = 16 * 1024;

/// The readable form of a symbol, without hashes; the symbol itself where it is not mangled.
///
/// Knows Rust's two schemes and the Itanium C++ one, and removes the `::h0123456789abcdef` that linkers
/// which demangle by themselves leave on Rust's legacy names.
#[must_use]
pub fn demangle(symbol: &str) -> String {
    mangled(symbol).unwrap_or_else(|| shorten(without_hash(symbol)))
}

/// The readable form of a mangled symbol; `None` if it is not mangled.
pub(super) fn mangled(symbol: &str) -> Option<String> {
    if symbol.len() > MAX_SYMBOL {
        return None;
    }
    if let Ok(name) = rustc_demangle::try_demangle(symbol) {
        let mut out = Bounded::default();
        // An error means that the bound was hit; what was written until then is still the best name.
        let _ = write!(out, "{name:#}");
        return Some(out.finish());
    }
    // Some toolchains prefix one more underscore; C++ names all begin with `_Z` then.
    let itanium = symbol.strip_prefix('_').filter(|s| s.starts_with("_Z"));
    let itanium = itanium.unwrap_or(symbol);
    if !itanium.starts_with("_Z") {
        return None;
    }
    let parse = ParseOptions::default().recursion_limit(RECURSION);
    let show = DemangleOptions::new().recursion_limit(RECURSION);
    let parsed = cpp_demangle::Symbol::new_with_options(itanium, &parse).ok()?;
    let mut out = Bounded::default();
    match parsed.structured_demangle(&mut out, &show) {
        Err(_) if !out.full => None,
        _ => Some(out.finish()),
    }
}

const RECURSION: u32 = 96;

/// Cuts the hash that ends a legacy Rust name.
fn without_hash(name: &str) -> &str {
    match name.rsplit_once("::h") {
        Some((head, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            head
        }
        _ => name,
    }
}

/// Cuts a name of more than [`MAX_NAME`] bytes in the middle.
pub(super) fn shorten(name: &str) -> String {
    if name.len() <= MAX_NAME {
        return name.to_owned();
    }
    let head = name.floor_char_boundary(MAX_NAME / 2);
    let tail = name.ceil_char_boundary(name.len() - MAX_NAME / 2);
    format!("{}…{}", &name[..head], &name[tail..])
}

/// A string that refuses to grow past [`MAX_NAME`].
#[derive(Default)]
struct Bounded {
    text: String,
    full: bool,
}

impl Bounded {
    fn finish(mut self) -> String {
        if self.full {
            self.text.push('…');
        }
        self.text
    }
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let room = MAX_NAME - self.text.len();
        if s.len() > room {
            self.text.push_str(&s[..s.floor_char_boundary(room)]);
            self.full = true;
            return Err(fmt::Error);
        }
        self.text.push_str(s);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rust_schemes_lose_their_hash() {
        assert_eq!(
            demangle("_ZN4race4deep7generic17h8168d186fab79cdeE"),
            "race::deep::generic"
        );
        assert_eq!(
            demangle("_RNvNtCsbmNqQUJIY6D_4core3fmt5write"),
            "core::fmt::write"
        );
        assert_eq!(
            demangle("race::deep::generic::h8168d186fab79cde"),
            "race::deep::generic"
        );
    }

    #[test]
    fn cpp_names() {
        assert_eq!(
            demangle("_ZN3foo3barEPKcSt6vectorIiSaIiEE"),
            "foo::bar(char const*, std::vector<int, std::allocator<int> >)"
        );
        assert_eq!(demangle("_Z"), "_Z");
        assert_eq!(demangle("__Z3addii"), "add(int, int)");
    }

    #[test]
    fn plain_names_are_kept() {
        for name in ["main", "", "_", "__wasm_call_ctors", "h::h12", "naïve::ƒ"] {
            assert_eq!(demangle(name), name);
        }
    }

    #[test]
    fn a_demangling_bomb_is_cut() {
        // Each substitution doubles the previous one: 2^40 names if it were written out.
        let mut symbol = String::from("_Z1fI");
        symbol.push_str("1a");
        for _ in 0..60 {
            symbol.push_str("N1bIS_S_EE");
        }
        for i in 0..60 {
            symbol.push_str(&format!("St4pairIS{}_S{}_E", base36(i), base36(i)));
        }
        symbol.push_str("Evv");
        assert!(demangle(&symbol).len() <= MAX_NAME + 8);
        // The same with Rust's backreferences.
        let mut v0 = String::from("_RNvC1a1b");
        for _ in 0..200 {
            v0.push_str("TB2_B2_");
        }
        assert!(demangle(&v0).len() <= MAX_NAME + 8);
    }

    fn base36(n: u32) -> String {
        if n == 0 {
            return String::new();
        }
        char::from_digit(n % 36, 36)
            .map(|c| c.to_ascii_uppercase().to_string())
            .unwrap_or_default()
    }

    #[test]
    fn long_plain_names_are_cut_in_the_middle() {
        let name = format!("start{}end", "ä".repeat(10_000));
        let short = demangle(&name);
        assert!(short.len() <= MAX_NAME + 8, "{}", short.len());
        assert!(short.starts_with("start") && short.ends_with("end"));
    }
}
