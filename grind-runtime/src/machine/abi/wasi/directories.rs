//! Reading directories.

use super::descriptors::rights;
use super::files::stat;
use super::{Ctx, Done, Errno, HostFn, reply, sync};
use crate::machine::io::{Answer, Call, Entry, FileKind, Node};
use std::sync::Arc;

pub(super) const FUNCTIONS: &[HostFn] = &[sync("fd_readdir", |ctx, a| {
    reply(readdir(
        ctx,
        a[0],
        (a[1] as u32, a[2] as u32),
        a[3],
        a[4] as u32,
    ))
})];

/// Fills a buffer with entries; the last is cut where the buffer ends. A cookie is the number of entries
/// before. They are those that were there when the directory was last read with cookie 0.
fn readdir(
    ctx: &mut Ctx<'_>,
    fd: u64,
    (buffer, len): (u32, u32),
    cookie: u64,
    used_out: u32,
) -> Done {
    let node = ctx.state.descriptors.directory(fd, rights::FD_READDIR)?;
    ctx.check(buffer, len)?;
    ctx.check(used_out, 4)?;
    let known = ctx.state.descriptors.get(fd)?.listing.clone();
    let listing = match known {
        Some(listing) if cookie > 0 => listing,
        _ => list(ctx, node)?,
    };
    ctx.state.descriptors.get_mut(fd)?.listing = Some(Arc::clone(&listing));
    let len = len as usize;
    let mut bytes = Vec::new();
    let skipped = usize::try_from(cookie).unwrap_or(usize::MAX);
    for (next, entry) in (1u64..).zip(listing.iter()).skip(skipped) {
        if bytes.len() >= len {
            break;
        }
        bytes.extend_from_slice(&next.to_le_bytes());
        bytes.extend_from_slice(&entry.inode.to_le_bytes());
        bytes.extend_from_slice(&(entry.name.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&(entry.kind as u32).to_le_bytes());
        bytes.extend_from_slice(&entry.name);
    }
    bytes.truncate(len);
    ctx.write(buffer, &bytes)?;
    Ok(ctx.write_u32(used_out, bytes.len() as u32)?)
}

/// Sorted, so that two hosts show the same order.
fn list(ctx: &mut Ctx<'_>, dir: Node) -> Result<Arc<[Entry]>, Errno> {
    let own = stat(ctx, dir)?.inode;
    let Answer::Listing(mut entries) = ctx.ask(Call::List { dir })? else {
        return Err(Errno::Io);
    };
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    // The parent may be outside of what the guest may see: it gets no number of its own.
    let dots = [".", ".."].map(|name| Entry {
        name: name.into(),
        inode: own,
        kind: FileKind::Directory,
    });
    Ok(dots.into_iter().chain(entries).collect())
}
