//! Offline analyses of sync traces: which races and deadlocks other schedules of the same execution would have shown.
//!
//! Nothing here knows the machine or its events: a trace is a stream of [`Event`]s, from [`std_format`], [`rapid_bin`]
//! or anything else that is a [`Source`]. Nothing keeps the whole trace.
//!
//! | file | what |
//! |---|---|
//! | [`event`], [`names`] | one event, a stream of them, dense numbers for names |
//! | [`well_formed`] | whether threads with locks can make such a trace |
//! | [`std_format`], [`rapid_bin`] | files |
//! | [`analysis`] | what the analyses have in common |
//! | `clock`, `history` | vector clocks; which accesses a later one could still race with |
//! | [`hb`], [`shb`], [`wcp`] | races by an order of events |
//! | [`syncp`], [`osr`] | races by what a schedule has to contain |
//! | `ideal`, `accesses` | that, and the pairs to ask it of |
//! | [`witness`] | what has to run before two events can both be next |
//! | [`lockset`] | variables without a lock |
//! | [`deadlock`], [`lock_graph`] | deadlocks: proven, and candidates |

mod accesses;
pub mod analysis;
mod clock;
pub mod deadlock;
pub mod event;
pub mod hb;
mod history;
mod ideal;
pub mod lock_graph;
pub mod lockset;
pub mod names;
pub mod osr;
pub mod rapid_bin;
pub mod shb;
pub mod std_format;
pub mod syncp;
pub mod wcp;
pub mod well_formed;
pub mod witness;

pub use analysis::{Place, Race, RaceAnalysis, Stop, Totals};
pub use deadlock::{Deadlock, DeadlockPrediction};
pub use event::{Event, Op, ReadError, Source};
pub use hb::HappensBefore;
pub use lock_graph::{Circle, Circles, LockGraph, Wish};
pub use lockset::{Discipline, Lockset};
pub use names::{Names, Operand};
pub use osr::Osr;
pub use rapid_bin::{RapidBinReader, RapidBinWriter};
pub use shb::Shb;
pub use std_format::{Extensions, StdReader, write_std};
pub use syncp::SyncPreserving;
pub use wcp::Wcp;
pub use well_formed::{Checked, WellFormed};
