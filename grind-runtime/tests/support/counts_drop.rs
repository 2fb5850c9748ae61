//! Something that a future owns, which counts how often it was dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

pub(crate) struct CountsDrop(pub(crate) Arc<AtomicU32>);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}
