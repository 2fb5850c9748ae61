//! Building a guest, and finding it in what cargo says.

use super::args::BuildArgs;
use super::select::{self, Program};
use super::toolchain::{self};
use crate::process::signals;
use anyhow::{Context, Result, bail};
use cargo_metadata::{Artifact, Message};
use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::io::BufReader;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// One program.
    Program,
    /// The tests.
    Tests,
}

/// What came of it.
pub(super) enum Built {
    /// Modules to run, in the order cargo built them; at least one.
    Programs(Vec<Module>),
    /// Cargo's exit code.
    Failed(u8),
}

/// A module, and a name that no other of the build has.
pub(super) struct Module {
    pub(super) name: String,
    pub(super) module: PathBuf,
}

/// Builds with cargo, whose messages go to standard error.
///
/// # Errors
/// If it is not clear what to build, or something is missing for it.
pub(super) fn build(args: &BuildArgs, wanted: Wanted) -> Result<Built> {
    let metadata = select::metadata(args.manifest_path.as_deref())?;
    if wanted == Wanted::Tests {
        toolchain::check_tests(args.target)?;
    }
    let program = match wanted {
        Wanted::Program if args.test.is_some() || args.lib => {
            let text = "--test and --lib are for `cargo grind test`";
            return Err(crate::output::error::Usage(text.to_owned()).into());
        }
        Wanted::Program => Some(select::program(&metadata, args)?),
        // A package that is not there is said before cargo says it at length.
        Wanted::Tests => select::packages(&metadata, args).map(|_| None)?,
    };
    args.target.check()?;
    let mut cargo = command(args, program.as_ref())?;
    let mut child = cargo
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run cargo")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let child = Arc::new(Mutex::new(child));
    signals::child(Some(Arc::clone(&child)));
    let mut artifacts = Vec::new();
    let mut printed = Vec::new();
    for message in Message::parse_stream(BufReader::new(output)) {
        match message.context("cannot read what cargo says")? {
            Message::CompilerArtifact(artifact) if is_wanted(&artifact, program.as_ref()) => {
                artifacts.push(artifact);
            }
            Message::TextLine(line) if !line.trim().is_empty() => printed.push(line),
            _ => {}
        }
    }
    let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
    let status = child.wait().context("cannot wait for cargo")?;
    signals::child(None);
    if !status.success() {
        // A signal has no code; 101 is cargo's own for a failed build.
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        return Ok(Built::Failed(code.unwrap_or(101)));
    }
    if artifacts.is_empty() {
        bail!(
            "cargo built nothing to run{}{}",
            if printed.is_empty() { "" } else { ": " },
            printed.join("\n")
        );
    }
    Ok(Built::Programs(named(&artifacts)))
}

fn command(args: &BuildArgs, program: Option<&Program>) -> Result<Command> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    match program {
        Some(program) => {
            cargo.args(["build", "-p", &program.package]);
            cargo
                .arg(format!("--{}", program.flag()))
                .arg(&program.name);
        }
        None => {
            cargo.args(["test", "--no-run"]);
            for (flag, value) in [
                ("-p", &args.package),
                ("--bin", &args.bin),
                ("--example", &args.example),
                ("--test", &args.test),
            ] {
                if let Some(value) = value {
                    cargo.args([flag, value]);
                }
            }
        }
    }
    cargo.arg("--message-format=json-render-diagnostics");
    args.target.apply(&mut cargo)?;
    for features in &args.features {
        cargo.args(["--features", features]);
    }
    for (flag, given) in [
        ("--lib", args.lib),
        ("--all-features", args.all_features),
        ("--no-default-features", args.no_default_features),
        ("--locked", args.locked),
        ("--offline", args.offline),
    ] {
        if given {
            cargo.arg(flag);
        }
    }
    if let Some(path) = &args.manifest_path {
        cargo.arg("--manifest-path").arg(path);
    }
    let profile = match (&args.profile, args.release) {
        (Some(name), _) => name.as_str(),
        (None, true) => "release",
        (None, false) if program.is_some() => "dev",
        (None, false) => "test",
    };
    cargo.args(["--profile", profile]);
    // Reports need lines and names of variables, whatever the profile says.
    for setting in ["debug=\"full\"", "strip=\"none\""] {
        cargo
            .arg("--config")
            .arg(format!("profile.{profile}.{setting}"));
    }
    Ok(cargo)
}

fn is_wanted(artifact: &Artifact, program: Option<&Program>) -> bool {
    let is_it = match program {
        Some(program) => {
            artifact.target.name == program.name && artifact.target.is_kind(program.kind.clone())
        }
        None => artifact.profile.test,
    };
    is_it && artifact.executable.is_some()
}

/// Names by target, with a number where several have the same: a library and a program of one package often do.
fn named(artifacts: &[Artifact]) -> Vec<Module> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let modules = artifacts.iter().filter_map(|artifact| {
        let module = artifact.executable.clone()?.into_std_path_buf();
        let name = artifact.target.name.as_str();
        let number = times.entry(name).or_default();
        *number += 1;
        let name = match number {
            1 => name.to_owned(),
            n => format!("{name}-{n}"),
        };
        Some(Module { name, module })
    });
    modules.collect()
}
