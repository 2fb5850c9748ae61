//! An option stands in one place, which is its field for clap.

use crate::args::argument::argument;
use crate::args::decisive::{self, DECISIVE};
use crate::args::limits;
use crate::cli::{self, Cli};
use crate::settings;
use crate::settings::file::{Config, manifest_layer};
use crate::settings::keys::{FOR_ALL, GUARDS, Keys, ONLY_GIVEN, SUBCOMMANDS, variable};
use clap::{Arg, Command, CommandFactory, Parser};
use grind_runtime::model::LimitReached;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Names of the options of all subcommands that have settings.
fn options(grind: &Command) -> BTreeSet<&str> {
    let commands = SUBCOMMANDS.iter().map(|name| {
        let command = grind.find_subcommand(name);
        command.expect("a subcommand")
    });
    commands
        .flat_map(Command::get_arguments)
        .filter_map(Arg::get_long)
        .collect()
}

#[test]
fn what_is_said_of_options_is_said_of_options_that_there_are() {
    let mut grind = Cli::command();
    grind.build();
    let options = options(&grind);
    let guards = GUARDS.iter().map(|(name, _)| name);
    for name in FOR_ALL.iter().chain(ONLY_GIVEN).chain(guards) {
        // Only the whole command has it.
        assert!(options.contains(name) || *name == "version", "{name}");
    }
    for name in ONLY_GIVEN {
        let has_row = FOR_ALL.contains(name) || GUARDS.iter().any(|(of, _)| of == name);
        assert!(!has_row, "{name}");
    }
}

#[test]
fn every_option_is_a_key_unless_it_is_only_given() {
    let grind = Cli::command();
    let keys: Vec<String> = Keys::of(&grind).names().collect();
    for option in options(&grind) {
        let is_key = keys
            .iter()
            .any(|key| key.rsplit('.').next() == Some(option));
        assert!(is_key != ONLY_GIVEN.contains(&option), "{option}");
    }
}

#[test]
fn variables_do_not_clash() {
    let keys = Keys::of(&Cli::command());
    let variables: Vec<String> = keys.names().map(|name| variable(&name)).collect();
    let distinct: BTreeSet<&String> = variables.iter().collect();
    assert_eq!(variables.len(), distinct.len());
}

#[test]
fn of_a_new_option_all_that_clap_says_is_known() {
    let stack = Arg::new("stack")
        .long("stack")
        .value_name("SIZE")
        .default_value("1MiB")
        .help("Stack of a thread")
        .group(DECISIVE);
    let grind = Cli::command().mut_subcommand("run", |run| run.arg(stack));
    let keys = Keys::of(&grind);
    // It is a key, with a variable; the guide has it.
    assert!(keys.names().any(|name| name == "stack"));
    let guide = settings::documentation(&keys, &grind);
    let row = "| `stack` | value | `GRIND_STACK` | run | Stack of a thread |\n";
    assert!(guide.contains(row), "{guide}");
    // A file sets it.
    let said = toml::Table::from_iter([("stack".to_owned(), "2MiB".into())]);
    for (said, wanted) in [
        (toml::Table::new(), ["stack", "1MiB", "default"]),
        (said, ["stack", "2MiB", "Cargo.toml"]),
    ] {
        let manifest = manifest_layer(&keys, Path::new("Cargo.toml"), &said);
        let manifest = manifest.expect("a layer");
        let shown = settings::shown(&keys, &grind, &Config::default(), false, &manifest);
        let shown = shown.expect("a listing");
        let line = shown.lines().find(|line| line.starts_with("stack"));
        let words = line.expect("a line").split_whitespace().take(3);
        assert_eq!(words.collect::<Vec<_>>(), wanted);
    }
    // And a run is shown with it.
    let given = ["grind", "run", "--stack=2MiB", "--seed=4", "app.wasm"];
    let matches = grind.clone().try_get_matches_from(given);
    let matches = matches.expect("a command line");
    let (_, matches) = matches.subcommand().expect("a subcommand");
    let run = grind.find_subcommand("run").expect("a subcommand");
    let again = decisive::words(run.clone(), matches);
    assert_eq!(again, ["--stack", "2MiB"]);
}

#[test]
fn a_new_option_that_takes_a_path_takes_trust() {
    let dump = Arg::new("dump")
        .long("dump")
        .value_parser(clap::value_parser!(PathBuf));
    let grind = Cli::command().mut_subcommand("run", |run| run.arg(dump));
    let keys = Keys::of(&grind);
    for (path, refused) in [("dump.txt", false), ("/elsewhere/dump.txt", true)] {
        let said = toml::Table::from_iter([("dump".to_owned(), path.into())]);
        let manifest = manifest_layer(&keys, Path::new("Cargo.toml"), &said);
        let manifest = manifest.expect("a layer");
        let shown = settings::shown(&keys, &grind, &Config::default(), false, &manifest);
        let shown = shown.expect("a listing");
        let line = shown.lines().find(|line| line.starts_with("dump"));
        let line = line.expect("a line");
        assert_eq!(line.ends_with("refused without --trust-config"), refused);
    }
}

#[test]
fn the_flags_of_a_run_keep_what_was_given() {
    let given = [
        "grind",
        "run",
        "--max-memory=2MiB",
        "--env=-A=1",
        "--config=c.toml",
        "--no-detect",
        "--invoke",
        "f",
        "--after-start",
        "app.wasm",
        "--env",
        "B",
    ];
    let Cli {
        command: cli::Command::Run(run),
        ..
    } = Cli::parse_from(given)
    else {
        panic!("not a run")
    };
    let again = [
        "--invoke",
        "f",
        "--after-start",
        "--env=-A=1",
        "--max-memory",
        "2MiB",
        "--config",
        "c.toml",
    ];
    assert_eq!(run.flags.guest.again.0, again);
}

#[test]
fn a_decisive_option_takes_one_value_at_a_time() {
    let mut grind = Cli::command();
    grind.build();
    let run = grind.find_subcommand("run").expect("a subcommand");
    let group = run
        .get_groups()
        .find(|group| *group.get_id() == DECISIVE)
        .expect("the group");
    let of = |id| run.get_arguments().find(|option| option.get_id() == id);
    for id in group.get_args() {
        let option = of(id).expect("an option");
        let values = option.get_num_args().expect("a built option");
        assert!(values.max_values() <= 1, "{id}");
        assert!(option.get_value_delimiter().is_none(), "{id}");
    }
}

#[test]
fn limits_are_set_by_options_of_a_run() {
    let grind = Cli::command();
    let run = grind.find_subcommand("run").expect("a subcommand");
    let reached = [
        LimitReached::Threads,
        LimitReached::Memory,
        LimitReached::Steps,
    ];
    for limit in reached {
        let name = limits::option(limit).expect("an option");
        assert!(argument(run, name).is_some(), "{name}");
    }
}
