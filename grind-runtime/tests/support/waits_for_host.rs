//! A function of the host in which the calling thread waits until the host wakes it.

use grind_runtime::program::embedder::{HostImport, Reply, Wake};

/// `env.wait`, by a key.
pub(crate) fn wait() -> HostImport {
    HostImport::wrap("env", "wait", |guest, (key,): (u32,)| {
        Ok(match guest.woken() {
            None => Reply::Block {
                key: key.into(),
                timeout: None,
            },
            Some(Wake::Woken | Wake::DeadlinePassed) => Reply::Return(()),
        })
    })
}
