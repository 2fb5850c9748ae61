//! Which functions can emit records, found before any body is lowered.
//!
//! A call to a *silent* function needs no call record, and its ring slot need not be carried across:
//! arithmetic helpers cost nothing extra.

use super::super::interceptors::Interceptor;
use super::super::{ModuleInfo, ProgramError};
use super::Instrumentation;
use super::effects::effect;
use super::first_reads::FirstReads;
use super::in_place::InPlace;
use super::lock_sites::LockSites;
use super::speculation::{Speculation, Speculations};
use crate::program::lock_words::LockWord;
use rustc_hash::{FxHashMap, FxHashSet};
use wasmparser::{FunctionBody, Operator};

pub(super) struct CallGraph {
    /// By function index: neither it nor anything it calls emits a record or calls a hook.
    pub(super) silent: Vec<bool>,
    /// Only globals distinguish a used instance from a fresh one.
    pub(super) recyclable: bool,
    /// Plain loads that belong to an atomic operation, by where they are in the file.
    pub(super) first_reads: FxHashSet<u64>,
    /// Plain loads that the compiler made unconditional.
    pub(super) speculation: Speculation,
    /// Compare-exchanges that take locks, by where they are in the file.
    pub(super) lock_sites: FxHashMap<u64, LockWord>,
}

/// Reads all bodies, one after the other.
pub(super) struct Scan {
    silent: Vec<bool>,
    /// By function index: who calls it.
    callers: Vec<Vec<u32>>,
    recyclable: bool,
    first_reads: FirstReads,
    speculations: Speculations,
    lock_sites: LockSites,
}

impl Scan {
    pub(super) fn new(info: &ModuleInfo, interceptors: &[(u32, Interceptor)]) -> Scan {
        let total = info.functions.len();
        let mut silent = vec![true; total];
        silent[..info.imported_functions as usize].fill(false);
        for &(index, _) in interceptors {
            silent[index as usize] = false;
        }
        Scan {
            silent,
            callers: vec![Vec::new(); total],
            recyclable: true,
            first_reads: FirstReads::default(),
            speculations: Speculations::default(),
            lock_sites: LockSites::new(interceptors),
        }
    }

    /// The next body, of the function with this index.
    pub(super) fn function(
        &mut self,
        info: &ModuleInfo,
        index: u32,
        body: &FunctionBody<'_>,
    ) -> Result<(), ProgramError> {
        let is_start = info.start == Some(index);
        let mut reader = body.get_operators_reader()?;
        let mut instruction = InPlace::new();
        let parameters = info.function_type(index);
        self.speculations
            .begin_function(parameters.map_or(0, |ty| ty.params().len() as u32));
        while !reader.eof() {
            let offset = reader.original_position();
            let op = instruction.read(&mut reader)?;
            let effect = effect(op);
            self.first_reads.next(offset, op);
            self.speculations.next(offset, op, effect);
            self.lock_sites.next(offset, op, effect);
            match *op {
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    // Validation has not seen the body yet, so the index may be out of range.
                    if let Some(list) = self.callers.get_mut(function_index as usize) {
                        list.push(index);
                    }
                }
                Operator::CallIndirect { .. } | Operator::ReturnCallIndirect { .. } => {
                    self.silent[index as usize] = false;
                }
                Operator::TableSet { .. }
                | Operator::TableGrow { .. }
                | Operator::TableFill { .. }
                | Operator::TableCopy { .. }
                | Operator::TableInit { .. }
                | Operator::ElemDrop { .. } => self.recyclable = false,
                // Its record says where a thread trapped.
                Operator::Unreachable => self.silent[index as usize] = false,
                ref op if effect.is_some() => {
                    self.silent[index as usize] = false;
                    if matches!(op, Operator::MemoryInit { .. }) && !is_start {
                        self.recyclable = false;
                    }
                }
                _ => {}
            }
        }
        reader.finish()?;
        self.first_reads.end();
        self.speculations.end();
        self.lock_sites.end();
        Ok(())
    }

    /// What all of them tell.
    pub(super) fn finish(self, instrumentation: Instrumentation) -> CallGraph {
        let Scan {
            mut silent,
            callers,
            recyclable,
            ..
        } = self;
        let first_reads = self.first_reads.into_found();
        let speculation = self.speculations.into_found();
        let lock_sites = self.lock_sites.into_found();
        match instrumentation {
            Instrumentation::Off => silent.fill(true),
            Instrumentation::Full => {
                let all = 0..silent.len() as u32;
                let mut work: Vec<u32> = all.filter(|&f| !silent[f as usize]).collect();
                while let Some(function) = work.pop() {
                    for &caller in &callers[function as usize] {
                        if std::mem::replace(&mut silent[caller as usize], false) {
                            work.push(caller);
                        }
                    }
                }
            }
        }
        CallGraph {
            silent,
            recyclable,
            first_reads,
            speculation,
            lock_sites,
        }
    }
}
