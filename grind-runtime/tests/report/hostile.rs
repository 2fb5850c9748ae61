//! Guests that would like to write the report themselves.

use crate::support::{Program, fixture, fixture_sources};
use grind_runtime::detect::{Diagnosed, Diagnosis, Misuse, ThreadInfo};
use grind_runtime::model::sites::SiteId;
use grind_runtime::model::{ScheduleName, ThreadId};
use grind_runtime::program::symbols::{Frame, SymbolSource, Symbolizer};
use grind_runtime::report::finding::Evidence;
use grind_runtime::report::human::{Options, render, render_finding};
use grind_runtime::report::source::Sources;
use grind_runtime::report::{Finding, GuestExit, Report};
use std::sync::Arc;
use wasm_encoder::{Module, NameMap, NameSection, RawSection};
use wasmparser::{Parser, Payload};

pub(crate) const EVIL: &str =
    "a\x1b[2J\x1b]0;owned\x07\nerror: forged\r\u{9b}31m\u{202e}\u{200b}\u{2028}z\0";

/// The fixture with every function called like this.
fn named(name: &str) -> Arc<[u8]> {
    let module = fixture("race-stripped");
    let mut out = Module::new();
    for payload in Parser::new(0).parse_all(&module) {
        let payload = payload.expect("the module is right");
        if let (false, Some((id, range))) = (
            matches!(payload, Payload::CustomSection(_)),
            payload.as_section(),
        ) {
            out.section(&RawSection {
                id,
                data: &module[range.start as usize..range.end as usize],
            });
        }
    }
    let mut functions = NameMap::new();
    for index in 0..3 {
        functions.append(index, name);
    }
    let mut names = NameSection::new();
    names.functions(&functions);
    out.section(&names);
    out.finish().into()
}

fn finding(program: &Program, diagnosis: Diagnosis, name: &str) -> Finding {
    let threads = (0..4).map(|id| ThreadInfo {
        id: ThreadId(id),
        name: Some(name.into()),
        created: (id > 0).then(|| (ThreadId(0), program.call.clone())),
    });
    let diagnosed = Diagnosed {
        diagnosis,
        count: 1,
    };
    let threads: Vec<_> = threads.collect();
    Finding::from_diagnosis(&diagnosed, &program.sites, &program.symbolizer, &threads)
}

/// Every kind of finding, with this name wherever a guest can put one.
pub(crate) fn findings(name: &str) -> Vec<Finding> {
    let program = Program::of(named(name));
    let mut deadlock = program.deadlock();
    if let Diagnosis::Deadlock { blocked, .. } = &mut deadlock {
        for thread in blocked {
            thread.locks.push(program.held(1, Some(name)));
        }
    }
    let mut unlock = program.misuse(Misuse::UnlockByOtherThread);
    if let Diagnosis::LockMisuse { name: lock, .. } = &mut unlock {
        *lock = Some(name.into());
    }
    let mut race = program.race();
    if let Diagnosis::DataRace { first, .. } = &mut race {
        first.locks = vec![program.held(1, Some(name))];
    }
    let mut trap = program.trap();
    if let Diagnosis::Trap(trapped) = &mut trap {
        trapped.reason = name.into();
        trapped.message = Some(format!("panicked at {name}\n{name}\n{name}"));
    }
    let mut inversion = program.inversion();
    if let Diagnosis::LockOrderInversion { edges } = &mut inversion {
        for edge in edges {
            edge.taken.name = Some(name.into());
            edge.held.name = Some(name.into());
        }
    }
    [
        race,
        deadlock,
        inversion,
        unlock,
        program.lost_wakeup(),
        trap,
    ]
    .map(|diagnosis| finding(&program, diagnosis, name))
    .into()
}

#[test]
fn no_name_moves_a_cursor_or_forges_a_line() {
    let mut evil = findings(EVIL);
    for finding in &mut evil {
        // Paths come from debug information.
        let Evidence::Race(race) = &mut finding.evidence else {
            continue;
        };
        for frame in &mut race.accesses[0].stack {
            frame.file = Some(format!("{EVIL}.rs"));
            frame.line = Some(3);
        }
    }
    let report = Report {
        findings: evil,
        exit: Some(GuestExit::Trapped {
            thread: ThreadId(1),
            name: Some(EVIL.into()),
            reason: EVIL.into(),
            stack: vec![frame(EVIL, Some(EVIL))],
        }),
        schedule: Some(ScheduleName::Strategy {
            strategy: EVIL.into(),
            seed: 0,
        }),
        reproduce: Some(format!("grind run {EVIL}")),
        limits: vec![EVIL.into()],
        warnings: vec![EVIL.into()],
        ..Report::default()
    };
    let source = format!("line\nfn evil() {{ {EVIL} }}\nlet x = \"\x1b[2J\u{202e}\";\n");
    for verbose in [false, true] {
        let options = Options::default()
            .verbose(verbose)
            .sources(Sources::none().with_text(format!("{EVIL}.rs"), source.as_str()));
        let text = render(&report, &options);
        assert!(!text.lines().any(|line| line.starts_with("error: forged")));
        for (line, text) in text.lines().enumerate() {
            let bad = text.chars().find(|c| {
                c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{200b}')
            });
            assert_eq!(bad, None, "line {line}: {text:?}");
        }
    }
}

#[test]
fn long_names_are_cut_sensibly() {
    let long = format!("start{}end", "x".repeat(10_000));
    for finding in findings(&long) {
        assert!(
            finding.title.chars().count() < 300,
            "{}",
            finding.title.len()
        );
        let text = render_finding(&finding, &Options::default());
        assert!(text.len() < 20_000, "{}", text.len());
        assert!(text.contains("start") && text.contains("end"));
    }
}

#[test]
fn empty_and_wide_names() {
    for name in ["", " ", "日本語のスレッド", "🦀", "e\u{301}"] {
        for finding in findings(name) {
            let text = render_finding(&finding, &Options::default());
            assert!(text.starts_with("error: "), "{text}");
        }
    }
}

fn frame(function: &str, file: Option<&str>) -> Frame {
    Frame {
        function: Some(function.into()),
        file: file.map(Into::into),
        line: file.map(|_| 1),
        column: None,
        inlined: false,
        func_index: 0,
        offset: 0,
        source: SymbolSource::Dwarf,
    }
}

#[test]
fn sources_that_are_not_those_compiled() {
    let program = Program::new("race-lines");
    let finding = program.finding(program.race(), 1);
    let lines: String = (0..60).map(|_| "\n").collect();
    for source in [
        "",
        "\n",
        "one line",
        &lines,
        "\u{feff}\r\n",
        &"ä".repeat(5000),
        &"}\n".repeat(60),
    ] {
        for width in [0, 1, 40, 80, 100_000] {
            let options = Options::default()
                .width(width)
                .sources(Sources::none().with_text("/src/race.rs", source));
            let text = render_finding(&finding, &options);
            assert!(text.contains("/src/race.rs:14"), "{text}");
        }
    }
}

#[test]
fn endless_stacks_are_cut() {
    let program = Program::new("race-lines");
    let text = |stack: Vec<SiteId>| {
        let mut race = program.race();
        if let Diagnosis::DataRace { first, .. } = &mut race {
            first.stack = stack;
        }
        let options = Options::default().sources(fixture_sources());
        render_finding(&program.finding(race, 1), &options)
    };
    // A recursion through several functions, and one that takes another turn each time.
    let cycle: Vec<_> = program.store.iter().copied().cycle().take(30_000).collect();
    let folded = text(cycle);
    assert!(folded.contains("frames 9999 times more"), "{folded}");
    assert!(folded.lines().count() < 60, "{folded}");
    let (even, odd) = (program.store[1], program.store[2]);
    let turns = (0..100_000_u32).map(|at| if at.count_ones() % 2 == 0 { even } else { odd });
    let cut = text(turns.collect());
    assert!(cut.contains("frames omitted"), "{cut}");
    assert!(cut.lines().count() < 200, "{cut}");
}

#[test]
fn sites_of_another_program_are_no_panic() {
    let program = Program::new("race-lines");
    let mut race = program.race();
    if let Diagnosis::DataRace { first, second, .. } = &mut race {
        first.stack = vec![SiteId(u32::MAX)];
        first.addr = u32::MAX;
        first.len = u32::MAX;
        second.addr = 0;
        second.stack.clear();
    }
    let finding = program.finding(race, 0);
    assert!(render_finding(&finding, &Options::default()).contains("(no stack)"));
    let empty = Diagnosis::Deadlock {
        blocked: Vec::new(),
        cycle: vec![ThreadId(9)],
        places: Vec::new(),
    };
    assert!(!render_finding(&program.finding(empty, 1), &Options::default()).is_empty());
}

#[test]
fn what_is_no_module_has_offsets() {
    for bytes in [&b""[..], b"\0asm", b"not wasm at all", &[0xff; 100]] {
        let symbolizer = Symbolizer::new(bytes.into());
        let frames = symbolizer.frames_at(3, 17);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].source, SymbolSource::Offset);
        let _ = symbolizer.frames_at(u32::MAX, u32::MAX);
        assert!(!symbolizer.warnings().is_empty());
    }
}
