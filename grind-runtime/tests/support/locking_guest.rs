//! Two threads and their locks, as a module.

use grind_runtime::program::Program;
use grind_runtime::session::RunOptions;

/// How the guest's locks are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// They call hooks.
    Hooks,
    /// They are words, as those of Rust's std are.
    Words,
}

const HOOKS: &str = r#"
        (func $lock (param $l i32)
            (call $start_lock (local.get $l))
            (block $have (loop $again
                (br_if $have (i32.eqz (i32.atomic.rmw.cmpxchg (local.get $l) (i32.const 0) (i32.const 1))))
                (drop (memory.atomic.wait32 (local.get $l) (i32.const 1) (i64.const -1)))
                (br $again)))
            (call $finish_lock (local.get $l)))
        (func $unlock (param $l i32)
            (call $start_unlock (local.get $l))
            (i32.atomic.store (local.get $l) (i32.const 0))
            (drop (memory.atomic.notify (local.get $l) (i32.const 1)))
            (call $finish_unlock (local.get $l)))
        (func $try (param $l i32)
            (local $got i32)
            (call $start_try_lock (local.get $l))
            (local.set $got (i32.eqz (i32.atomic.rmw.cmpxchg (local.get $l) (i32.const 0) (i32.const 1))))
            (call $finish_try_lock (local.get $l) (local.get $got))
            (if (i32.eqz (local.get $got)) (then (unreachable))))
        (func $attempt (param $l i32) (result i32)
            (local $got i32)
            (call $start_try_lock (local.get $l))
            (local.set $got (i32.eqz (i32.atomic.rmw.cmpxchg (local.get $l) (i32.const 0) (i32.const 1))))
            (call $finish_try_lock (local.get $l) (local.get $got))
            (if (local.get $got) (then (call $unlock (local.get $l))))
            (local.get $got))
        (func $benign (param $at i32) (call $annotate_benign_race (local.get $at) (i32.const 4)))"#;

/// `$try` takes the lock as well, but nobody can tell.
const WORDS: &str = r#"
        (func $_ZN3std3sys4sync5mutex5futex5Mutex14lock_contended17h0123456789abcdefE (param $l i32)
            (block $have (loop $again
                (br_if $have (i32.eqz (i32.atomic.rmw.xchg (local.get $l) (i32.const 2))))
                (drop (memory.atomic.wait32 (local.get $l) (i32.const 2) (i64.const -1)))
                (br $again))))
        (func $lock (param $l i32)
            (if (i32.atomic.rmw.cmpxchg (local.get $l) (i32.const 0) (i32.const 1))
                (then (call $_ZN3std3sys4sync5mutex5futex5Mutex14lock_contended17h0123456789abcdefE (local.get $l)))))
        (func $unlock (param $l i32)
            (if (i32.eq (i32.atomic.rmw.xchg (local.get $l) (i32.const 0)) (i32.const 2))
                (then (drop (memory.atomic.notify (local.get $l) (i32.const 1))))))
        (func $try (param $l i32)
            (loop $again (br_if $again (i32.atomic.rmw.cmpxchg (local.get $l) (i32.const 0) (i32.const 1)))))
        (func $_ZN3std3sys4sync5mutex5futex5Mutex8try_lock17h0123456789abcdefE (param $l i32) (result i32)
            (i32.eqz (i32.atomic.rmw.cmpxchg (local.get $l) (i32.const 0) (i32.const 1))))
        (func $try_in_a_function (param $l i32)
            (if (i32.eqz (call $_ZN3std3sys4sync5mutex5futex5Mutex8try_lock17h0123456789abcdefE (local.get $l)))
                (then (unreachable))))
        (func $attempt (param $l i32) (result i32)
            (local $got i32)
            (local.set $got (i32.eqz (i32.atomic.rmw.cmpxchg (local.get $l) (i32.const 0) (i32.const 1))))
            (if (local.get $got) (then (call $unlock (local.get $l))))
            (local.get $got))"#;

/// Threads A and B, created with the arguments 1 and 2, and locks that they can take.
pub(crate) fn guest(made: Made, a: &str, b: &str) -> Program {
    let locks = match made {
        Made::Hooks => HOOKS,
        Made::Words => WORDS,
    };
    let text = format!(
        r#"(module
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
        (import "threadlink" "start_lock" (func $start_lock (param i32)))
        (import "threadlink" "finish_lock" (func $finish_lock (param i32)))
        (import "threadlink" "start_unlock" (func $start_unlock (param i32)))
        (import "threadlink" "finish_unlock" (func $finish_unlock (param i32)))
        (import "threadlink" "start_try_lock" (func $start_try_lock (param i32)))
        (import "threadlink" "finish_try_lock" (func $finish_try_lock (param i32 i32)))
        (import "threadlink" "annotate_benign_race" (func $annotate_benign_race (param i32 i32)))
        (memory (export "memory") 1 1 shared)
        {locks}
        (func $write (param $at i32) (i32.store (local.get $at) (i32.const 7)))
        (func $read (param $at i32) (drop (i32.load (local.get $at))))
        (func $a {a})
        (func $b {b})
        (func (export "thread_start") (param i32)
            (if (i32.eq (local.get 0) (i32.const 1)) (then (call $a)) (else (call $b))))
        (func (export "_start")
            (drop (call $create (i32.const 8) (i32.const 1)))
            (drop (call $create (i32.const 12) (i32.const 2)))
            (drop (call $join (i32.load (i32.const 8))))
            (drop (call $join (i32.load (i32.const 12))))))"#
    );
    let wasm = wat::parse_str(text).expect("a good module");
    Program::new(&wasm).expect("a good program")
}

pub(crate) fn calls(list: &[(&str, u32)]) -> String {
    list.iter()
        .map(|(function, at)| format!("(call ${function} (i32.const {at}))"))
        .collect()
}

/// A run of the random schedule of this number.
pub(crate) fn seeded(seed: u64) -> RunOptions {
    RunOptions::seeded(seed)
}
