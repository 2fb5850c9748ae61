//! Buffers of a guest: where a read goes to and a write comes from.

use super::{Ctx, Errno, offset};

/// Buffers of one call, POSIX's usual IOV_MAX. More are refused with EINVAL.
const MOST_BUFFERS: u32 = 1024;

/// Bytes of one call. More are read or written short, as POSIX allows.
const MOST_BYTES: u32 = 16 << 20;

/// Buffers in memory, together not longer than one call may take.
pub(super) struct Buffers {
    parts: Vec<(u32, u32)>,
    pub(super) len: u32,
}

impl Buffers {
    /// Reads an array of `iovec` or `ciovec`, and checks what it points to.
    pub(super) fn read(ctx: &mut Ctx<'_>, at: u32, count: u32) -> Result<Buffers, Errno> {
        if count > MOST_BUFFERS {
            return Err(Errno::Inval);
        }
        let mut buffers = Buffers {
            parts: Vec::new(),
            len: 0,
        };
        for i in 0..count {
            let at = offset(at, 8 * i)?;
            let (addr, len) = (ctx.read_u32(at)?, ctx.read_u32(offset(at, 4)?)?);
            ctx.check(addr, len)?;
            let len = len.min(MOST_BYTES - buffers.len);
            if len > 0 {
                buffers.parts.push((addr, len));
                buffers.len += len;
            }
        }
        Ok(buffers)
    }

    /// What is in them.
    pub(super) fn gather(&self, ctx: &mut Ctx<'_>) -> Result<Vec<u8>, Errno> {
        let mut bytes = Vec::with_capacity(self.len as usize);
        for &(addr, len) in &self.parts {
            bytes.extend_from_slice(ctx.read(addr, len)?);
        }
        Ok(bytes)
    }

    /// Puts `bytes` into them, which are not longer.
    pub(super) fn scatter(&self, ctx: &mut Ctx<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
        for &(addr, len) in &self.parts {
            let part;
            (part, bytes) = bytes.split_at(bytes.len().min(len as usize));
            ctx.write(addr, part)?;
        }
        Ok(())
    }
}
