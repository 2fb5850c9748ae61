//! What cannot be read, written or meant: one clear error that names it, the exit code of the README, and nothing destroyed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Two threads that write to the same word.
const RACY: &str = r#"(module
    (import "env" "memory" (memory 1 1 shared))
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (func (export "thread_start") (param i32) (i32.store (i32.const 64) (i32.const 1)))
    (func (export "_start")
        (drop (call $create (i32.const 16) (i32.const 0)))
        (i32.store (i32.const 64) (i32.const 2))
        (drop (call $join (i32.load (i32.const 16))))))"#;
const CLEAN: &str = "(module (func (export \"_start\")))";

/// A directory with a good file of each sort, and bad ones.
struct Place(TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(TempDir::new().unwrap());
        for (name, content) in [
            ("racy.wat", RACY.as_bytes()),
            ("ok.wat", CLEAN.as_bytes()),
            ("empty", b""),
            ("junk", b"\xff\xfe\x00junk\xff"),
            (
                "other.json",
                b"{\"schema\": 7, \"tool\": {\"name\": \"grind\", \"version\": \"9.9\"}}",
            ),
        ] {
            fs::write(place.path(name), content).unwrap();
        }
        fs::create_dir(place.path("directory")).unwrap();
        place.codes(
            &["run", "--trace=full", "--trace-file", "t.grind", "racy.wat"],
            66,
        );
        place.codes(&["run", "--report", "json=r.json", "racy.wat"], 66);
        place.codes(
            &[
                "trace", "export", "--format", "std", "-o", "t.std", "t.grind",
            ],
            0,
        );
        place
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    /// Exit code, and standard error.
    fn grind<S: AsRef<OsStr>>(&self, arguments: &[S]) -> (i32, String) {
        let mut command = Command::new(snapbox::cmd::cargo_bin!("grind"));
        command
            .current_dir(&self.0)
            .args(arguments)
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    }

    fn codes<S: AsRef<OsStr>>(&self, arguments: &[S], code: i32) -> String {
        let (got, said) = self.grind(arguments);
        let shown: Vec<_> = arguments
            .iter()
            .map(|word| word.as_ref().display())
            .collect();
        assert_eq!(got, code, "{shown:?}: {said}");
        said
    }

    /// One error of grind's own, that has this word in it.
    fn refused(&self, command: &str, code: i32, word: &str) {
        let arguments: Vec<&str> = command.split(' ').collect();
        let said = self.codes(&arguments, code);
        assert!(
            said.contains(word),
            "`{command}` does not say `{word}`: {said}"
        );
        // Clap begins with the error and adds how it is used.
        let own = if code == 2 && !said.starts_with("grind:") {
            "error: "
        } else {
            "grind: error: "
        };
        assert!(said.starts_with(own), "{command}: {said}");
        assert_eq!(
            said.matches("error").count(),
            said.matches("os error").count() + 1,
            "{command}: {said}"
        );
        assert!(
            !said.contains("panicked") && !said.contains("internal"),
            "{command}: {said}"
        );
    }
}

/// Each command that reads a file, `@` for it, and what it says of an empty one.
const READERS: &[(&str, i32, &str)] = &[
    ("run @", 126, "the file is empty"),
    ("replay @", 126, "not a grind trace"),
    ("replay --module @ t.grind", 126, "the file is empty"),
    ("analyze @", 126, "not a grind trace"),
    ("analyze --module @ t.grind", 126, "the file is empty"),
    ("trace info @", 126, "not a grind trace"),
    ("trace dump @", 126, "not a grind trace"),
    ("trace stat @", 126, "not a grind trace"),
    ("trace diff @ t.grind", 126, "not a grind trace"),
    ("trace diff t.grind @", 126, "not a grind trace"),
    ("trace export --format std @", 126, "not a grind trace"),
    (
        "trace import --format std -o new.grind @",
        126,
        "nothing in it",
    ),
    (
        "trace import --format rapidbin -o new.grind @",
        126,
        "nothing in it",
    ),
    ("report @", 126, "not a grind report"),
    ("baseline update new.json @", 126, "not a grind report"),
    ("run --baseline @ ok.wat", 126, "not a baseline"),
];

#[test]
fn a_file_that_is_not_there_a_directory_an_empty_one_and_junk_are_named() {
    let place = Place::new();
    for (command, code, word) in READERS {
        let with = |file: &str| command.replace('@', file);
        place.refused(&with("gone"), 127, "gone: no such file or directory");
        place.refused(&with("directory"), 126, "directory: this is a directory");
        place.refused(&with("empty"), *code, word);
        place.refused(&with("empty"), *code, "empty");
        place.refused(&with("junk"), *code, "junk: ");
    }
    for command in ["run --suppressions @ ok.wat", "run --config @ ok.wat"] {
        place.refused(&command.replace('@', "gone"), 127, "gone: no such file");
        place.refused(&command.replace('@', "directory"), 2, "Is a directory");
        place.refused(&command.replace('@', "junk"), 2, "junk: this is no text");
        // A file that says nothing is nothing wrong.
        let command = command.replace('@', "empty");
        place.codes(&command.split(' ').collect::<Vec<_>>(), 0);
    }
    for command in [
        "run --report json=directory ok.wat",
        "run --trace-file directory ok.wat",
        "replay --trace-file directory t.grind",
        "trace export --format std -o directory t.grind",
        "trace import --format std -o directory t.std",
    ] {
        place.refused(command, 2, "cannot write directory: it is a directory");
    }
    place.refused("doctor directory", 126, "this is a directory");
    place.refused("run --max-steps 0 ok.wat", 2, "--max-steps");
    for new in ["new.grind", "new.json"] {
        assert!(!place.path(new).exists(), "{new} was made of nothing");
    }
    place.refused(
        "report other.json",
        126,
        "use the grind that wrote it (grind 9.9)",
    );
    place.refused("baseline update new.json other.json", 126, "version 7");
}

#[test]
fn names_that_are_no_text_are_names() {
    let place = Place::new();
    let named = |end: &str| {
        let name = [b"na\xffme", end.as_bytes()].concat();
        OsStr::from_bytes(&name).to_owned()
    };
    for (good, end) in [
        ("racy.wat", ".wat"),
        ("t.grind", ".grind"),
        ("r.json", ".json"),
    ] {
        fs::copy(place.path(good), place.path(named(end))).unwrap();
    }
    let words = |words: &[&str], last: OsString| {
        let words = words.iter().map(OsString::from).chain([last]);
        words.collect::<Vec<OsString>>()
    };
    for (command, end, code) in [
        (&["run"][..], ".wat", 66),
        (&["run", "--seeds", "0..3"], ".wat", 66),
        (&["doctor"], ".wat", 0),
        (&["replay"], ".grind", 66),
        (&["analyze"], ".grind", 66),
        (&["trace", "info"], ".grind", 0),
        (&["trace", "diff", "t.grind"], ".grind", 0),
        (&["report"], ".json", 0),
        (&["baseline", "update", "b.json"], ".json", 0),
        (&["run", "ok.wat"], ".an-argument", 0),
        (&["run", "--trace", "--embed-module"], ".wat", 66),
        (&["replay"], ".grind", 66),
    ] {
        let said = place.codes(&words(command, named(end)), code);
        assert!(!said.contains("internal error"), "{command:?}: {said}");
    }
    assert!(place.path(named(".grind")).exists());
}

#[test]
fn what_is_read_is_not_written_over() {
    let place = Place::new();
    // Where a replay records when nobody says where: the name of the module, here.
    fs::copy(place.path("t.grind"), place.path("racy.grind")).unwrap();
    std::os::unix::fs::symlink("t.grind", place.path("link.grind")).unwrap();
    for (command, kept) in [
        ("run --trace-file racy.wat racy.wat", "racy.wat"),
        ("run --trace=./racy.wat racy.wat", "racy.wat"),
        ("replay --trace-file t.grind t.grind", "t.grind"),
        ("replay --trace-file t.grind link.grind", "t.grind"),
        ("replay --trace racy.grind", "racy.grind"),
        (
            "replay --module racy.wat --trace-file racy.wat t.grind",
            "racy.wat",
        ),
        ("trace export --format std -o t.grind t.grind", "t.grind"),
        ("trace import --format std -o t.std t.std", "t.std"),
        ("run --report json=racy.wat racy.wat", "racy.wat"),
        ("replay --report html=t.grind t.grind", "t.grind"),
        (
            "analyze --report html=racy.wat --module racy.wat t.grind",
            "racy.wat",
        ),
        ("report --report sarif=r.json r.json", "r.json"),
    ] {
        let before = fs::read(place.path(kept)).unwrap();
        place.refused(command, 2, "would be written over");
        assert!(fs::read(place.path(kept)).unwrap() == before, "{command}");
    }
    place.codes(
        &[
            "replay",
            "--trace",
            "--trace-file",
            "new.grind",
            "racy.grind",
        ],
        66,
    );
}

#[test]
fn seeds_and_numbers_that_are_none_say_why() {
    let place = Place::new();
    for (command, word) in [
        ("run --seeds 5 ok.wat", "expected A..B"),
        ("run --seeds .. ok.wat", "is not a seed"),
        ("run --seeds 5..5 ok.wat", "no seed in this range"),
        ("run --seeds 6..5 ok.wat", "no seed in this range"),
        ("run --seeds -1..4 ok.wat", "`-1` is not a seed"),
        ("run --seeds a..b ok.wat", "`a` is not a seed"),
        ("run --seeds 0..99999999999999999999 ok.wat", "too large"),
        ("run --seeds 0...3 ok.wat", "`.3` is not a seed"),
        ("run --seed -1 ok.wat", "invalid value '-1'"),
        ("run --seeds 0..2 --jobs 0 ok.wat", "--jobs"),
        ("run --max-threads 0 ok.wat", "--max-threads"),
        ("run --max-memory much ok.wat", "--max-memory"),
        ("run --timeout 0 ok.wat", "some time"),
        ("replay --at 0 t.grind", "--at"),
        ("replay --thread main t.grind", "a thread is a number"),
        ("replay --watch 0+0 t.grind", "an address is a number"),
        (
            "replay --watch 0x1ffffffff t.grind",
            "an address is a number",
        ),
        ("analyze --analysis magic t.grind", "possible values: hb"),
        ("analyze --time 0 t.grind", "some time"),
        (
            "trace export --format magic t.grind",
            "possible values: std",
        ),
    ] {
        place.refused(command, 2, word);
    }
}

#[test]
fn a_value_of_trace_with_a_blank_is_explained() {
    let place = Place::new();
    for (command, meant) in [
        ("run --trace full ok.wat", "`--trace=full`"),
        ("run --trace light ok.wat --seed 1", "`--trace=light`"),
        ("run --trace new.grind ok.wat", "`--trace=new.grind`"),
        ("replay --trace full t.grind", "`--trace=full`"),
    ] {
        place.refused(command, 2, meant);
    }
    let mut cargo = Command::new(snapbox::cmd::cargo_bin!("cargo-grind"));
    let cargo = cargo.args(["grind", "run", "--trace", "full"]).output();
    let said = String::from_utf8(cargo.unwrap().stderr).unwrap();
    assert!(said.contains("`--trace=full`"), "{said}");
    // A guest may have it as an argument, and a file may have such a name.
    place.codes(&["run", "--trace", "ok.wat", "full"], 0);
    fs::copy(place.path("racy.wat"), place.path("full.wat")).unwrap();
    place.codes(&["run", "--trace", "full.wat", "x"], 66);
    place.refused("run gone full", 127, "gone: no such file");
}

#[test]
fn options_that_exclude_each_other_name_both() {
    let place = Place::new();
    for (command, one, other) in [
        ("run --seeds 0..3 --seed 4 ok.wat", "--seeds", "--seed <N>"),
        ("run --seeds 0..3 --trace ok.wat", "--seeds", "--trace"),
        (
            "run --seeds 0..3 --trace-file x ok.wat",
            "--seeds",
            "--trace-file",
        ),
        (
            "run --seeds 0..3 --embed-module ok.wat",
            "--seeds",
            "--embed-module",
        ),
        ("run -q -v ok.wat", "--quiet", "--verbose"),
        ("replay -q -v t.grind", "--quiet", "--verbose"),
        ("run --jobs 3 ok.wat", "required", "--seeds"),
        ("run --fail-fast ok.wat", "required", "--seeds"),
        ("run --after-start ok.wat", "required", "--invoke"),
        ("run", "required", "<APP.wasm>"),
        ("replay", "required", "<TRACE>"),
        ("baseline update b.json", "required", "<RESULT.json>"),
        (
            "run --report json=x --report sarif=x ok.wat",
            "two reports",
            "x",
        ),
        ("run --env UNSET_HERE ok.wat", "--env", "UNSET_HERE"),
        (
            "trace export --format rapidbin t.grind",
            "written to a file",
            "--output",
        ),
    ] {
        place.refused(command, 2, one);
        place.refused(command, 2, other);
    }
    assert!(!place.path("x").exists());
}

#[test]
fn the_module_of_something_else_is_refused() {
    let place = Place::new();
    place.refused(
        "replay --module ok.wat t.grind",
        126,
        "the trace is of module",
    );
    place.refused(
        "analyze --module ok.wat t.grind",
        126,
        "ok.wat is not the module of the trace",
    );
    place.refused(
        "run --invoke gone ok.wat",
        126,
        "no exported function `gone`",
    );
    place.refused(
        "run --max-memory 0 racy.wat",
        126,
        "more than the limit of 0",
    );
    fs::remove_file(place.path("racy.wat")).unwrap();
    place.refused(
        "replay t.grind",
        2,
        "name it with --module, or record with --embed-module",
    );
    place.refused("analyze --confirm t.grind", 2, "name it with --module");
}

#[test]
fn more_jobs_than_there_is_work_are_not_made() {
    let place = Place::new();
    let start = Instant::now();
    place.codes(
        &["run", "--seeds", "0..4", "--jobs", "99999999", "ok.wat"],
        0,
    );
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_module_file_of_no_end_is_refused_and_one_that_never_comes_is_timed_out() {
    let place = Place::new();
    place.refused("run /dev/zero", 126, "more than 1024 MiB");
    place.refused(
        "analyze --module /dev/zero t.grind",
        126,
        "more than 1024 MiB",
    );
    std::os::unix::fs::symlink("/dev/zero", place.path("endless.wat")).unwrap();
    place.refused("run endless.wat", 126, "more than 256 MiB");
    // Nobody writes to it.
    let fifo = Command::new("mkfifo").arg(place.path("fifo")).status();
    assert!(fifo.unwrap().success());
    place.refused(
        "run --timeout 200ms fifo",
        124,
        "before the program was set up",
    );
}

#[test]
fn a_text_with_many_labels_in_deep_blocks_is_refused_in_time() {
    let place = Place::new();
    let labels = |n: usize| {
        format!(
            "(module (func (export \"_start\") {} i32.const 0 br_table {} {}))",
            "block $l ".repeat(n),
            "$l ".repeat(n),
            "end ".repeat(n)
        )
    };
    fs::write(place.path("deep.wat"), labels(10_000)).unwrap();
    place.codes(&["run", "deep.wat"], 0);
    fs::write(place.path("deeper.wat"), labels(400_000)).unwrap();
    let begun = Instant::now();
    place.refused("run deeper.wat", 126, "its names in nested blocks");
    assert!(begun.elapsed() < Duration::from_secs(20));
}

/// What grind exits with, run by a shell that limits its resources first.
fn limited(place: &Place, limit: &str, arguments: &str) -> Option<i32> {
    let grind = snapbox::cmd::cargo_bin!("grind");
    let status = Command::new("sh")
        .current_dir(&place.0)
        .arg("-c")
        .arg(format!(
            "ulimit -c 0; {limit}; exec {} {arguments}",
            grind.display()
        ))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap().code()
}

#[test]
fn an_abort_of_grind_is_no_trap_of_the_guest() {
    let place = Place::new();
    // The memory of the guest itself is there; what the detectors need is not.
    let wide = r#"(module
        (import "env" "memory" (memory 3200 3200 shared))
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
        (func $fill (memory.fill (i32.const 64) (i32.const 1) (i32.const 209000000)))
        (func (export "thread_start") (param i32) (call $fill))
        (func (export "_start")
            (drop (call $create (i32.const 0) (i32.const 0)))
            (call $fill)
            (drop (call $join (i32.load (i32.const 0))))))"#;
    fs::write(place.path("wide.wat"), wide).unwrap();
    assert_eq!(limited(&place, "true", "run -q wide.wat"), Some(66));
    let mut failed = 0;
    for kilobytes in [300_000, 350_000, 400_000, 500_000] {
        let code = limited(&place, &format!("ulimit -v {kilobytes}"), "run -q wide.wat");
        assert!(
            [125, 126, 66].map(Some).contains(&code),
            "{kilobytes}: {code:?}"
        );
        failed += u32::from(code == Some(125));
    }
    assert!(failed > 0, "no limit was too low");
    // A native stack that runs over.
    let mut failed = 0;
    for kilobytes in [32, 48, 64, 96, 128] {
        let code = limited(&place, &format!("ulimit -s {kilobytes}"), "run -q ok.wat");
        assert!([125, 0].map(Some).contains(&code), "{kilobytes}: {code:?}");
        failed += u32::from(code == Some(125));
    }
    assert!(failed > 0, "no stack was too small");
}
