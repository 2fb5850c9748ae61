//! Guests in Rust, in a directory of their own.

use super::{guest, names, options, output, run};
use grind_runtime::machine::BufferIo;
use grind_runtime::model::{Ending, RunSpec};
use grind_runtime::session::{self, RunOptions};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

#[test]
fn std_finds_files_as_it_expects_them() {
    let work = TempDir::new().unwrap();
    let outcome = run(&guest("files"), options(work.path()));
    assert_eq!(output(&outcome), "files: ok\n");
    assert_eq!(names(work.path()), [""; 0].map(PathBuf::from));
}

#[test]
fn every_call_and_its_errors() {
    let work = TempDir::new().unwrap();
    let outcome = run(&guest("calls"), options(work.path()));
    assert_eq!(output(&outcome), "calls: ok\n");
    assert_eq!(names(work.path()), [""; 0].map(PathBuf::from));
}

#[test]
fn arguments_environment_streams_and_clocks() {
    let options = RunOptions::from(
        RunSpec::default()
            .args(["guest", "a b", ""].map(|arg| arg.into()).to_vec())
            .env(["X=1", "LONG=a=b"].map(|arg| arg.into()).to_vec()),
    );
    let io = BufferIo {
        stdin: b"one\ntwo".iter().copied().collect(),
        ..BufferIo::default()
    };
    let outcome = session::run(&guest("process"), options, io).unwrap();
    assert_eq!(outcome.ending, Ending::Exited(7));
    assert_eq!(
        String::from_utf8(outcome.io.stdout).unwrap(),
        "args: [\"guest\", \"a b\", \"\"]\nenv: [(\"LONG\", \"a=b\"), (\"X\", \"1\")]\n\
         line: one\nline: two\nbegan: 1704067200\n"
    );
    assert_eq!(outcome.io.stderr, b"to standard error\n");
}

#[test]
fn without_a_directory_there_are_no_files() {
    let outcome = run(&guest("files"), RunOptions::default());
    assert_eq!(outcome.ending, Ending::Trapped);
    let said = String::from_utf8(outcome.io.stderr).unwrap();
    assert!(said.contains("kind: NotFound"), "{said}");
}

/// The expected ends of all attempts, in `escapes.txt`; what matters most is asserted besides.
#[test]
#[cfg(unix)]
fn nothing_leads_out_of_a_directory() {
    use std::os::unix::fs::symlink;
    let outside = TempDir::new().unwrap();
    let work = outside.path().join("work");
    fs::create_dir_all(work.join("sub")).unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    fs::write(work.join("inside"), "inside").unwrap();
    let links = [
        (outside.path().join("secret"), "absolute"),
        ("../secret".into(), "relative"),
        ("relative".into(), "chain"),
        ("../..".into(), "sub/up"),
        ("..".into(), "up"),
        ("loop".into(), "loop"),
        ("../new".into(), "dangling"),
        ("sub/../inside".into(), "good"),
    ];
    for (target, link) in links {
        symlink(target, work.join(link)).unwrap();
    }
    let before = fs::metadata(outside.path().join("secret")).unwrap();

    let outcome = run(&guest("escapes"), options(&work));
    let said = output(&outcome);
    assert_eq!(said, include_str!("escapes.txt"));
    // Names in which a step outside is certain: none of them may be fine.
    for line in said.lines() {
        let (attempt, errno) = line.split_once(": ").unwrap();
        let (what, path) = attempt.split_once(' ').unwrap();
        let out = path.starts_with("..") || path.starts_with('/') || path.contains("up/");
        if out && what != "symlink-up" {
            assert_eq!(errno, "PERM", "{attempt}");
        }
    }
    assert_eq!(names(outside.path()), ["secret", "work"].map(PathBuf::from));
    let after = fs::metadata(outside.path().join("secret")).unwrap();
    assert_eq!(before.modified().unwrap(), after.modified().unwrap());
    assert_eq!(fs::read(outside.path().join("secret")).unwrap(), b"secret");
    assert_eq!(fs::read(work.join("inside")).unwrap(), b"inside");
}
