//! The table of detectors.

use crate::detect::common::detector::Detector;
use crate::detect::common::limits::Limits;
use crate::detect::locks::condvar_locks::CondvarLocks;
use crate::detect::locks::lock_order::LockOrder;
use crate::detect::threads::handle_misuse::HandleMisuses;
use crate::detect::threads::thread_leak::ThreadLeaks;

/// Makes one for a run.
type Make = fn(&Limits) -> Box<dyn Detector>;

/// All of them. None sees another.
pub(super) const DETECTORS: &[Make] = &[
    |limits| Box::new(LockOrder::new(limits)),
    |_| Box::<HandleMisuses>::default(),
    |_| Box::<ThreadLeaks>::default(),
    |_| Box::<CondvarLocks>::default(),
];
