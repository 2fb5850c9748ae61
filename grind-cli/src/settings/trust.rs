//! What `grind.toml` and a manifest may set without `--trust-config`: how to look, and nothing beyond the project.
//!
//! A repository that somebody else wrote may have such a file. It must not hand the host's variables and directories to a guest, read or
//! write elsewhere, or make the command succeed whatever is found.
//!
//! The project is the repository of the current directory: the nearest directory with `.git`. Without one it is the current directory.
//! Symbolic links are followed before a path is compared, and the repository's own files, such as `.git/hooks`, are not the project's.

use grind_runtime::report::FindingKind;
use grind_runtime::report::policy::FailOn;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::{env, fs};

/// Directories in which a version control system keeps its own files.
const CONTROL: [&str; 4] = [".git", ".hg", ".jj", ".svn"];

/// What a value of an option may do that takes trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// `NAME` without `=VALUE` is the host's.
    Variable,
    /// `HOST` or `HOST::GUEST`: the guest reads and writes there.
    Directory,
    /// A file or directory that is read; what is in it can show in a message.
    Read,
    /// A file that is written.
    Write,
    /// `KIND=PATH`, which is written unless it is `-`.
    Report,
    /// How much, or a file that is written.
    Trace,
    /// What fails: races, at least.
    FailOn,
    /// `true`: races are not looked for.
    Blind,
}

impl Guard {
    /// Why this value takes trust, if it does.
    pub(crate) fn refuses(self, value: &str, project: &Project) -> Option<&'static str> {
        match self {
            Guard::Variable => {
                (!value.contains('=')).then_some("it gives the guest a variable of the host")
            }
            Guard::Directory => {
                let host = value.rsplit_once("::").map_or(value, |(host, _)| host);
                project.refuses_directory(Path::new(host))
            }
            Guard::Read => project.refuses(Path::new(value), "it is read outside of the project"),
            Guard::Write => project.refuses_output(Path::new(value)),
            Guard::Report => {
                let path = value.split_once('=').map_or(value, |(_, path)| path);
                (path != "-")
                    .then(|| project.refuses_output(Path::new(path)))
                    .flatten()
            }
            Guard::Trace => (!["light", "full"].contains(&value))
                .then(|| project.refuses_output(Path::new(value)))
                .flatten(),
            Guard::FailOn => {
                let fails = FailOn::from_str(value).is_ok_and(|on| on.has(FindingKind::DataRace));
                (!fails).then_some("a race that is found would not make the command fail")
            }
            Guard::Blind => (value == "true").then_some("races would not be looked for"),
        }
    }
}

/// What is of the project that grind is used in.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    here: PathBuf,
    repository: Option<PathBuf>,
}

impl Project {
    /// That of the current directory.
    pub(crate) fn here() -> io::Result<Project> {
        let here = env::current_dir()?.canonicalize()?;
        let is_repository = |path: &&Path| fs::symlink_metadata(path.join(".git")).is_ok();
        let repository = here.ancestors().find(is_repository).map(Path::to_path_buf);
        Ok(Project { here, repository })
    }

    fn root(&self) -> &Path {
        self.repository.as_deref().unwrap_or(&self.here)
    }

    /// Whether this file was found above the repository, or, where there is none, above the current directory.
    pub(crate) fn is_foreign(&self, file: &Path) -> bool {
        let directory = file.parent().unwrap_or(file);
        let real = self.here.join(directory).canonicalize();
        real.is_ok_and(|real| self.here.starts_with(&real) && !real.starts_with(self.root()))
    }

    /// The path within the project, if it is in there.
    fn within(&self, path: &Path) -> Option<PathBuf> {
        let real = real(&self.here.join(path))?;
        let within = real.strip_prefix(self.root()).ok()?;
        let is_control = |name: &OsStr| CONTROL.iter().any(|one| name.eq_ignore_ascii_case(one));
        (!within.iter().any(is_control)).then_some(real)
    }

    fn refuses(&self, path: &Path, reason: &'static str) -> Option<&'static str> {
        self.within(path).is_none().then_some(reason)
    }

    fn refuses_output(&self, path: &Path) -> Option<&'static str> {
        if path.is_absolute() {
            return Some("the path is absolute");
        }
        self.refuses(path, "it is written outside of the project")
    }

    fn refuses_directory(&self, path: &Path) -> Option<&'static str> {
        let Some(real) = self.within(path) else {
            return Some("the directory is outside of the project");
        };
        let has = |name: &&str| fs::symlink_metadata(real.join(name)).is_ok();
        (CONTROL.iter().any(has))
            .then_some("the guest could write to the repository's own files there")
    }
}

/// The path without symbolic links; its end need not be there. None if that cannot be told.
fn real(path: &Path) -> Option<PathBuf> {
    let mut missing = Vec::new();
    let mut path = path;
    loop {
        match path.canonicalize() {
            Ok(real) => {
                let missing = missing.iter().rev();
                return Some(missing.fold(real, |path, name| path.join(name)));
            }
            // A link that leads to nothing leads there when something is written.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
                missing.push(path.file_name()?);
                path = path.parent()?;
            }
            Err(_) => return None,
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A repository with a file that is tracked, and links; what is beside it is not of it.
    fn project() -> (tempfile::TempDir, Project) {
        let place = tempfile::tempdir().expect("a directory");
        let top = place.path().canonicalize().expect("a path");
        for directory in [
            "repo/.git/hooks",
            "repo/sub/deep",
            "repo/other/.git",
            "beside",
        ] {
            fs::create_dir_all(top.join(directory)).expect("a directory");
        }
        for (target, link) in [
            ("../../beside", "repo/sub/out"),
            ("../../beside/gone", "repo/sub/dangling"),
            ("deep", "repo/sub/in"),
            ("../.git", "repo/sub/control"),
        ] {
            symlink(target, top.join(link)).expect("a link");
        }
        let project = Project {
            here: top.join("repo/sub"),
            repository: Some(top.join("repo")),
        };
        (place, project)
    }

    #[test]
    fn nothing_leads_out_of_the_project() {
        let (place, project) = project();
        let absolute = place.path().join("repo/r.json").display().to_string();
        for (guard, value, refused) in [
            (Guard::Write, "t.grind", false),
            (Guard::Write, "../t.grind", false),
            (Guard::Write, "in/t.grind", false),
            (Guard::Write, "deep/../t.grind", false),
            (Guard::Write, "../../t.grind", true),
            (Guard::Write, "out/t.grind", true),
            (Guard::Write, "dangling", true),
            (Guard::Write, "gone/../../../t.grind", true),
            (Guard::Write, "../.git/hooks/post-checkout", true),
            (Guard::Write, "../.GIT/config", true),
            (Guard::Write, "control/config", true),
            (Guard::Write, &absolute, true),
            (Guard::Report, "json=r.json", false),
            (Guard::Report, "json=-", false),
            (Guard::Report, "json=../../r.json", true),
            (Guard::Report, &format!("json={absolute}"), true),
            (Guard::Trace, "full", false),
            (Guard::Trace, "/tmp/t.grind", true),
            (Guard::Read, &absolute, false),
            (Guard::Read, "/etc/passwd", true),
            (Guard::Directory, "deep::/data", false),
            (Guard::Directory, "/::/", true),
            (Guard::Directory, "..", true),
            (Guard::Directory, "../other", true),
            (Guard::Directory, "../.git", true),
            (Guard::Directory, "out", true),
            (Guard::Variable, "A=b", false),
            (Guard::Variable, "HOME", true),
            (Guard::FailOn, "race,deadlock", false),
            (Guard::FailOn, "none", true),
            (Guard::FailOn, " none , none", true),
            (Guard::FailOn, "none,race", false),
            (Guard::FailOn, "all", false),
            (Guard::FailOn, "data-race", false),
            (Guard::FailOn, "leak,none", true),
            (Guard::FailOn, "leak", true),
            (Guard::FailOn, "double-free", true),
            (Guard::Blind, "false", false),
            (Guard::Blind, "true", true),
        ] {
            let reason = guard.refuses(value, &project);
            assert_eq!(reason.is_some(), refused, "{guard:?} {value}: {reason:?}");
        }
    }

    #[test]
    fn a_file_above_the_repository_is_foreign() {
        let (place, project) = project();
        for (file, foreign) in [
            ("repo/sub/grind.toml", false),
            ("repo/grind.toml", false),
            ("grind.toml", true),
            // Named by the user: it was not found above.
            ("beside/grind.toml", false),
        ] {
            let path = place.path().join(file);
            assert_eq!(project.is_foreign(&path), foreign, "{file}");
        }
        let alone = Project {
            repository: None,
            ..project
        };
        assert!(alone.is_foreign(&place.path().join("repo/grind.toml")));
        assert!(!alone.is_foreign(&place.path().join("repo/sub/grind.toml")));
    }
}
