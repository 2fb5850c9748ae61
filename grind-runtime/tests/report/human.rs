//! What a person reads, compared with `golden/*.txt`.

use crate::support::{HEAP_MISUSES, MISUSES, Program, fixture_sources, golden};
use grind_runtime::report::human::{Options, render, render_finding};
use grind_runtime::report::source::Sources;
use grind_runtime::report::{GuestExit, Report};
use grind_runtime::trace::ThreadId;

fn options() -> Options {
    Options {
        sources: fixture_sources(),
        ..Options::default()
    }
}

fn report(program: &Program) -> Report {
    let mut report = Report {
        seed: Some(7),
        scheduler: Some("random".into()),
        exit: Some(GuestExit::Deadlocked),
        reproduce: Some("grind run --seed 7 --scheduler random race.wasm".into()),
        limits: vec!["the step limit of 1000000 was reached".into()],
        ..Report::default()
    };
    report.set_symbols(&program.symbolizer);
    for (diagnosis, count) in [
        (program.race(), 12),
        (program.deadlock(), 1),
        (program.lost_wakeup(), 1),
        (program.inversion(), 1),
    ] {
        assert!(report.add(program.finding(diagnosis, count)));
    }
    for misuse in HEAP_MISUSES {
        assert!(report.add(program.finding(program.heap_misuse(misuse), 1)));
    }
    for misuse in MISUSES {
        assert!(report.add(program.finding(program.misuse(misuse), 1)));
    }
    assert!(report.add(program.finding(program.leak(), 2)));
    report
}

#[test]
fn everything_with_sources() {
    let program = Program::new("race-lines");
    golden("all.txt", &render(&report(&program), &options()));
}

#[test]
fn race_in_colour() {
    let program = Program::new("race-full");
    let options = Options {
        color: true,
        ..options()
    };
    golden(
        "race-colour.txt",
        &render_finding(&program.finding(program.race(), 1), &options),
    );
}

#[test]
fn race_verbose() {
    let program = Program::new("race-full");
    let options = Options {
        verbose: true,
        ..options()
    };
    golden(
        "race-verbose.txt",
        &render_finding(&program.finding(program.race(), 1), &options),
    );
}

#[test]
fn race_narrow() {
    let program = Program::new("race-full");
    let options = Options {
        width: 50,
        ..options()
    };
    golden(
        "race-narrow.txt",
        &render_finding(&program.finding(program.race(), 1), &options),
    );
}

#[test]
fn race_without_sources() {
    let program = Program::new("race-lines");
    let options = Options {
        sources: Sources::none(),
        ..Options::default()
    };
    golden(
        "race-no-sources.txt",
        &render_finding(&program.finding(program.race(), 1), &options),
    );
}

#[test]
fn race_with_names_only() {
    let program = Program::new("race-names");
    golden(
        "race-names.txt",
        &render_finding(&program.finding(program.race(), 1), &options()),
    );
}

#[test]
fn race_without_any_symbols() {
    let program = Program::new("race-stripped");
    golden(
        "race-stripped.txt",
        &render_finding(&program.finding(program.race(), 1), &options()),
    );
}

#[test]
fn trap_in_a_recursion() {
    let program = Program::new("race-lines");
    let sites = [
        &program.store[..1],
        &program.store[1..2].repeat(500),
        &program.call,
    ]
    .concat();
    let frames = |site: &_| program.symbolizer.frames(program.sites.get(*site));
    let report = Report {
        exit: Some(GuestExit::Trapped {
            thread: ThreadId(1),
            name: Some("left".into()),
            reason: "out of bounds memory access".into(),
            stack: sites.iter().flat_map(frames).collect(),
        }),
        warnings: vec!["the debug information is malformed".into()],
        reproduce: Some("grind run race.wasm".into()),
        ..Report::default()
    };
    golden("trap.txt", &render(&report, &options()));
}

#[test]
fn a_clean_run_is_silent() {
    let report = Report {
        seed: Some(1),
        exit: Some(GuestExit::Exited { code: 3 }),
        reproduce: Some("grind run race.wasm".into()),
        ..Report::default()
    };
    assert_eq!(render(&report, &options()), "");
}
