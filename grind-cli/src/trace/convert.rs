//! `grind trace export` and `import`

use crate::error::{self, NotFound, Usage};
use crate::trace_file::TraceFile;
use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use grind_runtime::interop::{self, InteropError, chrome, jsonl, rapid};
use grind_runtime::predict::{Extensions, RapidBinReader, StdReader};
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read as _, Write};
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

/// A file that is made when something is written to it: until then, what is there stays.
struct Late {
    path: PathBuf,
    file: Option<BufWriter<File>>,
}

impl Late {
    fn file(&mut self) -> io::Result<&mut BufWriter<File>> {
        Ok(match &mut self.file {
            Some(file) => file,
            none => none.insert(BufWriter::new(File::create(&self.path)?)),
        })
    }
}

impl Write for Late {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file()?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), BufWriter::flush)
    }
}

fn create(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(BufWriter::new(file))
}

pub(crate) fn export(args: &ExportArgs) -> Result<u8> {
    let (file, reader) = TraceFile::open(&args.file)?;
    if let Some(path) = &args.output {
        error::keep(&args.file, path)?;
    }
    let text = || -> Result<Box<dyn Write>> {
        Ok(match &args.output {
            Some(path) => Box::new(create(path)?),
            None => Box::new(BufWriter::new(io::stdout().lock())),
        })
    };
    let binary = || {
        let text = "this format is written to a file: name it with --output";
        let path = args.output.as_deref();
        create(path.ok_or_else(|| Usage(text.to_owned()))?)
    };
    let done: Result<(), InteropError> = match args.format {
        ExportFormat::Std => {
            let mut out = text()?;
            rapid::write_as_std(|| file.reader(), &mut out, extensions(args.extensions))
                .and_then(|_| Ok(out.flush()?))
        }
        ExportFormat::RapidBin => rapid::write_as_rapid_bin(|| file.reader(), binary()?).map(drop),
        ExportFormat::Chrome => chrome::write(reader, text()?),
        ExportFormat::Jsonl => jsonl::write(reader, text()?).map(drop),
        #[cfg(feature = "parquet")]
        ExportFormat::Parquet => interop::parquet::write(reader, binary()?).map(drop),
    };
    match done {
        // Whoever read it has seen enough.
        Err(InteropError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        done => done.with_context(|| args.file.display().to_string())?,
    }
    if file
        .is_truncated()
        .with_context(|| args.file.display().to_string())?
    {
        writeln!(
            anstream::stderr(),
            "the trace is truncated: this is what there is of it"
        )?;
    }
    Ok(0)
}

pub(crate) fn import(args: &ImportArgs) -> Result<u8> {
    let from = args.file.display().to_string();
    let open =
        || -> Result<BufReader<File>, InteropError> { Ok(BufReader::new(File::open(&args.file)?)) };
    if !args.file.exists() {
        return Err(NotFound { path: from }.into());
    }
    let mut beginning = [0];
    let first = open().and_then(|mut file| Ok(file.read(&mut beginning)?));
    if first.with_context(|| from.clone())? == 0 {
        bail!("{from}: there is nothing in it");
    }
    error::keep(&args.file, &args.output)?;
    let mut out = Late {
        path: args.output.clone(),
        file: None,
    };
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
    if events.is_err() && out.file.is_some() {
        // A trace that ends in the middle would look like one that is truncated. That it stays is no harm.
        let _ = fs::remove_file(&args.output);
    }
    let events = events.with_context(|| from)?;
    writeln!(anstream::stderr(), "{events} events")?;
    Ok(0)
}
