//! `grind.toml`, and suppression files.

use super::keys::Keys;
use super::layer::{Layer, warn_of_unknown};
use crate::args::config::ConfigFile;
use crate::output::error::{self, NotFound};
use crate::output::say::Shown as _;
use anyhow::{Context, Result, anyhow, bail};
use grind_runtime::program::Program;
use grind_runtime::program::interceptors::Rule;
use grind_runtime::report::suppress::{self, Entry, Suppression, Suppressions};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::{env, fs, io};

/// What a `grind.toml` says.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Findings not to report.
    #[serde(default, rename = "suppression")]
    suppressions: Vec<Entry>,
    /// What functions mean.
    #[serde(default, rename = "interceptor")]
    pub(crate) interceptors: Vec<Rule>,
    /// Where it is.
    #[serde(skip)]
    path: PathBuf,
    /// All else, by name: options, or nothing that is known.
    #[serde(skip)]
    others: toml::Table,
}

/// Name of the file that is looked for.
const NAME: &str = "grind.toml";

impl Config {
    /// The named file, or else the nearest `grind.toml` of the current directory and those above, or else nothing.
    pub(crate) fn find(file: &ConfigFile) -> Result<Config> {
        Config::read(file).map_err(error::of_settings)
    }

    fn read(file: &ConfigFile) -> Result<Config> {
        let Some(path) = file.path.clone().or_else(|| nearest(NAME)) else {
            return Ok(Config::default());
        };
        let text = read(&path)?;
        let shown = || path.shown();
        let mut others = toml::Table::from_str(&text).with_context(shown)?;
        let mut ignored = BTreeSet::new();
        let deserializer = toml::Deserializer::parse(&text).with_context(shown)?;
        let mut config: Config = serde_ignored::deserialize(deserializer, |key| {
            ignored.insert(key.to_string());
        })
        .with_context(shown)?;
        others.retain(|name, _| ignored.contains(name));
        config.others = others;
        for (number, entry) in (1..).zip(&config.suppressions) {
            for (what, text) in [("pattern", &entry.pattern), ("reason", &entry.reason)] {
                if text.trim().is_empty() {
                    let path = path.shown();
                    bail!("{path}: suppression {number}: the {what} is empty");
                }
            }
        }
        config.path = path;
        Ok(config)
    }

    /// Says which of its keys are unknown.
    ///
    /// # Errors
    /// If there is nowhere to say it.
    pub(crate) fn warn_of_unknown(&self, keys: &Keys) -> Result<()> {
        warn_of_unknown(keys, &self.path.shown(), &self.others)
    }

    /// The options that it sets.
    pub(super) fn layer(&self, keys: &Keys) -> Result<Layer> {
        if self.path.as_os_str().is_empty() {
            return Ok(Layer::default());
        }
        Layer::from_table(keys, self.path.shown(), &self.path, &self.others)
    }

    /// That it says what functions of the program mean, if they are any: what is inside is not looked at.
    pub(crate) fn intercepts(&self, program: &Program) -> Option<String> {
        let intercepted = program.interceptors().iter();
        let by_rule = intercepted.filter(|(_, function)| {
            let mut rules = self.interceptors.iter();
            rules.any(|rule| rule.role == function.role && rule.matches(&function.name))
        });
        match by_rule.count() {
            0 => None,
            1 => Some(format!(
                "1 function is hidden by [[interceptor]] of {}",
                self.path.shown()
            )),
            n => Some(format!(
                "{n} functions are hidden by [[interceptor]] of {}",
                self.path.shown()
            )),
        }
    }

    /// What it says besides options.
    pub(crate) fn besides(&self) -> Vec<String> {
        [
            (self.suppressions.len(), "suppression", "suppressions"),
            (self.interceptors.len(), "interceptor", "interceptors"),
        ]
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }))
        .collect()
    }

    /// All suppressions that are in force. A line that cannot be read is an error, so that no finding is reported, or
    /// hidden, by mistake.
    pub(crate) fn suppressions(&self, files: &[PathBuf]) -> Result<Suppressions> {
        self.read_suppressions(files).map_err(error::of_settings)
    }

    fn read_suppressions(&self, files: &[PathBuf]) -> Result<Suppressions> {
        let path = self.path.shown();
        let entries = (1..).zip(&self.suppressions);
        let mut all: Vec<Suppression> = entries
            .map(|(number, entry)| Suppression::from_entry(entry, &path, number))
            .collect();
        let mut problems = String::new();
        for file in files {
            let (good, bad) = suppress::parse_tsan(&read(file)?, &file.shown());
            all.extend(good);
            for line in bad {
                // Writing to a string cannot fail.
                let _ = write!(problems, "\n  {line}");
            }
        }
        if !problems.is_empty() {
            bail!("suppressions that cannot be read:{problems}");
        }
        all.extend(suppress::builtin());
        let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC);
        Ok(Suppressions::new(all, today.date()))
    }
}

/// The file of this name in the current directory, or else in the nearest one above that has it.
fn nearest(name: &str) -> Option<PathBuf> {
    let here = env::current_dir().ok()?;
    let mut candidates = here.ancestors().map(|directory| directory.join(name));
    candidates.find(|path| path.is_file())
}

/// What the nearest Cargo.toml says in its `[package.metadata.grind]`. Cargo is not asked, which would take longer than many a
/// run.
///
/// # Errors
/// If it says something, and cannot be read.
pub(crate) fn manifest_here(keys: &Keys) -> Result<Layer> {
    read_manifest(keys).map_err(error::of_settings)
}

fn read_manifest(keys: &Keys) -> Result<Layer> {
    let Some(path) = nearest("Cargo.toml") else {
        return Ok(Layer::default());
    };
    let text = read(&path)?;
    // Whatever else is wrong with it is not grind's to say.
    if !text.contains("metadata") || !text.contains("grind") {
        return Ok(Layer::default());
    }
    let shown = || path.shown();
    let manifest = toml::Table::from_str(&text).with_context(shown)?;
    let package = manifest.get("package");
    let said = package.and_then(|package| package.get("metadata")?.get("grind"));
    said.map_or_else(
        || Ok(Layer::default()),
        |said| manifest_layer(keys, &path, said),
    )
}

/// The layer that the `[package.metadata.grind]` of this manifest is. Says which of its keys are unknown.
///
/// # Errors
/// If it is no table, or a value is of a type that no option has.
pub(crate) fn manifest_layer(keys: &Keys, path: &Path, said: &impl Serialize) -> Result<Layer> {
    let origin = format!("{} [package.metadata.grind]", path.shown());
    let table = toml::Table::try_from(said).with_context(|| origin.clone())?;
    warn_of_unknown(keys, &origin, &table)?;
    Layer::from_table(keys, origin, path, &table).map_err(error::of_settings)
}

fn read(path: &Path) -> Result<String> {
    let shown = || path.shown();
    fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NotFound { path: shown() }.into(),
        io::ErrorKind::InvalidData => anyhow!("{}: this is no text", shown()),
        _ => anyhow::Error::new(error).context(shown()),
    })
}
