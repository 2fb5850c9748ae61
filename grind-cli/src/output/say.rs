//! What grind says besides reports: without anything that a terminal or a CI server obeys, whoever named the files and functions in it.

use anyhow::Result;
use grind_runtime::report::log;
use std::io::{self, Write};
use std::path::Path;

/// Says something on standard error.
pub(crate) fn err(text: &str) -> Result<()> {
    write!(anstream::stderr(), "{}", log::plain(text))?;
    Ok(())
}

/// Says something on standard output.
pub(crate) fn out(text: &str) -> Result<()> {
    write!(anstream::stdout(), "{}", log::plain(text))?;
    Ok(())
}

/// Paths in messages.
pub(crate) trait Shown {
    /// The path on one line, without control characters.
    fn shown(&self) -> String;
}

impl Shown for Path {
    fn shown(&self) -> String {
        log::one_line(&self.display().to_string())
    }
}

/// What a `Lines` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Text,
    /// JSON, a value on a line.
    Json,
}

/// A stream to which lines are written as `out` does.
pub(crate) struct Lines<W: Write> {
    out: W,
    form: Form,
    /// The line that has no end yet.
    line: Vec<u8>,
}

/// Bytes of a line that are kept; a longer one is taken for several.
const LONGEST: usize = 1 << 20;

impl<W: Write> Lines<W> {
    pub(crate) fn new(out: W, form: Form) -> Lines<W> {
        Lines {
            out,
            form,
            line: Vec::new(),
        }
    }

    fn put(&mut self) -> io::Result<()> {
        let line = String::from_utf8_lossy(&self.line);
        let text = match self.form {
            Form::Text => log::plain(&line),
            Form::Json => log::shield_json(&line),
        };
        self.out.write_all(text.as_bytes())?;
        self.line.clear();
        Ok(())
    }
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend(piece);
            if piece.ends_with(b"\n") || self.line.len() > LONGEST {
                self.put()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.put()?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shielded_however_they_are_written() {
        for (form, shown) in [
            (Form::Text, "a\\u{1b}\n \\u{3a}:error::\n#\\u{23}[x"),
            (Form::Json, "a\u{1b}\n ::error::\n#\\u0023[x"),
        ] {
            let mut lines = Lines::new(Vec::new(), form);
            for byte in b"a\x1b\n ::error::\n##[x" {
                lines.write_all(&[*byte]).expect("memory takes it");
            }
            lines.flush().expect("memory takes it");
            assert_eq!(String::from_utf8_lossy(&lines.out), shown);
        }
        assert_eq!(Path::new("a\n\x1b.wasm").shown(), "a\\n\\u{1b}.wasm");
    }
}
