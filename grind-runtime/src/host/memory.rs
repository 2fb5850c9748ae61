//! The guest's memory as numbers, for the host's main thread: plain accesses, which race as a thread's own do, and atomic ones, which order.

use super::runtime::ThreadRuntime;
use crate::machine::{ActError, DriverAtomic, HostIo};
use crate::program::embedder::HostNumber;

/// A number that is in the guest's memory, little-endian.
pub trait MemoryNumber: Copy + sealed::Bits {}

/// One that can be accessed atomically: an integer.
pub trait AtomicNumber: MemoryNumber {}

mod sealed {
    pub trait Bits: Sized {
        /// Bytes of it.
        const WIDTH: u8;

        /// From the low bytes.
        fn from_bits(bits: u64) -> Self;

        /// In the low bytes.
        fn bits(self) -> u64;
    }
}

use sealed::Bits;

macro_rules! numbers {
    ($($number:ident: |$bits:ident| $from:expr, |$value:ident| $to:expr;)*) => {$(
        impl Bits for $number {
            const WIDTH: u8 = size_of::<$number>() as u8;

            fn from_bits($bits: u64) -> $number {
                $from
            }

            fn bits(self) -> u64 {
                let $value = self;
                $to
            }
        }

        impl MemoryNumber for $number {}
    )*};
    // Those that functions pass have the same bits in memory.
    ($($number:ident)*) => {
        numbers! {$(
            $number: |bits| HostNumber::from_bits(bits), |value| HostNumber::bits(value);
        )*}
    };
}

numbers! {
    u8: |bits| bits as u8, |value| u64::from(value);
    u16: |bits| bits as u16, |value| u64::from(value);
}
numbers! { u32 i32 u64 i64 f32 f64 }

impl AtomicNumber for u8 {}
impl AtomicNumber for u16 {}
impl AtomicNumber for u32 {}
impl AtomicNumber for i32 {}
impl AtomicNumber for u64 {}
impl AtomicNumber for i64 {}

impl<Io: HostIo> ThreadRuntime<Io> {
    /// Reads a number, as a plain load of the main thread. It need not be aligned.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use grind_runtime::{NullIo, Program, RunOptions, host::ThreadRuntime};
    /// # let program = Program::new(&wat::parse_str("(module (memory 1 1 shared))")?)?;
    /// let runtime = ThreadRuntime::with_program(&program, RunOptions::default(), NullIo)?;
    /// runtime.store(64, -2_i64)?;
    /// assert_eq!(runtime.load::<i64>(64)?, -2);
    /// assert_eq!(runtime.atomic_add(64, 3_u32)?, 0xffff_fffe);
    /// assert_eq!(runtime.atomic_load::<u8>(64)?, 1);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ActError::OutOfBounds`], or [`ActError::Over`].
    pub fn load<T: MemoryNumber>(&self, addr: u32) -> Result<T, ActError> {
        let read = self.mem_read(addr, T::WIDTH.into())?;
        let mut bytes = [0; 8];
        bytes[..read.len()].copy_from_slice(&read);
        Ok(T::from_bits(u64::from_le_bytes(bytes)))
    }

    /// Writes a number, as a plain store of the main thread. It need not be aligned.
    ///
    /// # Errors
    /// [`ActError::OutOfBounds`], or [`ActError::Over`].
    pub fn store<T: MemoryNumber>(&self, addr: u32, value: T) -> Result<(), ActError> {
        let bytes = value.bits().to_le_bytes();
        self.mem_write(addr, &bytes[..usize::from(T::WIDTH)])
    }

    /// Reads a number atomically. Whatever was before the atomic access that wrote it happens before what the host does from then on.
    ///
    /// # Errors
    /// [`ActError::Misaligned`], [`ActError::OutOfBounds`], or [`ActError::Over`].
    pub fn atomic_load<T: AtomicNumber>(&self, addr: u32) -> Result<T, ActError> {
        self.atomic(addr, DriverAtomic::Load)
    }

    /// Writes a number atomically. All that the host did so far happens before what is done after an atomic access that reads it.
    ///
    /// # Errors
    /// See [`ThreadRuntime::atomic_load`].
    pub fn atomic_store<T: AtomicNumber>(&self, addr: u32, value: T) -> Result<(), ActError> {
        let value = value.bits();
        self.atomic::<T>(addr, DriverAtomic::Store { value })
            .map(drop)
    }

    /// Adds to a number atomically, and wraps around. Returns what it was before.
    ///
    /// # Errors
    /// See [`ThreadRuntime::atomic_load`].
    pub fn atomic_add<T: AtomicNumber>(&self, addr: u32, value: T) -> Result<T, ActError> {
        let value = value.bits();
        self.atomic(addr, DriverAtomic::Add { value })
    }

    /// Replaces a number atomically if it is `expected`, which it returns then. Returns what it is as an error otherwise, as
    /// [`AtomicU32::compare_exchange`](std::sync::atomic::AtomicU32::compare_exchange) does.
    ///
    /// # Errors
    /// See [`ThreadRuntime::atomic_load`].
    pub fn compare_exchange<T: AtomicNumber>(
        &self,
        addr: u32,
        expected: T,
        new: T,
    ) -> Result<Result<T, T>, ActError> {
        let (expected, new) = (expected.bits(), new.bits());
        let before: T = self.atomic(addr, DriverAtomic::CompareExchange { expected, new })?;
        Ok(match before.bits() == expected {
            true => Ok(before),
            false => Err(before),
        })
    }

    /// Lets threads go on that wait on this address (`memory.atomic.wait32` or `wait64`), `count` at most, those first that have waited
    /// longest. Returns how many it woke. All that the host did so far happens before what they do from then on.
    ///
    /// # Errors
    /// See [`ThreadRuntime::atomic_load`]; the address is one of 4 bytes.
    pub fn notify(&self, addr: u32, count: u32) -> Result<u32, ActError> {
        self.shared().act(|machine| machine.notify(addr, count))
    }

    fn atomic<T: AtomicNumber>(&self, addr: u32, op: DriverAtomic) -> Result<T, ActError> {
        let shared = self.shared();
        let bits = shared.act(|machine| machine.atomic(addr, T::WIDTH, op))?;
        Ok(T::from_bits(bits))
    }
}
