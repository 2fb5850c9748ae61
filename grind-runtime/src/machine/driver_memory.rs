//! Atomic accesses and notifications of a driver, which are those of the main thread. They order as the guest's own do; only an
//! instruction they have none.

use super::atomics::{self, Access};
use super::io::{DriverAct, DriverAtomic};
use super::run::Machine;
use super::state::State;
use super::{ActError, ops};
use crate::model::EventKind;
use crate::program::AtomicOp;

/// Bytes of a word that threads wait on, at least.
pub(super) const NOTIFIED: u8 = 4;

impl Machine {
    /// Accesses the guest's memory atomically, as the main thread. Returns the bits that were there before; 0 for a store.
    ///
    /// # Errors
    /// [`ActError::Misaligned`], [`ActError::OutOfBounds`], [`ActError::NotDriven`], [`ActError::Over`]
    pub fn atomic(&mut self, addr: u32, width: u8, op: DriverAtomic) -> Result<u64, ActError> {
        self.act(DriverAct::Atomic { addr, width, op })
    }

    /// Lets threads go on that wait on an address, as `memory.atomic.notify` of the main thread, `count` at most. Returns how many it woke.
    ///
    /// # Errors
    /// See [`Machine::atomic`].
    pub fn notify(&mut self, addr: u32, count: u32) -> Result<u32, ActError> {
        let woken = self.act(DriverAct::Notify { addr, count })?;
        Ok(woken as u32)
    }
}

/// The current thread accesses bytes that are aligned and in memory. Returns what was there before.
pub(super) fn atomic(
    state: &mut State,
    memory: &mut [u8],
    addr: u32,
    width: u8,
    op: DriverAtomic,
) -> u64 {
    let (op, operand, expected) = match op {
        DriverAtomic::Load => (AtomicOp::Load, 0, 0),
        DriverAtomic::Store { value } => (AtomicOp::Store, value, 0),
        DriverAtomic::Add { value } => (AtomicOp::Add, value, 0),
        DriverAtomic::CompareExchange { expected, new } => {
            (AtomicOp::CompareExchange, new, expected)
        }
    };
    let access = Access {
        address: addr.into(),
        width,
        op,
        operand,
        expected,
    };
    let Ok((before, kind)) = atomics::perform(memory, &access) else {
        unreachable!("the act was checked");
    };
    state.emit(EventKind::HostAtomic { addr, width, kind });
    before
}

/// The current thread lets others go on. Returns how many.
pub(super) fn notify(state: &mut State, addr: u32, count: u32) -> u64 {
    ops::wake(state, addr, count, |woken| EventKind::HostNotify {
        addr,
        woken,
    })
}
