//! `grind trace diff`

use crate::args::bound::BoundArgs;
use crate::input::trace_file::TraceFile;
use crate::output::say::{Form, Lines, Shown as _};
use crate::process::signals;
use anyhow::{Context, Result};
use clap::Args;
use grind_runtime::model::Event;
use grind_runtime::report::log;
use grind_runtime::session::{ExitCode, TraceInput};
use grind_runtime::trace::{Entry, TraceReader};
use std::io::Write as _;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// One trace
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The other
    #[arg(value_name = "B")]
    b: PathBuf,
    #[command(flatten)]
    bound: BoundArgs,
}

/// The next event; plain accesses and decisions of the scheduler show in these.
fn next(reader: &mut TraceReader<TraceInput>, path: &Path) -> Result<Option<Event>> {
    loop {
        match reader.next_entry().with_context(|| path.shown())? {
            Some(Entry::Event(event)) => return Ok(Some(event)),
            Some(_) => {}
            None => return Ok(None),
        }
    }
}

pub(crate) fn diff(args: &DiffArgs) -> Result<u8> {
    let bound = args.bound.begin();
    let (file_a, mut a) = TraceFile::open(&args.a, bound)?;
    let (file_b, mut b) = TraceFile::open(&args.b, bound)?;
    let _orderly = signals::orderly();
    let mut out = Lines::new(anstream::stdout(), Form::Text);
    let (header_a, header_b) = (a.header().clone(), b.header().clone());
    if header_a.module_hash != header_b.module_hash {
        writeln!(
            out,
            "of other modules: {} and {}",
            header_a.module_hash, header_b.module_hash
        )?;
    }
    for number in 1u64.. {
        let (one, other) = (next(&mut a, &args.a)?, next(&mut b, &args.b)?);
        if (one.is_none() || other.is_none())
            && let Some(stop) = file_a.stopped().or_else(|| file_b.stopped())
        {
            let same = number - 1;
            writeln!(out, "the first {same} events are the same; ended by {stop}")?;
            return Ok(stop.exit_code().code());
        }
        if one.is_none() && other.is_none() {
            writeln!(out, "the same {} events", number - 1)?;
            break;
        }
        if one != other {
            let text = |event: &Option<Event>| match event {
                Some(event) => log::one_line(&event.to_string()),
                None => "the end".to_owned(),
            };
            writeln!(out, "the runs part at event {number}")?;
            for (path, event) in [(&args.a, &one), (&args.b, &other)] {
                writeln!(out, "  {}: {}", path.shown(), text(event))?;
            }
            return Ok(ExitCode::Diverged.code());
        }
    }
    Ok(0)
}
