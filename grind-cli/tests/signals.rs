//! Ctrl-C, SIGTERM and SIGHUP, and time-outs: what was found until then is reported and written, and nothing is left half.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Two threads that race for ever; after a while, the main thread prints a line.
const RACES_FOR_EVER: &str = r#"(module
    (import "env" "memory" (memory 1 1 shared))
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (func (export "thread_start") (param i32)
        (loop
            (i32.store (i32.const 64) (i32.const 1))
            (drop (i32.atomic.rmw.add (i32.const 128) (i32.const 1)))
            (br 0)))
    (func (export "_start") (local $turns i32)
        (drop (call $create (i32.const 0) (i32.const 0)))
        (drop (call $create (i32.const 4) (i32.const 1)))
        (loop $warm
            (drop (i32.atomic.rmw.add (i32.const 132) (i32.const 1)))
            (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
            (br_if $warm (i32.lt_u (local.get $turns) (i32.const 2000))))
        (i32.store (i32.const 256) (i32.const 0x0a796472))
        (i32.store (i32.const 264) (i32.const 256))
        (i32.store (i32.const 268) (i32.const 4))
        (drop (call $write (i32.const 1) (i32.const 264) (i32.const 1) (i32.const 272)))
        (loop (drop (i32.atomic.rmw.add (i32.const 132) (i32.const 1))) (br 0))))"#;

/// Writes lines for ever, and looks at nothing else.
const PRINTS_FOR_EVER: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 2)
    (func (export "_start")
        (i32.store (i32.const 256) (i32.const 0x0a796472))
        (i32.store (i32.const 0) (i32.const 256))
        (i32.store (i32.const 4) (i32.const 65536))
        (loop
            (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
            (br 0))))"#;

/// Ends at once, after as many atomic accesses, here and there, as make a trace of some length.
const SHORT: &str = r#"(module
    (memory 1 1 shared)
    (func (export "_start") (local $turns i32) (local $place i32)
        (loop $more
            (local.set $place
                (i32.add (i32.mul (local.get $place) (i32.const 1664525)) (i32.const 1013904223)))
            (drop (i32.atomic.rmw.add
                (i32.and (i32.shr_u (local.get $place) (i32.const 12)) (i32.const 0xfffc))
                (i32.const 7)))
            (local.set $turns (i32.add (local.get $turns) (i32.const 1)))
            (br_if $more (i32.lt_u (local.get $turns) (i32.const 30000))))))"#;

const FOR_EVER: &str = r#"(module (memory 1 1 shared)
    (func (export "_start") (loop (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))) (br 0))))"#;

struct Place(TempDir);

impl Place {
    fn new(guest: &str) -> Place {
        let place = Place(TempDir::new().unwrap());
        fs::write(place.0.path().join("guest.wat"), guest).unwrap();
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.0)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn grind(&self, arguments: &[&str]) -> Command {
        let grind = snapbox::cmd::cargo_bin!("grind");
        self.command(grind.to_str().unwrap(), arguments)
    }

    /// Exit code and all that was said.
    fn says(&self, arguments: &[&str]) -> (i32, String) {
        let Output {
            status,
            stdout,
            stderr,
        } = self.grind(arguments).output().unwrap();
        let text = String::from_utf8([stdout, stderr].concat()).unwrap();
        (status.code().unwrap(), text)
    }

    /// Names of all files but the guest.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|name| name != "guest.wat").collect();
        names.sort();
        names
    }
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(sent.unwrap().success());
}

/// Waits for the line that the guest prints.
fn wait_for_line(child: &mut Child) {
    let mut line = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    BufReader::with_capacity(4, stdout)
        .read_line(&mut line)
        .unwrap();
    assert_eq!(line, "rdy\n");
}

const SIGNALS: [(&str, i32); 3] = [("HUP", 129), ("INT", 130), ("TERM", 143)];

/// Whether this test runs under `nohup`, as then do all that it starts: a hang-up ends none of them.
fn ignores_hang_ups() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.is_some_and(|mask| {
        mask.trim_end()
            .ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f'])
    })
}

#[test]
fn a_run_ends_in_order_and_all_it_found_is_written() {
    for (name, code) in SIGNALS {
        if name == "HUP" && ignores_hang_ups() {
            continue;
        }
        let place = Place::new(RACES_FOR_EVER);
        let outputs = ["--trace-file", "t.grind", "--report", "json=r.json"];
        let arguments = [&["run"][..], &outputs, &["guest.wat"]].concat();
        let mut child = place.grind(&arguments).spawn().unwrap();
        wait_for_line(&mut child);
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}: {said}");
        assert!(said.contains("data race"), "{said}");
        assert!(said.contains(&format!("ended by SIG{name}")), "{said}");
        assert_eq!(place.files(), ["r.json", "t.grind"]);
        let report = fs::read_to_string(place.path().join("r.json")).unwrap();
        let report = grind_runtime::report::json::from_str(&report).unwrap();
        assert_eq!(report.findings.len(), 1);
        // The trace is whole: it has its end, and can be run again.
        let (done, info) = place.says(&["trace", "info", "t.grind"]);
        assert_eq!(done, 0, "{info}");
        assert!(info.contains(&format!("exit code    {code}")), "{info}");
        let (done, again) = place.says(&["replay", "t.grind"]);
        assert_eq!(done, 66, "{again}");
        assert!(again.contains("data race"), "{again}");
    }
}

#[test]
fn a_replay_ends_in_order() {
    let place = Place::new(RACES_FOR_EVER);
    let (code, said) = place.says(&["run", "--timeout", "2", "--trace", "guest.wat"]);
    assert_eq!(code, 66, "{said}");
    let child = place.grind(&["replay", "guest.grind"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
}

#[test]
fn a_second_signal_kills() {
    let place = Place::new(PRINTS_FOR_EVER);
    // Nobody reads on, so that the run cannot end by itself.
    let mut child = place.grind(&["run", "guest.wat"]).spawn().unwrap();
    let mut byte = [0];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut byte)
        .unwrap();
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "INT");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None);
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().signal(), Some(15));
}

#[test]
fn many_seeds_end_in_order() {
    let place = Place::new(RACES_FOR_EVER);
    let seeds = ["run", "--seeds", "0..1000000", "--jobs", "2"];
    let report = ["--report", "json=r.json", "guest.wat"];
    let mut child = place
        .grind(&[&seeds[..], &report].concat())
        .spawn()
        .unwrap();
    wait_for_line(&mut child);
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("data race") && said.contains("of 1000000 schedules were run"),
        "{said}"
    );
    assert_eq!(place.files(), ["r.json"]);
}

#[test]
fn where_nothing_was_found_yet_it_ends_at_once() {
    let place = Place::new(SHORT);
    let command = place.grind(&["report", "-"]).stdin(Stdio::piped()).spawn();
    let mut child = command.unwrap();
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, "TERM");
    let stdin = child.stdin.take();
    assert_eq!(child.wait().unwrap().code(), Some(143));
    drop(stdin);
}

#[test]
fn what_was_told_to_ignore_hang_ups_ignores_them() {
    let place = Place::new(RACES_FOR_EVER);
    let grind = snapbox::cmd::cargo_bin!("grind");
    let script = format!("trap '' HUP; exec '{}' run guest.wat", grind.display());
    let mut child = place.command("sh", &["-c", &script]).spawn().unwrap();
    wait_for_line(&mut child);
    signal(&child, "HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(child.try_wait().unwrap(), None);
    signal(&child, "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));
}

#[test]
fn time_outs_of_seeds_are_counted() {
    let place = Place::new(FOR_EVER);
    let seeds = ["run", "-v", "--seeds", "0..3", "--timeout", "300ms"];
    let all = [&seeds[..], &["--report", "json=r.json", "guest.wat"]].concat();
    let (code, said) = place.says(&all);
    assert_eq!(code, 124, "{said}");
    assert!(said.contains("3 of 3 timed out"), "{said}");
    let report = fs::read_to_string(place.path().join("r.json")).unwrap();
    assert!(report.contains("\"timed_out\": 3"), "{report}");

    let place = Place::new(SHORT);
    let seeds = [
        "run",
        "-v",
        "--seeds",
        "0..3",
        "--timeout",
        "60",
        "guest.wat",
    ];
    let (code, said) = place.says(&seeds);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("seed 0 to seed 2") && !said.contains("timed out"),
        "{said}"
    );
}

#[test]
fn seeds_wait_for_input_no_longer_than_their_time_out() {
    let place = Place::new(SHORT);
    let guest = "../test-programs/c/wasm/clean_stdin.wasm";
    let guest = Path::new(env!("CARGO_MANIFEST_DIR")).join(guest);
    let begin = Instant::now();
    let arguments = ["run", "--seeds", "0..2", "--timeout", "500ms"];
    let mut command = place.grind(&arguments);
    let mut child = command.arg(guest).stdin(Stdio::piped()).spawn().unwrap();
    // It stays open.
    let stdin = child.stdin.take();
    let status = child.wait().unwrap();
    drop(stdin);
    assert_eq!(status.code(), Some(124));
    assert!(begin.elapsed() < Duration::from_secs(30));
}

#[test]
fn every_reading_of_a_trace_has_a_time_out() {
    let place = Place::new(SHORT);
    place.says(&["run", "--trace=full", "guest.wat"]);
    assert!(
        fs::metadata(place.path().join("guest.grind"))
            .unwrap()
            .len()
            > 20_000
    );
    let chrome = ["trace", "export", "--format", "chrome", "-o", "t.json"];
    let import = ["trace", "import", "--format", "std", "-o", "new.grind"];
    let std = "T0|w(V1)|1\n".repeat(100);
    fs::write(place.path().join("t.std"), std).unwrap();
    for (command, file, word) in [
        (
            &["trace", "info"][..],
            "guest.grind",
            "ended by the time-out",
        ),
        (
            &["trace", "dump"],
            "guest.grind",
            "ended by the time-out here",
        ),
        (&["trace", "stat"], "guest.grind", "Ended by the time-out"),
        (
            &["trace", "diff", "guest.grind"],
            "guest.grind",
            "events are the same",
        ),
        (&chrome, "guest.grind", "ended by the time-out"),
        (&import, "t.std", "nothing was written"),
    ] {
        let whole = place.says(&[command, &[file]].concat());
        assert!(
            whole.0 == 0 && !whole.1.contains(word),
            "{command:?}: {}",
            whole.1
        );
        let (code, said) = place.says(&[command, &["--timeout", "1ns", file]].concat());
        assert_eq!(code, 124, "{command:?}: {said}");
        assert!(said.contains(word), "{command:?}: {said}");
    }
    // What there is of an export is whole.
    let exported = fs::read_to_string(place.path().join("t.json")).unwrap();
    serde_json::from_str::<serde_json::Value>(&exported).unwrap();
    assert_eq!(
        place.files(),
        ["guest.grind", "new.grind", "t.json", "t.std"]
    );
}
