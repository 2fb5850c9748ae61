//! Commands as they are typed into a shell.

use std::path::Path;

/// Words, those in quotes that need it.
pub(crate) fn joined<'w>(words: impl Iterator<Item = &'w str> + Clone) -> String {
    // It fails for a NUL byte, which no argument has.
    shlex::try_join(words.clone()).unwrap_or_else(|_| words.collect::<Vec<_>>().join(" "))
}

/// A path that is not taken for an option.
pub(crate) fn path(path: &Path) -> String {
    let shown = path.display().to_string();
    if shown.starts_with('-') {
        format!("./{shown}")
    } else {
        shown
    }
}

/// A command on a file.
pub(crate) fn quoted(command: &[&str], file: &Path) -> String {
    let file = path(file);
    joined(command.iter().copied().chain([file.as_str()]))
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
        ] {
            assert_eq!(quoted(&["grind", "replay"], Path::new(file)), wanted);
        }
    }
}
