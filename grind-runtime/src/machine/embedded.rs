//! What functions of the embedder, its [`Driver`], and the driver of a machine do to a guest.

use super::Trap;
use super::acts::{self, ActError};
use super::ops::{Op, Reply};
use super::state::State;
use super::thread::{Block, ThreadEntry, Woken};
use crate::model::{EventKind, RangeOrigin, ThreadId};
use crate::program::WasmType;
use crate::program::embedder::{Call, Driver, Role, Touch, Wake};

/// Does what a function of the embedder does, or did when the run was recorded.
pub(super) fn call(state: &mut State, memory: &mut [u8], import: u32, args: Vec<u64>) -> Reply {
    let function = state.program.embedder()[import as usize].clone();
    if state.host().is_none() {
        return Reply::Block(Block::Exited, None);
    }
    let woken = state.thread_mut().woken.take().map(|woken| match woken {
        Woken::DeadlinePassed => Wake::DeadlinePassed,
        Woken::By { key, waker } => {
            state.emit(EventKind::HostWoken { key, by: waker });
            Wake::Woken
        }
    });
    let role = match state.current == acts::MAIN || state.thread().of_driver {
        true => Role::Main,
        false => Role::Worker,
    };
    let (caller, calls) = ((state.current, role), state.in_flight.as_ref());
    let effects = (state.io).embedded(&mut || function.call(memory, &args, woken, caller, calls));
    match (touch(state, memory, effects.touched), effects.result) {
        (Ok(After::Return), Ok(value)) => Reply::Value(value),
        (Ok(After::Yield), Ok(value)) => Reply::Yield(value),
        (Ok(After::Block { key, timeout }), Ok(_)) => {
            let thread = state.current;
            state.keys.wait(key, thread);
            state.thread_mut().again = Some(Op::Embedded { import, args });
            let deadline = timeout.map(|timeout| state.clock.after(timeout));
            Reply::Block(Block::Key { key }, deadline)
        }
        (Ok(After::EndThread), Ok(_)) => Reply::EndThread,
        (Ok(After::Exit { code }), Ok(_)) => Reply::Exit(code),
        (Err(why), _) | (Ok(_), Err(why)) => Reply::Trap(Trap::Embedder(why)),
    }
}

/// What the main thread calls next, if the embedder decides.
///
/// # Errors
/// Why the thread traps.
pub(super) fn next_call(
    state: &mut State,
    memory: &mut [u8],
    driver: &Driver,
    results: &[u64],
) -> Result<Option<Call>, Trap> {
    let effects = state.io.embedded(&mut || driver.next(memory, results));
    touch(state, memory, effects.touched).map_err(Trap::Embedder)?;
    effects.result.map_err(Trap::Embedder)?;
    Ok(effects.call)
}

/// How a thread goes on after what was done for it.
enum After {
    Return,
    Yield,
    Block { key: u64, timeout: Option<u64> },
    EndThread,
    Exit { code: i32 },
}

/// Does to the guest what the embedder did, or did when the run was recorded.
fn touch(state: &mut State, memory: &mut [u8], touched: Vec<Touch>) -> Result<After, String> {
    let mut after = After::Return;
    for touch in touched {
        match touch {
            Touch::Read { addr, len } => access(state, addr, len, false),
            Touch::Write { addr, bytes } => write(state, memory, addr, &bytes),
            Touch::Spawn { exports, args } => spawn_exports(state, exports, args)?,
            Touch::Wake { key, count } => wake(state, key, count, Some(state.current)),
            Touch::Yield => after = After::Yield,
            Touch::Block { key, timeout } => after = After::Block { key, timeout },
            Touch::EndThread => after = After::EndThread,
            Touch::Exit { code } => after = After::Exit { code },
        }
    }
    Ok(after)
}

/// The current thread accesses memory by the host.
pub(super) fn access(state: &mut State, addr: u32, len: u32, write: bool) {
    if len > 0 {
        state.accesses(RangeOrigin::Host, addr, len, write);
    }
}

/// The current thread writes by the host, where these bytes are in memory.
pub(super) fn write(state: &mut State, memory: &mut [u8], addr: u32, bytes: &[u8]) {
    let rest = memory.get_mut(addr as usize..);
    if let Some(target) = rest.and_then(|rest| rest.get_mut(..bytes.len())) {
        target.copy_from_slice(bytes);
    }
    access(state, addr, bytes.len() as u32, true);
}

/// Lets threads go on that wait for this key: a thread of the guest, or somebody outside.
pub(super) fn wake(state: &mut State, key: u64, count: u32, by: Option<ThreadId>) {
    let mut woken = Vec::new();
    while (woken.len() as u64) < u64::from(count)
        && let Some(thread) = state.keys.wake_one(key)
    {
        woken.push(thread);
    }
    if let Some(by) = by {
        let woken = woken.len() as u32;
        state.emit_for(by, EventKind::HostWake { key, woken });
    }
    for thread in woken {
        state.threads[thread.0 as usize].woken = Some(Woken::By { key, waker: by });
        state.try_again(thread);
    }
}

/// A function of the embedder created a thread that calls these exports.
fn spawn_exports(state: &mut State, exports: Vec<String>, args: Vec<u32>) -> Result<(), String> {
    let fits = |ty| ty == WasmType::I32;
    acts::exports_take(&state.program, &exports, args.len(), fits).map_err(
        |error| match error {
            ActError::NoFunction(name) if name.is_empty() && exports.is_empty() => {
                "a thread without a function".to_owned()
            }
            ActError::Arguments { export, given, .. } => {
                format!("the export `{export}` does not take {given} `i32`")
            }
            error => error.to_string(),
        },
    )?;
    let entry = ThreadEntry {
        exports,
        args: args.into_iter().map(u64::from).collect(),
        stack: None,
    };
    let child = state
        .spawn(entry)
        .map_err(|_| "too many threads".to_owned())?;
    // Nobody has a number by which to join it.
    state.threads[child.0 as usize].detached = true;
    Ok(())
}
