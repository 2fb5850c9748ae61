//! Modules that a host runs in one call.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::host::{Linker, Namespace, NamespaceError, Role, Stdio};
use grind_runtime::{
    BufferIo, Diagnosis, Ending, HostImport, Limits, MachineError, Outcome, Program, ProgramError,
    ProgramOptions, RunOptions, Unfinished, run,
};
use std::fs;
use std::future::{self, Future};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime as Tokio};

fn path(guest: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../test-programs/wasip1-threads/wasm")
        .join(format!("{guest}.wasm"))
}

fn namespace(guest: &str) -> Namespace {
    let namespace = Namespace::from_file(path(guest)).unwrap();
    namespace.stdio(Stdio::capture())
}

fn wat(text: &str) -> Namespace {
    Namespace::from_bytes(wat::parse_str(text).unwrap()).stdio(Stdio::capture())
}

fn found<Io>(outcome: &Outcome<Io>) -> Vec<Diagnosis> {
    let diagnoses = outcome.analysis.diagnoses.iter();
    diagnoses.map(|one| one.diagnosis.clone()).collect()
}

fn on_tokio<R>(future: impl Future<Output = R>) -> R {
    // One thread: who blocks it blocks everything.
    let tokio = Builder::new_current_thread().enable_time().build();
    tokio.unwrap().block_on(future)
}

/// Guests of the committed suites that end in all ways.
const GUESTS: [(&str, Ending, u8, &str); 6] = [
    ("clean_thread_locals", Ending::Returned, 0, "6 3\n"),
    ("clean_exit_in_thread", Ending::Exited(7), 7, "leaving\n"),
    ("clean_detached_at_exit", Ending::Returned, 0, "returned\n"),
    ("clean_rayon_scope", Ending::Returned, 0, "610 15 3\n"),
    ("trap_panic", Ending::Trapped, 134, ""),
    ("deadlock_join", Ending::Deadlock, 66, ""),
];

#[test]
fn a_namespace_runs_as_the_command_line_runs_it_and_ends_as_there() {
    for (guest, ending, code, stdout) in GUESTS {
        let program = Program::new(&fs::read(path(guest)).unwrap()).unwrap();
        for seed in 0..3 {
            let expected = run(&program, RunOptions::seeded(seed), BufferIo::default()).unwrap();
            let namespace = || {
                Namespace::from_program(&program)
                    .stdio(Stdio::capture())
                    .seed(seed)
            };
            let here = namespace().run().unwrap();
            let awaited = on_tokio(namespace().run_async()).unwrap();
            for outcome in [here, awaited] {
                assert_eq!(
                    (&outcome.ending, outcome.exit_code()),
                    (&ending, code),
                    "{guest}"
                );
                assert_eq!(outcome.io.captured_stdout().text(), stdout, "{guest}");
                assert_eq!(outcome.decisions, expected.decisions, "{guest}");
                assert_eq!(found(&outcome), found(&expected), "{guest}");
                assert_eq!(outcome.stats, expected.stats, "{guest}");
            }
        }
    }
}

#[test]
fn with_an_executor_a_guest_ends_in_the_same_way() {
    for (guest, ending, code, stdout) in GUESTS {
        let program = Program::new(&fs::read(path(guest)).unwrap()).unwrap();
        let tokio = tokio();
        let namespace = || {
            Namespace::from_program(&program)
                .stdio(Stdio::capture())
                .executor(Arc::new(tokio.handle().clone()))
        };
        let here = namespace().run().unwrap();
        let awaited = tokio.block_on(namespace().run_async()).unwrap();
        for outcome in [here, awaited] {
            assert_eq!(
                (&outcome.ending, outcome.exit_code()),
                (&ending, code),
                "{guest}"
            );
            assert_eq!(outcome.io.captured_stdout().text(), stdout, "{guest}");
        }
    }
}

#[test]
fn a_thread_that_panics_ends_a_main_thread_that_joins_it_and_says_so() {
    let outcome = namespace("trap_panic").run().unwrap();
    assert_eq!(outcome.ending, Ending::Trapped);
    let stderr = outcome.io.captured_stderr().text();
    assert!(stderr.contains("thread 1 fails"), "{stderr}");
    assert_eq!(outcome.analysis.traps.len(), 1);
}

/// The main thread creates one that creates three, which write `$wait` bytes after each other, with or without an atomic count. Each waits for
/// the threads that it created by `memory.atomic.wait32`, the main thread too.
fn pool(add: &str) -> String {
    format!(
        r#"(module
        (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
        (memory (export "memory") 1 1 shared)
        (func $done (param $at i32)
            (drop (i32.atomic.rmw.add (local.get $at) (i32.const 1)))
            (drop (memory.atomic.notify (local.get $at) (i32.const -1))))
        (func $wait_for (param $at i32) (param $count i32) (local $now i32)
            (loop $again
                (local.set $now (i32.atomic.load (local.get $at)))
                (if (i32.lt_u (local.get $now) (local.get $count)) (then
                    (drop (memory.atomic.wait32 (local.get $at) (local.get $now) (i64.const -1)))
                    (br $again)))))
        (func (export "wasi_thread_start") (param $id i32) (param $what i32)
            (if (local.get $what)
                (then
                    (drop (call $spawn (i32.const 0)))
                    (drop (call $spawn (i32.const 0)))
                    (drop (call $spawn (i32.const 0)))
                    (call $wait_for (i32.const 64) (i32.const 3))
                    (call $done (i32.const 128)))
                (else
                    {add}
                    (call $done (i32.const 64)))))
        (func (export "main") (result i32)
            (drop (call $spawn (i32.const 1)))
            (call $wait_for (i32.const 128) (i32.const 1))
            (i32.load (i32.const 256))))"#
    )
}

#[test]
fn a_pool_is_created_by_a_thread_that_is_not_main_and_main_waits_on_memory() {
    let atomic = pool("(drop (i32.atomic.rmw.add (i32.const 256) (i32.const 5)))");
    for seed in 0..20 {
        let outcome = wat(&atomic).entry("main").seed(seed).run().unwrap();
        assert_eq!(outcome.ending, Ending::Exited(15));
        assert_eq!((outcome.stats.threads, found(&outcome)), (5, vec![]));
        let live = wat(&atomic).entry("main").seed(seed).start().unwrap();
        assert_eq!(live.call_entry().unwrap(), 15);
        assert_eq!(found(&live.finish().unwrap()), []);
    }
    let plain = "(i32.store (i32.const 256) (i32.const 5))";
    for seed in 0..20 {
        let outcome = wat(&pool(plain)).entry("main").seed(seed).run().unwrap();
        assert_eq!(outcome.exit_code(), 66);
        assert!(matches!(found(&outcome)[..], [Diagnosis::DataRace { .. }]));
    }
}

#[test]
fn what_is_left_of_threads_when_the_entry_returns_is_what_was_asked_for() {
    // A thread sleeps and writes; the main thread returns at once.
    let guest = r#"(module
        (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
        (import "env" "late" (func $late))
        (memory (export "memory") 1 1 shared)
        (func (export "wasi_thread_start") (param i32 i32)
            (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const 1000)))
            (call $late))
        (func (export "_start") (drop (call $spawn (i32.const 0)))))"#;
    let cases = [
        (Unfinished::End, 0),
        (Unfinished::Observe, 0),
        (Unfinished::Wait, 1),
    ];
    for (unfinished, expected) in cases {
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let namespace = wat(guest)
            .unfinished(unfinished)
            .func("env", "late", move |_, ()| {
                counted.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
        let outcome = namespace.run().unwrap();
        assert_eq!(outcome.ending, Ending::Returned);
        assert_eq!(calls.load(Ordering::Relaxed), expected, "{unfinished:?}");
    }
}

#[test]
fn a_module_gets_its_arguments_environment_memory_and_limits() {
    let outcome = Namespace::from_file(path("clean_thread_locals"))
        .unwrap()
        .stdio(Stdio::capture())
        .limits(Limits::default().threads(2))
        .run()
        .unwrap();
    // `std` panics where a thread cannot be created.
    assert_eq!(outcome.ending, Ending::Trapped);

    // Their sizes, and pages of memory after one more was asked for.
    let guest = r#"(module
        (import "wasi_snapshot_preview1" "args_sizes_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get" (func $env (param i32 i32) (result i32)))
        (memory (export "memory") 1 10 shared)
        (func (export "args") (result i32)
            (drop (call $args (i32.const 0) (i32.const 4)))
            (i32.add (i32.mul (i32.load (i32.const 0)) (i32.const 1000)) (i32.load (i32.const 4))))
        (func (export "env") (result i32)
            (drop (call $env (i32.const 0) (i32.const 4)))
            (i32.add (i32.mul (i32.load (i32.const 0)) (i32.const 1000)) (i32.load (i32.const 4))))
        (func (export "grow") (result i32)
            (drop (memory.grow (i32.const 1)))
            (memory.size)))"#;
    let namespace = || {
        wat(guest)
            .args(["app", "-x"])
            .env("A", "1")
            .envs([("LONG", "name")])
    };
    let exit = |namespace: Namespace| namespace.run().unwrap().ending;
    assert_eq!(exit(namespace().entry("args")), Ending::Exited(2007));
    assert_eq!(exit(namespace().entry("env")), Ending::Exited(2014));
    let pages = |pages: u64| pages * 65_536;
    assert_eq!(exit(namespace().entry("grow")), Ending::Exited(2));
    let initial = namespace().entry("grow").initial_memory(pages(3));
    assert_eq!(exit(initial), Ending::Exited(4));
    let bounded = namespace().entry("grow").maximum_memory(pages(1));
    assert_eq!(exit(bounded), Ending::Exited(1));
}

#[cfg(feature = "files")]
#[test]
fn a_guest_sees_the_directories_that_it_is_given() {
    let directory = tempfile::tempdir().unwrap();
    let guest = r#"(module
        (import "wasi_snapshot_preview1" "path_create_directory"
            (func $create (param i32 i32 i32) (result i32)))
        (memory (export "memory") 1 1 shared)
        (data (i32.const 0) "new")
        (func (export "main") (result i32)
            (call $create (i32.const 3) (i32.const 0) (i32.const 3))))"#;
    let namespace = wat(guest).preopened_dir(directory.path(), "/data").unwrap();
    assert_eq!(namespace.run().unwrap().exit_code(), 0);
    assert!(directory.path().join("new").is_dir());
    let gone = directory.path().join("gone");
    match wat(guest).preopened_dir(&gone, "/data") {
        Err(NamespaceError::Directory { path, .. }) => assert_eq!(path, gone),
        other => panic!("{other:?}"),
    }
}

const ROLES: &str = r#"(module
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "env" "who" (func $who (result i32)))
    (memory (export "memory") 1 1 shared)
    (func (export "wasi_thread_start") (param i32 i32)
        (drop (i32.atomic.rmw.add (i32.const 64) (call $who)))
        (drop (memory.atomic.notify (i32.const 64) (i32.const 1))))
    (func (export "main") (result i32)
        (drop (call $spawn (i32.const 0)))
        (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1)))
        (i32.add (i32.mul (call $who) (i32.const 10)) (i32.atomic.load (i32.const 64)))))"#;

#[test]
fn an_import_can_be_another_function_for_threads_that_the_guest_created() {
    let both = || {
        wat(ROLES)
            .func_for(Role::Main, "env", "who", |_, ()| Ok(4))
            .func_for(Role::Worker, "env", "who", |_, ()| Ok(2))
    };
    assert_eq!(both().run().unwrap().ending, Ending::Exited(42));
    // The instance of a live namespace is the main one.
    let live = both().start().unwrap();
    assert_eq!(live.call_entry().unwrap(), 42);
    // One for all threads is for the role that has none of its own.
    let one = |role| {
        let all = wat(ROLES).func("env", "who", |_, ()| Ok(1));
        let outcome = all.func_for(role, "env", "who", |_, ()| Ok(3)).run();
        outcome.unwrap().ending
    };
    assert_eq!(one(Role::Main), Ending::Exited(31));
    assert_eq!(one(Role::Worker), Ending::Exited(13));
}

#[test]
fn a_call_of_a_function_of_the_other_role_traps_and_says_so() {
    let only = |role| {
        let namespace = wat(ROLES).func_for(role, "env", "who", |_, ()| Ok(1));
        let outcome = namespace.run().unwrap();
        assert_eq!(
            (&outcome.ending, outcome.exit_code()),
            (&Ending::Trapped, 134)
        );
        outcome.analysis.traps[0].reason.clone()
    };
    assert_eq!(
        only(Role::Main),
        "`env.who` is a function for the main thread, and a thread that the guest created called it"
    );
    assert_eq!(
        only(Role::Worker),
        "`env.who` is a function for threads that the guest created, and the main thread called it"
    );
}

#[test]
fn what_is_wrong_is_told_by_type() {
    let error = |namespace: Namespace| namespace.run().err().unwrap();
    let program = |namespace| match error(namespace) {
        NamespaceError::Program(error) => error,
        other => panic!("{other:?}"),
    };
    let machine = |namespace| match error(namespace) {
        NamespaceError::Machine(error) => error,
        other => panic!("{other:?}"),
    };
    let not_wasm = program(Namespace::from_bytes(b"no module".to_vec()));
    assert!(matches!(not_wasm, ProgramError::NotWasm(_)), "{not_wasm}");
    match Namespace::from_file("/no/such/file.wasm") {
        Err(NamespaceError::Read { path, .. }) => {
            assert_eq!(path, Path::new("/no/such/file.wasm"));
        }
        other => panic!("{other:?}"),
    }

    let guest = r#"(module (func (export "takes") (param i32)) (func (export "_start")))"#;
    for (entry, said) in [
        ("gone", "there is no exported function `gone`"),
        ("takes", "`takes` takes 1 parameters, which cannot be given"),
    ] {
        let MachineError::Entry { problem, exports } = &*machine(wat(guest).entry(entry)) else {
            panic!("{entry}")
        };
        assert_eq!(problem, said);
        assert_eq!(exports, &["takes", "_start"]);
        let live = wat(guest).entry(entry).start().unwrap();
        let Err(NamespaceError::Machine(error)) = live.call_entry() else {
            panic!("{entry}")
        };
        assert!(matches!(&*error, MachineError::Entry { .. }), "{error}");
    }

    let importing = r#"(module (import "env" "who" (func (result i32))) (func (export "_start")))"#;
    let missing = program(wat(importing));
    assert!(matches!(missing, ProgramError::Imports(_)), "{missing}");
    let wrong = program(wat(importing).func("env", "who", |_, (): ()| Ok(1_i64)));
    let said = wrong.to_string();
    assert!(
        said.contains("the embedder provides it as () -> i64"),
        "{said}"
    );
    let by_role = wat(importing)
        .func_for(Role::Main, "env", "who", |_, ()| Ok(1_i32))
        .func_for(Role::Worker, "env", "who", |_, ()| Ok(1_i64));
    let said = error(by_role).to_string();
    assert_eq!(
        said,
        "the function `env.who` is given as `() -> i32` to the main thread and as `() -> i64` to others, and a module imports it once"
    );
}

#[test]
fn a_module_without_threads_runs() {
    let guest = r#"(module (memory 1) (func (export "_start")
        (i32.store (i32.const 0) (i32.const 1))))"#;
    let outcome = wat(guest).run().unwrap();
    assert_eq!(
        (&outcome.ending, outcome.stats.threads),
        (&Ending::Returned, 1)
    );
    // Without memory, and without anything else.
    let outcome = wat(r#"(module (func (export "main")))"#).run().unwrap();
    assert_eq!(outcome.exit_code(), 0);
}

#[test]
fn functions_of_a_program_are_kept_but_for_those_of_the_namespace() {
    let answer = |number: i32| HostImport::wrap("env", "who", move |_, ()| Ok(number));
    let options = ProgramOptions::default().imports(vec![answer(1)]);
    let program = Program::with_options(&wat::parse_str(ROLES).unwrap(), options).unwrap();
    let namespace = || Namespace::from_program(&program).stdio(Stdio::null());
    assert_eq!(namespace().run().unwrap().ending, Ending::Exited(11));
    let of_main = namespace().func_for(Role::Main, "env", "who", |_, ()| Ok(2));
    assert_eq!(of_main.run().unwrap().ending, Ending::Exited(21));
    let of_all = namespace().func("env", "who", |_, ()| Ok(3));
    assert_eq!(of_all.run().unwrap().ending, Ending::Exited(33));
    // Nothing has changed for others.
    assert_eq!(namespace().run().unwrap().ending, Ending::Exited(11));
}

#[test]
fn several_threads_of_the_host_have_namespaces_at_once() {
    let program = Program::new(&fs::read(path("clean_exit_in_thread")).unwrap()).unwrap();
    thread::scope(|scope| {
        for seed in 0..4 {
            let program = &program;
            scope.spawn(move || {
                let namespace = Namespace::from_program(program).stdio(Stdio::capture());
                let outcome = namespace.seed(seed).run().unwrap();
                assert_eq!(outcome.ending, Ending::Exited(7));
                assert_eq!(outcome.io.captured_stdout().text(), "leaving\n");
            });
        }
    });
}

/// Runs for ever without a scheduling point, until the host says that it is enough.
const SPINS: &str = r#"(module
    (import "env" "enough" (func $enough (result i32)))
    (memory (export "memory") 1 1 shared)
    (func (export "_start") (local $n i32)
        (loop $until
            (local.set $n (i32.const 200000))
            (loop $busy
                (br_if $busy (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
            (br_if $until (i32.eqz (call $enough))))))"#;

#[test]
fn a_guest_that_spins_lets_the_only_thread_of_an_executor_do_other_things() {
    for with_executor in [false, true] {
        let ticks = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&ticks);
        let enough = move |_: &mut grind_runtime::Guest<'_>, ()| {
            Ok(u32::from(seen.load(Ordering::Relaxed) >= 10))
        };
        on_tokio(async {
            let mut namespace = wat(SPINS).func("env", "enough", enough);
            if with_executor {
                namespace = namespace.executor(Arc::new(tokio::runtime::Handle::current()));
            }
            let other = tokio::spawn({
                let ticks = Arc::clone(&ticks);
                async move {
                    for _ in 0..10 {
                        tokio::task::yield_now().await;
                        ticks.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
            let outcome = namespace.run_async().await.unwrap();
            assert_eq!(outcome.ending, Ending::Returned);
            other.await.unwrap();
        });
    }
}

/// Two threads call an asynchronous function, and so does the main thread.
const AWAITS: &str = r#"(module
    (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
    (import "env" "later" (func $later (param i32) (result i32)))
    (memory (export "memory") 1 1 shared)
    (func (export "wasi_thread_start") (param i32 i32)
        (drop (i32.atomic.rmw.add (i32.const 64) (call $later (i32.const 2))))
        (drop (i32.atomic.rmw.add (i32.const 68) (i32.const 1)))
        (drop (memory.atomic.notify (i32.const 68) (i32.const 1))))
    (func (export "_start") (local $done i32)
        (drop (call $spawn (i32.const 0)))
        (drop (call $spawn (i32.const 0)))
        (drop (i32.atomic.rmw.add (i32.const 64) (call $later (i32.const 3))))
        (loop $again
            (local.set $done (i32.atomic.load (i32.const 68)))
            (if (i32.lt_u (local.get $done) (i32.const 2)) (then
                (drop (memory.atomic.wait32 (i32.const 68) (local.get $done) (i64.const -1)))
                (br $again))))
        (if (i32.ne (i32.atomic.load (i32.const 64)) (i32.const 14)) (then unreachable))))"#;

fn tokio() -> Tokio {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap()
}

fn later() -> Linker {
    let mut linker = Linker::new();
    linker.func_async("env", "later", |_, (number,): (i32,)| {
        Ok(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(2 * number)
        })
    });
    linker
}

#[test]
fn threads_wait_for_asynchronous_functions_and_the_entry_returns() {
    let tokio = tokio();
    for seed in 0..5 {
        let namespace = || {
            let executor = Arc::new(tokio.handle().clone());
            wat(AWAITS).imports(later()).executor(executor).seed(seed)
        };
        let here = namespace().run().unwrap();
        assert_eq!((&here.ending, found(&here)), (&Ending::Returned, vec![]));
        let awaited = tokio.block_on(namespace().run_async()).unwrap();
        assert_eq!(
            (&awaited.ending, found(&awaited)),
            (&Ending::Returned, vec![])
        );
    }
}

#[test]
fn a_race_behind_asynchronous_functions_is_found_with_both_stacks() {
    let atomic = "(drop (i32.atomic.rmw.add (i32.const 64) (call $later (i32.const 2))))";
    assert!(AWAITS.contains(atomic));
    let racy = AWAITS.replace(
        atomic,
        "(i32.store (i32.const 64) (call $later (i32.const 2)))",
    );
    let racy = racy.replace("(i32.const 14)", "(i32.atomic.load (i32.const 64))");
    let tokio = tokio();
    for seed in 0..5 {
        let namespace = || {
            let executor = Arc::new(tokio.handle().clone());
            wat(&racy).imports(later()).executor(executor).seed(seed)
        };
        let here = namespace().run().unwrap();
        let awaited = tokio.block_on(namespace().run_async()).unwrap();
        for outcome in [here, awaited] {
            assert_eq!(
                (&outcome.ending, outcome.exit_code()),
                (&Ending::Returned, 66)
            );
            assert_eq!(outcome.warnings, [""; 0]);
            let found = found(&outcome);
            assert!(!found.is_empty());
            for one in found {
                // The second pass needs neither the executor nor the functions.
                let Diagnosis::DataRace { first, second, .. } = one else {
                    panic!("{one:?}")
                };
                assert!(!first.stack.is_empty() && !second.stack.is_empty());
            }
        }
    }
}

#[test]
fn asynchronous_functions_are_given_by_role_as_well() {
    let tokio = tokio();
    let namespace = |role| {
        let executor = Arc::new(tokio.handle().clone());
        wat(AWAITS).imports_for(role, later()).executor(executor)
    };
    let outcome = namespace(Role::Main).run().unwrap();
    let reason = &outcome.analysis.traps[0].reason;
    assert!(
        reason.contains("`env.later` is a function for the main thread"),
        "{reason}"
    );
}

#[test]
fn a_run_that_is_dropped_while_it_is_awaited_drops_what_it_waited_for() {
    struct Dropped(Arc<AtomicU32>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicU32::new(0));
    let mut linker = Linker::new();
    let guards = Arc::clone(&dropped);
    linker.func_async("env", "later", move |_, (_,): (i32,)| {
        let guard = Dropped(Arc::clone(&guards));
        Ok(async move {
            let _guard = guard;
            future::pending::<()>().await;
            Ok(0)
        })
    });
    on_tokio(async {
        let executor = Arc::new(tokio::runtime::Handle::current());
        let namespace = wat(AWAITS).imports(linker).executor(executor);
        {
            let mut running = pin!(namespace.run_async());
            let ready =
                future::poll_fn(|context| Poll::Ready(running.as_mut().poll(context).is_ready()));
            assert!(!ready.await);
            for _ in 0..10 {
                tokio::task::yield_now().await;
                assert!(
                    future::poll_fn(|context| Poll::Ready(
                        running.as_mut().poll(context).is_pending()
                    ))
                    .await
                );
            }
            assert_eq!(dropped.load(Ordering::Relaxed), 0);
        }
        tokio::task::yield_now().await;
    });
    assert_eq!(dropped.load(Ordering::Relaxed), 3);
}
