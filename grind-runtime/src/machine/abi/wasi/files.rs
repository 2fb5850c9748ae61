//! Reading and writing.

use super::data::Buffers;
use super::descriptors::{fdflags, rights};
use super::{Ctx, Done, Errno, HostFn, reply, sync};
use crate::machine::io::{Answer, Call, Node, Position, Stat};
use crate::machine::ops::{Op, Reply};

pub(super) const FUNCTIONS: &[HostFn] = &[
    sync("fd_read", fd_read),
    sync("fd_pread", |ctx, a| {
        let at = Some(a[3]);
        reply(read(ctx, a[0], at, a[1] as u32, a[2] as u32, a[4] as u32).map(drop))
    }),
    sync("fd_write", |ctx, a| {
        reply(write(
            ctx,
            a[0],
            None,
            a[1] as u32,
            a[2] as u32,
            a[3] as u32,
        ))
    }),
    sync("fd_pwrite", |ctx, a| {
        let at = Some(a[3]);
        reply(write(ctx, a[0], at, a[1] as u32, a[2] as u32, a[4] as u32))
    }),
    sync("fd_seek", |ctx, a| {
        reply(seek(ctx, a[0], a[1].cast_signed(), a[2], a[3] as u32))
    }),
    sync("fd_tell", |ctx, a| reply(tell(ctx, a[0], a[1] as u32))),
    sync("fd_sync", |ctx, a| {
        reply(synchronise(ctx, a[0], rights::FD_SYNC, true))
    }),
    sync("fd_datasync", |ctx, a| {
        reply(synchronise(ctx, a[0], rights::FD_DATASYNC, false))
    }),
    sync("fd_advise", |ctx, a| {
        reply(advise(ctx, a[0], a[1], a[2], a[3]))
    }),
    sync("fd_allocate", |ctx, a| {
        reply(allocate(ctx, a[0], a[1], a[2]))
    }),
    sync("fd_filestat_set_size", |ctx, a| {
        reply(set_size(ctx, a[0], a[1]))
    }),
];

/// Offsets are signed on every host.
fn checked(position: u64) -> Result<u64, Errno> {
    match i64::try_from(position) {
        Ok(_) => Ok(position),
        Err(_) => Err(Errno::Inval),
    }
}

fn fd_read(ctx: &mut Ctx<'_>, args: &[u64]) -> Reply {
    static AGAIN: HostFn = sync("fd_read", fd_read);
    let [fd, iovecs, count, read_out] = [args[0], args[1], args[2], args[3]];
    let done = read(ctx, fd, None, iovecs as u32, count as u32, read_out as u32);
    match done {
        Ok(true) => reply(Ok(())),
        Ok(false) => Reply::AwaitInput {
            deadline: None,
            then: Op::Host {
                function: &AGAIN,
                args: args.to_vec(),
            },
        },
        Err(errno) => reply(Err(errno)),
    }
}

/// `at` is none for the descriptor's own position. False if the thread has to wait for standard input first.
fn read(
    ctx: &mut Ctx<'_>,
    fd: u64,
    at: Option<u64>,
    iovecs: u32,
    count: u32,
    read_out: u32,
) -> Result<bool, Errno> {
    let descriptor = ctx.state.descriptors.get(fd)?;
    if descriptor.is_directory() {
        return Err(Errno::Isdir);
    }
    if !descriptor.readable {
        return Err(Errno::Badf);
    }
    descriptor.require(rights::FD_READ)?;
    let (node, seekable, own) = (descriptor.node, descriptor.seekable(), descriptor.position);
    let waits = descriptor.flags & fdflags::NONBLOCK == 0;
    let position = match at {
        _ if seekable => Position::At(checked(at.unwrap_or(own))?),
        Some(_) => return Err(Errno::Spipe),
        None => Position::Stream,
    };
    ctx.check(read_out, 4)?;
    let buffers = Buffers::read(ctx, iovecs, count)?;
    let mut got = Vec::new();
    if buffers.len > 0 {
        if node == Node::STDIN && !ctx.state.has_input(0) {
            return if waits { Ok(false) } else { Err(Errno::Again) };
        }
        let call = Call::Read {
            node,
            position,
            len: buffers.len,
        };
        let Answer::Bytes(bytes) = ctx.ask(call)? else {
            return Err(Errno::Io);
        };
        got = bytes;
        got.truncate(buffers.len as usize);
    }
    buffers.scatter(ctx, &got)?;
    if at.is_none() && seekable {
        ctx.state.descriptors.get_mut(fd)?.position += got.len() as u64;
    }
    ctx.write_u32(read_out, got.len() as u32)?;
    Ok(true)
}

/// `at` is none for the descriptor's own position.
fn write(
    ctx: &mut Ctx<'_>,
    fd: u64,
    at: Option<u64>,
    ciovecs: u32,
    count: u32,
    written_out: u32,
) -> Done {
    let descriptor = ctx.state.descriptors.get(fd)?;
    if descriptor.is_directory() || !descriptor.writable {
        return Err(Errno::Badf);
    }
    descriptor.require(rights::FD_WRITE)?;
    let (node, seekable, own) = (descriptor.node, descriptor.seekable(), descriptor.position);
    let flags = descriptor.flags;
    let position = match at {
        None if seekable && flags & fdflags::APPEND != 0 => Position::End,
        _ if seekable => Position::At(checked(at.unwrap_or(own))?),
        Some(_) => return Err(Errno::Spipe),
        None => Position::Stream,
    };
    ctx.check(written_out, 4)?;
    let buffers = Buffers::read(ctx, ciovecs, count)?;
    let bytes = buffers.gather(ctx)?;
    if bytes.is_empty() {
        return Ok(ctx.write_u32(written_out, 0)?);
    }
    let call = Call::Write {
        node,
        position,
        bytes: &bytes,
    };
    let (written, end) = match (ctx.ask(call)?, position) {
        (Answer::Done, Position::At(at)) => (buffers.len, at.saturating_add(buffers.len.into())),
        (Answer::Done, _) => (buffers.len, 0),
        (Answer::Written { len, end }, _) => (len.min(buffers.len), end),
        _ => return Err(Errno::Io),
    };
    if node == Node::STDERR {
        let bytes = &bytes[..bytes.len().min(written as usize)];
        ctx.state.thread_mut().last_words.wrote(bytes);
    }
    if at.is_none() && seekable {
        ctx.state.descriptors.get_mut(fd)?.position = end;
    }
    if seekable && flags & (fdflags::SYNC | fdflags::DSYNC) != 0 {
        ctx.carry_out(Call::Sync {
            node,
            metadata: flags & fdflags::SYNC != 0,
        })?;
    }
    Ok(ctx.write_u32(written_out, written)?)
}

/// What the host knows of an open file.
pub(super) fn stat(ctx: &mut Ctx<'_>, node: Node) -> Result<Stat, Errno> {
    match ctx.ask(Call::Stat { node })? {
        Answer::Stat(stat) => Ok(stat),
        _ => Err(Errno::Io),
    }
}

fn seek(ctx: &mut Ctx<'_>, fd: u64, by: i64, whence: u64, out: u32) -> Done {
    // A position that is only asked for is the business of fd_tell.
    let needed = match (by, whence) {
        (0, 1) => rights::FD_TELL,
        _ => rights::FD_SEEK,
    };
    let descriptor = ctx.state.descriptors.file(fd, needed)?;
    let (node, own) = (descriptor.node, descriptor.position);
    ctx.check(out, 8)?;
    let from = match whence {
        0 => 0,
        1 => own,
        2 => stat(ctx, node)?.size,
        _ => return Err(Errno::Inval),
    };
    let to = checked(from.checked_add_signed(by).ok_or(Errno::Inval)?)?;
    ctx.state.descriptors.get_mut(fd)?.position = to;
    ctx.write_u64(out, to)
}

fn tell(ctx: &mut Ctx<'_>, fd: u64, out: u32) -> Done {
    let position = ctx.state.descriptors.file(fd, rights::FD_TELL)?.position;
    ctx.write_u64(out, position)
}

fn synchronise(ctx: &mut Ctx<'_>, fd: u64, right: u64, metadata: bool) -> Done {
    let descriptor = ctx.state.descriptors.get(fd)?;
    if !descriptor.seekable() && !descriptor.is_directory() {
        return Err(Errno::Inval);
    }
    descriptor.require(right)?;
    let node = descriptor.node;
    ctx.carry_out(Call::Sync { node, metadata })
}

/// Advice is checked, and not followed.
fn advise(ctx: &mut Ctx<'_>, fd: u64, at: u64, len: u64, advice: u64) -> Done {
    /// `noreuse`, the last of the six.
    const LAST: u64 = 5;
    ctx.state.descriptors.file(fd, rights::FD_ADVISE)?;
    if advice > LAST {
        return Err(Errno::Inval);
    }
    checked(at)?;
    checked(len).map(drop)
}

fn allocate(ctx: &mut Ctx<'_>, fd: u64, at: u64, len: u64) -> Done {
    let descriptor = ctx.state.descriptors.file(fd, rights::FD_ALLOCATE)?;
    if !descriptor.writable {
        return Err(Errno::Badf);
    }
    let node = descriptor.node;
    if len == 0 {
        return Err(Errno::Inval);
    }
    let end = checked(at)?.checked_add(checked(len)?).ok_or(Errno::Fbig)?;
    let size = checked(end).map_err(|_| Errno::Fbig)?;
    ctx.carry_out(Call::Allocate { node, size })
}

fn set_size(ctx: &mut Ctx<'_>, fd: u64, size: u64) -> Done {
    let descriptor = ctx.state.descriptors.get(fd)?;
    if descriptor.is_directory() || !descriptor.writable {
        return Err(Errno::Badf);
    }
    if !descriptor.seekable() {
        return Err(Errno::Inval);
    }
    descriptor.require(rights::FD_FILESTAT_SET_SIZE)?;
    let node = descriptor.node;
    let size = checked(size)?;
    ctx.carry_out(Call::SetSize { node, size })
}
