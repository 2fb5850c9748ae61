//! `cargo grind init`

use super::select;
use crate::output::say::{self, Shown as _};
use anyhow::{Context, Result};
use clap::Args;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// The Cargo.toml, if it is not here or in a directory above
    #[arg(long, value_name = "PATH")]
    manifest_path: Option<PathBuf>,
}

/// What is written, and where.
const FILES: [(&str, &str); 2] = [
    ("grind.toml", include_str!("init/grind.toml")),
    (
        ".github/workflows/grind.yml",
        include_str!("init/grind.yml"),
    ),
];

pub(super) fn init(args: &InitArgs) -> Result<u8> {
    let metadata = select::metadata(args.manifest_path.as_deref())?;
    for (name, text) in FILES {
        let path = metadata.workspace_root.join(name).into_std_path_buf();
        let cannot = || format!("cannot write {}", path.shown());
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).with_context(cannot)?;
        }
        let verb = match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).with_context(cannot)?;
                "written"
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => "exists, left as it is",
            Err(error) => return Err(error).with_context(cannot),
        };
        say::out(&format!("{name}: {verb}\n"))?;
    }
    Ok(0)
}
