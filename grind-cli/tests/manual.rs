//! Completions, manual pages, and that help is there at once.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;

fn grind(arguments: &[&str]) -> Output {
    let mut command = Command::new(snapbox::cmd::cargo_bin!("grind"));
    command.args(arguments).output().unwrap()
}

#[test]
fn every_shell_completes_options_and_subcommands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = grind(&["completions", shell]);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{shell}"
        );
        let script = String::from_utf8(output.stdout).unwrap();
        for word in ["seeds", "fail-on", "doctor", "trace-file"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    let output = grind(&["completions", "cmd"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("possible values: bash")
    );
}

#[test]
fn a_shell_reads_its_completions() {
    let script = grind(&["completions", "bash"]).stdout;
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("grind.bash");
    fs::write(&path, script).unwrap();
    let ask = "source \"$1\"; COMP_WORDS=(grind run --fail-f); COMP_CWORD=2; _grind grind --fail-f run; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["-c", ask, "bash"])
        .arg(&path)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        said.trim(),
        "--fail-fast",
        "{:?}",
        String::from_utf8(output.stderr)
    );
}

#[test]
fn each_subcommand_has_a_manual_page() {
    let directory = TempDir::new().unwrap();
    let pages = directory.path().join("new/man1");
    assert!(grind(&["man", pages.to_str().unwrap()]).status.success());
    for (page, word) in [
        ("grind.1", "Exit codes"),
        ("grind-run.1", "seeds"),
        ("grind-trace-diff.1", "difference of two traces"),
        ("cargo-grind.1", "init"),
        ("cargo-grind-test.1", "Examples"),
    ] {
        let text = fs::read_to_string(pages.join(page)).unwrap();
        assert!(
            text.starts_with(".ie") && text.contains(word),
            "{page}: {text}"
        );
    }
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let output = grind(&["man", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .contains("manual pages")
    );
}

#[test]
fn help_is_there_at_once() {
    let time = || {
        let start = Instant::now();
        assert!(grind(&["--help"]).status.success());
        start.elapsed()
    };
    // The best of some, as others use the machine too; it was 2.4 ms.
    let best = (0..20).map(|_| time()).min().unwrap();
    assert!(best < Duration::from_millis(20), "{best:?}");
}
