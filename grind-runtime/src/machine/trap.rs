//! Why a thread cannot go on.

/// Why a thread cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Trap {
    /// A load, store, bulk or atomic access outside memory.
    #[error("out of bounds memory access")]
    OutOfBounds,
    /// An atomic access whose address is not a multiple of its width.
    #[error("unaligned atomic")]
    UnalignedAtomic,
    /// `memory.atomic.wait` on a memory that is not shared.
    #[error("atomic wait on non-shared memory")]
    UnsharedWait,
    /// The engine trapped, in its own words.
    #[error("{0}")]
    Engine(String),
    /// A library calls a function of the guest's with another type than that has, as `pthread_create` does with its start
    /// routine.
    #[error("indirect call type mismatch: what is called is {callee}")]
    CalleeType {
        /// The function, and its type.
        callee: String,
    },
    /// The call stack is exhausted.
    #[error("call stack exhausted")]
    StackOverflow,
    /// A function of the embedder failed, in its own words.
    #[error("{0}")]
    Embedder(String),
    /// The guest called `panic` with this error number.
    #[error("the guest panicked with errno {0}")]
    Panic(i32),
}
