//! An engine for tests of the machine alone: it runs no code. The name of an exported function is a script, of steps with `;` between:
//! `add` adds 1 to the first word of memory, `wait` waits on the second, `notify` wakes who waits there, `trap` traps.

use super::{Engine, Enter, Exit, Instance};
use crate::machine::ops::Op;
use crate::machine::state::{State, Verdict};
use crate::machine::{MachineError, Trap, Value};
use crate::model::ThreadId;
use crate::model::sites::{SiteId, SiteKind};
use crate::program::{AtomicOp, Program};

/// A program set up in it.
struct Scripted {
    state: State,
    memory: Vec<u8>,
    instances: u32,
    /// What is left of the script of each thread that is suspended.
    suspended: Vec<Option<String>>,
}

/// See [`Row::start`](super::Row::start).
pub(super) fn start(
    _: &Program,
    state: State,
    pages: u32,
) -> Result<Box<dyn Engine>, MachineError> {
    Ok(Box::new(Scripted {
        state,
        memory: vec![0; pages as usize * 65_536],
        instances: 0,
        suspended: Vec::new(),
    }))
}

impl Scripted {
    fn suspended(&mut self, thread: ThreadId) -> &mut Option<String> {
        let index = thread.0 as usize;
        if self.suspended.len() <= index {
            self.suspended.resize(index + 1, None);
        }
        &mut self.suspended[index]
    }

    /// Any atomic instruction of four bytes: the program has to have one.
    fn site(&self) -> SiteId {
        let sites = &self.state.sites;
        let ids = (0..sites.len() as u32).map(SiteId);
        let mut atomics = ids.filter(|&id| {
            let site = sites.get(id);
            site.kind == SiteKind::Atomic && site.width == 4 && site.displacement == 0
        });
        atomics.next().expect("the program has an atomic access")
    }

    fn op(&self, step: &str) -> Option<Op> {
        let site = self.site();
        Some(match step {
            "add" => Op::Atomic {
                site,
                base: 0,
                op: AtomicOp::Add,
                operand: 1,
                expected: 0,
            },
            "wait" => Op::Wait {
                site,
                base: 4,
                expected: 0,
                timeout: -1,
            },
            "notify" => Op::Notify {
                site,
                base: 4,
                count: 1,
            },
            _ => return None,
        })
    }
}

impl Engine for Scripted {
    fn state(&self) -> &State {
        &self.state
    }

    fn state_mut(&mut self) -> &mut State {
        &mut self.state
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }

    fn memory_and_state(&mut self) -> (&mut [u8], &mut State) {
        (&mut self.memory, &mut self.state)
    }

    fn perform(&mut self, op: Op) -> Verdict {
        self.state.perform(&mut self.memory, op)
    }

    fn instantiate(&mut self) -> Result<Instance, MachineError> {
        self.instances += 1;
        Ok(Instance(self.instances - 1))
    }

    fn reset(&mut self, _: Instance) -> Result<(), MachineError> {
        Ok(())
    }

    fn exports_function(&self, _: Instance, export: &str) -> bool {
        self.state
            .program
            .info()
            .exported_function(export)
            .is_some()
    }

    fn global(&self, _: Instance, _: &str) -> Option<Value> {
        None
    }

    fn extend(&mut self, _: &Program) -> Result<(), MachineError> {
        Ok(())
    }

    fn set_global(&mut self, _: Instance, _: &str, _: Value) {}

    fn stack_pointer(&self, _: Instance) -> Option<u32> {
        None
    }

    fn run(
        &mut self,
        thread: ThreadId,
        enter: Enter<'_>,
        _: u64,
    ) -> Result<(Exit, u64), MachineError> {
        let script = match enter {
            Enter::Call { export, .. } => export.to_owned(),
            Enter::Resume(_) => self.suspended(thread).take().unwrap_or_default(),
        };
        let mut spent = 0;
        let mut rest = &script[..];
        while !rest.is_empty() {
            spent += 1;
            let (step, after) = rest.split_once(';').unwrap_or((rest, ""));
            rest = after;
            let Some(op) = self.op(step) else {
                return Ok((Exit::Trapped(Trap::Engine(step.to_owned())), spent));
            };
            let verdict = match self.state.request(&op) {
                Some(verdict) => verdict,
                None => self.perform(op),
            };
            if !matches!(verdict, Verdict::Value(_)) {
                *self.suspended(thread) = Some(rest.to_owned());
                return Ok((Exit::Left(verdict), spent));
            }
        }
        Ok((Exit::Returned(Vec::new()), spent))
    }

    fn forget(&mut self, thread: ThreadId) {
        *self.suspended(thread) = None;
    }

    fn into_state(self: Box<Self>) -> State {
        self.state
    }
}

mod tests {
    use crate::machine::{Machine, MachineConfig, NullIo, Pause};
    use crate::model::{Driven, Ending, NullSink};
    use crate::program::Program;
    use crate::schedule::Random;

    /// Drives threads of these scripts to the end. Returns the first word of memory, how many threads trapped, and how it ended.
    fn run(seed: u64, scripts: &[&str]) -> (u32, usize, Ending) {
        let exports: String = (scripts.iter())
            .map(|script| format!("(export {script:?} (func $any))"))
            .collect();
        let wat = format!(
            "(module (memory 1 1 shared) {exports}
                (func $any (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 0)))))"
        );
        let program = Program::new(&wat::parse_str(wat).expect("a module")).expect("runs");
        let scheduler = Box::new(Random::new(seed));
        let mut config = MachineConfig::new(scheduler, Box::new(NullSink), Box::new(NullIo));
        config.engine = Some("scripted".to_owned());
        config.spec.entry.unfinished = crate::model::Unfinished::Wait;
        let config = config.driven(Driven::AsMainThread);
        let mut machine = Machine::new(&program, config).expect("it is built in");
        for script in scripts {
            machine.spawn([*script], []).expect("it is exported");
        }
        while matches!(machine.run(), Ok(Pause::ThreadEnded(_))) {}
        let word = machine.memory()[..4].try_into().map(u32::from_le_bytes);
        let result = machine.run_to_the_end().expect("the scheduler is right");
        (word.expect("four bytes"), result.traps.len(), result.ending)
    }

    #[test]
    fn the_machine_needs_no_code_to_interleave_threads() {
        for seed in 0..50 {
            let all = run(
                seed,
                &["add;add;add", "add;add", "wait;add", "notify;notify"],
            );
            // Who waits may come too late.
            assert!(matches!(
                all,
                (6, 0, Ending::Returned) | (5, 0, Ending::Deadlock)
            ));
            assert_eq!(
                run(seed, &["add;trap;add", "add"]),
                (2, 1, Ending::Returned)
            );
            assert_eq!(run(seed, &["wait"]), (0, 0, Ending::Deadlock));
        }
    }

    #[test]
    fn equal_seeds_interleave_equally() {
        let scripts = ["wait;add", "notify"];
        let endings: Vec<_> = (0..50).map(|seed| run(seed, &scripts)).collect();
        assert_eq!(
            endings,
            (0..50).map(|seed| run(seed, &scripts)).collect::<Vec<_>>()
        );
        assert!(endings.contains(&(1, 0, Ending::Returned)));
        assert!(endings.contains(&(0, 0, Ending::Deadlock)));
    }
}
