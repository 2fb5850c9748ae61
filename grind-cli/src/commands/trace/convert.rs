//! `grind trace export` and `import`

use crate::args::bound::BoundArgs;
use crate::input::trace_file::TraceFile;
use crate::output::error::{self, Unfit, Usage};
use crate::output::say::{self, Form, Lines, Shown as _};
use crate::process::bound::{BoundedFile, Gate};
use crate::process::signals;
use crate::process::whole_file::{Draft, Place};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use grind_runtime::interop::{self, InteropError, chrome, jsonl, rapid};
use grind_runtime::predict::{Extensions, RapidBinReader, StdReader};
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Seek, SeekFrom, Stdout, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Which format
    #[arg(long, value_name = "NAME")]
    format: ExportFormat,
    /// With std: `wait` and `notify` as such, rather than as critical sections
    #[arg(long)]
    extensions: bool,
    /// Where to write it [default: standard output, where the format allows]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    #[command(flatten)]
    bound: BoundArgs,
    /// The trace
    #[arg(value_name = "TRACE")]
    file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// Text, one event per line, of RAPID and others
    Std,
    /// The same, binary
    #[value(name = "rapidbin")]
    RapidBin,
    /// Trace Event Format, for Perfetto
    Chrome,
    /// One JSON object per line
    Jsonl,
    /// Columns
    #[cfg(feature = "parquet")]
    Parquet,
}

impl ExportFormat {
    /// Whether it can be looked at.
    fn is_text(self) -> bool {
        matches!(
            self,
            ExportFormat::Std | ExportFormat::Chrome | ExportFormat::Jsonl
        )
    }
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Which format
    #[arg(long, value_name = "NAME")]
    format: ImportFormat,
    /// With std: accept `req`, `wait` and `notify`
    #[arg(long)]
    extensions: bool,
    /// Where to write the trace
    #[arg(short, long, value_name = "PATH")]
    output: PathBuf,
    #[command(flatten)]
    bound: BoundArgs,
    /// What to import
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ImportFormat {
    /// Text, one event per line, of RAPID and others
    Std,
    /// The same, binary
    #[value(name = "rapidbin")]
    RapidBin,
}

fn extensions(on: bool) -> Extensions {
    if on { Extensions::On } else { Extensions::Off }
}

/// Where an export goes.
enum Out {
    File(Draft),
    Stdout(Lines<BufWriter<Stdout>>),
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Out::File(draft) => draft.write(bytes),
            Out::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Out::File(draft) => draft.flush(),
            Out::Stdout(stdout) => stdout.flush(),
        }
    }
}

impl Seek for Out {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Out::File(draft) => draft.seek(to),
            Out::Stdout(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}

impl Out {
    fn finish(self) -> io::Result<()> {
        match self {
            Out::File(draft) => draft.finish(),
            Out::Stdout(mut stdout) => stdout.flush(),
        }
    }
}

fn create(path: &Path) -> Result<Draft> {
    let cannot = || format!("cannot write {}", path.shown());
    let place = Place::find(path).with_context(cannot)?;
    place.begin().with_context(cannot)
}

pub(crate) fn export(args: &ExportArgs) -> Result<u8> {
    let (file, reader) = TraceFile::open(&args.file, args.bound.begin())?;
    let _orderly = signals::orderly();
    let shown = || args.file.shown();
    let mut out = match (&args.output, args.format.is_text()) {
        (Some(path), _) => {
            error::keep(&args.file, path)?;
            Out::File(create(path)?)
        }
        (None, true) => {
            let form = match args.format {
                ExportFormat::Std => Form::Text,
                _ => Form::Json,
            };
            Out::Stdout(Lines::new(BufWriter::new(io::stdout()), form))
        }
        (None, false) => {
            let text = "this format is written to a file: name it with --output";
            return Err(Usage(text.to_owned()).into());
        }
    };
    let done: Result<(), InteropError> = match args.format {
        ExportFormat::Std => {
            rapid::write_as_std(|| file.reader(), &mut out, extensions(args.extensions)).map(drop)
        }
        ExportFormat::RapidBin => rapid::write_as_rapid_bin(|| file.reader(), &mut out).map(drop),
        ExportFormat::Chrome => chrome::write(reader, &mut out),
        ExportFormat::Jsonl => jsonl::write(reader, &mut out).map(drop),
        #[cfg(feature = "parquet")]
        ExportFormat::Parquet => interop::parquet::write(reader, &mut out).map(drop),
    };
    match done.and_then(|()| Ok(out.finish()?)) {
        // Whoever read it has seen enough.
        Err(InteropError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        done => done.with_context(shown)?,
    }
    if let Some(stop) = file.stopped() {
        say::err(&format!(
            "ended by {stop}: this is what was read of the trace until then\n"
        ))?;
    } else if file.is_truncated().with_context(shown)? {
        say::err("the trace is truncated: this is what there is of it\n")?;
    }
    Ok(file.exit_code())
}

pub(crate) fn import(args: &ImportArgs) -> Result<u8> {
    let from = args.file.shown();
    let (bound, stopped) = (args.bound.begin(), Gate::default());
    let open = || -> Result<BufReader<BoundedFile>, InteropError> {
        let (file, gate) = BoundedFile::new(File::open(&args.file)?, bound, &stopped);
        gate.close_late();
        Ok(BufReader::new(file))
    };
    error::is_file(&args.file)?;
    let mut beginning = [0];
    let first = File::open(&args.file).and_then(|mut file| file.read(&mut beginning));
    if first.with_context(|| from.clone())? == 0 {
        return Err(Unfit(format!("{from}: there is nothing in it")).into());
    }
    error::keep(&args.file, &args.output)?;
    let _orderly = signals::orderly();
    let mut out = create(&args.output)?;
    let events = match args.format {
        ImportFormat::Std => interop::import::import(
            &from,
            || Ok(StdReader::new(open()?, extensions(args.extensions))),
            |source, kind, number| source.names().name(kind, number).cloned(),
            &mut out,
        ),
        ImportFormat::RapidBin => interop::import::import(
            &from,
            || Ok(RapidBinReader::new(open()?)?),
            |_, _, _| None,
            &mut out,
        ),
    };
    // A trace that ends in the middle would look like one that is truncated.
    if let Some(stop) = stopped.stopped() {
        say::err(&format!("ended by {stop}: nothing was written\n"))?;
        return Ok(stop.exit_code().code());
    }
    let events = events.with_context(|| from)?;
    let cannot = || format!("cannot write {}", args.output.shown());
    out.finish().with_context(cannot)?;
    say::err(&format!("{events} events\n"))?;
    Ok(0)
}
