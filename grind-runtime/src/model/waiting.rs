//! What a blocked thread waits for, where that is more than a word in memory.

use super::ThreadId;
use serde::{Deserialize, Serialize};

/// What has to happen for a thread to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WaitKind {
    /// A channel is full: somebody has to receive from it.
    ChannelFull,
    /// A channel is empty: somebody has to send into it.
    ChannelEmpty,
    /// A channel without capacity: somebody has to receive at the same time.
    ChannelRendezvous,
    /// One of several channels has to become ready.
    Select,
    /// A condition variable has to be notified.
    Condvar,
    /// Another thread initialises something, once.
    Once,
    /// Other threads have to come to a barrier.
    Barrier,
    /// A semaphore has to be posted.
    Semaphore,
    /// A one-time event, or a group of tasks, has to be done.
    Event,
    /// The thread has to be unparked.
    Park,
    /// The threads of a scope have to end.
    Scope,
    /// A lock that is not followed, as those for tasks are, has to be released.
    Lock,
    /// A future has to be woken.
    Future,
    /// A worker of a thread pool waits for work.
    Work,
    /// A job of a thread pool has to be finished.
    Job,
    /// A function of the embedder has to be woken.
    Host,
}

/// What a blocked thread waits for, as the functions that it is in tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Waiting {
    /// What has to happen.
    pub kind: WaitKind,
    /// What programs call the type of it, if that is known: `std::sync::mpsc`.
    pub of: Option<String>,
    /// Its address, if that is known.
    pub object: Option<u32>,
    /// Threads known to be the ones who could do it: who initialises, who has used the other side of the channel,
    /// who has posted the semaphore. Others may be able to as well, but for [`WaitKind::Once`].
    pub by: Vec<ThreadId>,
}
