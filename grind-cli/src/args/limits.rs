//! Which options set the limits that a report names: the library knows no options.

use grind_runtime::model::{LimitReached, Limits};
use grind_runtime::report::Report;
use std::collections::BTreeSet;

/// The option that sets a limit, if one does.
pub(crate) fn option(limit: LimitReached) -> Option<&'static str> {
    match limit {
        LimitReached::Threads => Some("max-threads"),
        LimitReached::Memory => Some("max-memory"),
        LimitReached::Steps => Some("max-steps"),
        LimitReached::Tables | LimitReached::Instances => None,
    }
}

/// Adds to what a report says of the limits that a run reached which options set them.
pub(crate) fn name_options(report: &mut Report, reached: &BTreeSet<LimitReached>, limits: &Limits) {
    for limit in reached {
        let Some(option) = option(*limit) else {
            continue;
        };
        let text = limit.text(limits);
        for line in report.limits.iter_mut().filter(|line| **line == text) {
            line.push_str(&format!(" (--{option})"));
        }
    }
}
