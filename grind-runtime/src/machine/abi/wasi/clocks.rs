//! Virtual clocks and seeded randomness.

use super::{Ctx, Done, Errno, HostFn, quiet, reply, sync};
use crate::machine::state::State;

pub(super) const FUNCTIONS: &[HostFn] = &[
    quiet("clock_res_get", |ctx, a| {
        reply(time(ctx.state, a[0]).and_then(|_| ctx.write_u64(a[1] as u32, 1)))
    }),
    sync("clock_time_get", |ctx, a| {
        let now = time(ctx.state, a[0]);
        reply(now.and_then(|now| ctx.write_u64(a[2] as u32, now)))
    }),
    quiet("random_get", |ctx, a| {
        reply(random(ctx, a[0] as u32, a[1] as u32))
    }),
];

/// Wall-clock time at which every run begins: 2024-01-01T00:00:00Z, in nanoseconds since 1970.
const BEGINNING: u64 = 1_704_067_200_000_000_000;

/// The number of the wall clock.
pub(super) const REALTIME: u64 = 0;

/// Nanoseconds on a clock: 0 is wall-clock time, 1 monotonic, 2 and 3 CPU time.
pub(super) fn time(state: &State, id: u64) -> Result<u64, Errno> {
    match id {
        REALTIME => Ok(BEGINNING.saturating_add(state.clock.now())),
        1..=3 => Ok(state.clock.now()),
        _ => Err(Errno::Inval),
    }
}

fn random(ctx: &mut Ctx<'_>, addr: u32, len: u32) -> Done {
    /// Bytes between two looks at whether the run is to stop.
    const PIECE: usize = 64 << 10;
    let range = ctx.range(addr, len, true)?;
    for piece in ctx.memory[range].chunks_mut(PIECE) {
        if ctx.state.stopping() {
            return Err(Errno::Intr);
        }
        for chunk in piece.chunks_mut(8) {
            let word = ctx.state.scheduler.random().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
    Ok(())
}
