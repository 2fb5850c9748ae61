//! `grind completions` and `grind man`, made from the description that the command line is read by.

use crate::output::error::Usage;
use crate::output::say::Shown as _;
use anyhow::{Context, Result};
use clap::{Args, Command};
use clap_complete::Shell;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

pub(crate) const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  grind completions bash > ~/.local/share/bash-completion/completions/grind
  grind completions fish > ~/.config/fish/completions/grind.fish";

pub(crate) const MAN_EXAMPLES: &str = "\
Examples:
  grind man ~/.local/share/man/man1    then: man grind-run";

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Where to write the pages; it is created if there is none
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

pub(crate) fn completions(args: &CompletionsArgs, mut grind: Command) -> Result<u8> {
    // The generator does not survive a pipe that is closed, so it does not see it.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut grind, "grind", &mut script);
    anstream::stdout().write_all(&script)?;
    Ok(0)
}

pub(crate) fn man(args: &ManArgs, commands: [Command; 2]) -> Result<u8> {
    let cannot = || format!("cannot write manual pages to {}", args.directory.shown());
    if args.directory.is_file() {
        return Err(Usage(format!("{}: it is a file", cannot())).into());
    }
    fs::create_dir_all(&args.directory).with_context(cannot)?;
    for command in commands {
        clap_mangen::generate_to(command, &args.directory).with_context(cannot)?;
    }
    Ok(0)
}
