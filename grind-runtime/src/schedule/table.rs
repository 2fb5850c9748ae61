//! The strategies that a user can name: a row each.

use super::{Replayed, Scheduler, pct, pos, random, rff, round_robin, surw};
use crate::model::{Schedule, Strategy};
use std::ops::RangeInclusive;
use std::str::FromStr;

/// All of them. To add one: its file, with a row, and the row here.
pub const STRATEGIES: &[Row] = &[
    round_robin::ROW,
    random::ROW,
    pct::ROW,
    pos::ROW,
    surw::ROW,
    rff::ROW,
];

/// A strategy.
#[derive(Debug)]
pub struct Row {
    /// What it is called.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// What can be said of it behind a colon, with commas between.
    pub parameters: &'static [Parameter],
    /// What can be said behind these, as a whole and any number of times.
    pub repeated: &'static [Parameter],
    /// Makes one of this seed, with a value for each parameter.
    pub(super) make: fn(u64, &[u32]) -> Box<dyn Scheduler>,
}

/// A parameter of a strategy.
#[derive(Debug)]
pub struct Parameter {
    /// What it is called where it is wrong.
    pub name: &'static str,
    /// Its value where none is given.
    pub default: u32,
    /// What it can be.
    pub range: RangeInclusive<u32>,
}

impl Parameter {
    /// Any number; 0 where none is given.
    pub(super) const fn any(name: &'static str) -> Parameter {
        Parameter {
            name,
            default: 0,
            range: 0..=u32::MAX,
        }
    }
}

/// Why a text names no strategy, or a strategy cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StrategyError {
    /// There is none of this name.
    #[error("there is no strategy `{name}`; there are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<&'static str>,
    },
    /// It does not have so many parameters.
    #[error("`{strategy}` has {has} parameters{}, not {given}", behind(*repeated))]
    Parameters {
        /// Which.
        strategy: &'static str,
        /// How many it has.
        has: usize,
        /// How many can be behind them, any number of times.
        repeated: usize,
        /// How many were given.
        given: usize,
    },
    /// A parameter cannot have this value.
    #[error("`{value}` is not a {parameter} of `{strategy}`, which is a number from {} to {}", range.start(), range.end())]
    Value {
        /// Of which.
        strategy: &'static str,
        /// Which of its parameters.
        parameter: &'static str,
        /// What was given.
        value: String,
        /// What it can be.
        range: RangeInclusive<u32>,
    },
}

fn behind(repeated: usize) -> String {
    match repeated {
        0 => String::new(),
        group => format!(" and groups of {group} behind them"),
    }
}

fn row(name: &str) -> Result<&'static Row, StrategyError> {
    let row = STRATEGIES.iter().find(|row| row.name == name);
    row.ok_or_else(|| StrategyError::Unknown {
        name: name.to_owned(),
        known: STRATEGIES.iter().map(|row| row.name).collect(),
    })
}

impl Row {
    /// A scheduler of this strategy, where nothing is said of its parameters.
    #[must_use]
    pub fn scheduler(&self, seed: u64) -> Box<dyn Scheduler> {
        let parameters: Vec<u32> = self.parameters.iter().map(|of| of.default).collect();
        (self.make)(seed, &parameters)
    }

    /// Takes the parameters that were given, which are numbers or not, and those of which nothing was said.
    fn parameters(&'static self, given: &[Result<u32, &str>]) -> Result<Vec<u32>, StrategyError> {
        let (has, repeated) = (self.parameters.len(), self.repeated.len());
        let behind = given.len().saturating_sub(has);
        if behind > 0 && behind.checked_rem(repeated) != Some(0) {
            return Err(StrategyError::Parameters {
                strategy: self.name,
                has,
                repeated,
                given: given.len(),
            });
        }
        let all = self.parameters.iter().chain(self.repeated.iter().cycle());
        let count = has.max(given.len());
        let values = all.take(count).enumerate().map(|(nth, parameter)| {
            let value = match given.get(nth) {
                None => return Ok(parameter.default),
                Some(Ok(value)) if parameter.range.contains(value) => return Ok(*value),
                Some(Ok(value)) => value.to_string(),
                Some(Err(text)) => (*text).to_owned(),
            };
            Err(StrategyError::Value {
                strategy: self.name,
                parameter: parameter.name,
                value,
                range: parameter.range.clone(),
            })
        });
        values.collect()
    }
}

impl FromStr for Strategy {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<Strategy, StrategyError> {
        let number = |text: &'_ str| text.trim().parse().ok();
        let (name, given) = match text.split_once(':') {
            Some((name, given)) => (
                name,
                given
                    .split(',')
                    .map(|text| number(text).ok_or(text))
                    .collect(),
            ),
            None => (text, Vec::new()),
        };
        let row = row(name)?;
        Ok(Strategy {
            name: row.name.into(),
            parameters: row.parameters(&given)?,
        })
    }
}

impl Strategy {
    /// Whether nothing was said of its parameters, or nothing else than what holds then.
    pub(crate) fn is_usual(&self) -> bool {
        row(&self.name).is_ok_and(|row| {
            let usual = row.parameters.iter().map(|of| of.default);
            self.parameters.is_empty() || usual.eq(self.parameters.iter().copied())
        })
    }

    /// A scheduler of this strategy.
    ///
    /// # Errors
    /// [`StrategyError`] if it comes from a file and is none that there is.
    pub fn scheduler(&self, seed: u64) -> Result<Box<dyn Scheduler>, StrategyError> {
        let row = row(&self.name)?;
        let given: Vec<_> = self.parameters.iter().copied().map(Ok).collect();
        Ok((row.make)(seed, &row.parameters(&given)?))
    }
}

impl Schedule {
    /// What decides so.
    ///
    /// # Errors
    /// [`StrategyError`] as [`Strategy::scheduler`].
    pub fn scheduler(&self) -> Result<Box<dyn Scheduler>, StrategyError> {
        match self {
            Schedule::Strategy { strategy, seed } => strategy.scheduler(*seed),
            Schedule::Decisions(decisions) => Ok(Box::new(Replayed::new(decisions.clone()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_a_strategy_by_its_name() {
        for row in STRATEGIES {
            let strategy: Strategy = row.name.parse().expect("a strategy");
            assert_eq!(strategy.parameters.len(), row.parameters.len());
            assert!(row.parameters.iter().all(|p| p.range.contains(&p.default)));
            // What it is called with all parameters is it as well.
            assert_eq!(strategy.to_string().parse(), Ok(strategy));
        }
        assert_eq!(
            Strategy::default().to_string().parse(),
            Ok(Strategy::default())
        );
    }

    #[test]
    fn what_names_none_says_why() {
        let error = |text: &str| text.parse::<Strategy>().expect_err("none").to_string();
        assert!(
            error("luck").starts_with("there is no strategy `luck`; there are round-robin, random")
        );
        assert_eq!(error("random:3"), "`random` has 0 parameters, not 1");
        let stranger = Strategy {
            name: "luck".into(),
            parameters: vec![7],
        };
        assert!(stranger.scheduler(1).is_err());
    }
}
