//! What a guest's source says of it: `//~` on lines, `//@` for the whole (`;;~`, `;;@` in WAT).

use std::collections::{BTreeMap, BTreeSet};

/// What a run of a guest has to show.
#[derive(Debug, Default)]
pub(crate) struct Expectations {
    /// Guest arguments.
    pub(crate) args: Vec<String>,
    /// Exit code, where it is not the usual one.
    pub(crate) exit: Option<u8>,
    /// Standard output, where it matters.
    pub(crate) stdout: Option<Vec<String>>,
    /// The finding shows in some schedules only.
    pub(crate) some_seeds: bool,
    /// Lines of the two accesses, ascending, by number of the finding.
    pub(crate) races: BTreeMap<u32, Vec<u32>>,
    /// Lines at which threads are blocked, by number of the finding.
    pub(crate) deadlocks: BTreeMap<u32, BTreeSet<u32>>,
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
            match kind {
                "race" => self.races.entry(number).or_default().push(line),
                "deadlock" => {
                    self.deadlocks.entry(number).or_default().insert(line);
                }
                "trap" => {
                    self.traps.insert(line);
                }
                _ => return Err(format!("unknown mark `{mark}`")),
            }
        }
        Ok(())
    }

    /// The prefix of the name decides the suite: it must say the same as the marks.
    fn consistent(&self, name: &str) -> Result<(), String> {
        if let Some((number, lines)) = self.races.iter().find(|(_, lines)| lines.len() != 2) {
            return Err(format!(
                "race({number}) stands at {} accesses, not 2",
                lines.len()
            ));
        }
        let said = [
            !self.races.is_empty(),
            !self.deadlocks.is_empty(),
            !self.traps.is_empty(),
        ];
        let prefix = name.split('_').next().unwrap_or_default();
        let meant = match prefix {
            "race" => [true, false, false],
            "deadlock" => [false, true, false],
            "trap" => [false, false, true],
            "norace" | "clean" => [false; 3],
            _ => return Err(format!("`{prefix}` is no suite")),
        };
        if said == meant {
            Ok(())
        } else {
            Err(format!("a `{prefix}` guest with these marks: {self:?}"))
        }
    }
}
