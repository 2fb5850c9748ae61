//! What changes a fingerprint and what does not.

use crate::support::{HANDLE_MISUSES, HEAP_MISUSES, MISUSES, Program, add, all_sites};
use crate::symbols::wat_with_lines;
use grind_runtime::detect::{Access, AccessKind, Diagnosed, Diagnosis};
use grind_runtime::model::ThreadId;
use grind_runtime::model::sites::{SiteId, SiteTable};
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::{Finding, Report};
use std::sync::Arc;

/// A race between the stores of two functions of a WAT module with lines.
struct Race {
    module: Arc<[u8]>,
    sites: SiteTable,
    first: SiteId,
    second: SiteId,
}

impl Race {
    fn new(text: &str) -> Race {
        let module = wat_with_lines(text);
        let mut sites = SiteTable::default();
        let mut stores = all_sites(&module)
            .into_iter()
            .filter(|(_, operator)| operator.starts_with("I32Store"))
            .map(|(site, _)| site);
        let first = sites.push(stores.next().expect("a store"));
        let second = sites.push(stores.next().expect("another store"));
        Race {
            module,
            sites,
            first,
            second,
        }
    }

    fn finding(&self, swapped: bool) -> Finding {
        let access = |thread, site| Access {
            thread: ThreadId(thread),
            addr: 8,
            len: 4,
            write: true,
            kind: AccessKind::Plain,
            stack: vec![site],
            locks: Vec::new(),
        };
        let (first, second) = if swapped {
            (access(2, self.second), access(1, self.first))
        } else {
            (access(1, self.first), access(2, self.second))
        };
        let diagnosed = Diagnosed {
            diagnosis: Diagnosis::DataRace {
                first,
                second,
                block: None,
                stack_place: None,
                history: None,
            },
            count: 1,
        };
        let symbolizer = Symbolizer::new(Arc::clone(&self.module));
        Finding::from_diagnosis(&diagnosed, &self.sites, &symbolizer, &[])
    }
}

const TEXT: &str = "(module
  (memory 1)
  (func $reader (i32.store (i32.const 8) (i32.const 1)))
  (func $writer (i32.store (i32.const 8) (i32.const 2))))";

#[test]
fn unrelated_edits_keep_it_and_others_do_not() {
    let original = Race::new(TEXT).finding(false);
    let moved = TEXT.replacen(
        "(memory 1)",
        "(memory 1)\n ;; moved\n\n (func $new nop)\n",
        1,
    );
    let moved = Race::new(&moved).finding(false);
    assert_ne!(original.places(), moved.places(), "the lines did move");
    assert_eq!(original.fingerprint, moved.fingerprint);

    let renamed = Race::new(&TEXT.replace("$writer", "$scribe")).finding(false);
    assert_ne!(original.fingerprint, renamed.fingerprint);
}

#[test]
fn the_order_of_the_accesses_does_not_matter() {
    let race = Race::new(TEXT);
    assert_eq!(
        race.finding(false).fingerprint,
        race.finding(true).fingerprint
    );
}

#[test]
fn levels_of_debug_information_do_not_matter() {
    let of = |name| {
        let program = Program::new(name);
        [
            program.race(),
            program.deadlock(),
            program.lost_wakeup(),
            program.inversion(),
            program.leak(),
            program.trap(),
        ]
        .into_iter()
        .chain(HEAP_MISUSES.map(|misuse| program.heap_misuse(misuse)))
        .chain(MISUSES.map(|misuse| program.misuse(misuse)))
        .chain(HANDLE_MISUSES.map(|misuse| program.handle_misuse(misuse)))
        .map(|diagnosis| program.finding(diagnosis, 1).fingerprint)
        .collect::<Vec<_>>()
    };
    assert_eq!(of("race-full"), of("race-lines"));
    assert_eq!(of("race-full"), of("race-v0"));
    let mut all = of("race-full");
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 22, "different findings, different fingerprints");
}

#[test]
fn the_depth_of_a_recursion_does_not_matter() {
    let program = Program::new("race-lines");
    let of = |depth: usize| {
        let mut race = program.race();
        if let Diagnosis::DataRace { first, .. } = &mut race {
            first.stack = program
                .store
                .iter()
                .copied()
                .cycle()
                .take(3 * depth)
                .collect();
        }
        program.finding(race, 1).fingerprint
    };
    assert_eq!(of(1), of(2));
    assert_eq!(of(1), of(50));
}

/// If this fails, everyone's baselines break: change the scheme's name along with the normalisation.
#[test]
fn the_scheme_is_what_it_was() {
    let program = Program::new("race-lines");
    let fingerprint = program.finding(program.race(), 1).fingerprint;
    assert_eq!(fingerprint.to_string(), "d3b20b7bbebb98ca");
}

#[test]
fn a_report_counts_what_it_has_and_keeps_other_lines_apart() {
    let race = Race::new(TEXT);
    let mut report = Report::default();
    assert!(add(&mut report, race.finding(false)));
    assert!(!add(&mut report, race.finding(true)));
    assert_eq!((report.findings.len(), report.findings[0].count), (1, 2));

    // Another race in the same functions, a line further down: the same fingerprint, another finding.
    let twice = TEXT.replace("(func $writer", "(func $writer\n");
    let other = Race::new(&twice).finding(false);
    assert_eq!(other.fingerprint, report.findings[0].fingerprint);
    assert!(add(&mut report, other));
    assert_eq!(report.findings.len(), 2);

    let mut last = race.finding(false);
    last.count = u64::MAX;
    assert!(!add(&mut report, last));
    assert_eq!(report.findings[0].count, u64::MAX);
}
