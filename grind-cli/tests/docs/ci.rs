//! The files for CI: the script that the action runs, and that the examples are short and name what there is.

use crate::pages::{as_a_user, read, repository, text};
use std::process::{Command, Output};
use tempfile::TempDir;

/// The script, on a module of the test programs.
fn script(module: &str, variables: &[(&str, &str)]) -> (Output, TempDir) {
    let out = TempDir::new().unwrap();
    let mut command = Command::new(repository().join("docs/ci/run.sh"));
    command
        .current_dir(repository().join("test-programs"))
        .env("OUT", out.path())
        .env("MODULE", module)
        .envs(variables.iter().copied());
    (as_a_user(&mut command).output().unwrap(), out)
}

#[test]
fn a_failure_leaves_reports_and_a_trace_that_replays() {
    let variables = [
        ("SEEDS", "3..6"),
        ("ARGS", "--fail-on race --max-steps 1000000000"),
    ];
    let (output, out) = script("wasm/race_counter.wasm", &variables);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(66), "{said}");
    assert!(
        said.contains("error: data race") && said.contains("::error"),
        "{said}"
    );
    assert!(out.path().join("grind.sarif").is_file());
    // On a machine that does not have the module.
    let replay = Command::new(snapbox::cmd::cargo_bin!("grind"))
        .current_dir(out.path())
        .args(["replay", "grind.grind"])
        .output()
        .unwrap();
    let replayed = text(&replay.stderr);
    assert_eq!(replay.status.code(), Some(66), "{replayed}");
    assert!(replayed.contains("data race"), "{replayed}");
}

#[test]
fn a_clean_module_leaves_no_trace() {
    let (output, out) = script("wasm/clean_counter_mutex.wasm", &[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(out.path().join("grind.json").is_file() && !out.path().join("grind.grind").exists());
    let (output, out) = script("gone.wasm", &[]);
    assert_eq!(output.status.code(), Some(127));
    assert!(!out.path().join("grind.grind").exists());
}

#[test]
fn examples_are_short() {
    for path in [
        "docs/ci/github.yml",
        "docs/ci/gitlab.yml",
        "docs/example/.github/workflows/grind.yml",
        "grind-cli/src/cargo/init/grind.yml",
    ] {
        let text = read(path);
        assert!(text.lines().count() < 15, "{path}");
        assert!(!text.contains('\t'), "{path}");
    }
}

#[test]
fn inputs_of_the_action_are_documented_and_reach_the_script() {
    let action = read("action.yml");
    let inputs = action
        .split("inputs:\n")
        .nth(1)
        .unwrap()
        .split("runs:\n")
        .next()
        .unwrap();
    let names = inputs
        .lines()
        .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'));
    let names: Vec<&str> = names.filter(|name| !name.starts_with(' ')).collect();
    assert_eq!(
        names,
        ["module", "package", "seeds", "args", "upload-sarif"]
    );
    let (page, script) = (read("docs/ci.md"), read("docs/ci/run.sh"));
    for name in names {
        assert!(page.contains(&format!("| `{name}` |")), "{name}");
        assert!(action.contains(&format!("inputs.{name}")), "{name}");
    }
    for variable in ["MODULE", "PACKAGE", "SEEDS", "ARGS", "OUT"] {
        assert!(
            action.contains(&format!("        {variable}: ")),
            "{variable}"
        );
        assert!(script.contains(variable), "{variable}");
    }
    assert!(action.contains("docs/ci/run.sh"));
}
