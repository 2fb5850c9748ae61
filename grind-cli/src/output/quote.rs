//! Commands as they are typed into a shell.

use grind_runtime::report::log;
use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::path::Path;

/// Words, those in quotes that need it.
pub(crate) fn joined<'w>(words: impl IntoIterator<Item = &'w OsStr>) -> String {
    let words: Vec<String> = words.into_iter().map(word).collect();
    words.join(" ")
}

/// A word. What is no text, or would not be shown as it is, is in the quotes of bash and zsh that have escapes.
fn word(word: &OsStr) -> String {
    let quoted = word.to_str().and_then(|text| shlex::try_quote(text).ok());
    if let Some(quoted) = quoted.filter(|quoted| log::one_line(quoted) == **quoted) {
        return quoted.into_owned();
    }
    let mut quoted = String::from("$'");
    for chunk in word.as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\'' | '\\' => quoted.extend(['\\', c]),
                // Not as part of a mark that a CI server obeys.
                '#' => escaped(&mut quoted, b"#"),
                c => {
                    let mut bytes = [0; 4];
                    let text = &*c.encode_utf8(&mut bytes);
                    match log::one_line(text) == text {
                        true => quoted.push(c),
                        false => escaped(&mut quoted, text.as_bytes()),
                    }
                }
            }
        }
        escaped(&mut quoted, chunk.invalid());
    }
    quoted.push('\'');
    quoted
}

fn escaped(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Octal ends after three digits, whatever follows. Writing to a string cannot fail.
        let _ = write!(out, "\\{byte:03o}");
    }
}

/// A path that is not taken for an option.
pub(crate) fn path(path: &Path) -> OsString {
    let mut word = OsString::new();
    if path.as_os_str().as_encoded_bytes().starts_with(b"-") {
        word.push("./");
    }
    word.push(path);
    word
}

/// A command on a file.
pub(crate) fn quoted(command: &[&str], file: &Path) -> String {
    let file = path(file);
    let command = command.iter().map(OsStr::new);
    joined(command.chain([file.as_os_str()]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        for (file, wanted) in [
            ("app.grind", "grind replay app.grind"),
            ("my app.grind", "grind replay 'my app.grind'"),
            ("-x.grind", "grind replay ./-x.grind"),
            ("it's\n::x", "grind replay $'it\\'s\\012::x'"),
            ("a ##[error]b", "grind replay $'a \\043\\043[error]b'"),
            ("ä", "grind replay 'ä'"),
        ] {
            assert_eq!(quoted(&["grind", "replay"], Path::new(file)), wanted);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_text_can_be_typed() {
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(OsStr::from_bytes(b"b\xffd 1.grind"));
        let typed = quoted(&["grind", "replay"], path);
        assert_eq!(typed, "grind replay $'b\\377d 1.grind'");
    }
}
