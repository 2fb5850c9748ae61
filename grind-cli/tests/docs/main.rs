//! The documents do what they say: each command of README.md, of docs/*.md and of the files for CI is run as a reader would,
//! in a directory with what its page speaks of, by the commands that were built, and shows what the page shows.
//!
//! A command that is neither run nor listed in `NOT_RUN` fails. The pages' modules are guests of this repository; crates are
//! built where the target of guests is installed, else what is missing has to be said.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ci;
mod example;
mod first_race;
mod pages;

use pages::{Place, Shown, Source, commands, documents, text};
use snapbox::Assert;
use std::process::Output;

/// Commands that are not run, by their beginnings, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("rustup ", "downloads, and changes the toolchain"),
    (
        "cargo install ",
        "downloads and builds with optimisations; what it installs is what the tests run",
    ),
    ("cargo test --workspace", "is what runs this"),
    (
        "cargo bench ",
        "measures for minutes, on a machine that is not quiet",
    ),
    (
        "export ",
        "is for the build after it; first_race.rs compares the flags with those the guests were built with",
    ),
    (
        "cargo build --release --target wasm32-unknown-unknown",
        "builds std for minutes; its result is a guest, see first_race.rs",
    ),
    (
        "./grind-web/build.sh",
        "builds with optimisations for minutes; .ci/run does, and runs the page's examples with what it built",
    ),
];

/// What is run otherwise than it is written, because it is built already.
const IN_PLACE: (&str, &str) = ("cargo run --release -p grind-cli --", "grind");

/// Where the commands of a document are run, and how they end.
struct Page {
    path: &'static str,
    files: &'static [(&'static str, Source)],
    /// What a reader has done before.
    before: &'static [&'static str],
    /// Exit codes other than 0, by the beginnings of commands; the longest that fits counts.
    ends: &'static [(&'static str, i32)],
}

const RACY: Source = Source::Copy("test-programs/wasm/race_counter.wasm");
const CLEAN: Source = Source::Copy("test-programs/wasm/clean_arguments.wasm");

/// A crate whose tests race.
const MANIFEST: Source = Source::Text(
    "[package]\nname = \"fixture\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
);
const TESTS: Source = Source::Text(
    "#[test]
fn queue() {
    static mut LENGTH: u32 = 0;
    let push = || unsafe { *(&raw mut LENGTH) += 1 };
    let threads = [std::thread::spawn(push), std::thread::spawn(push)];
    for thread in threads {
        thread.join().unwrap();
    }
}
",
);

const PAGES: &[Page] = &[
    Page {
        path: "README.md",
        files: &[
            ("Cargo.toml", MANIFEST),
            ("src/lib.rs", TESTS),
            ("test-programs", Source::Link("test-programs")),
            ("app.wasm", CLEAN),
            ("data", Source::Directory),
        ],
        before: &[],
        ends: &[("cargo grind test", 66), ("cargo run ", 66)],
    },
    Page {
        path: "docs/check.md",
        files: &[("app.wasm", CLEAN)],
        before: &[],
        ends: &[],
    },
    Page {
        path: "docs/cargo.md",
        files: &[("Cargo.toml", MANIFEST), ("src/lib.rs", TESTS)],
        before: &[],
        ends: &[("cargo grind test", 66)],
    },
    Page {
        path: "docs/ci/gitlab.yml",
        files: &[("Cargo.toml", MANIFEST), ("src/lib.rs", TESTS)],
        before: &[],
        ends: &[("cargo grind test", 66)],
    },
    Page {
        path: "grind-cli/src/cargo/init/grind.yml",
        files: &[("Cargo.toml", MANIFEST), ("src/lib.rs", TESTS)],
        before: &[],
        ends: &[("cargo grind test", 66)],
    },
    Page {
        path: "docs/example/.github/workflows/grind.yml",
        files: example::FILES,
        before: &[],
        ends: &[("cargo grind test", 66)],
    },
    Page {
        path: "docs/example.md",
        files: example::FILES,
        before: &[],
        ends: example::ENDS,
    },
    Page {
        path: "docs/first-race.md",
        files: &[(first_race::MODULE, RACY)],
        before: &[],
        ends: &[("grind run", 66)],
    },
    Page {
        path: "docs/performance.md",
        files: &[],
        before: &[],
        ends: &[],
    },
    Page {
        path: "docs/reports.md",
        files: &[("app.wasm", RACY)],
        before: &[],
        ends: &[("grind run", 66), ("grind run --baseline", 0)],
    },
    Page {
        path: "docs/tasks.md",
        files: &[(
            "app.wasm",
            Source::Copy("test-programs/wasm/race_task_result.wasm"),
        )],
        before: &[],
        ends: &[("grind run", 66)],
    },
    Page {
        path: "docs/traces.md",
        files: &[("app.wasm", RACY)],
        before: &[
            "grind run --trace=full --trace-file full.grind app.wasm",
            "grind run --trace=a.grind --seed 1 app.wasm",
            "grind run --trace=b.grind --seed 2 app.wasm",
            "grind trace export --format std -o other.std full.grind",
        ],
        ends: &[
            ("grind run", 66),
            ("grind replay", 66),
            ("grind replay --at", 0),
            ("grind replay --thread", 0),
            ("grind replay --watch", 0),
            ("grind trace diff", 65),
            ("grind analyze", 66),
        ],
    },
    Page {
        path: "docs/web.md",
        files: &[],
        before: &[],
        ends: &[],
    },
];

impl Page {
    /// Runs the commands in order, in one directory, and gives what each did to `check`.
    fn run(&self, check: &dyn Fn(&Shown, &Output)) {
        let place = Place::new(self.files);
        for command in self.before {
            let output = place.shell(command);
            self.check_code(command, &output);
        }
        for shown in commands(self.path) {
            if NOT_RUN
                .iter()
                .any(|(start, _)| shown.command.starts_with(start))
            {
                continue;
            }
            let command = shown.command.replace(IN_PLACE.0, IN_PLACE.1);
            // In one stream, as on a terminal.
            let output = place.shell(&format!("exec 2>&1\n{command}"));
            let needs_target = shown.command.contains("cargo grind ");
            if needs_target && !pages::target_is_installed() {
                pages::holds_what_is_missing(&output);
                continue;
            }
            check(&shown, &output);
        }
    }

    fn check_code(&self, command: &str, output: &Output) {
        let fitting = (self.ends.iter()).filter(|(start, _)| command.starts_with(start));
        let code = fitting.max_by_key(|(start, _)| start.len());
        let code = code.map_or(0, |(_, code)| *code);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{}: {command}\n{said}",
            self.path
        );
    }

    fn named(path: &str) -> &'static Page {
        let mut pages = PAGES.iter();
        pages.find(|page| page.path == path).unwrap()
    }
}

/// Runs a page as it is.
fn check(path: &str) {
    let page = Page::named(path);
    page.run(&|shown, output| {
        page.check_code(&shown.command, output);
        if !shown.output.is_empty() {
            let got = pages::normal(&text(&output.stdout));
            let wanted = pages::normal(&shown.output);
            let what = format!("{path}: {}", shown.command);
            let agrees = Assert::new().try_eq(Some(&what), got.into(), wanted.into());
            agrees.unwrap_or_else(|error| panic!("{error}"));
        }
        assert!(
            !text(&output.stdout).contains("nothing of that in this run"),
            "{path}: {} looks at nothing",
            shown.command
        );
    });
}

macro_rules! pages {
    ($($name:ident: $path:literal,)*) => {
        $(#[test]
        fn $name() {
            check($path);
        })*

        /// Pages that a test runs.
        const RUN: &[&str] = &[$($path),*];
    };
}

pages! {
    the_readme: "README.md",
    cargo_grind: "docs/cargo.md",
    many_schedules: "docs/check.md",
    first_race: "docs/first-race.md",
    performance: "docs/performance.md",
    reports: "docs/reports.md",
    tasks: "docs/tasks.md",
    traces: "docs/traces.md",
    web: "docs/web.md",
    the_example: "docs/example.md",
    the_workflow_of_the_example: "docs/example/.github/workflows/grind.yml",
    the_workflow_of_init: "grind-cli/src/cargo/init/grind.yml",
    the_pipeline_of_gitlab: "docs/ci/gitlab.yml",
}

#[test]
fn no_page_and_no_reason_is_left_over() {
    let mut run = RUN.to_vec();
    run.sort_unstable();
    assert_eq!(
        documents(),
        run,
        "each document with commands has a row in `PAGES` and a test"
    );
    let all: Vec<Shown> = documents().iter().flat_map(|page| commands(page)).collect();
    for (start, reason) in NOT_RUN {
        let used = all.iter().any(|shown| shown.command.starts_with(start));
        assert!(used, "no document has `{start}`, which {reason}");
    }
}
