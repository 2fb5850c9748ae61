//! A finding as a sequence of sections: a sentence, a stack, the locks held.
//!
//! Kinds of reports differ in how they show a section, and not in what there is to say.

use crate::model::ThreadId;
use crate::program::symbols::Frame;
use crate::report::finding::blocked::waits;
use crate::report::finding::{
    Access, Blocked, Evidence, Finding, FindingKind, HandleMisuse, HeapBlock, HeldLock, Holder,
    Memory, Race, Related,
};
use crate::report::text;
use crate::report::text::{address_label, hex};

/// What a section is to its finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// What is wrong: the accesses of a race, the waits of a deadlock.
    Principal,
    /// What explains it: the memory, the holders of a lock.
    Context,
    /// Where a thread came from.
    Creation,
}

/// One of them.
#[derive(Clone, Debug)]
pub(crate) struct Section<'a> {
    pub(crate) role: Role,
    /// Who did it.
    #[cfg_attr(
        not(feature = "html"),
        expect(dead_code, reason = "the page alone shows it")
    )]
    pub(crate) thread: ThreadId,
    /// One sentence, without a full stop.
    pub(crate) heading: String,
    /// Where, innermost first.
    pub(crate) stack: &'a [Frame],
    /// What the thread held.
    pub(crate) locks: &'a [HeldLock],
}

/// All that a finding says, most important first.
pub(crate) fn sections(finding: &Finding) -> Vec<Section<'_>> {
    let mut list = List {
        finding,
        sections: Vec::new(),
    };
    match &finding.evidence {
        Evidence::Race(race) => {
            for (number, access) in (1..).zip(&race.accesses) {
                list.access(&format!("({number}) "), access);
            }
            list.place(race);
            if let Some(block) = &race.heap_block {
                list.block(race.address, block);
            }
        }
        Evidence::Blocked(blocked) => list.blocked(blocked),
        Evidence::LockOrder(order) => {
            for (number, edge) in (1..).zip(&order.edges) {
                let who = finding.label(edge.thread);
                let name = |lock: &HeldLock| address_label(lock.address, lock.name.as_deref());
                let [held, taken] = [&edge.held, &edge.taken];
                let takes = format!("({number}) thread {who} takes lock {}", name(taken));
                list.push(Role::Principal, edge.thread, takes, &taken.stack);
                let holds = format!("while thread {who} holds lock {}, taken here", name(held));
                list.push(Role::Context, edge.thread, holds, &held.stack);
            }
        }
        Evidence::HeapMisuse(misuse) => {
            list.access("", &misuse.access);
            list.block(misuse.access.address, &misuse.heap_block);
        }
        Evidence::Trap(trap) => {
            let who = finding.label(trap.thread);
            let heading = format!("trap of thread {who}: {}", trap.reason);
            list.push(Role::Principal, trap.thread, heading, &trap.stack)
                .locks = &trap.locks;
        }
        Evidence::ThreadLeak(leak) => {
            let heading = format!(
                "created by {}, neither joined nor detached",
                finding.label(leak.creator)
            );
            list.push(Role::Principal, leak.creator, heading, &leak.stack);
        }
        Evidence::LockMisuse(misuse) => {
            let lock = address_label(misuse.address, misuse.name.as_deref());
            let who = finding.label(misuse.thread);
            let did = match finding.kind {
                FindingKind::DestroyHeldLock => format!("destruction of lock {lock}"),
                FindingKind::CondvarWaitWithoutLock => format!("wait with lock {lock}"),
                FindingKind::UseAfterDestroy => format!("use of the {} {lock}", misuse.noun()),
                FindingKind::DoubleDestroy | FindingKind::DestroyInUse => {
                    format!("destruction of the {} {lock}", misuse.noun())
                }
                FindingKind::InitHeldLock => {
                    format!("initialisation of the {} {lock}", misuse.noun())
                }
                FindingKind::Relock => format!("request for the {} {lock}", misuse.noun()),
                FindingKind::LockHeldAtThreadEnd => {
                    format!("acquisition of the {} {lock}", misuse.noun())
                }
                _ => format!("unlock of lock {lock}"),
            };
            let heading = format!("{did} by thread {who}");
            list.push(Role::Principal, misuse.thread, heading, &misuse.stack);
            for holder in &misuse.holders {
                let heading = format!(
                    "the lock is held by thread {}, taken here",
                    finding.label(holder.thread)
                );
                list.push(Role::Context, holder.thread, heading, &holder.stack);
            }
            for related in &misuse.related {
                let heading = related_heading(finding, related);
                list.push(Role::Context, related.thread, heading, &related.stack);
            }
        }
        Evidence::HandleMisuse(misuse) => {
            let heading = handle_misuse(finding, misuse);
            list.push(Role::Principal, misuse.thread, heading, &misuse.stack);
            if let Some(given_up) = &misuse.given_up {
                let heading = given_up_heading(finding, given_up);
                list.push(Role::Context, given_up.thread, heading, &given_up.stack);
            }
        }
        Evidence::Note(note) => {
            list.push(
                Role::Principal,
                note.thread,
                note.heading.clone(),
                &note.stack,
            );
            for Related {
                thread,
                heading,
                stack,
            } in &note.related
            {
                list.push(Role::Context, *thread, heading.clone(), stack);
            }
        }
    }
    list.creations();
    list.sections
}

/// `destroyed by thread T1 `worker``.
pub(crate) fn related_heading(finding: &Finding, related: &Holder) -> String {
    let who = finding.label(related.thread);
    match finding.kind {
        FindingKind::DestroyInUse => format!("thread {who} waits here"),
        _ => format!("destroyed by thread {who}"),
    }
}

/// `join of T2 by thread T0 main`.
pub(crate) fn handle_misuse(finding: &Finding, misuse: &HandleMisuse) -> String {
    let did = match finding.kind {
        FindingKind::DoubleDetach => "detaching",
        _ => "join",
    };
    let (of, who) = (finding.label(misuse.of), finding.label(misuse.thread));
    format!("{did} of {of} by thread {who}")
}

/// `given up by thread T0 main`.
pub(crate) fn given_up_heading(finding: &Finding, given_up: &Holder) -> String {
    let who = finding.label(given_up.thread);
    match finding.kind {
        FindingKind::DoubleJoin => format!("joined before by thread {who}"),
        FindingKind::JoinDetached => format!("detached before by thread {who}"),
        _ => format!("joined or detached before by thread {who}"),
    }
}

struct List<'a> {
    finding: &'a Finding,
    sections: Vec<Section<'a>>,
}

impl<'a> List<'a> {
    fn push(
        &mut self,
        role: Role,
        thread: ThreadId,
        heading: String,
        stack: &'a [Frame],
    ) -> &mut Section<'a> {
        self.sections.push_mut(Section {
            role,
            thread,
            heading,
            stack,
            locks: &[],
        })
    }

    fn access(&mut self, number: &str, access: &'a Access) {
        let heading = format!(
            "{number}{} at {} by thread {}",
            access.describe(),
            hex(access.address),
            self.finding.label(access.thread)
        );
        self.push(Role::Principal, access.thread, heading, &access.stack)
            .locks = &access.locks;
    }

    /// What the bytes belong to, besides a heap block.
    fn place(&mut self, race: &'a Race) {
        if let Some(memory) = &race.memory {
            self.memory(race.address, memory, race.accesses[0].thread);
        }
    }

    /// `thread` has something to do with it.
    fn memory(&mut self, address: u32, memory: &'a Memory, thread: ThreadId) {
        let (thread, stack): (_, &[Frame]) = match memory {
            Memory::Global(_) => (thread, &[]),
            Memory::Stack { thread, frame } => {
                let stack = frame.as_ref().map(|frame| &*frame.stack);
                (*thread, stack.unwrap_or_default())
            }
        };
        let what = self.finding.place(memory, address);
        self.push(Role::Context, thread, format!("memory: {what}"), stack);
    }

    fn block(&mut self, address: u32, block: &'a HeapBlock) {
        let heading = format!("memory: {}", memory(self.finding, address, block));
        self.push(Role::Context, block.thread, heading, &block.stack);
        if let Some(freed) = &block.freed {
            let heading = format!("freed by thread {}", self.finding.label(freed.thread));
            self.push(Role::Context, freed.thread, heading, &freed.stack);
        }
    }

    fn blocked(&mut self, blocked: &'a Blocked) {
        let principals: Vec<ThreadId> = blocked.principals().map(|t| t.thread).collect();
        let (first, rest): (Vec<_>, Vec<_>) =
            (blocked.threads.iter()).partition(|thread| principals.contains(&thread.thread));
        for (role, threads) in [(Role::Principal, first), (Role::Context, rest)] {
            for thread in threads {
                let heading = format!(
                    "{} {}",
                    self.finding.label(thread.thread),
                    waits(self.finding, thread, true)
                );
                self.push(role, thread.thread, heading, &thread.stack).locks = &thread.locks;
                let details = thread.waits_for.details();
                if let Some(missed) = details.and_then(|details| details.missed.as_ref()) {
                    let heading = format!("notification by {}", self.finding.label(missed.thread));
                    self.push(Role::Context, missed.thread, heading, &missed.stack);
                }
            }
        }
        for place in &blocked.places {
            let first = blocked
                .threads
                .first()
                .map_or(ThreadId(0), |thread| thread.thread);
            if let Some(memory) = &place.memory {
                self.memory(place.address, memory, first);
            }
            if let Some(block) = &place.heap_block {
                self.block(place.address, block);
            }
        }
    }

    fn creations(&mut self) {
        let actors = actors(self.finding);
        for thread in &self.finding.threads {
            if let Some(creator) = &thread.creator
                && actors.contains(&thread.id)
            {
                let heading = format!(
                    "thread {} was created by {}",
                    self.finding.label(thread.id),
                    text::thread_label(creator.thread, creator.name.as_deref())
                );
                self.push(Role::Creation, creator.thread, heading, &creator.stack);
            }
        }
    }
}

/// The threads that act in a finding, as against those that it only names.
pub(crate) fn actors(finding: &Finding) -> Vec<ThreadId> {
    match &finding.evidence {
        Evidence::Race(race) => race.accesses.iter().map(|a| a.thread).collect(),
        Evidence::Blocked(blocked) => blocked.principals().map(|t| t.thread).collect(),
        Evidence::LockOrder(order) => order.edges.iter().map(|edge| edge.thread).collect(),
        Evidence::HeapMisuse(misuse) => {
            let block = &misuse.heap_block;
            let freed = block.freed.iter().map(|freed| freed.thread);
            ([misuse.access.thread, block.thread].into_iter())
                .chain(freed)
                .collect()
        }
        Evidence::Trap(trap) => vec![trap.thread],
        Evidence::ThreadLeak(leak) => leak.threads.clone(),
        Evidence::LockMisuse(misuse) => std::iter::once(misuse.thread)
            .chain(misuse.holders.iter().map(|holder| holder.thread))
            .chain(misuse.related.iter().map(|related| related.thread))
            .collect(),
        Evidence::HandleMisuse(misuse) => vec![misuse.of, misuse.thread],
        Evidence::Note(note) => (std::iter::once(note.thread))
            .chain(note.related.iter().map(|related| related.thread))
            .collect(),
    }
}

/// `byte 8 of a heap block of 64 bytes at 0x…, allocated by thread T0 main`.
pub(crate) fn memory(finding: &Finding, address: u32, block: &HeapBlock) -> String {
    let within = match address.checked_sub(block.address) {
        Some(0) => "the start of".into(),
        Some(offset) => format!("byte {offset} of"),
        None => "within".to_owned(),
    };
    format!(
        "{within} a heap block of {} at {}, allocated by thread {}",
        text::count(block.size.into(), "byte", "bytes"),
        hex(block.address),
        finding.label(block.thread)
    )
}
