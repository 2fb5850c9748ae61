//! Recorded inputs: what the first pass read from the host, the second reads again.

use crate::machine::HostIo;
use std::collections::VecDeque;
use std::io;

/// Bytes of input that are kept for the second pass. A run that reads more keeps its findings but not the
/// stacks of their earlier accesses.
pub(super) const KEPT: usize = 64 << 20;

/// What was read, in order.
#[derive(Debug, Default)]
pub(super) struct Inputs {
    reads: VecDeque<Vec<u8>>,
    bytes: usize,
    overflown: bool,
}

impl Inputs {
    pub(super) fn complete(&self) -> bool {
        !self.overflown
    }
}

/// Passes everything on and keeps what was read.
pub(super) struct Recorder {
    pub(super) io: Box<dyn HostIo>,
    pub(super) inputs: Inputs,
}

impl HostIo for Recorder {
    fn write(&mut self, descriptor: u32, bytes: &[u8]) -> io::Result<usize> {
        self.io.write(descriptor, bytes)
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.io.read(buffer)?;
        self.inputs.bytes += got;
        if self.inputs.bytes > KEPT {
            self.inputs.overflown = true;
            self.inputs.reads.clear();
        } else {
            self.inputs.reads.push_back(buffer[..got].to_vec());
        }
        Ok(got)
    }
}

/// Gives the same reads again, and drops output.
pub(super) struct Player(pub(super) Inputs);

impl HostIo for Player {
    fn write(&mut self, _: u32, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.reads.pop_front().unwrap_or_default();
        let got = read.len().min(buffer.len());
        buffer[..got].copy_from_slice(&read[..got]);
        Ok(got)
    }
}
