//! The same module, inputs and seed give the same events, bit for bit: every guest there is, twice.

use grind_runtime::machine::{self, BufferIo, MachineConfig, RunResult, RunStats};
use grind_runtime::model::{Ending, EventHash, Limits, RunSpec};
use grind_runtime::program::Program;
use grind_runtime::schedule::{Random, STRATEGIES, Scheduler};
use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Guests that were there when this was last looked at: fewer means that they are not found.
const GUESTS: usize = 70;

/// Enough for all but those that wait for something that never comes.
const STEPS: u64 = 30_000_000;

/// What can be seen of a run.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    hash: EventHash,
    ending: Ending,
    stats: RunStats,
    traps: String,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

fn run(program: &Program, scheduler: Box<dyn Scheduler>) -> Seen {
    let result = machine::run(
        program,
        MachineConfig::new(
            scheduler,
            Box::new(EventHash::default()),
            Box::new(BufferIo::default()),
        )
        .spec(
            RunSpec::default()
                .args(vec![b"guest".to_vec()])
                .env(vec![b"NAME=value".to_vec()])
                .limits(Limits::default().steps(Some(STEPS))),
        ),
    );
    let RunResult {
        ending,
        traps,
        stats,
        sink,
        io,
        ..
    } = result.expect("a guest can be started");
    let (sink, io): (Box<dyn Any>, Box<dyn Any>) = (sink, io);
    let io: Box<BufferIo> = io.downcast().expect("it is what was given");
    Seen {
        ending,
        stats,
        traps: format!("{traps:?}"),
        hash: *sink.downcast().expect("it is what was given"),
        stdout: io.stdout,
        stderr: io.stderr,
    }
}

fn guests() -> Vec<PathBuf> {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    let mut found = Vec::new();
    for folder in ["wasm", "wasm/untraced", "wat"] {
        let entries = std::fs::read_dir(programs.join(folder))
            .into_iter()
            .flatten();
        let paths = entries.map(|entry| entry.expect("a folder can be read").path());
        found.extend(
            paths.filter(|path| path.extension().is_some_and(|e| e == "wasm" || e == "wat")),
        );
    }
    found.sort();
    found
}

fn load(path: &Path) -> Program {
    let wasm = wat::parse_file(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Program::new(&wasm).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_same_seed_gives_the_same_events() {
    let guests = guests();
    assert!(guests.len() >= GUESTS, "found {} guests", guests.len());
    let half = guests.len() / 2;
    // Two threads: nothing of a run may depend on where it runs either.
    let check = |paths: &[PathBuf]| {
        for path in paths {
            let program = load(path);
            for strategy in STRATEGIES {
                for seed in [1, 0x00de_adbe_efca_fe00] {
                    let first = run(&program, strategy.scheduler(seed));
                    // Loaded anew: lowering must not differ either.
                    let second = run(&load(path), strategy.scheduler(seed));
                    assert_eq!(
                        first,
                        second,
                        "{}, {}, seed {seed}",
                        path.display(),
                        strategy.name
                    );
                    assert!(first.hash.events_seen() > 0, "{}", path.display());
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(|| check(&guests[half..]));
        check(&guests[..half]);
        other.join().expect("the other half fails no less loudly");
    });
}

/// Several groups of threads at once, of one program: each has its memory, its globals, its numbers of threads and its
/// clock, and sees what it sees alone.
#[test]
fn runs_at_once_do_not_know_of_each_other() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs/wasm/clean_nested_spawn.wasm");
    let program = load(&path);
    let seeds = [1, 2, 3, 4, 1];
    let alone = seeds.map(|seed| run(&program, Box::new(Random::new(seed))));
    let at_once = std::thread::scope(|scope| {
        let group = |seed| {
            scope.spawn({
                let program = &program;
                move || run(program, Box::new(Random::new(seed)))
            })
        };
        seeds
            .map(group)
            .map(|group| group.join().expect("a run does not panic"))
    });
    assert_eq!(at_once, alone);
    assert_eq!(at_once[0], at_once[4]);
    assert_ne!(at_once[0].hash, at_once[1].hash);
}

#[test]
fn another_seed_gives_other_events() {
    // Two threads that race for an atomic counter: their order is the scheduler's choice.
    let wasm = wat::parse_str(
        r#"(module
            (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
            (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
            (memory 1 1 shared)
            (func $add (local $i i32)
              (loop $more
                (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1)))
                (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 100)))))
            (func (export "thread_start") (param i32) (call $add))
            (func (export "_start")
              (drop (call $create (i32.const 0) (i32.const 0)))
              (call $add)
              (drop (call $join (i32.load (i32.const 0))))))"#,
    );
    let program = Program::new(&wasm.expect("valid text")).expect("a valid module");
    let mut hashes = BTreeMap::new();
    for seed in 0..20 {
        let seen = run(&program, Box::new(Random::new(seed)));
        assert_eq!(seen.ending, Ending::Returned);
        hashes
            .entry(seen.hash.value())
            .or_insert_with(Vec::new)
            .push(seed);
    }
    assert!(hashes.len() >= 18, "seeds that agree: {hashes:?}");
}
