//! How to run a program: the options that `grind run` and `cargo grind` share.

use super::guest::{GuestCommand, GuestFlags};
use super::trace::TraceArgs;
use super::values::Strategies;
use clap::Args;
use grind_runtime::explore::SeedRange;
use grind_runtime::model::Strategy;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// How to run: all but what.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunFlags {
    /// Seed of the schedule and of the guest's randomness
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub(crate) seed: u64,
    /// Run under each of these seeds, on all cores, and merge what they show (`0..100`, `1..=8`)
    ///
    /// What the guest writes to its standard streams under the first seed is printed, of the others it is dropped. Its input is read
    /// once and given to every run.
    /// --timeout and --max-steps hold for each run.
    #[arg(long, value_name = "A..B", allow_hyphen_values = true, conflicts_with_all = ["seed", "trace", "trace_file", "embed_module"])]
    pub(crate) seeds: Option<SeedRange>,
    /// With --seeds: runs at the same time [default: one for each core; 1 with --dir, as they share its files]
    #[arg(long, value_name = "N", requires = "seeds")]
    pub(crate) jobs: Option<NonZeroUsize>,
    /// With --seeds: end at the first seed with a finding that makes the command fail
    #[arg(long, requires = "seeds")]
    pub(crate) fail_fast: bool,
    /// How the schedule is made
    #[arg(long, value_name = "NAME[:N]", default_value = "random", value_parser = Strategies)]
    pub(crate) scheduler: Strategy,
    /// Run under the schedule in this file, instead of a strategy's
    #[arg(long, value_name = "PATH", conflicts_with_all = ["seed", "seeds", "scheduler"])]
    pub(crate) schedule: Option<PathBuf>,
    /// Write the schedule of the run to a file, for --schedule
    #[arg(long, value_name = "PATH", conflicts_with = "seeds")]
    pub(crate) save_schedule: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) trace: TraceArgs,
    #[command(flatten)]
    pub(crate) guest: GuestFlags,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) flags: RunFlags,
    #[command(flatten)]
    pub(crate) command: GuestCommand,
}
