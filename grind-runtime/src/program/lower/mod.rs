//! Lowering: threads-proposal wasm to plain wasm for the engine (in prose: `docs/ARCHITECTURE.md`).
//!
//! The lowered module imports, after the guest's own imports, the hooks of [`hooks::Hook`] and a private
//! memory, the *ring*. Every function that can touch memory keeps the address of its next ring slot in a
//! local. Slots are used upwards; at the end of the ring the `drain` hook is called, which returns the slot
//! to go on with. So the number of slots a thread is given is the number of records after which the
//! machine gets control: the preemption counter costs nothing extra.

mod body;
mod callgraph;
mod copy;
mod effects;
mod first_reads;
pub(crate) mod hooks;
mod in_place;
mod lock_sites;
mod operands;
mod region;
mod sections;
mod speculation;
mod wrapper;

use super::imports::ThreadAbi;
use super::interceptors::{Interceptor, Search};
use super::lock_words::LockWord;
use super::module::{Parsed, UnvalidatedBody};
use super::{ModuleInfo, ProgramError, ProgramOptions};
use crate::model::MOST_SITES;
use crate::model::sites::{Site, SiteId, SiteKind, SiteTable};
use callgraph::Scan;
use hooks::Hook;
use rustc_hash::{FxHashMap, FxHashSet};
use sections::Code;
use speculation::Speculation;
use std::ops::ControlFlow;
use std::sync::Arc;
use wasm_encoder::reencode::{self, Reencode};

/// Index of the guest's memory in the lowered module.
pub(crate) const GUEST_MEMORY: u32 = 0;
/// Index of the ring in the lowered module.
pub(crate) const RING_MEMORY: u32 = 1;
/// Index of the global that holds the ring slot across calls. All threads share it: the machine sets it
/// whenever it lets a thread go on.
pub(crate) const SLOT_GLOBAL: u32 = 0;

/// Where the ring ends, in bytes: 4096 slots, whose records are a level-1 cache's worth; 1024 and 8191 slots
/// were within 3 % of it.
pub(crate) const RING_END: u32 = 8 * 4096;

/// Bytes of code for each site, or more.
const BYTES_PER_SITE: usize = 4;

/// What each thread of a module of wasm-bindgen calls first.
const WASM_BINDGEN_START: &str = "__wbindgen_start";

/// What the lowered code reports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Instrumentation {
    /// Everything the detectors need.
    #[default]
    Full,
    /// Only what running needs (atomics, thread calls): the baseline that benches compare with.
    Off,
}

/// A lowered module and what the lowering learned.
#[derive(Debug)]
pub(super) struct Lowered {
    pub(super) wasm: Vec<u8>,
    pub(super) sites: Arc<SiteTable>,
    pub(super) interceptors: Vec<(u32, Interceptor)>,
    pub(super) recyclable: bool,
    /// Instructions that take a lock where they succeed.
    pub(super) lock_sites: Arc<FxHashMap<SiteId, LockWord>>,
}

/// What every part of the lowering needs to know.
struct Context {
    info: ModuleInfo,
    instrumentation: Instrumentation,
    /// Functions that emit no record, whatever they call.
    silent: Vec<bool>,
    interceptors: Vec<(u32, Interceptor)>,
    /// Plain loads that are lowered as atomic ones, by where they are in the file.
    first_reads: FxHashSet<u64>,
    /// Plain loads that the compiler made unconditional.
    speculation: Speculation,
    /// Type index of each hook.
    hook_types: Vec<u32>,
}

impl Context {
    fn hook(&self, hook: Hook) -> u32 {
        self.info.imported_functions + hook as u32
    }

    /// `(base, site)`: makes a record and checks. Before the functions whose body moved.
    fn step(&self) -> u32 {
        self.info.functions.len() as u32 + Hook::COUNT
    }

    fn step_type(&self) -> u32 {
        self.hook_types[0] + Hook::COUNT
    }

    /// What the function means, if it is intercepted.
    fn interceptor(&self, function: u32) -> Option<&Interceptor> {
        let of = |&(index, _): &(u32, Interceptor)| index;
        let at = self.interceptors.binary_search_by_key(&function, of).ok()?;
        Some(&self.interceptors[at].1)
    }

    /// Whether what the function calls through a table is told to the machine.
    fn has_callbacks(&self, function: u32) -> bool {
        (self.interceptor(function)).is_some_and(|interceptor| interceptor.role.has_callbacks())
    }

    fn is_silent(&self, function: u32) -> bool {
        self.silent[function as usize]
    }

    /// The global that says what a thread's stack is, if `function` sets it as the first thing that the thread does.
    fn stack_pointer_of_entry(&self, function: u32) -> Option<u32> {
        let entries = ThreadAbi::ALL.map(ThreadAbi::entry);
        let mut functions = (entries.iter().chain([&WASM_BINDGEN_START]))
            .filter_map(|entry| self.info.exported_function(entry));
        let tells = self.instrumentation == Instrumentation::Full
            && functions.any(|entry| entry == function);
        self.info.stack_pointer.filter(|_| tells)
    }
}

/// Functions after the imports move up by the number of hooks, globals by one; there is one guest
/// memory, at 0.
struct Shift<'a>(&'a ModuleInfo);

impl Reencode for Shift<'_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, func: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(if func < self.0.imported_functions {
            func
        } else {
            func + Hook::COUNT
        })
    }

    fn global_index(&mut self, global: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(global + 1)
    }

    fn memory_index(&mut self, _: u32) -> Result<u32, reencode::Error<Self::Error>> {
        Ok(GUEST_MEMORY)
    }
}

/// Bytes of code that a step is through, and the rest of the last function.
const STEP: usize = 2048;

/// A module that is being lowered, in steps.
pub(super) enum Lowering {
    /// All names are looked at.
    Names(Box<(Parsed, Search)>),
    /// All bodies are looked at.
    Scan(Box<Scanning>),
    /// Then each is validated and lowered.
    Lower(Box<Bodies>),
}

pub(super) struct Scanning {
    info: ModuleInfo,
    bodies: Vec<UnvalidatedBody>,
    instrumentation: Instrumentation,
    interceptors: Vec<(u32, Interceptor)>,
    scan: Scan,
    /// How many were looked at.
    scanned: usize,
}

pub(super) struct Bodies {
    context: Context,
    left: std::vec::IntoIter<UnvalidatedBody>,
    /// Function index of the next.
    index: u32,
    sites: SiteTable,
    code: Code,
    recyclable: bool,
    lock_sites: FxHashMap<u64, LockWord>,
}

/// More to do, or what came of it.
type Next<T> = ControlFlow<(ModuleInfo, Lowered), T>;

impl Lowering {
    pub(super) fn new(parsed: Parsed) -> Lowering {
        Lowering::Names(Box::new((parsed, Search::default())))
    }

    /// Makes a step. `wasm` is the file that was parsed, and `options` are always the same.
    pub(super) fn step(
        self,
        wasm: &[u8],
        options: &ProgramOptions,
    ) -> Result<Next<Lowering>, ProgramError> {
        match self {
            Lowering::Names(mut searched) => {
                let (parsed, search) = &mut *searched;
                let more = options.instrumentation == Instrumentation::Full
                    && search.step(&parsed.info, &options.interceptors);
                Ok(ControlFlow::Continue(match more {
                    true => Lowering::Names(searched),
                    false => {
                        let (parsed, search) = *searched;
                        let scanning = Scanning::new(parsed, options, search.finish());
                        Lowering::Scan(Box::new(scanning))
                    }
                }))
            }
            Lowering::Scan(mut scanning) => {
                Ok(ControlFlow::Continue(match scanning.step(wasm)? {
                    true => Lowering::Scan(scanning),
                    false => Lowering::Lower(Box::new(scanning.finish())),
                }))
            }
            Lowering::Lower(mut bodies) => match bodies.step(wasm)? {
                true => Ok(ControlFlow::Continue(Lowering::Lower(bodies))),
                false => bodies.finish(wasm).map(ControlFlow::Break),
            },
        }
    }
}

impl Scanning {
    fn new(
        parsed: Parsed,
        options: &ProgramOptions,
        interceptors: Vec<(u32, Interceptor)>,
    ) -> Scanning {
        let Parsed { info, bodies } = parsed;
        Scanning {
            scan: Scan::new(&info, &interceptors),
            info,
            bodies,
            instrumentation: options.instrumentation,
            interceptors,
            scanned: 0,
        }
    }

    /// Returns whether there is more.
    fn step(&mut self, wasm: &[u8]) -> Result<bool, ProgramError> {
        let mut bytes = 0;
        while let Some(body) = self.bodies.get(self.scanned) {
            if bytes >= STEP {
                return Ok(true);
            }
            bytes += body.len();
            let index = self.info.imported_functions + self.scanned as u32;
            (self.scan).function(&self.info, index, &body.read(wasm))?;
            self.scanned += 1;
        }
        Ok(false)
    }

    fn finish(self) -> Bodies {
        let (info, instrumentation) = (self.info, self.instrumentation);
        let graph = self.scan.finish(instrumentation);
        let first_hook_type = u32::try_from(info.types.len()).expect("validated type count");
        let code_bytes = (info.code.end - info.code.start) as usize;
        let index = info.imported_functions;
        let context = Context {
            info,
            instrumentation,
            silent: graph.silent,
            first_reads: match instrumentation {
                Instrumentation::Full => graph.first_reads,
                Instrumentation::Off => FxHashSet::default(),
            },
            speculation: match instrumentation {
                Instrumentation::Full => graph.speculation,
                Instrumentation::Off => Speculation::default(),
            },
            hook_types: (0..Hook::COUNT)
                .map(|hook| first_hook_type + hook)
                .collect(),
            interceptors: self.interceptors,
        };
        let mut sites = SiteTable::with_capacity(code_bytes / BYTES_PER_SITE);
        // No record is all zero, so that the machine can tell a used ring slot from a free one.
        sites.push(Site {
            kind: SiteKind::Trap,
            width: 0,
            func: 0,
            offset: 0,
            displacement: 0,
        });
        Bodies {
            code: Code::new(&context, self.bodies.len()),
            context,
            left: self.bodies.into_iter(),
            index,
            sites,
            recyclable: graph.recyclable,
            lock_sites: graph.lock_sites,
        }
    }
}

impl Bodies {
    /// Returns whether there is more.
    fn step(&mut self, wasm: &[u8]) -> Result<bool, ProgramError> {
        let mut bytes = 0;
        while bytes < STEP {
            let Some(next) = self.left.next() else {
                return Ok(false);
            };
            bytes += next.len();
            let body = next.read(wasm);
            let (context, sites) = (&self.context, &mut self.sites);
            (self.code).function(context, sites, self.index, next.func, &body)?;
            self.index += 1;
        }
        Ok(true)
    }

    fn finish(self, wasm: &[u8]) -> Result<(ModuleInfo, Lowered), ProgramError> {
        let wasm = sections::encode(wasm, &self.context, self.code)?;
        let sites = self.sites;
        if sites.len() > MOST_SITES {
            let sites = sites.len();
            return Err(ProgramError::TooLarge(format!(
                "{sites} instructions to watch, where {MOST_SITES} can be told apart"
            )));
        }
        let lock_sites = lock_sites(&sites, &self.lock_sites);
        let Context {
            info, interceptors, ..
        } = self.context;
        let lowered = Lowered {
            wasm,
            lock_sites: Arc::new(lock_sites),
            sites: Arc::new(sites),
            interceptors,
            recyclable: self.recyclable,
        };
        Ok((info, lowered))
    }
}

/// By site what is known by where it is in the file.
fn lock_sites(
    sites: &SiteTable,
    by_offset: &FxHashMap<u64, LockWord>,
) -> FxHashMap<SiteId, LockWord> {
    if by_offset.is_empty() {
        return FxHashMap::default();
    }
    (0..sites.len() as u32)
        .map(SiteId)
        .filter_map(|id| {
            let site = sites.get(id);
            let word = by_offset.get(&site.offset.into())?;
            (site.kind == SiteKind::Atomic).then_some((id, *word))
        })
        .collect()
}
