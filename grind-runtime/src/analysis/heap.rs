//! Heap blocks, as `Alloc` and `Free` events tell of them, so that a report can say whose memory it is.
//!
//! A freed block is remembered until an allocation covers it, or [`MAX_FREED`] others were freed since.
//! Live blocks are bounded by [`Limits::heap_blocks`](super::Limits::heap_blocks); beyond, new ones are
//! not registered. Stacks are stored once each, and bounded in sum; beyond, blocks have none.
//!
//! **Cost**: an ordered-map operation and a hash of the call stack per allocation.

use super::context::ThreadContext;
use super::diagnosis::{HeapBlock, Stack};
use super::limits::Limits;
use crate::trace::ThreadId;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};

/// How many freed blocks are remembered.
const MAX_FREED: usize = 1 << 16;

#[derive(Clone, Copy, Debug)]
struct Block {
    size: u32,
    thread: ThreadId,
    stack: Option<u32>,
    /// Number of its free, if it was freed.
    freed: Option<u64>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Heap {
    blocks: BTreeMap<u32, Block>,
    live: usize,
    /// Address and number of each free, oldest first.
    freed: VecDeque<(u32, u64)>,
    frees: u64,
    stacks: Vec<Stack>,
    stack_ids: FxHashMap<u64, Vec<u32>>,
    frames: usize,
    max_blocks: usize,
    max_frames: usize,
    dropped: u64,
}

impl Heap {
    pub(super) fn new(limits: &Limits) -> Self {
        Heap {
            blocks: BTreeMap::new(),
            live: 0,
            freed: VecDeque::new(),
            frees: 0,
            stacks: Vec::new(),
            stack_ids: FxHashMap::default(),
            frames: 0,
            max_blocks: limits.heap_blocks,
            max_frames: limits.heap_frames,
            dropped: 0,
        }
    }

    /// `thread` allocated a block, with its call stack as it is in `context`. Blocks that it covers are gone.
    pub(super) fn alloc(
        &mut self,
        addr: u32,
        size: u32,
        thread: ThreadId,
        context: &ThreadContext,
    ) {
        let end = u64::from(addr) + u64::from(size.max(1));
        while let Some((&start, _)) = self
            .blocks
            .range(..u32::try_from(end).unwrap_or(u32::MAX))
            .next_back()
            .filter(|&(&start, block)| {
                start == addr || u64::from(start) + u64::from(block.size) > u64::from(addr)
            })
        {
            self.remove(start);
        }
        if self.live >= self.max_blocks {
            self.dropped += 1;
            return;
        }
        let stack = self.intern(context);
        self.blocks.insert(
            addr,
            Block {
                size,
                thread,
                stack,
                freed: None,
            },
        );
        self.live += 1;
    }

    /// The block at `addr` is freed: its size, if it is a live block.
    pub(super) fn free(&mut self, addr: u32) -> Option<u32> {
        let block = self
            .blocks
            .get_mut(&addr)
            .filter(|block| block.freed.is_none())?;
        let size = block.size;
        block.freed = Some(self.frees);
        self.freed.push_back((addr, self.frees));
        self.frees += 1;
        self.live -= 1;
        if self.freed.len() > MAX_FREED
            && let Some((oldest, number)) = self.freed.pop_front()
            && self
                .blocks
                .get(&oldest)
                .is_some_and(|block| block.freed == Some(number))
        {
            self.blocks.remove(&oldest);
        }
        Some(size)
    }

    /// The block that contains `addr`.
    pub(super) fn find(&self, addr: u32) -> Option<HeapBlock> {
        let (&start, block) = self.blocks.range(..=addr).next_back()?;
        (u64::from(addr) < u64::from(start) + u64::from(block.size)).then(|| HeapBlock {
            addr: start,
            size: block.size,
            thread: block.thread,
            stack: block
                .stack
                .map_or_else(Stack::new, |id| self.stacks[id as usize].clone()),
        })
    }

    /// Blocks that were not registered.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn remove(&mut self, addr: u32) {
        if let Some(block) = self.blocks.remove(&addr)
            && block.freed.is_none()
        {
            self.live -= 1;
        }
    }

    fn intern(&mut self, context: &ThreadContext) -> Option<u32> {
        let ids = self.stack_ids.entry(context.stack_hash(None)).or_default();
        if let Some(&id) = ids
            .iter()
            .find(|&&id| context.has_stack(&self.stacks[id as usize]))
        {
            return Some(id);
        }
        let stack = context.stack(None);
        if self.frames + stack.len() > self.max_frames {
            return None;
        }
        self.frames += stack.len();
        let id = self.stacks.len() as u32;
        ids.push(id);
        self.stacks.push(stack);
        Some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::sites::SiteId;

    fn heap(blocks: usize, frames: usize) -> Heap {
        Heap::new(&Limits {
            heap_blocks: blocks,
            heap_frames: frames,
            ..Limits::default()
        })
    }

    fn context(frames: &[u32]) -> ThreadContext {
        let mut context = ThreadContext::for_tests();
        for &frame in frames {
            context.call(SiteId(frame));
        }
        context
    }

    #[test]
    fn finds_the_block_around_an_address() {
        let mut heap = heap(10, 10);
        heap.alloc(100, 20, ThreadId(1), &context(&[4, 5]));
        heap.alloc(120, 0, ThreadId(2), &context(&[4, 5]));
        assert_eq!(heap.find(99), None);
        let block = heap.find(119).expect("inside");
        assert_eq!(
            (block.addr, block.size, block.thread),
            (100, 20, ThreadId(1))
        );
        assert_eq!(block.stack, [SiteId(5), SiteId(4)]);
        assert_eq!(heap.find(120), None);
        assert_eq!(heap.stacks.len(), 1);
    }

    #[test]
    fn a_freed_block_is_known_until_it_is_covered() {
        let mut heap = heap(10, 10);
        heap.alloc(100, 20, ThreadId(1), &context(&[]));
        assert_eq!(heap.free(101), None);
        assert_eq!(heap.free(100), Some(20));
        assert_eq!(heap.free(100), None);
        assert!(heap.find(110).is_some());
        heap.alloc(90, 15, ThreadId(3), &context(&[]));
        assert_eq!(heap.find(110), None);
        assert_eq!(heap.find(100).map(|block| block.thread), Some(ThreadId(3)));
        heap.alloc(0, 4000, ThreadId(4), &context(&[]));
        assert_eq!((heap.blocks.len(), heap.live), (1, 1));
    }

    #[test]
    fn the_last_bytes_of_memory_are_a_block_too() {
        let mut heap = heap(10, 10);
        heap.alloc(u32::MAX - 7, 8, ThreadId(0), &context(&[]));
        assert!(heap.find(u32::MAX).is_some());
        heap.alloc(u32::MAX - 7, 8, ThreadId(1), &context(&[]));
        assert_eq!(
            heap.find(u32::MAX).map(|block| block.thread),
            Some(ThreadId(1))
        );
    }

    #[test]
    fn full_tables_leave_out_and_count() {
        let mut heap = heap(1, 1);
        heap.alloc(8, 8, ThreadId(0), &context(&[1, 2]));
        heap.alloc(16, 8, ThreadId(0), &context(&[1]));
        assert_eq!(heap.dropped(), 1);
        assert_eq!(heap.find(8).map(|block| block.stack), Some(vec![]));
        heap.free(8);
        heap.alloc(16, 8, ThreadId(0), &context(&[1]));
        assert_eq!(
            heap.find(16).map(|block| block.stack),
            Some(vec![SiteId(1)])
        );
    }
}
