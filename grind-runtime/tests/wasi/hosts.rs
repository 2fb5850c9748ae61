//! Hosts of other kinds: full, failing, lying; and modules that declare WASI wrongly.

use super::{guest, options, output, run, text};
use grind_runtime::machine::io::{Answer, Call, Errno, FileKind, HostIo};
use grind_runtime::machine::{self, BufferIo, MachineConfig};
use grind_runtime::model::{Ending, EventHash, RunSpec};
use grind_runtime::program::Program;
use grind_runtime::schedule::Random;
use grind_runtime::session::{self, Files, Preopen, RunOptions};
use tempfile::TempDir;

/// Opens `/work/full` for writing and exits with what a write of 4 bytes comes to.
const WRITER: &str = r#"(module
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 1)
    (data (i32.const 8) "full")
    (data (i32.const 16) "\08\00\00\00\04\00\00\00")
    (func (export "_start")
      (if (call $open (i32.const 3) (i32.const 0) (i32.const 8) (i32.const 4) (i32.const 0)
            (i64.const 0x40) (i64.const 0) (i32.const 0) (i32.const 32))
        (then (unreachable)))
      (call $exit (call $write (i32.load (i32.const 32)) (i32.const 16) (i32.const 1) (i32.const 40)))))"#;

/// Every file is there, and answers one call as it is told to.
struct Told {
    kind: FileKind,
    answer: Result<Answer, Errno>,
}

impl HostIo for Told {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        match call {
            Call::Open { .. } => Ok(Answer::Opened(self.kind)),
            _ => self.answer.clone(),
        }
    }
}

fn write_to(kind: FileKind, answer: Result<Answer, Errno>) -> Ending {
    let config = MachineConfig::new(
        Box::new(Random::new(0)),
        Box::new(EventHash::default()),
        Box::new(Told { kind, answer }),
    )
    .spec(RunSpec::default().preopens(vec![b"/work".to_vec()]));
    machine::run(&text(WRITER), config).unwrap().ending
}

#[test]
fn errors_of_the_host_reach_the_guest_by_name() {
    for errno in [Errno::Nospc, Errno::Dquot, Errno::Io, Errno::Pipe] {
        let ending = write_to(FileKind::Regular, Err(errno));
        assert_eq!(ending, Ending::Exited(errno as i32));
    }
    let done = write_to(FileKind::Regular, Ok(Answer::Done));
    assert_eq!(done, Ending::Exited(0));
}

#[test]
fn an_answer_of_the_wrong_kind_is_an_error_of_the_host() {
    for kind in [FileKind::Regular, FileKind::CharacterDevice] {
        let ending = write_to(kind, Ok(Answer::Bytes(vec![1; 1000])));
        assert_eq!(ending, Ending::Exited(Errno::Io as i32));
        let more = Answer::Written {
            len: u32::MAX,
            end: u64::MAX,
        };
        assert_eq!(write_to(kind, Ok(more)), Ending::Exited(0));
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_device_is_full() {
    let options = RunOptions::default().directory(Preopen::open("/dev", "/work").unwrap());
    let ending = run(&text(WRITER), options).ending;
    assert_eq!(ending, Ending::Exited(Errno::Nospc as i32));
}

/// A pipe that nobody reads would hold the run up for ever.
#[test]
#[cfg(unix)]
fn a_pipe_without_a_reader_does_not_block() {
    let work = TempDir::new().unwrap();
    let made = std::process::Command::new("mkfifo")
        .arg(work.path().join("full"))
        .status();
    assert!(made.unwrap().success());
    let outcome = run(&text(WRITER), options(work.path()));
    // The guest's `unreachable`: the file could not be opened.
    assert_eq!(outcome.ending, Ending::Trapped);
}

#[test]
fn what_cannot_be_opened_is_said_before_the_run() {
    let work = TempDir::new().unwrap();
    let missing = Preopen::open(work.path().join("missing"), "/work").unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    std::fs::write(work.path().join("file"), "").unwrap();
    let file = Preopen::open(work.path().join("file"), "/work").unwrap_err();
    assert_eq!(file.kind(), std::io::ErrorKind::NotADirectory);
}

#[test]
fn several_directories_are_apart() {
    let (a, b) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    std::fs::write(b.path().join("full"), "").unwrap();
    let preopen = |dir: &TempDir, name: &str| Preopen::open(dir.path(), name).unwrap();
    let with = |directories: Vec<Preopen>| {
        (directories.into_iter()).fold(RunOptions::default(), RunOptions::directory)
    };
    // The guest takes the first.
    let first = run(
        &text(WRITER),
        with(vec![preopen(&b, "/b"), preopen(&a, "/a")]),
    );
    assert_eq!(first.ending, Ending::Exited(0));
    assert_eq!(std::fs::read(b.path().join("full")).unwrap(), b"full");
    let second = run(
        &text(WRITER),
        with(vec![preopen(&a, "/a"), preopen(&b, "/b")]),
    );
    assert_eq!(second.ending, Ending::Trapped);

    // std takes the one with the longest prefix.
    let both = with(vec![preopen(&b, "/work"), preopen(&a, "/")]);
    std::fs::remove_file(b.path().join("full")).unwrap();
    assert_eq!(output(&run(&guest("files"), both)), "files: ok\n");
}

#[test]
fn streams_can_be_had_back() {
    let io = BufferIo {
        stdout: b"kept".to_vec(),
        ..BufferIo::default()
    };
    let files = Files::new(Box::new(io), &[]);
    let streams: Box<dyn std::any::Any> = files.into_streams();
    assert_eq!(streams.downcast::<BufferIo>().unwrap().stdout, b"kept");
}

#[test]
fn a_wrong_type_is_named_with_the_right_one() {
    let wrong = wat::parse_str(
        r#"(module
            (import "wasi_snapshot_preview1" "path_open" (func (param i32) (result i32)))
            (import "wasi_snapshot_preview1" "path_opn" (func))
            (func (export "_start")))"#,
    );
    let error = Program::new(&wrong.unwrap()).err().unwrap().to_string();
    assert!(error.contains("path_open"), "{error}");
    let right = "grind provides it as (i32, i32, i32, i32, i32, i64, i64, i32, i32) -> i32";
    assert!(error.contains(right), "{error}");
    assert!(error.contains("did you mean `path_open`"), "{error}");
}

#[test]
fn signals_end_the_process() {
    let raise = |signal: i32| {
        let wat = format!(
            r#"(module
                (import "wasi_snapshot_preview1" "proc_raise" (func $raise (param i32) (result i32)))
                (func (export "_start") (drop (call $raise (i32.const {signal})))))"#
        );
        session::run(&text(&wat), RunOptions::default(), BufferIo::default())
            .unwrap()
            .ending
    };
    assert_eq!(raise(6), Ending::Exited(134));
    assert_eq!(raise(15), Ending::Exited(143));
    assert_eq!(raise(16), Ending::Returned);
}
