//! Names: making, moving and removing them. Which error comes first is Linux's order, behind what `cap-std` makes of a path.

use super::tree::{Body, FileTree, Id};
use super::walk::{Last, check_name};
use crate::machine::io::{Errno, FileKind};
use std::collections::BTreeMap;
use std::sync::Arc;

impl FileTree {
    /// Gives something new a name that nothing has.
    pub(super) fn create(&mut self, dir: Id, name: String, body: Body) -> Result<Id, Errno> {
        check_name(&name)?;
        // A directory that was removed takes nothing.
        if self.get(dir)?.links == 0 {
            return Err(Errno::Noent);
        }
        self.has_room()?;
        let own = match &body {
            Body::Link(target) => target.len() as u64,
            _ => 0,
        };
        self.account(0, name.len() as u64 + own)?;
        let id = self.add(body);
        self.entries_mut(dir)?.insert(name, id);
        self.modified(dir);
        self.linked(id, 1);
        Ok(id)
    }

    pub(super) fn create_file(&mut self, dir: Id, name: String) -> Result<Id, Errno> {
        self.create(dir, name, Body::File(Arc::default()))
    }

    /// Takes a name away.
    fn remove(&mut self, dir: Id, name: &str) -> Result<(), Errno> {
        let id = self.entries_mut(dir)?.remove(name).ok_or(Errno::Noent)?;
        self.account(name.len() as u64, 0)?;
        self.modified(dir);
        self.linked(id, -1);
        Ok(())
    }

    /// What has this name.
    fn named(&self, dir: Id, name: &str) -> Result<Id, Errno> {
        check_name(name)?;
        self.entries(dir)?.get(name).copied().ok_or(Errno::Noent)
    }

    /// A name that nothing has, where something is to be made.
    fn free(&self, (dir, last): (Id, Last)) -> Result<(Id, String), Errno> {
        let Last::Name(name) = last else {
            return Err(Errno::Exist);
        };
        match self.named(dir, &name) {
            Ok(_) => Err(Errno::Exist),
            Err(Errno::Noent) => Ok((dir, name)),
            Err(errno) => Err(errno),
        }
    }

    pub(super) fn create_directory_at(&mut self, dir: Id, path: &str) -> Result<(), Errno> {
        let (dir, name) = self.free(self.parent(dir, without_slash(path))?)?;
        self.create(dir, name, Body::Directory(BTreeMap::new()))
            .map(drop)
    }

    pub(super) fn remove_directory_at(&mut self, dir: Id, path: &str) -> Result<(), Errno> {
        let (dir, Last::Name(name)) = self.parent(dir, without_slash(path))? else {
            return Err(Errno::Inval);
        };
        let id = self.named(dir, &name)?;
        if !self.entries(id)?.is_empty() {
            return Err(Errno::Notempty);
        }
        self.remove(dir, &name)
    }

    pub(super) fn unlink_at(&mut self, dir: Id, path: &str) -> Result<(), Errno> {
        let (dir, Last::Name(name)) = self.parent(dir, path)? else {
            return Err(Errno::Isdir);
        };
        if self.is_directory(self.named(dir, &name)?) {
            return Err(Errno::Isdir);
        }
        self.remove(dir, &name)
    }

    pub(super) fn link_at(
        &mut self,
        dir: Id,
        path: &str,
        new_dir: Id,
        new_path: &str,
    ) -> Result<(), Errno> {
        let (old, new) = (self.parent(dir, path)?, self.parent(new_dir, new_path)?);
        let id = match old {
            (dir, Last::Name(name)) => self.named(dir, &name)?,
            (dir, Last::Dot) => dir,
        };
        let (new_dir, new_name) = self.free(new)?;
        if self.is_directory(id) {
            return Err(Errno::Perm);
        }
        if self.get(new_dir)?.links == 0 {
            return Err(Errno::Noent);
        }
        self.account(0, new_name.len() as u64)?;
        self.entries_mut(new_dir)?.insert(new_name, id);
        self.modified(new_dir);
        self.linked(id, 1);
        Ok(())
    }

    pub(super) fn rename_at(
        &mut self,
        dir: Id,
        path: &str,
        new_dir: Id,
        new_path: &str,
    ) -> Result<(), Errno> {
        let (dir, last) = self.parent(dir, without_slash(path))?;
        let (new_dir, new_last) = self.parent(new_dir, without_slash(new_path))?;
        let (Last::Name(name), Last::Name(new_name)) = (last, new_last) else {
            return Err(Errno::Busy);
        };
        let id = self.named(dir, &name)?;
        let there = match self.named(new_dir, &new_name) {
            Ok(there) => Some(there),
            Err(Errno::Noent) => None,
            Err(errno) => return Err(errno),
        };
        let is_directory = self.is_directory(id);
        if !is_directory && path.ends_with('/') {
            return Err(Errno::Notdir);
        }
        if self.is_within(new_dir, id) {
            return Err(Errno::Inval);
        }
        if there.is_some_and(|there| self.is_within(dir, there)) {
            return Err(Errno::Notempty);
        }
        match there {
            // Both names stay.
            Some(there) if there == id => return Ok(()),
            Some(there) => match (is_directory, self.get(there)?.kind()) {
                (true, FileKind::Directory) if !self.entries(there)?.is_empty() => {
                    return Err(Errno::Notempty);
                }
                (true, FileKind::Directory) => {}
                (true, _) => return Err(Errno::Notdir),
                (false, FileKind::Directory) => return Err(Errno::Isdir),
                (false, _) => {}
            },
            None if self.get(new_dir)?.links == 0 => return Err(Errno::Noent),
            None => {}
        }
        self.account(name.len() as u64, new_name.len() as u64)?;
        self.entries_mut(dir)?.remove(&name);
        if let Some(there) = self.entries_mut(new_dir)?.insert(new_name.clone(), id) {
            self.account(new_name.len() as u64, 0)?;
            self.linked(there, -1);
        }
        self.modified(dir);
        self.modified(new_dir);
        // It has as many names, and has changed.
        self.linked(id, 0);
        Ok(())
    }

    /// Whether a directory is this, or somewhere in it.
    fn is_within(&self, dir: Id, outer: Id) -> bool {
        let mut left = vec![outer];
        while let Some(id) = left.pop() {
            if id == dir {
                return true;
            }
            let within = self.entries(id).into_iter().flat_map(BTreeMap::values);
            left.extend(within.filter(|id| self.is_directory(**id)));
        }
        false
    }

    pub(super) fn symlink_at(&mut self, target: &str, dir: Id, path: &str) -> Result<(), Errno> {
        if target.starts_with('/') {
            return Err(Errno::Perm);
        }
        let parent = self.parent(dir, path)?;
        if target.is_empty() {
            return Err(Errno::Noent);
        }
        let (dir, name) = self.free(parent)?;
        self.create(dir, name, Body::Link(target.to_owned()))
            .map(drop)
    }

    pub(super) fn read_link_at(&self, dir: Id, path: &str) -> Result<String, Errno> {
        let (dir, Last::Name(name)) = self.parent(dir, path)? else {
            return Err(Errno::Inval);
        };
        match &self.get(self.named(dir, &name)?)?.body {
            Body::Link(target) => Ok(target.clone()),
            _ => Err(Errno::Inval),
        }
    }
}

/// A slash at the end of a directory's name is no more than that.
fn without_slash(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    if trimmed.is_empty() { path } else { trimmed }
}
