//! Locks and other synchronisation objects, and threads that wait for them.

pub(crate) mod condvar_locks;
pub(crate) mod deadlock;
pub(crate) mod lock_misuse;
pub(crate) mod lock_order;
pub(crate) mod notifications;
pub(crate) mod sync_objects;
