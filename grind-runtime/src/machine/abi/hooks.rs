//! Lock hooks and annotations: each becomes one or two events.
//!
//! A `start_…` hook is a scheduling point, a `finish_…lock` is not: the acquisition and its event stay
//! together, so that the order of the events is the order of the acquisitions.

use super::{Ctx, HostFn, quiet, sync};
use crate::machine::ops::Reply;
use crate::model::{EventKind, LockMode};

use LockMode::{Exclusive, Shared};

fn emit<const N: usize>(ctx: &mut Ctx<'_>, events: [EventKind; N]) -> Reply {
    for event in events {
        ctx.state.emit(event);
    }
    Reply::Value(0)
}

fn request(ctx: &mut Ctx<'_>, args: &[u64], mode: LockMode, fallible: bool) -> Reply {
    let lock = args[0] as u32;
    emit(
        ctx,
        [EventKind::LockRequest {
            lock,
            mode,
            fallible,
        }],
    )
}

fn acquire(ctx: &mut Ctx<'_>, args: &[u64], mode: LockMode) -> Reply {
    let lock = args[0] as u32;
    emit(ctx, [EventKind::LockAcquire { lock, mode }])
}

/// The second argument says whether a fallible attempt was successful.
fn attempted(ctx: &mut Ctx<'_>, args: &[u64], mode: LockMode) -> Reply {
    let lock = args[0] as u32;
    match args[1] {
        0 => emit(ctx, [EventKind::LockFail { lock, mode }]),
        _ => emit(ctx, [EventKind::LockAcquire { lock, mode }]),
    }
}

fn release(ctx: &mut Ctx<'_>, args: &[u64], mode: LockMode) -> Reply {
    let lock = args[0] as u32;
    emit(ctx, [EventKind::LockRelease { lock, mode }])
}

fn released(ctx: &mut Ctx<'_>, args: &[u64]) -> Reply {
    let lock = args[0] as u32;
    emit(ctx, [EventKind::LockReleased { lock }])
}

pub(super) const HOOKS: &[HostFn] = &[
    sync("start_lock", |ctx, args| {
        request(ctx, args, Exclusive, false)
    }),
    quiet("finish_lock", |ctx, args| acquire(ctx, args, Exclusive)),
    sync("start_unlock", |ctx, args| release(ctx, args, Exclusive)),
    sync("finish_unlock", released),
    sync("start_read_lock", |ctx, args| {
        request(ctx, args, Shared, false)
    }),
    quiet("finish_read_lock", |ctx, args| acquire(ctx, args, Shared)),
    sync("start_read_unlock", |ctx, args| release(ctx, args, Shared)),
    sync("finish_read_unlock", released),
    sync("start_try_lock", |ctx, args| {
        request(ctx, args, Exclusive, true)
    }),
    quiet("finish_try_lock", |ctx, args| {
        attempted(ctx, args, Exclusive)
    }),
    sync("start_try_read_lock", |ctx, args| {
        request(ctx, args, Shared, true)
    }),
    quiet("finish_try_read_lock", |ctx, args| {
        attempted(ctx, args, Shared)
    }),
    sync("start_wait", |ctx, args| {
        let (condvar, lock) = (args[0] as u32, args[1] as u32);
        emit(ctx, [EventKind::CondvarWait { condvar, lock }])
    }),
    quiet("finish_wait", |ctx, args| {
        let (condvar, lock, timed_out) = (args[0] as u32, args[1] as u32, args[2] != 0);
        emit(
            ctx,
            [EventKind::CondvarWake {
                condvar,
                lock,
                timed_out,
            }],
        )
    }),
    sync("start_notify", |ctx, args| {
        let (condvar, all) = (args[0] as u32, args[1] != 0);
        emit(ctx, [EventKind::CondvarNotify { condvar, all }])
    }),
    quiet("finish_notify", |ctx, args| {
        let condvar = args[0] as u32;
        emit(ctx, [EventKind::CondvarNotified { condvar }])
    }),
    // The machinery of the once is hidden; the closure it runs is not.
    sync("start_once", |ctx, _| emit(ctx, [EventKind::HideBegin])),
    quiet("enter_once", |ctx, _| emit(ctx, [EventKind::HideEnd])),
    quiet("leave_once", |ctx, args| {
        let object = args[0] as u32;
        emit(
            ctx,
            [EventKind::HappensBefore { object }, EventKind::HideBegin],
        )
    }),
    quiet("finish_once", |ctx, args| {
        let object = args[0] as u32;
        emit(
            ctx,
            [EventKind::HideEnd, EventKind::HappensAfter { object }],
        )
    }),
    sync("start_barrier", |ctx, args| {
        let barrier = args[0] as u32;
        emit(
            ctx,
            [EventKind::BarrierArrive { barrier }, EventKind::HideBegin],
        )
    }),
    quiet("finish_barrier", |ctx, args| {
        let barrier = args[0] as u32;
        emit(
            ctx,
            [EventKind::HideEnd, EventKind::BarrierLeave { barrier }],
        )
    }),
];

pub(super) const ANNOTATIONS: &[HostFn] = &[
    sync("annotate_happens_before", |ctx, args| {
        emit(
            ctx,
            [EventKind::HappensBefore {
                object: args[0] as u32,
            }],
        )
    }),
    sync("annotate_happens_after", |ctx, args| {
        emit(
            ctx,
            [EventKind::HappensAfter {
                object: args[0] as u32,
            }],
        )
    }),
    quiet("annotate_ignore_begin", |ctx, _| {
        emit(ctx, [EventKind::HideBegin])
    }),
    quiet("annotate_ignore_end", |ctx, _| {
        emit(ctx, [EventKind::HideEnd])
    }),
    quiet("annotate_benign_race", |ctx, args| {
        let (addr, len) = (args[0] as u32, args[1] as u32);
        emit(ctx, [EventKind::BenignRace { addr, len }])
    }),
    // A name outside memory names nothing; the annotation has no way to fail.
    quiet("annotate_thread_name", |ctx, args| {
        let of = ctx.state.current;
        match ctx.text(args[0] as u32, args[1] as u32) {
            Ok(name) => emit(ctx, [EventKind::ThreadName { of, name }]),
            Err(_) => Reply::Value(0),
        }
    }),
    quiet("annotate_lock_name", |ctx, args| {
        let lock = args[0] as u32;
        match ctx.text(args[1] as u32, args[2] as u32) {
            Ok(name) => emit(ctx, [EventKind::LockName { lock, name }]),
            Err(_) => Reply::Value(0),
        }
    }),
];
