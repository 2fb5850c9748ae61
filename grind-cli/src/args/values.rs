//! How values of options are written.

use anstream::ColorChoice;
use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use grind_runtime::model::Strategy;
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

/// The strategies by their names.
pub(crate) fn strategies() -> impl TypedValueParser<Value = Strategy> {
    let rows = Strategy::ALL.iter();
    let values = rows.map(|(_, name, about)| PossibleValue::new(*name).help(*about));
    PossibleValuesParser::new(values)
        .try_map(|name| Strategy::from_name(&name).ok_or("no strategy has this name"))
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
    fn durations_and_sizes_read_as_people_write_them() {
        assert_eq!(duration("2"), Ok(Duration::from_secs(2)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert!(duration("0").is_err() && duration("soon").is_err());
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("4096"), Ok(4096));
        assert!(size("much").is_err());
    }
}
