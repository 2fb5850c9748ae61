//! Every stack of a report, wherever it is.

use crate::program::symbols::Frame;
use crate::report::finding::summary::{GuestExit, Report};
use crate::report::finding::{Access, Evidence, Finding, HeapBlock, HeldLock, Memory};

type Visitor<'v> = dyn FnMut(&mut Vec<Frame>) + 'v;

impl Report {
    /// Calls `visit` with each stack once.
    pub(in crate::report) fn for_each_stack(&mut self, visit: &mut Visitor<'_>) {
        for finding in &mut self.findings {
            finding.for_each_stack(visit);
        }
        if let Some(GuestExit::Trapped { stack, .. }) = &mut self.exit {
            visit(stack);
        }
    }
}

impl Finding {
    fn for_each_stack(&mut self, visit: &mut Visitor<'_>) {
        match &mut self.evidence {
            Evidence::Race(race) => {
                for access in &mut race.accesses {
                    of_access(access, visit);
                }
                if let Some(block) = &mut race.heap_block {
                    of_block(block, visit);
                }
                of_memory(race.memory.as_mut(), visit);
                for step in race.history.iter_mut().flat_map(|h| &mut h.steps) {
                    visit(&mut step.stack);
                }
            }
            Evidence::Blocked(blocked) => {
                for thread in &mut blocked.threads {
                    visit(&mut thread.stack);
                    of_locks(&mut thread.locks, visit);
                    let missed = thread.waits_for.details_mut();
                    if let Some(missed) = missed.and_then(|details| details.missed.as_mut()) {
                        visit(&mut missed.stack);
                    }
                }
                for place in &mut blocked.places {
                    if let Some(block) = &mut place.heap_block {
                        of_block(block, visit);
                    }
                    of_memory(place.memory.as_mut(), visit);
                }
            }
            Evidence::LockOrder(order) => {
                for edge in &mut order.edges {
                    visit(&mut edge.held.stack);
                    visit(&mut edge.taken.stack);
                }
            }
            Evidence::HeapMisuse(misuse) => {
                of_access(&mut misuse.access, visit);
                of_block(&mut misuse.heap_block, visit);
            }
            Evidence::Trap(trap) => {
                visit(&mut trap.stack);
                of_locks(&mut trap.locks, visit);
            }
            Evidence::ThreadLeak(leak) => visit(&mut leak.stack),
            Evidence::LockMisuse(misuse) => {
                visit(&mut misuse.stack);
                for holder in misuse.holders.iter_mut().chain(&mut misuse.related) {
                    visit(&mut holder.stack);
                }
            }
            Evidence::HandleMisuse(misuse) => {
                visit(&mut misuse.stack);
                if let Some(given_up) = &mut misuse.given_up {
                    visit(&mut given_up.stack);
                }
            }
            Evidence::Note(note) => {
                visit(&mut note.stack);
                for related in &mut note.related {
                    visit(&mut related.stack);
                }
            }
        }
        for creator in self.threads.iter_mut().filter_map(|t| t.creator.as_mut()) {
            visit(&mut creator.stack);
        }
    }
}

fn of_access(access: &mut Access, visit: &mut Visitor<'_>) {
    visit(&mut access.stack);
    of_locks(&mut access.locks, visit);
}

fn of_memory(memory: Option<&mut Memory>, visit: &mut Visitor<'_>) {
    if let Some(Memory::Stack { frame, .. }) = memory {
        frame.iter_mut().for_each(|frame| visit(&mut frame.stack));
    }
}

fn of_locks(locks: &mut [HeldLock], visit: &mut Visitor<'_>) {
    for lock in locks {
        visit(&mut lock.stack);
    }
}

fn of_block(block: &mut HeapBlock, visit: &mut Visitor<'_>) {
    visit(&mut block.stack);
    if let Some(freed) = &mut block.freed {
        visit(&mut freed.stack);
    }
}
