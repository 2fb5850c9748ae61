//! The table of detectors.

use super::condvar_locks::CondvarLocks;
use super::detector::Detector;
use super::handle_misuse::HandleMisuses;
use super::limits::Limits;
use super::lock_order::LockOrder;
use super::thread_leak::ThreadLeaks;

/// Makes one for a run.
type Make = fn(&Limits) -> Box<dyn Detector>;

/// All of them. None sees another.
pub(super) const DETECTORS: &[Make] = &[
    |limits| Box::new(LockOrder::new(limits)),
    |_| Box::<HandleMisuses>::default(),
    |_| Box::<ThreadLeaks>::default(),
    |_| Box::<CondvarLocks>::default(),
];
