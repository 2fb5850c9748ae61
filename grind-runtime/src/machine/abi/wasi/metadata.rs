//! What is known of files: sizes, kinds, times.

use super::descriptors::rights;
use super::files::stat;
use super::paths::path;
use super::{Ctx, Done, Errno, HostFn, clocks, flags, reply, sync};
use crate::machine::io::{Answer, Call, FileKind, Stat, Times};

pub(super) const FUNCTIONS: &[HostFn] = &[
    sync("fd_filestat_get", |ctx, a| {
        reply(filestat(ctx, a[0], a[1] as u32))
    }),
    sync("fd_filestat_set_times", |ctx, a| {
        reply(set_times(ctx, a[0], a[1], a[2], a[3]))
    }),
    sync("path_filestat_get", |ctx, a| {
        reply(path_filestat(
            ctx,
            a[0],
            a[1],
            (a[2] as u32, a[3] as u32),
            a[4] as u32,
        ))
    }),
    sync("path_filestat_set_times", |ctx, a| {
        let path = (a[2] as u32, a[3] as u32);
        reply(path_set_times(ctx, a[0], a[1], path, [a[4], a[5], a[6]]))
    }),
];

/// Bytes of the struct `filestat`.
const FILESTAT: u32 = 64;

fn write(ctx: &mut Ctx<'_>, out: u32, stat: &Stat) -> Done {
    let mut filestat = [0u8; FILESTAT as usize];
    let fields = [
        stat.device,
        stat.inode,
        stat.kind as u64,
        stat.links,
        stat.size,
        stat.accessed,
        stat.modified,
        stat.changed,
    ];
    for (at, field) in filestat.as_chunks_mut::<8>().0.iter_mut().zip(fields) {
        *at = field.to_le_bytes();
    }
    Ok(ctx.write(out, &filestat)?)
}

fn filestat(ctx: &mut Ctx<'_>, fd: u64, out: u32) -> Done {
    let descriptor = ctx.state.descriptors.with(fd, rights::FD_FILESTAT_GET)?;
    let (node, is_stream) = (descriptor.node, descriptor.is_stream());
    ctx.check(out, FILESTAT)?;
    let stat = if is_stream {
        // The same for every guest, whatever the host's are.
        Stat {
            device: 0,
            inode: u64::from(node.0),
            kind: FileKind::CharacterDevice,
            links: 0,
            size: 0,
            accessed: 0,
            modified: 0,
            changed: 0,
        }
    } else {
        stat(ctx, node)?
    };
    write(ctx, out, &stat)
}

fn path_filestat(ctx: &mut Ctx<'_>, fd: u64, lookup: u64, (at, len): (u32, u32), out: u32) -> Done {
    let dir = (ctx.state.descriptors).directory(fd, rights::PATH_FILESTAT_GET)?;
    let follow = flags(lookup, 1)? != 0;
    ctx.check(out, FILESTAT)?;
    let path = &path(ctx, at, len)?;
    match ctx.ask(Call::StatAt { dir, path, follow })? {
        Answer::Stat(stat) => write(ctx, out, &stat),
        _ => Err(Errno::Io),
    }
}

/// What `fstflags` says of two times. "Now" is the guest's now.
fn times(ctx: &Ctx<'_>, accessed: u64, modified: u64, wanted: u64) -> Result<Times, Errno> {
    let wanted = flags(wanted, 0b1111)?;
    let now = clocks::time(ctx.state, clocks::REALTIME)?;
    let choose = |given: u64, bits: u16| match bits & 0b11 {
        0 => Ok(None),
        0b01 => Ok(Some(given)),
        0b10 => Ok(Some(now)),
        _ => Err(Errno::Inval),
    };
    Ok(Times {
        accessed: choose(accessed, wanted)?,
        modified: choose(modified, wanted >> 2)?,
    })
}

fn set_times(ctx: &mut Ctx<'_>, fd: u64, accessed: u64, modified: u64, wanted: u64) -> Done {
    let descriptor = ctx.state.descriptors.get(fd)?;
    if descriptor.is_stream() {
        return Err(Errno::Badf);
    }
    descriptor.require(rights::FD_FILESTAT_SET_TIMES)?;
    let node = descriptor.node;
    let times = times(ctx, accessed, modified, wanted)?;
    ctx.carry_out(Call::SetTimes { node, times })
}

fn path_set_times(
    ctx: &mut Ctx<'_>,
    fd: u64,
    lookup: u64,
    (at, len): (u32, u32),
    [accessed, modified, wanted]: [u64; 3],
) -> Done {
    let dir = (ctx.state.descriptors).directory(fd, rights::PATH_FILESTAT_SET_TIMES)?;
    let follow = flags(lookup, 1)? != 0;
    let times = times(ctx, accessed, modified, wanted)?;
    let path = &path(ctx, at, len)?;
    ctx.carry_out(Call::SetTimesAt {
        dir,
        path,
        follow,
        times,
    })
}
