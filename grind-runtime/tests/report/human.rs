//! What a person reads, compared with `golden/*.txt`.

use crate::support::{
    HANDLE_MISUSES, HEAP_MISUSES, MISUSES, Program, add, fixture_sources, golden,
};
use grind_runtime::detect::{Diagnosis, TrappedThread};
use grind_runtime::model::{Schedule, ThreadId};
use grind_runtime::report::finding::Evidence;
use grind_runtime::report::human::{Options, render, render_finding};
use grind_runtime::report::source::Sources;
use grind_runtime::report::{GuestExit, Report};
use std::time::{Duration, Instant};

fn options() -> Options {
    Options::default().sources(fixture_sources())
}

fn report(program: &Program) -> Report {
    let mut report = Report {
        schedule: Some(Schedule::from(7).name()),
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
        (program.trap(), 2),
    ] {
        assert!(add(&mut report, program.finding(diagnosis, count)));
    }
    for misuse in HEAP_MISUSES {
        assert!(add(
            &mut report,
            program.finding(program.heap_misuse(misuse), 1)
        ));
    }
    for misuse in MISUSES {
        assert!(add(&mut report, program.finding(program.misuse(misuse), 1)));
    }
    for misuse in HANDLE_MISUSES {
        assert!(add(
            &mut report,
            program.finding(program.handle_misuse(misuse), 1)
        ));
    }
    assert!(add(&mut report, program.finding(program.leak(), 2)));
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
    let options = options().color(true);
    golden(
        "race-colour.txt",
        &render_finding(&program.finding(program.race(), 1), &options),
    );
}

#[test]
fn race_verbose() {
    let program = Program::new("race-full");
    let options = options().verbose(true);
    golden(
        "race-verbose.txt",
        &render_finding(&program.finding(program.race(), 1), &options),
    );
}

#[test]
fn race_narrow() {
    let program = Program::new("race-full");
    let options = options().width(50);
    golden(
        "race-narrow.txt",
        &render_finding(&program.finding(program.race(), 1), &options),
    );
}

#[test]
fn race_without_sources() {
    let program = Program::new("race-lines");
    let options = Options::default().sources(Sources::none());
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
    let stack = [
        &program.store[..1],
        &program.store[1..2].repeat(500),
        &program.call,
    ]
    .concat();
    let trap = Diagnosis::Trap(TrappedThread {
        thread: ThreadId(1),
        reason: "out of bounds memory access".into(),
        message: None,
        stack,
        locks: Vec::new(),
    });
    let report = Report {
        findings: vec![program.finding(trap, 1)],
        warnings: vec!["the debug information is malformed".into()],
        reproduce: Some("grind run race.wasm".into()),
        ..Report::default()
    };
    golden("trap.txt", &render(&report, &options()));
}

#[test]
fn marks_far_apart_in_one_file_have_excerpts_of_their_own() {
    let program = Program::new("race-lines");
    let mut finding = program.finding(program.race(), 1);
    let Evidence::Race(race) = &mut finding.evidence else {
        unreachable!("it is a race")
    };
    let lines = 100_000;
    for (access, line) in race.accesses.iter_mut().zip([7, lines]) {
        for frame in &mut access.stack {
            frame.file = Some("long.rs".into());
            (frame.line, frame.column) = (Some(line), None);
        }
    }
    let source: String = (1..=lines)
        .map(|line| format!("line_{line}();\n"))
        .collect();
    let options = Options::default().sources(Sources::none().with_text("long.rs", source));
    let text = render_finding(&finding, &options);
    for shown in [
        "--> long.rs:7:1",
        "line_7();",
        "::: long.rs:100000:1",
        "line_100000();",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
}

#[test]
fn what_an_excerpt_costs_does_not_depend_on_the_lines_before_it() {
    let program = Program::new("race-lines");
    let lines = 1_000_000;
    let options = Options::default()
        .sources(Sources::none().with_text("long.rs", "x();\n".repeat(lines as usize)));
    let time = |line: u32| {
        let mut finding = program.finding(program.race(), 1);
        if let Evidence::Race(race) = &mut finding.evidence {
            race.history = None;
            for frame in race
                .accesses
                .iter_mut()
                .flat_map(|access| &mut access.stack)
            {
                frame.file = Some("long.rs".into());
                (frame.line, frame.column) = (Some(line), None);
            }
        }
        let begin = Instant::now();
        for _ in 0..300 {
            assert!(render_finding(&finding, &options).contains(&format!("{line} | x();")));
        }
        begin.elapsed()
    };
    let (early, late) = (time(1), time(lines));
    let most = 5 * early + Duration::from_millis(100);
    assert!(
        late < most,
        "{late:?} at the end, {early:?} at the beginning"
    );
}

#[test]
fn a_clean_run_is_silent() {
    let report = Report {
        schedule: Some(Schedule::from(1).name()),
        exit: Some(GuestExit::Exited { code: 3 }),
        reproduce: Some("grind run race.wasm".into()),
        ..Report::default()
    };
    assert_eq!(render(&report, &options()), "");
}
