//! The other kinds of reports, compared with `golden/kinds.*`, and held to what their readers demand.

use crate::hostile::{EVIL, findings};
use crate::json::report;
use crate::support::{Program, add, fixture_sources, golden};
use grind_runtime::model::{Schedule, ScheduleName, ThreadId};
use grind_runtime::report::finding::{BaselineState, Evidence, ShownBy};
use grind_runtime::report::paths::PathMap;
use grind_runtime::report::source::Sources;
use grind_runtime::report::timeline::{
    Arrow, ArrowKind, Lane, Mark, Point, Slice, SliceKind, Timeline,
};
use grind_runtime::report::{
    Command, FindingKind, Fingerprint, GuestExit, Kind, Options, ProgramInfo, Report, Schedules,
};
use serde_json::Value;

fn options() -> Options {
    Options::default().sources(fixture_sources())
}

/// A race on the heap, an inversion and a deadlock.
fn short() -> Report {
    let program = Program::new("race-lines");
    let mut report = Report {
        program: ProgramInfo {
            module: "target/app.wasm".into(),
            arguments: vec!["--threads".into(), "4".into()],
            symbols: None,
        },
        schedule: Some(Schedule::from(7).name()),
        exit: Some(GuestExit::Deadlocked),
        reproduce: Some("grind run --seed 7 target/app.wasm --threads 4".into()),
        limits: vec!["the guest wanted more than 20 threads".into()],
        warnings: vec!["a suppression has expired".into()],
        ..Report::default()
    };
    add(&mut report, program.finding(program.inversion(), 1));
    add(&mut report, program.finding(program.race(), 12));
    add(&mut report, program.finding(program.deadlock(), 1));
    report
}

/// The same as several seeds showed it, the race in the baseline.
fn merged() -> Report {
    let mut report = short();
    report.schedule = None;
    report.schedules = Some(Schedules {
        first: Schedule::from(0).name(),
        last: Schedule::from(9).name(),
        run: 10,
        with_findings: 4,
        timed_out: 1,
        outcomes: Vec::new(),
    });
    for (shown, finding) in (2..).zip(&mut report.findings) {
        finding.schedules = Some(ShownBy {
            shown,
            first: Schedule::from(3).name(),
        });
        finding.baseline = Some(match finding.kind {
            FindingKind::DataRace => BaselineState::Known,
            _ => BaselineState::New,
        });
    }
    report
}

/// One of everything that a timeline can have.
pub(crate) fn timeline(report: &Report) -> Timeline {
    let point = |thread, at| Point {
        thread: ThreadId(thread),
        at,
    };
    let lane = |thread, name: Option<&str>| Lane {
        thread: ThreadId(thread),
        name: name.map(Into::into),
        begin: 0,
        end: 100,
    };
    let slice = |(what, begin)| Slice {
        thread: ThreadId(1),
        begin,
        end: begin + 10,
        what,
        text: "stats".into(),
    };
    let arrow = |(what, at)| Arrow {
        from: point(0, at),
        to: point(1, at + 5),
        what,
        text: String::new(),
    };
    Timeline {
        unit: "events".into(),
        lanes: vec![lane(0, None), lane(1, Some("left"))],
        slices: [
            (SliceKind::Run, 10),
            (SliceKind::Lock, 12),
            (SliceKind::Wait, 30),
        ]
        .map(slice)
        .into(),
        arrows: [
            (ArrowKind::Spawn, 1),
            (ArrowKind::Lock, 20),
            (ArrowKind::Notify, 30),
            (ArrowKind::Atomic, 40),
            (ArrowKind::Join, 90),
        ]
        .map(arrow)
        .into(),
        marks: vec![Mark {
            point: point(1, 15),
            finding: report.findings[0].fingerprint,
            number: 1,
            text: "write of 4 bytes".into(),
        }],
        left_out: 3,
    }
}

fn without_version(text: String) -> String {
    text.replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
}

#[test]
fn each_kind_as_documented() {
    for (kind, name) in [
        (Kind::Sarif, "kinds.sarif"),
        (Kind::Junit, "kinds.junit.xml"),
        (Kind::Github, "kinds.github.txt"),
        (Kind::Gitlab, "kinds.gitlab.json"),
        (Kind::Markdown, "kinds.md"),
        (Kind::Tsan, "kinds.tsan.txt"),
    ] {
        golden(name, &without_version(kind.render(&short(), &options())));
    }
}

#[test]
fn several_seeds_and_a_baseline() {
    for (kind, name) in [
        (Kind::Human, "merged.txt"),
        (Kind::Markdown, "merged.md"),
        (Kind::Github, "merged.github.txt"),
    ] {
        golden(name, &kind.render(&merged(), &options()));
    }
    let sarif = sarif(&merged());
    let results = &sarif["runs"][0]["results"];
    // New ones come first.
    let states: Vec<_> = (0..3)
        .map(|at| results[at]["baselineState"].as_str())
        .collect();
    assert_eq!(states, [Some("new"), Some("new"), Some("unchanged")]);
    assert_eq!(results[0]["properties"]["firstSchedule"], "seed 3");
    let junit = Kind::Junit.render(&merged(), &options());
    let junit = quick_junit::Report::deserialize_from_str(&junit).expect("it is JUnit");
    assert_eq!((junit.tests, junit.failures), (3, 2));
    assert!(
        !Kind::Tsan
            .render(&merged(), &options())
            .contains("data race")
    );
}

// ---- what readers demand ---------------------------------------------------------------------------

fn sarif(report: &Report) -> Value {
    serde_json::from_str(&Kind::Sarif.render(report, &options())).expect("it is JSON")
}

#[test]
fn sarif_conforms_to_its_schema() {
    // As serde-sarif ships it, but for a pattern of languages that is no regular expression of ECMA's.
    let schema = include_str!("fixtures/sarif-2.1.0.schema.json");
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    let schema = jsonschema::validator_for(&schema).expect("it is a schema");
    let mut hostile = report();
    hostile.findings.extend(findings(EVIL));
    for report in [report(), short(), merged(), hostile, Report::default()] {
        let value = sarif(&report);
        let errors: Vec<String> = schema
            .iter_errors(&value)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        for result in value["runs"][0]["results"].as_array().expect("results") {
            let locations = result["locations"].as_array().map_or(0, Vec::len);
            assert_eq!(locations, 1, "a result without a place is not shown");
            let rule = result["ruleIndex"].as_u64().expect("an index") as usize;
            let rules = &value["runs"][0]["tool"]["driver"]["rules"];
            assert_eq!(rules[rule]["id"], result["ruleId"]);
        }
    }
}

#[test]
fn sarif_tells_uploads_of_other_commands_and_modules_apart() {
    let id = |command: Command, module: &str| {
        let mut report = short();
        report.command = command;
        report.program.module = module.into();
        sarif(&report)["runs"][0]["automationDetails"]["id"].clone()
    };
    assert_eq!(id(Command::Run, "target/app.wasm"), "grind/run/app/");
    assert_eq!(
        id(Command::Analyze, "target/app.wasm"),
        "grind/analyze/app/"
    );
    assert_eq!(id(Command::Replay, "app.wat"), "grind/replay/app/");
    // What a test was built with does not make it another one; a name of a program is left alone.
    let built = "target/wasm32-wasip1-threads/debug/deps/queue-0123456789abcdef.wasm";
    assert_eq!(id(Command::Run, built), "grind/run/queue/");
    assert_eq!(
        id(Command::Run, "out/queue-0123456789abcdef.wasm"),
        "grind/run/queue-0123456789abcdef/"
    );
    assert_eq!(id(Command::Run, ""), "grind/run/module/");
}

#[test]
fn sarif_has_a_stable_identity_for_rules_and_results() {
    let report = report();
    let value = sarif(&report);
    let rules = value["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .expect("rules");
    let ids: Vec<_> = rules
        .iter()
        .filter_map(|rule| rule["id"].as_str())
        .collect();
    assert_eq!(ids, FindingKind::ALL.map(FindingKind::name));
    let results = value["runs"][0]["results"].as_array().expect("results");
    for (finding, result) in report.by_importance().into_iter().zip(results) {
        let expected = finding.fingerprint.to_string();
        assert_eq!(result["partialFingerprints"]["grind/v2"], expected);
    }
}

#[test]
fn files_keep_within_what_code_hosts_take() {
    let program = Program::new("race-lines");
    let mut race = program.race();
    if let grind_runtime::detect::Diagnosis::DataRace { first, .. } = &mut race {
        first.stack = program.store.iter().copied().cycle().take(30_000).collect();
    }
    let mut report = Report {
        findings: vec![program.finding(race, 1)],
        ..Report::default()
    };
    for number in 0..5002 {
        let mut finding = program.finding(program.leak(), 1);
        finding.fingerprint = Fingerprint(number);
        report.findings.push(finding);
    }
    let value = sarif(&report);
    let run = &value["runs"][0];
    assert_eq!(run["results"].as_array().map(Vec::len), Some(5000));
    let note = run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"].as_str();
    assert!(
        note.is_some_and(|text| text.starts_with("3 further findings")),
        "{note:?}"
    );
    let gitlab = Kind::Gitlab.render(&report, &options());
    let gitlab: Vec<Value> = serde_json::from_str(&gitlab).expect("it is JSON");
    assert_eq!(gitlab.len(), 5001);
    let note = &gitlab[5000]["description"];
    assert_eq!(note, "3 more findings are not in this report");
    let result = &run["results"][0];
    assert_eq!(
        result["relatedLocations"].as_array().map(Vec::len),
        Some(100)
    );
    assert_eq!(
        result["stacks"][0]["frames"].as_array().map(Vec::len),
        Some(64)
    );
    let heading = result["stacks"][0]["message"]["text"].as_str();
    assert!(
        heading.is_some_and(|text| text.contains("frames left out")),
        "{heading:?}"
    );
    let flow = &result["codeFlows"][0]["threadFlows"][0]["locations"];
    assert!(
        flow.as_array()
            .is_some_and(|steps| (2..=100).contains(&steps.len()))
    );
}

#[test]
fn github_gets_ten_annotations_at_most() {
    let many = |n: u64| {
        let one = short().findings.remove(1);
        let findings = (0..n).map(|number| {
            let mut finding = one.clone();
            finding.fingerprint = Fingerprint(number);
            finding
        });
        Report {
            findings: findings.collect(),
            ..Report::default()
        }
    };
    let lines = |n| Kind::Github.render(&many(n), &options());
    assert_eq!(lines(0), "");
    assert_eq!(lines(10).lines().count(), 10);
    let eleven = lines(11);
    assert_eq!(eleven.lines().count(), 10);
    let last = eleven.lines().last().expect("ten lines");
    assert!(
        last.starts_with("::error title=grind::2 more findings"),
        "{last}"
    );
}

#[test]
fn markdown_says_what_it_leaves_out() {
    let one = short().findings.remove(1);
    let findings = (0..120).map(|number| {
        let mut finding = one.clone();
        finding.fingerprint = Fingerprint(number);
        finding
    });
    let report = Report {
        findings: findings.collect(),
        ..Report::default()
    };
    let text = Kind::Markdown.render(&report, &options());
    assert!(
        text.contains("\n20 more findings are not in this table.\n"),
        "{text}"
    );
    assert!(text.contains("\n70 more findings left out: "), "{text}");
    assert_eq!(text.matches("<details>").count(), 50);
}

#[test]
fn a_clean_run_is_a_passed_test_and_no_annotation() {
    let report = Report {
        exit: Some(GuestExit::Exited { code: 0 }),
        ..Report::default()
    };
    let junit = Kind::Junit.render(&report, &options());
    let junit = quick_junit::Report::deserialize_from_str(&junit).expect("it is JUnit");
    assert_eq!((junit.tests, junit.failures), (1, 0));
    assert_eq!(Kind::Github.render(&report, &options()), "");
    assert_eq!(Kind::Tsan.render(&report, &options()), "");
    assert!(
        Kind::Markdown
            .render(&report, &options())
            .starts_with("## grind: no findings\n")
    );
    assert_eq!(
        sarif(&report)["runs"][0]["results"],
        Value::Array(Vec::new())
    );
}

#[test]
fn html_is_one_file_with_everything_in_it() {
    let mut report = merged();
    report.timeline = Some(timeline(&report));
    let page = Kind::Html.render(&report, &options());
    for text in [
        "<title>3 findings (1 data race, 1 deadlock, 1 lock-order inversion) · target/app.wasm</title>",
        "(1) write of 4 bytes at 0x00101c40 by thread T1 `left`",
        "<mark>*counter.0.get() += by</mark>; // the race",
        "memory: byte 8 of a heap block of 64 bytes",
        "holding lock 0x00102000 `stats`, taken at /src/race.rs:37:9",
        "grind run --seed 7 target/app.wasm --threads 4",
        "the guest wanted more than 20 threads",
        "a suppression has expired",
        "3 schedules, first seed 3",
        "3 slices and arrows are left out.",
        "id=\"timeline\">{\"unit\":\"events\"",
    ] {
        assert!(page.contains(text), "no `{text}`");
    }
    for finding in &report.findings {
        assert!(page.contains(&finding.fingerprint.to_string()));
    }
    // Nothing is fetched from anywhere.
    for word in ["http:", "https:", "src=", "@import", "url("] {
        assert!(!page.contains(word), "{word}");
    }
    report.timeline = None;
    let page = Kind::Html.render(&report, &options());
    assert!(!page.contains("<canvas"), "there is nothing to draw");
    let without = Options::default();
    assert!(
        Kind::Html
            .render(&report, &without)
            .contains("The source was not found.")
    );
    let clean = Kind::Html.render(&Report::default(), &without);
    assert!(clean.contains("Nothing was found"));
}

#[test]
fn html_names_what_it_leaves_out() {
    let program = Program::new("race-lines");
    let mut report = Report::default();
    for number in 0..1002 {
        let mut finding = program.finding(program.leak(), 1);
        finding.fingerprint = Fingerprint(number);
        report.findings.push(finding);
    }
    let page = Kind::Html.render(&report, &options());
    assert!(page.contains("2 less important findings are left out of this page."));
    assert_eq!(page.matches("<article ").count(), 1000);
}

// ---- hostile guests --------------------------------------------------------------------------------

#[test]
fn no_name_gets_out_of_its_place() {
    let evil = format!("{EVIL}::error::x%0A]]></failure><script>```\n</details>|@me[a](b)\"'");
    let mut report = Report {
        findings: findings(&evil),
        program: ProgramInfo {
            module: evil.clone(),
            arguments: vec![evil.clone()],
            symbols: None,
        },
        exit: Some(GuestExit::Trapped {
            thread: ThreadId(1),
            name: Some(evil.clone()),
            reason: evil.clone(),
            stack: Vec::new(),
        }),
        schedule: Some(ScheduleName::Strategy {
            strategy: evil.clone(),
            seed: 0,
        }),
        reproduce: Some(evil.clone()),
        limits: vec![evil.clone()],
        warnings: vec![evil.clone()],
        ..Report::default()
    };
    for finding in &mut report.findings {
        if let Evidence::Race(race) = &mut finding.evidence {
            for frame in &mut race.accesses[0].stack {
                frame.file = Some(format!("{evil}.rs"));
                frame.line = Some(3);
            }
        }
    }
    for kind in Kind::all() {
        let text = kind.render(&report, &options());
        let bad = text.chars().find(|c| {
            *c != '\n' && c.is_control()
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2028}' | '\u{200b}')
        });
        assert_eq!(bad, None, "{}", kind.name());
    }
    let github = Kind::Github.render(&report, &options());
    assert_eq!(github.lines().count(), report.findings.len());
    assert!(
        github
            .lines()
            .all(|line| line.starts_with("::error ") || line.starts_with("::warning "))
    );
    assert!(!github.contains("x%0A"), "{github}");
    let junit = Kind::Junit.render(&report, &options());
    let junit = quick_junit::Report::deserialize_from_str(&junit).expect("it is JUnit");
    assert_eq!(junit.tests, report.findings.len());
    let markdown = Kind::Markdown.render(&report, &options());
    let outside = outside_fences(&markdown);
    assert!(
        !outside.contains("<script") && !outside.contains("@me"),
        "{outside}"
    );
    assert_eq!(outside.matches("</details>").count(), report.findings.len());
    report.timeline = Some(timeline(&report));
    if let Some(timeline) = &mut report.timeline {
        timeline.unit.clone_from(&evil);
        timeline.lanes[1].name = Some(evil.clone());
        timeline.slices[0].text.clone_from(&evil);
        timeline.marks[0].text.clone_from(&evil);
    }
    let html = Kind::Html.render(&report, &options());
    assert_eq!(
        html.matches("<script").count(),
        2,
        "the data and the page's own"
    );
    assert_eq!(html.matches("</script>").count(), 2);
    let outside: String = (html.split("<script"))
        .map(|part| part.split_once("</script>").map_or(part, |(_, rest)| rest))
        .collect();
    for word in ["</failure>", "</details>", "\"'"] {
        assert!(!outside.contains(word), "{word}");
    }
    let tsan = Kind::Tsan.render(&report, &options());
    assert_eq!(
        tsan.matches("WARNING: ThreadSanitizer").count(),
        report.findings.len()
    );
    assert_eq!(
        tsan.lines().filter(|l| l.starts_with("SUMMARY: ")).count(),
        report.findings.len()
    );
}

/// Markdown without its fenced blocks and code spans.
fn outside_fences(text: &str) -> String {
    let mut fence: Option<&str> = None;
    let mut out = String::new();
    for line in text.lines() {
        match fence {
            Some(open) if line == open => fence = None,
            Some(_) => {}
            None if line.starts_with("```") => fence = Some(line.trim_end_matches("text")),
            None => {
                let mut rest = line;
                while let Some(at) = rest.find('`').filter(|at| !rest[..*at].ends_with('\\')) {
                    out.push_str(&rest[..at]);
                    let ticks = rest[at..].len() - rest[at..].trim_start_matches('`').len();
                    let open = &rest[at..at + ticks];
                    rest = match rest[at + ticks..].find(open) {
                        Some(end) => &rest[at + ticks + end + ticks..],
                        None => "",
                    };
                }
                out.push_str(rest);
                out.push('\n');
            }
        }
    }
    assert_eq!(fence, None, "a block that is not closed");
    out
}

// ---- paths -----------------------------------------------------------------------------------------

#[test]
fn paths_change_in_every_kind_and_sources_are_found_under_their_old_names() {
    let mut paths = PathMap::default();
    paths.remap("/src=app/source").expect("a rule");
    let mut report = short();
    let before: Vec<_> = report.findings.iter().map(|f| f.fingerprint).collect();
    report.map_paths(&paths);
    let after: Vec<_> = report.findings.iter().map(|f| f.fingerprint).collect();
    assert_eq!(before, after);
    for kind in Kind::all() {
        let text = kind.render(&report, &options());
        assert!(
            text.contains("app/source/race.rs"),
            "{}: {text}",
            kind.name()
        );
        assert!(!text.contains("/src/race.rs"), "{}", kind.name());
    }
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/report/fixtures");
    let mut map = PathMap::default();
    map.remap(&format!("{root}=elsewhere")).expect("a rule");
    let sources = Sources::on_disk("/nonexistent", Vec::new()).with_paths(map);
    assert!(sources.get("elsewhere/race.rs").is_some());
    assert!(sources.get("elsewhere/other.rs").is_none());
}

#[test]
fn missing_sources_are_named_and_the_report_is_complete() {
    let options = Options::default()
        .sources(Sources::on_disk("/nonexistent", Vec::new()))
        .sources_hint(Some("say where"));
    let human = Kind::Human.render(&short(), &options);
    assert!(
        human.contains("note: sources not found: /src/race.rs; say where"),
        "{human}"
    );
    assert!(human.contains("--> /src/race.rs:14:9"), "{human}");
    let markdown = Kind::Markdown.render(&short(), &options);
    assert!(
        markdown.contains("Sources not found: `/src/race.rs`."),
        "{markdown}"
    );
}
