//! Where a path of a guest leads: never out of the directory that it is relative to.

use super::tree::{Body, FileTree, Id};
use crate::machine::io::Errno;
use std::collections::VecDeque;

/// Symbolic links that are followed for one path, as by Linux.
const MOST_LINKS: u32 = 40;

/// Bytes of a name, as on most file systems of Linux.
const LONGEST_NAME: usize = 255;

/// Where a path leads.
pub(super) enum End {
    Found(Id),
    /// Nothing has this name in this directory, which is there.
    Missing {
        dir: Id,
        name: String,
    },
}

/// What is done with the last name of a path.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AtLast {
    /// A symbolic link is followed.
    Follow,
    /// It is what is asked for.
    Stay,
    /// Something that is no directory is made if there is nothing.
    Create { follow: bool },
}

/// The last name of a path of which something is made or taken away.
pub(super) enum Last {
    Name(String),
    /// The directory itself.
    Dot,
}

/// What can be a name.
pub(super) fn check_name(name: &str) -> Result<(), Errno> {
    match name.len() > LONGEST_NAME {
        true => Err(Errno::Nametoolong),
        false => Ok(()),
    }
}

impl FileTree {
    /// Follows a path from a directory.
    pub(super) fn walk(&self, start: Id, path: &str, last: AtLast) -> Result<End, Errno> {
        let follow = matches!(last, AtLast::Follow | AtLast::Create { follow: true });
        if path.is_empty() {
            return Err(Errno::Noent);
        }
        let mut left = VecDeque::new();
        let mut is_directory = expand(path, &mut left)?;
        // From the directory that the path is relative to, which `..` does not leave.
        let mut within = vec![start];
        let mut links = 0;
        while let Some(name) = left.pop_front() {
            let dir = *within.last().unwrap_or(&start);
            let entries = self.entries(dir)?;
            match name.as_str() {
                "." => continue,
                ".." => {
                    if within.len() == 1 {
                        return Err(Errno::Perm);
                    }
                    within.pop();
                    continue;
                }
                name => check_name(name)?,
            }
            let is_last = left.is_empty();
            if is_last && is_directory && matches!(last, AtLast::Create { .. }) {
                return Err(Errno::Isdir);
            }
            let Some(&id) = entries.get(&name) else {
                return match is_last {
                    true => Ok(End::Missing { dir, name }),
                    false => Err(Errno::Noent),
                };
            };
            match &self.get(id)?.body {
                Body::Directory(_) => within.push(id),
                Body::Link(_) if is_last && !follow && !is_directory => return Ok(End::Found(id)),
                Body::Link(target) => {
                    links += 1;
                    if links > MOST_LINKS {
                        return Err(Errno::Loop);
                    }
                    let ends_as_one = expand(target, &mut left)?;
                    is_directory |= is_last && ends_as_one;
                }
                Body::File(_) if is_last && !is_directory => return Ok(End::Found(id)),
                Body::File(_) => return Err(Errno::Notdir),
            }
        }
        Ok(End::Found(*within.last().unwrap_or(&start)))
    }

    /// What a path leads to; `follow` says whether the last name is followed if it is a symbolic link.
    pub(super) fn find(&self, start: Id, path: &str, follow: bool) -> Result<Id, Errno> {
        let last = if follow { AtLast::Follow } else { AtLast::Stay };
        match self.walk(start, path, last)? {
            End::Found(id) => Ok(id),
            End::Missing { .. } => Err(Errno::Noent),
        }
    }

    /// The directory in which something is made or taken away, and the name there.
    pub(super) fn parent(&self, start: Id, path: &str) -> Result<(Id, Last), Errno> {
        let whole = (path, Last::Dot);
        let (dir, last) = if path.ends_with('/') || path.ends_with("/.") {
            whole
        } else {
            let (dir, name) = path.rsplit_once('/').map_or(("", path), |(dir, name)| {
                // All that is before the name is a slash.
                (if dir.is_empty() { "/" } else { dir }, name)
            });
            match name {
                "" => return Err(Errno::Noent),
                "." => (dir, Last::Dot),
                ".." => whole,
                name => (dir, Last::Name(name.to_owned())),
            }
        };
        let dir = match dir {
            "" => start,
            dir => self.find(start, dir, true)?,
        };
        match self.is_directory(dir) {
            true => Ok((dir, last)),
            false => Err(Errno::Notdir),
        }
    }
}

/// Puts the names of a path before those that are left. Returns whether it can be a directory's only.
fn expand(path: &str, left: &mut VecDeque<String>) -> Result<bool, Errno> {
    if path.starts_with('/') {
        return Err(Errno::Perm);
    }
    let names = path.split('/').filter(|name| !name.is_empty());
    for name in names.rev() {
        left.push_front(name.to_owned());
    }
    Ok(path.ends_with('/'))
}
