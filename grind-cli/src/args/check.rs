//! Which schedules of a program to run: the options of `grind check`, and of `cargo grind check`.

use super::guest::{GuestCommand, GuestFlags};
use super::values::{StrategyList, duration};
use clap::Args;
use grind_runtime::explore::SeedRange;
use std::num::{NonZeroU64, NonZeroUsize};
use std::time::Duration;

/// How to check: all but what.
#[derive(Clone, Debug, Args)]
pub(crate) struct CheckFlags {
    /// How many schedules to run, at most
    #[arg(
        long,
        value_name = "N",
        default_value = "1000",
        conflicts_with = "seeds"
    )]
    pub(crate) schedules: NonZeroU64,
    /// Begin no schedule after so much time (`60s`, `5m`; a bare number is seconds)
    ///
    /// A schedule that has not ended when twice the time, or a second more, has passed is ended, as by --timeout.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) time: Option<Duration>,
    /// Run a schedule for each of these seeds (`0..100`, `1..=8`), instead of 0..N
    #[arg(long, value_name = "A..B", allow_hyphen_values = true)]
    pub(crate) seeds: Option<SeedRange>,
    /// Strategies that make the schedules, in turns, with commas between [default: rff,surw,rff,surw,pos,pct]
    ///
    /// With the usual ones, and whenever `surw`, `rff` or `pct` are among them without parameters of their own, the first two schedules are
    /// round-robin and random: they show what to choose the others by. Of several, one in 64 is random besides.
    #[arg(long, value_name = "NAME[:N][,NAME]")]
    pub(crate) strategy: Option<StrategyList>,
    /// End at the first schedule with a finding that makes the command fail [default]
    #[arg(long, conflicts_with = "keep_going")]
    pub(crate) until_finding: bool,
    /// Run all schedules, whatever they show
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Runs at the same time [default: one for each core; 1 with --dir, as they share its files]
    #[arg(long, value_name = "N")]
    pub(crate) jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) guest: GuestFlags,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) flags: CheckFlags,
    #[command(flatten)]
    pub(crate) command: GuestCommand,
}
