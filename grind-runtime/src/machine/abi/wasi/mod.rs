//! WASI preview 1, all of it. Arguments, clocks and randomness are the run's own; streams and files are the
//! host's, through `HostIo`.
//!
//! Everything a guest passes is checked before the host is asked: what cannot be delivered is not fetched.

mod clocks;
mod data;
mod descriptors;
mod directories;
mod files;
mod metadata;
mod paths;
mod poll;
mod process;
mod sockets;
mod strings;

pub(in crate::machine) use descriptors::Descriptors;

use super::{Ctx, HostFn, OutOfBounds, quiet, sync};
use crate::machine::io::{Answer, Call, Errno};
use crate::machine::ops::{self, Reply};

impl From<OutOfBounds> for Errno {
    fn from(OutOfBounds: OutOfBounds) -> Errno {
        Errno::Fault
    }
}

type Done = Result<(), Errno>;

fn reply(done: Done) -> Reply {
    Reply::Value(done.err().map_or(0, |errno| errno as u64))
}

/// The functions of `wasi_snapshot_preview1`, by file. What no other thread can observe is not a scheduling
/// point.
pub(super) const PREVIEW1: [&[HostFn]; 10] = [
    strings::FUNCTIONS,
    clocks::FUNCTIONS,
    descriptors::FUNCTIONS,
    files::FUNCTIONS,
    metadata::FUNCTIONS,
    directories::FUNCTIONS,
    paths::FUNCTIONS,
    poll::FUNCTIONS,
    process::FUNCTIONS,
    sockets::FUNCTIONS,
];

impl Ctx<'_> {
    /// Whether the guest's memory has this range.
    fn check(&self, addr: u32, len: u32) -> Done {
        if ops::within(self.memory.len(), addr, len) {
            Ok(())
        } else {
            Err(Errno::Fault)
        }
    }

    fn ask(&mut self, call: Call<'_>) -> Result<Answer, Errno> {
        match self.state.host() {
            Some(io) => io.call(&call),
            None => Err(Errno::Nosys),
        }
    }

    /// Asks for what is done or fails, and has no other answer.
    fn carry_out(&mut self, call: Call<'_>) -> Done {
        match self.ask(call)? {
            Answer::Done => Ok(()),
            _ => Err(Errno::Io),
        }
    }

    fn read_u64(&mut self, addr: u32) -> Result<u64, Errno> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.read(addr, 8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn write_u64(&mut self, addr: u32, value: u64) -> Done {
        Ok(self.write(addr, &value.to_le_bytes())?)
    }
}

/// The address `by` bytes on.
fn offset(addr: u32, by: u32) -> Result<u32, Errno> {
    addr.checked_add(by).ok_or(Errno::Fault)
}

/// A field of flags, of which only `known` mean something.
fn flags(value: u64, known: u16) -> Result<u16, Errno> {
    match u16::try_from(value) {
        Ok(flags) if flags & !known == 0 => Ok(flags),
        _ => Err(Errno::Inval),
    }
}
