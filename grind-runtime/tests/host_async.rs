//! Asynchronous functions of the host, and hosts that are asynchronous themselves, on tokio.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/counts_drop.rs"]
mod counts_drop;
#[path = "support/recording.rs"]
#[expect(dead_code, reason = "not all suites use all of it")]
mod recording;

use counts_drop::CountsDrop;
use futures_util::FutureExt;
use grind_runtime::host::supervisor::{ChildSpec, Progress, Strategy, Supervisor, SupervisorSpec};
use grind_runtime::host::{
    CallError, Instance, JoinError, JoinSet, Linker, ThreadError, ThreadHandle, ThreadRuntime,
};
use grind_runtime::session::{ReplayOptions, TraceInput};
use grind_runtime::{
    ActError, Diagnosis, Ending, Guest, HostError, NullIo, Outcome, Program, ProgramOptions,
    RunOptions, ThreadId, TraceReader, Value, replay,
};
use recording::Memory;
use std::io::Cursor;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::runtime::{Builder, Runtime as Tokio};
use tokio::sync::{Barrier, Notify, oneshot};

const GUEST: &str = r#"(module
    (import "host" "ready" (func $ready (param i32) (result i32)))
    (import "host" "later" (func $later (param i32) (result i32)))
    (import "host" "never" (func $never))
    (import "host" "meet" (func $meet))
    (import "host" "panic" (func $panic (param i32)))
    (import "host" "fails" (func $fails))
    (import "host" "fill" (func $fill (param i32 i32) (result i32)))
    (import "host" "now" (func $now (result i32)))
    (memory (export "memory") 1 1 shared)
    (func (export "ready") (param i32) (result i32) (call $ready (local.get 0)))
    (func (export "later") (param i32) (result i32) (call $later (local.get 0)))
    (func (export "never") (call $never))
    (func (export "meet") (call $meet))
    (func (export "panic") (param i32) (call $panic (local.get 0)))
    (func (export "fails") (call $fails))
    (func (export "now") (result i32) (call $now))
    ;; The bytes that the host filled in, summed.
    (func (export "fill") (param $at i32) (param $len i32) (result i32) (local $sum i32)
        (local.set $len (call $fill (local.get $at) (local.get $len)))
        (loop $again
            (local.set $len (i32.sub (local.get $len) (i32.const 1)))
            (local.set $sum (i32.add (local.get $sum)
                (i32.load8_u (i32.add (local.get $at) (local.get $len)))))
            (br_if $again (local.get $len)))
        (local.get $sum))
    (func (export "peek") (param $at i32) (result i32) (i32.load8_u (local.get $at)))
    (func (export "work") (param $rounds i32)
        (loop $again
            (drop (i32.atomic.rmw.add (i32.const 72) (i32.const 1)))
            (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
            (br_if $again (local.get $rounds))))
    ;; Spins until somebody else has written.
    (func (export "spin_until") (loop $again
        (br_if $again (i32.eqz (i32.atomic.load (i32.const 128))))))
    (func (export "later_and_write") (drop (call $later (i32.const 1)))
        (i32.atomic.store (i32.const 128) (i32.const 1)))
    (func (export "sleep") (param i64) (result i32)
        (memory.atomic.wait32 (i32.const 256) (i32.const 0) (local.get 0))))"#;

/// A host, and what its functions have to do with the tests.
struct Host {
    tokio: Tokio,
    program: Program,
    /// Futures of `never` that were dropped.
    dropped: Arc<AtomicU32>,
}

impl Host {
    fn new() -> Host {
        Host::with_meeting(1)
    }

    /// `meet` waits until so many are in it.
    fn with_meeting(size: usize) -> Host {
        let tokio = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_time()
            .build()
            .unwrap();
        let dropped = Arc::new(AtomicU32::new(0));
        let drops = Arc::clone(&dropped);
        let meeting = Arc::new(Barrier::new(size));
        let mut linker = Linker::new();
        linker
            .func_async("host", "ready", |_, (number,): (i32,)| {
                Ok(async move { Ok(number + 1) })
            })
            .func_async("host", "later", |_, (number,): (i32,)| {
                Ok(async move {
                    // The reactor is found at the first poll as well.
                    tokio::time::sleep(Duration::from_micros(50)).await;
                    tokio::task::yield_now().await;
                    Ok(number + 1)
                })
            })
            .func_async("host", "never", move |_, ()| {
                let counts = CountsDrop(Arc::clone(&drops));
                Ok(async move {
                    let _counts = counts;
                    std::future::pending::<()>().await;
                    Ok(())
                })
            })
            .func_async("host", "meet", move |_, ()| {
                let meeting = Arc::clone(&meeting);
                Ok(async move {
                    meeting.wait().await;
                    Ok(())
                })
            })
            .func_async("host", "panic", |_, (when,): (i32,)| {
                assert_ne!(when, 0, "at the call");
                Ok(async move {
                    assert_ne!(when, 1, "at the first poll");
                    tokio::task::yield_now().await;
                    assert_ne!(when, 2, "later");
                    Ok(())
                })
            })
            .func_async("host", "fails", |_, ()| {
                Ok(async {
                    tokio::task::yield_now().await;
                    let _: i32 = "seven".parse()?;
                    Ok(())
                })
            })
            .func_async_then("host", "fill", |_, (at, len): (u32, u32)| {
                Ok(async move {
                    tokio::task::yield_now().await;
                    let bytes: Vec<u8> = (0..len).map(|byte| byte as u8).collect();
                    Ok(move |guest: &mut Guest<'_>| {
                        guest.write(at, &bytes)?;
                        Ok(len)
                    })
                })
            })
            .func("host", "now", |_, ()| -> Result<i32, _> {
                panic!("a synchronous one")
            });
        Host {
            tokio,
            program: guest(linker, GUEST),
            dropped,
        }
    }

    fn runtime(&self, seed: u64) -> ThreadRuntime<NullIo> {
        let options =
            RunOptions::seeded(seed).executor(Some(Arc::new(self.tokio.handle().clone())));
        ThreadRuntime::with_program(&self.program, options, NullIo).unwrap()
    }

    /// Waits for tokio to have dropped so many futures of `never`.
    fn dropped(&self, count: u32) {
        while self.dropped.load(Ordering::SeqCst) < count {
            std::thread::yield_now();
        }
        assert_eq!(self.dropped.load(Ordering::SeqCst), count);
    }
}

fn found<Io>(outcome: Outcome<Io>) -> Vec<Diagnosis> {
    let diagnoses = outcome.analysis.diagnoses.into_iter();
    diagnoses.map(|one| one.diagnosis).collect()
}

fn trap_of(came: Result<Vec<Value>, JoinError>) -> String {
    match came {
        Err(JoinError::Thread(ThreadError::Trapped(trap))) => trap.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_call_gives_what_its_future_does_ready_or_not() {
    let host = Host::new();
    for seed in 0..10 {
        let runtime = host.runtime(seed);
        let ready = runtime.spawn("ready", [Value::I32(1)]).unwrap();
        let later = runtime.spawn("later", [Value::I32(2)]).unwrap();
        let fill = [Value::I32(512), Value::I32(5)];
        let fill = runtime.spawn("fill", fill).unwrap();
        assert_eq!(later.join().unwrap(), [Value::I32(3)]);
        assert_eq!(ready.join().unwrap(), [Value::I32(2)]);
        assert_eq!(fill.join().unwrap(), [Value::I32(10)]);
        assert_eq!(found(runtime.finish().unwrap()), []);
    }
}

#[test]
fn only_the_calling_thread_waits() {
    // All of them are in flight at once, or nobody ever leaves.
    let host = Host::with_meeting(50);
    let runtime = host.runtime(7);
    let mut set = JoinSet::new();
    for handle in runtime.spawn_repeat("meet", &[], 50).unwrap() {
        set.insert(handle);
    }
    let works = runtime.spawn("work", [Value::I32(100)]).unwrap();
    assert_eq!(works.join().unwrap(), []);
    for (_, came) in set.join_all() {
        assert_eq!(came.unwrap(), []);
    }
    // One that spins lets the others be woken.
    let spins = runtime.spawn("spin_until", []).unwrap();
    runtime.spawn("later_and_write", []).unwrap().detach();
    assert_eq!(spins.join().unwrap(), []);
}

#[test]
fn what_the_host_writes_when_it_is_done_is_an_access_of_the_calling_thread() {
    let host = Host::new();
    for (peeks_first, races) in [(true, true), (false, false)] {
        for seed in 0..10 {
            let runtime = host.runtime(seed);
            let fill = runtime.spawn("fill", [Value::I32(512), Value::I32(5)]);
            let fill = fill.unwrap();
            if !peeks_first {
                fill.join().unwrap();
            }
            let peek = runtime.spawn("peek", [Value::I32(513)]).unwrap();
            peek.join().unwrap();
            if peeks_first {
                fill.join().unwrap();
            }
            let found = found(runtime.finish().unwrap());
            let threads = found.iter().map(|one| match one {
                Diagnosis::DataRace { first, second, .. } => {
                    let mut threads = [first.thread, second.thread];
                    threads.sort();
                    threads
                }
                other => panic!("{other:?}"),
            });
            let expected: &[[ThreadId; 2]] = match races {
                true => &[[ThreadId(1), ThreadId(2)]],
                false => &[],
            };
            assert_eq!(threads.collect::<Vec<_>>(), expected, "{seed}");
        }
    }
}

#[test]
fn an_abort_or_the_end_of_the_runtime_drops_the_future() {
    let host = Host::new();
    let runtime = host.runtime(3);
    let stuck = runtime.spawn("never", []).unwrap();
    assert!(!gets_on(&stuck));
    stuck.abort();
    assert!(matches!(
        stuck.join(),
        Err(JoinError::Thread(ThreadError::Aborted))
    ));
    host.dropped(1);
    let works = runtime.spawn("later", [Value::I32(1)]).unwrap();
    assert_eq!(works.join().unwrap(), [Value::I32(2)]);

    let stuck = runtime.spawn("never", []).unwrap();
    std::thread::scope(|scope| {
        let joins = scope.spawn(|| stuck.join());
        std::thread::sleep(Duration::from_millis(5));
        drop(runtime);
        assert!(matches!(joins.join().unwrap(), Err(JoinError::Over)));
    });
    host.dropped(2);
}

/// Lets a thread get into its call. Returns whether it ends.
fn gets_on(thread: &ThreadHandle) -> bool {
    (0..20).any(|_| thread.is_finished())
}

#[test]
fn a_panic_or_an_error_traps_the_thread_with_its_message() {
    let host = Host::new();
    let runtime = host.runtime(4);
    let said = ["at the call", "at the first poll", "later"];
    for (when, said) in (0..).zip(said) {
        let panics = runtime.spawn("panic", [Value::I32(when)]).unwrap();
        let trap = trap_of(panics.join());
        assert!(
            trap.contains("a function of the host panicked") && trap.contains(said),
            "{trap}"
        );
    }
    let fails = runtime.spawn("fails", []).unwrap();
    let trap = trap_of(fails.join());
    assert!(trap.contains("invalid digit"), "{trap}");
    let panics = runtime.spawn("now", []).unwrap();
    let trap = trap_of(panics.join());
    assert!(trap.contains("a synchronous one"), "{trap}");
    // The runtime survives.
    let works = runtime.spawn("later", [Value::I32(1)]).unwrap();
    assert_eq!(works.join().unwrap(), [Value::I32(2)]);
}

#[test]
fn without_an_executor_the_call_says_what_is_missing() {
    let host = Host::new();
    let options = RunOptions::seeded(1);
    let runtime = ThreadRuntime::with_program(&host.program, options, NullIo).unwrap();
    let later = runtime.spawn("later", [Value::I32(1)]).unwrap();
    let trap = trap_of(later.join());
    assert!(trap.contains("needs an executor"), "{trap}");
}

#[test]
fn an_executor_that_is_gone_is_an_error_and_no_wait_for_ever() {
    let host = Host::new();
    let runtime = host.runtime(1);
    let stuck = runtime.spawn("never", []).unwrap();
    assert!(!gets_on(&stuck));
    let Host { tokio, dropped, .. } = host;
    tokio.shutdown_background();
    let trap = trap_of(stuck.join());
    assert!(trap.contains("its executor dropped the call"), "{trap}");
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
}

#[test]
fn virtual_time_passes_as_real_time_does_while_a_call_is_in_flight() {
    let host = Host::new();
    let runtime = host.runtime(1);
    let never = runtime.spawn("never", []).unwrap();
    let timed_out = 2;
    // Not an hour: nobody has that long, and without the call it takes no time at all.
    let short = i64::try_from(Duration::from_millis(20).as_nanos()).unwrap();
    let begin = std::time::Instant::now();
    let sleeps = runtime.spawn("sleep", [Value::I64(short)]).unwrap();
    assert_eq!(sleeps.join().unwrap(), [Value::I32(timed_out)]);
    assert!(begin.elapsed() >= Duration::from_millis(19));
    let sleeps = runtime.spawn("sleep", [Value::I64(short)]).unwrap();
    let asynchronously = host.tokio.block_on(sleeps.join_async());
    assert_eq!(asynchronously.unwrap(), [Value::I32(timed_out)]);
    never.abort();
    let hour = i64::try_from(Duration::from_secs(3600).as_nanos()).unwrap();
    let sleeps = runtime.spawn("sleep", [Value::I64(hour)]).unwrap();
    assert_eq!(sleeps.join().unwrap(), [Value::I32(timed_out)]);
}

#[test]
fn a_host_can_await_its_guests_and_blocks_no_worker() {
    let host = Arc::new(Host::new());
    // On the one thread of this executor, a future that blocked would let nobody else go on.
    let here = Builder::new_current_thread().build().unwrap();
    let machines = 8;
    let done = Arc::new(AtomicUsize::new(0));
    here.block_on(async {
        let mut tasks = Vec::new();
        for seed in 0..machines {
            let (host, done) = (Arc::clone(&host), Arc::clone(&done));
            tasks.push(tokio::spawn(async move {
                let runtime = host.runtime(seed);
                let mut set = JoinSet::new();
                for export in ["later", "ready", "later"] {
                    set.spawn(&runtime, export, [Value::I32(4)]).unwrap();
                }
                set.spawn(&runtime, "work", [Value::I32(5000)]).unwrap();
                let mut results = Vec::new();
                while let Some((_, came)) = set.join_next_async().await {
                    results.extend(came.unwrap());
                }
                assert_eq!(results, [Value::I32(5); 3]);
                let instance = runtime.instance().unwrap();
                let called = instance.call_async("later", [Value::I32(1)]).await;
                assert_eq!(called.unwrap(), [Value::I32(2)]);
                let trap = instance.call_async("fails", []).await.unwrap_err();
                assert!(matches!(trap, CallError::Ended(_)), "{trap:?}");
                done.fetch_add(1, Ordering::SeqCst);
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!(done.load(Ordering::SeqCst), machines as usize);
}

#[test]
fn who_awaits_can_go_and_another_lets_the_guest_run() {
    let host = Host::new();
    let runtime = host.runtime(5);
    let one = runtime.spawn("spin_until", []).unwrap();
    host.tokio.block_on(async {
        let (send, receive) = oneshot::channel::<()>();
        tokio::select! {
            biased;
            _ = one.join_async() => panic!("it ends only by the other"),
            _ = tokio::task::yield_now() => {}
        }
        let two = runtime.spawn("later_and_write", []).unwrap();
        tokio::join!(
            async {
                // Dropped after some polls.
                tokio::select! {
                    _ = receive => {}
                    came = one.join_async() => drop(came.unwrap()),
                }
            },
            async {
                let _ = send.send(());
                assert_eq!(two.join_async().await.unwrap(), []);
            },
        );
    });
}

/// A guest of these functions.
fn guest(linker: Linker, wat: &str) -> Program {
    let options = ProgramOptions::default().imports(linker.into_imports());
    Program::with_options(&wat::parse_str(wat).unwrap(), options).unwrap()
}

/// The same set up, with one worker for its futures.
fn on_tokio(linker: Linker, wat: &str) -> (Tokio, ThreadRuntime<NullIo>) {
    let tokio = Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let options = RunOptions::seeded(1).executor(Some(Arc::new(tokio.handle().clone())));
    let runtime = ThreadRuntime::with_program(&guest(linker, wat), options, NullIo).unwrap();
    (tokio, runtime)
}

/// A guest that calls the host, and what the host does then.
fn calling(within: impl Fn(&mut Guest<'_>) -> i32 + Send + Sync + 'static) -> Program {
    let mut linker = Linker::new();
    linker.func("host", "within", move |guest, ()| Ok(within(guest)));
    let wat = r#"(module (import "host" "within" (func $within (result i32))) (memory 1 1 shared)
        (func (export "call") (result i32) (call $within)) (func (export "nothing")))"#;
    guest(linker, wat)
}

type Slot<T> = Arc<Mutex<Option<T>>>;

#[test]
fn a_function_that_the_guest_calls_cannot_wait_for_it() {
    let slot: Slot<(ThreadRuntime<NullIo>, ThreadHandle)> = Slot::default();
    let inside = Arc::clone(&slot);
    let program = calling(move |_| {
        let slot = inside.lock().unwrap();
        let (runtime, other) = slot.as_ref().unwrap();
        assert!(matches!(other.join(), Err(JoinError::Reentered)));
        let joined = other.join_async().now_or_never();
        assert!(matches!(joined, Some(Err(JoinError::Reentered))));
        assert!(other.try_join().is_none() && !other.is_finished());
        other.abort();
        let refused = runtime.spawn("nothing", []).map(|thread| thread.id());
        assert_eq!(refused, Err(ActError::Reentered));
        // That of another run can.
        let elsewhere = calling(|_| 5);
        let elsewhere =
            ThreadRuntime::with_program(&elsewhere, RunOptions::default(), NullIo).unwrap();
        match elsewhere.spawn("call", []).unwrap().join().unwrap()[..] {
            [Value::I32(five)] => five,
            ref other => panic!("{other:?}"),
        }
    });
    let runtime = ThreadRuntime::with_program(&program, RunOptions::seeded(1), NullIo).unwrap();
    let other = runtime.spawn("nothing", []).unwrap();
    let calls = runtime.spawn("call", []).unwrap();
    *slot.lock().unwrap() = Some((runtime, other));
    assert_eq!(calls.join().unwrap(), [Value::I32(5)]);
    let (_runtime, other) = slot.lock().unwrap().take().unwrap();
    // It was aborted when the function had returned, and nothing was spawned.
    assert!(matches!(
        other.join(),
        Err(JoinError::Thread(ThreadError::Aborted))
    ));
    assert_eq!(other.id(), ThreadId(1));
}

#[test]
fn a_function_that_the_guest_calls_can_drop_the_runtime() {
    let slot: Slot<ThreadRuntime<NullIo>> = Slot::default();
    let inside = Arc::clone(&slot);
    let program = calling(move |_| {
        drop(inside.lock().unwrap().take());
        0
    });
    let runtime = ThreadRuntime::with_program(&program, RunOptions::seeded(1), NullIo).unwrap();
    let calls = runtime.spawn("call", []).unwrap();
    *slot.lock().unwrap() = Some(runtime);
    assert!(matches!(calls.join(), Err(JoinError::Over)));
}

#[test]
fn what_a_function_that_the_guest_calls_drops_ends_when_it_returns() {
    let slot: Slot<(Instance, JoinSet, Supervisor)> = Slot::default();
    let inside = Arc::clone(&slot);
    let mut linker = Linker::new();
    linker.func("host", "within", move |_, ()| {
        drop(inside.lock().unwrap().take());
        Ok(())
    });
    let wat = r#"(module (import "host" "within" (func $within)) (memory 1 1 shared)
        (func (export "call") (call $within))
        (func (export "wait")
            (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1)))))"#;
    let (_tokio, runtime) = on_tokio(linker, wat);
    let instance = runtime.instance().unwrap();
    instance.start("wait", []).unwrap();
    let mut set = JoinSet::new();
    set.spawn(&runtime, "wait", []).unwrap();
    let waits = ChildSpec::worker("waits", "wait", []);
    let spec = SupervisorSpec::new(Strategy::OneForOne).child(waits);
    let mut supervisor = Supervisor::new(spec).unwrap();
    // All are in their waits then.
    let progress = supervisor.run_for(&runtime, Duration::from_millis(1));
    assert!(matches!(progress, Ok(Progress::Pending(_))));
    *slot.lock().unwrap() = Some((instance, set, supervisor));
    let calls = runtime.spawn("call", []).unwrap();
    assert_eq!(calls.join().unwrap(), []);
    // Nobody waits any more.
    assert_eq!(runtime.notify(64, u32::MAX).unwrap(), 0);
    assert_eq!(found(runtime.finish().unwrap()), []);
}

#[test]
fn what_a_host_has_can_go_to_another_thread() {
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<ThreadRuntime<NullIo>>();
    is_send_and_sync::<ThreadHandle>();
    is_send_and_sync::<JoinSet>();
    is_send_and_sync::<Instance>();
    is_send_and_sync::<Supervisor>();
    is_send_and_sync::<Program>();
}

/// Records what a host does, with all that it can do in it. Returns the trace and what came of the run.
fn recorded(host: &Host, seed: u64) -> (Vec<u8>, Outcome<NullIo>) {
    let file = Memory::default();
    let options = RunOptions::seeded(seed).executor(Some(Arc::new(host.tokio.handle().clone())));
    let out = file.clone();
    let runtime = ThreadRuntime::record(&host.program, options, NullIo, out).unwrap();
    let stuck = runtime.spawn("never", []).unwrap();
    let fill = runtime
        .spawn("fill", [Value::I32(512), Value::I32(9)])
        .unwrap();
    let instance = runtime.instance().unwrap();
    instance.call("later", [Value::I32(1)]).unwrap();
    // It is not joined before: a race, about which the second pass learns more.
    runtime.mem_read(513, 2).unwrap();
    runtime.mem_write(300, &[1]).unwrap();
    fill.join().unwrap();
    runtime
        .spawn("panic", [Value::I32(2)])
        .unwrap()
        .join()
        .unwrap_err();
    instance.close().unwrap();
    stuck.abort();
    let outcome = runtime.finish().unwrap();
    (file.bytes(), outcome)
}

#[test]
fn a_trace_of_a_host_replays_without_host_or_executor() {
    let host = Host::new();
    for seed in 0..10 {
        let (bytes, live) = recorded(&host, seed);
        let open = || TraceReader::open(Box::new(Cursor::new(bytes.clone())) as TraceInput);
        let reader = open().unwrap();
        let module = reader.module().unwrap();
        // Nothing of the host is there.
        assert!(Program::new(module).is_err());
        let program = Program::for_replay(module, reader.header().program_options()).unwrap();
        let again = replay(&program, open, ReplayOptions::default(), Box::new(NullIo)).unwrap();
        assert!(!again.truncated);
        assert_eq!(again.outcome.ending, live.ending);
        assert_eq!(again.outcome.stats, live.stats);
        let found = live.analysis.diagnoses;
        assert!(
            found
                .iter()
                .any(|one| matches!(one.diagnosis, Diagnosis::Trap(_)))
        );
        assert_eq!(again.outcome.analysis.diagnoses, found);
    }
}

#[test]
fn who_awaits_is_told_though_others_let_the_guest_run() {
    let host = Host::new();
    for seed in 0..5 {
        let runtime = host.runtime(seed);
        let spins = runtime.spawn("spin_until", []).unwrap();
        let instance = runtime.instance().unwrap();
        std::thread::scope(|scope| {
            // One blocks, and several await.
            let blocks = scope.spawn(|| spins.join());
            let handles = runtime.spawn_repeat("later", &[Value::I32(1)], 4).unwrap();
            let later = handles
                .into_iter()
                .map(|handle| host.tokio.spawn(async move { handle.join_async().await }));
            let later: Vec<_> = later.collect();
            host.tokio.block_on(async {
                let called = instance.call_async("later", [Value::I32(5)]).await;
                assert_eq!(called.unwrap(), [Value::I32(6)]);
                for task in later {
                    assert_eq!(task.await.unwrap().unwrap(), [Value::I32(2)]);
                }
            });
            runtime.atomic_store(128, 1_u32).unwrap();
            assert_eq!(blocks.join().unwrap().unwrap(), []);
        });
    }
}

#[test]
fn time_passes_beside_calls_whatever_else_happens() {
    let host = Host::new();
    let runtime = host.runtime(1);
    let never = runtime.spawn("never", []).unwrap();
    let short = i64::try_from(Duration::from_millis(20).as_nanos()).unwrap();
    let timed_out = [Value::I32(2)];
    // Who polls lets it pass.
    let sleeps = runtime.spawn("sleep", [Value::I64(short)]).unwrap();
    while !sleeps.is_finished() {}
    assert_eq!(sleeps.join().unwrap(), timed_out);
    // Acts of others do not begin it anew.
    let sleeps = runtime.spawn("sleep", [Value::I64(short)]).unwrap();
    std::thread::scope(|scope| {
        let joins = scope.spawn(|| sleeps.join());
        while !joins.is_finished() {
            runtime.now().unwrap();
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(joins.join().unwrap().unwrap(), timed_out);
    });
    assert!(never.join_timeout(Duration::from_millis(5)).is_none());
    runtime.sleep(Duration::from_millis(5)).unwrap();
    never.abort();
}

#[test]
fn what_a_call_owns_may_act_on_the_runtime_when_it_is_dropped() {
    struct Aborts(Slot<ThreadHandle>);
    impl Drop for Aborts {
        fn drop(&mut self) {
            if let Some(thread) = self.0.lock().unwrap().take() {
                thread.abort();
            }
        }
    }
    let slot: Slot<ThreadHandle> = Slot::default();
    let owned = Arc::clone(&slot);
    let mut linker = Linker::new();
    linker.func_async_then("host", "own", move |_, ()| {
        let owns = Aborts(Arc::clone(&owned));
        Ok(async move {
            Ok(move |_: &mut Guest<'_>| {
                let _owns = owns;
                Ok(())
            })
        })
    });
    let wat = r#"(module (import "host" "[async]own" (func $own (param i32))) (memory 1 1 shared)
            (func (export "begin") (call $own (i32.const 1)))
            (func (export "wait")
                (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1)))))"#;
    let (_tokio, runtime) = on_tokio(linker, wat);
    let waits = Arc::new(runtime.spawn("wait", []).unwrap());
    *slot.lock().unwrap() = Some(runtime.spawn("wait", []).unwrap());
    let instance = runtime.instance().unwrap();
    instance.call("begin", []).unwrap();
    // Nobody took what came of the call: it goes with the thread that began it.
    instance.abort();
    assert!(slot.lock().unwrap().is_none());
    waits.abort();
    let outcome = runtime.finish().unwrap();
    assert_eq!(outcome.stats.threads, 4);
    assert_eq!(found(outcome), []);
}

#[test]
fn a_number_of_a_call_that_is_in_flight_is_refused() {
    let mut linker = Linker::new();
    linker.func_async("host", "never", |_, ()| {
        Ok(std::future::pending::<Result<(), HostError>>())
    });
    let wat = r#"(module (import "host" "[async]never" (func $never (param i32))) (memory 1 1 shared)
            (func (export "begin") (param i32) (call $never (local.get 0))))"#;
    let (_tokio, runtime) = on_tokio(linker, wat);
    let instance = runtime.instance().unwrap();
    for number in [1, 2] {
        instance.call("begin", [Value::I32(number)]).unwrap();
    }
    let error = instance.call("begin", [Value::I32(1)]).unwrap_err();
    assert!(
        error.to_string().contains("a call of this number"),
        "{error}"
    );
}

/// The shape that a generator of hosts fails at four times in five: two imports that are joined, on a runtime of many threads.
#[test]
fn two_joined_calls_never_fail_on_many_threads() {
    let host = Arc::new(Host::with_meeting(2));
    let failures = Mutex::new(0);
    for round in 0..1000 {
        let runtime = host.runtime(round % 20);
        let both = [(); 2].map(|()| runtime.spawn("meet", []).unwrap());
        let [one, two] = both;
        let joined = host.tokio.block_on(async {
            let one = tokio::spawn(async move { one.join_async().await });
            let two = tokio::spawn(async move { two.join_async().await });
            (one.await, two.await)
        });
        let (Ok(Ok(_)), Ok(Ok(_))) = joined else {
            *failures.lock().unwrap() += 1;
            continue;
        };
    }
    assert_eq!(*failures.lock().unwrap(), 0);
}

#[test]
fn a_notification_from_another_thread_of_the_host_is_not_lost() {
    let notify = Arc::new(Notify::new());
    let wakes = Arc::clone(&notify);
    let mut linker = Linker::new();
    linker.func_async("host", "wait", move |_, ()| {
        let notify = Arc::clone(&notify);
        Ok(async move {
            notify.notified().await;
            Ok(())
        })
    });
    let wat = r#"(module (import "host" "wait" (func $wait)) (memory 1 1 shared)
            (func (export "wait") (param $rounds i32)
                (loop $again (call $wait)
                    (local.set $rounds (i32.sub (local.get $rounds) (i32.const 1)))
                    (br_if $again (local.get $rounds)))))"#;
    let (_tokio, runtime) = on_tokio(linker, wat);
    let waits = runtime.spawn("wait", [Value::I32(500)]).unwrap();
    std::thread::scope(|scope| {
        let joins = scope.spawn(|| waits.join());
        while !joins.is_finished() {
            wakes.notify_one();
            std::thread::yield_now();
        }
        assert_eq!(joins.join().unwrap().unwrap(), []);
    });
    let outcome = runtime.finish().unwrap();
    assert_eq!(outcome.ending, Ending::Returned);
}
