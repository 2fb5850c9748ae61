//! The timeline of a report: drawn from the trace of its run.

use crate::args::report::ReportArgs;
use crate::input::trace_file::TraceFile;
use crate::output::say::Shown as _;
use crate::process::bound::Bound;
use anyhow::{Context, Result};
use grind_runtime::interop::timeline::{self, Marker};
use grind_runtime::program::Program;
use grind_runtime::report::Report;
use grind_runtime::session;
use grind_runtime::trace::Detail;
use std::path::Path;
use std::sync::Arc;

/// Draws the report's timeline, if it is wanted. A light trace has no plain accesses: to mark those of races, it is run
/// again.
pub(crate) fn add_timeline(
    report: &mut Report,
    args: &ReportArgs,
    path: &Path,
    program: &Program,
    bound: Bound,
) -> Result<()> {
    if !args.wants_timeline() {
        return Ok(());
    }
    let shown = || path.shown();
    let (file, reader) = TraceFile::open(path, bound)?;
    let light = reader.header().detail == Detail::Light;
    let marker = Marker::new(Arc::clone(program.sites()), &report.findings);
    let marks = if light && !marker.is_done() {
        let heard = session::listen(program, || file.reader(), marker);
        Some(heard.with_context(shown)?.into_marks())
    } else {
        None
    };
    let mut drawn = timeline::timeline(reader, &report.findings).with_context(shown)?;
    if let Some(marks) = marks {
        drawn.marks = marks;
    }
    report.timeline = Some(drawn);
    if let Some(stop) = file.stopped() {
        let text = format!("the timeline was ended early, by {stop}");
        report.limits.push(text);
    }
    Ok(())
}
