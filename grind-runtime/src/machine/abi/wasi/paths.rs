//! Names: opening, making, moving and removing. The host keeps paths inside their directories.

use super::descriptors::{Descriptor, fdflags, rights};
use super::{Ctx, Done, Errno, HostFn, flags, reply, sync};
use crate::machine::io::{Answer, Call, FileKind, Node, Open};

/// Bytes of a path, the usual PATH_MAX. A longer one is refused with ENAMETOOLONG.
const LONGEST: u32 = 4096;

pub(super) const FUNCTIONS: &[HostFn] = &[
    sync("path_create_directory", |ctx, a| {
        reply(at(ctx, a, rights::PATH_CREATE_DIRECTORY, |dir, path| {
            Call::CreateDirectory { dir, path }
        }))
    }),
    sync("path_remove_directory", |ctx, a| {
        reply(at(ctx, a, rights::PATH_REMOVE_DIRECTORY, |dir, path| {
            Call::RemoveDirectory { dir, path }
        }))
    }),
    sync("path_unlink_file", |ctx, a| {
        reply(at(ctx, a, rights::PATH_UNLINK_FILE, |dir, path| {
            Call::Unlink { dir, path }
        }))
    }),
    sync("path_open", |ctx, a| reply(open(ctx, a))),
    sync("path_link", |ctx, a| reply(link(ctx, a))),
    sync("path_rename", |ctx, a| reply(rename(ctx, a))),
    sync("path_symlink", |ctx, a| reply(symlink(ctx, a))),
    sync("path_readlink", |ctx, a| reply(readlink(ctx, a))),
];

/// A path of the guest.
pub(super) fn path(ctx: &mut Ctx<'_>, at: u32, len: u32) -> Result<String, Errno> {
    ctx.check(at, len)?;
    if len > LONGEST {
        return Err(Errno::Nametoolong);
    }
    let bytes = ctx.read(at, len)?;
    if bytes.contains(&0) {
        return Err(Errno::Inval);
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| Errno::Ilseq)
}

/// What needs one path, and is only done or not.
fn at(
    ctx: &mut Ctx<'_>,
    a: &[u64],
    right: u64,
    call: impl for<'p> Fn(Node, &'p str) -> Call<'p>,
) -> Done {
    let dir = ctx.state.descriptors.directory(a[0], right)?;
    let path = path(ctx, a[1] as u32, a[2] as u32)?;
    ctx.carry_out(call(dir, &path))
}

/// Bits of `oflags`.
mod oflags {
    pub(super) const CREAT: u16 = 1;
    pub(super) const DIRECTORY: u16 = 1 << 1;
    pub(super) const EXCL: u16 = 1 << 2;
    pub(super) const TRUNC: u16 = 1 << 3;
    pub(super) const ALL: u16 = CREAT | DIRECTORY | EXCL | TRUNC;
}

/// `(fd, dirflags, path, path_len, oflags, rights_base, rights_inheriting, fdflags, fd_out)`
fn open(ctx: &mut Ctx<'_>, a: &[u64]) -> Done {
    let follow = flags(a[1], 1)? != 0;
    let how = flags(a[4], oflags::ALL)?;
    // Rights that no file has are not worth an error: wasi-libc asks for all there are.
    let (base, inheriting) = (a[5] & rights::ALL, a[6] & rights::ALL);
    let fdflags = flags(a[7], fdflags::ALL)?;
    let out = a[8] as u32;
    let has = |flag: u16| how & flag != 0;

    let mut needed = rights::PATH_OPEN;
    if has(oflags::CREAT) {
        needed |= rights::PATH_CREATE_FILE;
    }
    if has(oflags::TRUNC) {
        needed |= rights::PATH_FILESTAT_SET_SIZE;
    }
    let dir = ctx.state.descriptors.directory(a[0], needed)?;
    if (base | inheriting) & !ctx.state.descriptors.get(a[0])?.inheriting != 0 {
        return Err(Errno::Notcapable);
    }
    if has(oflags::DIRECTORY) && has(oflags::CREAT | oflags::EXCL | oflags::TRUNC) {
        return Err(Errno::Inval);
    }
    ctx.check(out, 4)?;
    let path = path(ctx, a[2] as u32, a[3] as u32)?;

    let readable = base & (rights::FD_READ | rights::FD_READDIR) != 0;
    let writable =
        base & (rights::FD_WRITE | rights::FD_ALLOCATE | rights::FD_FILESTAT_SET_SIZE) != 0;
    // To make or to empty a file takes a host file that can be written.
    let write = writable || has(oflags::CREAT | oflags::TRUNC);
    let node = ctx.state.descriptors.new_node()?;
    let answer = ctx.ask(Call::Open {
        dir,
        path: &path,
        follow,
        open: Open {
            read: readable || !write,
            write,
            create: has(oflags::CREAT),
            exclusive: has(oflags::EXCL),
            truncate: has(oflags::TRUNC),
            directory: has(oflags::DIRECTORY),
        },
        node,
    })?;
    let Answer::Opened(kind) = answer else {
        return Err(Errno::Io);
    };
    let is_directory = kind == FileKind::Directory;
    let fd = ctx.state.descriptors.insert(Descriptor {
        node,
        kind,
        readable,
        writable: writable && !is_directory,
        base: base
            & match kind {
                FileKind::Directory => rights::DIRECTORY,
                FileKind::Regular | FileKind::BlockDevice => rights::FILE,
                _ => rights::STREAM,
            },
        inheriting: if is_directory { inheriting } else { 0 },
        flags: fdflags,
        position: 0,
        preopen: None,
        listing: None,
    });
    Ok(ctx.write_u32(out, fd)?)
}

/// `(old_fd, old_flags, old_path, old_len, new_fd, new_path, new_len)`
fn link(ctx: &mut Ctx<'_>, a: &[u64]) -> Done {
    let dir = (ctx.state.descriptors).directory(a[0], rights::PATH_LINK_SOURCE)?;
    let new_dir = (ctx.state.descriptors).directory(a[4], rights::PATH_LINK_TARGET)?;
    // No host that is known follows here.
    if flags(a[1], 1)? != 0 {
        return Err(Errno::Inval);
    }
    let path = &path(ctx, a[2] as u32, a[3] as u32)?;
    let new_path = &self::path(ctx, a[5] as u32, a[6] as u32)?;
    ctx.carry_out(Call::Link {
        dir,
        path,
        new_dir,
        new_path,
    })
}

/// `(fd, old_path, old_len, new_fd, new_path, new_len)`
fn rename(ctx: &mut Ctx<'_>, a: &[u64]) -> Done {
    let dir = (ctx.state.descriptors).directory(a[0], rights::PATH_RENAME_SOURCE)?;
    let new_dir = (ctx.state.descriptors).directory(a[3], rights::PATH_RENAME_TARGET)?;
    let path = &path(ctx, a[1] as u32, a[2] as u32)?;
    let new_path = &self::path(ctx, a[4] as u32, a[5] as u32)?;
    ctx.carry_out(Call::Rename {
        dir,
        path,
        new_dir,
        new_path,
    })
}

/// `(target, target_len, fd, path, path_len)`
fn symlink(ctx: &mut Ctx<'_>, a: &[u64]) -> Done {
    let dir = (ctx.state.descriptors).directory(a[2], rights::PATH_SYMLINK)?;
    let target = &path(ctx, a[0] as u32, a[1] as u32)?;
    let path = &path(ctx, a[3] as u32, a[4] as u32)?;
    ctx.carry_out(Call::Symlink { target, dir, path })
}

/// `(fd, path, path_len, buffer, buffer_len, used_out)`
fn readlink(ctx: &mut Ctx<'_>, a: &[u64]) -> Done {
    let dir = (ctx.state.descriptors).directory(a[0], rights::PATH_READLINK)?;
    let (buffer, len, out) = (a[3] as u32, a[4] as u32, a[5] as u32);
    ctx.check(buffer, len)?;
    ctx.check(out, 4)?;
    let path = &path(ctx, a[1] as u32, a[2] as u32)?;
    let Answer::Bytes(mut target) = ctx.ask(Call::ReadLink { dir, path })? else {
        return Err(Errno::Io);
    };
    // Cut, as POSIX does.
    target.truncate(len as usize);
    ctx.write(buffer, &target)?;
    Ok(ctx.write_u32(out, target.len() as u32)?)
}
