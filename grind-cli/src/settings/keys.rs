//! The options that can be set elsewhere than on the command line: those that clap knows, and what it cannot know of them.

use super::trust::Guard;
use crate::args::argument::is_path;
use clap::{Arg, Command};

/// An option that can be set elsewhere. Its name is that of the flag.
///
/// In files it stands at the top or in the table of a subcommand, `[check]`, `[replay]` or `[analyze]`, which counts first. In the
/// environment it is `GRIND_NAME` or `GRIND_REPLAY_NAME`.
#[derive(Debug)]
pub(crate) struct Key {
    pub(super) name: String,
    /// Whom the key at the top is for.
    pub(super) top: Top,
    /// Subcommands whose tables may have it.
    pub(super) tables: Vec<&'static str>,
    /// What of it a file may not set by itself.
    pub(super) guard: Option<Guard>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Top {
    /// `grind run` and `grind check`, and what `cargo grind` runs. Another subcommand would write what a run wrote, or means something else.
    Run,
    /// Every subcommand that has the option.
    All,
    /// Nobody: it stands in tables only.
    Nobody,
}

/// Subcommands with tables of their own. `grind report` has none, for `report` is a list.
pub(super) const TABLES: &[&str] = &["check", "replay", "analyze"];

/// Subcommands of `grind` whose options can be set.
pub(crate) const SUBCOMMANDS: &[&str] = &["run", "check", "replay", "analyze", "report"];

/// Options that are given on the command line or not at all.
pub(crate) const ONLY_GIVEN: &[&str] = &[
    // Where settings are read, and how far they are trusted, is not for settings to say.
    "config",
    "trust-config",
    // Questions about one trace.
    "at",
    "thread",
    "watch",
    // A trace that lacks its end would pass.
    "allow-truncated",
    // Asked for once.
    "gen-suppressions",
    "color",
    "help",
    "version",
];

/// Options of `grind run` that mean the same to every subcommand which has them: at the top they are set for all.
pub(crate) const FOR_ALL: &[&str] = &[
    "timeout",
    "suppressions",
    "fail-on",
    "baseline",
    "format",
    "strip-prefix",
    "remap",
    "source",
    "quiet",
    "verbose",
];

/// What of an option takes trust. Of one that has no row and whose values are paths it is `Guard::Write`: what is done with the path
/// is not known.
pub(crate) const GUARDS: &[(&str, Guard)] = &[
    ("trace", Guard::Trace),
    ("env", Guard::Variable),
    ("dir", Guard::Directory),
    ("no-detect", Guard::Blind),
    ("suppressions", Guard::Read),
    ("fail-on", Guard::FailOn),
    ("baseline", Guard::Read),
    ("report", Guard::Report),
    ("schedule", Guard::Read),
    ("source", Guard::Read),
    ("module", Guard::Read),
];

impl Key {
    /// Under which names a subcommand finds it, the one that counts first at the beginning.
    pub(super) fn names(&self, subcommand: &str) -> impl Iterator<Item = String> {
        let own = self.tables.contains(&subcommand);
        let top = match self.top {
            Top::Run => !["replay", "analyze", "report"].contains(&subcommand),
            Top::All => true,
            Top::Nobody => false,
        };
        let own = own.then(|| format!("{subcommand}.{}", self.name));
        own.into_iter().chain(top.then(|| self.name.clone()))
    }

    /// All names it has.
    pub(super) fn all_names(&self) -> impl Iterator<Item = String> {
        let top = (self.top != Top::Nobody).then(|| self.name.clone());
        let tables = self.tables.iter();
        top.into_iter()
            .chain(tables.map(|table| format!("{table}.{}", self.name)))
    }
}

/// The variable that sets the key of this name.
pub(crate) fn variable(name: &str) -> String {
    format!("GRIND_{}", name.replace(['-', '.'], "_").to_uppercase())
}

fn guard(argument: &Arg) -> Option<Guard> {
    let name = argument.get_long()?;
    let row = GUARDS.iter().find(|(of, _)| *of == name);
    row.map(|(_, guard)| *guard)
        .or_else(|| is_path(argument).then_some(Guard::Write))
}

/// All keys.
#[derive(Debug)]
pub(crate) struct Keys(Vec<Key>);

impl Keys {
    /// Those that are options of `grind`: of `grind run` in the order of its help, then what others have for themselves.
    pub(crate) fn of(grind: &Command) -> Keys {
        let mut keys: Vec<Key> = Vec::new();
        for subcommand in ["run"].iter().chain(TABLES).copied() {
            let command = grind.find_subcommand(subcommand);
            for argument in command.into_iter().flat_map(Command::get_arguments) {
                let Some(name) = argument.get_long() else {
                    continue;
                };
                if ONLY_GIVEN.contains(&name) {
                    continue;
                }
                let at = keys.iter().position(|key| key.name == name);
                let at = at.unwrap_or_else(|| {
                    keys.push(Key {
                        name: name.to_owned(),
                        top: Top::Nobody,
                        tables: Vec::new(),
                        guard: guard(argument),
                    });
                    keys.len() - 1
                });
                let is_for_all = FOR_ALL.contains(&name);
                match subcommand {
                    "run" if is_for_all => keys[at].top = Top::All,
                    "run" => keys[at].top = Top::Run,
                    table => keys[at].tables.push(table),
                }
            }
        }
        Keys(keys)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// Names of all of them.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        self.iter().flat_map(Key::all_names)
    }
}
