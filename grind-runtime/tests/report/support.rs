//! Shared by the tests of this binary: fixture modules, sites found in them, and sample diagnoses.

use grind_runtime::detect::{
    Access, AccessKind, BlockedThread, Diagnosed, Diagnosis, HeapBlock, HeapMisuse, HeldLock,
    History, HistoryStep, LockOrderEdge, MemoryPlace, Misuse, StepKind, ThreadInfo, TrappedThread,
    Wanted,
};
use grind_runtime::model::sites::{Site, SiteId, SiteKind, SiteTable};
use grind_runtime::model::{BlockedOn, HandleMisuse, LockMode, ObjectKind, ThreadId};
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::report::identity::Index;
use grind_runtime::report::source::Sources;
use grind_runtime::report::{Finding, Report};
use std::path::PathBuf;
use std::sync::Arc;
use wasmparser::{Operator, Parser, Payload, TypeRef};

/// Adds a finding to those of a report, which counts it if it has it already. Returns whether it was new.
pub(crate) fn add(report: &mut Report, finding: Finding) -> bool {
    Index::of(&report.findings).add(&mut report.findings, finding)
}

/// The bytes of a committed module.
pub(crate) fn fixture(name: &str) -> Arc<[u8]> {
    let path = format!(
        "{}/tests/report/fixtures/{name}.wasm",
        env!("CARGO_MANIFEST_DIR")
    );
    std::fs::read(&path).expect(&path).into()
}

/// The source of the fixtures, under the path that their debug information names.
pub(crate) fn fixture_sources() -> Sources {
    Sources::none().with_text("/src/race.rs", include_str!("fixtures/race.rs"))
}

/// A site at every instruction of a module, as far as the module can be read.
pub(crate) fn all_sites(module: &[u8]) -> Vec<(Site, String)> {
    let mut sites = Vec::new();
    let mut func = 0;
    for payload in Parser::new(0).parse_all(module) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::ImportSection(imports) => {
                func += imports
                    .into_imports()
                    .filter(|import| matches!(import, Ok(i) if matches!(i.ty, TypeRef::Func(_))))
                    .count() as u32;
            }
            Payload::CodeSectionEntry(body) => {
                let Ok(operators) = body.get_operators_reader() else {
                    break;
                };
                for operator in operators.into_iter_with_offsets() {
                    let Ok((operator, offset)) = operator else {
                        break;
                    };
                    let kind = match operator {
                        Operator::I32Load { .. } => SiteKind::Read,
                        Operator::I32Store { .. } => SiteKind::Write,
                        _ => SiteKind::Call,
                    };
                    let site = Site {
                        kind,
                        width: 4,
                        func,
                        offset: offset as u32,
                        displacement: 0,
                    };
                    sites.push((site, format!("{operator:?}")));
                }
                func += 1;
            }
            _ => {}
        }
    }
    sites
}

/// Every way to misuse a heap block.
pub(crate) const HEAP_MISUSES: [HeapMisuse; 3] = [
    HeapMisuse::UseAfterFree,
    HeapMisuse::DoubleFree,
    HeapMisuse::InvalidFree,
];

/// Every way to misuse a lock.
pub(crate) const MISUSES: [Misuse; 10] = [
    Misuse::UnlockNotHeld,
    Misuse::UnlockByOtherThread,
    Misuse::DestroyHeldLock,
    Misuse::CondvarWaitWithoutLock { condvar: 0x3000 },
    Misuse::UseAfterDestroy,
    Misuse::DoubleDestroy,
    Misuse::DestroyInUse,
    Misuse::InitHeldLock,
    Misuse::Relock,
    Misuse::HeldAtThreadEnd,
];

/// Every way to misuse the handle of a thread.
pub(crate) const HANDLE_MISUSES: [HandleMisuse; 3] = [
    HandleMisuse::DoubleJoin,
    HandleMisuse::JoinDetached,
    HandleMisuse::DoubleDetach,
];

/// A module with the sites that the samples need.
pub(crate) struct Program {
    pub(crate) sites: SiteTable,
    pub(crate) symbolizer: Symbolizer,
    /// The store in `bump`, inlined into `work`, called by `generic`, called by `run`.
    pub(crate) store: Vec<SiteId>,
    /// The load in `run`.
    pub(crate) load: Vec<SiteId>,
    /// The call in `run`.
    pub(crate) call: Vec<SiteId>,
}

impl Program {
    pub(crate) fn new(name: &str) -> Program {
        Program::of(fixture(name))
    }

    pub(crate) fn of(module: Arc<[u8]>) -> Program {
        let all = all_sites(&module);
        let mut sites = SiteTable::default();
        // Functions of the fixture: 0 generic, 1 work, 2 run.
        let mut find = |func: u32, operator: &str| {
            let found = all
                .iter()
                .find(|(site, text)| site.func == func && text.starts_with(operator));
            let (site, _) = found.unwrap_or_else(|| panic!("no {operator} in function {func}"));
            sites.push(*site)
        };
        let store = vec![find(1, "I32Store"), find(0, "Call"), find(2, "Call")];
        let load = vec![find(2, "I32Load")];
        let call = vec![find(2, "Call")];
        Program {
            sites,
            symbolizer: Symbolizer::new(module),
            store,
            load,
            call,
        }
    }

    pub(crate) fn finding(&self, diagnosis: Diagnosis, count: u64) -> Finding {
        let diagnosed = Diagnosed { diagnosis, count };
        Finding::from_diagnosis(&diagnosed, &self.sites, &self.symbolizer, &self.threads())
    }

    pub(crate) fn threads(&self) -> Vec<ThreadInfo> {
        let worker = |id, name: &str| ThreadInfo {
            id: ThreadId(id),
            name: (!name.is_empty()).then(|| name.to_owned()),
            created: Some((ThreadId(0), self.call.clone())),
        };
        vec![
            ThreadInfo {
                id: ThreadId(0),
                name: None,
                created: None,
            },
            worker(1, "left"),
            worker(2, "right"),
            worker(3, ""),
        ]
    }

    pub(crate) fn held(&self, lock: u32, name: Option<&str>) -> HeldLock {
        HeldLock {
            lock,
            name: name.map(Into::into),
            mode: LockMode::Exclusive,
            stack: self.call.clone(),
        }
    }

    pub(crate) fn race(&self) -> Diagnosis {
        Diagnosis::DataRace {
            first: Access {
                thread: ThreadId(1),
                addr: 0x0010_1c40,
                len: 4,
                write: true,
                kind: AccessKind::Plain,
                stack: self.store.clone(),
                locks: vec![self.held(0x0010_2000, Some("stats"))],
            },
            second: Access {
                thread: ThreadId(0),
                addr: 0x0010_1c40,
                len: 4,
                write: false,
                kind: AccessKind::Plain,
                stack: self.load.clone(),
                locks: Vec::new(),
            },
            block: Some(HeapBlock {
                addr: 0x0010_1c38,
                size: 64,
                thread: ThreadId(0),
                stack: self.call.clone(),
                freed: None,
            }),
            stack_place: None,
            history: Some(self.history()),
        }
    }

    /// Of [`Self::race`]: the lock that one thread has, the other does not take.
    fn history(&self) -> History {
        let step = |thread, did, address, stack: &[SiteId]| HistoryStep {
            thread: ThreadId(thread),
            did,
            address,
            name: None,
            other: None,
            stack: stack.to_vec(),
            left_out: 0,
        };
        let stats = |did| HistoryStep {
            name: Some("stats".into()),
            ..step(1, did, Some(0x0010_2000), &self.call)
        };
        let create = HistoryStep {
            other: Some(ThreadId(1)),
            ..step(0, StepKind::Create, None, &self.call)
        };
        let load = HistoryStep {
            left_out: 2,
            ..step(0, StepKind::Load, Some(0x0010_2010), &self.call)
        };
        History {
            steps: vec![
                create,
                step(1, StepKind::Start, None, &[]),
                stats(StepKind::Lock),
                step(1, StepKind::FirstAccess, Some(0x0010_1c40), &[]),
                stats(StepKind::Unlock),
                load,
                step(0, StepKind::SecondAccess, Some(0x0010_1c40), &[]),
            ],
            released: Some(4),
            acquired: Some(5),
        }
    }

    pub(crate) fn heap_misuse(&self, misuse: HeapMisuse) -> Diagnosis {
        let Diagnosis::DataRace {
            first,
            block: Some(block),
            ..
        } = self.race()
        else {
            unreachable!("see there")
        };
        let freed = (ThreadId(2), self.load.clone());
        Diagnosis::HeapMisuse {
            misuse,
            access: match misuse {
                HeapMisuse::UseAfterFree => first,
                HeapMisuse::DoubleFree | HeapMisuse::InvalidFree => Access {
                    kind: AccessKind::Free,
                    len: 0,
                    ..first
                },
            },
            block: HeapBlock {
                freed: (misuse != HeapMisuse::InvalidFree).then_some(freed),
                ..block
            },
        }
    }

    pub(crate) fn deadlock(&self) -> Diagnosis {
        let waiting = |id, lock, name: &str, holder, held, held_name| BlockedThread {
            thread: ThreadId(id),
            on: BlockedOn::Futex {
                site: SiteId(0),
                addr: lock,
            },
            wants: Some(Wanted::Lock {
                lock,
                name: Some(name.into()),
                holders: vec![ThreadId(holder)],
                behind: Vec::new(),
            }),
            stack: if id == 1 {
                self.store.clone()
            } else {
                self.call.clone()
            },
            locks: vec![self.held(held, held_name)],
            by: Vec::new(),
            missed: None,
        };
        Diagnosis::Deadlock {
            blocked: vec![
                BlockedThread {
                    thread: ThreadId(0),
                    on: BlockedOn::Join {
                        thread: ThreadId(1),
                    },
                    wants: None,
                    stack: self.call.clone(),
                    locks: Vec::new(),
                    by: Vec::new(),
                    missed: None,
                },
                waiting(1, 0x2000, "B", 2, 0x1000, Some("A")),
                waiting(2, 0x1000, "A", 1, 0x2000, Some("B")),
            ],
            cycle: vec![ThreadId(1), ThreadId(2)],
            places: vec![MemoryPlace {
                addr: 0x1000,
                block: Some(HeapBlock {
                    addr: 0x1000,
                    size: 16,
                    thread: ThreadId(0),
                    stack: self.call.clone(),
                    freed: None,
                }),
                stack_place: None,
            }],
        }
    }

    pub(crate) fn lost_wakeup(&self) -> Diagnosis {
        Diagnosis::Deadlock {
            blocked: vec![
                BlockedThread {
                    thread: ThreadId(3),
                    on: BlockedOn::Futex {
                        site: SiteId(0),
                        addr: 0x3000,
                    },
                    wants: Some(Wanted::Condvar { condvar: 0x3000 }),
                    stack: self.store.clone(),
                    locks: Vec::new(),
                    by: vec![ThreadId(1)],
                    missed: Some((ThreadId(1), self.call.clone())),
                },
                BlockedThread {
                    thread: ThreadId(0),
                    on: BlockedOn::Join {
                        thread: ThreadId(3),
                    },
                    wants: None,
                    stack: self.call.clone(),
                    locks: Vec::new(),
                    by: Vec::new(),
                    missed: None,
                },
            ],
            cycle: Vec::new(),
            places: Vec::new(),
        }
    }

    pub(crate) fn inversion(&self) -> Diagnosis {
        let locks = [(0x1000, "A"), (0x2000, "B")];
        let edge = |id, [(held, held_name), (taken, taken_name)]: [(u32, &str); 2]| LockOrderEdge {
            thread: ThreadId(id),
            held: self.held(held, Some(held_name)),
            taken: HeldLock {
                stack: self.store.clone(),
                mode: LockMode::Shared,
                ..self.held(taken, Some(taken_name))
            },
        };
        Diagnosis::LockOrderInversion {
            edges: vec![edge(1, locks), edge(2, [locks[1], locks[0]])],
        }
    }

    pub(crate) fn trap(&self) -> Diagnosis {
        Diagnosis::Trap(TrappedThread {
            thread: ThreadId(1),
            reason: "wasm `unreachable` instruction executed".into(),
            message: Some(
                "thread 'left' (2) panicked at src/race.rs:14:9:\nassertion `left == right` failed: it is even\n  left: 1\n right: 2"
                    .into(),
            ),
            stack: self.store.clone(),
            locks: vec![self.held(0x1000, Some("A"))],
        })
    }

    pub(crate) fn leak(&self) -> Diagnosis {
        Diagnosis::ThreadLeak {
            threads: vec![ThreadId(1), ThreadId(3)],
            creator: ThreadId(0),
            stack: self.call.clone(),
        }
    }

    pub(crate) fn misuse(&self, misuse: Misuse) -> Diagnosis {
        let holders = match misuse {
            Misuse::UnlockByOtherThread | Misuse::DestroyHeldLock | Misuse::InitHeldLock => {
                vec![(ThreadId(2), self.call.clone())]
            }
            Misuse::Relock => vec![(ThreadId(1), self.call.clone())],
            _ => Vec::new(),
        };
        let (object, related) = match misuse {
            Misuse::UseAfterDestroy | Misuse::DoubleDestroy => (
                Some(ObjectKind::Mutex),
                vec![(ThreadId(2), self.call.clone())],
            ),
            Misuse::DestroyInUse => (
                Some(ObjectKind::Condvar),
                vec![(ThreadId(2), self.call.clone())],
            ),
            Misuse::InitHeldLock | Misuse::Relock | Misuse::HeldAtThreadEnd => {
                (Some(ObjectKind::RwLock), Vec::new())
            }
            _ => (None, Vec::new()),
        };
        Diagnosis::LockMisuse {
            misuse,
            object,
            lock: 0x1000,
            name: Some("A".into()),
            thread: ThreadId(1),
            stack: self.store.clone(),
            holders,
            related,
        }
    }

    pub(crate) fn handle_misuse(&self, misuse: HandleMisuse) -> Diagnosis {
        let known = misuse != HandleMisuse::JoinDetached;
        Diagnosis::HandleMisuse {
            misuse,
            of: ThreadId(2),
            thread: ThreadId(1),
            stack: self.store.clone(),
            given_up: known.then(|| (ThreadId(0), self.call.clone())),
        }
    }
}

/// Compares with `tests/report/golden/NAME`. See the header of the test for how to update it.
#[track_caller]
pub(crate) fn golden(name: &str, actual: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/report/golden")
        .join(name);
    let expected = snapbox::Data::read_from(&path, Some(snapbox::data::DataFormat::Text));
    snapbox::Assert::new()
        .action_env("BLESS")
        .normalize_paths(false)
        .eq(
            snapbox::IntoData::raw(snapbox::Data::text(actual)),
            expected.raw(),
        );
}
