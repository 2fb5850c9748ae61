//! Which program of which package is meant.

use super::args::BuildArgs;
use crate::output::error::Usage;
use crate::output::say::Shown as _;
use anyhow::{Context, Result, bail};
use cargo_metadata::{Error, Metadata, MetadataCommand, Package, Target, TargetKind};
use std::env;
use std::path::Path;

/// What cargo knows of the project here.
///
/// # Errors
/// If there is none, or it cannot be read.
pub(super) fn metadata(manifest: Option<&Path>) -> Result<Metadata> {
    let mut command = MetadataCommand::new();
    command.no_deps();
    if let Some(path) = manifest {
        command.manifest_path(path);
    }
    command.exec().map_err(|error| match error {
        Error::CargoMetadata { stderr } if stderr.contains("could not find `Cargo.toml`") => {
            let text = "not a cargo project: there is no Cargo.toml here or in a directory above; \
                        `grind run app.wasm` runs a module that is built already";
            Usage(text.to_owned()).into()
        }
        Error::CargoMetadata { stderr } => anyhow::anyhow!("{}", stderr.trim()),
        error => error.into(),
    })
}

/// A program, by what cargo has to be told to build it alone.
pub(super) struct Program {
    pub(super) package: String,
    pub(super) name: String,
    pub(super) kind: TargetKind,
}

/// The program that is meant.
///
/// # Errors
/// If none is, or several are: the error lists them.
pub(super) fn program(metadata: &Metadata, args: &BuildArgs) -> Result<Program> {
    let (kind, wanted) = match (&args.bin, &args.example) {
        (_, Some(name)) => (TargetKind::Example, Some(name)),
        (name, None) => (TargetKind::Bin, name.as_ref()),
    };
    let packages = packages(metadata, args)?;
    let of_kind = |package: &&Package| -> Vec<Program> {
        let targets = package
            .targets
            .iter()
            .filter(|target| target.is_kind(kind.clone()));
        targets.map(|target| Program::of(package, target)).collect()
    };
    let all: Vec<Program> = packages.iter().flat_map(of_kind).collect();
    let mut found: Vec<&Program> = (all.iter())
        .filter(|program| wanted.is_none_or(|name| program.name == *name))
        .collect();
    if found.len() > 1
        && let [package] = packages.as_slice()
        && let Some(default) = &package.default_run
    {
        found.retain(|program| program.name == *default);
    }
    if let [program] = found.as_slice() {
        return Ok(Program {
            package: program.package.clone(),
            name: program.name.clone(),
            kind,
        });
    }
    let list = |programs: &mut dyn Iterator<Item = &Program>| -> String {
        let lines =
            programs.map(|one| format!("\n  --{} {} -p {}", one.flag(), one.name, one.package));
        lines.collect()
    };
    let text = match (found.is_empty(), wanted, all.is_empty()) {
        (false, ..) => format!(
            "there are several programs; name one:{}",
            list(&mut found.iter().copied())
        ),
        (true, _, true) => format!(
            "there is no {} here; `cargo grind test` runs tests",
            if kind == TargetKind::Bin {
                "program"
            } else {
                "example"
            }
        ),
        (true, Some(name), false) => {
            format!("there is no `{name}` here, but:{}", list(&mut all.iter()))
        }
        (true, None, false) => format!(
            "the default-run of the package is none of:{}",
            list(&mut all.iter())
        ),
    };
    Err(Usage(text).into())
}

impl Program {
    fn of(package: &Package, target: &Target) -> Program {
        let kind = target.kind.first().cloned().unwrap_or(TargetKind::Bin);
        Program {
            package: package.name.to_string(),
            name: target.name.clone(),
            kind,
        }
    }

    /// The option that names it.
    pub(super) fn flag(&self) -> &'static str {
        if self.kind == TargetKind::Example {
            "example"
        } else {
            "bin"
        }
    }
}

/// The package that was named, else the one the current directory is in, else those that cargo would build.
pub(super) fn packages<'a>(metadata: &'a Metadata, args: &BuildArgs) -> Result<Vec<&'a Package>> {
    let members = metadata.workspace_packages();
    if let Some(name) = &args.package {
        let named: Vec<&Package> = (members.iter().copied())
            .filter(|package| package.name.as_str() == name)
            .collect();
        if named.is_empty() {
            let names: Vec<&str> = members
                .iter()
                .map(|package| package.name.as_str())
                .collect();
            let text = format!(
                "there is no package `{name}` here, but: {}",
                names.join(", ")
            );
            return Err(Usage(text).into());
        }
        return Ok(named);
    }
    let here = match &args.manifest_path {
        Some(path) => path.canonicalize().with_context(|| path.shown())?,
        None => env::current_dir().context("the current directory is not there")?,
    };
    let enclosing = members.iter().copied().filter(|package| {
        let directory = package.manifest_path.parent();
        directory.is_some_and(|directory| here.starts_with(directory))
    });
    if let Some(package) = enclosing.max_by_key(|package| package.manifest_path.as_str().len()) {
        return Ok(vec![package]);
    }
    let defaults = metadata.workspace_default_packages();
    if defaults.is_empty() {
        bail!("the workspace has no packages");
    }
    Ok(defaults)
}
