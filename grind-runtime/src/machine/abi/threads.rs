//! Thread calls of the three ABIs. `docs/abi.md` is their contract.

use super::{Ctx, HostFn, OutOfBounds, quiet, sync};
use crate::machine::Trap;
use crate::machine::ops::Reply;
use crate::machine::thread::{Block, HostStack, Status, ThreadEntry};
use crate::model::{EventKind, ThreadId};
use crate::program::imports::ThreadAbi;
use threadlink::abi::Errno;

pub(super) const THREADLINK: &[HostFn] = &[sync("thread_create", |ctx, args| {
    create(ctx, args[0] as u32, args[1] as u32, None)
})];

pub(super) const WASMGRIND: &[HostFn] = &[sync("thread_create", wasmgrind_create)];

pub(super) const WASI_THREADS: &[HostFn] = &[sync("thread-spawn", wasi_spawn)];

pub(super) const WASIX: &[HostFn] = &[quiet("thread_exit", |ctx, args| {
    // The end of the first thread is that of the run, as when its entry returns.
    if ctx.state.current == ThreadId(0) {
        Reply::Exit(args[0] as u32 as i32)
    } else {
        Reply::EndThread
    }
})];

pub(super) const COMMON: &[HostFn] = &[
    sync("thread_join", |ctx, args| {
        join(ctx, ThreadId(args[0] as u32))
    }),
    quiet("thread_detach", |ctx, args| {
        detach(ctx, ThreadId(args[0] as u32))
    }),
    sync("thread_is_finished", |ctx, args| {
        is_finished(ctx, ThreadId(args[0] as u32), args[1] as u32)
    }),
    quiet("thread_current", |ctx, _| {
        Reply::Value(u64::from(ctx.state.current.0))
    }),
    quiet("thread_yield", |_, _| Reply::Yield(0)),
    quiet("thread_sleep", |ctx, args| {
        Reply::Block(Block::Sleep, Some(ctx.state.clock.after(args[0])))
    }),
    quiet("thread_set_name", |ctx, args| {
        set_name(
            ctx,
            ThreadId(args[0] as u32),
            args[1] as u32,
            args[2] as u32,
        )
    }),
    // The machine interleaves threads on one core, but a guest that sizes a pool by this should get one
    // with something to interleave.
    quiet("available_parallelism", |_, _| Reply::Value(4)),
    quiet("panic", |_, args| {
        Reply::Trap(Trap::Panic(args[0] as u32 as i32))
    }),
];

fn errno(errno: Errno) -> Reply {
    Reply::Value(errno.code() as u64)
}

impl From<OutOfBounds> for Errno {
    fn from(OutOfBounds: OutOfBounds) -> Errno {
        Errno::MemoryOutOfBounds
    }
}

fn reply(result: Result<(), Errno>) -> Reply {
    errno(result.err().unwrap_or(Errno::Ok))
}

fn create(ctx: &mut Ctx<'_>, tid_out: u32, start: u32, stack: Option<HostStack>) -> Reply {
    // Checked first: a thread whose id nobody learns cannot be joined.
    if !super::ops::within(ctx.memory.len(), tid_out, 4) {
        return errno(Errno::MemoryOutOfBounds);
    }
    let entry = ThreadEntry {
        exports: vec![ThreadAbi::Threadlink.entry().to_owned()],
        args: vec![u64::from(start)],
        stack,
    };
    reply(
        ctx.state
            .spawn(entry)
            .and_then(|child| Ok(ctx.write_u32(tid_out, child.0)?)),
    )
}

/// Bytes of a host-allocated stack. Wasmgrind's own default.
const STACK: u32 = 1 << 20;
/// Alignment of stacks in the wasm C ABI.
const STACK_ALIGN: u32 = 16;

/// The guest's allocator runs on the creating thread, which has a stack; then the thread is created.
fn wasmgrind_create(ctx: &mut Ctx<'_>, args: &[u64]) -> Reply {
    let Some(tls) = ctx.state.tls_layout else {
        return create(ctx, args[0] as u32, args[1] as u32, None);
    };
    let align = tls.align.max(STACK_ALIGN);
    let Some(size) = STACK.checked_add(tls.size.next_multiple_of(align)) else {
        return errno(Errno::RuntimeFailure);
    };
    static CONTINUE: HostFn = quiet("thread_create", wasmgrind_create_with_block);
    Reply::Call {
        export: "__wasmgrind_malloc",
        args: vec![size, align],
        then: &CONTINUE,
        then_args: vec![args[0], args[1], u64::from(size)],
    }
}

fn wasmgrind_create_with_block(ctx: &mut Ctx<'_>, args: &[u64]) -> Reply {
    let (tid_out, start, size, block) = (
        args[0] as u32,
        args[1] as u32,
        args[2] as u32,
        args[3] as u32,
    );
    if block == 0 {
        return errno(Errno::RuntimeFailure);
    }
    let stack = HostStack {
        block,
        size,
        top: block.saturating_add(STACK),
        tls: block.saturating_add(STACK),
    };
    create(ctx, tid_out, start, Some(stack))
}

fn wasi_spawn(ctx: &mut Ctx<'_>, args: &[u64]) -> Reply {
    let next = ctx.state.threads.len() as u32;
    let entry = ThreadEntry {
        exports: vec![ThreadAbi::WasiThreads.entry().to_owned()],
        args: vec![u64::from(next), u64::from(args[0] as u32)],
        stack: None,
    };
    match ctx.state.spawn(entry) {
        Ok(child) => {
            ctx.state.threads[child.0 as usize].detached = true;
            Reply::Value(u64::from(child.0))
        }
        // wasi-threads: a negative number is an error.
        Err(_) => Reply::Value(u64::from((-1i32).cast_unsigned())),
    }
}

fn join(ctx: &mut Ctx<'_>, child: ThreadId) -> Reply {
    if child == ctx.state.current {
        return errno(Errno::JoinSelf);
    }
    match ctx.state.get(child) {
        Some(thread) if thread.detached => errno(Errno::ThreadNotFound),
        Some(thread) if thread.ended() => joined(ctx, child),
        Some(_) => Reply::Block(Block::Join { thread: child }, None),
        None => errno(Errno::ThreadNotFound),
    }
}

/// `child`, for which the current thread waited, has ended. Of several joiners the first to run wins.
pub(in crate::machine) fn joined(ctx: &mut Ctx<'_>, child: ThreadId) -> Reply {
    let thread = &mut ctx.state.threads[child.0 as usize];
    if std::mem::replace(&mut thread.detached, true) {
        return errno(Errno::ThreadNotFound);
    }
    let code = match thread.status {
        Status::Trapped | Status::Aborted => Errno::JoinFailed,
        _ => Errno::Ok,
    };
    let stack = thread.entry.stack.take();
    ctx.state.emit(EventKind::ThreadJoin { child });
    static RETURN: HostFn = quiet("thread_join", |_, args| Reply::Value(args[0]));
    match stack {
        Some(stack) => Reply::Call {
            export: "__wasmgrind_free",
            args: vec![stack.block, stack.size, STACK_ALIGN],
            then: &RETURN,
            then_args: vec![code.code() as u64],
        },
        None => errno(code),
    }
}

fn detach(ctx: &mut Ctx<'_>, child: ThreadId) -> Reply {
    match ctx.state.threads.get_mut(child.0 as usize) {
        Some(thread) if !thread.detached => {
            thread.detached = true;
            ctx.state.emit(EventKind::ThreadDetach { child });
            errno(Errno::Ok)
        }
        _ => errno(Errno::ThreadNotFound),
    }
}

fn is_finished(ctx: &mut Ctx<'_>, child: ThreadId, out: u32) -> Reply {
    let Some(finished) = ctx.state.get(child).map(|thread| thread.ended()) else {
        return errno(Errno::ThreadNotFound);
    };
    if finished {
        ctx.state.emit(EventKind::ThreadJoin { child });
    }
    reply(ctx.write_u32(out, u32::from(finished)).map_err(Errno::from))
}

fn set_name(ctx: &mut Ctx<'_>, of: ThreadId, name: u32, len: u32) -> Reply {
    if ctx.state.get(of).is_none() {
        return errno(Errno::ThreadNotFound);
    }
    reply(ctx.text(name, len).map_err(Errno::from).map(|name| {
        ctx.state.emit(EventKind::ThreadName { of, name });
    }))
}
