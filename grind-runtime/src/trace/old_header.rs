//! Headers of traces before 1.5, in which a schedule was a seed and one of two strategies, and before 1.6, which do not name the fuel.

use super::{Detail, Header, ModuleHash};
use crate::model::{Driven, Entry, Limits, RunSpec, Schedule, Strategy};
use crate::program::interceptors::Rule;
use serde::Deserialize;

#[derive(Deserialize)]
pub(super) struct OldHeader {
    grind: String,
    module: Vec<u8>,
    module_hash: ModuleHash,
    embedded: Option<u64>,
    sites: u32,
    detail: Detail,
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    preopens: Vec<Vec<u8>>,
    seed: u64,
    strategy: OldStrategy,
    entry: Entry,
    initial_memory: Option<u64>,
    limits: Limits,
    interceptors: Vec<Rule>,
    driven: Driven,
}

#[derive(Deserialize)]
enum OldStrategy {
    RoundRobin,
    Random,
}

impl From<OldHeader> for Header {
    fn from(old: OldHeader) -> Header {
        let name = match old.strategy {
            OldStrategy::RoundRobin => "round-robin",
            OldStrategy::Random => "random",
        };
        Header {
            grind: old.grind,
            module: old.module,
            module_hash: old.module_hash,
            embedded: old.embedded,
            sites: old.sites,
            detail: old.detail,
            spec: RunSpec {
                args: old.args,
                env: old.env,
                preopens: old.preopens,
                schedule: Schedule::Strategy {
                    strategy: Strategy {
                        name: name.into(),
                        parameters: Vec::new(),
                    },
                    seed: old.seed,
                },
                entry: old.entry,
                initial_memory: old.initial_memory,
                limits: old.limits,
            },
            interceptors: old.interceptors,
            driven: old.driven,
            fuel: None,
        }
    }
}

/// Fuel that was usual before 1.6, whoever drove the run.
const OLD_FUEL: u64 = 10_000_000;

impl Header {
    /// Completes what a header before 1.6 has not.
    pub(super) fn with_old_fuel(mut self) -> Header {
        if self.driven == Driven::AsMainThread {
            self.fuel = Some(OLD_FUEL);
        }
        self
    }
}
