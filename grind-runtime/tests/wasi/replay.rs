//! The second pass: the same events, and nothing happens to the host.

use super::{guest, options, run, text};
use grind_runtime::detect::Diagnosis;
use grind_runtime::machine::io::HostIo;
use grind_runtime::machine::{self, BufferIo, MachineConfig, RunResult, RunStats};
use grind_runtime::model::{Ending, EventHash, RunSpec};
use grind_runtime::program::Program;
use grind_runtime::schedule::Random;
use grind_runtime::session::{Files, Inputs, Player, Preopen, Recorder};
use std::any::Any;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

pub(crate) fn pass(program: &Program, seed: u64, io: Box<dyn HostIo>) -> (Seen, Box<dyn HostIo>) {
    let config = MachineConfig::new(
        Box::new(Random::new(seed)),
        Box::new(EventHash::default()),
        io,
    )
    .spec(
        RunSpec::default()
            .preopens(vec![b"/work".to_vec()])
            .args(vec![b"guest".to_vec()]),
    );
    let RunResult {
        ending,
        stats,
        sink,
        io,
        ..
    } = machine::run(program, config).unwrap();
    let sink: Box<dyn Any> = sink;
    (
        Seen {
            ending,
            stats,
            events: *sink.downcast().unwrap(),
        },
        io,
    )
}

#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) ending: Ending,
    stats: RunStats,
    events: EventHash,
}

pub(crate) fn record(program: &Program, seed: u64, work: &Path) -> (Seen, Inputs) {
    let preopens = [Preopen::open(work, "/work").unwrap()];
    let files = Files::new(Box::new(BufferIo::default()), &preopens);
    let (seen, io) = pass(program, seed, Box::new(Recorder::new(Box::new(files))));
    let io: Box<dyn Any> = io;
    (seen, io.downcast::<Recorder>().unwrap().finish().1)
}

#[test]
fn a_recorded_run_is_the_same_where_there_are_no_files() {
    for name in ["files", "calls", "escapes"] {
        for seed in [1, 2] {
            let work = TempDir::new().unwrap();
            fs::create_dir(work.path().join("sub")).unwrap();
            if name != "escapes" {
                fs::remove_dir(work.path().join("sub")).unwrap();
            }
            let (first, inputs) = record(&guest(name), seed, work.path());
            drop(work);
            assert!(matches!(first.ending, Ending::Returned), "{first:?}");
            // As a file would hold them.
            let stored = postcard::to_stdvec(&inputs).unwrap();
            let inputs: Inputs = postcard::from_bytes(&stored).unwrap();
            let (second, _) = pass(&guest(name), seed, Box::new(Player::new(inputs)));
            assert_eq!(first, second, "{name}, seed {seed}");
            assert!(first.events.events_seen() > 100, "{name}");
        }
    }
}

#[test]
fn other_inputs_are_another_run() {
    let program = text(&racer(""));
    let (empty, full) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::write(full.path().join("log"), "0123456789").unwrap();
    let (first, _) = record(&program, 0, empty.path());
    let (second, _) = record(&program, 0, full.path());
    assert_ne!(first.events, second.events);
}

/// Appends a line to `log`, makes the directory `d`, reads `big` as often as it is told, unlinks `old`; traps
/// unless each of that succeeds. Then two threads race.
fn racer(reads: &str) -> String {
    format!(
        r#"(module
    (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
    (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_pread" (func $pread (param i32 i32 i32 i64 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_filestat_get" (func $stat (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "path_unlink_file" (func $unlink (param i32 i32 i32) (result i32)))
    (import "env" "memory" (memory 300 300 shared))
    (data (i32.const 1024) "log d old big line\n")
    (data (i32.const 1064) "\0e\04\00\00\05\00\00\00")
    (data (i32.const 1072) "\00\00\01\00\00\00\00\01")
    (func $race (i32.store (i32.const 512) (i32.const 1)))
    (func $ok (param i32) (if (local.get 0) (then (unreachable))))
    (func (export "thread_start") (param i32) (call $race))
    (func $read
      (call $ok (call $open (i32.const 3) (i32.const 0) (i32.const 1034) (i32.const 3) (i32.const 0)
        (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 524)))
      (call $ok (call $pread (i32.load (i32.const 524)) (i32.const 1072) (i32.const 1) (i64.const 0)
        (i32.const 528))))
    (func (export "_start") (local $i i32)
      (call $ok (call $open (i32.const 3) (i32.const 0) (i32.const 1024) (i32.const 3) (i32.const 1)
        (i64.const 0x200040) (i64.const 0) (i32.const 1) (i32.const 520)))
      (call $ok (call $write (i32.load (i32.const 520)) (i32.const 1064) (i32.const 1) (i32.const 528)))
      (call $ok (call $stat (i32.load (i32.const 520)) (i32.const 2048)))
      ;; What follows depends on the size of the file.
      (local.set $i (i32.wrap_i64 (i64.load (i32.const 2080))))
      (loop $more
        (i32.store8 (i32.const 4000) (local.get $i))
        (br_if $more (i32.gt_s (local.tee $i (i32.sub (local.get $i) (i32.const 1))) (i32.const 0))))
      (call $ok (call $mkdir (i32.const 3) (i32.const 1028) (i32.const 1)))
      {reads}
      (call $ok (call $create (i32.const 516) (i32.const 0)))
      (call $race)
      (call $ok (call $join (i32.load (i32.const 516))))))"#
    )
}

fn stacks(outcome: &grind_runtime::session::Outcome<BufferIo>) -> (usize, usize) {
    let [found] = &outcome.analysis.diagnoses[..] else {
        panic!("{:?}", outcome.analysis.diagnoses);
    };
    match &found.diagnosis {
        Diagnosis::DataRace { first, second, .. } => (first.stack.len(), second.stack.len()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_a_guest_does_to_files_happens_once() {
    let work = TempDir::new().unwrap();
    fs::write(work.path().join("old"), "old").unwrap();
    let unlink = "(call $ok (call $unlink (i32.const 3) (i32.const 1030) (i32.const 3)))";
    let outcome = run(&text(&racer(unlink)), options(work.path()));
    assert_eq!(outcome.ending, Ending::Returned);
    // Both: the second pass came as far as the race, through calls that cannot succeed twice.
    let (first, second) = stacks(&outcome);
    assert!(first > 0 && second > 0);
    assert_eq!(outcome.warnings, [""; 0]);
    assert_eq!(fs::read(work.path().join("log")).unwrap(), b"line\n");
    assert!(work.path().join("d").is_dir());
    assert!(!work.path().join("old").exists());
}

#[test]
fn too_much_input_costs_stacks_but_no_finding() {
    let work = TempDir::new().unwrap();
    let big = fs::File::create(work.path().join("big")).unwrap();
    big.set_len(16 << 20).unwrap();
    let three = text(&racer(&"(call $read)".repeat(3)));
    let (first, second) = stacks(&run(&three, options(work.path())));
    assert!(first > 0 && second > 0, "what fits is kept");

    fs::remove_dir(work.path().join("d")).unwrap();
    let five = text(&racer(&"(call $read)".repeat(5)));
    let outcome = run(&five, options(work.path()));
    let (first, second) = stacks(&outcome);
    assert!(first == 0 && second > 0);
    assert!(
        outcome.warnings[0].contains("64 MiB"),
        "{:?}",
        outcome.warnings
    );
}
