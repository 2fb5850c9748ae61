//! Options of the subcommands with findings that come from elsewhere than the command line: the environment, a package's
//! manifest, `grind.toml`.
//!
//! What is found there is put into the command line as the options it stands for, before it is read again. So each has one
//! parser, and a value means the same wherever it is written.

pub(crate) mod file;
pub(crate) mod keys;
mod layer;
mod trust;

pub(crate) use layer::Layer;

use crate::args::argument::{argument, exclude, is_flag, is_list, needed};
use crate::args::config::ConfigFile;
use crate::args::trace::trace_with_a_blank;
use crate::output::error::{self, Usage};
use crate::output::say;
use anyhow::{Context, Result, bail};
use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches};
use file::Config;
use grind_runtime::report::log;
use keys::{Key, Keys, TABLES, Top, variable};
use layer::warn_of_variables;
use std::ffi::OsString;
use trust::Project;

/// What an option is, and who said so.
struct Setting<'k> {
    key: &'k Key,
    /// As whoever said so names it.
    name: String,
    values: Vec<String>,
    /// Options without which it means nothing.
    needs: Vec<String>,
    origin: String,
    /// Not the user's own.
    is_of_file: bool,
    /// Why it takes trust, if it does.
    refused: Option<&'static str>,
}

impl Setting<'_> {
    /// `env = HOME`, as it is read on one line.
    fn shown(&self) -> String {
        format!("{} = {}", self.name, self.values.join(" "))
    }
}

/// Reads a command line, with the layers below it. `subcommands` are those that have the options of the keys; `manifest` is
/// asked for the layer between the environment and `grind.toml`.
///
/// # Errors
/// If a file cannot be read, a value in it not be understood, or it sets what it is not trusted to. What is wrong with the command line itself ends the process, as
/// clap does.
pub(crate) fn parse<C: CommandFactory + FromArgMatches>(
    keys: &Keys,
    args: Vec<OsString>,
    subcommands: &[&str],
    manifest: impl FnOnce(&C) -> Result<Layer>,
) -> Result<C> {
    let matches = parsed::<C>(args.clone())?;
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
    warn_of_variables(keys)?;
    let file = ConfigFile {
        path: sub.get_one("config").cloned(),
        trust_config: sub.get_flag("trust_config"),
    };
    let environment = Layer::from_environment(keys, command).map_err(error::of_settings)?;
    let config = Config::find(&file)?;
    let (manifest, layer) = (
        manifest(&cli)?,
        config.layer(keys).map_err(error::of_settings)?,
    );
    let settings = settings(keys, command, Some(sub), &[&environment, &manifest, &layer]);
    let settings = settings.map_err(error::of_settings)?;
    if !file.trust_config {
        trusted(&settings)?;
    }
    let verbose =
        |setting: &Setting<'_>| setting.key.name == "verbose" && setting.values == ["true"];
    let verbose = sub.get_flag("verbose") || settings.iter().any(verbose);
    // Then nobody would be told what else a file makes silent.
    let quiet = |setting: &Setting<'_>| {
        setting.key.name == "quiet" && setting.is_of_file && setting.values == ["true"]
    };
    let quiet = !file.trust_config && settings.iter().any(quiet);
    for (layer, besides) in [(&manifest, Vec::new()), (&layer, config.besides())] {
        let known = |setting: &Setting<'_>| {
            let names = ["suppressions", "baseline"];
            setting.origin == layer.origin && names.contains(&&*setting.key.name)
        };
        let hides = !besides.is_empty() || settings.iter().any(known);
        say_what_is_set(layer, &settings, besides, verbose || quiet && hides)?;
    }
    config.warn_of_unknown(keys)?;
    let mut inserted = settings
        .iter()
        .filter_map(|setting| Some((argument(command, &setting.key.name)?, setting)))
        .flat_map(|(argument, setting)| options(argument, &setting.values))
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
    let matches = parsed::<C>(all.collect())?;
    Ok(C::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()))
}

/// What clap makes of a command line.
///
/// # Errors
/// Where clap's own message would not do. Otherwise what is wrong ends the process, as clap does.
fn parsed<C: CommandFactory>(args: Vec<OsString>) -> Result<ArgMatches> {
    let error = match C::command().try_get_matches_from(&args) {
        Ok(matches) => return Ok(matches),
        Err(error) => error,
    };
    let blank = args.windows(2).find(|words| {
        words[0] == "--trace" && ["light", "full"].iter().any(|value| words[1] == *value)
    });
    if let (Some(words), ErrorKind::UnknownArgument) = (blank, error.kind()) {
        return Err(trace_with_a_blank(&words[1]).into());
    }
    // Names of files are in it as well.
    let text = error.render().to_string();
    if log::plain(&text) != text && error.use_stderr() {
        let text = text.trim_start_matches("error: ").trim_end();
        return Err(Usage(text.to_owned()).into());
    }
    error.exit()
}

/// # Errors
/// If one of the settings takes trust: all that do.
fn trusted(settings: &[Setting<'_>]) -> Result<()> {
    let refused = settings.iter().filter_map(|setting| {
        let reason = setting.refused?;
        let (origin, shown) = (&setting.origin, setting.shown());
        Some(format!("\n  {origin}: {shown}: {reason}"))
    });
    let refused: String = refused.collect();
    if refused.is_empty() {
        return Ok(());
    }
    let text = "a configuration file is not trusted with this; say --trust-config, or give the option on the command line:";
    Err(Usage(format!("{text}{refused}")).into())
}

/// Says what a file has set, if somebody wants to know, or if it is from above the repository, where others may have put it.
fn say_what_is_set(
    layer: &Layer,
    settings: &[Setting<'_>],
    besides: Vec<String>,
    verbose: bool,
) -> Result<()> {
    let Some(file) = &layer.file else {
        return Ok(());
    };
    let is_foreign = Project::here().is_ok_and(|project| project.is_foreign(file));
    let set = settings.iter().filter(|one| one.origin == layer.origin);
    let all: Vec<String> = set.map(Setting::shown).chain(besides).collect();
    if all.is_empty() || !(verbose || is_foreign) {
        return Ok(());
    }
    let where_from = match is_foreign {
        true => ", which is outside of the repository,",
        false => "",
    };
    say::err(&format!(
        "grind: {}{where_from} sets {}\n",
        layer.origin,
        all.join(", ")
    ))
}

/// What the layers set for a subcommand and the command line does not, the first layer before the next.
fn settings<'k>(
    keys: &'k Keys,
    command: &Command,
    given: Option<&ArgMatches>,
    layers: &[&Layer],
) -> Result<Vec<Setting<'k>>> {
    let on_command_line = |name: &str| {
        let id = argument(command, name).map(Arg::get_id);
        let source = given
            .zip(id)
            .and_then(|(given, id)| given.value_source(id.as_str()));
        source == Some(ValueSource::CommandLine)
    };
    let project = Project::here().ok();
    let mut settings: Vec<Setting<'_>> = Vec::new();
    for layer in layers {
        // Within one layer, what excludes each other is an error of clap's.
        let earlier: Vec<&str> = settings.iter().map(|setting| &*setting.key.name).collect();
        let is_set = |name: &str| on_command_line(name) || earlier.contains(&name);
        // The table of the subcommand is closer than the top of the file.
        let in_table = |other: &Key| {
            let set = layer.get(other, command.get_name());
            set.is_some_and(|(name, _)| name != other.name)
        };
        let mut found = Vec::new();
        for key in keys.iter() {
            let Some(argument) = argument(command, &key.name) else {
                continue;
            };
            let Some((name, values)) = layer.get(key, command.get_name()) else {
                continue;
            };
            let origin = match layer.origin.as_str() {
                "environment" => variable(&name),
                other => other.to_owned(),
            };
            check(command, argument, &name, values, &layer.origin)?;
            let at_top = name == key.name;
            let gives_way = excluded(keys, command, argument)
                .any(|other| is_set(&other.name) || at_top && in_table(other));
            if is_set(&key.name) || gives_way {
                continue;
            }
            let guard = key.guard.filter(|_| layer.file.is_some());
            let refused = guard.and_then(|guard| match &project {
                Some(project) => values
                    .iter()
                    .find_map(|value| guard.refuses(value, project)),
                None => Some("the current directory is not known"),
            });
            found.push(Setting {
                key,
                name,
                values: values.clone(),
                needs: needed(command, &options(argument, values)),
                origin,
                is_of_file: layer.file.is_some(),
                refused,
            });
        }
        settings.extend(found);
    }
    let names: Vec<&str> = settings.iter().map(|setting| &*setting.key.name).collect();
    settings.retain(|setting| {
        let mut needed = setting.needs.iter().map(String::as_str);
        needed.all(|other| on_command_line(other) || names.contains(&other))
    });
    Ok(settings)
}

/// The keys that this option cannot be together with: of two, the one set closer to the command line stays.
fn excluded<'k>(keys: &'k Keys, command: &Command, option: &Arg) -> impl Iterator<Item = &'k Key> {
    keys.iter().filter(move |key| {
        argument(command, &key.name).is_some_and(|other| exclude(command, option, other))
    })
}

/// # Errors
/// If the option's own parser does not take the values; the error says where they are.
fn check(
    command: &Command,
    argument: &Arg,
    name: &str,
    values: &[String],
    origin: &str,
) -> Result<()> {
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
    let words = options(argument, values);
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

/// The words on the command line that give an option these values.
fn options(argument: &Arg, values: &[String]) -> Vec<String> {
    let name = argument.get_long().unwrap_or_default();
    if is_flag(argument) {
        let is_on = values.iter().any(|value| value == "true");
        return is_on.then(|| format!("--{name}")).into_iter().collect();
    }
    values
        .iter()
        .map(|value| format!("--{name}={value}"))
        .collect()
}

/// Each option that can be set, its value, and where that comes from: those of `grind run` and what others share with it, then
/// what the others have for themselves.
///
/// # Errors
/// As `parse`.
pub(crate) fn shown(
    keys: &Keys,
    root: &Command,
    file: &Config,
    trusts: bool,
    manifest: &Layer,
) -> Result<String> {
    warn_of_variables(keys)?;
    let file = file.layer(keys)?;
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for subcommand in ["run"].iter().chain(TABLES) {
        let command = root
            .find_subcommand(subcommand)
            .with_context(|| format!("`{subcommand}` is gone"))?;
        let environment = Layer::from_environment(keys, command)?;
        let settings = settings(keys, command, None, &[&environment, manifest, &file])?;
        for key in keys.iter() {
            let Some(first) = key.names(subcommand).next() else {
                continue;
            };
            if *subcommand != "run" && first == key.name {
                continue;
            }
            let setting = settings.iter().find(|setting| setting.key.name == key.name);
            // What is shared has its row already, and another only where it is another.
            let is_own = |setting: &&Setting<'_>| setting.name == first;
            if first != key.name && key.top == Top::All && setting.filter(is_own).is_none() {
                continue;
            }
            rows.push(match setting {
                Some(setting) => {
                    let untrusted = setting.refused.is_some() && !trusts;
                    let origin = match untrusted {
                        true => format!("{}, refused without --trust-config", setting.origin),
                        false => setting.origin.clone(),
                    };
                    (first, setting.values.join(" "), origin)
                }
                None => (first, default(command, &key.name), "default".to_owned()),
            });
        }
    }
    let widest =
        |of: fn(&(String, String, String)) -> usize| rows.iter().map(of).max().unwrap_or_default();
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
pub(crate) fn documentation(keys: &Keys, root: &Command) -> String {
    let code = |names: &mut dyn Iterator<Item = String>| {
        names
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let rows = keys.iter().map(|key| {
        let argument = (keys::SUBCOMMANDS.iter())
            .filter(|name| key.names(name).next().is_some())
            .find_map(|name| argument(root.find_subcommand(name)?, &key.name))
            .expect("a key is an option of a subcommand");
        let help = argument
            .get_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let value = match argument {
            argument if is_flag(argument) => "true, false",
            argument if is_list(argument) => "list",
            _ => "value",
        };
        let mut variables = match key.top {
            Top::Nobody => key.all_names().collect(),
            _ => vec![key.name.clone()],
        }
        .into_iter()
        .map(|name| variable(&name));
        let top = match key.top {
            Top::Run => Some("run".to_owned()),
            Top::All => Some("all".to_owned()),
            Top::Nobody => None,
        };
        let tables = code(&mut key.tables.iter().map(|table| format!("[{table}]")));
        let of: Vec<String> = top
            .into_iter()
            .chain(Some(tables).filter(|t| !t.is_empty()))
            .collect();
        format!(
            "| `{}` | {value} | {} | {} | {} |\n",
            key.name,
            code(&mut variables),
            of.join(", "),
            help.replace('|', "\\|")
        )
    });
    std::iter::once("| key | is | variable | of | what |\n|---|---|---|---|---|\n".to_owned())
        .chain(rows)
        .collect()
}
