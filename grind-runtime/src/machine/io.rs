//! The guest's standard streams. The machine touches the host's only through this.

use std::io;

/// Where the guest's standard streams go.
pub trait HostIo: std::any::Any {
    /// Takes bytes for standard output (`descriptor` 1) or error (2); returns how many it took.
    ///
    /// # Errors
    /// Any of the host's; the guest gets `EIO`.
    fn write(&mut self, descriptor: u32, bytes: &[u8]) -> io::Result<usize>;

    /// Fills `buffer` from standard input; 0 is its end.
    ///
    /// # Errors
    /// Any of the host's; the guest gets `EIO`.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

/// Drops output and has no input.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullIo;

impl HostIo for NullIo {
    fn write(&mut self, _: u32, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
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
    pub stdin: std::collections::VecDeque<u8>,
}

impl HostIo for BufferIo {
    fn write(&mut self, descriptor: u32, bytes: &[u8]) -> io::Result<usize> {
        if descriptor == 2 {
            &mut self.stderr
        } else {
            &mut self.stdout
        }
        .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        io::Read::read(&mut self.stdin, buffer)
    }
}
