//! Which `grind.toml`, and which suppressions.

use super::decisive::{self, DECISIVE};
use clap::Args;
use std::path::PathBuf;

#[derive(Clone, Debug, Default, Args)]
#[command(group = decisive::group())]
pub(crate) struct ConfigFile {
    /// Configuration file [default: grind.toml here or in a directory above]
    #[arg(id = "config", long = "config", value_name = "PATH", group = DECISIVE)]
    pub(crate) path: Option<PathBuf>,
    /// Let grind.toml and Cargo.toml give the guest variables and directories of the host, read and write outside of the project, and say
    /// that races do not fail or are not looked for
    #[arg(long, group = DECISIVE)]
    pub(crate) trust_config: bool,
}

#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConfigArgs {
    #[command(flatten)]
    pub(crate) file: ConfigFile,
    /// Do not report what this file lists, in the form of ThreadSanitizer's suppressions; repeatable
    #[arg(long, value_name = "FILE", group = DECISIVE)]
    pub(crate) suppressions: Vec<PathBuf>,
}
