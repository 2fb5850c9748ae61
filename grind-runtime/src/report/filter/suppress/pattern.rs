//! Patterns of suppressions.

use std::fmt;

/// Part of a name, where `*` stands for anything, `^` in front for the beginning and `$` at the end for the end, as in
/// ThreadSanitizer's suppressions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    at_beginning: bool,
    at_end: bool,
    /// What has to occur, in this order.
    parts: Vec<String>,
}

impl Pattern {
    /// Every text is a pattern.
    #[must_use]
    pub fn new(text: &str) -> Pattern {
        let (rest, at_beginning) = match text.strip_prefix('^') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        let (rest, at_end) = match rest.strip_suffix('$') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        Pattern {
            text: text.to_owned(),
            at_beginning,
            at_end,
            parts: rest.split('*').map(str::to_owned).collect(),
        }
    }

    /// Whether it matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some((first, rest)) = self.parts.split_first() else {
            return true;
        };
        let Some((last, middle)) = rest.split_last() else {
            return match (self.at_beginning, self.at_end) {
                (true, true) => name == first,
                (true, false) => name.starts_with(first.as_str()),
                (false, true) => name.ends_with(first.as_str()),
                (false, false) => name.contains(first.as_str()),
            };
        };
        let mut left = name;
        if self.at_beginning {
            match left.strip_prefix(first.as_str()) {
                Some(after) => left = after,
                None => return false,
            }
        } else if !skip_past(&mut left, first) {
            return false;
        }
        // The leftmost place for each leaves the most for those that follow.
        middle.iter().all(|part| skip_past(&mut left, part))
            && if self.at_end {
                left.ends_with(last.as_str())
            } else {
                left.contains(last.as_str())
            }
    }
}

fn skip_past(text: &mut &str, part: &str) -> bool {
    let found = text.find(part);
    if let Some(at) = found {
        *text = &text[at + part.len()..];
    }
    found.is_some()
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_thread_sanitizer() {
        for (pattern, yes, no) in [
            (
                "foo",
                &["foo", "a::foo::b", "xfoox"][..],
                &["fo", "f o o"][..],
            ),
            ("^foo", &["foo", "foobar"], &["a::foo", " foo"]),
            ("foo$", &["foo", "a::foo"], &["foobar"]),
            ("^foo$", &["foo"], &["foobar", "a::foo"]),
            ("a*b", &["ab", "xaxbx", "a::b"], &["ba", "a"]),
            ("^a*b$", &["ab", "a::b", "abb"], &["xab", "abx"]),
            ("^a*b*c$", &["abc", "axbxbc"], &["acb", "abcd"]),
            ("*", &["", "x"], &[]),
            ("^a*a$", &["aa", "axa"], &["a"]),
            ("", &["", "x"], &[]),
            ("ä*ß", &["äxß"], &["aß"]),
        ] {
            for name in yes {
                assert!(Pattern::new(pattern).matches(name), "{pattern} {name}");
            }
            for name in no {
                assert!(!Pattern::new(pattern).matches(name), "{pattern} {name}");
            }
        }
    }
}
