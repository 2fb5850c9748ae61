//! The options that can be set elsewhere than on the command line: one table.

use super::trust::Guard;

/// An option that can be set elsewhere. Its name is that of the flag; clap knows the rest.
///
/// In files it stands at the top or in the table of a subcommand, `[replay]` or `[analyze]`, which counts first. In the
/// environment it is `GRIND_NAME` or `GRIND_REPLAY_NAME`.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    /// Whom the key at the top is for.
    pub(super) top: Top,
    /// Subcommands whose tables may have it.
    pub(super) tables: &'static [&'static str],
    /// Options it cannot be together with: of two, the one set closer to the command line stays.
    pub(super) excludes: &'static [&'static str],
    /// An option without which it means nothing.
    pub(super) needs: Option<&'static str>,
    /// What of it a file may not set by itself.
    pub(super) guard: Option<Guard>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// `grind run`, and what `cargo grind` runs. Another subcommand would write what a run wrote, or means something else.
    Run,
    /// Every subcommand that has the option.
    All,
    /// Nobody: it stands in tables only.
    Nobody,
}

/// Subcommands with tables of their own. `grind report` has none, for `report` is a list.
pub(super) const TABLES: &[&str] = &["replay", "analyze"];

/// Subcommands of `grind` whose options can be set.
pub(crate) const SUBCOMMANDS: &[&str] = &["run", "replay", "analyze", "report"];

const fn key(name: &'static str) -> Key {
    Key {
        name,
        top: Top::Run,
        tables: &[],
        excludes: &[],
        needs: None,
        guard: None,
    }
}

/// A key that means the same to every subcommand which has it.
const fn all(name: &'static str) -> Key {
    Key {
        top: Top::All,
        ..key(name)
    }
}

/// One that all have.
const fn shared(name: &'static str) -> Key {
    all(name).also(TABLES)
}

/// A key of these tables only.
const fn own(name: &'static str, tables: &'static [&'static str]) -> Key {
    Key {
        top: Top::Nobody,
        ..key(name).also(tables)
    }
}

impl Key {
    const fn also(self, tables: &'static [&'static str]) -> Key {
        Key { tables, ..self }
    }

    const fn excludes(self, excludes: &'static [&'static str]) -> Key {
        Key { excludes, ..self }
    }

    const fn needs(self, other: &'static str) -> Key {
        Key {
            needs: Some(other),
            ..self
        }
    }

    const fn guarded(self, guard: Guard) -> Key {
        Key {
            guard: Some(guard),
            ..self
        }
    }

    /// Under which names a subcommand finds it, the one that counts first at the beginning.
    pub(crate) fn names(&self, subcommand: &str) -> impl Iterator<Item = String> {
        let own = self.tables.contains(&subcommand);
        let top = match self.top {
            Top::Run => !["replay", "analyze", "report"].contains(&subcommand),
            Top::All => true,
            Top::Nobody => false,
        };
        let own = own.then(|| format!("{subcommand}.{}", self.name));
        own.into_iter().chain(top.then(|| self.name.to_owned()))
    }

    /// All names it has.
    pub(crate) fn all_names(&self) -> impl Iterator<Item = String> {
        let top = (self.top != Top::Nobody).then(|| self.name.to_owned());
        let tables = self.tables.iter();
        top.into_iter()
            .chain(tables.map(|table| format!("{table}.{}", self.name)))
    }
}

/// The variable that sets the key of this name.
pub(super) fn variable(name: &str) -> String {
    format!("GRIND_{}", name.replace(['-', '.'], "_").to_uppercase())
}

/// All of them, in the order of `--help`.
pub(crate) const KEYS: &[Key] = &[
    key("seed").excludes(&["seeds"]),
    key("seeds").excludes(&["seed", "trace", "trace-file", "embed-module"]),
    key("jobs").needs("seeds"),
    key("fail-fast").needs("seeds"),
    key("scheduler"),
    key("trace")
        .also(&["replay"])
        .excludes(&["seeds"])
        .guarded(Guard::Trace),
    key("trace-file")
        .also(&["replay"])
        .excludes(&["seeds"])
        .guarded(Guard::Write),
    key("embed-module").also(&["replay"]).excludes(&["seeds"]),
    key("invoke"),
    key("after-start").needs("invoke"),
    key("wait-for-threads"),
    key("env").guarded(Guard::Variable),
    key("dir").guarded(Guard::Directory),
    all("timeout").also(&["replay"]),
    key("max-steps"),
    key("max-threads"),
    key("max-memory"),
    key("initial-memory"),
    key("no-detect").also(&["replay"]).guarded(Guard::Blind),
    key("halt-on-error"),
    own("module", TABLES).guarded(Guard::Read),
    own("analysis", &["analyze"]),
    own("time", &["analyze"]),
    own("memory", &["analyze"]),
    own("confirm", &["analyze"]),
    shared("suppressions").guarded(Guard::Read),
    key("deny-unused-suppressions"),
    shared("fail-on").guarded(Guard::FailOn),
    shared("baseline").guarded(Guard::Read),
    key("report").also(TABLES).guarded(Guard::Report),
    shared("format"),
    shared("strip-prefix"),
    shared("remap"),
    shared("source").guarded(Guard::Read),
    shared("quiet").excludes(&["verbose"]),
    shared("verbose").excludes(&["quiet"]),
];

/// Names of all keys.
pub(super) fn names() -> impl Iterator<Item = String> {
    KEYS.iter().flat_map(Key::all_names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keys_say_of_others_are_keys() {
        for key in KEYS {
            for other in key.excludes.iter().copied().chain(key.needs) {
                assert!(
                    KEYS.iter().any(|key| key.name == other),
                    "{}: {other}",
                    key.name
                );
            }
        }
    }

    #[test]
    fn variables_do_not_clash() {
        let mut variables: Vec<String> = names().map(|name| variable(&name)).collect();
        variables.sort();
        let all = variables.len();
        variables.dedup();
        assert_eq!(variables.len(), all);
    }
}
