//! Blocks of memory, and who may use them.

pub(crate) mod heap;
pub(crate) mod heap_misuse;
pub(crate) mod stack_overflow;
