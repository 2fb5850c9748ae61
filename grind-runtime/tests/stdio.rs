//! Standard streams that a host gives its guests. Those of the process are tested by the command line's suites, which uses them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::host::{CAPTURE_LIMIT, InputStream, OutputStream, Stdio};
use grind_runtime::machine::io::{Answer, Call, Node, Position};
use grind_runtime::{HostIo, Outcome, Program, RunOptions, run};

/// Reads up to 16 bytes at a time, and writes each portion to both outputs, until the input is at its end.
const ECHO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1 1 shared)
    (func $output (param $stream i32)
        (i32.store (i32.const 8) (i32.const 64))
        (i32.store (i32.const 12) (i32.load (i32.const 16)))
        (if (call $write (local.get $stream) (i32.const 8) (i32.const 1) (i32.const 20))
            (then unreachable))
        ;; The guest is told that all of it was written.
        (if (i32.ne (i32.load (i32.const 20)) (i32.load (i32.const 16))) (then unreachable)))
    (func (export "_start")
        (loop $again
            (i32.store (i32.const 0) (i32.const 64))
            (i32.store (i32.const 4) (i32.const 16))
            (if (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16))
                (then unreachable))
            (call $output (i32.const 1))
            (call $output (i32.const 2))
            (br_if $again (i32.load (i32.const 16))))))"#;

fn echo(stdio: Stdio) -> Outcome<Stdio> {
    let program = Program::new(&wat::parse_str(ECHO).unwrap()).unwrap();
    let outcome = run(&program, RunOptions::seeded(1), stdio).unwrap();
    assert_eq!(outcome.exit_code(), 0);
    outcome
}

fn write(stdio: &mut Stdio, node: Node, bytes: &[u8]) -> Answer {
    let position = Position::Stream;
    let call = Call::Write {
        node,
        position,
        bytes,
    };
    stdio.call(&call).unwrap()
}

#[test]
fn what_is_captured_is_what_the_guest_wrote_and_its_input_what_was_given() {
    let text = "twenty bytes of text";
    let outcome = echo(Stdio::capture().stdin(text));
    assert_eq!(outcome.io.captured_stdout().text(), text);
    assert_eq!(outcome.io.captured_stderr().text(), text);
    assert_eq!(outcome.io.captured_stdout().dropped, 0);

    let outcome = echo(Stdio::capture().stdin(vec![0xff, b'a']));
    assert_eq!(outcome.io.captured_stdout().bytes, [0xff, b'a']);
    assert_eq!(outcome.io.captured_stdout().text(), "\u{fffd}a");
    assert_eq!(
        echo(Stdio::capture()).io.captured_stdout().bytes,
        [0_u8; 0],
        "without input there is nothing to write"
    );
}

#[test]
fn each_stream_is_as_it_was_asked_for_and_bounded_by_its_own_limit() {
    let stdio = Stdio::null()
        .stdin("twenty bytes of text")
        .stderr(OutputStream::Capture { limit: 17 });
    let outcome = echo(stdio);
    let (stdout, stderr) = (outcome.io.captured_stdout(), outcome.io.captured_stderr());
    assert_eq!((stdout.text().as_ref(), stdout.dropped), ("", 0));
    assert_eq!(
        (stderr.text().as_ref(), stderr.dropped),
        ("twenty bytes of t", 3)
    );

    let nothing = echo(
        Stdio::capture()
            .stdin("a")
            .stdout(OutputStream::Capture { limit: 0 }),
    );
    let stdout = nothing.io.captured_stdout();
    assert_eq!((stdout.bytes.len(), stdout.dropped), (0, 1));
    assert_eq!(nothing.io.captured_stderr().text(), "a");
}

#[test]
fn beyond_the_limit_bytes_are_counted_and_take_no_memory() {
    let mut stdio = Stdio::capture();
    let chunk = vec![b'x'; 1000];
    for _ in 0..2000 {
        assert_eq!(write(&mut stdio, Node::STDOUT, &chunk), Answer::Done);
    }
    let stdout = stdio.captured_stdout();
    assert_eq!(stdout.bytes.len(), CAPTURE_LIMIT);
    assert_eq!(stdout.dropped, 2_000_000 - CAPTURE_LIMIT as u64);
    assert_eq!(stdio.captured_stderr().bytes, [0_u8; 0]);
}

#[test]
fn input_that_is_given_never_keeps_a_reader_waiting() {
    for stdin in [InputStream::Null, InputStream::from("a")] {
        let mut stdio = Stdio::null().stdin(stdin);
        let poll = Call::Poll {
            node: Node::STDIN,
            nanoseconds: u64::MAX,
        };
        assert_eq!(stdio.call(&poll), Ok(Answer::Done));
    }
}
