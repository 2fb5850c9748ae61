//! What `cargo grind` builds, and how.

use super::toolchain::GuestTarget;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(next_help_heading = "Build")]
pub(super) struct BuildArgs {
    /// Package to build [default: the one of the current directory]
    #[arg(short, long, value_name = "PKG")]
    pub(super) package: Option<String>,
    /// Program to build
    #[arg(long, value_name = "NAME", group = "what")]
    pub(super) bin: Option<String>,
    /// Example to build
    #[arg(long, value_name = "NAME", group = "what")]
    pub(super) example: Option<String>,
    /// For `test`: only this integration test
    #[arg(long, value_name = "NAME", group = "what")]
    pub(super) test: Option<String>,
    /// For `test`: only the unit tests of the library
    #[arg(long, group = "what")]
    pub(super) lib: bool,
    /// Features to switch on, with commas between
    #[arg(short = 'F', long, value_name = "FEATURES")]
    pub(super) features: Vec<String>,
    /// Switch on all features
    #[arg(long)]
    pub(super) all_features: bool,
    /// Leave the default features out
    #[arg(long)]
    pub(super) no_default_features: bool,
    /// Build with optimisations
    #[arg(short, long, conflicts_with = "profile")]
    pub(super) release: bool,
    /// Build with this profile
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// What to build for
    #[arg(long, value_name = "TRIPLE", default_value = "wasm32-wasip1-threads")]
    pub(super) target: GuestTarget,
    /// The Cargo.toml, if it is not here or in a directory above
    #[arg(long, value_name = "PATH")]
    pub(super) manifest_path: Option<PathBuf>,
    /// Let cargo change nothing in Cargo.lock
    #[arg(long)]
    pub(super) locked: bool,
    /// Let cargo download nothing
    #[arg(long)]
    pub(super) offline: bool,
}
