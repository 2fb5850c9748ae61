//! Options from the environment and from files: which counts, what is said of wrong ones, and how they are shown.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

const GUEST: &str = "(module (func (export \"_start\")))";

/// A directory with a module, and this `grind.toml`.
struct Project(TempDir);

impl Project {
    fn new(config: &str) -> Project {
        let directory = TempDir::new().unwrap();
        fs::write(directory.path().join("guest.wat"), GUEST).unwrap();
        fs::write(directory.path().join("grind.toml"), config).unwrap();
        Project(directory)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn grind(&self, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String) {
        let mut command = Command::new(snapbox::cmd::cargo_bin!("grind"));
        command.current_dir(self.path()).args(arguments);
        command.envs(variables.iter().copied());
        let Output {
            status,
            stdout,
            stderr,
        } = command.output().unwrap();
        let text = [stdout, stderr].concat();
        (status.code(), String::from_utf8(text).unwrap())
    }

    /// What a verbose run of the module says.
    fn run(&self, variables: &[(&str, &str)], arguments: &[&str]) -> String {
        let arguments = [&["run", "-v"][..], arguments, &["guest.wat"]].concat();
        let (code, text) = self.grind(variables, &arguments);
        assert_eq!(code, Some(0), "{text}");
        text
    }

    /// The line of that key, and its words.
    fn shown(&self, variables: &[(&str, &str)], key: &str) -> Vec<String> {
        let (code, text) = self.grind(variables, &["config", "show"]);
        assert_eq!(code, Some(0), "{text}");
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        let mut lines = text.lines().map(words);
        lines.find(|words| words[0] == key).unwrap()
    }
}

#[test]
fn the_command_line_counts_before_the_environment_before_the_file() {
    let project = Project::new("seed = 7\n");
    assert!(project.run(&[], &[]).contains("seed 7"));
    let environment = [("GRIND_SEED", "8")];
    assert!(project.run(&environment, &[]).contains("seed 8"));
    assert!(
        project
            .run(&environment, &["--seed", "9"])
            .contains("seed 9")
    );
    // Set to nothing is not set.
    assert!(project.run(&[("GRIND_SEED", "")], &[]).contains("seed 7"));
    assert_eq!(project.shown(&[], "seed")[1], "7");
    assert!(project.shown(&[], "seed")[2].ends_with("grind.toml"));
    assert_eq!(
        project.shown(&environment, "seed"),
        ["seed", "8", "GRIND_SEED"]
    );
    assert_eq!(
        project.shown(&[], "scheduler"),
        ["scheduler", "random", "default"]
    );
    assert_eq!(project.shown(&[], "timeout"), ["timeout", "-", "default"]);
}

#[test]
fn of_options_that_exclude_each_other_the_closer_one_counts() {
    let project = Project::new("seeds = \"0..3\"\nfail-fast = true\njobs = 1\n");
    assert!(project.run(&[], &[]).contains("seed 0 to seed 2"));
    assert!(project.run(&[], &["--seed", "5"]).contains("seed 5"));
    assert!(project.run(&[("GRIND_SEED", "6")], &[]).contains("seed 6"));
    assert!(
        project
            .run(&[("GRIND_SEED", "6")], &["--seeds", "0..2"])
            .contains("seed 0 to seed 1")
    );
    let both = Project::new("seeds = \"0..3\"\nseed = 1\n");
    assert_eq!(both.grind(&[], &["run", "guest.wat"]).0, Some(2));
    // Arguments of the guest are not options, and those of others are left alone.
    assert!(
        project
            .run(&[], &["guest.wat", "--seed"])
            .contains("seed 0 to seed 2")
    );
    let (code, _) = project.grind(&[], &["doctor", "guest.wat"]);
    assert_eq!(code, Some(0));
}

#[test]
fn lists_come_whole_from_one_place() {
    let project = Project::new("report = [\"json=a.json\", \"sarif=a.sarif\"]\n");
    project.run(&[], &[]);
    assert!(project.path().join("a.json").exists() && project.path().join("a.sarif").exists());
    project.run(&[("GRIND_REPORT", "json='b c.json' junit=b.xml")], &[]);
    assert!(project.path().join("b c.json").exists() && project.path().join("b.xml").exists());
    fs::remove_file(project.path().join("a.json")).unwrap();
    project.run(&[], &["--report", "json=d.json"]);
    assert!(project.path().join("d.json").exists() && !project.path().join("a.json").exists());
    let (code, text) = project.grind(&[("GRIND_REPORT", "json='b")], &["run", "guest.wat"]);
    assert!(code == Some(2) && text.contains("GRIND_REPORT"), "{text}");
}

#[test]
fn an_unknown_key_is_a_warning_with_the_nearest_known_one() {
    for (key, nearest) in [
        ("sede", Some("seed")),
        ("fail_on", Some("fail-on")),
        ("max-thread", Some("max-threads")),
        ("supression", Some("suppression")),
        ("colour-of-the-sky", None),
    ] {
        let project = Project::new(&format!("{key} = 1\n"));
        let text = project.run(&[], &[]);
        let warning = text
            .lines()
            .find(|line| line.contains("unknown key"))
            .unwrap();
        assert!(warning.contains(&format!("`{key}`")), "{warning}");
        match nearest {
            Some(known) => assert!(
                warning.ends_with(&format!("did you mean `{known}`?")),
                "{warning}"
            ),
            None => assert!(!warning.contains("did you mean"), "{warning}"),
        }
    }
}

#[test]
fn a_wrong_value_says_where_it_is() {
    for (line, word) in [
        ("seed = \"seven\"", "--seed"),
        ("seeds = \"5..5\"", "no seed"),
        ("scheduler = \"fast\"", "--scheduler"),
        ("timeout = 0", "some time"),
        ("max-threads = 0", "--max-threads"),
        ("report = \"xml=a\"", "unknown kind `xml`"),
        ("fail-fast = \"maybe\"", "true or false"),
        ("seed = [1, 2]", "one value"),
        ("seed = 1.5", "expected text"),
        ("report = [[1]]", "expected text"),
        ("seed = ", "TOML"),
    ] {
        for command in [&["run", "guest.wat"][..], &["config", "show"]] {
            let (code, text) = Project::new(line).grind(&[], command);
            assert_eq!(code, Some(2), "{line}: {text}");
            assert!(
                text.contains("grind.toml") && text.contains(word),
                "{line}: {text}"
            );
        }
    }
    let project = Project::new("");
    let (code, text) = project.grind(&[("GRIND_MAX_MEMORY", "much")], &["run", "guest.wat"]);
    assert!(
        code == Some(2) && text.contains("environment") && text.contains("--max-memory"),
        "{text}"
    );
    let (code, text) = project.grind(&[], &["config", "show", "--config", "gone.toml"]);
    assert!(code == Some(127) && text.contains("gone.toml"), "{text}");
}

#[test]
fn flags_are_true_or_false() {
    let project = Project::new("halt-on-error = true\nverbose = true\n");
    assert_eq!(project.shown(&[], "halt-on-error")[1], "true");
    let off = [("GRIND_HALT_ON_ERROR", "false")];
    assert_eq!(
        project.shown(&off, "halt-on-error"),
        ["halt-on-error", "false", "GRIND_HALT_ON_ERROR"]
    );
    project.run(&off, &[]);
    // The command line may say the opposite of what a file does.
    let (code, text) = project.grind(&[], &["run", "-q", "guest.wat"]);
    assert_eq!((code, text.as_str()), (Some(0), ""));
}

#[test]
fn a_manifest_counts_before_grind_toml() {
    let project = Project::new("seeds = \"0..2\"\n");
    let manifest = "[package]\nname = \"fixture\"\nversion = \"0.1.0\"\n[workspace]\n";
    let settings = "[package.metadata.grind]\nseed = \"none\"\nsede = 1\n";
    fs::write(
        project.path().join("Cargo.toml"),
        format!("{manifest}{settings}"),
    )
    .unwrap();
    fs::create_dir(project.path().join("src")).unwrap();
    fs::write(project.path().join("src/main.rs"), "fn main() {}").unwrap();
    let mut command = Command::new(snapbox::cmd::cargo_bin!("cargo-grind"));
    let output = command
        .current_dir(project.path())
        .args(["grind", "run"])
        .output()
        .unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("[package.metadata.grind]: invalid value 'none'"),
        "{text}"
    );
    assert!(
        text.contains("unknown key `sede`; did you mean `seed`?"),
        "{text}"
    );
}

impl Project {
    /// With a trace of the module, `t.grind`, in full.
    fn traced(config: &str) -> Project {
        let project = Project::new("");
        project.run(&[], &["--trace=full", "--trace-file", "t.grind"]);
        fs::write(project.path().join("grind.toml"), config).unwrap();
        project
    }

    fn exists(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }
}

#[test]
fn replay_analyze_and_report_have_settings_too() {
    let config = "quiet = true
report = [\"json=run.json\"]
trace-file = \"run.grind\"
[replay]
verbose = true
report = \"junit=replay.xml\"
[analyze]
time = \"1m\"
report = \"markdown=analyze.md\"
analysis = [\"hb\", \"shb\"]
";
    let project = Project::traced(config);
    let said = |variables: &[(&str, &str)], arguments: &[&str]| {
        let (code, text) = project.grind(variables, arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {text}");
        text
    };
    // The table counts before the top, and what is a run's is left to runs.
    let text = said(&[], &["replay", "t.grind"]);
    assert!(text.contains("grind: no findings"), "{text}");
    assert!(project.exists("replay.xml") && !project.exists("run.json"));
    assert!(!project.exists("run.grind"));
    let text = said(&[], &["analyze", "t.grind"]);
    assert!(project.exists("analyze.md") && !project.exists("run.json"));
    let analyses: Vec<&str> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(analyses, ["hb", "shb", "run"], "{text}");
    // Then the environment, then the command line.
    let osr = [("GRIND_ANALYZE_ANALYSIS", "osr")];
    assert!(said(&osr, &["analyze", "t.grind"]).starts_with("osr"));
    assert!(said(&osr, &["analyze", "--analysis", "wcp", "t.grind"]).starts_with("wcp"));
    let text = said(&[("GRIND_REPLAY_QUIET", "true")], &["replay", "t.grind"]);
    assert_eq!(text, "");
    // What means the same to all is set once.
    let shared = [("GRIND_FORMAT", "tsan"), ("GRIND_REPLAY_FORMAT", "json")];
    // `verbose` says first what the file set.
    let text = said(&shared, &["replay", "t.grind"]);
    assert!(text.lines().any(|line| line == "{"), "{text}");
    said(&[], &["run", "guest.wat"]);
    assert!(project.exists("run.json") && project.exists("run.grind"));
    fs::remove_file(project.path().join("run.json")).unwrap();
    let stored = said(&[("GRIND_REPORT", "json=r.json")], &["run", "guest.wat"]);
    assert_eq!(stored, "");
    assert!(said(&[("GRIND_FORMAT", "junit")], &["report", "r.json"]).starts_with("<?xml"));
    assert!(said(&[], &["report", "--format", "human", "r.json"]).len() < 100);
    assert!(!project.exists("run.json"));
}

#[test]
fn a_wrong_value_in_a_table_says_where_it_is() {
    for (config, word) in [
        ("[analyze]\ntime = \"soon\"\n", "--time"),
        ("[analyze]\nanalysis = \"magic\"\n", "magic"),
        (
            "[analyze]\nconfirm = 3\n",
            "analyze.confirm: expected true or false",
        ),
        ("analyze = 3\n[replay]\n", "unknown key `analyze`"),
        (
            "[analyze]\ntimes = 3\n",
            "`analyze.times`; did you mean `analyze.time`?",
        ),
        ("time = 3\n", "`time`; did you mean `check.time`?"),
        (
            "[replay]\nconfirm = true\n",
            "`replay.confirm`; did you mean `analyze.confirm`?",
        ),
    ] {
        let project = Project::traced(config);
        let (_, text) = project.grind(&[], &["analyze", "t.grind"]);
        assert!(
            text.contains("grind.toml") && text.contains(word),
            "{config}: {text}"
        );
    }
    let project = Project::new("");
    for (name, nearest) in [
        ("GRIND_SEDES", Some("GRIND_SEEDS")),
        ("GRIND_ANALYSE_TIME", Some("GRIND_ANALYZE_TIME")),
        ("GRIND_MILL_WATER", None),
    ] {
        let text = project.run(&[(name, "1")], &[]);
        match nearest {
            Some(known) => assert!(text.contains(&format!("did you mean `{known}`?")), "{text}"),
            None => assert!(!text.contains("warning"), "{text}"),
        }
    }
}

#[test]
fn the_nearest_manifest_counts_before_the_file_and_is_shown() {
    let config = "seed = 1\nscheduler = \"round-robin\"\n[replay]\nverbose = true\n";
    let project = Project::new(config);
    let manifest = "[package]\nname = \"fixture\"\nversion = \"0.1.0\"\n[package.metadata.grind]\nseed = 2\nsede = 3
[package.metadata.grind.analyze]\ntime = 7\n";
    fs::write(project.path().join("Cargo.toml"), manifest).unwrap();
    let text = project.run(&[], &[]);
    assert!(
        text.contains("seed 2") && text.contains("round-robin"),
        "{text}"
    );
    assert!(
        text.contains("[package.metadata.grind]: unknown key `sede`"),
        "{text}"
    );
    let origin = |key: &str| project.shown(&[], key)[1..].join(" ");
    assert!(
        origin("seed").starts_with("2 ")
            && origin("seed").ends_with("Cargo.toml [package.metadata.grind]")
    );
    assert!(origin("scheduler").ends_with("grind.toml"));
    assert!(
        origin("replay.verbose").starts_with("true ")
            && origin("replay.verbose").ends_with("grind.toml")
    );
    assert!(origin("analyze.time").ends_with("[package.metadata.grind]"));
    assert_eq!(origin("analyze.memory"), "- default");
    assert_eq!(
        project.shown(&[("GRIND_ANALYZE_MEMORY", "1GiB")], "analyze.memory"),
        ["analyze.memory", "1GiB", "GRIND_ANALYZE_MEMORY"]
    );
    let set = project.shown(&[("GRIND_REPLAY_FAIL_ON", "race")], "replay.fail-on");
    assert_eq!(set, ["replay.fail-on", "race", "GRIND_REPLAY_FAIL_ON"]);
    // A manifest of others is read by others, whatever is wrong with it.
    fs::write(project.path().join("Cargo.toml"), "nothing of a manifest").unwrap();
    assert!(project.run(&[], &[]).contains("seed 1"));
}

/// A guest that prints its environment.
const ENVIRONMENT: &str = r#"(module
    (import "wasi_snapshot_preview1" "environ_get" (func $get (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (func (export "_start")
        (drop (call $get (i32.const 0) (i32.const 1000)))
        (i32.store (i32.const 16) (i32.const 1000))
        (i32.store (i32.const 20) (i32.const 300))
        (drop (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 24)))))"#;

impl Project {
    /// A repository in a directory of its own.
    fn repository(config: &str) -> (TempDir, Project) {
        let outside = TempDir::new().unwrap();
        let repository = TempDir::new_in(outside.path()).unwrap();
        fs::create_dir_all(repository.path().join(".git/hooks")).unwrap();
        fs::create_dir(repository.path().join("sub")).unwrap();
        fs::write(repository.path().join("guest.wat"), ENVIRONMENT).unwrap();
        fs::write(repository.path().join("grind.toml"), config).unwrap();
        (outside, Project(repository))
    }
}

#[test]
fn a_file_is_trusted_with_looking_only() {
    let outside = TempDir::new().unwrap();
    let path = |name: &str| outside.path().join(name).display().to_string();
    let secret = [("SECRET", "s3cr3t")];
    for (config, option) in [
        ("env = [\"SECRET\"]".to_owned(), "env"),
        ("env = [\"A=1\", \"SECRET\"]".to_owned(), "env"),
        (format!("dir = [{:?}]", path("")), "dir"),
        ("dir = [\"/::/\"]".to_owned(), "dir"),
        ("dir = [\"..\"]".to_owned(), "dir"),
        ("dir = [\".\"]".to_owned(), "dir"),
        (
            format!("report = [{:?}]", format!("json={}", path("r.json"))),
            "report",
        ),
        ("report = [\"json=../r.json\"]".to_owned(), "report"),
        ("report = [\"json=.git/config\"]".to_owned(), "report"),
        (format!("trace = {:?}", path("t.grind")), "trace"),
        (
            "trace-file = \"../outside_written.grind\"".to_owned(),
            "trace-file",
        ),
        ("fail-on = \"none\"".to_owned(), "fail-on"),
        ("fail-on = \"leak,none\"".to_owned(), "fail-on"),
        ("no-detect = true".to_owned(), "no-detect"),
        (
            "suppressions = [\"/etc/passwd\"]".to_owned(),
            "suppressions",
        ),
        ("baseline = \"../b.json\"".to_owned(), "baseline"),
    ] {
        let (above, project) = Project::repository(&config);
        let refused = |arguments: &[&str]| {
            let (code, text) = project.grind(&secret, arguments);
            assert_eq!(code, Some(2), "{config}: {text}");
            assert!(
                text.contains("--trust-config")
                    && text.contains(option)
                    && text.contains("grind.toml"),
                "{config}: {text}"
            );
            assert!(!text.contains("s3cr3t"), "{config}: {text}");
        };
        refused(&["run", "guest.wat"]);
        // Another name for the file is no trust in it.
        fs::rename(
            project.path().join("grind.toml"),
            project.path().join("other-grind.toml"),
        )
        .unwrap();
        refused(&["run", "--config", "other-grind.toml", "guest.wat"]);
        // Nor is a manifest any better.
        let manifest = format!("[package]\nname = \"p\"\n[package.metadata.grind]\n{config}\n");
        fs::write(project.path().join("Cargo.toml"), manifest).unwrap();
        let (code, text) = project.grind(&secret, &["run", "guest.wat"]);
        assert!(
            code == Some(2) && text.contains("[package.metadata.grind]"),
            "{config}: {text}"
        );
        // The files that are there are those of before.
        let left = fs::read_dir(above.path()).unwrap().count();
        assert_eq!(left, 1, "{config}");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "{config}");
    }
}

#[test]
fn trust_is_said_or_the_option_is() {
    let config = "env = [\"SECRET\"]\nreport = [\"json=../r.json\"]\n";
    let (above, project) = Project::repository(config);
    let secret = [("SECRET", "s3cr3t")];
    let (code, text) = project.grind(&secret, &["run", "--trust-config", "guest.wat"]);
    assert!(code == Some(0) && text.contains("s3cr3t"), "{text}");
    assert!(above.path().join("r.json").exists());
    // On the command line, or in the environment, which is the user's own.
    let report = ["--report", "json=mine.json"];
    let given = [&["run", "--env", "SECRET"][..], &report, &["guest.wat"]].concat();
    let (code, text) = project.grind(&secret, &given);
    assert!(code == Some(0) && text.contains("s3cr3t"), "{text}");
    let variables = [
        ("SECRET", "s3cr3t"),
        ("GRIND_ENV", "SECRET"),
        ("GRIND_REPORT", "json=-"),
    ];
    let (code, text) = project.grind(&variables, &["run", "guest.wat"]);
    assert!(code == Some(0) && text.contains("s3cr3t"), "{text}");
    // One of them is not enough for the other, and what is refused is shown.
    let (code, text) = project.grind(&secret, &["run", "--env", "SECRET", "guest.wat"]);
    assert!(
        code == Some(2) && text.contains("report = json=../r.json"),
        "{text}"
    );
    let shown = project.shown(&[], "env").join(" ");
    assert!(shown.ends_with("refused without --trust-config"), "{shown}");
    let (_, text) = project.grind(&[], &["config", "show", "--trust-config"]);
    assert!(!text.contains("refused"), "{text}");
}

#[test]
fn what_looks_and_stays_in_the_project_takes_no_trust() {
    let config =
        "seeds = \"0..2\"\nfail-on = \"race\"\nenv = [\"A=1\"]\nreport = [\"json=sub/r.json\"]
dir = [\"sub\"]\nsuppressions = [\"s.txt\"]\nsource = [\"sub\"]\n";
    let (_above, project) = Project::repository(config);
    fs::write(project.path().join("s.txt"), "").unwrap();
    let (code, text) = project.grind(&[], &["run", "guest.wat"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(
        project.exists("sub/r.json") && text.contains("A=1"),
        "{text}"
    );
}

#[cfg(unix)]
#[test]
fn links_lead_nowhere_else() {
    let link = |project: &Project, target: &str, name: &str| {
        std::os::unix::fs::symlink(target, project.path().join(name)).unwrap();
    };
    let (above, project) = Project::repository("report = [\"json=out.json\"]\n");
    link(&project, "../r.json", "out.json");
    let (code, text) = project.grind(&[], &["run", "guest.wat"]);
    assert!(code == Some(2) && text.contains("outside"), "{text}");
    // The place where traces go by default may be such a link, too.
    let (_other, traced) = Project::repository("trace = \"full\"\n");
    link(&traced, "../t.grind", "guest.grind");
    let (code, text) = traced.grind(&[], &["run", "guest.wat"]);
    assert!(code == Some(2) && text.contains("--trace-file"), "{text}");
    assert_eq!(fs::read_dir(above.path()).unwrap().count(), 1);
}

#[test]
fn what_a_file_sets_is_said_to_who_asks_and_of_files_from_above_to_all() {
    let (above, project) = Project::repository("seed = 4\nmax-threads = 9\n");
    assert!(!project.grind(&[], &["run", "guest.wat"]).1.contains("sets"));
    let text = project.run(&[], &[]);
    assert!(
        text.contains("grind.toml sets seed = 4, max-threads = 9\n"),
        "{text}"
    );
    let text = project.run(&[], &["--seed", "5"]);
    assert!(text.contains("grind.toml sets max-threads = 9\n"), "{text}");
    // From a directory below it is the same file of the same repository.
    let below = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = Command::new(snapbox::cmd::cargo_bin!("grind"));
        command
            .current_dir(project.path().join("sub"))
            .args(arguments);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(below(&[], &["run", "../guest.wat"]), "");
    // Above it, anybody may have put one.
    fs::rename(
        project.path().join("grind.toml"),
        above.path().join("grind.toml"),
    )
    .unwrap();
    let text = below(&[], &["run", "-q", "../guest.wat"]);
    assert!(
        text.contains("grind.toml, which is outside of the repository, sets seed = 4"),
        "{text}"
    );
    let rule = "[[suppression]]\nkind = \"race\"\npattern = \"x\"\nreason = \"y\"\n";
    fs::write(above.path().join("grind.toml"), rule).unwrap();
    let text = below(&[], &["run", "../guest.wat"]);
    assert!(
        text.contains("outside of the repository, sets 1 suppression"),
        "{text}"
    );
}
