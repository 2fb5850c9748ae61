//! Functions of the embedder: what guests see of them, and that a repeated run does not call them again.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::detect::Diagnosis;
use grind_runtime::machine::NullIo;
use grind_runtime::model::{Ending, Unfinished};
use grind_runtime::program::embedder::{Call, Driver, HostError, HostImport, Reply, ValType};
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::program::{Program, ProgramError, ProgramOptions};
use grind_runtime::report::human;
use grind_runtime::session::{self, ExitCode, RunOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn program(wat: &str, imports: Vec<HostImport>) -> Result<Program, ProgramError> {
    let options = ProgramOptions::default().imports(imports);
    Program::with_options(&wat::parse_str(wat).unwrap(), options)
}

/// Fills 4 bytes at the given address with a number that counts calls.
fn fill(calls: &Arc<AtomicU32>) -> HostImport {
    let calls = Arc::clone(calls);
    HostImport::wrap("env", "fill", move |guest, (addr,): (u32,)| {
        let number = calls.fetch_add(1, Ordering::Relaxed) + 1;
        guest.write(addr, &number.to_le_bytes())?;
        Ok(())
    })
}

/// Two threads fill the same word; `join` puts them in order.
fn two_threads(join: bool) -> String {
    let join = if join {
        "(drop (call $join (i32.load (i32.const 0))))"
    } else {
        ""
    };
    format!(
        r#"(module
            (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
            (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
            (import "env" "fill" (func $fill (param i32)))
            (memory 1 1 shared)
            (func (export "thread_start") (param i32) (call $fill (i32.const 64)))
            (func (export "main") (result i32)
                (drop (call $create (i32.const 0) (i32.const 0)))
                {join}
                (call $fill (i32.const 64))
                (i32.load (i32.const 64))))"#
    )
}

#[test]
fn what_they_write_is_an_access_of_the_caller() {
    for (join, code) in [(false, ExitCode::Findings.code()), (true, 2)] {
        let calls = Arc::default();
        let program = program(&two_threads(join), vec![fill(&calls)]).unwrap();
        let mut options = RunOptions::default();
        options.spec.entry.unfinished = Unfinished::Wait;
        let outcome = session::run(&program, options, NullIo).unwrap();
        assert_eq!(
            outcome.exit_code(),
            code,
            "{:?}",
            outcome.analysis.diagnoses
        );
        // A racy run is repeated, and does not call again.
        assert!(calls.load(Ordering::Relaxed) <= 2);
        assert_eq!(outcome.warnings, [""; 0]);
    }
}

#[test]
fn numbers_of_every_type_pass_both_ways() {
    use ValType::{F32, F64, I32, I64};
    let imports = [(I32, "i32"), (I64, "i64"), (F32, "f32"), (F64, "f64")];
    for (ty, name) in imports {
        let same = HostImport::new("env", "same", [ty], Some(ty), |_, args| {
            Ok(Reply::Return(args[0]))
        });
        let wat = format!(
            r#"(module (import "env" "same" (func $same (param {name}) (result {name})))
                (func (export "main") (result i32)
                    ({name}.eq (call $same ({name}.const 7)) ({name}.const 7))))"#
        );
        let program = program(&wat, vec![same]).unwrap();
        let outcome = session::run(&program, RunOptions::default(), NullIo).unwrap();
        assert_eq!(outcome.exit_code(), 1, "{name}");
    }
}

#[test]
fn a_failure_traps_the_caller_in_its_words() {
    let calls = Arc::default();
    let wat = r#"(module (import "env" "fill" (func $fill (param i32))) (memory 1)
        (func (export "_start") (call $fill (i32.const 65533))))"#;
    let program = program(wat, vec![fill(&calls)]).unwrap();
    let outcome = session::run(&program, RunOptions::default(), NullIo).unwrap();
    assert_eq!(outcome.exit_code(), ExitCode::Trap.code());
    let reason = &outcome.analysis.traps[0].reason;
    assert_eq!(reason, "an address of the guest is outside its memory");
}

#[test]
fn another_type_than_was_given_is_refused() {
    let calls = Arc::default();
    let wat = r#"(module (import "env" "fill" (func (param i64))))"#;
    let error = program(wat, vec![fill(&calls)]).unwrap_err().to_string();
    assert!(
        error.contains("the embedder provides it as (i32) -> ()"),
        "{error}"
    );
    let error = program(wat, Vec::new()).unwrap_err().to_string();
    assert!(error.contains("env"), "{error}");
}

/// Groups of threads in one process: each run has its own memory, threads, clock and schedule.
#[test]
fn runs_side_by_side_do_not_notice_each_other() {
    let calls = Arc::default();
    let program = program(&two_threads(true), vec![fill(&calls)]).unwrap();
    let run = |seed| {
        let options = RunOptions::seeded(seed);
        let outcome = session::run(&program, options, NullIo).unwrap();
        (outcome.stats, outcome.analysis.stats)
    };
    let alone: Vec<_> = (0..8).map(run).collect();
    let together: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..8).map(|seed| scope.spawn(move || run(seed))).collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap())
            .collect()
    });
    assert_eq!(alone, together);
}

/// Shaped like a module of wasm-bindgen-rayon: each thread calls `__wbindgen_start` on its own instance, and then
/// `wbg_rayon_start_worker` with the receiver, from which it takes its number. The job is written before the workers are
/// made. Each worker adds it to a result, in the way that is given.
fn workers(add: &str) -> String {
    format!(
        r#"(module
            (import "wbg" "startWorkers" (func $start_workers (param i32 i32)))
            (import "env" "memory" (memory 1 1 shared))
            (global $started (mut i32) (i32.const 0))
            (func $start (export "__wbindgen_start")
                (if (global.get $started) (then (unreachable)))
                (global.set $started (i32.const 1))
                (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))
            (func (export "wbg_rayon_start_worker") (param $receiver i32)
                (if (i32.eqz (global.get $started)) (then (unreachable)))
                {add}
                (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1)))
                (drop (memory.atomic.notify (i32.const 8) (i32.const 1))))
            (func (export "takes_a_float") (param f32))
            (func (export "main") (result i32)
                (local $done i32)
                (call $start)
                (i32.store (i32.const 68) (i32.const 7))
                (call $start_workers (i32.const 4) (i32.const 64))
                (loop $again
                    (local.set $done (i32.atomic.load (i32.const 8)))
                    (if (i32.lt_u (local.get $done) (i32.const 4)) (then
                        (drop (memory.atomic.wait32 (i32.const 8) (local.get $done) (i64.const -1)))
                        (br $again))))
                (i32.add (i32.load (i32.const 72)) (i32.load (i32.const 0)))))"#
    )
}

/// What a page's JavaScript does for wasm-bindgen-rayon.
fn start_workers(calls: &Arc<AtomicU32>) -> HostImport {
    let calls = Arc::clone(calls);
    type Two = (u32, u32);
    HostImport::wrap(
        "wbg",
        "startWorkers",
        move |guest, (count, receiver): Two| {
            calls.fetch_add(1, Ordering::Relaxed);
            for _ in 0..count {
                guest.spawn(["__wbindgen_start", "wbg_rayon_start_worker"], [receiver]);
            }
            Ok(())
        },
    )
}

const ADD_ATOMIC: &str = "(drop (i32.atomic.rmw.add offset=8 (local.get $receiver)
    (i32.load offset=4 (local.get $receiver))))";
const ADD_PLAIN: &str = "(i32.store offset=8 (local.get $receiver)
    (i32.add (i32.load offset=8 (local.get $receiver)) (i32.load offset=4 (local.get $receiver))))";

#[test]
fn a_function_makes_threads_that_run_exports() {
    let calls = Arc::default();
    let program = program(&workers(ADD_ATOMIC), vec![start_workers(&calls)]).unwrap();
    for seed in 0..50 {
        let options = RunOptions::seeded(seed);
        let outcome = session::run(&program, options, NullIo).unwrap();
        // Four times the job, and five instances.
        assert_eq!(outcome.exit_code(), 4 * 7 + 5, "{:?}", outcome.analysis);
        assert_eq!(outcome.stats.threads, 5);
    }
}

#[test]
fn their_races_are_found_and_the_function_is_called_once() {
    let calls = Arc::default();
    let program = program(&workers(ADD_PLAIN), vec![start_workers(&calls)]).unwrap();
    for seed in 0..20 {
        calls.store(0, Ordering::Relaxed);
        let options = RunOptions::seeded(seed);
        let outcome = session::run(&program, options, NullIo).unwrap();
        assert_eq!(outcome.exit_code(), ExitCode::Findings.code(), "{seed}");
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(outcome.analysis.stats.unresolved, 0);
        // Made by the main thread, where it called the function.
        for thread in &outcome.analysis.threads[1..] {
            let (creator, stack) = thread.created.as_ref().unwrap();
            assert_eq!((creator.0, stack.len()), (0, 1));
        }
    }
}

#[test]
fn a_thread_that_cannot_be_made_traps_the_caller() {
    type Wanted = (&'static [&'static str], &'static [u32], &'static str);
    let cases: [Wanted; 6] = [
        (&[], &[], "a thread without a function"),
        (&["gone"], &[], "there is no exported function `gone`"),
        (
            &["gone", "main"],
            &[],
            "there is no exported function `gone`",
        ),
        (&["main"], &[1], "the export `main` does not take 1 `i32`"),
        (
            &["takes_a_float"],
            &[1],
            "the export `takes_a_float` does not take 1 `i32`",
        ),
        (
            &["wbg_rayon_start_worker", "main"],
            &[],
            "the export `wbg_rayon_start_worker` does not take 0 `i32`",
        ),
    ];
    for (exports, args, why) in cases {
        let import = HostImport::wrap("wbg", "startWorkers", move |guest, (_, _): (u32, u32)| {
            guest.spawn(exports.iter().copied(), args.iter().copied());
            Ok(())
        });
        let program = program(&workers(ADD_ATOMIC), vec![import]).unwrap();
        let outcome = session::run(&program, RunOptions::default(), NullIo).unwrap();
        assert_eq!(outcome.exit_code(), ExitCode::Trap.code());
        assert_eq!(outcome.analysis.traps[0].reason, why);
    }
    let calls = Arc::default();
    let program = program(&workers(ADD_ATOMIC), vec![start_workers(&calls)]).unwrap();
    let mut options = RunOptions::default();
    options.spec.limits.threads = 3;
    let outcome = session::run(&program, options, NullIo).unwrap();
    assert_eq!(outcome.analysis.traps[0].reason, "too many threads");
}

/// The workers' module, but the receiver's address and the sum are what exports return.
const DRIVEN: &str = r#"(module
    (import "env" "memory" (memory 1 1 shared))
    (func $start (export "__wbindgen_start")
        (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))
    (func (export "receiver") (param $base i32) (result i32)
        (i32.add (local.get $base) (i32.const 64)))
    (func (export "wbg_rayon_start_worker") (param $receiver i32)
        (drop (i32.atomic.rmw.add offset=8 (local.get $receiver)
            (i32.load offset=4 (local.get $receiver))))
        (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1))))
    (func (export "wait_for") (param $workers i32)
        (loop $again
            (br_if $again
                (i32.lt_u (i32.atomic.load (i32.const 8)) (local.get $workers)))))
    (func (export "sum") (param f64) (result f64)
        (f64.add (local.get 0) (f64.convert_i32_u (i32.load (i32.const 72))))))"#;

fn driven(driver: Driver) -> Program {
    let options = ProgramOptions::default().driver(Some(driver));
    Program::with_options(&wat::parse_str(DRIVEN).unwrap(), options).unwrap()
}

/// Runs four workers; `early` writes the job when they may have begun already.
fn page(asked: &Arc<AtomicU32>, early: bool) -> Driver {
    let asked = Arc::clone(asked);
    Driver::new(move |guest, results| {
        asked.fetch_add(1, Ordering::Relaxed);
        let job = 7u32.to_le_bytes();
        Ok(match *results {
            [] => Some(Call::new("__wbindgen_start", [])),
            [_] => Some(Call::new("receiver", [0])),
            [_, receiver] => {
                if early {
                    guest.write(receiver as u32 + 4, &job)?;
                }
                for _ in 0..4 {
                    guest.spawn(
                        ["__wbindgen_start", "wbg_rayon_start_worker"],
                        [receiver as u32],
                    );
                }
                Some(Call::new("wait_for", [u64::from(early)]))
            }
            [_, receiver, _] => {
                if !early {
                    guest.write(receiver as u32 + 4, &job)?;
                }
                Some(Call::new("wait_for", [4]))
            }
            [_, _, _, _] => Some(Call::new("sum", [0.5f64.to_bits()])),
            [.., sum] if !early || f64::from_bits(sum) == 28.5 => None,
            _ => return Err(HostError::new("another sum")),
        })
    })
}

#[test]
fn a_driver_decides_what_the_main_thread_calls() {
    let program = driven(page(&Arc::default(), true));
    for seed in 0..50 {
        let options = RunOptions::seeded(seed);
        let outcome = session::run(&program, options, NullIo).unwrap();
        assert_eq!(outcome.exit_code(), 0, "{:?}", outcome.analysis);
        assert_eq!(outcome.stats.threads, 5);
    }
}

#[test]
fn what_a_driver_writes_races_and_it_is_not_asked_again() {
    let asked = Arc::default();
    let program = driven(page(&asked, false));
    for seed in 0..20 {
        asked.store(0, Ordering::Relaxed);
        let options = RunOptions::seeded(seed);
        let outcome = session::run(&program, options, NullIo).unwrap();
        assert_eq!(outcome.exit_code(), ExitCode::Findings.code());
        assert_eq!(outcome.analysis.stats.unresolved, 0);
        assert_eq!(asked.load(Ordering::Relaxed), 6);
    }
}

#[test]
fn a_driver_that_asks_for_what_is_not_there_traps_the_main_thread() {
    for (export, args, why) in [
        ("gone", &[][..], "there is no exported function `gone`"),
        ("sum", &[], "the export `sum` does not take 0 numbers"),
        ("", &[1], "there is no exported function ``"),
        ("!", &[], "no such page"),
    ] {
        let program = driven(Driver::new(move |guest, _| {
            if export == "!" {
                return Err(HostError::new("no such page"));
            }
            assert!(guest.read(u32::MAX, 2).is_err());
            Ok(Some(Call::new(export, args.iter().copied())))
        }));
        let outcome = session::run(&program, RunOptions::default(), NullIo).unwrap();
        assert_eq!(outcome.exit_code(), ExitCode::Trap.code());
        assert_eq!(outcome.analysis.traps[0].reason, why);
    }
}

/// Calls `answer` from two threads that race besides, so that each run is repeated.
fn answering(reply: Reply<i32>) -> Program {
    let answer = HostImport::wrap("env", "answer", move |_, ()| Ok(reply));
    let wat = r#"(module
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (import "env" "answer" (func $answer (result i32)))
        (memory 1 1 shared)
        (func (export "thread_start") (param i32)
            (i32.store (i32.const 64) (i32.const 1))
            (i32.store (i32.const 68) (call $answer)))
        (func (export "main") (result i32)
            (drop (call $create (i32.const 0) (i32.const 0)))
            (i32.store (i32.const 64) (i32.const 1))
            (call $answer)))"#;
    program(wat, vec![answer]).unwrap()
}

#[test]
fn every_reply_is_what_a_function_of_grind_could_do_and_is_repeated() {
    type Case = (Reply<i32>, Unfinished, Ending);
    let cases: [Case; 5] = [
        (Reply::Return(7), Unfinished::Wait, Ending::Exited(7)),
        (Reply::Yield(7), Unfinished::Wait, Ending::Exited(7)),
        (Reply::Exit(3), Unfinished::End, Ending::Exited(3)),
        (Reply::EndThread, Unfinished::Wait, Ending::Returned),
        (
            Reply::Block {
                key: 1,
                timeout: None,
            },
            Unfinished::End,
            Ending::Deadlock,
        ),
    ];
    for (reply, unfinished, ending) in cases {
        let program = answering(reply);
        let mut raced = 0;
        for seed in 0..20 {
            let mut options = RunOptions::seeded(seed);
            options.spec.entry.unfinished = unfinished;
            let outcome = session::run(&program, options, NullIo).unwrap();
            assert_eq!(outcome.ending, ending, "{reply:?} {seed}");
            assert_eq!(outcome.analysis.stats.unresolved, 0, "{reply:?} {seed}");
            let races = outcome.analysis.diagnoses.iter();
            raced += races
                .filter(|one| matches!(one.diagnosis, Diagnosis::DataRace { .. }))
                .count();
        }
        // Whoever comes first to `exit` ends it before the other has written.
        assert!(raced > 0, "{reply:?}");
    }
}

/// Two threads meet through the embedder: one waits for a key in `receive` until the other has called `send`.
fn mailbox(send_first: &str) -> String {
    format!(
        r#"(module
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (import "env" "send" (func $send))
        (import "env" "receive" (func $receive (result i32)))
        (memory 1 1 shared)
        (func (export "thread_start") (param i32)
            {send_first}
            (i32.store (i32.const 64) (i32.const 9))
            (call $send))
        (func (export "main") (result i32)
            (drop (call $create (i32.const 0) (i32.const 0)))
            (drop (call $receive))
            (i32.load (i32.const 64))))"#
    )
}

#[test]
fn who_blocks_is_called_again_when_woken_and_what_the_waker_did_came_before() {
    for (send_first, mostly_races) in [("", false), ("(call $send)", true)] {
        let (mut findings, mut clean) = (0, 0);
        for seed in 0..50 {
            let sent = Arc::new(AtomicU32::new(0));
            let count = Arc::clone(&sent);
            let send = HostImport::wrap("env", "send", move |guest, ()| {
                count.fetch_add(1, Ordering::Relaxed);
                guest.wake(1, u32::MAX);
                Ok(())
            });
            let receive = HostImport::wrap("env", "receive", move |guest, ()| {
                let sent = sent.load(Ordering::Relaxed);
                Ok(match (guest.woken(), sent) {
                    (None, 0) => Reply::Block {
                        key: 1,
                        timeout: None,
                    },
                    (woken, _) => Reply::Return(i32::from(woken.is_some())),
                })
            });
            let program = program(&mailbox(send_first), vec![send, receive]).unwrap();
            let outcome = session::run(&program, RunOptions::seeded(seed), NullIo).unwrap();
            assert_eq!(outcome.analysis.stats.unresolved, 0);
            match outcome.analysis.diagnoses.is_empty() {
                true => clean += 1,
                false => findings += 1,
            }
        }
        // A message that was there already is no wake-up, and orders nothing: that is for the embedder to say.
        assert_eq!(findings > clean, mostly_races, "{findings} and {clean}");
        assert_eq!(clean > 0, !mostly_races, "{findings} and {clean}");
    }
}

#[test]
fn a_deadlock_in_a_function_of_the_embedder_says_so() {
    let program = answering(Reply::Block {
        key: 4,
        timeout: None,
    });
    let options = RunOptions::default();
    let outcome = session::run(&program, options.clone(), NullIo).unwrap();
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let report = outcome.report(&program, &symbolizer, &options);
    let text = human::render(&report, &human::Options::default());
    assert!(text.contains("waits in a function of the host"), "{text}");
}
