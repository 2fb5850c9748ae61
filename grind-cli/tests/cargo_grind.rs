//! `cargo grind` on crates made for the purpose, which depend on nothing, so that no registry is asked.
//!
//! Where the target of guests is not installed, the tests hold what is said then.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const TARGET: &str = "wasm32-wasip1-threads";
const MISSING: &str = "rustup target add wasm32-wasip1-threads";

/// A counter that two threads increment.
const RACY: &str = "
use std::cell::UnsafeCell;
use std::thread;
struct Counter(UnsafeCell<u32>);
unsafe impl Sync for Counter {}
static COUNTER: Counter = Counter(UnsafeCell::new(0));
pub fn race() {
    let count = || unsafe { *COUNTER.0.get() += 1 };
    let threads = [thread::spawn(count), thread::spawn(count)];
    for thread in threads {
        thread.join().unwrap();
    }
}
";
const CLEAN_MAIN: &str =
    "fn main() { println!(\"{:?}\", std::env::args().skip(1).collect::<Vec<_>>()); }";

struct Crate(TempDir);

impl Crate {
    fn new(files: &[(&str, &str)]) -> Crate {
        let directory = TempDir::new().unwrap();
        let manifest =
            "[package]\nname = \"fixture\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n";
        let fixture = Crate(directory);
        fixture.write("Cargo.toml", manifest);
        for (name, text) in files {
            fixture.write(name, text);
        }
        fixture
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path());
        // What the tests were built with is not for the guests.
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "RUSTC",
            "RUSTC_BOOTSTRAP",
            "CARGO_TARGET_DIR",
        ] {
            command.env_remove(name);
        }
        command
    }

    fn grind(&self, arguments: &[&str]) -> Said {
        let mut command = self.command(snapbox::cmd::cargo_bin!("cargo-grind"));
        // As cargo starts its subcommands.
        said(command.arg("grind").args(arguments))
    }
}

#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

fn said(command: &mut Command) -> Said {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    Said {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

fn target_is_installed() -> bool {
    let output = Command::new("rustc")
        .args(["--print", "target-libdir", "--target", TARGET])
        .output();
    let libraries = String::from_utf8(output.unwrap().stdout).unwrap();
    PathBuf::from(libraries.trim()).is_dir()
}

/// The result, if the target is installed; else holds that what is missing is said, and gives none.
fn built(said: Said) -> Option<Said> {
    if target_is_installed() {
        return Some(said);
    }
    assert_eq!(said.code, Some(125), "{said:?}");
    assert!(said.err.contains(MISSING), "{said:?}");
    None
}

#[test]
fn a_program_is_built_and_its_race_found() {
    let main = format!("{RACY}\nfn main() {{ race() }}");
    let fixture = Crate::new(&[("src/main.rs", &main)]);
    let Some(said) = built(fixture.grind(&["run", "--offline"])) else {
        return;
    };
    assert_eq!(said.code, Some(66), "{said:?}");
    assert!(
        said.err.contains("data race") && said.err.contains("src/main.rs:8"),
        "{said:?}"
    );
    // Names of variables are in full debug information only.
    assert!(said.err.contains("COUNTER"), "{said:?}");
    let reproduce = said
        .err
        .lines()
        .last()
        .unwrap()
        .strip_prefix("reproduce: ")
        .unwrap();
    assert_eq!(
        reproduce,
        format!("grind run --seed 0 target/{TARGET}/debug/fixture.wasm")
    );
    // Optimised and stripped, a report still has lines.
    fixture.write(
        "Cargo.toml",
        &format!(
            "{}[profile.release]\nstrip = true\ndebug = false\n",
            fs::read_to_string(fixture.path().join("Cargo.toml")).unwrap()
        ),
    );
    let said = fixture.grind(&[
        "run",
        "--release",
        "--seeds",
        "0..4",
        "--report",
        "json=r.json",
    ]);
    assert_eq!(said.code, Some(66), "{said:?}");
    assert!(said.err.contains("src/main.rs:8"), "{said:?}");
    assert!(fixture.path().join("r.json").is_file());
    assert_eq!(
        fixture.grind(&["run", "--fail-on", "deadlock"]).code,
        Some(0)
    );
    // The package can say so itself, and counts before the file.
    let manifest = fs::read_to_string(fixture.path().join("Cargo.toml")).unwrap();
    let settings = "[package.metadata.grind]\nsuppressions = [\"known.txt\"]\n";
    fixture.write("Cargo.toml", &format!("{manifest}{settings}"));
    fixture.write("grind.toml", "suppressions = [\"none.txt\"]\n");
    fixture.write("known.txt", "race:*\n");
    fixture.write("none.txt", "");
    assert_eq!(fixture.grind(&["run"]).code, Some(0));
    let none = ["run", "--suppressions", "none.txt"];
    assert_eq!(fixture.grind(&none).code, Some(66));
}

#[test]
fn from_nothing_to_a_report_takes_less_than_a_minute() {
    let directory = TempDir::new().unwrap();
    let start = Instant::now();
    let new = said(
        Command::new("cargo")
            .current_dir(&directory)
            .args(["new", "--quiet", "--vcs", "none", "hello"]),
    );
    assert_eq!(new.code, Some(0), "{new:?}");
    let main = "static mut HITS: u32 = 0;
fn main() {
    let hit = || unsafe { HITS += 1 };
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(hit)).collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}
";
    fs::write(directory.path().join("hello/src/main.rs"), main).unwrap();
    let mut command = Command::new(snapbox::cmd::cargo_bin!("cargo-grind"));
    command.current_dir(directory.path().join("hello"));
    // The other two commands install the target and grind.
    let Some(said) = built(said(command.args(["grind", "run"]))) else {
        return;
    };
    assert_eq!(said.code, Some(66), "{said:?}");
    assert!(
        said.err.contains("src/main.rs:3:27") && said.err.contains("HITS"),
        "{said:?}"
    );
    // 1.2 s on two cores that others use.
    assert!(
        start.elapsed() < Duration::from_secs(60),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn arguments_after_two_dashes_are_the_programs() {
    let fixture = Crate::new(&[("src/main.rs", CLEAN_MAIN)]);
    let Some(said) = built(fixture.grind(&["run", "--seed", "3", "--", "--seed", "-x"])) else {
        return;
    };
    assert_eq!(
        (said.code, said.out.as_str()),
        (Some(0), "[\"--seed\", \"-x\"]\n"),
        "{said:?}"
    );
    let said = fixture.grind(&["run", "stray"]);
    assert_eq!(said.code, Some(2), "{said:?}");
}

#[test]
fn of_several_programs_one_has_to_be_named() {
    let fixture = Crate::new(&[
        ("src/bin/one.rs", CLEAN_MAIN),
        ("src/bin/two.rs", CLEAN_MAIN),
        ("examples/three.rs", CLEAN_MAIN),
    ]);
    let said = fixture.grind(&["run"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.err.contains("--bin one") && said.err.contains("--bin two"),
        "{said:?}"
    );
    let said = fixture.grind(&["run", "--bin", "on"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.err.contains("no `on`") && said.err.contains("--bin one"),
        "{said:?}"
    );
    let said = fixture.grind(&["run", "-p", "other"]);
    assert!(
        said.code == Some(2) && said.err.contains("no package `other` here, but: fixture"),
        "{said:?}"
    );
    // So it is of the packages of a workspace.
    let workspace = Crate(TempDir::new().unwrap());
    workspace.write(
        "Cargo.toml",
        "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n",
    );
    for name in ["a", "b"] {
        let manifest = format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n");
        workspace.write(&format!("{name}/Cargo.toml"), &manifest);
        workspace.write(&format!("{name}/src/bin/{name}-one.rs"), CLEAN_MAIN);
    }
    let said = workspace.grind(&["run"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(
        said.err.contains("--bin a-one -p a") && said.err.contains("--bin b-one -p b"),
        "{said:?}"
    );
    for choice in [["--bin", "two"], ["--example", "three"]] {
        if let Some(said) = built(fixture.grind(&["run", choice[0], choice[1]])) {
            assert_eq!(
                (said.code, said.out.as_str()),
                (Some(0), "[]\n"),
                "{said:?}"
            );
        }
    }
}

#[test]
fn tests_run_and_the_race_of_one_is_found() {
    let lib = format!(
        "{RACY}\n#[test] fn racy() {{ race() }}\n#[test] fn quiet() {{}}\n#[test] fn wrong() {{ assert_eq!(1, 2) }}"
    );
    let fixture = Crate::new(&[
        ("src/lib.rs", &lib),
        ("tests/outer.rs", "#[test] fn outer() {}"),
    ]);
    let all = |options: &[&str]| {
        let rest = ["--report", "json=r.json", "--", "--skip", "wrong"];
        built(fixture.grind(&[&["test"], options, &rest].concat()))
    };
    let Some(said) = all(&["--save-schedule", "s.json"]) else {
        return;
    };
    assert_eq!(said.code, Some(66), "{said:?}");
    assert!(
        said.out.contains("test racy ... ok") && said.out.contains("test outer ... ok"),
        "{said:?}"
    );
    assert!(
        said.err.contains("1 finding") && said.err.contains("src/lib.rs:8"),
        "{said:?}"
    );
    // Each of the programs has its report.
    for (name, findings) in [("fixture", 1), ("outer", 0)] {
        let text = fs::read_to_string(fixture.path().join(format!("r.{name}.json"))).unwrap();
        let report = grind_runtime::report::json::from_str(&text).unwrap();
        assert_eq!(report.findings.len(), findings, "{name}");
    }
    // And its schedule, under which it runs again.
    let said = all(&["--schedule", "s.json"]).unwrap();
    assert_eq!(said.code, Some(66), "{said:?}");
    assert!(said.err.contains("--schedule s.fixture.json"), "{said:?}");
    // libtest's own threads race with nothing.
    let said = fixture.grind(&[
        "test",
        "--seeds",
        "0..10",
        "--",
        "--test-threads=3",
        "--skip",
        "racy",
        "--skip",
        "wrong",
    ]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = fixture.grind(&["test", "--test", "outer", "-q"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(!said.out.contains("racy"), "{said:?}");
    // A test that fails without a finding is a failure of the guest.
    let said = fixture.grind(&["test", "--lib", "--", "wrong"]);
    assert!(
        said.code.is_some_and(|code| code != 0 && code != 66),
        "{said:?}"
    );
}

#[test]
fn a_missing_target_is_said_with_the_command_that_installs_it() {
    let fixture = Crate::new(&[("src/main.rs", CLEAN_MAIN)]);
    // A compiler that knows the target and does not have it.
    let rustc = fixture.path().join("rustc.sh");
    fs::write(&rustc, "#!/bin/sh\necho /nowhere\n").unwrap();
    let mut mode = fs::metadata(&rustc).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    fs::set_permissions(&rustc, mode).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = fixture.command(snapbox::cmd::cargo_bin!("cargo-grind"));
        said(command.args(arguments).env("RUSTC", &rustc))
    };
    let missing = run(&["run"]);
    assert_eq!(missing.code, Some(125), "{missing:?}");
    assert!(missing.err.contains(MISSING), "{missing:?}");
    let stable = run(&["run", "--target", "wasm32-unknown-unknown"]);
    assert!(
        stable.code == Some(125) && stable.err.contains("cargo +nightly grind"),
        "{stable:?}"
    );
    let tests = run(&["test", "--target", "wasm32-unknown-unknown"]);
    assert_eq!(tests.code, Some(2), "{tests:?}");
}

#[test]
fn what_is_no_project_or_no_program_is_said() {
    let empty = Crate(TempDir::new().unwrap());
    for arguments in [&["run"][..], &["test"], &["init"]] {
        let said = empty.grind(arguments);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.err.contains("not a cargo project"), "{said:?}");
    }
    assert_eq!(fs::read_dir(empty.path()).unwrap().count(), 0);
    let library = Crate::new(&[("src/lib.rs", "")]);
    let said = library.grind(&["run"]);
    assert!(
        said.code == Some(2) && said.err.contains("no program"),
        "{said:?}"
    );
    let said = library.grind(&["run", "--lib"]);
    assert!(
        said.code == Some(2) && said.err.contains("cargo grind test"),
        "{said:?}"
    );
    let broken = Crate::new(&[("src/main.rs", "fn main() { nothing }")]);
    if let Some(said) = built(broken.grind(&["run"])) {
        assert_eq!(said.code, Some(101), "{said:?}");
        assert!(said.err.contains("cannot find value `nothing`"), "{said:?}");
    }
}

#[test]
fn init_writes_what_is_not_there() {
    let fixture = Crate::new(&[("src/main.rs", CLEAN_MAIN), ("grind.toml", "# mine\n")]);
    let said = fixture.grind(&["init"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(
        said.out.contains("grind.toml: exists") && said.out.contains("grind.yml: written"),
        "{said:?}"
    );
    let config = fixture.path().join("grind.toml");
    assert_eq!(fs::read_to_string(&config).unwrap(), "# mine\n");
    let workflow = fs::read_to_string(fixture.path().join(".github/workflows/grind.yml")).unwrap();
    assert!(workflow.lines().count() < 15, "{workflow}");
    fs::remove_file(&config).unwrap();
    assert_eq!(fixture.grind(&["init"]).code, Some(0));
    // Its example is one.
    let text = fs::read_to_string(&config).unwrap();
    let example = text.split("\n#\n").last().unwrap().replace("# ", "");
    fs::write(&config, example).unwrap();
    if let Some(said) = built(fixture.grind(&["run"])) {
        assert_eq!(said.code, Some(0), "{said:?}");
    }
}

/// A crate whose `racy` test races, with `runner = "grind run --"` in the configuration of cargo.
fn with_runner() -> Crate {
    let lib = format!("{RACY}\n#[test] fn racy() {{ race() }}\n#[test] fn quiet() {{}}");
    let fixture = Crate::new(&[("src/lib.rs", &lib)]);
    let grind = snapbox::cmd::cargo_bin!("grind");
    let runner = format!(
        "[build]\ntarget = \"{TARGET}\"\n[target.{TARGET}]\nrunner = \"{} run --\"\n",
        grind.display()
    );
    fixture.write(".cargo/config.toml", &runner);
    fixture
}

/// Whether cargo cannot build for the target here, and says so before grind is asked. What grind itself would say is held above.
fn cargo_says_what_is_missing(fixture: &Crate, arguments: &[&str]) -> bool {
    if target_is_installed() {
        return false;
    }
    let missing = said(fixture.command("cargo").args(arguments));
    assert_ne!(missing.code, Some(0), "{missing:?}");
    assert!(missing.err.contains(TARGET), "{missing:?}");
    true
}

#[test]
fn plain_cargo_test_runs_under_grind_by_a_runner() {
    let fixture = with_runner();
    if cargo_says_what_is_missing(&fixture, &["test", "--offline"]) {
        return;
    }
    let racy = said(fixture.command("cargo").args(["test", "--offline"]));
    assert!(
        racy.code != Some(0) && racy.err.contains("data race"),
        "{racy:?}"
    );
    let quiet = said(
        fixture
            .command("cargo")
            .args(["test", "--offline", "quiet"]),
    );
    assert_eq!(quiet.code, Some(0), "{quiet:?}");
    assert!(quiet.out.contains("test quiet ... ok"), "{quiet:?}");
}

#[test]
fn nextest_runs_each_test_under_grind_by_a_runner() {
    let fixture = with_runner();
    let version = said(fixture.command("cargo").args(["nextest", "--version"]));
    if version.code != Some(0) {
        // Cargo says that it has no such command. The protocol that nextest speaks is libtest's, and is held without it.
        assert!(version.err.contains("nextest"), "{version:?}");
        eprintln!("cargo-nextest is not installed: its protocol alone is tested");
    } else if !cargo_says_what_is_missing(&fixture, &["nextest", "run", "--offline"]) {
        let nextest = |more: &[&str]| {
            let run = ["nextest", "run", "--offline", "--color=never"];
            said(fixture.command("cargo").args(run).args(more))
        };
        // Each test is a process of its own: one fails, the other does not.
        let both = nextest(&["--no-fail-fast"]);
        assert_eq!(both.code, Some(100), "{both:?}");
        assert!(
            both.err.contains("data race") && both.err.contains("src/lib.rs:8"),
            "{both:?}"
        );
        assert!(both.err.contains("1 passed, 1 failed"), "{both:?}");
        let quiet = nextest(&["quiet"]);
        assert_eq!(quiet.code, Some(0), "{quiet:?}");
        assert!(quiet.err.contains("1 passed"), "{quiet:?}");
        // A setting of the package reaches runs that nobody gives options.
        let manifest = fs::read_to_string(fixture.path().join("Cargo.toml")).unwrap();
        let settings = "[package.metadata.grind]\nsuppressions = [\"known.txt\"]\n";
        fixture.write("Cargo.toml", &format!("{manifest}{settings}"));
        fixture.write("known.txt", "race:*\n");
        assert_eq!(nextest(&[]).code, Some(0));
    }
    if cargo_says_what_is_missing(&fixture, &["test", "--offline"]) {
        return;
    }
    // What nextest asks: the names on standard output and nothing else, then each by its name.
    let built = said(
        fixture
            .command("cargo")
            .args(["test", "--no-run", "--offline"]),
    );
    let module = built
        .err
        .rsplit('(')
        .next()
        .unwrap()
        .split(')')
        .next()
        .unwrap();
    let ask = |arguments: &[&str]| {
        let mut command = fixture.command(snapbox::cmd::cargo_bin!("grind"));
        said(command.args(["run", "--", module]).args(arguments))
    };
    let list = ask(&["--list", "--format", "terse"]);
    assert_eq!(
        (list.code, list.out.as_str()),
        (Some(0), "quiet: test\nracy: test\n"),
        "{list:?}"
    );
    assert_eq!(ask(&["quiet", "--nocapture", "--exact"]).code, Some(0));
    assert_eq!(ask(&["--list", "--format", "terse", "--ignored"]).out, "");
}
