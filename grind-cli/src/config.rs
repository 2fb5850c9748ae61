//! `grind.toml`, and suppression files.

use crate::cli::Cli;
use crate::error::NotFound;
use crate::settings::{self, Layer};
use anyhow::{Context, Result, bail};
use clap::{Args, CommandFactory as _, Subcommand};
use grind_runtime::program::interceptors::Rule;
use grind_runtime::report::suppress::{self, Entry, Suppression, Suppressions};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::{env, fs, io};

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file [default: grind.toml here or in a directory above]
    #[arg(id = "config", long = "config", value_name = "PATH")]
    pub(crate) file: Option<PathBuf>,
    /// Do not report what this file lists, in the form of ThreadSanitizer's suppressions; repeatable
    #[arg(long, value_name = "FILE")]
    pub(crate) suppressions: Vec<PathBuf>,
}

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
    /// All else, by name: options of `grind run`, or nothing that is known.
    #[serde(skip)]
    others: toml::Table,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// List the options of `grind run` that can be set elsewhere, their values, and where each comes from
    Show {
        /// Configuration file [default: grind.toml here or in a directory above]
        #[arg(id = "config", long = "config", value_name = "PATH")]
        file: Option<PathBuf>,
    },
}

pub(crate) fn config(command: &ConfigCommand) -> Result<u8> {
    let ConfigCommand::Show { file } = command;
    let args = ConfigArgs {
        file: file.clone(),
        ..ConfigArgs::default()
    };
    Config::load(&args)?;
    let root = Cli::command();
    let run = root.find_subcommand("run").context("`run` is gone")?;
    write!(anstream::stdout(), "{}", settings::shown(run, &args)?)?;
    Ok(0)
}

/// Name of the file that is looked for.
const NAME: &str = "grind.toml";

impl Config {
    /// What `find` finds. Says which of its keys are unknown.
    pub(crate) fn load(args: &ConfigArgs) -> Result<Config> {
        let config = Config::find(args)?;
        settings::warn_of_unknown(&config.path.display().to_string(), &config.others)?;
        Ok(config)
    }

    /// The named file, or else the nearest `grind.toml` of the current directory and those above, or else nothing.
    pub(crate) fn find(args: &ConfigArgs) -> Result<Config> {
        let found = || {
            let here = env::current_dir().ok()?;
            let candidates = here.ancestors().map(|dir| dir.join(NAME));
            candidates.into_iter().find(|path| path.is_file())
        };
        let Some(path) = args.file.clone().or_else(found) else {
            return Ok(Config::default());
        };
        let text = read(&path)?;
        let shown = || path.display().to_string();
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
                    let path = path.display();
                    bail!("{path}: suppression {number}: the {what} is empty");
                }
            }
        }
        config.path = path;
        Ok(config)
    }

    /// The options of `grind run` that it sets.
    pub(crate) fn layer(&self) -> Result<Layer> {
        Layer::from_table(self.path.display().to_string(), &self.others)
    }

    /// All suppressions that are in force. A line that cannot be read is an error, so that no finding is reported, or
    /// hidden, by mistake.
    pub(crate) fn suppressions(&self, args: &ConfigArgs) -> Result<Suppressions> {
        let path = self.path.display().to_string();
        let entries = (1..).zip(&self.suppressions);
        let mut all: Vec<Suppression> = entries
            .map(|(number, entry)| Suppression::from_entry(entry, &path, number))
            .collect();
        let mut problems = String::new();
        for file in &args.suppressions {
            let (good, bad) = suppress::parse_tsan(&read(file)?, &file.display().to_string());
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

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NotFound {
            path: path.display().to_string(),
        }
        .into(),
        _ => anyhow::Error::new(error).context(path.display().to_string()),
    })
}
