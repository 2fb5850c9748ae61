//! The commands of a document, and a directory in which they can be run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// What crates are built for.
pub(crate) const TARGET: &str = "wasm32-wasip1-threads";

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Documents and files for CI with commands in them, from the top of the repository.
pub(crate) fn documents() -> Vec<String> {
    let mut found = vec![
        "README.md".to_owned(),
        "grind-cli/src/cargo/init/grind.yml".to_owned(),
    ];
    let mut waiting = vec![PathBuf::from("docs")];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(repository().join(&directory)).unwrap() {
            let path = directory.join(entry.unwrap().file_name());
            let extension = path.extension().and_then(|extension| extension.to_str());
            if repository().join(&path).is_dir() {
                waiting.push(path);
            } else if matches!(extension, Some("md" | "yml")) {
                found.push(path.display().to_string());
            }
        }
    }
    found.sort();
    found.retain(|path| !commands(path).is_empty());
    found
}

/// The code blocks of a document in that language, in order.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = read(page);
    let fence = format!("```{language}\n");
    (text.split(&fence).skip(1))
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// A command, and the lines that are shown below it.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) command: String,
    pub(crate) output: String,
}

/// The commands of a document, in order.
pub(crate) fn commands(page: &str) -> Vec<Shown> {
    let text = read(page).replace("\\\n", "");
    let mut language = page.ends_with(".yml").then_some("yaml");
    let mut in_script = false;
    let mut found: Vec<Shown> = Vec::new();
    // Whether the last command may have output.
    let mut prompted = false;
    for line in text.lines() {
        if let Some(fence) = line.strip_prefix("```") {
            language = (language.is_none()).then_some(fence);
            (in_script, prompted) = (false, false);
            continue;
        }
        let command = match language {
            Some("console") => line.strip_prefix("$ "),
            Some("sh") => Some(line).filter(|line| !line.is_empty() && !line.starts_with('#')),
            Some("yaml") => {
                let item = line.trim_start().strip_prefix("- ");
                in_script = (in_script && item.is_some()) || line.trim() == "script:";
                item.and_then(|item| item.strip_prefix("run: ").or(in_script.then_some(item)))
            }
            _ => continue,
        };
        match (command, found.last_mut()) {
            (Some(command), _) => {
                prompted = language == Some("console");
                found.push(Shown {
                    command: command.to_owned(),
                    output: String::new(),
                });
            }
            (None, Some(last)) if prompted => last.output.push_str(&format!("{line}\n")),
            (None, _) => assert_ne!(
                language,
                Some("console"),
                "{page}: output of no command: {line}"
            ),
        }
    }
    found
}

/// What a file of a page's directory is.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// A file or directory of the repository.
    Copy(&'static str),
    /// A directory of the repository, as it is there.
    Link(&'static str),
    Text(&'static str),
    Directory,
}

/// A directory with files, in which commands are run.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new(files: &[(&str, Source)]) -> Place {
        let place = Place(TempDir::new().unwrap());
        for (name, source) in files {
            let path = place.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            match source {
                Source::Copy(from) => copy(&repository().join(from), &path),
                Source::Link(to) => {
                    std::os::unix::fs::symlink(repository().join(to), path).unwrap();
                }
                Source::Text(text) => fs::write(path, text).unwrap(),
                Source::Directory => fs::create_dir_all(path).unwrap(),
            }
        }
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// What a command of a shell does here, where grind is the one that was built.
    pub(crate) fn shell(&self, command: &str) -> Output {
        let mut shell = Command::new("bash");
        shell.args(["-c", command]).current_dir(self.path());
        as_a_user(&mut shell).output().unwrap()
    }
}

/// The command with the built grind where the shell looks, and without what the tests' own build is told.
pub(crate) fn as_a_user(command: &mut Command) -> &mut Command {
    let grind = snapbox::cmd::cargo_bin!("grind");
    let mut path = vec![grind.parent().unwrap().to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    command.env("PATH", std::env::join_paths(path).unwrap());
    for name in [
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "RUSTC",
        "RUSTC_BOOTSTRAP",
        "NO_COLOR",
        "GITHUB_STEP_SUMMARY",
    ] {
        command.env_remove(name);
    }
    command.env("CARGO_NET_OFFLINE", "true")
}

fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // What a build left there is not the repository's.
        if entry.file_name() != "target" {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    }
}

pub(crate) fn target_is_installed() -> bool {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let libraries = text(&output.unwrap().stdout);
    Path::new(libraries.trim()).is_dir()
}

/// Holds that a command which could not build said so, and how to mend it.
pub(crate) fn holds_what_is_missing(output: &Output) {
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(
        said.contains("rustup target add wasm32-wasip1-threads"),
        "{said}"
    );
}

/// An output without what depends on the machine, its compiler and std: times, addresses, fingerprints, lines and numbers of frames of
/// std.
pub(crate) fn normal(report: &str) -> String {
    let mut lines = String::new();
    for line in report.lines() {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for at in 0..words.len() {
            let after = at.checked_sub(1).map(|before| words[before].clone());
            let word = &mut words[at];
            let is_number = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
            let varies = line.contains("; finished in ") && after.as_deref() == Some("in");
            if varies || word.starts_with("0x") || after.as_deref() == Some("fingerprint") {
                "…".clone_into(word);
            } else if word.starts_with("library/") {
                "library/…".clone_into(word);
            } else if is_number && line.ends_with("library frames") {
                "some".clone_into(word);
            } else if word
                .strip_prefix('#')
                .is_some_and(|rest| rest.parse::<u32>().is_ok())
            {
                "#n".clone_into(word);
            }
        }
        lines.push_str(&words.join(" "));
        lines.push('\n');
    }
    lines
}
