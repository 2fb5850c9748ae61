//! What grind costs, against the same modules on wasmi with the instrumentation off.
//!
//! ```text
//! cargo bench -p grind-runtime --bench slowdown                  every table
//! cargo bench -p grind-runtime --bench slowdown -- --check       fails beyond a target
//! cargo bench -p grind-runtime --bench slowdown -- --instructions      instruction counts, under valgrind
//! cargo bench -p grind-runtime --bench slowdown -- --kernel mem --reps 31
//! cargo bench -p grind-runtime --bench slowdown -- --module app.wasm     one of yours
//! cargo bench -p grind-runtime --bench slowdown -- --once mem detect   one run, for a profiler
//! ```
//!
//! Times are CPU times of the one thread that runs everything; the repetitions of the modes of a kernel
//! are interleaved, so that a ratio compares neighbours in time; figures are medians. Each repetition makes a
//! store, instantiates the module and runs it; the first of a program translates it. Parsing and lowering are measured on their
//! own.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench prints its tables"
)]

mod support;

use grind_runtime::machine::NullIo;
use grind_runtime::program::{Instrumentation, Program, ProgramOptions};
use grind_runtime::session::{self, RunOptions};
use grind_runtime::trace::Detail;
use std::process::ExitCode;
use support::{KERNELS, Kernel, Mode, cpu, median, run};

/// What a detecting run is to reach, as a ratio to a plain one.
const TARGETS: &[(&str, f64)] = &[("mixed", 2.2), ("mem", 3.5)];
/// Nanoseconds of a switch.
const SWITCH_TARGET: f64 = 300.0;
/// Bytes of resident memory per byte that the guest touched.
const MEMORY_TARGET: f64 = 4.0;
/// Guests, below `test-programs`, and schedules of each per second of one core.
const SCHEDULES_TARGETS: [(&str, f64); 2] = [
    ("wasm/clean_counter_mutex", 1500.0),
    ("wasip1-threads/wasm/clean_locks", 700.0),
];
/// Bytes lowered per microsecond.
const LOWERING_TARGET: f64 = 20.0;

struct Args {
    check: bool,
    instructions: bool,
    once: Option<(String, String)>,
    kernel: Option<String>,
    module: Option<String>,
    repetitions: usize,
}

fn args() -> Result<Args, String> {
    let mut out = Args {
        check: false,
        instructions: false,
        once: None,
        kernel: None,
        module: None,
        repetitions: 11,
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut value = |what: &str| args.next().ok_or(format!("{arg} needs {what}"));
        match arg.as_str() {
            "--check" => out.check = true,
            "--instructions" => out.instructions = true,
            "--once" => out.once = Some((value("a kernel")?, value("a mode")?)),
            "--kernel" => out.kernel = Some(value("a kernel")?),
            "--module" => out.module = Some(value("a path")?),
            "--reps" => out.repetitions = value("a number")?.parse().map_err(|_| "not a number")?,
            // What cargo passes.
            "--bench" => {}
            _ => return Err(format!("unknown argument {arg}")),
        }
    }
    Ok(out)
}

fn main() -> ExitCode {
    let args = match args() {
        Ok(args) => args,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if let Some((kernel, mode)) = &args.once {
        let (kernel, mode) = (Kernel::named(kernel), Mode::named(mode));
        run(&kernel.program(mode), kernel, mode);
        println!("{}", support::peak_memory());
        return ExitCode::SUCCESS;
    }
    let given = args.module.as_deref().map(Kernel::read);
    let kernels: Vec<&Kernel> = match &given {
        Some(kernel) => vec![kernel],
        None => (KERNELS.iter())
            .filter(|kernel| {
                args.kernel
                    .as_deref()
                    .is_none_or(|name| name == kernel.name)
            })
            .collect(),
    };
    let mut failures = Vec::new();
    if args.instructions {
        instructions(&kernels);
        return ExitCode::SUCCESS;
    }
    slowdown(&kernels, args.repetitions, &mut failures);
    traces(&kernels, args.repetitions, &mut failures);
    if args.kernel.is_none() && given.is_none() {
        switches(args.repetitions, &mut failures);
        schedules(args.repetitions, &mut failures);
        memory(&mut failures);
        lowering(args.repetitions, &mut failures);
    }
    for failure in &failures {
        println!("MISSED: {failure}");
    }
    ExitCode::from(u8::from(args.check && !failures.is_empty()))
}

fn target(failures: &mut Vec<String>, what: &str, got: f64, within: bool, wanted: f64) -> String {
    if !within {
        failures.push(format!("{what}: {got:.2}, wanted {wanted}"));
    }
    format!("{wanted}")
}

fn slowdown(kernels: &[&Kernel], repetitions: usize, failures: &mut Vec<String>) {
    println!(
        "Slowdown: ratio to `plain`, the machine with the instrumentation off and nobody listening."
    );
    println!("  direct: wasmi alone, without fuel   ring: records, which nobody looks at");
    println!("  none: Detect::None                  host: session::run as it comes");
    println!("  detect: the same, but a second thread exists, so that the first has to be checked");
    println!();
    println!(
        "{:10} {:>11} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}",
        "kernel", "records", "plain ms", "direct", "ring", "none", "host", "detect", "target"
    );
    for kernel in kernels {
        let programs: Vec<(Mode, Program)> = (Mode::ALL.into_iter())
            .filter(|&mode| mode != Mode::Direct || !kernel.threads)
            .map(|mode| (mode, kernel.program(mode)))
            .collect();
        let mut times = vec![Vec::new(); programs.len()];
        let mut records = 0;
        for _ in 0..repetitions {
            for ((mode, program), times) in programs.iter().zip(&mut times) {
                let (time, count) = cpu(|| run(program, kernel, *mode));
                times.push(time);
                records = records.max(count);
            }
        }
        let of = |wanted: Mode| {
            let at = programs.iter().position(|&(mode, _)| mode == wanted)?;
            Some(median(times[at].clone()))
        };
        let plain = of(Mode::Plain).expect("always measured");
        let ratio = |mode: Mode| of(mode).map(|time| time / plain);
        let show = |mode: Mode| ratio(mode).map_or("-".to_owned(), |ratio| format!("{ratio:.2}"));
        let detect = ratio(Mode::Detect).expect("always measured");
        let wanted = TARGETS.iter().find(|(name, _)| *name == kernel.name);
        let wanted = wanted.map_or("-".to_owned(), |&(name, wanted)| {
            target(
                failures,
                &format!("slowdown of {name}"),
                detect,
                detect <= wanted,
                wanted,
            )
        });
        println!(
            "{:10} {:>11} {:>9.1} {:>9} {:>9} {:>9} {:>9} {:>9.2} {:>8}",
            kernel.name,
            records,
            plain * 1e3,
            show(Mode::Direct),
            show(Mode::Ring),
            show(Mode::None),
            show(Mode::Host),
            detect,
            wanted
        );
    }
    println!();
}

/// What a light trace and a full one may cost over the same run without.
const TRACE_TARGETS: [(Detail, f64); 2] = [(Detail::Light, 1.1), (Detail::Full, 2.0)];
/// Bytes per event of a light trace of `mixed`, and per access or call of a full one.
const EVENT_TARGET: f64 = 2.0;
const ACCESS_TARGET: f64 = 1.5;

fn traces(kernels: &[&Kernel], repetitions: usize, failures: &mut Vec<String>) {
    println!("Traces: ratio of a recorded run to the same run without, and bytes, sites left out.");
    println!(
        "{:10} {:>11} {:>11} {:>8} {:>8} {:>12} {:>13}",
        "kernel", "events", "records", "light", "full", "bytes/event", "bytes/record"
    );
    for kernel in kernels {
        let program = kernel.program(Mode::Host);
        let mut plain = Vec::new();
        let mut times = [Vec::new(), Vec::new()];
        let mut recorded = [None, None];
        for _ in 0..repetitions {
            plain.push(cpu(|| run(&program, kernel, Mode::Host)).0);
            for (at, (detail, _)) in TRACE_TARGETS.into_iter().enumerate() {
                let (time, one) = cpu(|| support::record(&program, detail));
                times[at].push(time);
                recorded[at] = Some(one);
            }
        }
        let plain = median(plain);
        let [light, full] = times.map(|times| median(times) / plain);
        let [Some(events), Some(all)] = recorded else {
            continue;
        };
        let per_event = events.bytes as f64 / events.events as f64;
        let per_record = all.bytes as f64 / all.records as f64;
        let name = kernel.name;
        for ((detail, wanted), got) in TRACE_TARGETS.into_iter().zip([light, full]) {
            target(
                failures,
                &format!("{detail:?} trace of {name}"),
                got,
                got <= wanted,
                wanted,
            );
        }
        if name == "mixed" {
            let (got, wanted) = (per_event, EVENT_TARGET);
            target(failures, "bytes per event", got, got <= wanted, wanted);
            target(
                failures,
                "bytes per record",
                per_record,
                per_record <= ACCESS_TARGET,
                ACCESS_TARGET,
            );
        }
        println!(
            "{name:10} {:>11} {:>11} {light:>8.2} {full:>8.2} {per_event:>12.2} {per_record:>13.2}",
            events.events, all.records
        );
    }
    println!();
}

fn switches(repetitions: usize, failures: &mut Vec<String>) {
    let kernel = Kernel::named("switches");
    let times = |mode: Mode| {
        let program = kernel.program(mode);
        let times = (0..repetitions)
            .map(|_| cpu(|| run(&program, kernel, mode)).0)
            .collect();
        median(times) * 1e9 / 1e6
    };
    let (plain, detect) = (times(Mode::Plain), times(Mode::Detect));
    let wanted = target(
        failures,
        "switch",
        plain,
        plain < SWITCH_TARGET,
        SWITCH_TARGET,
    );
    println!(
        "Switch: {plain:.0} ns, with detection {detect:.0} ns (below {wanted}); two threads that yield,"
    );
    println!("  the call and the scheduler's decision included.");
    println!();
}

fn schedules(repetitions: usize, failures: &mut Vec<String>) {
    const SEEDS: u32 = 100;
    let guests = concat!(env!("CARGO_MANIFEST_DIR"), "/../test-programs");
    println!("Schedules: detecting runs under seeds, translation included, on one core.");
    for (guest, wanted) in SCHEDULES_TARGETS {
        let wasm = std::fs::read(format!("{guests}/{guest}.wasm")).expect("a guest of ours");
        let times = (0..repetitions).map(|_| {
            let work = || {
                let program = Program::new(&wasm).expect("a guest loads");
                for seed in 0..SEEDS {
                    let options = RunOptions::seeded(seed.into());
                    session::run(&program, options, NullIo).expect("a guest runs");
                }
            };
            cpu(work).0
        });
        let speed = f64::from(SEEDS) / median(times.collect());
        let what = format!("schedules of {guest}");
        let wanted = target(failures, &what, speed, speed >= wanted, wanted);
        println!("{guest:32} {speed:>9.0} per second (at least {wanted})");
    }
    println!();
}

fn memory(failures: &mut Vec<String>) {
    println!("Memory: peak of resident memory, in MiB (each run is a process of its own).");
    println!(
        "{:10} {:>9} {:>9} {:>9} {:>14} {:>8}",
        "guest", "touched", "plain", "detect", "detect/touched", "below"
    );
    let mib = |bytes: f64| bytes / f64::from(1 << 20);
    let nothing = support::measure_memory("empty", Mode::Detect);
    for (name, touched) in [("empty", 0.0), ("touch", 64.0), ("share", 64.0)] {
        let plain = mib(support::measure_memory(name, Mode::Plain));
        let detect = mib(support::measure_memory(name, Mode::Detect));
        let per = (detect - mib(nothing)) / touched;
        let wanted = if touched > 0.0 {
            target(
                failures,
                &format!("memory of {name}"),
                per,
                per < MEMORY_TARGET,
                MEMORY_TARGET,
            )
        } else {
            "-".to_owned()
        };
        println!("{name:10} {touched:>9.0} {plain:>9.1} {detect:>9.1} {per:>14.2} {wanted:>8}");
    }
    println!(
        "  touch: one thread writes every word; share: it is then read by two threads at once."
    );
    println!("  detect/touched is without the peak of `empty`, which is the constant.");
    println!();
}

fn lowering(repetitions: usize, failures: &mut Vec<String>) {
    let large = support::large_module();
    let time = |wasm: &[u8], instrumentation: Instrumentation| {
        let options = ProgramOptions::default().instrumentation(instrumentation);
        let times =
            (0..repetitions).map(|_| cpu(|| Program::with_options(wasm, options.clone())).0);
        median(times.collect())
    };
    let full = time(&large, Instrumentation::Full);
    let speed = large.len() as f64 / full / 1e6;
    let lowered = Program::new(&large)
        .expect("it was loaded before")
        .lowered()
        .len();
    let wanted = target(
        failures,
        "lowering",
        speed,
        speed > LOWERING_TARGET,
        LOWERING_TARGET,
    );
    println!(
        "Lowering: {speed:.1} MB/s (above {wanted}), {:.1} MB become {:.1} MB",
        large.len() as f64 / 1e6,
        lowered as f64 / 1e6
    );
    for name in ["empty", "mixed"] {
        let kernel = Kernel::named(name);
        let wasm = kernel.wasm();
        let load = time(&wasm, Instrumentation::Full) * 1e3;
        let program = kernel.program(Mode::Detect);
        let start = if name == "empty" {
            let times = (0..repetitions).map(|_| cpu(|| run(&program, kernel, Mode::Detect)).0);
            format!(
                ", first to last instruction in {:.2} ms",
                median(times.collect()) * 1e3
            )
        } else {
            String::new()
        };
        println!(
            "Start-up: {name} ({} bytes) lowered in {load:.2} ms{start}",
            wasm.len()
        );
    }
    println!();
}

/// Instruction counts do not depend on what else the machine does, so that CI can compare them.
fn instructions(kernels: &[&Kernel]) {
    println!(
        "{:10} {:>12} {:>14} {:>14} {:>8}",
        "kernel", "mode", "instructions", "per record", "ratio"
    );
    for kernel in kernels {
        let mut plain = None;
        let mut records = 1;
        for mode in [Mode::Plain, Mode::Ring, Mode::None, Mode::Detect] {
            records = records.max(run(&kernel.program(mode), kernel, mode));
            let Some(count) = support::count_instructions(kernel.name, mode) else {
                println!("valgrind cannot be run");
                return;
            };
            let plain = *plain.get_or_insert(count);
            println!(
                "{:10} {:>12} {:>14} {:>14.1} {:>8.2}",
                kernel.name,
                mode.name(),
                count,
                (count as f64 - plain as f64) / records as f64,
                count as f64 / plain as f64
            );
        }
    }
}
