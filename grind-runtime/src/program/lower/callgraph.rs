//! Which functions can emit records, found before any body is lowered.
//!
//! A call to a *silent* function needs no call record, and its ring slot need not be carried across:
//! arithmetic helpers cost nothing extra.

use super::super::interceptors::Interceptor;
use super::super::module::UnvalidatedBody;
use super::super::{ModuleInfo, ProgramError};
use super::Instrumentation;
use super::effects::effect;
use super::first_reads::FirstReads;
use super::in_place::InPlace;
use super::lock_sites::LockSites;
use super::speculation::{Speculation, Speculations};
use crate::program::lock_words::LockWord;
use rustc_hash::{FxHashMap, FxHashSet};
use wasmparser::Operator;

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

pub(super) fn scan(
    info: &ModuleInfo,
    bodies: &[UnvalidatedBody<'_>],
    instrumentation: Instrumentation,
    interceptors: &[(u32, Interceptor)],
) -> Result<CallGraph, ProgramError> {
    let total = info.functions.len();
    let imported = info.imported_functions as usize;
    let mut silent = vec![true; total];
    silent[..imported].fill(false);
    for &(index, _) in interceptors {
        silent[index as usize] = false;
    }
    let mut callers: Vec<Vec<u32>> = vec![Vec::new(); total];
    let mut recyclable = true;
    let mut first_reads = FirstReads::default();
    let mut speculations = Speculations::default();
    let mut lock_sites = LockSites::new(interceptors);
    let mut instruction = InPlace::new();
    for (defined, (_, body)) in bodies.iter().enumerate() {
        let index = imported + defined;
        let is_start = info.start == Some(index as u32);
        let mut reader = body.get_operators_reader()?;
        let parameters = info.function_type(index as u32);
        speculations.begin_function(parameters.map_or(0, |ty| ty.params().len() as u32));
        while !reader.eof() {
            let offset = reader.original_position();
            let op = instruction.read(&mut reader)?;
            let effect = effect(op);
            first_reads.next(offset, op);
            speculations.next(offset, op, effect);
            lock_sites.next(offset, op, effect);
            match *op {
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    // Validation has not seen the body yet, so the index may be out of range.
                    if let Some(list) = callers.get_mut(function_index as usize) {
                        list.push(index as u32);
                    }
                }
                Operator::CallIndirect { .. } | Operator::ReturnCallIndirect { .. } => {
                    silent[index] = false;
                }
                Operator::TableSet { .. }
                | Operator::TableGrow { .. }
                | Operator::TableFill { .. }
                | Operator::TableCopy { .. }
                | Operator::TableInit { .. }
                | Operator::ElemDrop { .. } => recyclable = false,
                // Its record says where a thread trapped.
                Operator::Unreachable => silent[index] = false,
                ref op if effect.is_some() => {
                    silent[index] = false;
                    if matches!(op, Operator::MemoryInit { .. }) && !is_start {
                        recyclable = false;
                    }
                }
                _ => {}
            }
        }
        reader.finish()?;
        first_reads.end();
        speculations.end();
        lock_sites.end();
    }
    let first_reads = first_reads.into_found();
    let speculation = speculations.into_found();
    let lock_sites = lock_sites.into_found();
    if instrumentation == Instrumentation::Off {
        silent.fill(true);
        return Ok(CallGraph {
            silent,
            recyclable,
            first_reads,
            speculation,
            lock_sites,
        });
    }
    let mut work: Vec<u32> = (0..total as u32).filter(|&f| !silent[f as usize]).collect();
    while let Some(function) = work.pop() {
        for &caller in &callers[function as usize] {
            if std::mem::replace(&mut silent[caller as usize], false) {
                work.push(caller);
            }
        }
    }
    Ok(CallGraph {
        silent,
        recyclable,
        first_reads,
        speculation,
        lock_sites,
    })
}
