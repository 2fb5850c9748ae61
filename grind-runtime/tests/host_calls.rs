//! Asynchronous functions across the border: a guest awaits those of the host, and the host those of the guest.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/counts_drop.rs"]
mod counts_drop;

use counts_drop::CountsDrop;
use grind_runtime::host::{Instance, Linker, PollError, ThreadRuntime};
use grind_runtime::{
    BufferIo, Diagnosis, Guest, HostError, Outcome, Program, ProgramOptions, RunOptions, Value,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::runtime::{Builder, Runtime as Tokio};

struct Host {
    tokio: Tokio,
    program: Program,
    /// Futures of `never` that were dropped.
    dropped: Arc<AtomicU32>,
}

impl Host {
    fn new() -> Host {
        let tokio = Builder::new_multi_thread().worker_threads(2).build();
        let dropped = Arc::new(AtomicU32::new(0));
        let drops = Arc::clone(&dropped);
        let mut linker = Linker::new();
        linker
            .func_async("host", "double", |_, (number,): (u32,)| {
                Ok(async move {
                    // Some are ready at once, and others are not.
                    if number % 3 > 0 {
                        tokio::task::yield_now().await;
                    }
                    Ok(number * 2)
                })
            })
            .func_async("host", "fail", |_, ()| {
                Ok(async { Err::<(), _>(HostError::new("no such page")) })
            })
            .func_async_then("host", "fill", |_, (buffer, len): (u32, u32)| {
                Ok(async move {
                    tokio::task::yield_now().await;
                    Ok(move |guest: &mut Guest<'_>| {
                        let bytes: Vec<u8> = (1..=len as u8).collect();
                        guest.write(buffer, &bytes)?;
                        Ok(len)
                    })
                })
            })
            .func_async("host", "never", move |_, ()| {
                let counts = CountsDrop(Arc::clone(&drops));
                Ok(async move {
                    let _counts = counts;
                    std::future::pending::<()>().await;
                    Ok(())
                })
            });
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
        let wasm = std::fs::read(programs.join("wasm/hosted/hosted_calls.wasm")).unwrap();
        let options = ProgramOptions::default().imports(linker.into_imports());
        Host {
            tokio: tokio.unwrap(),
            program: Program::with_options(&wasm, options).unwrap(),
            dropped,
        }
    }

    fn runtime(&self, seed: u64) -> (ThreadRuntime<BufferIo>, Instance) {
        let options =
            RunOptions::seeded(seed).executor(Some(Arc::new(self.tokio.handle().clone())));
        let runtime =
            ThreadRuntime::with_program(&self.program, options, BufferIo::default()).unwrap();
        let instance = runtime.instance().unwrap();
        (runtime, instance)
    }
}

/// What the guest printed; it has no findings.
fn printed(outcome: Outcome<BufferIo>) -> String {
    let found: Vec<Diagnosis> = (outcome.analysis.diagnoses.into_iter())
        .map(|one| one.diagnosis)
        .collect();
    assert_eq!(found, []);
    String::from_utf8(outcome.io.stdout).unwrap()
}

const PRINTED: &str = "4 2\n\
    the call of the host failed: no such page\n\
    5 bytes: [1, 2, 3, 4, 5]\n\
    8\n";

#[test]
fn a_guest_awaits_functions_of_its_host() {
    let host = Host::new();
    for seed in 0..20 {
        let (runtime, instance) = host.runtime(seed);
        instance.call("_start", []).unwrap();
        instance.run_tasks().unwrap();
        assert_eq!(printed(runtime.finish().unwrap()), PRINTED);
    }
}

#[test]
fn a_host_awaits_functions_of_its_guest_blocking_or_not() {
    let host = Host::new();
    let bits = 99.0 * 100.0;
    for seed in 0..5 {
        let (runtime, instance) = host.runtime(seed);
        instance.call("_start", []).unwrap();
        let sum = instance.call_task("sum_of_doubles", [Value::I32(100)]);
        assert_eq!(f64::from_bits(sum.unwrap()), bits);
        host.tokio.block_on(async {
            let sum = instance.call_task_async("sum_of_doubles", [Value::I32(100)]);
            assert_eq!(f64::from_bits(sum.await.unwrap()), bits);
            instance.run_tasks_async().await.unwrap();
        });
        assert_eq!(printed(runtime.finish().unwrap()), PRINTED);
    }
}

#[test]
fn what_a_guest_gives_up_is_dropped_and_writes_nothing() {
    let host = Host::new();
    for seed in 0..20 {
        let (runtime, instance) = host.runtime(seed);
        instance.call("_start", []).unwrap();
        instance.run_tasks().unwrap();
        assert_eq!(instance.call_task("gives_up", []).unwrap(), 0);
        while host.dropped.load(Ordering::SeqCst) <= seed as u32 {
            std::thread::yield_now();
        }
        assert_eq!(printed(runtime.finish().unwrap()), PRINTED);
    }
}

#[test]
fn calls_in_flight_are_dropped_with_their_instance() {
    let host = Host::new();
    let (runtime, instance) = host.runtime(3);
    instance.call("_start", []).unwrap();
    instance.run_tasks().unwrap();
    let error = instance.call_task("says_nothing", []).unwrap_err();
    assert!(matches!(error, PollError::Unresolved(_)), "{error:?}");
    assert_eq!(
        instance.call("under_block_on", []).unwrap(),
        [Value::I32(1)]
    );
    host.tokio.block_on(async {
        tokio::select! {
            biased;
            came = instance.call_task_async("wait_for_ever", []) => panic!("{came:?}"),
            () = async { for _ in 0..100 { tokio::task::yield_now().await } } => {}
        }
    });
    assert_eq!(host.dropped.load(Ordering::SeqCst), 0);
    instance.abort();
    while host.dropped.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    printed(runtime.finish().unwrap());
}
