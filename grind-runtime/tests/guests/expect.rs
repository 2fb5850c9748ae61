//! What a guest's source says of it: `//~` on lines, `//@` for the whole (`;;~`, `;;@` in WAT).

use grind_runtime::report::FindingKind;
use std::collections::{BTreeMap, BTreeSet};

/// A finding that is expected: its kind, and the number in its marks.
pub(crate) type Expected = (FindingKind, u32);

/// Kinds of findings in `heap_` guests.
const HEAP: [FindingKind; 3] = [
    FindingKind::HeapUseAfterFree,
    FindingKind::DoubleFree,
    FindingKind::InvalidFree,
];

/// Kinds of findings in `misuse_` guests.
const MISUSES: [FindingKind; 13] = [
    FindingKind::UnlockNotHeld,
    FindingKind::UnlockByOtherThread,
    FindingKind::DestroyHeldLock,
    FindingKind::CondvarWaitWithoutLock,
    FindingKind::UseAfterDestroy,
    FindingKind::DoubleDestroy,
    FindingKind::DestroyInUse,
    FindingKind::InitHeldLock,
    FindingKind::Relock,
    FindingKind::LockHeldAtThreadEnd,
    FindingKind::DoubleJoin,
    FindingKind::JoinDetached,
    FindingKind::DoubleDetach,
];

/// Whether nothing is to be found in a guest of this name.
pub(crate) fn is_correct(name: &str) -> bool {
    let prefix = name.split('_').next();
    prefix.is_some_and(|prefix| ["norace", "noinversion", "clean"].contains(&prefix))
}

/// What a run of a guest has to show.
#[derive(Debug, Default)]
pub(crate) struct Expectations {
    /// Guest arguments.
    pub(crate) args: Vec<String>,
    /// Exit code, where it is not the usual one.
    pub(crate) exit: Option<u8>,
    /// Standard output, where it matters.
    pub(crate) stdout: Option<Vec<String>>,
    /// What reports with findings say, each somewhere, with any address for `0x…`.
    pub(crate) says: Vec<String>,
    /// The run is ended after so many instructions: the guest does not end by itself.
    pub(crate) steps: Option<u64>,
    /// The finding shows in some schedules only.
    pub(crate) some_seeds: bool,
    /// Lines of the finding, ascending: of a race both, of others each once.
    pub(crate) findings: BTreeMap<Expected, Vec<u32>>,
    /// Lines that trap.
    pub(crate) traps: BTreeSet<u32>,
}

impl Expectations {
    pub(crate) fn read(name: &str, source: &str) -> Result<Self, String> {
        let mut expected = Expectations::default();
        for (number, line) in (1..).zip(source.lines()) {
            let marked = |marks: [&str; 2]| marks.iter().find_map(|mark| line.split_once(mark));
            if let Some((_, header)) = marked(["//@ ", ";;@ "]) {
                expected
                    .header(header)
                    .map_err(|problem| format!("line {number}: {problem}"))?;
            } else if let Some((_, marks)) = marked(["//~ ", ";;~ "]) {
                expected
                    .marks(number, marks)
                    .map_err(|problem| format!("line {number}: {problem}"))?;
            }
        }
        expected.consistent(name)?;
        Ok(expected)
    }

    pub(crate) fn arguments(&self, name: &str) -> Vec<Vec<u8>> {
        let words = std::iter::once(name).chain(self.args.iter().map(String::as_str));
        words.map(|word| word.as_bytes().to_vec()).collect()
    }

    /// Whether a run with or without findings may end so.
    pub(crate) fn exit_code(&self, findings: bool) -> u8 {
        match self.exit {
            _ if findings => 66,
            Some(code) => code,
            None if self.traps.is_empty() => 0,
            None => 134,
        }
    }

    fn header(&mut self, header: &str) -> Result<(), String> {
        let (key, value) = header.split_once(':').ok_or("a header is `key: value`")?;
        let value = value.trim();
        match key {
            "args" => self.args = value.split_whitespace().map(str::to_owned).collect(),
            "exit" => self.exit = Some(value.parse().map_err(|_| "an exit code is a number")?),
            "stdout" => self.stdout.get_or_insert_default().push(value.to_owned()),
            "steps" => self.steps = Some(value.parse().map_err(|_| "steps are a number")?),
            "says" => self.says.push(value.to_owned()),
            "seeds" if value == "some" => self.some_seeds = true,
            _ => return Err(format!("unknown header `{header}`")),
        }
        Ok(())
    }

    fn marks(&mut self, line: u32, marks: &str) -> Result<(), String> {
        for mark in marks.split_whitespace() {
            let (kind, number) = match mark.split_once('(') {
                Some((kind, rest)) => {
                    let number = rest
                        .strip_suffix(')')
                        .and_then(|number| number.parse().ok());
                    (
                        kind,
                        number.ok_or_else(|| format!("`{mark}` has no number"))?,
                    )
                }
                None => (mark, 0),
            };
            let kind = match kind {
                "trap" => {
                    self.traps.insert(line);
                    continue;
                }
                "race" => FindingKind::DataRace,
                _ => {
                    FindingKind::from_name(kind).ok_or_else(|| format!("unknown mark `{mark}`"))?
                }
            };
            let lines = self.findings.entry((kind, number)).or_default();
            if kind == FindingKind::DataRace || !lines.contains(&line) {
                lines.push(line);
            }
        }
        Ok(())
    }

    /// The prefix of the name decides the suite: it must say the same as the marks.
    fn consistent(&self, name: &str) -> Result<(), String> {
        let two = |((kind, _), lines): &(&Expected, &Vec<u32>)| {
            *kind == FindingKind::DataRace && lines.len() != 2
        };
        if let Some(((_, number), lines)) = self.findings.iter().find(two) {
            return Err(format!(
                "race({number}) stands at {} accesses, not 2",
                lines.len()
            ));
        }
        let kinds: BTreeSet<FindingKind> = self.findings.keys().map(|(kind, _)| *kind).collect();
        let prefix = name.split('_').next().unwrap_or_default();
        let (mut kinds_meant, mut trap_meant) = (BTreeSet::new(), false);
        match prefix {
            // A wrong use of a lock may be what hides a race, or makes threads wait.
            "race" | "deadlock" => {
                kinds_meant.extend(kinds.intersection(&MISUSES.into()));
                kinds_meant.insert(match prefix {
                    "race" => FindingKind::DataRace,
                    _ => FindingKind::Deadlock,
                });
            }
            "inversion" => kinds_meant.extend([FindingKind::LockOrderInversion]),
            "heap" => kinds_meant.extend(kinds.intersection(&HEAP.into())),
            "misuse" => kinds_meant.extend(kinds.intersection(&MISUSES.into())),
            "trap" => trap_meant = true,
            _ if is_correct(name) => {}
            _ => return Err(format!("`{prefix}` is no suite")),
        }
        // Where a schedule does not deadlock, the order of the locks can show.
        if ["heap", "misuse"].contains(&prefix) && kinds_meant.is_empty() {
            return Err(format!("a `{prefix}` guest without a mark"));
        }
        let mut said = kinds;
        if prefix == "deadlock" && self.some_seeds {
            said.remove(&FindingKind::LockOrderInversion);
        }
        if said == kinds_meant && trap_meant != self.traps.is_empty() {
            Ok(())
        } else {
            Err(format!("a `{prefix}` guest with these marks: {self:?}"))
        }
    }
}
