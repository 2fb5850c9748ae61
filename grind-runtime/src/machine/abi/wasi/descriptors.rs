//! The table of descriptors: what a guest may do with each number.

use super::{Ctx, Done, Errno, HostFn, flags, offset, quiet, reply, sync};
use crate::machine::io::{Call, Entry, FileKind, Node};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Descriptors open at once, the usual OPEN_MAX. One more is refused with EMFILE.
const MOST: usize = 1024;

/// Sets of `rights`: what may be done with a descriptor. The names are those of the witx.
#[rustfmt::skip]
pub(super) mod rights {
    pub(in super::super) const FD_DATASYNC: u64 = 1;
    pub(in super::super) const FD_READ: u64 = 1 << 1;
    pub(in super::super) const FD_SEEK: u64 = 1 << 2;
    pub(in super::super) const FD_FDSTAT_SET_FLAGS: u64 = 1 << 3;
    pub(in super::super) const FD_SYNC: u64 = 1 << 4;
    pub(in super::super) const FD_TELL: u64 = 1 << 5;
    pub(in super::super) const FD_WRITE: u64 = 1 << 6;
    pub(in super::super) const FD_ADVISE: u64 = 1 << 7;
    pub(in super::super) const FD_ALLOCATE: u64 = 1 << 8;
    pub(in super::super) const PATH_CREATE_DIRECTORY: u64 = 1 << 9;
    pub(in super::super) const PATH_CREATE_FILE: u64 = 1 << 10;
    pub(in super::super) const PATH_LINK_SOURCE: u64 = 1 << 11;
    pub(in super::super) const PATH_LINK_TARGET: u64 = 1 << 12;
    pub(in super::super) const PATH_OPEN: u64 = 1 << 13;
    pub(in super::super) const FD_READDIR: u64 = 1 << 14;
    pub(in super::super) const PATH_READLINK: u64 = 1 << 15;
    pub(in super::super) const PATH_RENAME_SOURCE: u64 = 1 << 16;
    pub(in super::super) const PATH_RENAME_TARGET: u64 = 1 << 17;
    pub(in super::super) const PATH_FILESTAT_GET: u64 = 1 << 18;
    pub(in super::super) const PATH_FILESTAT_SET_SIZE: u64 = 1 << 19;
    pub(in super::super) const PATH_FILESTAT_SET_TIMES: u64 = 1 << 20;
    pub(in super::super) const FD_FILESTAT_GET: u64 = 1 << 21;
    pub(in super::super) const FD_FILESTAT_SET_SIZE: u64 = 1 << 22;
    pub(in super::super) const FD_FILESTAT_SET_TIMES: u64 = 1 << 23;
    pub(in super::super) const PATH_SYMLINK: u64 = 1 << 24;
    pub(in super::super) const PATH_REMOVE_DIRECTORY: u64 = 1 << 25;
    pub(in super::super) const PATH_UNLINK_FILE: u64 = 1 << 26;
    pub(in super::super) const POLL_FD_READWRITE: u64 = 1 << 27;

    /// Without seek and tell: that is how wasi-libc knows a terminal.
    pub(in super::super) const STREAM: u64 =
        FD_READ | FD_WRITE | FD_FDSTAT_SET_FLAGS | FD_FILESTAT_GET | POLL_FD_READWRITE;
    pub(in super::super) const FILE: u64 = STREAM | FD_DATASYNC | FD_SEEK | FD_SYNC | FD_TELL | FD_ADVISE
        | FD_ALLOCATE | FD_FILESTAT_SET_SIZE | FD_FILESTAT_SET_TIMES;
    pub(in super::super) const DIRECTORY: u64 = FD_DATASYNC | FD_SYNC | FD_FDSTAT_SET_FLAGS | FD_READDIR
        | FD_FILESTAT_GET | FD_FILESTAT_SET_TIMES | PATH_CREATE_DIRECTORY | PATH_CREATE_FILE
        | PATH_LINK_SOURCE | PATH_LINK_TARGET | PATH_OPEN | PATH_READLINK | PATH_RENAME_SOURCE
        | PATH_RENAME_TARGET | PATH_FILESTAT_GET | PATH_FILESTAT_SET_SIZE | PATH_FILESTAT_SET_TIMES
        | PATH_SYMLINK | PATH_REMOVE_DIRECTORY | PATH_UNLINK_FILE;
    /// Every right that has a meaning for what can be opened here.
    pub(in super::super) const ALL: u64 = FILE | DIRECTORY;
}

/// Bits of `fdflags`.
pub(super) mod fdflags {
    pub(in super::super) const APPEND: u16 = 1;
    pub(in super::super) const DSYNC: u16 = 1 << 1;
    pub(in super::super) const NONBLOCK: u16 = 1 << 2;
    pub(in super::super) const RSYNC: u16 = 1 << 3;
    pub(in super::super) const SYNC: u16 = 1 << 4;
    pub(in super::super) const ALL: u16 = APPEND | DSYNC | NONBLOCK | RSYNC | SYNC;
}

/// An open descriptor.
#[derive(Clone, Debug)]
pub(super) struct Descriptor {
    pub(super) node: Node,
    pub(super) kind: FileKind,
    /// It was opened for reading.
    pub(super) readable: bool,
    /// It was opened for writing.
    pub(super) writable: bool,
    /// What may be done with it.
    pub(super) base: u64,
    /// What may be done with what is opened through it.
    pub(super) inheriting: u64,
    /// `fdflags`.
    pub(super) flags: u16,
    /// Where the next read or write takes place.
    pub(super) position: u64,
    /// What it is called, if it was there from the beginning.
    pub(super) preopen: Option<Arc<[u8]>>,
    /// What a directory contained when it was last read from its beginning.
    pub(super) listing: Option<Arc<[Entry]>>,
}

impl Descriptor {
    fn stream(node: Node) -> Descriptor {
        Descriptor {
            node,
            kind: FileKind::CharacterDevice,
            readable: node == Node::STDIN,
            writable: node != Node::STDIN,
            base: rights::STREAM,
            inheriting: 0,
            flags: 0,
            position: 0,
            preopen: None,
            listing: None,
        }
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind == FileKind::Directory
    }

    /// Whether reads and writes have a position.
    pub(super) fn seekable(&self) -> bool {
        matches!(self.kind, FileKind::Regular | FileKind::BlockDevice)
    }

    /// One of the three that every guest has.
    pub(super) fn is_stream(&self) -> bool {
        self.node <= Node::STDERR
    }

    pub(super) fn require(&self, rights: u64) -> Done {
        if self.base & rights == rights {
            Ok(())
        } else {
            Err(Errno::Notcapable)
        }
    }
}

/// What the guest has open.
#[derive(Debug)]
pub(in crate::machine) struct Descriptors {
    open: BTreeMap<u32, Descriptor>,
    next_node: u32,
}

impl Descriptors {
    /// The standard streams, and directories with these names.
    pub(in crate::machine) fn new(preopens: Vec<Vec<u8>>) -> Descriptors {
        let streams = [Node::STDIN, Node::STDOUT, Node::STDERR].map(Descriptor::stream);
        let directories = (0..).zip(preopens).map(|(index, name)| Descriptor {
            node: Node::preopen(index),
            kind: FileKind::Directory,
            readable: true,
            writable: false,
            base: rights::DIRECTORY,
            inheriting: rights::ALL,
            preopen: Some(name.into()),
            ..Descriptor::stream(Node::STDIN)
        });
        let open: BTreeMap<u32, Descriptor> =
            (0..).zip(streams.into_iter().chain(directories)).collect();
        Descriptors {
            next_node: open.len() as u32,
            open,
        }
    }

    /// A descriptor that is open.
    pub(super) fn get(&self, fd: u64) -> Result<&Descriptor, Errno> {
        let fd = u32::try_from(fd).map_err(|_| Errno::Badf)?;
        self.open.get(&fd).ok_or(Errno::Badf)
    }

    pub(super) fn get_mut(&mut self, fd: u64) -> Result<&mut Descriptor, Errno> {
        let fd = u32::try_from(fd).map_err(|_| Errno::Badf)?;
        self.open.get_mut(&fd).ok_or(Errno::Badf)
    }

    /// One with these rights.
    pub(super) fn with(&self, fd: u64, rights: u64) -> Result<&Descriptor, Errno> {
        let descriptor = self.get(fd)?;
        descriptor.require(rights)?;
        Ok(descriptor)
    }

    /// A directory with these rights.
    pub(super) fn directory(&self, fd: u64, rights: u64) -> Result<Node, Errno> {
        let descriptor = self.get(fd)?;
        if !descriptor.is_directory() {
            return Err(Errno::Notdir);
        }
        descriptor.require(rights)?;
        Ok(descriptor.node)
    }

    /// A file with positions, and with these rights.
    pub(super) fn file(&self, fd: u64, rights: u64) -> Result<&Descriptor, Errno> {
        let descriptor = self.get(fd)?;
        if descriptor.is_directory() {
            return Err(Errno::Badf);
        }
        if !descriptor.seekable() {
            return Err(Errno::Spipe);
        }
        descriptor.require(rights)?;
        Ok(descriptor)
    }

    /// A node for what is about to be opened.
    ///
    /// # Errors
    /// EMFILE if nothing more can be.
    pub(super) fn new_node(&mut self) -> Result<Node, Errno> {
        if self.open.len() >= MOST {
            return Err(Errno::Mfile);
        }
        let node = Node(self.next_node);
        self.next_node = self.next_node.checked_add(1).ok_or(Errno::Mfile)?;
        Ok(node)
    }

    /// Gives it the lowest free number, as POSIX does.
    pub(super) fn insert(&mut self, descriptor: Descriptor) -> u32 {
        let free = (0..).zip(self.open.keys()).find(|(free, fd)| free != *fd);
        let fd = free.map_or(self.open.len() as u32, |(free, _)| free);
        self.open.insert(fd, descriptor);
        fd
    }
}

pub(super) const FUNCTIONS: &[HostFn] = &[
    sync("fd_close", |ctx, a| reply(close(ctx, a[0]))),
    sync("fd_fdstat_get", |ctx, a| {
        reply(fdstat(ctx, a[0], a[1] as u32))
    }),
    sync("fd_fdstat_set_flags", |ctx, a| {
        reply(set_flags(ctx, a[0], a[1]))
    }),
    sync("fd_fdstat_set_rights", |ctx, a| {
        reply(set_rights(ctx, a[0], a[1], a[2]))
    }),
    quiet("fd_prestat_get", |ctx, a| {
        reply(prestat(ctx, a[0], a[1] as u32))
    }),
    quiet("fd_prestat_dir_name", |ctx, a| {
        reply(prestat_name(ctx, a[0], a[1] as u32, a[2] as u32))
    }),
    sync("fd_renumber", |ctx, a| reply(renumber(ctx, a[0], a[1]))),
];

fn close(ctx: &mut Ctx<'_>, fd: u64) -> Done {
    ctx.state.descriptors.get(fd)?;
    if let Some(descriptor) = ctx.state.descriptors.open.remove(&(fd as u32)) {
        forget(ctx, &descriptor)?;
    }
    Ok(())
}

/// Tells the host, whose standard streams stay open.
fn forget(ctx: &mut Ctx<'_>, descriptor: &Descriptor) -> Done {
    if descriptor.is_stream() {
        return Ok(());
    }
    ctx.carry_out(Call::Close {
        node: descriptor.node,
    })
}

fn renumber(ctx: &mut Ctx<'_>, from: u64, to: u64) -> Done {
    let descriptors = &mut ctx.state.descriptors;
    descriptors.get(from)?;
    descriptors.get(to)?;
    if from == to {
        return Ok(());
    }
    let Some(moved) = descriptors.open.remove(&(from as u32)) else {
        return Err(Errno::Badf);
    };
    match descriptors.open.insert(to as u32, moved) {
        Some(replaced) => forget(ctx, &replaced),
        None => Ok(()),
    }
}

fn fdstat(ctx: &mut Ctx<'_>, fd: u64, out: u32) -> Done {
    let descriptor = ctx.state.descriptors.get(fd)?;
    let mut fdstat = [0u8; 24];
    fdstat[0] = descriptor.kind as u8;
    fdstat[2..4].copy_from_slice(&descriptor.flags.to_le_bytes());
    fdstat[8..16].copy_from_slice(&descriptor.base.to_le_bytes());
    fdstat[16..24].copy_from_slice(&descriptor.inheriting.to_le_bytes());
    Ok(ctx.write(out, &fdstat)?)
}

fn set_flags(ctx: &mut Ctx<'_>, fd: u64, wanted: u64) -> Done {
    (ctx.state.descriptors).with(fd, rights::FD_FDSTAT_SET_FLAGS)?;
    ctx.state.descriptors.get_mut(fd)?.flags = flags(wanted, fdflags::ALL)?;
    Ok(())
}

/// Rights are only ever given up.
fn set_rights(ctx: &mut Ctx<'_>, fd: u64, base: u64, inheriting: u64) -> Done {
    let descriptor = ctx.state.descriptors.get_mut(fd)?;
    if base & !descriptor.base != 0 || inheriting & !descriptor.inheriting != 0 {
        return Err(Errno::Notcapable);
    }
    descriptor.base = base;
    descriptor.inheriting = inheriting;
    Ok(())
}

fn preopen(ctx: &Ctx<'_>, fd: u64) -> Result<Arc<[u8]>, Errno> {
    (ctx.state.descriptors.get(fd)?.preopen.clone()).ok_or(Errno::Badf)
}

fn prestat(ctx: &mut Ctx<'_>, fd: u64, out: u32) -> Done {
    let name = preopen(ctx, fd)?;
    ctx.check(out, 8)?;
    // The tag 0, a directory, is one byte; the union begins at 4.
    ctx.write(out, &[0])?;
    Ok(ctx.write_u32(offset(out, 4)?, name.len() as u32)?)
}

fn prestat_name(ctx: &mut Ctx<'_>, fd: u64, out: u32, len: u32) -> Done {
    let name = preopen(ctx, fd)?;
    if (len as usize) < name.len() {
        return Err(Errno::Nametoolong);
    }
    Ok(ctx.write(out, &name)?)
}
