//! Which findings make a run fail.

use crate::detect::common::kind::Group;
use crate::report::finding::{Finding, FindingKind};
use std::fmt;
use std::str::FromStr;

/// Which findings make a run fail: kinds and groups, by their names. Those that a baseline knows never do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailOn {
    /// Most important first.
    kinds: Vec<FindingKind>,
}

impl Default for FailOn {
    /// All of them.
    fn default() -> Self {
        let kinds = FindingKind::ALL.to_vec();
        FailOn { kinds }
    }
}

/// A word that names neither a kind nor a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind of finding `{word}`{}; groups are {}, and kinds are {}", hint(.word), groups(), kinds())]
pub struct UnknownKind {
    word: String,
}

fn groups() -> String {
    let names = Group::ALL.map(|(_, name)| name);
    format!("all, none, {}", names.join(", "))
}

fn kinds() -> String {
    FindingKind::ALL.map(FindingKind::name).join(", ")
}

fn hint(word: &str) -> String {
    let names = Group::ALL.map(|(_, name)| name);
    let known = (names.into_iter())
        .chain(FindingKind::ALL.map(FindingKind::name))
        .chain(["all", "none"]);
    let nearest = known
        .map(|name| (strsim::damerau_levenshtein(word, name), name))
        .min();
    match nearest {
        Some((1..=2, name)) => format!("; did you mean `{name}`?"),
        _ => String::new(),
    }
}

impl FromStr for FailOn {
    type Err = UnknownKind;

    /// Words with commas between them. A word that is both means the group.
    fn from_str(text: &str) -> Result<FailOn, UnknownKind> {
        let mut kinds = Vec::new();
        for word in text.split(',').map(str::trim) {
            let group = Group::ALL.iter().find(|(_, name)| *name == word);
            match (word, group, FindingKind::from_name(word)) {
                ("all", ..) => kinds.extend(FindingKind::ALL),
                ("none", ..) => {}
                (_, Some((group, _)), _) => {
                    let all = FindingKind::ALL.into_iter();
                    kinds.extend(all.filter(|kind| kind.rule().group == *group));
                }
                (_, None, Some(kind)) => kinds.push(kind),
                (_, None, None) => {
                    let word = crate::report::text::clean(&crate::report::text::shorten(word, 60));
                    return Err(UnknownKind { word });
                }
            }
        }
        let all = FindingKind::ALL.into_iter();
        Ok(FailOn {
            kinds: all.filter(|kind| kinds.contains(kind)).collect(),
        })
    }
}

impl fmt::Display for FailOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kinds.is_empty() {
            return f.write_str("none");
        }
        let names: Vec<_> = self.kinds.iter().map(|kind| kind.name()).collect();
        f.write_str(&names.join(","))
    }
}

impl FailOn {
    /// Whether findings of this kind make a run fail.
    #[must_use]
    pub fn has(&self, kind: FindingKind) -> bool {
        kind == FindingKind::Trap || self.kinds.contains(&kind)
    }

    /// Whether this finding makes a run fail. A trap always does, as it would without grind.
    #[must_use]
    pub fn fails(&self, finding: &Finding) -> bool {
        self.has(finding.kind) && !finding.is_known()
    }

    /// Whether any of them does.
    pub fn any<'a>(&self, findings: impl IntoIterator<Item = &'a Finding>) -> bool {
        findings.into_iter().any(|finding| self.fails(finding))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> String {
        text.parse::<FailOn>()
            .map_or_else(|e| e.to_string(), |fail| fail.to_string())
    }

    #[test]
    fn groups_and_kinds() {
        assert_eq!("all".parse(), Ok(FailOn::default()));
        assert_eq!(names("none"), "none");
        assert_eq!(names("race, deadlock"), "data-race,deadlock,lost-wakeup");
        assert_eq!(names("lost-wakeup,lost-wakeup"), "lost-wakeup");
        assert_eq!(names("lock-order"), "lock-order-inversion");
        assert_eq!(names("leak"), "thread-leak");
        let of_group = |kind: &FindingKind| kind.rule().group == Group::Misuse;
        let misuse = FindingKind::ALL.into_iter().filter(of_group);
        let misuse: Vec<&str> = misuse.map(FindingKind::name).collect();
        assert!(misuse.len() > 10);
        assert_eq!(names("misuse"), misuse.join(","));
    }

    #[test]
    fn every_kind_is_in_a_group() {
        let all = Group::ALL.map(|(_, name)| name).join(",");
        assert_eq!(all.parse(), Ok(FailOn::default()));
    }

    #[test]
    fn an_unknown_word_lists_the_known_ones() {
        let error = names("rcae");
        assert!(
            error.starts_with(
                "unknown kind of finding `rcae`; did you mean `race`?; groups are all, none, race"
            ),
            "{error}"
        );
        assert!(error.contains("thread-leak"));
        for bad in ["", "race,", "Race!"] {
            assert!(bad.parse::<FailOn>().is_err(), "{bad}");
        }
    }
}
