//! What a report says besides findings, in sentences.

use crate::detect::AnalysisOutcome;
use crate::model::sites::SiteTable;
use crate::program::symbols::{Frame, Symbolizer};
use crate::report::finding::frames::place;
use crate::report::text;

/// Threads that somebody could have joined, and that ran still when the main thread ended: no defect.
pub(crate) fn still_running(
    analysis: &AnalysisOutcome,
    sites: &SiteTable,
    symbolizer: &Symbolizer,
) -> Option<String> {
    let (&first, others) = analysis.running.split_first()?;
    let info = (analysis.threads.iter()).find(|thread| thread.id == first);
    let who = text::thread_label(first, info.and_then(|info| info.name.as_deref()));
    let created = info.and_then(|info| info.created.as_ref());
    let stack: Vec<Frame> = created
        .map_or(&[][..], |(_, stack)| stack)
        .iter()
        .flat_map(|site| symbolizer.frames(sites.get(*site)))
        .collect();
    let place = place(&stack).and_then(|frame| Some((frame.file.as_ref()?, frame.line?)));
    let place = place.map_or_else(String::new, |(file, line)| {
        format!(", created at {file}:{line},")
    });
    let end = "still running when the main thread ended";
    Some(match others.len() as u64 {
        0 => format!("{who}{place} was {end}"),
        n => {
            let others = text::count(n, "other thread", "other threads");
            format!("{who}{place} and {others} were {end}")
        }
    })
}
