//! Where reports go: what the subcommands with findings have in common.

use crate::output::error::{self, Usage};
use crate::output::say::Shown as _;
use crate::process::whole_file::Place;
use anstream::AutoStream;
use anyhow::{Context, Result};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use grind_runtime::report::paths::PathMap;
use grind_runtime::report::source::Sources;
use grind_runtime::report::{Command, Kind, Options, Report, human, markdown};
use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{env, mem};

/// The variable in which GitHub Actions names the file of a step's summary.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Report")]
pub(crate) struct ReportArgs {
    /// Write the report to a file as well; `-` prints it in place of the human one; repeatable
    ///
    /// KIND is one of those of --format. With `github`, a summary is appended to $GITHUB_STEP_SUMMARY.
    #[arg(long = "report", value_name = "KIND=PATH", value_parser = target)]
    targets: Vec<Target>,
    /// What to print the report as [default: human]
    #[arg(long, value_name = "KIND", value_parser = kinds())]
    format: Option<Kind>,
    /// Take this off the beginning of source paths; repeatable
    #[arg(long, value_name = "PREFIX", value_parser = strip)]
    strip_prefix: Vec<String>,
    /// Replace what source paths begin with; repeatable, after --strip-prefix
    #[arg(long, value_name = "FROM=TO", value_parser = remap)]
    remap: Vec<String>,
    /// Directory to look for sources in, besides the current one and the module's
    #[arg(long, value_name = "DIR")]
    source: Vec<PathBuf>,
    /// Only the findings: no summary, no progress
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// All stack frames, and a summary even of a clean run
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// A report that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    kind: Kind,
    path: PathBuf,
}

impl Target {
    fn is_printed(&self) -> bool {
        self.path == Path::new("-")
    }
}

fn kinds() -> impl TypedValueParser<Value = Kind> {
    let values = Kind::all().map(|kind| PossibleValue::new(kind.name()).help(kind.about()));
    PossibleValuesParser::new(values).map(|name| {
        // Only names of kinds get here.
        Kind::from_name(&name).unwrap_or(Kind::Human)
    })
}

fn target(text: &str) -> Result<Target, String> {
    let known = || Kind::all().map(Kind::name).collect::<Vec<_>>().join(", ");
    let Some((name, path)) = text.split_once('=') else {
        return Err(format!("expected KIND=PATH; kinds are {}", known()));
    };
    let Some(kind) = Kind::from_name(name) else {
        return Err(format!("unknown kind `{name}`; known are {}", known()));
    };
    if path.is_empty() {
        return Err("the path is empty; `-` prints the report".to_owned());
    }
    let path = path.into();
    Ok(Target { kind, path })
}

fn strip(text: &str) -> Result<String, String> {
    let checked = PathMap::default().strip(text);
    checked.map_or_else(|error| Err(error.to_string()), |()| Ok(text.to_owned()))
}

fn remap(text: &str) -> Result<String, String> {
    let checked = PathMap::default().remap(text);
    checked.map_or_else(|error| Err(error.to_string()), |()| Ok(text.to_owned()))
}

/// Where reports are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Where standard output is the guest's.
    Stderr,
    /// Where the report is what the command is for.
    Stdout,
}

impl Stream {
    /// A closed pipe ends the report, not the run.
    pub(crate) fn print(self, text: &str) -> Result<()> {
        let written = match self {
            Stream::Stderr => write!(anstream::stderr(), "{text}"),
            Stream::Stdout => write!(anstream::stdout(), "{text}"),
        };
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn is_coloured(self) -> bool {
        let choice = match self {
            Stream::Stderr => AutoStream::choice(&io::stderr()),
            Stream::Stdout => AutoStream::choice(&io::stdout()),
        };
        choice != anstream::ColorChoice::Never
    }

    fn width(self) -> usize {
        let size = match self {
            Stream::Stderr => terminal_size::terminal_size_of(io::stderr()),
            Stream::Stdout => terminal_size::terminal_size_of(io::stdout()),
        };
        size.map_or(100, |(width, _)| usize::from(width.0))
    }
}

/// What is printed when no kind is asked to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Always {
    /// The human report, even if others go to files. Silent for a clean run.
    Printed,
    /// The human report only if no other was asked for. Says so if there are no findings.
    Nothing,
}

impl ReportArgs {
    /// Finds places for all files, so that one that cannot be written is known before the work. `read` are files that must not be written
    /// over.
    ///
    /// # Errors
    /// If a file cannot be written, is one of those, or two reports go to one.
    pub(crate) fn open(
        &self,
        stream: Stream,
        always: Always,
        read: &[&Path],
    ) -> Result<Outputs<'_>> {
        let mut paths = BTreeSet::new();
        let mut files = Vec::new();
        let mut printed: Vec<Kind> = Vec::new();
        for target in &self.targets {
            if target.is_printed() {
                printed.push(target.kind);
                continue;
            }
            if !paths.insert(&target.path) {
                let path = target.path.shown();
                return Err(Usage(format!("two reports would be written to {path}")).into());
            }
            for input in read {
                error::keep(input, &target.path)?;
            }
            let place = Place::find(&target.path).with_context(|| cannot_write(&target.path))?;
            files.push((target.kind, &*target.path, place));
        }
        if let Some(kind) = self.format {
            printed.insert(0, kind);
        } else if printed.is_empty() && (always == Always::Printed || files.is_empty()) {
            printed.push(Kind::Human);
        }
        let github = self
            .targets
            .iter()
            .map(|target| target.kind)
            .chain(self.format);
        let summary = match env::var_os(STEP_SUMMARY) {
            Some(path) if !path.is_empty() && github.into_iter().any(|k| k == Kind::Github) => {
                let file = OpenOptions::new().append(true).create(true).open(&path);
                let shown = Path::new(&path).shown();
                Some(file.with_context(|| format!("cannot write {STEP_SUMMARY}, {shown}"))?)
            }
            _ => None,
        };
        Ok(Outputs {
            args: self,
            stream,
            always,
            printed,
            files,
            summary,
        })
    }

    /// The same for one program of several: `r.json` becomes `r.NAME.json`.
    pub(crate) fn of_program(&self, name: &str) -> ReportArgs {
        let mut args = self.clone();
        for target in &mut args.targets {
            if !target.is_printed() {
                target.path = of_program(&target.path, name);
            }
        }
        args
    }

    /// Whether one of the reports draws a timeline.
    pub(crate) fn wants_timeline(&self) -> bool {
        let mut kinds = self
            .targets
            .iter()
            .map(|target| target.kind)
            .chain(self.format);
        kinds.any(|kind| kind == Kind::Html)
    }

    /// Rules of paths; stripping counts first. They were read before.
    fn paths(&self) -> Result<PathMap> {
        let mut paths = PathMap::default();
        for prefix in &self.strip_prefix {
            paths.strip(prefix)?;
        }
        for rule in &self.remap {
            paths.remap(rule)?;
        }
        Ok(paths)
    }

    fn options(&self, report: &Report, paths: PathMap, stream: Stream) -> Options {
        let mut roots: Vec<PathBuf> = self.source.clone();
        // `target/wasm32-…/release/app.wasm` lies four directories below the package its paths begin at.
        let module = Path::new(&report.program.module);
        roots.extend(module.ancestors().skip(1).take(5).map(PathBuf::from));
        let here = env::current_dir().unwrap_or_default();
        Options::default()
            .color(stream.is_coloured())
            .width(stream.width())
            .verbose(self.verbose)
            .sources(Sources::on_disk(here, roots).with_paths(paths))
            .sources_hint(Some("--source DIR says where they are"))
    }
}

/// The path with the name of a program before its extension.
pub(crate) fn of_program(path: &Path, name: &str) -> PathBuf {
    match path.extension() {
        Some(extension) => path.with_extension(format!("{name}.{}", extension.display())),
        None => path.with_extension(name),
    }
}

/// Reports to write at the end.
pub(crate) struct Outputs<'a> {
    args: &'a ReportArgs,
    stream: Stream,
    always: Always,
    printed: Vec<Kind>,
    files: Vec<(Kind, &'a Path, Place)>,
    summary: Option<File>,
}

impl Outputs<'_> {
    /// Writes all of them: one that cannot be written, as when the terminal has gone, does not keep the others from it.
    ///
    /// # Errors
    /// If one cannot be written; the first of those.
    pub(crate) fn write(mut self, mut report: Report) -> Result<()> {
        let paths = self.args.paths()?;
        report.map_paths(&paths);
        let mut options = self.args.options(&report, paths, self.stream);
        let mut printed = Ok(());
        for kind in &self.printed {
            let text = match kind {
                Kind::Human => self.human(&report, &options),
                kind => kind.render(&report, &options),
            };
            printed = printed.and(self.stream.print(&text));
        }
        options.color = false;
        options.width = 100;
        let mut written = Ok(());
        for (kind, path, place) in mem::take(&mut self.files) {
            let text = kind.render(&report, &options);
            let one = place.write(text.as_bytes());
            written = written.and(one.with_context(|| cannot_write(path)));
        }
        if let Some(mut summary) = self.summary {
            let text = markdown::render(&report, &options);
            let one = summary.write_all(text.as_bytes());
            written = written.and(one.with_context(|| format!("cannot write {STEP_SUMMARY}")));
        }
        written.and(printed)
    }

    fn human(&self, report: &Report, options: &Options) -> String {
        // Of a run, which has output of its own. Nobody looks at many runs to see nothing.
        let silent = self.always == Always::Printed
            && !self.args.verbose
            && report.command != Command::Check;
        if report.is_clean() && silent {
            return String::new();
        }
        if self.args.quiet {
            let new = report.findings.iter().filter(|finding| !finding.is_known());
            return new
                .map(|finding| human::render_finding(finding, options))
                .collect();
        }
        let text = human::render(report, options);
        if text.is_empty() {
            return format!("grind: {}\n", human::one_line(report));
        }
        text
    }
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write the report {}", path.shown())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_a_kind_and_a_path() {
        let parsed = target("sarif=a=b.sarif").expect("a good target");
        assert_eq!(parsed.kind, Kind::Sarif);
        assert_eq!(parsed.path, Path::new("a=b.sarif"));
        for (bad, word) in [
            ("sarif", "KIND=PATH"),
            ("xml=a", "unknown kind `xml`"),
            ("json=", "empty"),
        ] {
            let error = target(bad).expect_err(bad);
            assert!(error.contains(word), "{error}");
        }
        let error = target("xml=a").expect_err("unknown");
        assert!(
            Kind::all().all(|kind| error.contains(kind.name())),
            "{error}"
        );
    }
}
