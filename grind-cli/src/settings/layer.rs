//! One place where options are set: a file, or the environment.

use super::keys::{Key, Keys, TABLES, variable};
use crate::args::argument::{argument, is_list};
use crate::output::say;
use anyhow::{Context, Result, bail};
use clap::Command;
use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

/// One place where options are set: its name, and their values.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    pub(super) origin: String,
    pub(super) values: BTreeMap<String, Vec<String>>,
    /// The file that it is. What the environment says is the user's own.
    pub(super) file: Option<PathBuf>,
}

/// The values of a table and of the tables of subcommands in it, by the names of keys.
fn flat(table: &toml::Table) -> impl Iterator<Item = (String, &toml::Value)> {
    table.iter().flat_map(|(name, value)| match value {
        toml::Value::Table(inner) if TABLES.contains(&name.as_str()) => inner
            .iter()
            .map(|(key, value)| (format!("{name}.{key}"), value))
            .collect(),
        value => vec![(name.clone(), value)],
    })
}

impl Layer {
    /// The layer that a table of a file is. Keys that are none are `warn_of_unknown`'s.
    ///
    /// # Errors
    /// If a value is of a type that no option has.
    pub(super) fn from_table(
        keys: &Keys,
        origin: String,
        path: &Path,
        table: &toml::Table,
    ) -> Result<Layer> {
        let mut values = BTreeMap::new();
        for (name, value) in flat(table) {
            if keys.names().all(|known| known != name) {
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
            values.insert(name, texts);
        }
        Ok(Layer {
            origin,
            values,
            file: Some(path.to_path_buf()),
        })
    }

    /// What the environment sets for a subcommand. In a list, items are words as in a shell.
    pub(super) fn from_environment(keys: &Keys, command: &Command) -> Result<Layer> {
        let mut values = BTreeMap::new();
        for key in keys.iter() {
            let is_list = argument(command, &key.name).is_some_and(is_list);
            for name in key.names(command.get_name()) {
                let variable = variable(&name);
                let Some(value) = env::var_os(&variable).filter(|value| !value.is_empty()) else {
                    continue;
                };
                let Some(value) = value.to_str() else {
                    bail!("{variable} is no text");
                };
                let items = match is_list {
                    true => shlex::split(value)
                        .with_context(|| format!("{variable}: a quote is open"))?,
                    false => vec![value.to_owned()],
                };
                values.insert(name, items);
            }
        }
        Ok(Layer {
            origin: "environment".to_owned(),
            values,
            file: None,
        })
    }

    /// The value of a key for a subcommand, and the name under which it is set.
    pub(super) fn get(&self, key: &Key, subcommand: &str) -> Option<(String, &Vec<String>)> {
        let mut names = key.names(subcommand);
        names.find_map(|name| self.values.get(&name).map(|values| (name, values)))
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
pub(super) fn warn_of_unknown(keys: &Keys, origin: &str, table: &toml::Table) -> Result<()> {
    let known: Vec<String> = (keys.names())
        .chain(["suppression", "interceptor"].map(str::to_owned))
        .collect();
    for (name, _) in flat(table) {
        if known.contains(&name) {
            continue;
        }
        let hint = match nearest(&name, &known) {
            Some(known) => format!("; did you mean `{known}`?"),
            None => String::new(),
        };
        say::err(&format!(
            "grind: warning: {origin}: unknown key `{name}`{hint}\n"
        ))?;
    }
    Ok(())
}

/// Says which variables of the environment are nearly one that sets an option. Others are not grind's.
pub(super) fn warn_of_variables(keys: &Keys) -> Result<()> {
    let known: Vec<String> = keys.names().map(|name| variable(&name)).collect();
    for (name, _) in env::vars_os() {
        if let Some(name) = name.to_str()
            && name.starts_with("GRIND_")
            && !known.iter().any(|known| known == name)
            && let Some(known) = nearest(name, &known)
        {
            say::err(&format!(
                "grind: warning: environment: unknown variable `{name}`; did you mean `{known}`?\n"
            ))?;
        }
    }
    Ok(())
}

/// The known name that is most like this one, if one is. A key that is in the wrong table is like the one in the right table.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let last = |name: &'_ str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let distance = |known: &str| {
        let alone = strsim::damerau_levenshtein(&last(name), &last(known));
        (alone, strsim::damerau_levenshtein(name, known))
    };
    let ranked = known.iter().map(|known| (distance(known), known.as_str()));
    let ((distance, _), known) = ranked.min()?;
    let comparable = last(known).trim_start_matches("GRIND_").len();
    (distance <= 1 + comparable / 3).then_some(known)
}
