//! The part of WASI preview 1 that needs no files: arguments, environment, standard streams, virtual
//! clocks, seeded randomness, sleeping, exit.

use super::{Ctx, HostFn, OutOfBounds, quiet, sync};
use crate::machine::ops::Reply;
use crate::machine::state::State;
use crate::machine::thread::Block;

/// `errno` numbers of `wasi_snapshot_preview1.witx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
enum Errno {
    Badf = 8,
    Fault = 21,
    Inval = 28,
    Io = 29,
    Spipe = 70,
}

impl From<OutOfBounds> for Errno {
    fn from(OutOfBounds: OutOfBounds) -> Errno {
        Errno::Fault
    }
}

type Done = Result<(), Errno>;

fn reply(done: Done) -> Reply {
    Reply::Value(done.err().map_or(0, |errno| errno as u64))
}

pub(super) const PREVIEW1: &[HostFn] = &[
    quiet("args_get", |ctx, a| {
        let strings = ctx.state.args.clone();
        reply(string_list(ctx, &strings, a[0] as u32, a[1] as u32))
    }),
    quiet("args_sizes_get", |ctx, a| {
        let sizes = string_sizes(&ctx.state.args);
        reply(write_sizes(ctx, sizes, a[0] as u32, a[1] as u32))
    }),
    quiet("environ_get", |ctx, a| {
        let strings = ctx.state.env.clone();
        reply(string_list(ctx, &strings, a[0] as u32, a[1] as u32))
    }),
    quiet("environ_sizes_get", |ctx, a| {
        let sizes = string_sizes(&ctx.state.env);
        reply(write_sizes(ctx, sizes, a[0] as u32, a[1] as u32))
    }),
    quiet("clock_res_get", |ctx, a| {
        reply(clock(ctx.state, a[0]).and_then(|_| Ok(ctx.write(a[1] as u32, &1u64.to_le_bytes())?)))
    }),
    sync("clock_time_get", |ctx, a| {
        let now = clock(ctx.state, a[0]);
        reply(now.and_then(|now| Ok(ctx.write(a[2] as u32, &now.to_le_bytes())?)))
    }),
    quiet("fd_close", |_, a| reply(stream(a[0]).map(drop))),
    quiet("fd_fdstat_get", |ctx, a| {
        reply(fdstat(ctx, a[0], a[1] as u32))
    }),
    quiet("fd_prestat_get", |_, _| reply(Err(Errno::Badf))),
    quiet("fd_prestat_dir_name", |_, _| reply(Err(Errno::Badf))),
    sync("fd_read", |ctx, a| {
        reply(read(ctx, a[0], a[1] as u32, a[2] as u32, a[3] as u32))
    }),
    quiet("fd_seek", |_, a| reply(stream(a[0]).and(Err(Errno::Spipe)))),
    sync("fd_write", |ctx, a| {
        reply(write(ctx, a[0], a[1] as u32, a[2] as u32, a[3] as u32))
    }),
    sync("poll_oneoff", |ctx, a| {
        match poll(ctx, a[0] as u32, a[1] as u32, a[2] as u32, a[3] as u32) {
            Ok(Some(deadline)) => Reply::Block(Block::Sleep, Some(deadline)),
            Ok(None) => Reply::Value(0),
            Err(errno) => reply(Err(errno)),
        }
    }),
    quiet("proc_exit", |_, a| Reply::Exit(a[0] as u32 as i32)),
    quiet("random_get", |ctx, a| {
        reply(random(ctx, a[0] as u32, a[1] as u32))
    }),
    quiet("sched_yield", |_, _| Reply::Yield(0)),
];

/// `strings` as NUL-terminated bytes at `bytes`, their addresses at `pointers`.
fn string_list(ctx: &mut Ctx<'_>, strings: &[Vec<u8>], pointers: u32, bytes: u32) -> Done {
    let (mut pointer, mut at) = (pointers, bytes);
    for string in strings {
        ctx.write_u32(pointer, at)?;
        ctx.write(at, string)?;
        let end = u32::try_from(string.len())
            .ok()
            .and_then(|len| at.checked_add(len));
        let end = end.ok_or(Errno::Fault)?;
        ctx.write(end, &[0])?;
        at = end.checked_add(1).ok_or(Errno::Fault)?;
        pointer = pointer.checked_add(4).ok_or(Errno::Fault)?;
    }
    Ok(())
}

fn string_sizes(strings: &[Vec<u8>]) -> (u32, u32) {
    let bytes: usize = strings.iter().map(|string| string.len() + 1).sum();
    (strings.len() as u32, bytes as u32)
}

fn write_sizes(
    ctx: &mut Ctx<'_>,
    (count, bytes): (u32, u32),
    count_out: u32,
    bytes_out: u32,
) -> Done {
    ctx.write_u32(count_out, count)?;
    Ok(ctx.write_u32(bytes_out, bytes)?)
}

/// Wall-clock time at which every run begins: 2024-01-01T00:00:00Z, in nanoseconds since 1970.
const BEGINNING: u64 = 1_704_067_200_000_000_000;

/// Nanoseconds on a clock: 0 is wall-clock time, 1 monotonic, 2 and 3 CPU time.
fn clock(state: &State, id: u64) -> Result<u64, Errno> {
    match id {
        0 => Ok(BEGINNING + state.clock.now()),
        1..=3 => Ok(state.clock.now()),
        _ => Err(Errno::Inval),
    }
}

fn stream(descriptor: u64) -> Result<u32, Errno> {
    match descriptor {
        0..=2 => Ok(descriptor as u32),
        _ => Err(Errno::Badf),
    }
}

fn fdstat(ctx: &mut Ctx<'_>, descriptor: u64, out: u32) -> Done {
    stream(descriptor)?;
    // struct fdstat: filetype u8 (2 is a character device), flags u16 at 2, rights u64 at 8 and 16.
    let mut fdstat = [0u8; 24];
    fdstat[0] = 2;
    // fd_read and fd_write, bits 1 and 6.
    fdstat[8] = 1 << 1 | 1 << 6;
    Ok(ctx.write(out, &fdstat)?)
}

/// The address and length of each buffer of an iovec array.
fn buffers(ctx: &mut Ctx<'_>, iovecs: u32, count: u32) -> Result<Vec<(u32, u32)>, Errno> {
    /// POSIX's usual IOV_MAX.
    const MOST: u32 = 1024;
    if count > MOST {
        return Err(Errno::Inval);
    }
    (0..count)
        .map(|i| {
            let at = iovecs.checked_add(8 * i).ok_or(Errno::Fault)?;
            let length_at = at.checked_add(4).ok_or(Errno::Fault)?;
            Ok((ctx.read_u32(at)?, ctx.read_u32(length_at)?))
        })
        .collect()
}

fn write(ctx: &mut Ctx<'_>, descriptor: u64, iovecs: u32, count: u32, written_out: u32) -> Done {
    let descriptor = stream(descriptor)?;
    if descriptor == 0 {
        return Err(Errno::Badf);
    }
    let mut written = 0;
    for (addr, len) in buffers(ctx, iovecs, count)? {
        let bytes = ctx.read(addr, len)?.to_vec();
        let taken = ctx
            .state
            .io
            .write(descriptor, &bytes)
            .map_err(|_| Errno::Io)?;
        written += taken as u32;
        if taken < bytes.len() {
            break;
        }
    }
    Ok(ctx.write_u32(written_out, written)?)
}

fn read(ctx: &mut Ctx<'_>, descriptor: u64, iovecs: u32, count: u32, read_out: u32) -> Done {
    if descriptor != 0 {
        return Err(Errno::Badf);
    }
    let mut total = 0;
    for (addr, len) in buffers(ctx, iovecs, count)? {
        // Checked before the host is asked: input that cannot be delivered would be lost.
        if !super::ops::within(ctx.memory.len(), addr, len) {
            return Err(Errno::Fault);
        }
        let mut bytes = vec![0; len as usize];
        let got = ctx.state.io.read(&mut bytes).map_err(|_| Errno::Io)?;
        ctx.write(addr, &bytes[..got])?;
        total += got as u32;
        if got < bytes.len() {
            break;
        }
    }
    Ok(ctx.write_u32(read_out, total)?)
}

fn random(ctx: &mut Ctx<'_>, addr: u32, len: u32) -> Done {
    if !super::ops::within(ctx.memory.len(), addr, len) {
        return Err(Errno::Fault);
    }
    let mut bytes = vec![0; len as usize];
    for chunk in bytes.chunks_mut(8) {
        let word = ctx.state.scheduler.random().to_le_bytes();
        chunk.copy_from_slice(&word[..chunk.len()]);
    }
    Ok(ctx.write(addr, &bytes)?)
}

/// Returns the time to sleep until, if nothing is ready now. Standard streams are always ready.
fn poll(
    ctx: &mut Ctx<'_>,
    subscriptions: u32,
    events: u32,
    count: u32,
    count_out: u32,
) -> Result<Option<u64>, Errno> {
    /// More descriptors than a guest can have.
    const MOST: u32 = 4096;
    if count == 0 || count > MOST {
        return Err(Errno::Inval);
    }
    let now = ctx.state.clock.now();
    // (when, userdata, tag); see `subscription` and `event` in the witx.
    let mut wanted = Vec::new();
    for i in 0..count {
        let at = subscriptions.checked_add(48 * i).ok_or(Errno::Fault)?;
        let sub: [u8; 48] = ctx.read(at, 48)?.try_into().map_err(|_| Errno::Fault)?;
        let word = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&sub[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let when = match sub[8] {
            0 => {
                let (id, timeout, absolute) = (word(16) & 0xffff_ffff, word(24), sub[40] & 1 == 1);
                let clock_now = clock(ctx.state, id)?;
                if absolute {
                    now.saturating_add(timeout.saturating_sub(clock_now))
                } else {
                    now.saturating_add(timeout)
                }
            }
            1 | 2 => {
                stream(word(16) & 0xffff_ffff)?;
                now
            }
            _ => return Err(Errno::Inval),
        };
        wanted.push((when, word(0), sub[8]));
    }
    let first = wanted.iter().map(|&(when, ..)| when).min().unwrap_or(now);
    // Written before the sleep: the thread cannot look at them earlier than it wakes.
    let mut at = events;
    let mut fired = 0;
    for &(_, userdata, tag) in wanted.iter().filter(|&&(when, ..)| when == first) {
        let mut event = [0u8; 32];
        event[..8].copy_from_slice(&userdata.to_le_bytes());
        event[10] = tag;
        ctx.write(at, &event)?;
        at = at.checked_add(32).ok_or(Errno::Fault)?;
        fired += 1;
    }
    ctx.write_u32(count_out, fired)?;
    Ok((first > now).then_some(first))
}
