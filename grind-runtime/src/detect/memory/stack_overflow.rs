//! Threads whose stack in memory grew out of the heap block that holds it.
//!
//! **Finds** a thread that was suspended with a stack pointer below that block: what it wrote there was others', and shows
//! as races and heap misuse. **Misses** overflows that were over when the thread was suspended, and stacks that are no
//! heap blocks. **Falsely reports** a thread that switched to another stack of its own, so that this is a hint for the
//! reader of other findings, and none itself.
//!
//! **Cost**: one look at the heap's blocks for each time that a stack is seen to have grown.

use crate::detect::memory::heap::Heap;
use crate::model::ThreadId;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Threads that are named; the first says it all.
const MOST: usize = 16;

/// A stack that was too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StackOverflow {
    /// Whose.
    pub thread: ThreadId,
    /// Bytes of its block up to where the stack begins.
    pub size: u32,
    /// Bytes that it took up when this was seen first.
    pub used: u32,
}

impl fmt::Display for StackOverflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let StackOverflow { thread, size, used } = self;
        write!(
            f,
            "the stack of thread {thread} overflowed: it took up {used} bytes of the {size} that it has, and \
             what it overwrote shows as races and misuse of memory (unless the thread switches stacks)"
        )
    }
}

/// Looks at stacks as they grow.
#[derive(Debug, Default)]
pub(in crate::detect) struct StackOverflows(Vec<StackOverflow>);

impl StackOverflows {
    /// The stack of a thread has come to take up these bytes.
    pub(in crate::detect) fn grown(&mut self, heap: &Heap, thread: ThreadId, low: u32, high: u32) {
        let Some(start) = heap.start_of(high.saturating_sub(1)) else {
            return;
        };
        let known = self.0.iter().any(|overflow| overflow.thread == thread);
        if low < start && !known && self.0.len() < MOST {
            self.0.push(StackOverflow {
                thread,
                size: high - start,
                used: high - low,
            });
        }
    }

    pub(in crate::detect) fn into_found(self) -> Vec<StackOverflow> {
        self.0
    }
}
