//! What a detector says, in sites and addresses; `report` turns it into something to read.

use crate::detect::common::kind::FindingKind;
use crate::detect::common::step::History;
use crate::model::sites::SiteId;
use crate::model::{BlockedOn, HandleMisuse, LockMode, ObjectKind, ThreadId};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Call stack as sites, innermost first. The first is the access or event itself, the others calls.
pub type Stack = Vec<SiteId>;

/// A lock held by a thread at some moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeldLock {
    /// Address of the lock.
    pub lock: u32,
    /// Its name, if it was given one.
    pub name: Option<String>,
    /// How it is held.
    pub mode: LockMode,
    /// Where it was taken.
    pub stack: Stack,
}

/// What kind of operation made an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AccessKind {
    /// Plain load or store.
    Plain,
    /// Atomic load, store or read-modify-write.
    Atomic,
    /// `memory.copy`, `memory.fill` or `memory.init`.
    Bulk,
    /// A host function.
    Host,
    /// The end of a heap block's life.
    Free,
}

/// One of the two accesses of a race.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Access {
    /// Who.
    pub thread: ThreadId,
    /// First byte accessed.
    pub addr: u32,
    /// Number of bytes accessed.
    pub len: u32,
    /// Whether it wrote.
    pub write: bool,
    /// By what means.
    pub kind: AccessKind,
    /// Where; empty if it could not be had.
    pub stack: Stack,
    /// What the thread held then.
    pub locks: Vec<HeldLock>,
}

/// A heap block as far as it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct HeapBlock {
    /// First byte.
    pub addr: u32,
    /// Number of bytes.
    pub size: u32,
    /// Who allocated it.
    pub thread: ThreadId,
    /// Where.
    pub stack: Stack,
    /// Who freed it and where, if it is freed.
    pub freed: Option<(ThreadId, Stack)>,
}

/// What a heap block was used for against the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum HeapMisuse {
    /// It was accessed after it was freed, and in that order.
    UseAfterFree,
    /// It was freed again.
    DoubleFree,
    /// It was freed by an address within.
    InvalidFree,
}

/// A thread, as reports need it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ThreadInfo {
    /// Which.
    pub id: ThreadId,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// Who created it and where; none for the main thread.
    pub created: Option<(ThreadId, Stack)>,
}

/// A thread that trapped.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TrappedThread {
    /// Which.
    pub thread: ThreadId,
    /// What the machine said.
    pub reason: String,
    /// What the thread told standard error before, if that was the message of a panic.
    pub message: Option<String>,
    /// Its calls, innermost first, with the trapping instruction before them where it is known.
    pub stack: Stack,
    /// What it held then. Nobody will release these.
    pub locks: Vec<HeldLock>,
}

/// Why a blocked thread cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockedThread {
    /// Which.
    pub thread: ThreadId,
    /// What it waits for.
    pub on: BlockedOn,
    /// The lock or condition variable it wants, where hooks or words told.
    pub wants: Option<Wanted>,
    /// Where it waits.
    pub stack: Stack,
    /// What it holds meanwhile.
    pub locks: Vec<HeldLock>,
    /// Threads known to be those who could let it go on, for they did so before: who notified, who used the other side of
    /// the channel. Not those of [`Wanted::Lock`].
    pub by: Vec<ThreadId>,
    /// Who notified what it waits for last, and where, if nobody waited then.
    pub missed: Option<(ThreadId, Stack)>,
}

/// What an address belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct MemoryPlace {
    /// The address.
    pub addr: u32,
    /// The heap block that it is in.
    pub block: Option<HeapBlock>,
    /// Where on a thread's stack it is.
    pub stack_place: Option<StackPlace>,
}

/// What a blocked thread asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Wanted {
    /// A lock, held by these threads.
    Lock {
        /// Address.
        lock: u32,
        /// Name, if it has one.
        name: Option<String>,
        /// Who holds it.
        holders: Vec<ThreadId>,
        /// Writers that wait for it. No holder is in the way of the thread, which is a reader, but these are.
        behind: Vec<ThreadId>,
    },
    /// A lock that is a word in memory, and it is not known who has it.
    LockOfUnknown {
        /// Address.
        lock: u32,
    },
    /// A notification of a condition variable.
    Condvar {
        /// Address.
        condvar: u32,
    },
}

/// A thread that asked for a lock while it held another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LockOrderEdge {
    /// Who.
    pub thread: ThreadId,
    /// What it held, and where it had taken it.
    pub held: HeldLock,
    /// What it asked for, how, and where.
    pub taken: HeldLock,
}

/// A rule of locks and of other synchronisation objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Misuse {
    /// A thread released a lock that nobody holds.
    UnlockNotHeld,
    /// A thread released a lock that others hold, and it does not.
    UnlockByOtherThread,
    /// The lock ended its life while somebody held it.
    DestroyHeldLock,
    /// A thread waited on a condition variable with a lock that it does not hold.
    CondvarWaitWithoutLock {
        /// Address of the condition variable.
        condvar: u32,
    },
    /// The lock began its life while somebody held it.
    InitHeldLock,
    /// A thread asked for a lock that it holds and cannot have twice.
    Relock,
    /// A thread ended while it held the lock.
    HeldAtThreadEnd,
    /// The object was used after its end.
    UseAfterDestroy,
    /// The object was destroyed again.
    DoubleDestroy,
    /// A condition variable or a barrier ended its life while somebody waited there.
    DestroyInUse,
}

/// A place on a thread's stack in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StackPlace {
    /// Whose stack it is.
    pub thread: ThreadId,
    /// Where the stack begins: behind its last byte, for it grows downwards.
    pub top: u32,
    /// All calls the thread is in, innermost first; empty if not all are known.
    pub calls: Stack,
}

/// A defect of the guest, found by a detector.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Diagnosis {
    /// Two accesses to the same bytes, at least one a write and at least one not atomic, not ordered by
    /// happens-before.
    DataRace {
        /// The earlier one in this execution.
        first: Access,
        /// The later one.
        second: Access,
        /// The heap block they fall into, if known.
        block: Option<HeapBlock>,
        /// Where on a thread's stack they are, if it is known to be one.
        stack_place: Option<StackPlace>,
        /// What led to it, if this execution was seen twice.
        history: Option<History>,
    },
    /// Every live thread is blocked forever.
    Deadlock {
        /// All of them.
        blocked: Vec<BlockedThread>,
        /// Threads that wait for each other in a circle, in order; empty if there is none.
        cycle: Vec<ThreadId>,
        /// What the threads wait for and hold, by address: where it is.
        places: Vec<MemoryPlace>,
    },
    /// Threads take locks in an order in which each can come to wait for the next.
    LockOrderInversion {
        /// One for each thread of the circle; what one takes, the next holds, and the last takes what the
        /// first holds. At least two; the first holds the lock with the lowest address.
        edges: Vec<LockOrderEdge>,
    },
    /// A heap block was used against its rules.
    HeapMisuse {
        /// Against which.
        misuse: HeapMisuse,
        /// The access, or the free that should not be; that one begins at the address given and has no length.
        access: Access,
        /// The block. Of a double free, it says where it was freed first.
        block: HeapBlock,
    },
    /// Threads created at one place were neither joined nor detached.
    ThreadLeak {
        /// The first of them; their number is the count of the diagnosis.
        threads: Vec<ThreadId>,
        /// Who created them.
        creator: ThreadId,
        /// Where.
        stack: Stack,
    },
    /// A thread trapped.
    Trap(TrappedThread),
    /// The handle of a thread was used after it had been given up.
    HandleMisuse {
        /// How.
        misuse: HandleMisuse,
        /// The thread that the handle was of.
        of: ThreadId,
        /// Who.
        thread: ThreadId,
        /// Where.
        stack: Stack,
        /// Who gave it up and where, if that is known.
        given_up: Option<(ThreadId, Stack)>,
    },
    /// A lock, or another synchronisation object, was used against its rules.
    LockMisuse {
        /// Against which.
        misuse: Misuse,
        /// What it is, if it is an object of POSIX threads.
        object: Option<ObjectKind>,
        /// Address of the lock.
        lock: u32,
        /// Its name, if it has one.
        name: Option<String>,
        /// Who.
        thread: ThreadId,
        /// Where.
        stack: Stack,
        /// Who holds it, and where it was taken.
        holders: Vec<(ThreadId, Stack)>,
        /// Who destroyed it before, and where; or who waits there.
        related: Vec<(ThreadId, Stack)>,
    },
    /// Something that needs no presentation of its own.
    Note(Note),
}

/// What a detector says that needs no presentation of its own: a thread did something at a place, and something else is to be seen
/// with it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Note {
    /// What is wrong.
    pub kind: FindingKind,
    /// One line that says it.
    pub title: Vec<Word>,
    /// What stands over the stack.
    pub heading: Vec<Word>,
    /// Who did it.
    pub thread: ThreadId,
    /// Where.
    pub stack: Stack,
    /// What else.
    pub related: Vec<Related>,
}

/// A place beside that of a [`Note`].
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Related {
    /// What stands over the stack.
    pub heading: Vec<Word>,
    /// Who was, or is, there.
    pub thread: ThreadId,
    /// Where.
    pub stack: Stack,
}

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Word {
    /// Itself.
    Text(Cow<'static, str>),
    /// A thread, with its name.
    Thread(ThreadId),
    /// An object in memory, with its name: the one that it was given, or that of the variable there.
    Object(u32, Option<String>),
}

impl From<&'static str> for Word {
    fn from(text: &'static str) -> Word {
        Word::Text(text.into())
    }
}

/// A diagnosis and how often it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosed {
    /// What.
    pub diagnosis: Diagnosis,
    /// How many times this execution showed it.
    pub count: u64,
}
