//! What a call of a function of the host costs: of one that is asynchronous, beside one that is not.
//!
//! ```text
//! cargo bench -p grind-runtime --bench host_calls
//! ```
//!
//! Rounds of the kinds are interleaved; figures are medians of wall-clock time, for a wake comes from another thread. Memory is what is
//! resident (`/proc/self/statm`), and is told on Linux only.

#![expect(clippy::print_stdout, reason = "a bench prints its table")]
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use grind_runtime::host::{JoinSet, Linker, ThreadRuntime};
use grind_runtime::{
    HostError, Limits, NullIo, Program, ProgramOptions, RunOptions, RunSpec, Value,
};
use std::env;
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime as Tokio};

/// Calls of a round.
const CALLS: u32 = 20_000;
const ROUNDS: usize = 15;
/// The argument by which the bench tells itself to measure memory.
const BLOCKED: &str = "--blocked";
/// Calls in flight at once.
const IN_FLIGHT: u32 = 10_000;
/// Microseconds that an asynchronous call may take longer than one that is not: ready, and woken.
const TARGETS: [(&str, f64); 2] = [("ready", 0.5), ("woken", 5.0)];
/// Bytes of a call in flight, beyond its thread and its future.
const MEMORY_TARGET: f64 = 1024.0;

fn guest() -> String {
    let kinds = ["sync", "ready", "woken", "never"];
    let imports = kinds
        .map(|kind| format!(r#"(import "host" "{kind}" (func ${kind} (param i32) (result i32)))"#));
    let loops = kinds.map(|kind| {
        format!(
            r#"(func (export "{kind}") (param $n i32)
                (loop $again
                    (local.set $n (i32.sub (local.get $n) (call ${kind} (i32.const 0))))
                    (br_if $again (local.get $n))))"#
        )
    });
    format!(
        r#"(module {} (memory 1 1 shared) {}
            (func (export "sleep")
                (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1)))))"#,
        imports.concat(),
        loops.concat()
    )
}

fn program() -> Program {
    let mut linker = Linker::new();
    linker
        .func("host", "sync", |_, (number,): (i32,)| Ok(number + 1))
        .func_async("host", "ready", |_, (number,): (i32,)| {
            Ok(async move { Ok(number + 1) })
        })
        .func_async("host", "woken", |_, (number,): (i32,)| {
            Ok(async move {
                tokio::task::yield_now().await;
                Ok(number + 1)
            })
        })
        .func_async("host", "never", |_, (_,): (i32,)| {
            Ok(std::future::pending::<Result<i32, HostError>>())
        });
    let options = ProgramOptions::default().imports(linker.into_imports());
    Program::with_options(&wat::parse_str(guest()).unwrap(), options).unwrap()
}

fn runtime(program: &Program, tokio: &Tokio) -> ThreadRuntime<NullIo> {
    let limits = Limits::default().threads(IN_FLIGHT * 3);
    let options = RunOptions::from(RunSpec::seeded(1).limits(limits));
    let options = options.executor(Some(Arc::new(tokio.handle().clone())));
    ThreadRuntime::with_program(program, options, NullIo).unwrap()
}

/// Microseconds of a call.
fn call(program: &Program, tokio: &Tokio, kind: &str) -> f64 {
    let runtime = runtime(program, tokio);
    let count = Value::I32(CALLS.cast_signed());
    let thread = runtime.spawn(kind, [count]).unwrap();
    let begin = Instant::now();
    thread.join().unwrap();
    begin.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn resident() -> Option<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: f64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096.0)
}

/// Bytes that each of many threads takes which are blocked in this function, measured in a process of its own.
fn blocked_alone(export: &str) -> Option<f64> {
    let output = Command::new(env::current_exe().ok()?)
        .args([BLOCKED, export])
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// The same in this process.
fn blocked(program: &Program, tokio: &Tokio, export: &str) -> Option<f64> {
    let runtime = runtime(program, tokio);
    let mut set = JoinSet::new();
    let before = resident()?;
    for _ in 0..IN_FLIGHT {
        let args = (export != "sleep").then_some(Value::I32(1));
        set.spawn(&runtime, export, args).unwrap();
    }
    // Each has a turn; none ends.
    for _ in 0..IN_FLIGHT * 4 {
        assert!(set.try_join_next().is_none());
    }
    Some((resident()? - before) / f64::from(IN_FLIGHT))
}

fn main() {
    let program = program();
    let tokio = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_time()
        .build()
        .unwrap();
    let mut args = env::args().skip_while(|arg| arg != BLOCKED).skip(1);
    if let Some(export) = args.next() {
        let bytes = blocked(&program, &tokio, &export);
        println!("{}", bytes.unwrap_or(f64::NAN));
        return;
    }
    let kinds = ["sync", "ready", "woken"];
    let mut rounds = [(); 3].map(|()| Vec::new());
    for _ in 0..ROUNDS {
        for (kind, rounds) in kinds.iter().zip(&mut rounds) {
            rounds.push(call(&program, &tokio, kind));
        }
    }
    let [sync, ready, woken] = rounds.map(median);
    println!("a call of a synchronous function: {sync:.2} µs");
    for ((kind, target), time) in TARGETS.into_iter().zip([ready, woken]) {
        let more = time - sync;
        println!("of an asynchronous one, {kind}: {more:.2} µs more (target {target})");
    }
    if let (Some(thread), Some(call)) = (blocked_alone("sleep"), blocked_alone("never")) {
        println!(
            "{IN_FLIGHT} in flight: {:.0} bytes each beyond a thread's {thread:.0} (target {MEMORY_TARGET})",
            call - thread
        );
    }
}
