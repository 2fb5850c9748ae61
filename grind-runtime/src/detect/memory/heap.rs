//! Heap blocks, as `Alloc` and `Free` events tell of them, so that a report can say whose memory it is.
//!
//! A freed block is remembered, with where it was freed, until an allocation covers it, or [`MAX_FREED`] others
//! were freed since.
//! Live blocks are bounded by [`Limits::heap_blocks`](crate::detect::Limits::heap_blocks); beyond, new ones are
//! not registered. Stacks are stored once each, and bounded in sum; beyond, blocks have none.
//!
//! **Cost**: an ordered-map operation and a hash of the call stack per allocation and per free.

use crate::detect::common::context::ThreadContext;
use crate::detect::common::diagnosis::{HeapBlock, Stack};
use crate::detect::common::limits::Limits;
use crate::model::ThreadId;
use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, VecDeque};

/// How many freed blocks are remembered.
const MAX_FREED: usize = 1 << 16;

#[derive(Clone, Copy, Debug)]
struct Block {
    size: u32,
    thread: ThreadId,
    stack: Option<u32>,
    freed: Option<Freed>,
}

#[derive(Clone, Copy, Debug)]
struct Freed {
    /// Number of this free.
    number: u64,
    thread: ThreadId,
    stack: Option<u32>,
}

/// What a free is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Release {
    /// A live block of this size.
    Live(u32),
    /// A block that was freed before.
    Freed(HeapBlock),
    /// An address within a live block.
    Within(HeapBlock),
    /// Nothing that is known.
    Unknown,
}

/// See the module.
#[derive(Debug)]
pub(in crate::detect) struct Heap {
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
    pub(in crate::detect) fn new(limits: &Limits) -> Self {
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
    pub(in crate::detect) fn alloc(
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

    /// `thread` frees what is at `addr`, with its call stack as it is in `context`.
    pub(in crate::detect) fn free(
        &mut self,
        addr: u32,
        thread: ThreadId,
        context: &ThreadContext,
    ) -> Release {
        let Some(&block) = self.blocks.get(&addr) else {
            return match self.find(addr) {
                Some(block) if block.freed.is_none() => Release::Within(block),
                _ => Release::Unknown,
            };
        };
        if block.freed.is_some() {
            return Release::Freed(self.describe(addr, block));
        }
        let freed = Freed {
            number: self.frees,
            thread,
            stack: self.intern(context),
        };
        let freed = Some(freed);
        self.blocks.insert(addr, Block { freed, ..block });
        self.freed.push_back((addr, self.frees));
        self.frees += 1;
        self.live -= 1;
        if self.freed.len() > MAX_FREED
            && let Some((oldest, number)) = self.freed.pop_front()
            && self
                .blocks
                .get(&oldest)
                .and_then(|block| block.freed)
                .is_some_and(|freed| freed.number == number)
        {
            self.blocks.remove(&oldest);
        }
        Release::Live(block.size)
    }

    /// Where the block begins that contains `addr`.
    pub(in crate::detect) fn start_of(&self, addr: u32) -> Option<u32> {
        self.containing(addr).map(|(start, _)| start)
    }

    /// The block that contains `addr`.
    pub(in crate::detect) fn find(&self, addr: u32) -> Option<HeapBlock> {
        let (start, block) = self.containing(addr)?;
        Some(self.describe(start, block))
    }

    fn containing(&self, addr: u32) -> Option<(u32, Block)> {
        let (&start, &block) = self.blocks.range(..=addr).next_back()?;
        let end = u64::from(start) + u64::from(block.size);
        (u64::from(addr) < end).then_some((start, block))
    }

    fn describe(&self, addr: u32, block: Block) -> HeapBlock {
        let stack =
            |id: Option<u32>| id.map_or_else(Stack::new, |id| self.stacks[id as usize].clone());
        HeapBlock {
            addr,
            size: block.size,
            thread: block.thread,
            stack: stack(block.stack),
            freed: (block.freed).map(|freed| (freed.thread, stack(freed.stack))),
        }
    }

    /// Blocks that were not registered.
    pub(in crate::detect) fn dropped(&self) -> u64 {
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
    use crate::model::sites::SiteId;

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
        let live = heap.find(110).expect("a block");
        let freeing = context(&[7]);
        assert_eq!(
            heap.free(101, ThreadId(2), &freeing),
            Release::Within(live.clone())
        );
        assert_eq!(heap.free(120, ThreadId(2), &freeing), Release::Unknown);
        assert_eq!(heap.free(100, ThreadId(2), &freeing), Release::Live(20));
        let freed = HeapBlock {
            freed: Some((ThreadId(2), vec![SiteId(7)])),
            ..live
        };
        assert_eq!(heap.find(110), Some(freed.clone()));
        let again = heap.free(100, ThreadId(3), &context(&[8]));
        assert_eq!(again, Release::Freed(freed));
        assert_eq!(heap.free(101, ThreadId(3), &freeing), Release::Unknown);
        heap.alloc(90, 15, ThreadId(3), &context(&[]));
        assert_eq!(heap.find(110), None);
        assert_eq!(heap.find(100).map(|block| block.thread), Some(ThreadId(3)));
        heap.alloc(0, 4000, ThreadId(4), &context(&[]));
        assert_eq!((heap.blocks.len(), heap.live), (1, 1));
    }

    #[test]
    fn the_oldest_of_too_many_freed_blocks_are_forgotten() {
        let mut heap = heap(10, 10);
        for addr in 0..=MAX_FREED as u32 {
            heap.alloc(addr * 16, 8, ThreadId(1), &context(&[]));
            heap.free(addr * 16, ThreadId(1), &context(&[]));
        }
        assert_eq!(heap.find(0), None);
        assert!(heap.find(16).is_some());
        assert_eq!(heap.blocks.len(), MAX_FREED);
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
        heap.free(8, ThreadId(0), &context(&[]));
        heap.alloc(16, 8, ThreadId(0), &context(&[1]));
        assert_eq!(
            heap.find(16).map(|block| block.stack),
            Some(vec![SiteId(1)])
        );
    }
}
