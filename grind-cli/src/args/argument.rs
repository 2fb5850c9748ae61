//! What clap says of options: the one description from which settings, documents and the line that reproduces a run come.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, ValueHint};

/// The option of this name.
pub(crate) fn argument<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(name))
}

pub(crate) fn is_flag(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue)
}

pub(crate) fn is_list(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
}

/// Whether its values are paths, as far as their type tells.
pub(crate) fn is_path(argument: &Arg) -> bool {
    use ValueHint::{AnyPath, DirPath, ExecutablePath, FilePath};
    matches!(
        argument.get_value_hint(),
        AnyPath | DirPath | ExecutablePath | FilePath
    )
}

/// Whether the two options cannot be together: either may say so.
pub(crate) fn exclude(command: &Command, one: &Arg, other: &Arg) -> bool {
    let says = |one: &Arg, other: &Arg| command.get_arg_conflicts_with(one).contains(&other);
    says(one, other) || says(other, one)
}

/// The options without which these words, which are one option, are refused. clap has no accessor for what an option requires, but
/// its error says it.
pub(crate) fn needed(command: &Command, words: &[String]) -> Vec<String> {
    // Parsing builds it, without which an option cannot be shown as the error shows it.
    let mut alone = command.clone().no_binary_name(true);
    let Err(error) = alone.try_get_matches_from_mut(words) else {
        return Vec::new();
    };
    match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::Strings(missing))
            if error.kind() == ErrorKind::MissingRequiredArgument =>
        {
            let is_missing = |option: &&Arg| missing.contains(&option.to_string());
            let options = alone.get_arguments().filter(is_missing);
            let names = options.filter_map(Arg::get_long);
            names.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_option_excludes_and_needs_is_what_clap_says() {
        let option = |name: &'static str| Arg::new(name).long(name).value_name("N");
        let flag = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
        let command = Command::new("run")
            .arg(option("seeds").conflicts_with("trace"))
            .arg(option("jobs").requires("seeds"))
            .arg(flag("fail-fast").requires("seeds").requires("jobs"))
            .arg(flag("trace"))
            .arg(Arg::new("module").required(true));
        let of = |name| argument(&command, name).expect("an option");
        assert!(exclude(&command, of("seeds"), of("trace")));
        assert!(exclude(&command, of("trace"), of("seeds")));
        assert!(!exclude(&command, of("jobs"), of("trace")));
        for (words, needs) in [
            (&["--jobs=1"][..], &["seeds"][..]),
            (&["--fail-fast"], &["seeds", "jobs"]),
            (&["--seeds=1"], &[]),
            (&[], &[]),
        ] {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            assert_eq!(needed(&command, &words), needs, "{words:?}");
        }
    }
}
