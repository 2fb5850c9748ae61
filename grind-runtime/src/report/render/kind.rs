//! The kinds of reports: one table, from which the command line, its help and the documentation come.

use crate::report::finding::summary::Report;
#[cfg(feature = "html")]
use crate::report::render::html;
use crate::report::render::options::Options;
use crate::report::render::{github, gitlab, human, json, markdown, tsan};
#[cfg(feature = "reports")]
use crate::report::render::{junit, sarif};

/// What a report is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// For a person at a terminal.
    Human,
    /// All that is known.
    Json,
    /// Static analysis results, as code hosts read them.
    #[cfg(feature = "reports")]
    Sarif,
    /// Test results, as CI servers read them.
    #[cfg(feature = "reports")]
    Junit,
    /// Workflow commands of GitHub Actions.
    Github,
    /// Code Quality of GitLab.
    Gitlab,
    /// For comments and summaries.
    Markdown,
    /// One file to look at in a browser.
    #[cfg(feature = "html")]
    Html,
    /// ThreadSanitizer's shape.
    Tsan,
}

/// What there is to know of a kind.
struct Row {
    kind: Kind,
    name: &'static str,
    about: &'static str,
    render: fn(&Report, &Options) -> String,
}

const TABLE: &[Row] = &[
    Row {
        kind: Kind::Human,
        name: "human",
        about: "text with source excerpts, for a person",
        render: human::render,
    },
    Row {
        kind: Kind::Json,
        name: "json",
        about: "all that is known, in a versioned schema; `grind report` makes any other kind of it",
        render: |report, _| json::to_string(report),
    },
    #[cfg(feature = "reports")]
    Row {
        kind: Kind::Sarif,
        name: "sarif",
        about: "SARIF 2.1.0, for code scanning",
        render: sarif::render,
    },
    #[cfg(feature = "reports")]
    Row {
        kind: Kind::Junit,
        name: "junit",
        about: "JUnit XML, for CI servers that show tests",
        render: junit::render,
    },
    Row {
        kind: Kind::Github,
        name: "github",
        about: "workflow commands of GitHub Actions, which annotate lines; at most ten",
        render: github::render,
    },
    Row {
        kind: Kind::Gitlab,
        name: "gitlab",
        about: "Code Quality of GitLab, which merge requests show at the lines",
        render: gitlab::render,
    },
    Row {
        kind: Kind::Markdown,
        name: "markdown",
        about: "Markdown, for comments and summaries",
        render: markdown::render,
    },
    #[cfg(feature = "html")]
    Row {
        kind: Kind::Html,
        name: "html",
        about: "one file to look at in a browser, without a network",
        render: html::render,
    },
    Row {
        kind: Kind::Tsan,
        name: "tsan",
        about: "the text shape of ThreadSanitizer, for tools that read its logs",
        render: tsan::render,
    },
];

impl Kind {
    /// Every kind, in the order in which they are listed.
    pub fn all() -> impl Iterator<Item = Kind> {
        TABLE.iter().map(|row| row.kind)
    }

    fn row(self) -> &'static Row {
        let found = TABLE.iter().find(|row| row.kind == self);
        found.expect("every kind has a row")
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// What it is, in a line.
    #[must_use]
    pub fn about(self) -> &'static str {
        self.row().about
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Kind> {
        let found = TABLE.iter().find(|row| row.name == name);
        found.map(|row| row.kind)
    }

    /// The report as text of this kind.
    #[must_use]
    pub fn render(self, report: &Report, options: &Options) -> String {
        (self.row().render)(report, options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_kinds() {
        for kind in Kind::all() {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert!(!kind.about().is_empty());
        }
        assert_eq!(Kind::from_name("xml"), None);
    }
}
