//! How long a command that reads may take.

use super::values::duration;
use crate::process::bound::Bound;
use clap::Args;
use std::time::Duration;

#[derive(Clone, Debug, Args)]
pub(crate) struct BoundArgs {
    /// Stop reading after this much real time, with what there is until then (`30s`, `5m`; a bare number is seconds)
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

impl BoundArgs {
    /// From now on.
    pub(crate) fn begin(&self) -> Bound {
        Bound::new(self.timeout)
    }
}
