//! Traces as a user meets them: recorded, killed, replayed, looked at, analysed, converted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/guests.rs"]
mod guests;

use grind_runtime::host::ThreadRuntime;
use grind_runtime::report::json;
use grind_runtime::{HostImport, NullIo, Program, ProgramOptions, RunOptions, Value};
use guests::{grind, stderr};
use snapbox::cmd::OutputAssert;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;

fn stdout(assert: &OutputAssert) -> String {
    String::from_utf8(assert.get_output().stdout.clone()).unwrap()
}

/// A trace of a guest, in a directory that lives as long as the result.
fn record(options: &[&str], guest: &[&str]) -> (TempDir, String, OutputAssert) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("t.grind").display().to_string();
    let file = ["run", "--trace-file", &path];
    let assert = grind(&[&file, options, guest].concat()).assert();
    (directory, path, assert)
}

#[test]
fn the_timeline_of_a_light_trace_marks_what_that_of_a_full_one_does() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (html, target) = (
        format!("html={}", path("r.html")),
        format!("json={}", path("r.json")),
    );
    let reports = ["--quiet", "--report", &html, "--report", &target];
    let marks = |arguments: &[&str]| {
        let (command, rest) = arguments.split_at(1);
        let all = [command, &reports, rest].concat();
        grind(&all).assert().code(66);
        let text = fs::read_to_string(path("r.json")).unwrap();
        json::from_str(&text).unwrap().timeline.unwrap().marks
    };
    let trace = path("a.grind");
    for guest in [
        "race_counter",
        "race_heap",
        "race_memory_copy",
        "race_atomic_plain",
    ] {
        let guest = format!("wasm/{guest}.wasm");
        let record = |kind| marks(&["run", kind, "--trace-file", &trace, &guest]);
        let full = record("--trace=full");
        assert!(full.len() >= 2, "{guest}: {full:?}");
        assert_eq!(record("--trace=light"), full, "{guest}");
        assert_eq!(marks(&["replay", &trace]), full, "{guest}");
    }
}

#[test]
fn a_replay_prints_and_finds_the_same() {
    let guests: [(&[&str], i32); 4] = [
        (&["wasm/race_counter.wasm"], 66),
        (&["wasm/trap_in_thread.wasm"], 134),
        (&["wasm/clean_arguments.wasm", "x"], 0),
        (&["wasm/deadlock_ab_ba.wasm"], 66),
    ];
    for (guest, code) in guests {
        for detail in ["--trace=light", "--trace=full"] {
            let (_directory, path, first) = record(&[detail, "--seed", "9"], guest);
            let again = grind(&["replay", &path]).assert().code(code);
            assert_eq!(stdout(&first), stdout(&again), "{guest:?}");
            let findings = |assert: &OutputAssert| {
                let text = stderr(assert);
                let lines = text.lines().filter(|line| !line.starts_with("reproduce:"));
                lines
                    .filter(|line| !line.starts_with("grind:"))
                    .collect::<Vec<_>>()
                    .join("\n")
            };
            assert_eq!(findings(&first), findings(&again), "{guest:?}");
        }
    }
}

#[test]
fn what_was_not_looked_for_is_found_in_the_replay() {
    let (_directory, path, first) = record(&["--no-detect"], &["wasm/race_counter.wasm"]);
    let first = first.code(0);
    assert_eq!(stderr(&first), "");
    let again = grind(&["replay", &path]).assert().code(66);
    assert!(stderr(&again).contains("data race on 4 bytes"));
}

#[test]
fn inputs_come_from_the_trace() {
    let directory = TempDir::new().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    let mapped = format!("{}::/work", data.display());
    let (_trace, path, first) = record(&["--dir", &mapped], &["wasip1/wasm/files.wasm"]);
    let code = first.get_output().status.code().unwrap();
    fs::remove_dir_all(&data).unwrap();
    let again = grind(&["replay", &path]).assert().code(code);
    assert_eq!(stdout(&first), stdout(&again));
}

#[test]
fn the_module_can_be_in_the_trace() {
    let directory = TempDir::new().unwrap();
    let module = directory.path().join("app.wasm");
    let guest =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs/wasm/race_counter.wasm");
    fs::copy(guest, &module).unwrap();
    let guest = module.display().to_string();
    let (_one, with, _) = record(&["--embed-module"], &[&guest]);
    let (_other, without, _) = record(&[], &[&guest]);
    fs::remove_file(&module).unwrap();
    grind(&["replay", &with]).assert().code(66);
    let lost = grind(&["replay", &without]).assert().code(2);
    assert!(
        stderr(&lost).contains("--embed-module"),
        "{}",
        stderr(&lost)
    );
}

#[test]
fn another_module_is_named_with_the_recorded_one() {
    let (_directory, path, _) = record(&[], &["wasm/race_counter.wasm"]);
    let assert = grind(&["replay", "--module", "wasm/race_heap.wasm", &path])
        .assert()
        .code(126);
    let text = stderr(&assert);
    let hashes = text
        .split_whitespace()
        .filter(|word| word.trim_end_matches(',').len() == 64);
    assert_eq!(hashes.count(), 2, "{text}");
}

#[test]
fn a_run_under_another_schedule_diverges() {
    let (_a, a, _) = record(&["--seed", "1"], &["wasm/race_counter.wasm"]);
    let (_b, b, _) = record(&["--seed", "2"], &["wasm/race_counter.wasm"]);
    let assert = grind(&["trace", "diff", &a, &b]).assert().code(65);
    assert!(stdout(&assert).contains("the runs part at event"));
    let same = grind(&["trace", "diff", &a, &a]).assert().code(0);
    assert!(stdout(&same).starts_with("the same "));
}

#[test]
fn a_trace_that_cannot_be_written_is_said_before_the_run() {
    let file = "/nonexistent/t.grind";
    let guest = ["wasm/clean_arguments.wasm", "x"];
    let assert = grind(&[&["run", "--trace-file", file], &guest[..]].concat())
        .assert()
        .code(127);
    assert_eq!(stdout(&assert), "");
}

#[test]
fn the_path_can_be_the_value() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("p.grind").display().to_string();
    let flag = format!("--trace={path}");
    grind(&["run", &flag, "wasm/race_counter.wasm"])
        .assert()
        .code(66);
    let info = stdout(&grind(&["trace", "info", &path]).assert().code(0));
    assert!(
        info.contains("Light") && info.contains("exit code    66"),
        "{info}"
    );
}

#[test]
fn stacks_events_and_accesses_can_be_looked_at() {
    let (_directory, path, _) = record(&["--trace=full"], &["wasm/race_counter.wasm"]);
    let dump = stdout(&grind(&["trace", "dump", &path]).assert().code(0));
    let create = dump
        .lines()
        .find(|line| line.contains("thread-create T1"))
        .unwrap();
    let number = create.trim_start_matches('#').split(' ').next().unwrap();
    let at = stdout(&grind(&["replay", "--at", number, &path]).assert().code(0));
    assert!(
        at.contains("thread-create T1") && at.contains("race_counter::main"),
        "{at}"
    );

    let thread = stdout(&grind(&["replay", "--thread", "T1", &path]).assert().code(0));
    assert!(
        thread
            .lines()
            .filter(|line| line.starts_with('#'))
            .all(|line| line.contains(" T1 "))
    );

    let race = dump
        .lines()
        .find(|line| line.contains("T1 write 0x"))
        .unwrap();
    let address = race.split(' ').find(|word| word.starts_with("0x")).unwrap();
    let watch = stdout(
        &grind(&["replay", "--watch", address, "--thread", "1", &path])
            .assert()
            .code(0),
    );
    assert!(watch.contains(&format!("T1 write {address}")), "{watch}");
    assert!(!watch.contains(" T2 "));
}

#[test]
fn a_run_that_is_killed_leaves_a_trace_that_reads() {
    // Enough for several chunks, whenever it is.
    let mut cut = 0;
    for millis in [40, 90, 160, 250, 400] {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("t.grind");
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
        let mut child = std::process::Command::new(snapbox::cmd::cargo_bin!("grind"))
            .current_dir(&programs)
            .args(["run", "--trace=full", "--quiet", "--trace-file"])
            .arg(&path)
            .arg("wasip1-threads/wasm/clean_rayon_sort.wasm")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        let _ = child.kill();
        child.wait().unwrap();
        let path = path.display().to_string();
        let info = grind(&["trace", "info", &path]).assert();
        match info.get_output().status.code() {
            Some(0) if stdout(&info).contains("truncated after") => {
                cut += 1;
                let replay = ["replay", "--no-detect", &path];
                let text = stderr(&grind(&replay).assert().code(67));
                assert!(text.contains("the trace is truncated"), "{text}");
                let allowed = ["replay", "--no-detect", "--allow-truncated", &path];
                grind(&allowed).assert().code(0);
            }
            Some(0) => assert!(stdout(&info).contains("exit code"), "{}", stdout(&info)),
            // Killed before there was a file, or its first chunk.
            code => {
                let text = stderr(&info);
                assert!(matches!(code, Some(126 | 127)), "{text}");
                assert!(
                    ["no such file", "truncated", "not a grind trace"]
                        .iter()
                        .any(|word| text.contains(word)),
                    "{text}"
                );
            }
        }
    }
    assert!(cut > 0, "no run was killed while it wrote");
}

#[test]
fn analyses_agree_with_the_run() {
    let (_race, race, _) = record(&["--trace=full"], &["wasm/race_counter.wasm"]);
    let assert = grind(&["analyze", &race]).assert().code(66);
    assert!(stderr(&assert).contains("data race on 4 bytes"));
    let (_clean, clean, _) = record(&["--trace=full"], &["wasm/norace_counter.wasm"]);
    let assert = grind(&["analyze", &clean]).assert().code(0);
    assert_eq!(stderr(&assert), "grind: no findings\n");
    assert!(
        stdout(&assert).contains("syncp            0 of "),
        "{}",
        stdout(&assert)
    );
}

#[test]
fn what_the_run_showed_is_observed_also_of_a_light_trace() {
    // What ended the run, or what it did besides racing.
    let guests: [(&str, i32, &str); 5] = [
        ("wasm/race_counter.wasm", 66, "observed (hb"),
        ("wasm/deadlock_ab_ba.wasm", 66, "deadlock between T"),
        ("wasm/deadlock_notify_before_wait.wasm", 66, "lost wake-up"),
        ("wat/heap_wat_use_after_free.wat", 66, "use after free"),
        ("wasm/trap_in_thread.wasm", 134, "trap"),
    ];
    for (guest, code, said) in guests {
        for detail in ["--trace=light", "--trace=full"] {
            let (directory, path, first) = record(&[detail, "--seed", "9"], &[guest]);
            first.code(code);
            let json = directory.path().join("r.json").display().to_string();
            let report = format!("json={json}");
            let analyze = ["analyze", "--report", &report, &path];
            let assert = grind(&analyze).assert().code(code);
            let text = stderr(&assert);
            assert!(text.contains(said), "{guest} {detail}: {text}");
            let report: serde_json::Value =
                serde_json::from_str(&fs::read_to_string(json).unwrap()).unwrap();
            let findings = report["findings"].as_array().unwrap();
            let mut prints: Vec<_> = (findings.iter())
                .map(|finding| finding["fingerprint"].as_str().unwrap())
                .collect();
            let all = prints.len();
            assert!(
                code == 134
                    || findings
                        .iter()
                        .any(|one| one["prediction"]["status"] == "observed"),
                "{guest}: {findings:?}"
            );
            prints.sort_unstable();
            prints.dedup();
            assert_eq!(all, prints.len(), "{guest}: each once");
        }
    }
    let (_light, light, _) = record(&["--trace=light"], &["wasm/norace_counter.wasm"]);
    let assert = grind(&["analyze", &light]).assert().code(0);
    assert_eq!(stderr(&assert), "grind: no findings\n");
}

#[test]
fn a_light_trace_whose_module_is_gone_tells_what_its_events_tell() {
    let directory = TempDir::new().unwrap();
    let module = directory.path().join("app.wasm").display().to_string();
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    fs::copy(programs.join("wasm/deadlock_ab_ba.wasm"), &module).unwrap();
    let (_trace, path, first) = record(&["--trace=light", "--seed", "9"], &[&module]);
    first.code(66);
    fs::remove_file(&module).unwrap();
    let text = stderr(&grind(&["analyze", &path]).assert().code(66));
    assert!(
        text.contains("deadlock between T") && text.contains("observed"),
        "{text}"
    );
    assert!(text.contains("races were not looked for"), "{text}");
    let refused = grind(&["analyze", "--analysis", "hb", &path])
        .assert()
        .code(126);
    let said = stderr(&refused);
    let hint = "which hb needs: record with --trace=full, or replay with --trace=full\n";
    assert!(said.ends_with(hint), "{said}");
}

#[test]
fn a_truncated_trace_fails_and_a_corrupt_one_is_refused() {
    let (directory, path, _) = record(&["--trace=full"], &["wasm/norace_counter.wasm"]);
    let whole = fs::read(&path).unwrap();
    let other = directory.path().join("other.grind");
    let other_path = other.display().to_string();
    // Without its last byte the trace has no footer.
    fs::write(&other, &whole[..whole.len() - 1]).unwrap();
    for command in ["replay", "analyze"] {
        let said = stderr(&grind(&[command, &other_path]).assert().code(67));
        assert!(said.contains("truncated"), "{said}");
        let allowed = [command, "--allow-truncated", &other_path];
        let said = stderr(&grind(&allowed).assert().code(0));
        assert!(said.contains("truncated"), "{said}");
    }
    grind(&["replay", "--at", "1", &other_path])
        .assert()
        .code(67);
    // What is recorded of a truncated trace is truncated.
    let again = directory.path().join("again.grind").display().to_string();
    let record = [
        "replay",
        "--trace=full",
        "--trace-file",
        &again,
        &other_path,
    ];
    grind(&record).assert().code(67);
    let info = stdout(&grind(&["trace", "info", &again]).assert().code(0));
    assert!(info.contains("truncated after"), "{info}");
    // The stored length of each chunk, its low byte and its second one.
    let mut at = 12;
    while at < whole.len() {
        for byte in [at + 1, at + 2] {
            let mut bytes = whole.clone();
            bytes[byte] ^= 0x40;
            fs::write(&other, &bytes).unwrap();
            for command in ["replay", "analyze"] {
                let said = stderr(&grind(&[command, &other_path]).assert().code(126));
                assert!(said.contains("corrupt"), "{said}");
            }
        }
        let length = u32::from_le_bytes(whole[at + 1..at + 5].try_into().unwrap());
        at += 13 + length as usize;
    }
}

#[test]
fn analyses_that_need_too_much_memory_are_left_out_and_the_others_go_on() {
    let directory = TempDir::new().unwrap();
    let guest = directory.path().join("pages.wat");
    // Two threads that write the same 16,384 words in turns.
    fs::write(&guest, include_str!("pages.wat")).unwrap();
    let (_trace, path, _) = record(&["--trace=full"], &[&guest.display().to_string()]);
    let all = stdout(&grind(&["analyze", &path]).assert().code(66));
    let few = grind(&["analyze", "--memory", "6MiB", &path])
        .assert()
        .code(66);
    let said = stderr(&few);
    assert!(said.contains("osr was left out after"), "{said}");
    assert!(!said.contains("hb was left out"), "{said}");
    let of = |text: &str, name: &str| -> String {
        let mut lines = text.lines();
        lines
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    assert_eq!(of(&all, "hb"), of(&stdout(&few), "hb"));
    // Not even what is accessed can be remembered.
    let none = grind(&["analyze", "--memory", "1KiB", &path]).assert();
    assert!(
        stderr(&none).contains("hb was left out after 0 events"),
        "{}",
        stderr(&none)
    );
}

#[test]
fn a_run_that_timed_out_replays_as_one_and_a_replay_has_a_time_out_too() {
    let directory = TempDir::new().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let (guest, trace) = (path("loop.wat"), path("t.grind"));
    // With accesses that the trace counts, and without.
    for body in ["", "(i32.store (i32.const 8) (i32.const 1))"] {
        let text =
            format!("(module (memory 1) (func (export \"_start\") (loop $l {body} (br $l))))");
        fs::write(&guest, text).unwrap();
        for detail in ["--trace=light", "--trace=full"] {
            let run = [
                "run",
                "--timeout",
                "500ms",
                detail,
                "--trace-file",
                &trace,
                &guest,
            ];
            grind(&run).assert().code(124);
            for timeout in ["20ms", "1h"] {
                let replay = ["replay", "--timeout", timeout, &trace];
                let said = stderr(&grind(&replay).assert().code(124));
                assert!(
                    said.contains("stopped: the time-out"),
                    "{body} {detail}: {said}"
                );
            }
        }
    }
    // Half a second of accesses takes seconds to analyse: that ends early too, in the first reading.
    let analyze = ["analyze", "--timeout", "20ms", &trace];
    let said = stderr(&grind(&analyze).assert().code(0));
    assert!(
        said.contains("stopped before the end of the trace"),
        "{said}"
    );
    grind(&["replay", "--timeout", "0", &trace])
        .assert()
        .code(2);
    let (_directory, short, _) = record(&["--trace=full"], &["wasm/race_counter.wasm"]);
    grind(&["analyze", "--timeout", "1m", &short])
        .assert()
        .code(66);
}

#[test]
fn code_scanning_keeps_the_results_of_each_command() {
    let (directory, path, _) = record(&["--trace=full"], &["wasm/race_counter.wasm"]);
    let target = |name: &str| directory.path().join(name).display().to_string();
    for (command, input) in [
        ("run", "wasm/race_counter.wasm"),
        ("replay", &path),
        ("analyze", &path),
    ] {
        let (json, sarif) = (target("r.json"), target("r.sarif"));
        let reports = [format!("json={json}"), format!("sarif={sarif}")];
        let arguments = [
            command,
            "--report",
            &reports[0],
            "--report",
            &reports[1],
            input,
        ];
        grind(&arguments).assert().code(66);
        let sarif = fs::read_to_string(sarif).unwrap();
        let id = format!("\"id\": \"grind/{command}/race_counter/\"");
        assert!(sarif.contains(&id), "{command}: {sarif}");
        // A stored report goes on being what it was.
        let converted = grind(&["report", "--format", "sarif", &json])
            .assert()
            .code(0);
        assert_eq!(stdout(&converted), sarif);
    }
}

#[test]
fn a_deadlock_that_did_not_happen_is_predicted() {
    let (_directory, path, first) = record(&["--trace=light"], &["wasm/inversion_ab_ba.wasm"]);
    first.code(66);
    let assert = grind(&["analyze", "--analysis", "deadlock", &path]).assert();
    assert!(stdout(&assert).contains("deadlock"), "{}", stdout(&assert));
    let (_gate, gate, _) = record(&["--trace=light"], &["wasm/noinversion_gate.wasm"]);
    let assert = grind(&["analyze", "--analysis", "deadlock", &gate])
        .assert()
        .code(0);
    assert!(
        stdout(&assert).contains("deadlock         0 of "),
        "{}",
        stdout(&assert)
    );
}

#[test]
fn foreign_traces_come_in_and_go_out() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| -> PathBuf { directory.path().join(name) };
    let text = |name: &str| at(name).display().to_string();
    // What the second section reads nobody wrote, so that it can come before the first.
    let lines = "A|fork(B)|1\nA|w(x)|2\nA|acq(l)|3\nA|w(y)|4\nA|rel(l)|5\nB|acq(l)|6\nB|r(z)|7\nB|rel(l)|8\nB|w(x)|9\nA|join(B)|10\n";
    fs::write(at("in.std"), lines).unwrap();
    let (from, grind_file) = (text("in.std"), text("t.grind"));
    grind(&[
        "trace",
        "import",
        "--format",
        "std",
        "-o",
        &grind_file,
        &from,
    ])
    .assert()
    .code(0);
    let assert = grind(&["analyze", "--analysis", "hb,syncp", &grind_file])
        .assert()
        .code(66);
    let summary = stdout(&assert);
    assert!(summary.contains("hb               0 of"), "{summary}");
    assert!(summary.contains("syncp            1 of"), "{summary}");
    for (format, file) in [("std", "out.std"), ("rapidbin", "out.bin")] {
        let (out, back) = (text(file), text("back.grind"));
        grind(&[
            "trace",
            "export",
            "--format",
            format,
            "-o",
            &out,
            &grind_file,
        ])
        .assert()
        .code(0);
        grind(&["trace", "import", "--format", format, "-o", &back, &out])
            .assert()
            .code(0);
        let again = grind(&["analyze", "--analysis", "hb,syncp", &back])
            .assert()
            .code(66);
        assert_eq!(stdout(&again), summary, "{format}");
    }
    fs::write(at("bad.std"), "A|fork(B)|1\nA|x(y)|2\n").unwrap();
    let bad = text("bad.std");
    let assert = grind(&[
        "trace",
        "import",
        "--format",
        "std",
        "-o",
        &grind_file,
        &bad,
    ])
    .assert()
    .code(126);
    assert!(
        stderr(&assert).contains("line 2: one of r, w"),
        "{}",
        stderr(&assert)
    );
}

#[test]
fn exports_are_what_they_say() {
    let (directory, path, _) = record(&["--trace=full"], &["wasm/race_counter.wasm"]);
    let chrome = directory.path().join("t.json").display().to_string();
    grind(&[
        "trace", "export", "--format", "chrome", "-o", &chrome, &path,
    ])
    .assert()
    .code(0);
    let json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(chrome).unwrap()).unwrap();
    let events = json["traceEvents"].as_array().unwrap();
    let phase = |wanted: &str| events.iter().filter(|event| event["ph"] == wanted).count();
    assert!(phase("X") > 0 && phase("M") >= 4);
    assert_eq!(phase("B"), phase("E"));
    assert!(phase("s") >= 4, "two creations and two joins");
    assert_eq!(phase("s"), phase("f"));

    let lines = stdout(
        &grind(&["trace", "export", "--format", "jsonl", &path])
            .assert()
            .code(0),
    );
    let parsed: Vec<serde_json::Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(parsed.first().unwrap()["type"], "header");
    assert_eq!(parsed.last().unwrap()["complete"], true);
    assert!(
        parsed
            .iter()
            .any(|line| line["type"] == "access" && line["write"] == true)
    );
}

#[test]
fn a_page_has_the_timeline_of_its_trace() {
    let (directory, path, _) = record(&["--trace=full"], &["wasm/race_counter.wasm"]);
    let page = directory.path().join("r.html").display().to_string();
    grind(&["replay", "--report", &format!("html={page}"), &path])
        .assert()
        .code(66);
    let text = fs::read_to_string(&page).unwrap();
    let (_, rest) = text.split_once(r#"{"unit":"events""#).expect("a timeline");
    let (data, _) = rest.split_once("</script>").unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&format!(r#"{{"unit":"events"{data}"#)).unwrap();
    let list = |name: &str| json[name].as_array().unwrap();
    assert_eq!(list("lanes").len(), 3);
    assert!(list("slices").iter().any(|slice| slice["what"] == "run"));
    let kinds: Vec<&str> = list("arrows")
        .iter()
        .filter_map(|arrow| arrow["what"].as_str())
        .collect();
    assert!(
        kinds.contains(&"spawn") && kinds.contains(&"join"),
        "{kinds:?}"
    );
    let marks: Vec<u64> = list("marks")
        .iter()
        .filter_map(|mark| mark["number"].as_u64())
        .collect();
    assert_eq!(marks[..2], [1, 2]);
}

#[test]
fn bad_traces_are_refused_by_what_is_wrong() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("x.grind");
    let file = path.display().to_string();
    let refused = |bytes: &[u8], code: i32, word: &str| {
        fs::write(&path, bytes).unwrap();
        for command in ["replay", "analyze"] {
            let assert = grind(&[command, &file]).assert().code(code);
            assert!(stderr(&assert).contains(word), "{}", stderr(&assert));
        }
    };
    refused(b"", 126, "not a grind trace");
    refused(b"\0asm\x01\0\0\0", 126, "not a grind trace");
    refused(
        b"GRINDTRC\x09\0\0\0",
        126,
        "format 9.0, this grind reads 1.",
    );
    refused(b"GRINDTRC\x01\0\0\0", 126, "truncated within its header");
    let assert = grind(&["replay", "/nonexistent/t.grind"])
        .assert()
        .code(127);
    assert!(stderr(&assert).contains("no such file"));
    grind(&["replay", "--watch", "zero", &file])
        .assert()
        .code(2);
}

#[test]
fn the_trace_of_a_host_replays_without_it() {
    const GUEST: &str = r#"(module
        (import "host" "number" (func $number (param i32) (result i32)))
        (memory 1 1 shared)
        (func (export "write") (param i32)
            (i32.store (i32.const 64) (call $number (local.get 0)))))"#;
    let number = HostImport::wrap("host", "number", |_, (number,): (i32,)| Ok(number + 1));
    let options = ProgramOptions::default().imports(vec![number]);
    let program = Program::with_options(&wat::parse_str(GUEST).unwrap(), options).unwrap();
    let directory = TempDir::new().unwrap();
    for joins_first in [false, true] {
        let path = directory.path().join("host.grind");
        let out = fs::File::create(&path).unwrap();
        let options = RunOptions::seeded(2);
        let runtime = ThreadRuntime::record(&program, options, NullIo, out).unwrap();
        for number in 0..2 {
            let thread = runtime.spawn("write", [Value::I32(number)]).unwrap();
            if joins_first {
                thread.join().unwrap();
            }
        }
        let last = runtime.spawn("write", [Value::I32(3)]).unwrap();
        last.join().unwrap();
        runtime.finish().unwrap();
        let path = path.display().to_string();
        let assert = grind(&["replay", &path]).assert();
        match joins_first {
            true => assert.code(0),
            false => {
                let assert = assert.code(66);
                assert!(stderr(&assert).contains("data race"));
                assert
            }
        };
        grind(&["trace", "info", &path]).assert().success();
    }
}
