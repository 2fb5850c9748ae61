//! A schedule in a file of its own: what a scheduler decided in a run.
//!
//! JSON, so that it can be read, compared and shortened: the version of the format, which module ran, how it was instrumented (a schedule
//! counts words of records, which another instrumentation makes more or fewer), and the [`Decisions`]. The first changes alone are a schedule
//! as well: where they end, nobody is preempted any more.

use super::{ModuleHash, sites};
use crate::model::{Decisions, Schedule};
use crate::program::Program;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::sync::Arc;

/// Version of the format.
const VERSION: u32 = 1;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleFile {
    /// Version of the format.
    #[serde(rename = "grind-schedule")]
    version: u32,
    /// Version of the grind that recorded it.
    grind: String,
    /// SHA-256 of the module, in hexadecimal.
    module: String,
    /// SHA-256 of its sites, in hexadecimal.
    sites: String,
    decisions: Decisions,
}

/// Why a file is not a schedule that can be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleFileError {
    /// It is something else, or truncated.
    #[error("not a schedule: {0}")]
    Syntax(serde_json::Error),
    /// It has a format of another version.
    #[error(
        "the schedule has format {found}, this grind reads {VERSION}; run it with the grind that wrote it, or record it again"
    )]
    Version {
        /// Version of the file.
        found: u32,
    },
    /// It is of another module.
    #[error("the schedule is of module {recorded}, this one is {given}")]
    OtherModule {
        /// SHA-256 of the module that ran.
        recorded: String,
        /// SHA-256 of the one that was given.
        given: ModuleHash,
    },
    /// This grind sees other sites in the module than the one that recorded.
    #[error(
        "grind {recorded} recorded the schedule and instrumented the module in another way than this grind ({}) does; \
         run it with the grind that recorded it, or record it again",
        env!("CARGO_PKG_VERSION")
    )]
    OtherSites {
        /// Version of the grind that recorded.
        recorded: String,
    },
}

impl ScheduleFile {
    /// What was decided in a run of this program.
    #[must_use]
    pub fn new(program: &Program, decisions: Decisions) -> ScheduleFile {
        ScheduleFile {
            version: VERSION,
            grind: env!("CARGO_PKG_VERSION").to_owned(),
            module: ModuleHash::of(program.original()).to_string(),
            sites: sites::hash(program.sites()).to_string(),
            decisions,
        }
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`ScheduleFileError::Syntax`] or [`ScheduleFileError::Version`].
    pub fn read(text: &str) -> Result<ScheduleFile, ScheduleFileError> {
        #[derive(Deserialize)]
        struct OnlyVersion {
            #[serde(rename = "grind-schedule")]
            version: u32,
        }
        match serde_json::from_str(text) {
            Ok(OnlyVersion { version: VERSION }) => {
                serde_json::from_str(text).map_err(ScheduleFileError::Syntax)
            }
            Ok(OnlyVersion { version }) => Err(ScheduleFileError::Version { found: version }),
            Err(error) => Err(ScheduleFileError::Syntax(error)),
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of the host.
    pub fn write(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer(&mut out, self)?;
        out.write_all(b"\n")?;
        out.flush()
    }

    /// The schedule, if it is one of this program.
    ///
    /// # Errors
    /// [`ScheduleFileError::OtherModule`] or [`ScheduleFileError::OtherSites`].
    pub fn schedule(self, program: &Program) -> Result<Schedule, ScheduleFileError> {
        let given = ModuleHash::of(program.original());
        if self.module != given.to_string() {
            return Err(ScheduleFileError::OtherModule {
                recorded: self.module,
                given,
            });
        }
        if self.sites != sites::hash(program.sites()).to_string() {
            return Err(ScheduleFileError::OtherSites {
                recorded: self.grind,
            });
        }
        Ok(Schedule::Decisions(Arc::new(self.decisions)))
    }
}
