//! Options that decide what happens in a run, for the line that reproduces it.

use super::argument::is_flag;
use clap::parser::ValueSource;
use clap::{Arg, ArgGroup, ArgMatches, Command, Id};
use std::ffi::{OsStr, OsString};

/// The group of these options. A field joins it with `group = DECISIVE`; they may be together. Seed and
/// schedule are none of them, for every run has its own.
pub(crate) const DECISIVE: &str = "decisive";

/// The group itself. The command declares it once, or clap would take its options for alternatives.
pub(crate) fn group() -> ArgGroup {
    ArgGroup::new(DECISIVE).multiple(true)
}

/// The words that give the decisive options again, of those that were given another value than the default. `command` has the options,
/// and `matches` what became of them.
pub(crate) fn words(mut command: Command, matches: &ArgMatches) -> Vec<OsString> {
    // Which options joined a group is known only then.
    command.build();
    let decisive: Vec<&Id> = (command.get_groups())
        .filter(|group| *group.get_id() == DECISIVE)
        .flat_map(ArgGroup::get_args)
        .collect();
    (command.get_arguments())
        .filter(|argument| decisive.contains(&argument.get_id()))
        .flat_map(|argument| given(argument, matches))
        .collect()
}

fn given(argument: &Arg, matches: &ArgMatches) -> Vec<OsString> {
    let id = argument.get_id().as_str();
    let is_given = matches.value_source(id) == Some(ValueSource::CommandLine);
    let (true, Some(name)) = (is_given, argument.get_long()) else {
        return Vec::new();
    };
    let option = OsString::from(format!("--{name}"));
    if is_flag(argument) {
        return vec![option];
    }
    let values: Vec<&OsStr> = matches.get_raw(id).into_iter().flatten().collect();
    if values == *argument.get_default_values() {
        return Vec::new();
    }
    let words = values.into_iter().flat_map(|value| {
        let begins_an_option = value.as_encoded_bytes().starts_with(b"-");
        if argument.is_require_equals_set() || begins_an_option {
            let mut word = option.clone();
            word.push("=");
            word.push(value);
            vec![word]
        } else {
            vec![option.clone(), value.to_owned()]
        }
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ArgAction;

    fn option(name: &'static str) -> Arg {
        Arg::new(name).long(name).group(DECISIVE)
    }

    fn command() -> Command {
        Command::new("run")
            .group(group())
            .arg(option("entry"))
            .arg(option("threads").default_value("1000"))
            .arg(Arg::new("quiet").long("quiet").action(ArgAction::SetTrue))
            .arg(option("wait").action(ArgAction::SetTrue))
            .arg(option("dir").action(ArgAction::Append))
            .arg(
                option("trace")
                    .num_args(0..=1)
                    .require_equals(true)
                    .default_missing_value("light"),
            )
            .arg(option("offset").allow_negative_numbers(true))
    }

    #[test]
    fn what_was_given_is_given_again_in_the_order_of_the_options() {
        for (given, again) in [
            (&[][..], &[][..]),
            (&["--quiet"], &[]),
            (&["--threads", "1000"], &[]),
            (&["--threads=7", "--wait"], &["--threads", "7", "--wait"]),
            (
                &["--dir", "b c", "--wait", "--dir=a", "--entry", "f"],
                &["--entry", "f", "--wait", "--dir", "b c", "--dir", "a"],
            ),
            (&["--entry", ""], &["--entry", ""]),
            // What begins as an option does would be taken for one.
            (&["--entry=-x"], &["--entry=-x"]),
            (&["--entry=--"], &["--entry=--"]),
            (&["--offset", "-1"], &["--offset=-1"]),
            (&["--trace"], &["--trace=light"]),
        ] {
            let matches = |words: &[&str]| {
                let matches = command().no_binary_name(true).try_get_matches_from(words);
                matches.expect("a command line")
            };
            let found = words(command(), &matches(given));
            assert_eq!(found, again, "{given:?}");
            // And shows the same again.
            assert_eq!(words(command(), &matches(again)), again, "{given:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_stays_as_it_is() {
        use std::os::unix::ffi::OsStringExt as _;
        let command = || {
            let parser = clap::value_parser!(OsString);
            let path = option("path").value_parser(parser);
            Command::new("run").group(group()).arg(path)
        };
        for value in [&b"b\xffd"[..], b"-\xff"] {
            let value = OsString::from_vec(value.to_vec());
            let mut word = OsString::from("--path=");
            word.push(&value);
            let matches = command()
                .no_binary_name(true)
                .try_get_matches_from([word.clone()])
                .expect("a command line");
            let again = words(command(), &matches);
            let two = ["--path".into(), value.clone()];
            assert!(again == two || again == [word], "{again:?}");
            assert_eq!(again.len() == 1, value.as_encoded_bytes()[0] == b'-');
        }
    }
}
