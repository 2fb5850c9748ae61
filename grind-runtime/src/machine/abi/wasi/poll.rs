//! Waiting for clocks and descriptors.

use super::clocks::time;
use super::descriptors::rights;
use super::files::stat;
use super::{Ctx, Errno, HostFn, flags, offset, reply, sync};
use crate::machine::io::Node;
use crate::machine::ops::{Op, Reply};
use crate::machine::thread::Block;

pub(super) const FUNCTIONS: &[HostFn] = &[sync("poll_oneoff", |ctx, args| {
    let now = ctx.state.clock.now();
    poll_since(ctx, &[args, &[now]].concat())
})];

/// The arguments, and when the guest called.
fn poll_since(ctx: &mut Ctx<'_>, args: &[u64]) -> Reply {
    static AGAIN: HostFn = sync("poll_oneoff", poll_since);
    let [subscriptions, events, count, count_out] = [args[0], args[1], args[2], args[3]];
    let addresses = [subscriptions as u32, events as u32, count_out as u32];
    match poll(ctx, addresses, count as u32, args[4]) {
        Ok(Polled::Done) => Reply::Value(0),
        Ok(Polled::Sleep { until }) => Reply::Block(Block::Sleep, Some(until)),
        Ok(Polled::Input { deadline }) => Reply::AwaitInput {
            deadline,
            then: Op::Host {
                function: &AGAIN,
                args: args.to_vec(),
            },
        },
        Err(errno) => reply(Err(errno)),
    }
}

/// Subscriptions of one call. More are refused with EINVAL.
const MOST: u32 = 4096;

/// Bytes of the structs `subscription` and `event`.
const SUBSCRIPTION: u32 = 48;
const EVENT: u32 = 32;

/// What a call comes to.
enum Polled {
    Done,
    /// The events are written; the thread sees them when it wakes.
    Sleep {
        until: u64,
    },
    /// The call is made again when there is input, or then.
    Input {
        deadline: Option<u64>,
    },
}

/// What one subscription comes to.
struct Wanted {
    /// Virtual time at which it is ready; none if it waits for input.
    when: Option<u64>,
    userdata: u64,
    tag: u8,
    /// Why it can never be, or how many bytes there are.
    result: Result<u64, Errno>,
}

/// Descriptors are always ready, except standard input.
fn poll(
    ctx: &mut Ctx<'_>,
    [subscriptions, events, count_out]: [u32; 3],
    count: u32,
    called: u64,
) -> Result<Polled, Errno> {
    if count == 0 || count > MOST {
        return Err(Errno::Inval);
    }
    ctx.check(subscriptions, SUBSCRIPTION * count)?;
    ctx.check(events, EVENT * count)?;
    ctx.check(count_out, 4)?;
    let now = ctx.state.clock.now();
    let mut wanted = Vec::new();
    for i in 0..count {
        let at = subscriptions + SUBSCRIPTION * i;
        wanted.push(subscription(ctx, at, now, called)?);
    }
    let first = wanted.iter().filter_map(|wanted| wanted.when).min();
    let input = wanted.iter().any(|wanted| wanted.when.is_none());
    let until = match first {
        Some(first) if first <= now || !input => first.max(now),
        deadline => return Ok(Polled::Input { deadline }),
    };
    // Written before the sleep: the thread cannot look at them earlier than it wakes.
    let ready = (wanted.iter()).filter(|wanted| wanted.when.is_some_and(|when| when <= until));
    let mut fired = 0;
    for Wanted {
        userdata,
        tag,
        result,
        ..
    } in ready
    {
        let mut event = [0u8; EVENT as usize];
        event[..8].copy_from_slice(&userdata.to_le_bytes());
        event[10] = *tag;
        match result {
            Ok(bytes) => event[16..24].copy_from_slice(&bytes.to_le_bytes()),
            Err(errno) => event[8..10].copy_from_slice(&(*errno as u16).to_le_bytes()),
        }
        ctx.write(events + EVENT * fired, &event)?;
        fired += 1;
    }
    ctx.write_u32(count_out, fired)?;
    Ok(if until > now {
        Polled::Sleep { until }
    } else {
        Polled::Done
    })
}

/// What lasts for a while does so from when the guest `called`.
fn subscription(ctx: &mut Ctx<'_>, at: u32, now: u64, called: u64) -> Result<Wanted, Errno> {
    let userdata = ctx.read_u64(at)?;
    let tag = ctx.read(offset(at, 8)?, 1)?[0];
    let id = u64::from(ctx.read_u32(offset(at, 16)?)?);
    let (when, result) = match tag {
        0 => {
            let timeout = ctx.read_u64(offset(at, 24)?)?;
            let bits = ctx.read(offset(at, 40)?, 2)?;
            let absolute = flags(u64::from(u16::from_le_bytes([bits[0], bits[1]])), 1)? != 0;
            let on_clock = time(ctx.state, id)?;
            let when = if absolute {
                now.saturating_add(timeout.saturating_sub(on_clock))
            } else {
                called.saturating_add(timeout)
            };
            (Some(when), Ok(0))
        }
        1 => match readable(ctx, id) {
            Ok(None) => (None, Ok(0)),
            Ok(Some(bytes)) => (Some(now), Ok(bytes)),
            Err(errno) => (Some(now), Err(errno)),
        },
        2 => {
            let result = ctx.state.descriptors.with(id, POLLED).map(|_| 0);
            (Some(now), result)
        }
        _ => return Err(Errno::Inval),
    };
    Ok(Wanted {
        when,
        userdata,
        tag,
        result,
    })
}

const POLLED: u64 = rights::POLL_FD_READWRITE;

/// How many bytes can be read; none if nobody knows yet whether there will be any.
fn readable(ctx: &mut Ctx<'_>, fd: u64) -> Result<Option<u64>, Errno> {
    let descriptor = ctx.state.descriptors.with(fd, POLLED)?;
    let (node, position) = (descriptor.node, descriptor.position);
    if descriptor.seekable() {
        Ok(Some(stat(ctx, node)?.size.saturating_sub(position)))
    } else if node == Node::STDIN && !ctx.state.has_input(0) {
        Ok(None)
    } else {
        // How many is not known without reading.
        Ok(Some(1))
    }
}
