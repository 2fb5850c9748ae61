//! An option stands in one place, which is its field for clap.

use crate::cli::Cli;
use crate::settings::keys::{FOR_ALL, GUARDS, Keys, ONLY_GIVEN, SUBCOMMANDS, variable};
use clap::{Arg, Command, CommandFactory};
use std::collections::BTreeSet;

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
