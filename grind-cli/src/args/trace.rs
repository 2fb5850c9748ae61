//! Where a run is recorded, and how: the options that `run` and `replay` share.

use crate::args::report::of_program;
use crate::output::error::{self, Usage};
use crate::output::say::Shown as _;
use anyhow::{Context, Result};
use clap::Args;
use clap::builder::TypedValueParser as _;
use grind_runtime::program::Program;
use grind_runtime::session::TraceOutput;
use grind_runtime::trace::{Detail, Footer, Header, TraceWriter};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Args)]
pub(crate) struct TraceArgs {
    /// Record the run: what a replay needs and all synchronisation (`light`), or every access as well (`full`); another
    /// value is where to record it
    #[arg(long, value_name = "light|full|PATH", num_args = 0..=1, require_equals = true, default_missing_value = "light",
        value_parser = clap::builder::OsStringValueParser::new().map(Wanted::from))]
    trace: Option<Wanted>,
    /// Where to record it [default: the module's name here, with .grind]
    #[arg(long, value_name = "PATH")]
    trace_file: Option<PathBuf>,
    /// Put the module into the trace, so that a replay needs nothing else
    #[arg(long)]
    embed_module: bool,
}

/// What `--trace` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Detail(Detail),
    /// A light trace there.
    At(PathBuf),
}

impl From<OsString> for Wanted {
    fn from(text: OsString) -> Wanted {
        match text.to_str() {
            Some("light") => Wanted::Detail(Detail::Light),
            Some("full") => Wanted::Detail(Detail::Full),
            _ => Wanted::At(text.into()),
        }
    }
}

impl TraceArgs {
    /// Whether a run is recorded, in the default detail to the default place: what `--trace` says alone.
    pub(crate) fn is_bare(&self) -> bool {
        self.trace == Some(Wanted::Detail(Detail::Light)) && self.trace_file.is_none()
    }

    /// How much to record, if anything. A place to record to, or a module to put there, asks for it as well.
    fn detail(&self) -> Option<Detail> {
        match &self.trace {
            Some(Wanted::Detail(detail)) => Some(*detail),
            Some(Wanted::At(_)) => Some(Detail::Light),
            None => (self.trace_file.is_some() || self.embed_module).then_some(Detail::Light),
        }
    }

    /// The place that was named.
    fn named(&self) -> Option<&Path> {
        match (&self.trace_file, &self.trace) {
            (Some(path), _) | (None, Some(Wanted::At(path))) => Some(path),
            _ => None,
        }
    }

    /// The same for one program of several: `t.grind` becomes `t.NAME.grind`.
    pub(crate) fn of_program(&self, name: &str) -> TraceArgs {
        TraceArgs {
            trace_file: self.named().map(|path| of_program(path, name)),
            ..self.clone()
        }
    }

    /// Where it goes.
    pub(crate) fn path(&self, module: &Path) -> PathBuf {
        let name = module.file_name().unwrap_or(OsStr::new("guest"));
        let default = || PathBuf::from(name).with_extension("grind");
        self.named().map_or_else(default, Path::to_path_buf)
    }

    /// Begins the trace, if one is wanted. `header` says what runs; its detail is of no account. `read` are files that must
    /// not be written over.
    pub(crate) fn begin(
        &self,
        program: &Program,
        module: &Path,
        header: Header,
        read: &[&Path],
    ) -> Result<Option<TraceWriter<TraceOutput>>> {
        let Some(detail) = self.detail() else {
            return Ok(None);
        };
        let path = self.path(module);
        // Nobody asked for this place, and who put the link there may not be the user.
        if self.named().is_none() && path.is_symlink() {
            return Err(Usage(format!(
                "{} is a symbolic link: say with --trace-file where to record to",
                path.shown()
            ))
            .into());
        }
        for input in read {
            error::keep(input, &path)?;
        }
        let header = Header { detail, ..header };
        let embedded = self.embed_module.then_some(&**program.original());
        let create = || {
            let file: TraceOutput = Box::new(File::create(&path)?);
            TraceWriter::create(file, &header, program.sites(), embedded)
        };
        let writer =
            create().with_context(|| format!("cannot write the trace {}", path.shown()))?;
        Ok(Some(writer))
    }
}

/// Ends a trace of a run that went on.
pub(crate) fn finish_truncated(trace: TraceWriter<TraceOutput>) -> Result<()> {
    let finished = trace.finish_truncated();
    finished.context("cannot complete the trace")?;
    Ok(())
}

/// Ends a trace.
pub(crate) fn finish(trace: TraceWriter<TraceOutput>, footer: &Footer) -> Result<()> {
    trace.finish(footer).context("cannot complete the trace")?;
    Ok(())
}

/// Says what `--trace VALUE` should have been.
pub(crate) fn trace_with_a_blank(value: &OsStr) -> Usage {
    let value = Path::new(value).shown();
    Usage(format!(
        "`--trace {value}`: the value is given with `=`, as `--trace={value}`"
    ))
}
