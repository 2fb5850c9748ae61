//! Functions of POSIX threads, as far as no guest in C shows it: what they call has another type, and locks of the user's.

use grind_runtime::detect::{Diagnosis, Misuse};
use grind_runtime::machine::BufferIo;
use grind_runtime::model::{HandleMisuse, ThreadId};
use grind_runtime::program::interceptors::{Role, Rule};
use grind_runtime::program::{Program, ProgramOptions};
use grind_runtime::session::{self, Outcome, RunOptions};

fn run(text: &str, interceptors: Vec<Rule>) -> Outcome<BufferIo> {
    let wasm = wat::parse_str(text).expect("a module");
    let options = ProgramOptions::default().interceptors(interceptors);
    let program = Program::with_options(&wasm, options).expect("a program");
    session::run(&program, RunOptions::default(), BufferIo::default()).expect("a run")
}

/// Why the only thread that trapped did.
fn reason(text: &str) -> String {
    let outcome = run(text, Vec::new());
    match &outcome.analysis.traps[..] {
        [trap] => trap.reason.clone(),
        traps => panic!("{traps:?}"),
    }
}

#[test]
fn a_function_of_another_type_that_a_library_calls_is_named() {
    let start = |element: u32| {
        format!(
            r#"(module (memory 1 1) (table 3 funcref)
                (elem (i32.const 1) $worker)
                (func $worker (result i32) i32.const 0)
                (func $__wasi_thread_start_C (param i32 i32)
                    (drop (call_indirect (param i32) (result i32) (i32.const 0) (local.get 1))))
                (func (export "_start")
                    (call $__wasi_thread_start_C (i32.const 0) (i32.const {element}))))"#
        )
    };
    assert_eq!(
        reason(&start(1)),
        "indirect call type mismatch: what is called is `worker` of type `() -> i32`"
    );
    // There is nothing to name.
    assert!(!reason(&start(2)).contains("what is called"));
    // It is the guest's own function that calls.
    let own = r#"(module (memory 1 1) (table 1 funcref)
        (elem (i32.const 0) $worker)
        (func $worker (result i32) i32.const 0)
        (func (export "_start") (drop (call_indirect (param i32) (result i32) (i32.const 0) (i32.const 0)))))"#;
    assert!(!reason(own).contains("what is called"));
}

#[test]
fn a_lock_of_the_user_s_that_is_not_released_is_held_still() {
    let rule = |function: &'static str, role| Rule {
        function: function.into(),
        role,
    };
    let (shared, fallible) = (false, false);
    let rules = vec![
        rule(
            "take",
            Role::Lock {
                lock: 0,
                shared,
                fallible,
            },
        ),
        rule("give", Role::Unlock { lock: 0 }),
        rule("end", Role::DestroyLock { lock: 0 }),
    ];
    // `give` and `end` return their second parameter: 0 is success.
    let program = |calls: &str| {
        format!(
            r#"(module (memory 1 1)
                (func $take (param i32))
                (func $give (param i32 i32) (result i32) local.get 1)
                (func $end (param i32 i32) (result i32) local.get 1)
                (func $gives (param i32) (drop (call $give (i32.const 64) (local.get 0))))
                (func $ends (param i32) (drop (call $end (i32.const 64) (local.get 0))))
                (func (export "_start") {calls}))"#
        )
    };
    let misuses = |calls: &str| -> Vec<Misuse> {
        let outcome = run(&program(calls), rules.clone());
        let misuse = |diagnosis: &Diagnosis| match diagnosis {
            Diagnosis::LockMisuse { misuse, .. } => *misuse,
            other => panic!("{other:?}"),
        };
        let found = outcome.analysis.diagnoses.iter();
        found.map(|found| misuse(&found.diagnosis)).collect()
    };
    let take = "(call $take (i32.const 64))";
    let [give, refuse] = [0, 1].map(|result| format!("(call $gives (i32.const {result}))"));
    let [end, keep] = [0, 1].map(|result| format!("(call $ends (i32.const {result}))"));
    assert_eq!(misuses(&format!("{take}{give}{end}")), []);
    assert_eq!(misuses(&format!("{take}{refuse}{give}{end}")), []);
    assert_eq!(
        misuses(&format!("{take}{refuse}{end}")),
        [Misuse::DestroyHeldLock]
    );
    assert_eq!(misuses(&format!("{take}{keep}{give}{end}")), []);
    assert_eq!(misuses(&refuse), [Misuse::UnlockNotHeld]);
    assert_eq!(misuses(&give), [Misuse::UnlockNotHeld]);
}

#[test]
fn a_handle_is_nobody_s_after_a_join_or_a_detach() {
    // Handles are the addresses of blocks, which `free` leaves to be allocated again.
    let program = |calls: &str| {
        format!(
            r#"(module
                (import "env" "memory" (memory 1 1 shared))
                (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
                (func (export "wasi_thread_start") (param i32 i32))
                (func $malloc (param i32) (result i32) i32.const 512)
                (func $pthread_create (param i32 i32 i32 i32) (result i32)
                    (drop (call $spawn (i32.const 0)))
                    (i32.store (local.get 0) (call $malloc (i32.const 64)))
                    i32.const 0)
                (func $pthread_join (param i32 i32) (result i32) i32.const 0)
                (func $pthread_detach (param i32) (result i32) i32.const 0)
                (func $create
                    (drop (call $pthread_create (i32.const 64) (i32.const 0) (i32.const 0) (i32.const 0))))
                (func $join (drop (call $pthread_join (i32.load (i32.const 64)) (i32.const 0))))
                (func $detach (drop (call $pthread_detach (i32.load (i32.const 64)))))
                (func (export "_start") {calls}))"#
        )
    };
    let misuses = |calls: &[&str]| -> Vec<(HandleMisuse, ThreadId, bool)> {
        let calls: String = calls.iter().map(|call| format!("(call ${call})")).collect();
        let outcome = run(&program(&calls), Vec::new());
        let misuse = |diagnosis: &Diagnosis| match diagnosis {
            Diagnosis::HandleMisuse {
                misuse,
                of,
                given_up,
                ..
            } => (*misuse, *of, given_up.is_some()),
            other => panic!("{other:?}"),
        };
        let found = outcome.analysis.diagnoses.iter();
        found.map(|found| misuse(&found.diagnosis)).collect()
    };
    use HandleMisuse::{DoubleDetach, DoubleJoin, JoinDetached};
    let first = ThreadId(1);
    assert_eq!(misuses(&["create", "join"]), []);
    assert_eq!(
        misuses(&["create", "join", "join"]),
        [(DoubleJoin, first, true)]
    );
    assert_eq!(
        misuses(&["create", "detach", "join"]),
        [(JoinDetached, first, true)]
    );
    assert_eq!(
        misuses(&["create", "detach", "detach"]),
        [(DoubleDetach, first, true)]
    );
    assert_eq!(
        misuses(&["create", "join", "detach"]),
        [(DoubleDetach, first, true)]
    );
    // The same memory is another thread's.
    assert_eq!(misuses(&["create", "join", "create", "join"]), []);
    assert_eq!(misuses(&["create", "detach", "create", "detach"]), []);
}
