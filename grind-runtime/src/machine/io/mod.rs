//! The seam between the machine and the host. Whatever a run learns of the world outside comes through
//! [`HostIo`], so that it can be recorded, and given again to a second run.

mod act;
mod call;
mod errno;

pub use act::{DriverAct, DriverAtomic};
pub use call::{Answer, Call, Entry, FileKind, Node, Open, Position, Stat, Times};
pub use errno::Errno;

use crate::program::embedder::Effects;
use std::collections::VecDeque;
use std::io::{self, Read};

/// Standard streams and files of the host.
pub trait HostIo: Send + std::any::Any {
    /// Carries out one request.
    ///
    /// If it blocks, every thread of the guest waits. A host whose standard input may keep a reader waiting therefore
    /// answers [`Call::Poll`]: then only the threads that read do.
    ///
    /// # Errors
    /// Whatever the guest shall get; [`Errno::Nosys`] for what is not provided.
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno>;

    /// Names of directories of its own, which are preopened for the guest: [`Node::preopen`] in their order.
    fn preopens(&self) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// A function of the embedder is called: `run` calls it. Whoever plays a recording back answers instead.
    fn embedded(&mut self, run: &mut dyn FnMut() -> Effects) -> Effects {
        run()
    }

    /// The driver of the machine did this, at this tick (see [`Machine`](super::Machine)).
    fn driven(&mut self, tick: u64, act: &DriverAct) {
        let _ = (tick, act);
    }

    /// What the driver did next, and when, if the run is repeated. It is asked when the run begins, behind each act, and where the
    /// run was [interrupted](crate::model::Control::interrupt).
    fn next_act(&mut self) -> Option<(u64, DriverAct)> {
        None
    }

    /// No thread can go on before the driver acts. A host that repeats a run may stop it here, where the recorded one was.
    fn idle(&mut self) {}
}

/// Drops output and has no input.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullIo;

impl HostIo for NullIo {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        match call {
            Call::Write { .. } | Call::Poll { .. } => Ok(Answer::Done),
            Call::Read { .. } => Ok(Answer::Bytes(Vec::new())),
            _ => Err(Errno::Nosys),
        }
    }
}

/// Keeps output; input is given beforehand.
#[derive(Clone, Debug, Default)]
pub struct BufferIo {
    /// What went to standard output.
    pub stdout: Vec<u8>,
    /// What went to standard error.
    pub stderr: Vec<u8>,
    /// What is still to be read.
    pub stdin: VecDeque<u8>,
}

impl HostIo for BufferIo {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        match *call {
            Call::Write { node, bytes, .. } if node == Node::STDOUT => {
                self.stdout.extend_from_slice(bytes);
                Ok(Answer::Done)
            }
            Call::Write { node, bytes, .. } if node == Node::STDERR => {
                self.stderr.extend_from_slice(bytes);
                Ok(Answer::Done)
            }
            Call::Read { node, len, .. } if node == Node::STDIN => {
                read(&mut self.stdin, len).map(Answer::Bytes)
            }
            Call::Poll { node, .. } if node == Node::STDIN => Ok(Answer::Done),
            _ => Err(Errno::Nosys),
        }
    }
}

/// One read of at most `len` bytes.
///
/// # Errors
/// The source's.
pub fn read(source: &mut impl Read, len: u32) -> Result<Vec<u8>, Errno> {
    let mut bytes = vec![0; len as usize];
    loop {
        match source.read(&mut bytes) {
            Ok(got) => {
                bytes.truncate(got);
                return Ok(bytes);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}
