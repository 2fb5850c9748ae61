//! `grind trace info`, `dump` and `stat`

use crate::args::bound::BoundArgs;
use crate::input::trace_file::{self, TraceFile};
use crate::output::say::{Form, Lines, Shown as _};
use crate::process::signals;
use anyhow::{Context, Result};
use clap::Args;
use grind_runtime::model::sites::{SiteId, SiteKind};
use grind_runtime::model::{Event, Schedule, Slice, ThreadId};
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::log;
use grind_runtime::trace::{Entry, Statistics, TraceEnd};
use indicatif::{HumanBytes, HumanCount};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    #[command(flatten)]
    bound: BoundArgs,
    /// The trace
    #[arg(value_name = "TRACE")]
    file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DumpArgs {
    /// Only what this thread did
    #[arg(long, value_name = "T", value_parser = crate::commands::replay::thread)]
    thread: Option<ThreadId>,
    /// With the call stack of each event
    #[arg(long)]
    stacks: bool,
    #[command(flatten)]
    bound: BoundArgs,
    /// The trace
    #[arg(value_name = "TRACE")]
    file: PathBuf,
}

pub(crate) fn info(args: &FileArgs) -> Result<u8> {
    let (file, mut reader) = TraceFile::open(&args.file, args.bound.begin())?;
    let _orderly = signals::orderly();
    let header = reader.header().clone();
    let mut out = Lines::new(anstream::stdout(), Form::Text);
    let text = |bytes: &[Vec<u8>]| {
        let words: Vec<_> = bytes
            .iter()
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .collect();
        if words.is_empty() {
            "none".to_owned()
        } else {
            log::one_line(&words.join(" "))
        }
    };
    let mut line = |what: &str, value: String| writeln!(out, "{what:<12} {value}");
    line(
        "trace",
        format!(
            "{} ({}, {:?})",
            args.file.shown(),
            HumanBytes(file.len()),
            header.detail
        ),
    )?;
    line("recorded by", format!("grind {}", header.grind))?;
    let embedded = header.embedded.map_or_else(String::new, |len| {
        format!(", in the trace ({})", HumanBytes(len))
    });
    let module = trace_file::module(&header, None).shown();
    line("module", format!("{module}{embedded}"))?;
    line("SHA-256", header.module_hash.to_string())?;
    line("arguments", text(&header.spec.args))?;
    line("environment", text(&header.spec.env))?;
    line("directories", text(&header.spec.preopens))?;
    let schedule = match &header.spec.schedule {
        Schedule::Strategy { strategy, seed } => format!("{strategy}, seed {seed}"),
        Schedule::Decisions(_) => "given as decisions".to_owned(),
    };
    line("schedule", schedule)?;
    let entry = header
        .spec
        .entry
        .function
        .as_deref()
        .unwrap_or("the default");
    line("entry", log::one_line(entry))?;
    line("sites", HumanCount(header.sites.into()).to_string())?;
    while reader
        .next_entry()
        .with_context(|| args.file.shown())?
        .is_some()
    {}
    match reader.end() {
        Some(TraceEnd::Complete(footer)) => {
            line("threads", footer.threads.to_string())?;
            line("events", HumanCount(footer.events).to_string())?;
            line(
                "accesses",
                format!("{} words of accesses and calls", HumanCount(footer.words)),
            )?;
            line(
                "virtual time",
                format!("{:?}", std::time::Duration::from_nanos(footer.nanoseconds)),
            )?;
            line("findings", footer.findings.to_string())?;
            line("exit code", footer.exit_code.to_string())?;
        }
        _ => {
            let events = HumanCount(reader.counts().1);
            line(
                "end",
                match file.stopped() {
                    Some(stop) => format!("not read: ended by {stop} after {events} events"),
                    None => format!("truncated after {events} events"),
                },
            )?;
        }
    }
    Ok(file.exit_code())
}

/// Writes until whoever reads has seen enough, of this trace.
fn listing(file: &TraceFile, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<u8> {
    let mut out = Lines::new(BufWriter::new(io::stdout().lock()), Form::Text);
    let written = write(&mut out).and_then(|()| Ok(out.flush()?));
    match written {
        Err(error) if is_broken_pipe(&error) => Ok(0),
        written => written.map(|()| file.exit_code()),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

pub(crate) fn dump(args: &DumpArgs) -> Result<u8> {
    let (file, mut reader) = TraceFile::open(&args.file, args.bound.begin())?;
    let _orderly = signals::orderly();
    let sites = Arc::clone(reader.sites());
    let symbolizer = match args.stacks {
        true => Some(Symbolizer::new(Arc::clone(
            trace_file::program(&reader, None)?.original(),
        ))),
        false => None,
    };
    let wants = |thread: ThreadId| args.thread.is_none_or(|wanted| wanted == thread);
    listing(&file, |out| {
        let mut number = 0;
        while let Some(entry) = reader.next_entry().with_context(|| args.file.shown())? {
            match entry {
                Entry::Slice {
                    slice: Slice { thread, words },
                    ..
                } if args.thread.is_none() => {
                    writeln!(out, "  switch to {thread} for {words} words")?;
                }
                Entry::Random(bits) if args.thread.is_none() => {
                    writeln!(out, "  random 0x{bits:016x}")?
                }
                Entry::Input(bytes) if args.thread.is_none() => {
                    writeln!(out, "  the host answers {} bytes", bytes.len())?;
                }
                Entry::Act { .. } if args.thread.is_none() => writeln!(out, "  the driver acts")?,
                Entry::Records(thread) if wants(thread) => {
                    for record in reader.records().iter() {
                        let site = sites.get(record.site());
                        let address = record.base().wrapping_add(site.displacement);
                        match site.kind {
                            SiteKind::Read => writeln!(
                                out,
                                "  {thread} read 0x{address:x}+{} @{:x}",
                                site.width, site.offset
                            )?,
                            SiteKind::Write => writeln!(
                                out,
                                "  {thread} write 0x{address:x}+{} @{:x}",
                                site.width, site.offset
                            )?,
                            SiteKind::Call => writeln!(out, "  {thread} call @{:x}", site.offset)?,
                            SiteKind::Return => writeln!(out, "  {thread} return")?,
                            SiteKind::Atomic | SiteKind::Bulk | SiteKind::Trap => {}
                        }
                    }
                }
                Entry::Event(Event { thread, kind }) => {
                    number += 1;
                    if !wants(thread) {
                        continue;
                    }
                    let site: Option<SiteId> = kind.site();
                    let at = site.map_or_else(String::new, |site| {
                        format!(" @{:x}", sites.get(site).offset)
                    });
                    let what = log::one_line(&kind.to_string());
                    writeln!(out, "#{number} {thread} {what}{at}")?;
                    if let Some(symbolizer) = &symbolizer {
                        let stack = site.into_iter().chain(reader.stack(thread));
                        for frame in stack.flat_map(|site| symbolizer.frames(sites.get(site))) {
                            let frame = log::one_line(&frame.to_string());
                            writeln!(out, "    at {frame}")?;
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some(stop) = file.stopped() {
            writeln!(out, "ended by {stop} here")?;
        } else if matches!(reader.end(), Some(TraceEnd::Truncated)) {
            writeln!(out, "the trace is truncated here")?;
        }
        Ok(())
    })
}

/// With separators, as text: a width counts for text only.
fn count_of(count: u64) -> String {
    HumanCount(count).to_string()
}

/// Locks that are listed.
const TOP: usize = 10;

pub(crate) fn stat(args: &FileArgs) -> Result<u8> {
    let (file, mut reader) = TraceFile::open(&args.file, args.bound.begin())?;
    let _orderly = signals::orderly();
    let mut counts = Statistics::default();
    while let Some(entry) = reader.next_entry().with_context(|| args.file.shown())? {
        let records = match entry {
            Entry::Records(_) => reader.records().count() as u64,
            _ => 0,
        };
        counts.add(&entry, records);
    }
    listing(&file, |out| {
        let bytes = file.len() as f64;
        writeln!(
            out,
            "{} events, {:.2} bytes of the file per event",
            HumanCount(counts.events),
            bytes / counts.events.max(1) as f64
        )?;
        let accesses: u64 = counts.threads.values().map(|thread| thread.records).sum();
        if accesses > 0 {
            writeln!(
                out,
                "{} accesses and calls, {:.2} bytes of the file each",
                HumanCount(accesses),
                bytes / accesses as f64
            )?;
        }
        writeln!(
            out,
            "{} decisions of the scheduler, {} answers of the host\n",
            HumanCount(counts.decisions),
            HumanCount(counts.answers)
        )?;
        if let Some(stop) = file.stopped() {
            writeln!(out, "Ended by {stop}: only these were read.\n")?;
        } else if let Some(TraceEnd::Truncated) = reader.end() {
            writeln!(out, "The trace is truncated after these.\n")?;
        }
        for (kind, count) in &counts.kinds {
            writeln!(out, "{:>12}  {kind}", count_of(*count))?;
        }
        writeln!(out, "\nthread        events      accesses and calls")?;
        for (thread, did) in &counts.threads {
            writeln!(
                out,
                "{:<8} {:>11} {:>23}",
                thread.to_string(),
                count_of(did.events),
                count_of(did.records)
            )?;
        }
        let mut locks: Vec<_> = counts
            .locks
            .iter()
            .filter(|(_, lock)| lock.acquires > 0)
            .collect();
        locks.sort_by_key(|(addr, lock)| {
            (
                std::cmp::Reverse(lock.waited),
                std::cmp::Reverse(lock.acquires),
                **addr,
            )
        });
        if !locks.is_empty() {
            writeln!(
                out,
                "\nlocks, the most waited for first    acquires   contended   events meanwhile"
            )?;
        }
        for (addr, lock) in locks.iter().take(TOP) {
            let name = lock.name.as_deref().map(log::one_line);
            let name = name.unwrap_or_else(|| format!("0x{addr:x}"));
            writeln!(
                out,
                "{name:<34} {:>9} {:>11} {:>18}",
                lock.acquires, lock.contended, lock.waited
            )?;
        }
        if locks.len() > TOP {
            writeln!(out, "and {} more", locks.len() - TOP)?;
        }
        if counts.left_out {
            writeln!(out, "\nFurther threads and locks were left out.")?;
        }
        Ok(())
    })
}
