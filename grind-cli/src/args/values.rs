//! How values of options are written.

use anstream::ColorChoice;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::{Arg, Command, ValueEnum};
use grind_runtime::model::Strategy;
use grind_runtime::schedule::{STRATEGIES, StrategyError};
use std::ffi::OsStr;
use std::str::FromStr;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Even in a pipe
    Always,
    /// Not at all
    Never,
}

impl Color {
    /// Makes it the choice of every stream of this process.
    pub(crate) fn write_global(self) {
        match self {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
        .write_global();
    }
}

/// The strategies by their names, maybe with parameters.
#[derive(Clone)]
pub(crate) struct Strategies;

impl TypedValueParser for Strategies {
    type Value = Strategy;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Strategy, clap::Error> {
        let parser = StringValueParser::new().try_map(|text| text.parse::<Strategy>());
        parser.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let values = STRATEGIES.iter();
        let values = values.map(|row| PossibleValue::new(row.name).help(row.about));
        Some(Box::new(values))
    }
}

/// Several of them with commas between, which can be between parameters as well.
#[derive(Clone, Debug, Default)]
pub(crate) struct StrategyList(pub(crate) Vec<Strategy>);

impl FromStr for StrategyList {
    type Err = StrategyError;

    fn from_str(text: &str) -> Result<StrategyList, StrategyError> {
        let mut names: Vec<String> = Vec::new();
        for piece in text.split(',') {
            // No name begins with a digit, and no parameter with anything else.
            let is_parameter = piece
                .trim()
                .starts_with(|first: char| first.is_ascii_digit());
            match names.last_mut() {
                Some(name) if is_parameter && name.contains(':') => {
                    name.push(',');
                    name.push_str(piece);
                }
                _ => names.push(piece.trim().to_owned()),
            }
        }
        let strategies = names.iter().map(|name| name.parse());
        strategies.collect::<Result<_, _>>().map(StrategyList)
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let duration = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string())?,
    };
    if duration.is_zero() {
        return Err("a run needs some time".to_owned());
    }
    Ok(duration)
}

pub(crate) fn size(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>().map(|size| size.as_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strategies_are_listed_with_their_parameters() {
        let names = |text: &str| {
            let list: StrategyList = text
                .parse()
                .map_err(|error: StrategyError| error.to_string())?;
            Ok(list.0.iter().map(ToString::to_string).collect())
        };
        let is = |names: &[&str]| Ok(names.iter().map(|&name| name.to_owned()).collect());
        let same: Result<Vec<String>, String> = is(&["pos", "pct:3,90", "random"]);
        assert_eq!(names("pos,pct:3,90,random"), same);
        assert_eq!(names("pos, pct:3, 90, random"), same);
        assert_eq!(names("rff"), is(&["rff"]));
        for bad in ["", "pos,", "pos,7", "7", "pos,,pct", "pos:3"] {
            assert!(names(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_and_sizes_read_as_people_write_them() {
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert!(duration("0").is_err() && duration("soon").is_err());
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("4096"), Ok(4096));
        assert!(size("much").is_err());
    }
}
