//! The functions guests import, by module and name. Every address a guest passes is checked here, and
//! every buffer read or written on its behalf counts as an access of the calling thread.

mod hooks;
mod threads;
mod wasi;

pub(super) use threads::joined;
pub(super) use wasi::Descriptors;

use super::ops::{self, Reply};
use super::state::State;
use crate::model::RangeOrigin;
use crate::program::imports;
use threadlink::abi;

/// What a host function can reach.
pub(super) struct Ctx<'a> {
    pub(super) state: &'a mut State,
    pub(super) memory: &'a mut [u8],
}

/// A function provided to guests.
pub(super) struct HostFn {
    pub(super) name: &'static str,
    /// Other threads may run before it.
    pub(super) sync: bool,
    pub(super) run: fn(&mut Ctx<'_>, &[u64]) -> Reply,
}

impl std::fmt::Debug for HostFn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for HostFn {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for HostFn {}

/// A scheduling point.
const fn sync(name: &'static str, run: fn(&mut Ctx<'_>, &[u64]) -> Reply) -> HostFn {
    HostFn {
        name,
        sync: true,
        run,
    }
}

/// Not a scheduling point: nobody can observe it, or it must stay with what came before.
const fn quiet(name: &'static str, run: fn(&mut Ctx<'_>, &[u64]) -> Reply) -> HostFn {
    HostFn {
        name,
        sync: false,
        run,
    }
}

/// The implementation of an import.
pub(super) fn find(module: &str, name: &str) -> Option<&'static HostFn> {
    let tables: &[&'static [HostFn]] = match module {
        abi::MODULE => &[
            threads::THREADLINK,
            threads::COMMON,
            hooks::HOOKS,
            hooks::ANNOTATIONS,
        ],
        abi::WASMGRIND_MODULE => &[threads::WASMGRIND, threads::COMMON, hooks::HOOKS],
        imports::WASI_MODULE => &wasi::PREVIEW1,
        imports::WASI_THREADS_MODULE => &[threads::WASI_THREADS],
        imports::WASIX_MODULE => &[threads::WASIX],
        _ => &[],
    };
    tables.iter().copied().flatten().find(|f| f.name == name)
}

/// An address or length outside memory.
pub(super) struct OutOfBounds;

impl Ctx<'_> {
    fn range(
        &mut self,
        addr: u32,
        len: u32,
        write: bool,
    ) -> Result<std::ops::Range<usize>, OutOfBounds> {
        if !ops::within(self.memory.len(), addr, len) {
            return Err(OutOfBounds);
        }
        if len > 0 {
            self.state.accesses(RangeOrigin::Host, addr, len, write);
        }
        Ok(addr as usize..addr as usize + len as usize)
    }

    /// Bytes of the guest, which the calling thread reads.
    pub(super) fn read(&mut self, addr: u32, len: u32) -> Result<&[u8], OutOfBounds> {
        let range = self.range(addr, len, false)?;
        Ok(&self.memory[range])
    }

    pub(super) fn read_u32(&mut self, addr: u32) -> Result<u32, OutOfBounds> {
        let bytes = self.read(addr, 4)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |value, &byte| value << 8 | u32::from(byte)))
    }

    /// Writes bytes, as a write of the calling thread.
    pub(super) fn write(&mut self, addr: u32, bytes: &[u8]) -> Result<(), OutOfBounds> {
        let len = u32::try_from(bytes.len()).map_err(|_| OutOfBounds)?;
        let range = self.range(addr, len, true)?;
        self.memory[range].copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn write_u32(&mut self, addr: u32, value: u32) -> Result<(), OutOfBounds> {
        self.write(addr, &value.to_le_bytes())
    }

    /// Text of the guest; what is not UTF-8 is replaced.
    pub(super) fn text(&mut self, addr: u32, len: u32) -> Result<String, OutOfBounds> {
        /// A name is for reports; more of it helps nobody.
        const LONGEST_NAME: u32 = 256;
        let bytes = self.read(addr, len.min(LONGEST_NAME))?;
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_that_guests_may_import_is_implemented() {
        for function in imports::host_functions() {
            assert!(
                find(function.module, function.name).is_some(),
                "{}.{}",
                function.module,
                function.name
            );
        }
    }
}
