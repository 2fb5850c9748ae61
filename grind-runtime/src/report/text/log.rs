//! Text for logs that a CI server reads: nothing that a guest or a file names becomes a command.
//!
//! GitHub Actions obeys a line that begins with `::`, blanks before it or not, and one that has `##[` anywhere; Azure Pipelines `##vso[`,
//! TeamCity `##teamcity[`. In text, the character that makes it one is written out, as control characters are; in JSON it is escaped, so
//! that a parser reads what was there.

use crate::report::text::clean;

/// Whether `##` before `rest` would be the beginning of a command: `##[`, `##vso[`.
pub(in crate::report) fn completes_mark(rest: &str) -> bool {
    let after = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
    after.starts_with('[')
}

/// Text with line ends and escape sequences of grind's own, without commands.
#[must_use]
pub fn shield(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let rest = skip_blanks(line);
        let blanks = &line[..line.len() - rest.len()];
        out.push_str(blanks);
        // `:::` is what excerpts begin another file with, and no command has a name that begins with a colon.
        if rest.starts_with("::") && !rest.starts_with(":::") {
            out.push_str("\\u{3a}");
            without_marks(&rest[1..], "\\u{23}", &mut out);
        } else {
            without_marks(rest, "\\u{23}", &mut out);
        }
    }
    out
}

/// Text with line ends of grind's own, and nothing else that a terminal or a CI server obeys.
#[must_use]
pub fn plain(text: &str) -> String {
    let lines: Vec<String> = text
        .split('\n')
        .map(|line| line.split('\t').map(clean).collect::<Vec<_>>().join("\t"))
        .collect();
    shield(&lines.join("\n"))
}

/// One line of it: line ends are written out, too.
#[must_use]
pub fn one_line(text: &str) -> String {
    clean(text)
}

/// JSON without commands. It means the same.
#[must_use]
pub fn shield_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    // Only a string of JSON can have a `#`, and no escape sequence ends with one.
    without_marks(text, "\\u0023", &mut out);
    out
}

/// Appends the text with `hash` in place of the second `#` of each mark.
fn without_marks(text: &str, hash: &str, out: &mut String) {
    let mut copied = 0;
    for (at, _) in text.match_indices('#') {
        if text[..at].ends_with('#') && completes_mark(&text[at + 1..]) {
            out.push_str(&text[copied..at]);
            out.push_str(hash);
            copied = at + 1;
        }
    }
    out.push_str(&text[copied..]);
}

/// What is left of a line after blanks and escape sequences of colours.
fn skip_blanks(line: &str) -> &str {
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start();
        let coloured = trimmed.strip_prefix("\x1b[");
        let end = coloured.and_then(|codes| codes.find('m'));
        match (coloured, end) {
            (Some(codes), Some(end)) => rest = &codes[end + 1..],
            _ => return trimmed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_becomes_a_command() {
        for (text, shielded) in [
            ("::error::x", "\\u{3a}:error::x"),
            ("a\n \u{a0}\t::error::x\n", "a\n \u{a0}\t\\u{3a}:error::x\n"),
            ("\x1b[1m ::add-mask::x", "\x1b[1m \\u{3a}:add-mask::x"),
            ("a ##[error]x", "a #\\u{23}[error]x"),
            ("###[error]", "##\\u{23}[error]"),
            (
                "##vso[task.x]##teamcity[y",
                "#\\u{23}vso[task.x]#\\u{23}teamcity[y",
            ),
            (
                "a::b ##, ## [a](b), #[test] a[0]",
                "a::b ##, ## [a](b), #[test] a[0]",
            ),
        ] {
            assert_eq!(shield(text), shielded);
            // What is shielded stays as it is.
            assert_eq!(shield(shielded), shielded);
        }
        assert_eq!(plain("a\x1b[1m\r\n\t::b"), "a\\u{1b}[1m\\r\n\t\\u{3a}:b");
        assert_eq!(one_line("a\n::b ##[c"), "a\\n::b #\\u{23}[c");
        let json = r###"{"##[a": "##vso[b #[c"}"###;
        let escaped = shield_json(json);
        assert!(!escaped.contains("##"), "{escaped}");
        let value = |text| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
        assert_eq!(value(&escaped), value(json));
    }
}
