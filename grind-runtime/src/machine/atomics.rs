//! Atomic accesses on the guest's memory, with the threads proposal's traps: a misaligned address first,
//! then one out of bounds.

use super::Trap;
use crate::model::AtomicKind;
use crate::program::AtomicOp;

/// One atomic access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Access {
    /// Address operand plus displacement; may exceed 32 bits.
    pub(super) address: u64,
    /// Bytes: 1, 2, 4 or 8.
    pub(super) width: u8,
    pub(super) op: AtomicOp,
    /// Stored or combined value; the replacement of a compare-exchange.
    pub(super) operand: u64,
    /// Expected value of a compare-exchange.
    pub(super) expected: u64,
}

/// Checks alignment and bounds.
pub(super) fn check(memory: &[u8], address: u64, width: u8) -> Result<usize, Trap> {
    if !address.is_multiple_of(u64::from(width)) {
        return Err(Trap::UnalignedAtomic);
    }
    check_bounds(memory, address, width)
}

fn check_bounds(memory: &[u8], address: u64, width: u8) -> Result<usize, Trap> {
    match address.checked_add(u64::from(width)) {
        Some(end) if end <= memory.len() as u64 => Ok(address as usize),
        _ => Err(Trap::OutOfBounds),
    }
}

/// Little-endian value of the `width` bytes at `at`.
pub(super) fn read(memory: &[u8], at: usize, width: u8) -> u64 {
    let mut bytes = [0; 8];
    bytes[..usize::from(width)].copy_from_slice(&memory[at..at + usize::from(width)]);
    u64::from_le_bytes(bytes)
}

fn write(memory: &mut [u8], at: usize, width: u8, value: u64) {
    memory[at..at + usize::from(width)].copy_from_slice(&value.to_le_bytes()[..usize::from(width)]);
}

/// Performs the access; returns the old value and what happened to memory. The value of a store is 0.
pub(super) fn perform(memory: &mut [u8], access: &Access) -> Result<(u64, AtomicKind), Trap> {
    let &Access {
        address,
        width,
        op,
        operand,
        expected,
    } = access;
    if op == AtomicOp::FirstRead {
        let at = check_bounds(memory, address, width)?;
        return Ok((read(memory, at, width), AtomicKind::Load));
    }
    let at = check(memory, address, width)?;
    if op == AtomicOp::Store {
        write(memory, at, width, operand);
        return Ok((0, AtomicKind::Store));
    }
    let old = read(memory, at, width);
    let new = match op {
        AtomicOp::Load | AtomicOp::FirstRead => return Ok((old, AtomicKind::Load)),
        // Narrow accesses wrap the expected value: an `i32.atomic.rmw8.cmpxchg_u` with 0x1ff
        // expects 0xff.
        AtomicOp::CompareExchange if old != truncate(expected, width) => {
            return Ok((old, AtomicKind::Load));
        }
        AtomicOp::CompareExchange | AtomicOp::Exchange | AtomicOp::Store => operand,
        AtomicOp::Add => old.wrapping_add(operand),
        AtomicOp::Sub => old.wrapping_sub(operand),
        AtomicOp::And => old & operand,
        AtomicOp::Or => old | operand,
        AtomicOp::Xor => old ^ operand,
    };
    write(memory, at, width, new);
    Ok((old, AtomicKind::ReadModifyWrite))
}

/// The low `width` bytes of a value.
pub(super) fn truncate(value: u64, width: u8) -> u64 {
    value & (u64::MAX >> (64 - 8 * u32::from(width)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(address: u64, width: u8, op: AtomicOp, operand: u64, expected: u64) -> Access {
        Access {
            address,
            width,
            op,
            operand,
            expected,
        }
    }

    #[test]
    fn misalignment_is_found_before_bounds() {
        let memory = [0; 16];
        assert_eq!(check(&memory, 17, 2), Err(Trap::UnalignedAtomic));
        assert_eq!(check(&memory, 16, 2), Err(Trap::OutOfBounds));
        assert_eq!(check(&memory, u64::MAX - 7, 8), Err(Trap::OutOfBounds));
        assert_eq!(check(&memory, 8, 8), Ok(8));
    }

    #[test]
    fn a_load_that_was_plain_may_be_misaligned() {
        let mut memory = [1, 2, 3, 4, 5, 0, 0, 0];
        let load = access(1, 4, AtomicOp::FirstRead, 0, 0);
        let read = perform(&mut memory, &load);
        assert_eq!(read, Ok((0x0504_0302, AtomicKind::Load)));
        let beyond = access(5, 4, AtomicOp::FirstRead, 0, 0);
        assert_eq!(perform(&mut memory, &beyond), Err(Trap::OutOfBounds));
    }

    #[test]
    fn a_narrow_compare_exchange_wraps_what_it_expects() {
        let mut memory = [0xff, 7, 0, 0];
        let swap = access(0, 1, AtomicOp::CompareExchange, 0x302, 0x1ff);
        assert_eq!(
            perform(&mut memory, &swap),
            Ok((0xff, AtomicKind::ReadModifyWrite))
        );
        assert_eq!(memory, [2, 7, 0, 0]);
        assert_eq!(perform(&mut memory, &swap), Ok((2, AtomicKind::Load)));
        assert_eq!(memory, [2, 7, 0, 0]);
    }

    #[test]
    fn narrow_arithmetic_wraps_within_its_width() {
        let mut memory = [0xff, 0xff, 1, 0];
        let add = access(0, 2, AtomicOp::Add, 2, 0);
        assert_eq!(
            perform(&mut memory, &add),
            Ok((0xffff, AtomicKind::ReadModifyWrite))
        );
        assert_eq!(memory, [1, 0, 1, 0]);
    }
}
