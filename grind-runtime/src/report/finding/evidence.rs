//! What shows that a finding is one: accesses and their stacks, locks, heap blocks, what blocked threads wait for.
//!
//! These types are a part of the machine-readable form (see [`crate::report::render::json`]): field names and the order of fields are part of its
//! schema.

use crate::model::{ThreadId, WaitKind};
use crate::program::symbols::{Frame, StackFrame, Variable};
use crate::report::finding::history::History;
use crate::report::text;
use serde::{Deserialize, Serialize};

/// What shows a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Evidence {
    /// Of [`FindingKind::DataRace`](crate::report::finding::FindingKind::DataRace).
    Race(Race),
    /// Of [`FindingKind::Deadlock`](crate::report::finding::FindingKind::Deadlock) and [`FindingKind::LostWakeup`](crate::report::finding::FindingKind::LostWakeup).
    Blocked(Blocked),
    /// Of [`FindingKind::Trap`](crate::report::finding::FindingKind::Trap).
    Trap(Trap),
    /// Of [`FindingKind::LockOrderInversion`](crate::report::finding::FindingKind::LockOrderInversion).
    LockOrder(LockOrder),
    /// Of [`FindingKind::HeapUseAfterFree`](crate::report::finding::FindingKind::HeapUseAfterFree), [`FindingKind::DoubleFree`](crate::report::finding::FindingKind::DoubleFree) and [`FindingKind::InvalidFree`](crate::report::finding::FindingKind::InvalidFree).
    HeapMisuse(HeapMisuse),
    /// Of [`FindingKind::ThreadLeak`](crate::report::finding::FindingKind::ThreadLeak).
    ThreadLeak(ThreadLeak),
    /// Of [`FindingKind::UnlockNotHeld`](crate::report::finding::FindingKind::UnlockNotHeld), [`FindingKind::UnlockByOtherThread`](crate::report::finding::FindingKind::UnlockByOtherThread),
    /// [`FindingKind::DestroyHeldLock`](crate::report::finding::FindingKind::DestroyHeldLock), [`FindingKind::CondvarWaitWithoutLock`](crate::report::finding::FindingKind::CondvarWaitWithoutLock), [`FindingKind::UseAfterDestroy`](crate::report::finding::FindingKind::UseAfterDestroy),
    /// [`FindingKind::DoubleDestroy`](crate::report::finding::FindingKind::DoubleDestroy), [`FindingKind::DestroyInUse`](crate::report::finding::FindingKind::DestroyInUse), [`FindingKind::InitHeldLock`](crate::report::finding::FindingKind::InitHeldLock),
    /// [`FindingKind::Relock`](crate::report::finding::FindingKind::Relock) and [`FindingKind::LockHeldAtThreadEnd`](crate::report::finding::FindingKind::LockHeldAtThreadEnd).
    LockMisuse(LockMisuse),
    /// Of [`FindingKind::DoubleJoin`](crate::report::finding::FindingKind::DoubleJoin), [`FindingKind::JoinDetached`](crate::report::finding::FindingKind::JoinDetached) and [`FindingKind::DoubleDetach`](crate::report::finding::FindingKind::DoubleDetach).
    HandleMisuse(HandleMisuse),
    /// Of any other kind.
    Note(Note),
}

/// The two accesses of a race.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Race {
    /// First byte that both access.
    pub address: u32,
    /// Number of bytes that both access.
    pub size: u32,
    /// The earlier and the later one in this execution.
    pub accesses: [Access; 2],
    /// The heap block they fall into, if known.
    pub heap_block: Option<HeapBlock>,
    /// What else the address belongs to, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// What led to it, if that was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<History>,
}

/// What an address belongs to, besides a heap block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Memory {
    /// A variable with a fixed address.
    Global(Variable),
    /// The stack of a thread, which may lie in a heap block.
    Stack {
        /// Whose.
        thread: ThreadId,
        /// Which call's, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        frame: Option<StackFrame>,
    },
}

/// By what means memory was accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AccessMeans {
    /// Load or store.
    Plain,
    /// Atomic instruction.
    Atomic,
    /// `memory.copy`, `memory.fill` or `memory.init`.
    Bulk,
    /// A host function that the thread called, or a function of a library whose inside is hidden.
    Host,
    /// The end of a heap block's life.
    Free,
}

/// One access.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Who.
    pub thread: ThreadId,
    /// Whether it wrote.
    pub write: bool,
    /// By what means.
    pub means: AccessMeans,
    /// First byte accessed.
    pub address: u32,
    /// Number of bytes accessed.
    pub size: u32,
    /// Where, innermost first; empty if it could not be had.
    pub stack: Vec<Frame>,
    /// Locks the thread held then.
    pub locks: Vec<HeldLock>,
}

impl Access {
    /// `atomic write of 4 bytes`.
    #[must_use]
    pub fn describe(&self) -> String {
        let what = if self.write { "write" } else { "read" };
        let size = text::count(self.size.into(), "byte", "bytes");
        match self.means {
            AccessMeans::Plain => format!("{what} of {size}"),
            AccessMeans::Atomic => format!("atomic {what} of {size}"),
            AccessMeans::Bulk => format!("bulk {what} of {size}"),
            AccessMeans::Host => format!("{what} of {size} in the call"),
            AccessMeans::Free if self.size == 0 => "free".to_owned(),
            AccessMeans::Free => format!("free of {size}"),
        }
    }
}

/// A lock that a thread holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLock {
    /// Address of the lock.
    pub address: u32,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// Whether others may hold it at the same time.
    pub shared: bool,
    /// Where it was taken, innermost first.
    pub stack: Vec<Frame>,
}

/// A heap block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeapBlock {
    /// First byte.
    pub address: u32,
    /// Number of bytes.
    pub size: u32,
    /// Who allocated it.
    pub thread: ThreadId,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
    /// Its end, if it is freed.
    pub freed: Option<Freed>,
}

/// The end of a heap block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freed {
    /// Who freed it.
    pub thread: ThreadId,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
}

/// What was done with a heap block against the rules; the kind of the finding says what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeapMisuse {
    /// The access, or the free that should not be.
    pub access: Access,
    /// The block. Of a double free, it says where it was freed first.
    pub heap_block: HeapBlock,
}

/// A thread that a finding names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// Its number; 0 is the main thread.
    pub id: ThreadId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Who created it; none for the main thread.
    pub creator: Option<Creator>,
}

/// The creation of a thread.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Creator {
    /// Who created it.
    pub thread: ThreadId,
    /// The creator's name, if it has one.
    pub name: Option<String>,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
}

/// Threads that will never go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// Threads that wait for each other, each for the next and the last for the first. Empty if there is
    /// no such circle.
    pub cycle: Vec<ThreadId>,
    /// All blocked threads, by id.
    pub threads: Vec<BlockedThread>,
    /// What they wait for and hold, by address, where it is known what that belongs to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<MemoryPlace>,
}

/// What an address belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryPlace {
    /// The address.
    pub address: u32,
    /// The heap block it is in, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heap_block: Option<HeapBlock>,
    /// What else it belongs to, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
}

impl Blocked {
    /// The threads that are to blame: those of the circle; without one, those that wait for locks of libraries; without
    /// these, those that wait for anything but the end of other threads, and are no idle workers. All of them if that
    /// leaves none.
    pub fn principals(&self) -> impl Iterator<Item = &BlockedThread> {
        let library = self.waits_for_library_lock();
        let is_principal = move |thread: &BlockedThread| {
            if !self.cycle.is_empty() {
                self.cycle.contains(&thread.thread)
            } else if library {
                matches!(thread.waits_for, WaitsFor::LibraryLock { .. })
            } else {
                !thread.waits_for.follows_others()
            }
        };
        let none = !self.threads.iter().any(is_principal);
        self.threads
            .iter()
            .filter(move |thread| none || is_principal(thread))
    }

    /// Whether some thread waits for a lock of a library.
    pub(crate) fn waits_for_library_lock(&self) -> bool {
        (self.threads.iter()).any(|thread| matches!(thread.waits_for, WaitsFor::LibraryLock { .. }))
    }

    /// Whether this thread is among the blocked ones.
    #[must_use]
    pub fn contains(&self, thread: ThreadId) -> bool {
        self.threads.iter().any(|blocked| blocked.thread == thread)
    }
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedThread {
    /// Which.
    pub thread: ThreadId,
    /// What it waits for.
    pub waits_for: WaitsFor,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
    /// What it holds meanwhile.
    pub locks: Vec<HeldLock>,
}

/// What a blocked thread waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WaitsFor {
    /// A lock.
    Lock {
        /// Its address.
        address: u32,
        /// Its name, if it has one.
        name: Option<String>,
        /// Who holds it.
        holders: Vec<ThreadId>,
        /// Writers that wait for it, behind which the thread has to wait to read.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        behind: Vec<ThreadId>,
    },
    /// A lock of a library whose holders are not known, for it is seen as the atomics it is made of.
    LibraryLock {
        /// Its address.
        address: u32,
        /// Its name, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
    /// A notification of a condition variable.
    Condvar {
        /// Its address.
        address: u32,
        /// What else is known.
        #[serde(flatten)]
        details: WaitDetails,
    },
    /// A `memory.atomic.notify` on an address; nothing said what it stands for.
    Futex {
        /// The address.
        address: u32,
        /// What else is known.
        #[serde(flatten)]
        details: WaitDetails,
    },
    /// The end of a thread.
    Join {
        /// That thread.
        thread: ThreadId,
    },
    /// Something that the functions it waits in tell.
    Known {
        /// What has to happen.
        kind: WaitKind,
        /// Its address, if that is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<u32>,
        /// What else is known.
        #[serde(flatten)]
        details: WaitDetails,
    },
}

impl WaitsFor {
    /// Its address, if it has one that is known.
    #[must_use]
    pub fn address(&self) -> Option<u32> {
        match *self {
            WaitsFor::Lock { address, .. }
            | WaitsFor::LibraryLock { address, .. }
            | WaitsFor::Condvar { address, .. }
            | WaitsFor::Futex { address, .. } => Some(address),
            WaitsFor::Known { address, .. } => address,
            WaitsFor::Join { .. } => None,
        }
    }

    /// What else is known of it, if it is nothing that somebody holds or is.
    #[must_use]
    pub fn details(&self) -> Option<&WaitDetails> {
        match self {
            WaitsFor::Condvar { details, .. }
            | WaitsFor::Futex { details, .. }
            | WaitsFor::Known { details, .. } => Some(details),
            WaitsFor::Lock { .. } | WaitsFor::LibraryLock { .. } | WaitsFor::Join { .. } => None,
        }
    }

    pub(in crate::report) fn details_mut(&mut self) -> Option<&mut WaitDetails> {
        match self {
            WaitsFor::Condvar { details, .. }
            | WaitsFor::Futex { details, .. }
            | WaitsFor::Known { details, .. } => Some(details),
            WaitsFor::Lock { .. } | WaitsFor::LibraryLock { .. } | WaitsFor::Join { .. } => None,
        }
    }

    /// Whether a thread waits for this only because others do not go on.
    fn follows_others(&self) -> bool {
        matches!(
            self,
            WaitsFor::Join { .. }
                | WaitsFor::Known {
                    kind: WaitKind::Work | WaitKind::Scope,
                    ..
                }
        )
    }
}

/// What is known of something that threads wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitDetails {
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What programs call its type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// Threads known to be those who could let the thread go on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<ThreadId>,
    /// The last notification, if nobody waited then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
}

/// A notification that nobody waited for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// Who gave it.
    pub thread: ThreadId,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
}

/// The end of a thread by a trap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trap {
    /// Who.
    pub thread: ThreadId,
    /// Why it could not go on, in the words of the engine.
    pub reason: String,
    /// What the thread told standard error before, if that was the message of a panic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
    /// What it held then. Nobody will release these.
    pub locks: Vec<HeldLock>,
}

impl Trap {
    /// Why, in one line: the message of the panic without the name of its thread, or else the reason.
    pub(crate) fn why(&self) -> String {
        let Some(message) = &self.message else {
            return text::shorten(&self.reason, MESSAGE_CHARS);
        };
        let words: Vec<&str> = message.split_whitespace().collect();
        let text = words.join(" ");
        // `thread 'worker' panicked at …`, `thread 7 panic: …`
        let begin = (["panicked at ", "panic: "].iter())
            .filter_map(|mark| text.find(mark))
            .min();
        text::shorten(&text[begin.unwrap_or(0)..], MESSAGE_CHARS)
    }
}

/// Longest message of a panic, or line of one, that is shown, in characters.
pub(crate) const MESSAGE_CHARS: usize = 200;

/// Locks taken in a circle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOrder {
    /// Each takes what the next one holds, and the last what the first holds.
    pub edges: Vec<LockOrderEdge>,
}

/// A thread that took a lock while it held another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOrderEdge {
    /// Who.
    pub thread: ThreadId,
    /// What it held, and where it had taken that.
    pub held: HeldLock,
    /// What it took then.
    pub taken: HeldLock,
}

/// Threads created at one place that nobody joined or detached.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThreadLeak {
    /// The first of them; their number is the count of the finding.
    pub threads: Vec<ThreadId>,
    /// Who created them.
    pub creator: ThreadId,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
}

/// What a thread did to a lock, or to another synchronisation object, against the rules; the kind of the finding says what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockMisuse {
    /// What it is, in words, if it is an object of POSIX threads: `condition variable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// Address of the lock.
    pub address: u32,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// The condition variable that was waited on.
    pub condvar: Option<u32>,
    /// Its name, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condvar_name: Option<String>,
    /// Who did it.
    pub thread: ThreadId,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
    /// Who holds it.
    pub holders: Vec<Holder>,
    /// Who destroyed it before, or who waits there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Holder>,
}

impl LockMisuse {
    /// What it is, in words.
    pub(crate) fn noun(&self) -> &str {
        self.object.as_deref().unwrap_or("lock")
    }
}

/// A thread that holds a lock, or has to do with another object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Which.
    pub thread: ThreadId,
    /// Where it took the lock, or what else it did, innermost first.
    pub stack: Vec<Frame>,
}

/// A use of a thread's handle after it was given up; the kind of the finding says which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandleMisuse {
    /// The thread that the handle was of.
    pub of: ThreadId,
    /// Who used it.
    pub thread: ThreadId,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
    /// Who joined or detached the thread before, and where, if that is known.
    pub given_up: Option<Holder>,
}

/// What a thread did at a place, and what else is to be seen with it: the evidence of kinds that need no presentation of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The title of the finding.
    pub title: String,
    /// Who did it.
    pub thread: ThreadId,
    /// What stands over the stack.
    pub heading: String,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
    /// Places beside it.
    pub related: Vec<Related>,
}

/// A place beside that of a [`Note`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// Who was, or is, there.
    pub thread: ThreadId,
    /// What stands over the stack.
    pub heading: String,
    /// Where, innermost first.
    pub stack: Vec<Frame>,
}
