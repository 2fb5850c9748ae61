//! The process as a WASI preview-1 host sees it.

use core::convert::Infallible;
use core::fmt::{Arguments, Debug};
use core::mem::MaybeUninit;
use std::env::VarError;
use std::ffi::OsString;
use std::panic::PanicHookInfo;
use std::process::ExitCode;
use std::vec;

use crate::thread;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn args_sizes_get(count_out: *mut usize, bytes_out: *mut usize) -> i32;
    fn args_get(pointers_out: *mut *mut u8, bytes_out: *mut u8) -> i32;
    fn environ_sizes_get(count_out: *mut usize, bytes_out: *mut usize) -> i32;
    fn environ_get(pointers_out: *mut *mut u8, bytes_out: *mut u8) -> i32;
    fn fd_write(fd: i32, parts: *const Part, count: usize, written_out: *mut usize) -> i32;
    fn proc_exit(code: i32) -> !;
}

const STDOUT: i32 = 1;
const STDERR: i32 = 2;

/// `ciovec` of WASI preview 1.
#[repr(C)]
struct Part {
    start: *const u8,
    len: usize,
}

type SizesGet = unsafe extern "C" fn(*mut usize, *mut usize) -> i32;
type StringsGet = unsafe extern "C" fn(*mut *mut u8, *mut u8) -> i32;

/// The strings of an `args`- or `environ`-like pair of calls, without their final NULs.
///
/// # Safety
///
/// The two must be such a pair: `get` writes as many pointers and bytes as `sizes_get` announced.
unsafe fn strings(sizes_get: SizesGet, get: StringsGet) -> Vec<Vec<u8>> {
    let (mut count, mut bytes) = (0, 0);
    // SAFETY: both point to a writable word.
    let errno = unsafe { sizes_get(&mut count, &mut bytes) };
    if errno != 0 || count == 0 {
        return Vec::new();
    }
    let mut pointers = vec![core::ptr::null_mut::<u8>(); count];
    let mut buffer = vec![0_u8; bytes];
    // SAFETY: both have the length the host asked for.
    let errno = unsafe { get(pointers.as_mut_ptr(), buffer.as_mut_ptr()) };
    if errno != 0 {
        return Vec::new();
    }
    let base = buffer.as_ptr().addr();
    pointers
        .into_iter()
        .filter_map(|pointer| buffer.get(pointer.addr().checked_sub(base)?..))
        .map(|rest| {
            rest.split(|&byte| byte == 0)
                .next()
                .unwrap_or(rest)
                .to_vec()
        })
        .collect()
}

/// The arguments of the program; made by [`args`](crate::process::args).
#[derive(Debug)]
#[must_use = "iterators do nothing unless consumed"]
pub struct Args {
    rest: vec::IntoIter<String>,
}

impl Iterator for Args {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.rest.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rest.size_hint()
    }
}

impl ExactSizeIterator for Args {}

impl DoubleEndedIterator for Args {
    fn next_back(&mut self) -> Option<String> {
        self.rest.next_back()
    }
}

pub(crate) fn args() -> Args {
    // SAFETY: the pair that belongs together.
    let args = unsafe { strings(args_sizes_get, args_get) };
    let args: Vec<String> = args
        .into_iter()
        .map(|arg| match String::from_utf8(arg) {
            Ok(arg) => arg,
            // Not `expect`: a guest would have to carry the formatting of the error.
            Err(_) => panic!("an argument is not UTF-8"),
        })
        .collect();
    Args {
        rest: args.into_iter(),
    }
}

pub(crate) fn var(name: &str) -> Result<String, VarError> {
    // SAFETY: the pair that belongs together.
    let environ = unsafe { strings(environ_sizes_get, environ_get) };
    let value = environ
        .into_iter()
        .find_map(|entry| {
            let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
            Some(value.to_vec())
        })
        .ok_or(VarError::NotPresent)?;
    String::from_utf8(value).map_err(|error| {
        // `OsString` is UTF-8 on this target, so the bytes cannot be handed on as they are.
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        VarError::NotUnicode(OsString::from(text))
    })
}

/// Writes all of `bytes`; the error is WASI's.
fn write(fd: i32, mut bytes: &[u8]) -> Result<(), i32> {
    while !bytes.is_empty() {
        let part = Part {
            start: bytes.as_ptr(),
            len: bytes.len(),
        };
        let mut written = MaybeUninit::uninit();
        // SAFETY: one part is passed, it describes `bytes`, and the last pointer is to a writable word.
        let errno = unsafe { fd_write(fd, &part, 1, written.as_mut_ptr()) };
        if errno != 0 {
            return Err(errno);
        }
        // SAFETY: the host wrote the count, for it reported success.
        let written = unsafe { written.assume_init() };
        bytes = bytes.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// Formats first and writes once, so that lines of two threads do not mix.
fn write_fmt(fd: i32, text: Arguments<'_>) -> Result<(), i32> {
    match text.as_str() {
        Some(text) => write(fd, text.as_bytes()),
        None => write(fd, std::fmt::format(text).as_bytes()),
    }
}

#[doc(hidden)]
pub fn __print(text: Arguments<'_>) {
    if let Err(errno) = write_fmt(STDOUT, text) {
        panic!("failed printing to stdout: errno {errno}");
    }
}

#[doc(hidden)]
pub fn __eprint(text: Arguments<'_>) {
    if let Err(errno) = write_fmt(STDERR, text) {
        panic!("failed printing to stderr: errno {errno}");
    }
}

/// Ends the run, all threads included, with this exit code.
pub fn exit(code: i32) -> ! {
    // SAFETY: the call has no precondition.
    unsafe { proc_exit(code) }
}

/// What `main` may return, as [`std::process::Termination`].
///
/// std's own trait would do, if it did not print an `Err` to a standard error that goes nowhere on
/// this target.
pub trait Termination {
    /// The exit code, after telling standard error of a failure.
    fn report(self) -> ExitCode;
}

impl Termination for () {
    fn report(self) -> ExitCode {
        ExitCode::SUCCESS
    }
}

impl Termination for ExitCode {
    fn report(self) -> ExitCode {
        self
    }
}

impl Termination for Infallible {
    fn report(self) -> ExitCode {
        match self {}
    }
}

impl<T: Termination, E: Debug> Termination for Result<T, E> {
    fn report(self) -> ExitCode {
        match self {
            Ok(value) => value.report(),
            Err(error) => {
                crate::eprintln!("Error: {error:?}");
                ExitCode::FAILURE
            }
        }
    }
}

/// Writes what std's own panic hook would, had it anywhere to write to.
fn report_panic(info: &PanicHookInfo<'_>) {
    let thread = thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let text = std::format!("thread '{name}' {info}\n");
    // A panic must not lead to another one; if standard error is closed, so be it.
    let _ = write(STDERR, text.as_bytes());
}

/// What [`main!`](crate::main) exports.
#[doc(hidden)]
pub fn __start<T: Termination>(main: impl FnOnce() -> T) {
    std::panic::set_hook(Box::new(report_panic));
    let code = main().report().to_i32();
    if code != 0 {
        exit(code);
    }
}
