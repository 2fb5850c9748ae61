//! What a namespace records, and that it replays without its host.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/recording.rs"]
#[expect(dead_code, reason = "not all suites use all of it")]
mod recording;

use grind_runtime::host::{Linker, Namespace, NamespaceError, Stdio};
use grind_runtime::session::{ReplayOptions, Replayed};
use grind_runtime::{Control, Ending, NullIo, Outcome, Program, Value, replay};
use recording::{Memory, open};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime as Tokio};

/// Two threads count, ordered or not, when a function of the host has said by how much.
fn counts(ordered: bool) -> String {
    let add = match ordered {
        true => "(drop (i32.atomic.rmw.add (i32.const 64) (local.get $by)))",
        false => "(i32.store (i32.const 64) (i32.add (i32.load (i32.const 64)) (local.get $by)))",
    };
    format!(
        r#"(module
        (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
        (import "host" "by" (func $by (result i32)))
        (memory (export "memory") 1 1 shared)
        (func $count (local $by i32)
            (local.set $by (call $by))
            {add}
            (drop (i32.atomic.rmw.add (i32.const 128) (i32.const 1)))
            (drop (memory.atomic.notify (i32.const 128) (i32.const -1))))
        (func (export "wasi_thread_start") (param i32 i32) (call $count))
        (func (export "_start")
            (drop (call $spawn (i32.const 0)))
            (call $count)
            (loop $again
                (if (i32.lt_u (i32.atomic.load (i32.const 128)) (i32.const 2)) (then
                    (drop (memory.atomic.wait32 (i32.const 128) (i32.const 1) (i64.const -1)))
                    (br $again))))))"#
    )
}

fn by_two() -> Linker {
    let mut linker = Linker::new();
    linker.func("host", "by", |_, ()| Ok(2));
    linker
}

fn by_two_later() -> Linker {
    let mut linker = Linker::new();
    linker.func_async("host", "by", |_, ()| {
        Ok(async {
            tokio::task::yield_now().await;
            Ok(2)
        })
    });
    linker
}

fn tokio() -> Tokio {
    (Builder::new_multi_thread().worker_threads(2).enable_time())
        .build()
        .unwrap()
}

/// The trace replays as it is, and comes to the same.
fn replays(trace: &Memory, live: &Outcome<Stdio>) {
    let bytes = trace.bytes();
    let reader = open(&bytes).unwrap();
    let (module, options) = (reader.module().unwrap(), reader.header().program_options());
    // Nothing of the host is there.
    assert!(Program::new(module).is_err());
    let program = Program::for_replay(module, options).unwrap();
    let open = || open(&bytes);
    let again = replay(&program, open, ReplayOptions::default(), Box::new(NullIo)).unwrap();
    let Replayed {
        outcome, truncated, ..
    } = again;
    assert!(!truncated);
    assert_eq!(outcome.ending, live.ending);
    assert_eq!(outcome.stats, live.stats);
    assert_eq!(outcome.analysis.diagnoses, live.analysis.diagnoses);
}

/// Runs it in all ways in which it has a result, and replays each. Returns how many of them had findings.
fn recorded(ordered: bool, seed: u64) -> [usize; 4] {
    let wasm = wat::parse_str(counts(ordered)).unwrap();
    let tokio = tokio();
    let namespace = |trace: &Memory| {
        Namespace::from_bytes(wasm.clone())
            .stdio(Stdio::capture())
            .seed(seed)
            .record(trace.clone())
    };
    let executor = || Arc::new(tokio.handle().clone());
    let traces: [Memory; 4] = Default::default();
    let [here, awaited, waits, awaits] = &traces;
    let outcomes = [
        namespace(here).imports(by_two()).run().unwrap(),
        tokio
            .block_on(namespace(awaited).imports(by_two()).run_async())
            .unwrap(),
        namespace(waits)
            .imports(by_two_later())
            .executor(executor())
            .run()
            .unwrap(),
        tokio
            .block_on(
                namespace(awaits)
                    .imports(by_two_later())
                    .executor(executor())
                    .run_async(),
            )
            .unwrap(),
    ];
    let mut found = [0; 4];
    for ((outcome, trace), found) in outcomes.iter().zip(&traces).zip(&mut found) {
        assert_eq!(outcome.ending, Ending::Returned);
        assert_eq!(outcome.warnings, Vec::<String>::new());
        replays(trace, outcome);
        *found = outcome.analysis.diagnoses.len();
    }
    // How it is awaited changes nothing in a run that nobody drives.
    assert_eq!(here.bytes(), awaited.bytes());
    found
}

#[test]
fn every_run_of_a_namespace_replays_from_its_trace_alone() {
    for seed in 0..10 {
        let raced = recorded(false, seed);
        assert!(raced.iter().all(|&found| found > 0), "{seed}: {raced:?}");
        assert_eq!(recorded(true, seed), [0; 4]);
    }
}

#[test]
fn what_a_host_calls_in_a_live_namespace_replays_as_well() {
    for seed in 0..5 {
        let trace = Memory::default();
        let live = Namespace::from_bytes(wat::parse_str(counts(false)).unwrap())
            .stdio(Stdio::capture())
            .seed(seed)
            .imports(by_two())
            .record(trace.clone())
            .keep()
            .start()
            .unwrap();
        assert_eq!(live.call_entry().unwrap(), 0);
        live.runtime().mem_write(64, &[0]).unwrap();
        assert_eq!(live.call("_start", []).unwrap(), Vec::<Value>::new());
        let outcome = live.finish().unwrap();
        assert!(!outcome.analysis.diagnoses.is_empty());
        replays(&trace, &outcome);
    }
}

#[test]
fn a_run_that_waits_for_the_host_can_be_told_to_stop() {
    let never = || {
        let mut linker = Linker::new();
        linker.func_async("host", "by", |_, ()| {
            Ok(async {
                std::future::pending::<()>().await;
                Ok(2)
            })
        });
        linker
    };
    let wasm = wat::parse_str(counts(true)).unwrap();
    let tokio = tokio();
    for awaits in [false, true] {
        let (trace, control) = (Memory::default(), Arc::new(Control::default()));
        let namespace = Namespace::from_bytes(wasm.clone())
            .stdio(Stdio::capture())
            .imports(never())
            .executor(Arc::new(tokio.handle().clone()))
            .control(Arc::clone(&control))
            .record(trace.clone());
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                control.request_stop();
            });
            match awaits {
                true => tokio.block_on(namespace.run_async()),
                false => namespace.run(),
            }
        });
        let outcome = outcome.unwrap();
        assert_eq!(outcome.ending, Ending::TimedOut);
        replays(&trace, &outcome);
    }
}

#[test]
fn a_trace_that_cannot_be_written_is_told() {
    /// Takes so many bytes.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = match self.0.checked_sub(bytes.len()) {
                Some(left) => left,
                None => return Err(io::ErrorKind::StorageFull.into()),
            };
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let wasm = wat::parse_str(counts(true)).unwrap();
    let namespace = |room: usize| {
        Namespace::from_bytes(wasm.clone())
            .stdio(Stdio::capture())
            .imports(by_two())
            .record(Full(room))
    };
    let refused = namespace(0).run().err();
    assert!(matches!(refused, Some(NamespaceError::Trace(_))));
    let outcome = namespace(usize::MAX).run().unwrap();
    assert_eq!(outcome.warnings, Vec::<String>::new());
    // Room for the header, and no more.
    let room = (0..).map(|kib| kib * 64);
    let room = room.take(1000).find(|&room| namespace(room).run().is_ok());
    let outcome = namespace(room.unwrap()).run().unwrap();
    assert_eq!(outcome.ending, Ending::Returned);
    assert!(outcome.warnings[0].contains("could not be written"));
}
