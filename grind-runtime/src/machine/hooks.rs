//! What the lowered module calls in the machine, whatever the engine: hooks and imports, as operations and notes.

use super::abi::{self, HostFn};
use super::intercepts;
use super::ops::{self, Op};
use super::state::State;
use crate::model::sites::SiteId;
use crate::program::{AtomicOp, Hook, Program};

/// The operation that a hook with these arguments asks for: an `i32` is in the low half of its bits.
pub(super) fn operation(hook: Hook, args: [u64; 5]) -> Op {
    let word = |index: usize| args[index] as u32;
    let site = |index: usize| SiteId(word(index));
    let base = word(0);
    let atomic = |operand: u64, expected: u64, op: usize| Op::Atomic {
        site: site(op + 1),
        base,
        op: AtomicOp::ALL[args[op] as usize],
        operand,
        expected,
    };
    match hook {
        Hook::Load32 | Hook::Load64 => atomic(0, 0, 1),
        Hook::Store32 | Hook::Store64 | Hook::Rmw32 | Hook::Rmw64 => atomic(args[1], 0, 2),
        Hook::Cmpxchg32 | Hook::Cmpxchg64 => atomic(args[2], args[1], 3),
        Hook::Wait32 | Hook::Wait64 => Op::Wait {
            site: site(3),
            base,
            expected: args[1],
            timeout: args[2].cast_signed(),
        },
        Hook::Notify => Op::Notify {
            site: site(2),
            base,
            count: word(1),
        },
        Hook::Fence => Op::Fence { site: site(0) },
        Hook::Size => Op::Size,
        Hook::Grow => Op::Grow { pages: base },
        _ => unreachable!("{hook:?} is no operation"),
    }
}

/// Takes note of what the current thread does.
pub(super) fn note(state: &mut State, memory: &[u8], hook: Hook, args: [u32; 5]) {
    let [first, a, b, c, d] = args;
    match hook {
        Hook::BulkCopy => ops::bulk_copy(state, memory.len(), SiteId(c), first, a, b),
        Hook::BulkWrite => ops::bulk_write(state, memory.len(), SiteId(b), first, a),
        Hook::Enter => intercepts::enter_index(state, memory, first, [a, b, c, d]),
        Hook::Leave => intercepts::leave(state, memory, a),
        Hook::Callback => intercepts::callback(state, (first != 0).then_some(a)),
        Hook::Stack => state.stack_begins(first),
        _ => unreachable!("{hook:?} is no note"),
    }
}

/// A function that the guest imports.
#[derive(Clone, Copy, Debug)]
pub(super) enum Import {
    /// One of the embedder, by index.
    Embedded(u32),
    /// One of grind.
    Host(&'static HostFn),
}

impl Import {
    /// The function of this name. Those of the embedder come first.
    pub(super) fn find(program: &Program, module: &str, name: &str) -> Option<Import> {
        let mut given = program.embedder().iter();
        match given.position(|given| given.module == module && given.name == name) {
            Some(index) => Some(Import::Embedded(index as u32)),
            None => abi::find(module, name).map(Import::Host),
        }
    }

    /// A call of it.
    pub(super) fn call(self, args: Vec<u64>) -> Op {
        match self {
            Import::Embedded(import) => Op::Embedded { import, args },
            Import::Host(function) => Op::Host { function, args },
        }
    }
}
