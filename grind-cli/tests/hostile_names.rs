//! Names that modules, traces and files have: none becomes a command of a CI server, or moves a cursor, in anything grind prints.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Two threads that race, each holding a lock of its own; the second traps. Functions, threads and locks have this name.
fn guest(name: &str) -> String {
    let escaped: String = name.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let len = name.len();
    format!(
        r#"(module
    (import "env" "memory" (memory 1 1 shared))
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (import "threadlink" "thread_set_name" (func $name (param i32 i32 i32) (result i32)))
    (import "threadlink" "annotate_lock_name" (func $lock (param i32 i32 i32)))
    (import "threadlink" "start_lock" (func $locking (param i32)))
    (import "threadlink" "finish_lock" (func $locked (param i32)))
    (import "threadlink" "start_unlock" (func $unlocking (param i32)))
    (import "threadlink" "finish_unlock" (func $unlocked (param i32)))
    (func $access (@name "{escaped}") (param $lock i32)
        (call $locking (local.get $lock))
        (call $locked (local.get $lock))
        (i32.store (i32.const 64) (i32.const 1))
        (call $unlocking (local.get $lock))
        (call $unlocked (local.get $lock)))
    (func $thread (@name "{escaped} (2)") (export "thread_start") (param $which i32)
        (call $access (i32.add (i32.const 512) (i32.mul (local.get $which) (i32.const 8))))
        (if (local.get $which) (then unreachable)))
    (func (export "_start") (local $which i32)
        (loop $next
            (call $lock (i32.add (i32.const 512) (i32.mul (local.get $which) (i32.const 8)))
                (i32.const 1000) (i32.const {len}))
            (drop (call $create (i32.const 0) (local.get $which)))
            (drop (call $name (i32.load (i32.const 0)) (i32.const 1000) (i32.const {len})))
            (local.set $which (i32.add (local.get $which) (i32.const 1)))
            (br_if $next (i32.lt_u (local.get $which) (i32.const 2))))
        (drop (call $join (i32.const 1)))
        (drop (call $join (i32.const 2))))
    (data (i32.const 1000) "{escaped}")
    (func (export "{escaped}")))"#
    )
}

/// Names that are commands as they are, after a line's end, after blanks where a line is broken, or anywhere.
fn names() -> Vec<String> {
    let blanks = format!("{}::error::PWNED", "x ".repeat(24));
    [
        "::error::PWNED",
        "##[error]PWNED",
        "##vso[task.complete]PWNED",
        "x\n::error::PWNED",
        "x\r\n  ##[error]PWNED",
        "\u{1b}[2J\u{1b}]0;PWNED\u{7}",
        &blanks,
    ]
    .map(str::to_owned)
    .to_vec()
}

struct Place(TempDir);

impl Place {
    /// With the module under this name.
    fn new(name: &str, file: &OsStr) -> Place {
        let place = Place(TempDir::new().unwrap());
        let wasm = wat::parse_str(guest(name)).unwrap();
        fs::write(place.path(file), wasm).unwrap();
        place
    }

    fn path(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.path().join(name.as_ref())
    }

    /// Exit code, and what is printed.
    fn grind(&self, arguments: &[&OsStr]) -> (i32, String) {
        let mut command = Command::new(snapbox::cmd::cargo_bin!("grind"));
        command
            .current_dir(&self.0)
            .args(arguments)
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    }
}

fn words(line: &str) -> Vec<&OsStr> {
    line.split(' ').map(OsStr::new).collect()
}

/// Nothing of it is obeyed. `own` is how lines begin that are commands of grind's own.
fn obeys_nothing(what: &str, text: &str, own: &str) {
    for line in text.split(['\n', '\r']) {
        let begins = line.trim_start().starts_with("::");
        let is_own = !own.is_empty() && line.starts_with(own);
        assert!(!begins || is_own, "{what}: {line:?}");
        let marks = ["##[", "##vso["];
        assert!(
            !marks.iter().any(|mark| line.contains(mark)),
            "{what}: {line:?}"
        );
        let control = line.chars().find(|c| c.is_control() && *c != '\t');
        assert_eq!(control, None, "{what}: {line:?}");
    }
}

#[test]
fn no_report_and_no_listing_has_a_command() {
    for name in names() {
        let place = Place::new(&name, OsStr::new("guest.wasm"));
        let trace = words("run --trace=full --trace-file t.grind guest.wasm");
        let (code, said) = place.grind(&trace);
        assert!(code == 66 && said.contains("PWNED"), "{said}");
        for (kind, own) in [
            ("human", ""),
            ("json", ""),
            ("sarif", ""),
            ("junit", ""),
            ("github", "::error title="),
            ("markdown", ""),
            ("html", "::"),
            ("tsan", ""),
        ] {
            let (code, said) = place.grind(&words(&format!("run --format {kind} guest.wasm")));
            assert!(code == 66 && said.contains("PWNED"), "{kind}: {said}");
            obeys_nothing(kind, &said, own);
        }
        for command in [
            "doctor guest.wasm",
            "run --invoke gone guest.wasm",
            "trace info t.grind",
            "trace dump --stacks t.grind",
            "trace stat t.grind",
            "trace export --format jsonl t.grind",
            "trace export --format chrome t.grind",
            "trace export --format std t.grind",
            "replay --thread 1 t.grind",
            "analyze t.grind",
            "run --seeds 0..3 guest.wasm",
            "run --gen-suppressions guest.wasm",
        ] {
            let (code, said) = place.grind(&words(command));
            assert!(code != 125 && !said.is_empty(), "{command}: {code} {said}");
            obeys_nothing(command, &said, "");
        }
    }
}

#[test]
fn json_still_has_the_name() {
    let place = Place::new("##[error]PWNED", OsStr::new("guest.wasm"));
    let (_, json) = place.grind(&words("run --format json guest.wasm"));
    let report = grind_runtime::report::json::from_str(&json).unwrap();
    let named = |thread: &grind_runtime::report::finding::Thread| {
        thread.name.as_deref() == Some("##[error]PWNED")
    };
    assert!(report.findings[0].threads.iter().any(named), "{json}");
}

#[test]
fn messages_escape_what_paths_have() {
    for name in names() {
        let file = OsString::from(name.replace('/', "_") + ".wasm");
        let place = Place::new("harmless", &file);
        fs::write(place.path("junk"), "junk").unwrap();
        let gone = OsString::from(format!("gone{}", name));
        let command = |line: &str, file: &OsStr| {
            let mut all: Vec<OsString> = words(line).iter().map(|word| (*word).into()).collect();
            for word in &mut all {
                if word == "@" {
                    *word = [OsStr::new("./"), file].into_iter().collect();
                }
            }
            let all: Vec<&OsStr> = all.iter().map(OsString::as_os_str).collect();
            let (code, said) = place.grind(&all);
            obeys_nothing(line, &said, "");
            (code, said)
        };
        for line in [
            "run @",
            "replay @",
            "analyze @",
            "trace info @",
            "trace diff @ @",
            "trace export --format std @",
            "trace import --format std -o t.std @",
            "report @",
            "baseline update @ junk",
            "doctor @",
            "run --config @ junk",
            "run --suppressions @ junk",
            "run --report json=@ junk",
        ] {
            for file in [&file, &gone] {
                let (code, said) = command(line, file);
                assert!(!said.is_empty(), "{line}: {code}");
            }
        }
        // As clap has it: a second trace is one too many.
        let (code, said) = command("replay junk @", &file);
        assert_eq!(code, 2, "{said}");
    }
}

#[test]
fn a_path_that_is_no_text_replays() {
    let file = OsString::from_vec(b"b\xff\nd.wasm".to_vec());
    let place = Place::new("harmless", &file);
    let record = [&words("run --trace-file t.grind")[..], &[&file]].concat();
    let (code, said) = place.grind(&record);
    assert_eq!(code, 66, "{said}");
    let (code, said) = place.grind(&words("replay t.grind"));
    assert_eq!(code, 66, "{said}");
    let (code, info) = place.grind(&words("trace info t.grind"));
    assert!(code == 0 && info.contains("b\u{fffd}\\nd.wasm"), "{info}");
    // The command that is shown runs it, in a shell that knows its quotes.
    let (_, said) = place.grind(&[OsStr::new("run"), &file]);
    let shown = said
        .lines()
        .find_map(|line| line.strip_prefix("reproduce: grind "));
    let shown = shown.unwrap();
    assert!(shown.ends_with(r"$'b\377\012d.wasm'"), "{shown}");
    let grind = snapbox::cmd::cargo_bin!("grind");
    let script = format!("'{}' {shown}", grind.display());
    let mut bash = Command::new("bash");
    let status = bash.current_dir(&place.0).args(["-c", &script]).output();
    assert_eq!(status.unwrap().status.code(), Some(66));
    // So does the place of a trace.
    let trace = OsStr::from_bytes(b"--trace=t\xfe.grind");
    place.grind(&[OsStr::new("run"), trace, &file]);
    assert!(place.path(OsStr::from_bytes(b"t\xfe.grind")).exists());
}
