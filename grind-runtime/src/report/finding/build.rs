//! From what a detector says, in sites and addresses, to a [`Finding`].

use crate::detect::{
    AccessKind, Diagnosed, Diagnosis, Misuse, StackPlace, ThreadInfo, Wanted, Word,
};
use crate::model::sites::{Site, SiteId, SiteTable};
use crate::model::{BlockedOn, LockMode, ThreadId, WaitKind, Waiting};
use crate::program::symbols::{Frame, StackFrame, Symbolizer};
use crate::program::waits::Wait;
use crate::report::finding::fingerprint::Fingerprint;
use crate::report::finding::history::{History, Step};
use crate::report::finding::{
    Access, AccessMeans, Blocked, BlockedThread, Creator, Evidence, Finding, FindingKind, Freed,
    HandleMisuse, HeapBlock, HeapMisuse, HeldLock, Holder, LockMisuse, LockOrder, LockOrderEdge,
    Memory, MemoryPlace, Missed, Note, Race, Related, Thread, ThreadLeak, Trap, WaitDetails,
    WaitsFor, blocked,
};
use crate::report::text;
use crate::{detect, model};
use std::collections::{BTreeMap, BTreeSet};

impl Finding {
    /// Symbolises a diagnosis. `threads` are those of the run, in any order; one that is missing there is
    /// shown by its number alone.
    #[must_use]
    pub fn from_diagnosis(
        diagnosed: &Diagnosed,
        sites: &SiteTable,
        symbolizer: &Symbolizer,
        threads: &[ThreadInfo],
    ) -> Finding {
        Builder {
            sites,
            symbolizer,
            threads,
            named: BTreeSet::new(),
            locals: BTreeMap::new(),
        }
        .finding(diagnosed)
    }
}

struct Builder<'a> {
    sites: &'a SiteTable,
    symbolizer: &'a Symbolizer,
    threads: &'a [ThreadInfo],
    /// Threads that the evidence names.
    named: BTreeSet<ThreadId>,
    /// Names of local variables, by the addresses in them that the diagnosis is about.
    locals: BTreeMap<u32, String>,
}

impl Builder<'_> {
    fn finding(mut self, diagnosed: &Diagnosed) -> Finding {
        let (kind, evidence) = match &diagnosed.diagnosis {
            Diagnosis::DataRace {
                first,
                second,
                block,
                stack_place,
                history,
            } => {
                let mut race = self.race([first, second], block.as_ref(), stack_place.as_ref());
                race.history = history.as_ref().map(|history| self.history(history));
                (FindingKind::DataRace, Evidence::Race(race))
            }
            Diagnosis::Deadlock {
                blocked,
                cycle,
                places,
            } => {
                let blocked = self.blocked(blocked, cycle, places);
                (blocked::kind(&blocked), Evidence::Blocked(blocked))
            }
            Diagnosis::LockOrderInversion { edges } => (
                FindingKind::LockOrderInversion,
                Evidence::LockOrder(LockOrder {
                    edges: edges.iter().map(|edge| self.edge(edge)).collect(),
                }),
            ),
            Diagnosis::HeapMisuse {
                misuse,
                access,
                block,
            } => {
                let kind = match misuse {
                    detect::HeapMisuse::UseAfterFree => FindingKind::HeapUseAfterFree,
                    detect::HeapMisuse::DoubleFree => FindingKind::DoubleFree,
                    detect::HeapMisuse::InvalidFree => FindingKind::InvalidFree,
                };
                let misuse = HeapMisuse {
                    access: self.access(access),
                    heap_block: self.block(block),
                };
                (kind, Evidence::HeapMisuse(misuse))
            }
            Diagnosis::ThreadLeak {
                threads,
                creator,
                stack,
            } => (
                FindingKind::ThreadLeak,
                Evidence::ThreadLeak(ThreadLeak {
                    threads: threads.iter().map(|id| self.name(*id)).collect(),
                    creator: self.name(*creator),
                    stack: self.stack(stack),
                }),
            ),
            Diagnosis::Trap(trapped) => {
                let trap = Trap {
                    thread: self.name(trapped.thread),
                    reason: trapped.reason.clone(),
                    message: trapped.message.clone(),
                    stack: self.stack(&trapped.stack),
                    locks: self.locks(&trapped.locks),
                };
                (FindingKind::Trap, Evidence::Trap(trap))
            }
            Diagnosis::HandleMisuse {
                misuse,
                of,
                thread,
                stack,
                given_up,
            } => {
                let kind = match misuse {
                    model::HandleMisuse::DoubleJoin => FindingKind::DoubleJoin,
                    model::HandleMisuse::JoinDetached => FindingKind::JoinDetached,
                    model::HandleMisuse::DoubleDetach => FindingKind::DoubleDetach,
                };
                let misuse = HandleMisuse {
                    of: self.name(*of),
                    thread: self.name(*thread),
                    stack: self.stack(stack),
                    given_up: given_up.as_ref().map(|one| self.holder(one)),
                };
                (kind, Evidence::HandleMisuse(misuse))
            }
            Diagnosis::LockMisuse {
                misuse,
                object,
                lock,
                name,
                thread,
                stack,
                holders,
                related,
            } => {
                let (kind, condvar) = match *misuse {
                    Misuse::UnlockNotHeld => (FindingKind::UnlockNotHeld, None),
                    Misuse::UnlockByOtherThread => (FindingKind::UnlockByOtherThread, None),
                    Misuse::DestroyHeldLock => (FindingKind::DestroyHeldLock, None),
                    Misuse::CondvarWaitWithoutLock { condvar } => {
                        (FindingKind::CondvarWaitWithoutLock, Some(condvar))
                    }
                    Misuse::InitHeldLock => (FindingKind::InitHeldLock, None),
                    Misuse::Relock => (FindingKind::Relock, None),
                    Misuse::HeldAtThreadEnd => (FindingKind::LockHeldAtThreadEnd, None),
                    Misuse::UseAfterDestroy => (FindingKind::UseAfterDestroy, None),
                    Misuse::DoubleDestroy => (FindingKind::DoubleDestroy, None),
                    Misuse::DestroyInUse => (FindingKind::DestroyInUse, None),
                };
                let misuse = LockMisuse {
                    object: object.map(|object| object.noun().to_owned()),
                    address: *lock,
                    name: self.lock_name(*lock, name.as_ref()),
                    condvar,
                    condvar_name: condvar.and_then(|condvar| self.lock_name(condvar, None)),
                    thread: self.name(*thread),
                    stack: self.stack(stack),
                    holders: holders.iter().map(|one| self.holder(one)).collect(),
                    related: related.iter().map(|one| self.holder(one)).collect(),
                };
                (kind, Evidence::LockMisuse(misuse))
            }
            Diagnosis::Note(note) => {
                let related = note.related.iter();
                let evidence = Note {
                    title: self.say(&note.title),
                    thread: self.name(note.thread),
                    heading: self.say(&note.heading),
                    stack: self.stack(&note.stack),
                    related: related
                        .map(|related| Related {
                            thread: self.name(related.thread),
                            heading: self.say(&related.heading),
                            stack: self.stack(&related.stack),
                        })
                        .collect(),
                };
                (note.kind, Evidence::Note(evidence))
            }
        };
        let mut finding = Finding {
            kind,
            fingerprint: Fingerprint::of(kind, &evidence, self.symbolizer),
            title: String::new(),
            count: diagnosed.count,
            schedules: None,
            baseline: None,
            evidence,
            threads: self.named.iter().map(|id| self.thread(*id)).collect(),
            prediction: None,
        };
        finding.title = title(&finding);
        finding
    }

    /// A sentence, with the names of what it is about.
    fn say(&mut self, words: &[Word]) -> String {
        let mut said = String::new();
        for word in words {
            match word {
                Word::Text(text) => said.push_str(text),
                Word::Thread(id) => {
                    self.named.insert(*id);
                    let name = self.thread(*id).name;
                    said.push_str(&text::thread_label(*id, name.as_deref()));
                }
                Word::Object(address, name) => {
                    let name = self.lock_name(*address, name.as_ref());
                    said.push_str(&text::address_label(*address, name.as_deref()));
                }
            }
        }
        said
    }

    /// Notes that the evidence names this thread.
    fn name(&mut self, thread: ThreadId) -> ThreadId {
        self.named.insert(thread);
        thread
    }

    fn holder(&mut self, (thread, stack): &(ThreadId, Vec<SiteId>)) -> Holder {
        Holder {
            thread: self.name(*thread),
            stack: self.stack(stack),
        }
    }

    /// Every site with the functions inlined there.
    fn stack(&self, stack: &[SiteId]) -> Vec<Frame> {
        stack
            .iter()
            // An id of another program would be a mistake of ours; a report is not the place to panic.
            .filter(|id| (id.0 as usize) < self.sites.len())
            .flat_map(|id| self.symbolizer.frames(self.sites.get(*id)))
            .collect()
    }

    /// The name that a lock was given, or that of the variable it is or is in.
    fn lock_name(&self, lock: u32, name: Option<&String>) -> Option<String> {
        let variable = || {
            let global = self.symbolizer.global(lock)?;
            Some(text::offset_name(&global.name, lock - global.address))
        };
        (name.cloned())
            .or_else(variable)
            .or_else(|| self.locals.get(&lock).cloned())
    }

    fn lock(&self, lock: &detect::HeldLock) -> HeldLock {
        HeldLock {
            address: lock.lock,
            name: self.lock_name(lock.lock, lock.name.as_ref()),
            shared: lock.mode == LockMode::Shared,
            stack: self.stack(&lock.stack),
        }
    }

    fn locks(&self, locks: &[detect::HeldLock]) -> Vec<HeldLock> {
        locks.iter().map(|lock| self.lock(lock)).collect()
    }

    fn edge(&mut self, edge: &detect::LockOrderEdge) -> LockOrderEdge {
        LockOrderEdge {
            thread: self.name(edge.thread),
            held: self.lock(&edge.held),
            taken: self.lock(&edge.taken),
        }
    }

    fn access(&mut self, access: &detect::Access) -> Access {
        Access {
            thread: self.name(access.thread),
            write: access.write,
            means: match access.kind {
                AccessKind::Plain => AccessMeans::Plain,
                AccessKind::Atomic => AccessMeans::Atomic,
                AccessKind::Bulk => AccessMeans::Bulk,
                AccessKind::Host => AccessMeans::Host,
                AccessKind::Free => AccessMeans::Free,
            },
            address: access.addr,
            size: access.len,
            stack: self.stack(&access.stack),
            locks: self.locks(&access.locks),
        }
    }

    fn race(
        &mut self,
        [first, second]: [&detect::Access; 2],
        block: Option<&detect::HeapBlock>,
        stack: Option<&StackPlace>,
    ) -> Race {
        let end = |a: &detect::Access| u64::from(a.addr) + u64::from(a.len);
        let address = first.addr.max(second.addr);
        let size = end(first).min(end(second)).saturating_sub(address.into());
        Race {
            address,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            accesses: [self.access(first), self.access(second)],
            heap_block: block.map(|block| self.block(block)),
            memory: self.memory(address, block, stack, &[first, second]),
            history: None,
        }
    }

    /// What an address belongs to, besides a heap block.
    fn memory(
        &mut self,
        address: u32,
        block: Option<&detect::HeapBlock>,
        stack: Option<&StackPlace>,
        accesses: &[&detect::Access],
    ) -> Option<Memory> {
        match (self.symbolizer.global(address), stack) {
            // The heap begins where variables end: one of them says so wrongly.
            (Some(global), _) if block.is_none() => Some(Memory::Global(global)),
            (_, Some(place)) => Some(Memory::Stack {
                thread: self.name(place.thread),
                frame: self.stack_frame(place, address, accesses),
            }),
            _ => None,
        }
    }

    /// Which call's frame the address is in: at the access, if it is by the stack's thread.
    fn stack_frame(
        &self,
        place: &StackPlace,
        address: u32,
        accesses: &[&detect::Access],
    ) -> Option<StackFrame> {
        let sites = |calls: &[SiteId]| -> Vec<Site> {
            let known = calls.iter().filter(|id| (id.0 as usize) < self.sites.len());
            known.map(|id| self.sites.get(*id)).collect()
        };
        let mut calls = sites(&place.calls);
        if let Some(own) = accesses.iter().find(|access| access.thread == place.thread) {
            let own = sites(&own.stack);
            // A stack that a limit cut begins elsewhere.
            let outermost = |calls: &[Site]| calls.last().map(|site| site.func);
            if outermost(&own) != outermost(&calls) {
                return None;
            }
            calls = own;
        }
        self.symbolizer.stack_frame(&calls, place.top, address)
    }

    fn history(&self, history: &detect::History) -> History {
        let step = |step: &detect::HistoryStep| Step {
            thread: step.thread,
            did: step.did,
            address: step.address,
            name: match step.address {
                Some(lock) if step.did.is_of_lock() => self.lock_name(lock, step.name.as_ref()),
                _ => step.name.clone(),
            },
            other: step.other,
            stack: self.stack(&step.stack),
            left_out: step.left_out,
        };
        let steps = history.steps.iter().map(step).collect();
        History::select(steps, history.released, history.acquired)
    }

    fn block(&mut self, block: &detect::HeapBlock) -> HeapBlock {
        HeapBlock {
            address: block.addr,
            size: block.size,
            thread: self.name(block.thread),
            stack: self.stack(&block.stack),
            freed: block.freed.as_ref().map(|(thread, stack)| Freed {
                thread: self.name(*thread),
                stack: self.stack(stack),
            }),
        }
    }

    fn blocked(
        &mut self,
        blocked: &[detect::BlockedThread],
        cycle: &[ThreadId],
        places: &[detect::MemoryPlace],
    ) -> Blocked {
        let places: Vec<MemoryPlace> = places.iter().map(|place| self.place(place)).collect();
        for place in &places {
            if let Some(Memory::Stack {
                frame: Some(frame), ..
            }) = &place.memory
                && let Some(local) = &frame.variable
            {
                let name = text::offset_name(&local.name, place.address - local.address);
                self.locals.insert(place.address, name);
            }
        }
        let mut threads: Vec<BlockedThread> = blocked
            .iter()
            .map(|blocked| {
                let stack = self.stack(&blocked.stack);
                BlockedThread {
                    thread: self.name(blocked.thread),
                    waits_for: self.waits_for(blocked, &stack),
                    locks: self.locks(&blocked.locks),
                    stack,
                }
            })
            .collect();
        threads.sort_by_key(|blocked| blocked.thread);
        // A word that is a part of what a thread waits for says nothing.
        let shown: BTreeSet<u32> = (threads.iter())
            .flat_map(|thread| {
                let held = thread.locks.iter().map(|lock| lock.address);
                thread.waits_for.address().into_iter().chain(held)
            })
            .collect();
        Blocked {
            cycle: cycle.to_vec(),
            threads,
            places: (places.into_iter())
                .filter(|place| shown.contains(&place.address))
                .filter(|place| place.heap_block.is_some() || place.memory.is_some())
                .collect(),
        }
    }

    fn place(&mut self, place: &detect::MemoryPlace) -> MemoryPlace {
        let (block, stack) = (place.block.as_ref(), place.stack_place.as_ref());
        MemoryPlace {
            address: place.addr,
            memory: self.memory(place.addr, block, stack, &[]),
            heap_block: block.map(|block| self.block(block)),
        }
    }

    fn waits_for(&mut self, blocked: &detect::BlockedThread, stack: &[Frame]) -> WaitsFor {
        let (condvar, addr) = match (&blocked.wants, &blocked.on) {
            (
                Some(Wanted::Lock {
                    lock,
                    name,
                    holders,
                    behind,
                }),
                _,
            ) => {
                return WaitsFor::Lock {
                    address: *lock,
                    name: self.lock_name(*lock, name.as_ref()),
                    holders: holders.iter().map(|id| self.name(*id)).collect(),
                    behind: behind.iter().map(|id| self.name(*id)).collect(),
                };
            }
            (Some(Wanted::LockOfUnknown { lock }), _) => {
                return WaitsFor::LibraryLock {
                    address: *lock,
                    name: self.lock_name(*lock, None),
                };
            }
            (_, BlockedOn::Join { thread }) => {
                return WaitsFor::Join {
                    thread: self.name(*thread),
                };
            }
            (_, BlockedOn::Key { .. }) => {
                return WaitsFor::Known {
                    kind: WaitKind::Host,
                    address: None,
                    details: WaitDetails::default(),
                };
            }
            (Some(Wanted::Condvar { condvar }), _) => (Some(*condvar), *condvar),
            (None, BlockedOn::Futex { addr, .. } | BlockedOn::Known { addr, .. }) => (None, *addr),
        };
        let mut details = WaitDetails {
            by: blocked.by.iter().map(|id| self.name(*id)).collect(),
            missed: blocked.missed.as_ref().map(|(thread, stack)| Missed {
                thread: self.name(*thread),
                stack: self.stack(stack),
            }),
            ..WaitDetails::default()
        };
        if let Some(address) = condvar {
            details.name = self.lock_name(address, None);
            return WaitsFor::Condvar { address, details };
        }
        // What the machine saw and what the names of functions tell, of which the outer one counts.
        let seen = match &blocked.on {
            BlockedOn::Known { waiting, .. } => Some(waiting),
            _ => None,
        };
        let named = blocked::by_functions(stack);
        let same = |seen: &Waiting, named: &Wait| {
            seen.kind == named.kind || seen.of.as_deref() == Some(named.of)
        };
        let (kind, of, address) = match (seen, named) {
            (Some(seen), named) if named.is_none_or(|named| same(seen, named)) => {
                let kind = named.map_or(seen.kind, |named| named.kind);
                let of = (seen.of.clone()).or_else(|| named.map(|named| named.of.to_owned()));
                (kind, of, seen.object)
            }
            // The word that it waits on is the condition variable; in other cases it is something within, or its own.
            (_, Some(named)) => {
                let address = (named.kind == WaitKind::Condvar).then_some(addr);
                if address.is_none() {
                    details = WaitDetails::default();
                }
                (named.kind, Some(named.of.to_owned()), address)
            }
            (_, None) => {
                details.name = self.lock_name(addr, None);
                let address = addr;
                return WaitsFor::Futex { address, details };
            }
        };
        details.name = address.and_then(|address| self.lock_name(address, None));
        details.type_name = of;
        WaitsFor::Known {
            kind,
            address,
            details,
        }
    }

    fn thread(&self, id: ThreadId) -> Thread {
        let find = |id| self.threads.iter().find(|thread| thread.id == id);
        let info = find(id);
        Thread {
            id,
            name: info.and_then(|info| info.name.clone()),
            creator: info
                .and_then(|info| info.created.as_ref())
                .map(|(creator, stack)| Creator {
                    thread: *creator,
                    name: find(*creator).and_then(|info| info.name.clone()),
                    stack: self.stack(stack),
                }),
        }
    }
}

fn title(finding: &Finding) -> String {
    match &finding.evidence {
        Evidence::Race(race) => {
            let place = format!(
                "{} at {}",
                text::count(race.size.into(), "byte", "bytes"),
                text::hex(race.address)
            );
            let freed = race
                .accesses
                .iter()
                .any(|access| access.means == AccessMeans::Free);
            if freed {
                format!("data race with the release of memory, on {place}")
            } else {
                format!("data race on {place}")
            }
        }
        Evidence::Blocked(blocked) => blocked::title(finding, blocked),
        Evidence::LockOrder(order) => {
            let locks: Vec<String> = order
                .edges
                .iter()
                .map(|edge| text::address_label(edge.held.address, edge.held.name.as_deref()))
                .collect();
            match locks.len() {
                n if n > 3 => format!("lock-order inversion of {n} locks"),
                _ => format!("lock-order inversion of {}", text::list(&locks)),
            }
        }
        Evidence::HeapMisuse(misuse) => {
            let (block, access) = (&misuse.heap_block, &misuse.access);
            let what = format!(
                "a heap block of {}",
                text::count(block.size.into(), "byte", "bytes")
            );
            let who = finding.label(access.thread);
            match finding.kind {
                FindingKind::DoubleFree => format!("double free of {what} by {who}"),
                FindingKind::InvalidFree => format!("{who} freed an address inside {what}"),
                _ => format!("use after free: {} in {what}, by {who}", access.describe()),
            }
        }
        Evidence::Trap(trap) => {
            format!("{} trapped: {}", finding.label(trap.thread), trap.why())
        }
        Evidence::ThreadLeak(leak) => match (&leak.threads[..], finding.count) {
            ([only], 1) => format!(
                "thread leak: {} was neither joined nor detached",
                finding.label(*only)
            ),
            (_, n) => format!("thread leak: {n} threads were neither joined nor detached"),
        },
        Evidence::HandleMisuse(misuse) => {
            let (who, of) = (finding.label(misuse.thread), finding.label(misuse.of));
            match finding.kind {
                FindingKind::DoubleJoin => format!("{who} joined {of}, which was joined before"),
                FindingKind::JoinDetached => format!("{who} joined {of}, which was detached"),
                _ => format!("{who} detached {of}, which was joined or detached before"),
            }
        }
        Evidence::Note(note) => note.title.clone(),
        Evidence::LockMisuse(misuse) => {
            let who = finding.label(misuse.thread);
            let lock = text::address_label(misuse.address, misuse.name.as_deref());
            let what = misuse.noun();
            let names = |list: &[Holder]| {
                let others = list.iter().filter(|one| one.thread != misuse.thread);
                let mut names: Vec<String> = others.map(|one| finding.label(one.thread)).collect();
                names.dedup();
                names
            };
            let holders = names(&misuse.holders);
            let hold = if holders.len() == 1 { "holds" } else { "hold" };
            let holders = text::list(&holders);
            let waiting = names(&misuse.related);
            let wait = if waiting.len() == 1 { "waits" } else { "wait" };
            match (finding.kind, misuse.condvar) {
                (FindingKind::UseAfterDestroy, _) => {
                    format!("{who} used the {what} {lock} after it was destroyed")
                }
                (FindingKind::DoubleDestroy, _) => {
                    format!("{who} destroyed the {what} {lock} again")
                }
                (FindingKind::DestroyInUse, _) => format!(
                    "{who} destroyed the {what} {lock}, where {} {wait}",
                    text::list(&waiting)
                ),
                (FindingKind::InitHeldLock, _) if holders.is_empty() => {
                    format!("{who} initialised the {what} {lock}, which it holds")
                }
                (FindingKind::InitHeldLock, _) => {
                    format!("{who} initialised the {what} {lock}, which {holders} {hold}")
                }
                (FindingKind::Relock, _) => {
                    format!("{who} asked for the {what} {lock}, which it holds")
                }
                (FindingKind::LockHeldAtThreadEnd, _) => {
                    format!("{who} ended and holds the {what} {lock}")
                }
                (FindingKind::UnlockByOtherThread, _) => {
                    format!("{who} unlocked {lock}, which {holders} {hold}")
                }
                (FindingKind::DestroyHeldLock, _) if holders.is_empty() => {
                    format!("{who} destroyed {lock}, which it holds")
                }
                (FindingKind::DestroyHeldLock, _) => {
                    format!("{who} destroyed {lock}, which {holders} {hold}")
                }
                (_, Some(condvar)) => format!(
                    "{who} waited on the condition variable {} without holding the lock {lock}",
                    text::address_label(condvar, misuse.condvar_name.as_deref())
                ),
                _ => format!("{who} unlocked {lock}, which nobody holds"),
            }
        }
    }
}
