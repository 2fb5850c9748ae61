//! Options of `grind run` that come from elsewhere than the command line: the environment, a package's manifest,
//! `grind.toml`.
//!
//! What is found there is put into the command line as the options it stands for, before it is read again. So each has one
//! parser, and a value means the same wherever it is written.

use crate::config::{Config, ConfigArgs};
use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command, CommandFactory, FromArgMatches};
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::Write as _;

/// An option that can be set elsewhere. Its name is that of the flag; clap knows the rest.
pub(crate) struct Key {
    name: &'static str,
    /// Options it cannot be together with: of two, the one set closer to the command line stays.
    excludes: &'static [&'static str],
    /// An option without which it means nothing.
    needs: Option<&'static str>,
}

const fn key(name: &'static str) -> Key {
    Key {
        name,
        excludes: &[],
        needs: None,
    }
}

impl Key {
    const fn excludes(self, excludes: &'static [&'static str]) -> Key {
        Key { excludes, ..self }
    }

    const fn needs(self, other: &'static str) -> Key {
        Key {
            needs: Some(other),
            ..self
        }
    }

    /// The name in the environment.
    fn variable(&self) -> String {
        format!("GRIND_{}", self.name.replace('-', "_").to_uppercase())
    }
}

/// All of them, in the order of `grind run --help`.
const KEYS: &[Key] = &[
    key("seed").excludes(&["seeds"]),
    key("seeds").excludes(&["seed", "trace", "trace-file", "embed-module"]),
    key("jobs").needs("seeds"),
    key("fail-fast").needs("seeds"),
    key("scheduler"),
    key("trace").excludes(&["seeds"]),
    key("trace-file").excludes(&["seeds"]),
    key("embed-module").excludes(&["seeds"]),
    key("invoke"),
    key("after-start").needs("invoke"),
    key("wait-for-threads"),
    key("env"),
    key("dir"),
    key("timeout"),
    key("max-steps"),
    key("max-threads"),
    key("max-memory"),
    key("initial-memory"),
    key("no-detect"),
    key("halt-on-error"),
    key("suppressions"),
    key("deny-unused-suppressions"),
    key("fail-on"),
    key("baseline"),
    key("report"),
    key("format"),
    key("strip-prefix"),
    key("remap"),
    key("source"),
    key("quiet").excludes(&["verbose"]),
    key("verbose").excludes(&["quiet"]),
];

/// One place where options are set: its name, and their values.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    origin: String,
    values: BTreeMap<String, Vec<String>>,
}

impl Layer {
    /// The layer that a table of a file is. Keys that are none are `warn_of_unknown`'s.
    ///
    /// # Errors
    /// If a value is of a type that no option has.
    pub(crate) fn from_table(origin: String, table: &toml::Table) -> Result<Layer> {
        let mut values = BTreeMap::new();
        for (name, value) in table {
            if !KEYS.iter().any(|key| key.name == name) {
                continue;
            }
            let list = match value {
                toml::Value::Array(list) => list.as_slice(),
                one => std::slice::from_ref(one),
            };
            let texts: Option<Vec<String>> = list.iter().map(text).collect();
            let texts = texts.with_context(|| {
                format!(
                    "{origin}: {name}: expected text, a number, true or false, or a list of texts"
                )
            })?;
            values.insert(name.clone(), texts);
        }
        Ok(Layer { origin, values })
    }

    /// What the environment sets. In a list, items are words as in a shell.
    fn from_environment(command: &Command) -> Result<Layer> {
        let mut values = BTreeMap::new();
        for key in KEYS {
            let variable = key.variable();
            let Some(value) = env::var_os(&variable).filter(|value| !value.is_empty()) else {
                continue;
            };
            let Some(value) = value.to_str() else {
                bail!("{variable} is no text");
            };
            let is_list = argument(command, key.name).is_some_and(is_list);
            let items = match is_list {
                true => {
                    shlex::split(value).with_context(|| format!("{variable}: a quote is open"))?
                }
                false => vec![value.to_owned()],
            };
            values.insert(key.name.to_owned(), items);
        }
        Ok(Layer {
            origin: "environment".to_owned(),
            values,
        })
    }
}

fn text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Says which keys of a table are none, with the nearest that is.
///
/// # Errors
/// If there is nowhere to say it.
pub(crate) fn warn_of_unknown(origin: &str, table: &toml::Table) -> Result<()> {
    let known = || {
        KEYS.iter()
            .map(|key| key.name)
            .chain(["suppression", "interceptor"])
    };
    for name in table
        .keys()
        .filter(|name| known().all(|known| known != *name))
    {
        let nearest = known()
            .map(|known| (strsim::damerau_levenshtein(name, known), known))
            .min();
        let hint = match nearest {
            Some((distance, known)) if distance <= 1 + known.len() / 3 => {
                format!("; did you mean `{known}`?")
            }
            _ => String::new(),
        };
        writeln!(
            anstream::stderr(),
            "grind: warning: {origin}: unknown key `{name}`{hint}"
        )?;
    }
    Ok(())
}

/// What an option is, and who said so.
struct Setting {
    key: &'static Key,
    values: Vec<String>,
    origin: String,
}

/// Reads a command line, with the layers below it. `subcommands` are those that have the options of `grind run`; `manifest` is
/// asked for the layer between the environment and `grind.toml`.
///
/// # Errors
/// If a file cannot be read, or a value in it not be understood. What is wrong with the command line itself ends the process, as
/// clap does.
pub(crate) fn parse<C: CommandFactory + FromArgMatches>(
    args: Vec<OsString>,
    subcommands: &[&str],
    manifest: impl FnOnce(&C) -> Result<Layer>,
) -> Result<C> {
    let matches = C::command().get_matches_from(&args);
    let cli = C::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let Some((name, sub)) = matches
        .subcommand()
        .filter(|(name, _)| subcommands.contains(name))
    else {
        return Ok(cli);
    };
    let mut command = C::command();
    // Whatever is global belongs to the subcommands only then.
    command.build();
    let Some(command) = command.find_subcommand(name) else {
        return Ok(cli);
    };
    let file = ConfigArgs {
        file: sub.get_one("config").cloned(),
        ..ConfigArgs::default()
    };
    let layers = [
        Layer::from_environment(command)?,
        manifest(&cli)?,
        Config::find(&file)?.layer()?,
    ];
    let settings = settings(command, Some(sub), &layers)?;
    let mut inserted = settings
        .iter()
        .flat_map(|setting| options(command, setting))
        .peekable();
    if inserted.peek().is_none() {
        return Ok(cli);
    }
    // Before the subcommand there are only options of the whole command, none of whose values is its name.
    let at = args
        .iter()
        .position(|arg| arg == name)
        .map_or(args.len(), |at| at + 1);
    let (before, after) = args.split_at(at);
    let all = before
        .iter()
        .cloned()
        .chain(inserted.map(OsString::from))
        .chain(after.iter().cloned());
    let matches = C::command().get_matches_from(all);
    Ok(C::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}

/// What the layers set and the command line does not, the first layer before the next.
fn settings(
    command: &Command,
    given: Option<&ArgMatches>,
    layers: &[Layer],
) -> Result<Vec<Setting>> {
    let on_command_line = |name: &str| {
        let id = argument(command, name).map(Arg::get_id);
        let source = given
            .zip(id)
            .and_then(|(given, id)| given.value_source(id.as_str()));
        source == Some(ValueSource::CommandLine)
    };
    let mut settings: Vec<Setting> = Vec::new();
    for layer in layers {
        // Within one layer, what excludes each other is an error of clap's.
        let earlier: Vec<&str> = settings.iter().map(|setting| setting.key.name).collect();
        let is_set = |name: &str| on_command_line(name) || earlier.contains(&name);
        let mut found = Vec::new();
        for key in KEYS {
            let Some(values) = layer.values.get(key.name) else {
                continue;
            };
            check(command, key, values, &layer.origin)?;
            if !is_set(key.name) && !key.excludes.iter().any(|other| is_set(other)) {
                let values = values.clone();
                let origin = match layer.origin.as_str() {
                    "environment" => key.variable(),
                    other => other.to_owned(),
                };
                found.push(Setting {
                    key,
                    values,
                    origin,
                });
            }
        }
        settings.extend(found);
    }
    let names: Vec<&str> = settings.iter().map(|setting| setting.key.name).collect();
    settings.retain(|setting| {
        let needed = setting.key.needs;
        needed.is_none_or(|other| on_command_line(other) || names.contains(&other))
    });
    Ok(settings)
}

/// # Errors
/// If the option's own parser does not take the values; the error says where they are.
fn check(command: &Command, key: &'static Key, values: &[String], origin: &str) -> Result<()> {
    let name = key.name;
    let Some(argument) = argument(command, name) else {
        return Ok(());
    };
    if is_flag(argument) {
        if let [value] = values
            && value.parse::<bool>().is_ok()
        {
            return Ok(());
        }
        bail!("{origin}: {name}: expected true or false");
    }
    if !is_list(argument) && values.len() != 1 {
        bail!("{origin}: {name}: expected one value");
    }
    let words = values.iter().map(|value| format!("--{name}={value}"));
    // That there is no module, and the like, is of no interest here.
    let alone = command
        .clone()
        .no_binary_name(true)
        .try_get_matches_from(words);
    match alone {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidValue | ErrorKind::ValueValidation
            ) =>
        {
            let text = error.to_string();
            let first = text.split("\n\n").next().unwrap_or_default();
            bail!(
                "{origin}: {}",
                first.trim_start_matches("error: ").trim_end()
            );
        }
        _ => Ok(()),
    }
}

/// The words on the command line that are this setting.
fn options(command: &Command, setting: &Setting) -> Vec<String> {
    let name = setting.key.name;
    if argument(command, name).is_some_and(is_flag) {
        let is_on = setting.values.iter().any(|value| value == "true");
        return is_on.then(|| format!("--{name}")).into_iter().collect();
    }
    setting
        .values
        .iter()
        .map(|value| format!("--{name}={value}"))
        .collect()
}

fn argument<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command
        .get_arguments()
        .find(|argument| argument.get_long() == Some(name))
}

fn is_flag(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue)
}

fn is_list(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
}

/// Each option that can be set, its value, and where that comes from.
///
/// # Errors
/// As `parse`.
pub(crate) fn shown(command: &Command, file: &ConfigArgs) -> Result<String> {
    let layers = [
        Layer::from_environment(command)?,
        Config::find(file)?.layer()?,
    ];
    let settings = settings(command, None, &layers)?;
    let rows: Vec<(&str, String, String)> = (KEYS.iter())
        .map(
            |key| match settings.iter().find(|setting| setting.key.name == key.name) {
                Some(setting) => (key.name, setting.values.join(" "), setting.origin.clone()),
                None => (key.name, default(command, key.name), "default".to_owned()),
            },
        )
        .collect();
    let widest =
        |of: fn(&(&str, String, String)) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let (first, second) = (
        widest(|row| row.0.len()),
        widest(|row| row.1.chars().count()),
    );
    let lines = rows
        .iter()
        .map(|(name, value, origin)| format!("{name:<first$}  {value:<second$}  {origin}\n"));
    Ok(lines.collect())
}

fn default(command: &Command, name: &str) -> String {
    let values = argument(command, name)
        .map(Arg::get_default_values)
        .unwrap_or_default();
    let texts: Vec<_> = values.iter().map(|value| value.to_string_lossy()).collect();
    if texts.is_empty() {
        "-".to_owned()
    } else {
        texts.join(" ")
    }
}

/// The table of the guide.
#[cfg(test)]
fn documentation(command: &Command) -> String {
    let rows = KEYS.iter().map(|key| {
        let argument = argument(command, key.name).expect("a key is an option of `grind run`");
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let value = match argument {
            argument if is_flag(argument) => "true, false",
            argument if is_list(argument) => "list",
            _ => "value",
        };
        format!(
            "| `{}` | {value} | `{}` | {} |\n",
            key.name,
            key.variable(),
            help.replace('|', "\\|")
        )
    });
    std::iter::once("| key | is | variable | what |\n|---|---|---|---|\n".to_owned())
        .chain(rows)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn run_command() -> Command {
        Cli::command()
            .find_subcommand("run")
            .expect("a subcommand")
            .clone()
    }

    #[test]
    fn the_guide_lists_the_keys() {
        let guide = include_str!("../../docs/config.md");
        let table = documentation(&run_command());
        assert!(
            guide.contains(&table),
            "docs/config.md should have:\n{table}"
        );
    }

    #[test]
    fn what_keys_say_of_others_are_keys() {
        for key in KEYS {
            for other in key.excludes.iter().copied().chain(key.needs) {
                assert!(
                    KEYS.iter().any(|key| key.name == other),
                    "{}: {other}",
                    key.name
                );
            }
        }
    }
}
