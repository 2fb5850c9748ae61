//! The module that cargo built of a package, found by the package's name: for tests and tools that run a guest of their own workspace.
//!
//! ```no_run
//! use grind_runtime::host::{Namespace, artifacts};
//!
//! let module = artifacts::from_package("worker").profile("release").find()?;
//! let outcome = Namespace::from_file(module)?.run()?;
//! # let _ = outcome;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

use cargo_metadata::{Metadata, MetadataCommand, Package, TargetKind};
use derive_setters::Setters;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// The target for which a module is looked for, if nothing else is said.
pub const TARGET: &str = "wasm32-wasip1-threads";

/// The profile, if nothing else is said: cargo's own.
pub const PROFILE: &str = "dev";

/// Modules that an error lists, at most.
const LISTED: usize = 100;

/// The module of a package of the workspace that the current directory is in, as that of a test is. Nothing is built unless it is
/// [asked for](ModuleOf::build).
#[must_use]
pub fn from_package(package: impl Into<String>) -> ModuleOf {
    ModuleOf {
        package: package.into(),
        name: None,
        target: TARGET.to_owned(),
        profile: PROFILE.to_owned(),
        manifest_path: None,
        target_dir: None,
        build: false,
    }
}

/// Which module of a package is meant. Each field has a setter of its name.
#[derive(Clone, Debug, Setters)]
#[setters(strip_option, into)]
#[non_exhaustive]
pub struct ModuleOf {
    /// The package.
    #[setters(skip)]
    pub package: String,
    /// Which of its programs, examples and `cdylib`s, if it has several. A program or a `cdylib` comes before an example.
    pub name: Option<String>,
    /// The target, as it is given to cargo: [`TARGET`] if nothing else is said.
    pub target: String,
    /// The profile, as it is given to cargo: [`PROFILE`] if nothing else is said.
    pub profile: String,
    /// A manifest of the workspace, if it is not that of the current directory.
    pub manifest_path: Option<PathBuf>,
    /// The directory for what is built, if it is not that of the workspace.
    pub target_dir: Option<PathBuf>,
    /// Whether cargo builds the module before it is looked for: what cargo prints goes to standard error. From a build script of the same
    /// workspace that waits for ever, for cargo builds one thing at a time.
    pub build: bool,
}

/// A module in the target directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Built {
    /// The target that it is built for.
    pub target: String,
    /// The directory of the profile: that of `dev` is `debug`.
    pub profile: String,
    /// The name of the file; that of an example has `examples/` before it.
    pub file: String,
}

impl fmt::Display for Built {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.target, self.profile, self.file)
    }
}

/// Why no module is found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArtifactError {
    /// There is no workspace here, or its manifest cannot be read.
    #[error("cargo does not know the workspace: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    /// The workspace has no such package.
    #[error(
        "there is no package `{package}` in the workspace, which has: {}",
        list(packages)
    )]
    NoPackage {
        /// What was asked for.
        package: String,
        /// Packages of the workspace.
        packages: Vec<String>,
    },
    /// The package has no such program, or none at all: a library becomes a module only as a `cdylib`.
    #[error("the package `{package}` has no {}; programs, examples and `cdylib`s of it: {}", named(name.as_deref()), list(names))]
    NoModule {
        /// Which.
        package: String,
        /// What was asked for.
        name: Option<String>,
        /// What there is.
        names: Vec<String>,
    },
    /// The package becomes several modules, and none is named.
    #[error(
        "the package `{package}` becomes several modules; name one of: {}",
        list(names)
    )]
    SeveralModules {
        /// Which.
        package: String,
        /// What there is.
        names: Vec<String>,
    },
    /// It is not built.
    #[error("{} is not built{}", wanted.display(), but(found))]
    NotBuilt {
        /// Where it would be.
        wanted: PathBuf,
        /// What is built, of all targets, profiles and packages: the first 100.
        found: Vec<Built>,
    },
    /// Cargo cannot be run.
    #[error("cargo cannot be run: {0}")]
    Cargo(#[source] std::io::Error),
    /// It could not be built. Why was printed to standard error.
    #[error("cargo did not build `{package}`: {status}")]
    Build {
        /// The package.
        package: String,
        /// What cargo ended with.
        status: ExitStatus,
    },
}

fn list(names: &[String]) -> String {
    match names {
        [] => "none".to_owned(),
        names => names.join(", "),
    }
}

fn named(name: Option<&str>) -> String {
    name.map_or("module".to_owned(), |name| format!("module `{name}`"))
}

fn but(found: &[Built]) -> String {
    match found {
        [] => ", nor is any other module".to_owned(),
        found => {
            let lines: Vec<String> = found.iter().map(|one| format!("\n  {one}")).collect();
            format!("; there are:{}", lines.concat())
        }
    }
}

/// What becomes a module.
struct Target {
    name: String,
    kind: TargetKind,
}

impl Target {
    /// The file, below the directory of the profile.
    fn file(&self) -> String {
        match self.kind {
            TargetKind::Example => format!("examples/{}.wasm", self.name),
            TargetKind::CDyLib => format!("{}.wasm", self.name.replace('-', "_")),
            _ => format!("{}.wasm", self.name),
        }
    }

    /// What cargo is told to build it alone.
    fn flags(&self) -> Vec<&str> {
        match self.kind {
            TargetKind::Example => vec!["--example", &self.name],
            TargetKind::CDyLib => vec!["--lib"],
            _ => vec!["--bin", &self.name],
        }
    }
}

impl ModuleOf {
    /// Finds the module, and builds it before if that is asked for. Returns its path.
    ///
    /// # Errors
    /// [`ArtifactError`]
    pub fn find(&self) -> Result<PathBuf, ArtifactError> {
        let mut command = MetadataCommand::new();
        command.no_deps();
        if let Some(path) = &self.manifest_path {
            command.manifest_path(path);
        }
        let metadata = command.exec()?;
        let package = self.package_in(&metadata)?;
        let target = self.target_of(package)?;
        let directory = match &self.target_dir {
            Some(directory) => directory.clone(),
            None => metadata.target_directory.clone().into_std_path_buf(),
        };
        if self.build {
            self.run_cargo(command.cargo_command().get_program(), &target)?;
        }
        let place = (directory.join(self.directory_of_target())).join(self.directory_of_profile());
        let wanted = place.join(target.file());
        match wanted.is_file() {
            true => Ok(wanted),
            false => Err(ArtifactError::NotBuilt {
                wanted,
                found: built(&directory),
            }),
        }
    }

    fn package_in<'a>(&self, metadata: &'a Metadata) -> Result<&'a Package, ArtifactError> {
        let packages = metadata.workspace_packages();
        let found = packages.iter().find(|one| *one.name == self.package);
        found.copied().ok_or_else(|| ArtifactError::NoPackage {
            package: self.package.clone(),
            packages: packages.iter().map(|one| one.name.to_string()).collect(),
        })
    }

    fn target_of(&self, package: &Package) -> Result<Target, ArtifactError> {
        let kinds = [TargetKind::Bin, TargetKind::CDyLib, TargetKind::Example];
        let mut all: Vec<Target> = Vec::new();
        for kind in kinds {
            let targets = package
                .targets
                .iter()
                .filter(|one| one.is_kind(kind.clone()));
            all.extend(targets.map(|one| Target {
                name: one.name.clone(),
                kind: kind.clone(),
            }));
        }
        let names = all.iter().map(|target| target.name.clone()).collect();
        let package = self.package.clone();
        let mut fit = all.into_iter().filter(|target| match &self.name {
            Some(name) => target.name == *name,
            // An example is found by its name only.
            None => target.kind != TargetKind::Example,
        });
        match (fit.next(), &self.name) {
            (Some(_), None) if fit.next().is_some() => {
                Err(ArtifactError::SeveralModules { package, names })
            }
            (Some(target), _) => Ok(target),
            (None, name) => Err(ArtifactError::NoModule {
                package,
                name: name.clone(),
                names,
            }),
        }
    }

    /// Cargo names it after the file, if the target is one.
    fn directory_of_target(&self) -> &Path {
        let path = Path::new(&self.target);
        match path.extension() {
            Some(extension) if extension == "json" => path.file_stem().map_or(path, Path::new),
            _ => path,
        }
    }

    fn directory_of_profile(&self) -> &str {
        match self.profile.as_str() {
            "dev" | "test" => "debug",
            "bench" => "release",
            other => other,
        }
    }

    fn run_cargo(&self, program: &OsStr, target: &Target) -> Result<(), ArtifactError> {
        let options = [
            ("-p", Some(Path::new(&self.package))),
            ("--target", Some(Path::new(&self.target))),
            ("--profile", Some(Path::new(&self.profile))),
            ("--manifest-path", self.manifest_path.as_deref()),
            ("--target-dir", self.target_dir.as_deref()),
        ];
        let mut cargo = Command::new(program);
        cargo
            .arg("build")
            .args(target.flags())
            .stdout(Stdio::null());
        for (option, value) in options {
            if let Some(value) = value {
                cargo.arg(option).arg(value);
            }
        }
        let status = cargo.status().map_err(ArtifactError::Cargo)?;
        match status.success() {
            true => Ok(()),
            false => Err(ArtifactError::Build {
                package: self.package.clone(),
                status,
            }),
        }
    }
}

/// What is built, in the order of targets, profiles and names.
fn built(directory: &Path) -> Vec<Built> {
    let mut found = Vec::new();
    for target in names(directory).filter(|name| name.contains("wasm")) {
        let place = directory.join(&target);
        for profile in names(&place) {
            for folder in ["", "examples/"] {
                let files = names(&place.join(&profile).join(folder));
                let modules = files.filter(|name| name.ends_with(".wasm"));
                found.extend(modules.map(|name| Built {
                    target: target.clone(),
                    profile: profile.clone(),
                    file: format!("{folder}{name}"),
                }));
            }
        }
    }
    found.sort_unstable();
    found.truncate(LISTED);
    found
}

/// What is in a directory; nothing, if it cannot be read.
fn names(directory: &Path) -> impl Iterator<Item = String> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok())
}
