//! By how many schedules strategies find the bugs of the subjects (`test-programs/src/subjects`).
//!
//! ```text
//! cargo bench -p grind-runtime --bench subjects -- usual rff surw pos random
//! cargo bench -p grind-runtime --bench subjects -- --trials 5 --cap 100000 --only safe_stack usual
//! ```
//!
//! For each subject and strategy: the mean of the schedules to the first that shows the bug, over so many trials with seeds of their own, where a trial
//! that does not show it within the cap counts as the cap; in how many of the trials it was found, where not in all. Below, how many subjects are
//! found (the sum of the shares of trials that do), the geometric mean of the means, and schedules a second. The first columns are the least
//! number of preemptions that shows the bug, and the least mean that was published of a technique.
//!
//! Round-robin has one schedule, whatever the seed.

#![expect(clippy::print_stdout, reason = "a bench prints its tables")]

#[path = "../tests/subjects/table.rs"]
#[expect(dead_code, reason = "shared with tests")]
mod table;
#[path = "../tests/subjects/trials.rs"]
mod trials;

use clap::Parser;
use std::time::Instant;
use table::{ROWS, Row};

#[derive(Parser)]
struct Arguments {
    /// Strategies, each by itself or several in turns with a `+` between: `rff+surw`; `usual` are those of `grind check`.
    #[arg(default_values = ["usual", "random"])]
    strategies: Vec<String>,
    /// Trials of each subject and strategy.
    #[arg(long, default_value_t = 20)]
    trials: u64,
    /// Schedules of a trial at most.
    #[arg(long, default_value_t = 10_000)]
    cap: u64,
    /// Only subjects whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// What cargo gives to benches.
    #[arg(long, hide = true)]
    bench: bool,
}

/// What came of the trials of a subject.
struct Trials {
    found: u64,
    mean: f64,
}

impl Trials {
    fn of(row: &Row, strategy: &str, trials: u64, cap: u64) -> Trials {
        let (mut found, mut schedules) = (0, 0);
        for trial in 0..trials {
            // Far apart, so that no two trials have a seed in common.
            let first = trials::first_bug(row, &mut trials::rotation(strategy, trial << 32, cap));
            found += u64::from(first.is_some());
            schedules += first.unwrap_or(cap);
        }
        Trials {
            found,
            mean: schedules as f64 / trials as f64,
        }
    }

    fn text(&self, trials: u64) -> String {
        match self.found {
            0 => "–".to_owned(),
            found if found == trials => format!("{:.0}", self.mean),
            found => format!("{:.0} ({found}/{trials})", self.mean),
        }
    }
}

fn main() {
    let arguments = Arguments::parse();
    let rows: Vec<&Row> = ROWS
        .iter()
        .filter(|row| row.name().contains(&arguments.only))
        .collect();
    print!("{:<30} {:>5} {:>9}", "subject", "least", "published");
    arguments
        .strategies
        .iter()
        .for_each(|strategy| print!(" {strategy:>16}"));
    println!();
    let mut found = vec![0.0; arguments.strategies.len()];
    let mut logarithms = vec![0.0; arguments.strategies.len()];
    let mut rates = vec![(0.0, 0.0); arguments.strategies.len()];
    for row in &rows {
        let published = row.published.map(|mean| mean.to_string());
        print!(
            "{:<30} {:>5} {:>9}",
            row.name(),
            row.preemptions,
            published.unwrap_or_default()
        );
        for (nth, strategy) in arguments.strategies.iter().enumerate() {
            let begin = Instant::now();
            let trials = Trials::of(row, strategy, arguments.trials, arguments.cap);
            rates[nth].0 += trials.mean * arguments.trials as f64;
            rates[nth].1 += begin.elapsed().as_secs_f64();
            found[nth] += trials.found as f64 / arguments.trials as f64;
            logarithms[nth] += trials.mean.ln();
            print!(" {:>16}", trials.text(arguments.trials));
        }
        println!();
    }
    let summary = |name: &str, of: &dyn Fn(usize) -> f64| {
        print!("{name:<46}");
        (0..arguments.strategies.len()).for_each(|nth| print!(" {:>16.1}", of(nth)));
        println!();
    };
    summary(&format!("found of {}", rows.len()), &|nth| found[nth]);
    summary("geometric mean", &|nth| {
        (logarithms[nth] / rows.len() as f64).exp()
    });
    summary("schedules a second", &|nth| rates[nth].0 / rates[nth].1);
}
