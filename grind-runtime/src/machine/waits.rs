//! What blocked threads wait for, by the functions that they are in, and who used the same objects before. See
//! [`crate::program::waits`].
//!
//! A use of an object is remembered by side: who sends into a channel, posts a semaphore or has a lock gives, who receives or
//! waits takes. Nothing of it is an event until threads block for ever.

use super::handles;
use super::intercepts::{Frame, word};
use super::state::State;
use super::thread::Thread;
use crate::model::{BlockedOn, ThreadId, WaitKind, Waiting};
use crate::program::interceptors::Role;
use crate::program::waits::At;
use smallvec::SmallVec;
use std::collections::BTreeMap;

/// Objects whose users are remembered; of further ones it is not known who used them.
const MOST_OBJECTS: usize = 1 << 16;

/// Users of a side of an object that are remembered, the first ones.
const MOST_USERS: usize = 8;

type Threads = SmallVec<[ThreadId; 2]>;

/// Who used an object.
#[derive(Debug, Default)]
struct Users {
    give: Threads,
    take: Threads,
}

/// Objects by address.
#[derive(Debug, Default)]
pub(super) struct Waits {
    users: BTreeMap<u32, Users>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Give,
    Take,
}

impl Side {
    fn of(kind: WaitKind) -> Option<Side> {
        match kind {
            WaitKind::ChannelFull | WaitKind::ChannelRendezvous => Some(Side::Give),
            WaitKind::ChannelEmpty | WaitKind::Semaphore | WaitKind::Lock => Some(Side::Take),
            _ => None,
        }
    }
}

impl Waits {
    fn uses(&mut self, object: u32, side: Side, thread: ThreadId) {
        if object == 0 || self.users.len() >= MOST_OBJECTS && !self.users.contains_key(&object) {
            return;
        }
        let users = self.users.entry(object).or_default();
        let users = match side {
            Side::Give => &mut users.give,
            Side::Take => &mut users.take,
        };
        if users.len() < MOST_USERS && !users.contains(&thread) {
            users.push(thread);
        }
    }

    /// Those of the other side than that of a thread which waits for this.
    fn others(&self, object: u32, kind: WaitKind) -> &[ThreadId] {
        match (self.users.get(&object), Side::of(kind)) {
            (Some(users), Some(Side::Give)) => &users.take,
            (Some(users), Some(Side::Take)) => &users.give,
            _ => &[],
        }
    }

    /// These bytes are something else from here on.
    pub(super) fn forget(&mut self, addr: u32, len: u32) {
        if self.users.is_empty() {
            return;
        }
        let last = addr.saturating_add(len.saturating_sub(1));
        while let Some((&object, _)) = self.users.range(addr..=last).next() {
            self.users.remove(&object);
        }
    }
}

/// The current thread enters a function with these arguments. Where they lead to an object, they become its address, for what
/// is in memory may change meanwhile; 0 if it is none.
pub(super) fn enter(state: &mut State, memory: &[u8], role: Role, args: &mut [u32; 4]) {
    if let Role::Wait { object, at, .. } = role {
        let address = &mut args[usize::from(object)];
        *address = lead(memory, *address, at).unwrap_or(0);
    }
    let arg = |position: u8| args[usize::from(position)];
    let thread = state.current;
    match role {
        Role::Wait { wait, object, .. } => {
            // Who asks for a lock has none yet.
            if let Some(side) = Side::of(wait.kind).filter(|_| wait.kind != WaitKind::Lock) {
                state.waits.uses(arg(object), side, thread);
            }
        }
        Role::Release { object } => state.waits.uses(arg(object), Side::Give, thread),
        Role::Acquire { object } => state.waits.uses(arg(object), Side::Take, thread),
        _ => {}
    }
}

/// The current thread returns from a function that it entered with these arguments: it has the lock, and can release it.
pub(super) fn leave(state: &mut State, role: Role, args: [u32; 4]) {
    if let Role::Wait { wait, object, .. } = role
        && wait.kind == WaitKind::Lock
    {
        let thread = state.current;
        let object = args[usize::from(object)];
        state.waits.uses(object, Side::Give, thread);
    }
}

/// Where a parameter leads.
fn lead(memory: &[u8], parameter: u32, at: At) -> Option<u32> {
    /// A closure of a channel captures three things.
    const CAPTURED: u32 = 4;
    match at {
        At::Itself => Some(parameter),
        At::Behind(offset) => word(memory, parameter.checked_add(offset)?),
        At::CacheLine => (0..CAPTURED)
            .filter_map(|index| word(memory, parameter.checked_add(4 * index)?))
            .find(|&address| address != 0 && address % 64 == 0),
    }
}

/// What a blocked thread waits for, with what the functions that it is in tell.
pub(super) fn blocked(state: &State, thread: ThreadId) -> Option<BlockedOn> {
    let on = state.get(thread)?.blocked_forever()?;
    let BlockedOn::Futex { site, addr } = on else {
        return Some(on);
    };
    // A library joins by a futex of its own.
    let joined = (state.get(thread)?.joining()).and_then(|handle| handles::thread(state, handle));
    if let Some(thread) = joined {
        return Some(BlockedOn::Join { thread });
    }
    let Some(waits) = waits(state.get(thread)?) else {
        return Some(on);
    };
    let by = match waits.kind {
        WaitKind::Once => initialisers(state, waits.object),
        kind => (waits.object)
            .map(|object| {
                let holders = state.intercepts.holders.of(object);
                holders
                    .chain(state.waits.others(object, kind).iter().copied())
                    .collect()
            })
            .unwrap_or_default(),
    };
    let waiting = Waiting {
        kind: waits.kind,
        of: waits.of.map(str::to_owned),
        object: waits.object,
        by,
    };
    Some(BlockedOn::Known {
        site,
        addr,
        waiting,
    })
}

/// A function that a thread waits in.
struct In {
    kind: WaitKind,
    of: Option<&'static str>,
    object: Option<u32>,
    /// Its place among the functions that the thread is in.
    depth: usize,
}

/// The outermost function that waits and is not the program's own: what a barrier is made of is the barrier's.
fn waits(thread: &Thread) -> Option<In> {
    let mut found = None;
    for (depth, frame) in thread.intercepted.iter().enumerate().rev() {
        let Frame::Inside { function, args, .. } = frame else {
            break;
        };
        let Some((kind, of, object)) = function.role.waits() else {
            continue;
        };
        let object = address(args[usize::from(object)]);
        let calls_back = kind == WaitKind::Once;
        if calls_back {
            // What it initialises waits for something else, or else this is where the thread waits.
            let word = thread.blocked_forever().and_then(|on| on.futex());
            let own = |(_, addr): (_, u32)| {
                // The libraries' own queues have no place of their own to be told by.
                of.is_none() || object.is_some_and(|object| addr.wrapping_sub(object) < 8)
            };
            let waits_here = found.is_none() && (word.is_some_and(own) || of.is_some_and(parks));
            return if waits_here {
                Some(In {
                    kind,
                    of,
                    object,
                    depth,
                })
            } else {
                found
            };
        }
        found = Some(In {
            kind,
            of,
            object,
            depth,
        });
    }
    found
}

/// Whether those who wait for the initialisation of this type park, in a place of their own.
fn parks(of: &str) -> bool {
    !of.starts_with("std::")
}

/// The threads that initialise this: they are in its function, and do not wait there.
fn initialisers(state: &State, object: Option<u32>) -> Vec<ThreadId> {
    let initialises = |thread: &Thread| {
        let waits = waits(thread).map(|waits| waits.depth);
        thread.intercepted.iter().enumerate().any(|(depth, frame)| {
            let Frame::Inside { function, args, .. } = frame else {
                return false;
            };
            let of = (function.role.waits()).filter(|&(kind, ..)| kind == WaitKind::Once);
            let of = of.and_then(|(_, _, at)| address(args[usize::from(at)]));
            of.is_some() && of == object && Some(depth) != waits
        })
    };
    (state.threads())
        .filter(|(_, thread)| !thread.ended() && initialises(thread))
        .map(|(id, _)| id)
        .collect()
}

/// The address that an argument is; there is nothing at 0.
fn address(arg: u32) -> Option<u32> {
    (arg != 0).then_some(arg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_of_an_object_end_with_its_memory() {
        let mut waits = Waits::default();
        waits.uses(16, Side::Give, ThreadId(1));
        waits.uses(16, Side::Give, ThreadId(1));
        waits.uses(16, Side::Take, ThreadId(2));
        assert_eq!(waits.others(16, WaitKind::ChannelFull), [ThreadId(2)]);
        assert_eq!(waits.others(16, WaitKind::ChannelEmpty), [ThreadId(1)]);
        assert_eq!(waits.others(16, WaitKind::Park), []);
        waits.forget(8, 8);
        assert_eq!(waits.others(16, WaitKind::ChannelFull), [ThreadId(2)]);
        waits.forget(8, 9);
        assert_eq!(waits.others(16, WaitKind::ChannelFull), []);
    }
}
