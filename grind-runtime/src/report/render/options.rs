//! How to show a report.

use crate::report::render::source::Sources;
use derive_setters::Setters;

/// How to show a report, whatever its kind. Each kind takes from it what concerns it.
#[derive(Debug, Setters)]
#[non_exhaustive]
pub struct Options {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Show every frame, and names and paths in full.
    pub verbose: bool,
    /// Where excerpts come from.
    pub sources: Sources,
    /// How to say where sources are that were not found, if there is a way: what follows the note that names them.
    pub sources_hint: Option<&'static str>,
}

impl Default for Options {
    /// Plain text, 100 columns, no excerpts.
    fn default() -> Self {
        Options {
            color: false,
            width: 100,
            verbose: false,
            sources: Sources::none(),
            sources_hint: None,
        }
    }
}

impl Options {
    /// The same for text that goes into a file: without colours, and wide, as nobody knows the reader's screen.
    pub(in crate::report) fn plain(&self) -> Options {
        Options {
            color: false,
            width: 100,
            verbose: self.verbose,
            sources: self.sources.clone(),
            sources_hint: self.sources_hint,
        }
    }
}
