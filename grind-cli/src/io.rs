//! The guest's standard streams are grind's own.

use grind_runtime::machine::HostIo;
use std::io::{self, Read, Write};

/// Unbuffered, so that what a guest wrote before a trap is out.
pub(crate) struct ProcessIo;

impl HostIo for ProcessIo {
    fn write(&mut self, descriptor: u32, bytes: &[u8]) -> io::Result<usize> {
        if descriptor == 2 {
            io::stderr().write_all(bytes)?;
        } else {
            let mut stdout = io::stdout();
            stdout.write_all(bytes)?;
            stdout.flush()?;
        }
        Ok(bytes.len())
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        io::stdin().read(buffer)
    }
}
