//! `grind config`

use crate::args::config::ConfigFile;
use crate::output::{error, say};
use crate::settings;
use crate::settings::file::{Config, manifest_here};
use crate::settings::keys::Keys;
use anyhow::Result;
use clap::{Command, Subcommand};

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind config show                           each option, its value, and where that comes from
  GRIND_SEEDS=0..20 grind config show         with one set in the environment
  GRIND_ANALYZE_TIME=60s grind analyze app.grind  the options of the other subcommands, too";

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// List the options that can be set elsewhere, their values, and where each comes from
    #[command(after_help = EXAMPLES)]
    Show(ConfigFile),
}

pub(crate) fn config(command: &ConfigCommand, keys: &Keys, grind: &Command) -> Result<u8> {
    let ConfigCommand::Show(file) = command;
    let config = Config::find(file)?;
    config.warn_of_unknown(keys)?;
    let manifest = manifest_here(keys)?;
    let text = settings::shown(keys, grind, &config, file.trust_config, &manifest);
    say::out(&text.map_err(error::of_settings)?)?;
    Ok(0)
}
