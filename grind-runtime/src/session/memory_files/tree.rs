//! Directories and files in memory, by number, and what they take.

use crate::machine::io::{Errno, FileKind, Stat, Times};
use derive_setters::Setters;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A file, directory or symbolic link, as hard links have it in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(pub(super) u64);

/// The directory that all others are in.
pub(super) const ROOT: Id = Id(1);

/// Bounds of a tree. At each a guest gets ENOSPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Setters)]
#[non_exhaustive]
pub struct TreeLimits {
    /// Bytes of files, names and symbolic links. What a file may grow by without moving comes on top, as much again at most.
    pub bytes: u64,
    /// Files, directories and symbolic links.
    pub entries: u64,
}

impl Default for TreeLimits {
    fn default() -> TreeLimits {
        TreeLimits {
            bytes: 256 << 20,
            entries: 1 << 16,
        }
    }
}

/// Why there is no such tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A path that no file can have.
    #[error(
        "`{0}` is no path of a file: `..` leads out of the files, and no name is empty, has a NUL in it or more than 255 bytes"
    )]
    Path(String),
    /// Two paths, of which one is a file and the other in it.
    #[error("`{0}`: a file is where a directory has to be, or the other way round")]
    FileAndDirectory(String),
    /// It exceeds a limit.
    #[error("`{0}`: there is no room for it: files take at most {bytes} bytes together, and there are at most {entries}", bytes = .1.bytes, entries = .1.entries)]
    Full(String, TreeLimits),
    /// A directory that guests are to see is not there.
    #[error("there is no directory `{0}` in the files")]
    NoDirectory(String),
}

/// Directories and files in memory. A clone shares the contents of files until either writes to them.
#[derive(Clone, Debug)]
pub struct FileTree {
    inodes: BTreeMap<Id, Inode>,
    /// The number of the last.
    last: u64,
    limits: TreeLimits,
    /// What counts against them.
    bytes: u64,
    /// How many changes there were.
    pub(super) changes: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub(super) body: Body,
    /// Names that it has.
    pub(super) links: u64,
    /// Nodes that it is open as: what has no name any more stays as long.
    open: u32,
    accessed: u64,
    modified: u64,
    changed: u64,
}

#[derive(Clone, Debug)]
pub(super) enum Body {
    File(Arc<Vec<u8>>),
    Directory(BTreeMap<String, Id>),
    Link(String),
}

impl Inode {
    pub(super) fn kind(&self) -> FileKind {
        match self.body {
            Body::File(_) => FileKind::Regular,
            Body::Directory(_) => FileKind::Directory,
            Body::Link(_) => FileKind::SymbolicLink,
        }
    }

    fn size(&self) -> u64 {
        match &self.body {
            Body::File(bytes) => bytes.len() as u64,
            Body::Link(target) => target.len() as u64,
            Body::Directory(_) => 0,
        }
    }
}

impl Default for FileTree {
    fn default() -> FileTree {
        FileTree::new(TreeLimits::default())
    }
}

impl FileTree {
    /// A tree with a directory that is empty.
    #[must_use]
    pub fn new(limits: TreeLimits) -> FileTree {
        let mut tree = FileTree {
            inodes: BTreeMap::new(),
            last: 0,
            limits,
            bytes: 0,
            changes: 0,
        };
        let root = tree.add(Body::Directory(BTreeMap::new()));
        debug_assert_eq!(root, ROOT);
        if let Some(root) = tree.inodes.get_mut(&root) {
            root.links = 1;
        }
        tree
    }

    /// Puts a file in the tree, in place of one that is there, with the directories that it is in. Slashes at the beginning of the path make no
    /// difference; with one at its end it is a directory, for which `contents` are nothing.
    ///
    /// # Errors
    /// [`TreeError`].
    pub fn insert(&mut self, path: &str, contents: impl Into<Vec<u8>>) -> Result<(), TreeError> {
        let mut names = components(path)?;
        let file = match path.ends_with('/') {
            true => None,
            false => Some(
                names
                    .pop()
                    .ok_or_else(|| TreeError::Path(path.to_owned()))?,
            ),
        };
        let put = self.put(&names, file, &contents.into());
        put.map_err(|errno| match errno {
            Errno::Nospc => TreeError::Full(path.to_owned(), self.limits),
            Errno::Nametoolong => TreeError::Path(path.to_owned()),
            _ => TreeError::FileAndDirectory(path.to_owned()),
        })
    }

    fn put(
        &mut self,
        directories: &[&str],
        file: Option<&str>,
        contents: &[u8],
    ) -> Result<(), Errno> {
        let mut dir = ROOT;
        for &name in directories {
            dir = match self.entries(dir)?.get(name) {
                Some(&there) => there,
                None => self.create(dir, name.to_owned(), Body::Directory(BTreeMap::new()))?,
            };
        }
        let entries = self.entries(dir)?;
        let Some(name) = file else {
            return Ok(());
        };
        let id = match entries.get(name) {
            Some(&there) => there,
            None => self.create_file(dir, name.to_owned())?,
        };
        self.set_size(id, 0)?;
        self.write(id, 0, contents).map(drop)
    }

    /// The files, by their paths in order, with their contents. One with several names is there several times; symbolic links are not.
    #[must_use]
    pub fn files(&self) -> Vec<(String, &[u8])> {
        let mut found = Vec::new();
        let mut left = vec![(String::new(), ROOT)];
        while let Some((path, id)) = left.pop() {
            match self.inodes.get(&id).map(|inode| &inode.body) {
                Some(Body::File(bytes)) => found.push((path, bytes.as_slice())),
                Some(Body::Directory(entries)) => {
                    let within = |(name, &id): (&String, &Id)| (format!("{path}/{name}"), id);
                    left.extend(entries.iter().map(within));
                }
                _ => {}
            }
        }
        found.sort_unstable();
        found
    }

    /// Whether nothing was put in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inodes.len() == 1
    }

    /// The directory with this path, of which slashes at the beginning make no difference.
    pub(super) fn directory(&self, path: &str) -> Option<Id> {
        let mut dir = ROOT;
        for name in components(path).ok()? {
            dir = *self.entries(dir).ok()?.get(name)?;
        }
        self.is_directory(dir).then_some(dir)
    }

    // ---- what is there -------------------------------------------------------------------------

    pub(super) fn get(&self, id: Id) -> Result<&Inode, Errno> {
        self.inodes.get(&id).ok_or(Errno::Stale)
    }

    fn get_mut(&mut self, id: Id) -> Result<&mut Inode, Errno> {
        self.inodes.get_mut(&id).ok_or(Errno::Stale)
    }

    pub(super) fn is_directory(&self, id: Id) -> bool {
        self.get(id)
            .is_ok_and(|inode| inode.kind() == FileKind::Directory)
    }

    pub(super) fn entries(&self, dir: Id) -> Result<&BTreeMap<String, Id>, Errno> {
        match &self.get(dir)?.body {
            Body::Directory(entries) => Ok(entries),
            _ => Err(Errno::Notdir),
        }
    }

    pub(super) fn entries_mut(&mut self, dir: Id) -> Result<&mut BTreeMap<String, Id>, Errno> {
        match &mut self.get_mut(dir)?.body {
            Body::Directory(entries) => Ok(entries),
            _ => Err(Errno::Notdir),
        }
    }

    pub(super) fn contents(&self, file: Id) -> Result<&[u8], Errno> {
        match &self.get(file)?.body {
            Body::File(bytes) => Ok(bytes),
            _ => Err(Errno::Isdir),
        }
    }

    pub(super) fn stat(&self, id: Id) -> Result<Stat, Errno> {
        let inode = self.get(id)?;
        Ok(Stat {
            device: 1,
            inode: id.0,
            kind: inode.kind(),
            links: inode.links,
            size: inode.size(),
            accessed: inode.accessed,
            modified: inode.modified,
            changed: inode.changed,
        })
    }

    // ---- what it takes -------------------------------------------------------------------------

    /// Counts bytes that are there in place of others.
    pub(super) fn account(&mut self, before: u64, now: u64) -> Result<(), Errno> {
        let bytes = (self.bytes - before).checked_add(now).ok_or(Errno::Nospc)?;
        if now > before && bytes > self.limits.bytes {
            return Err(Errno::Nospc);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Whether there is room for another file, directory or link.
    pub(super) fn has_room(&self) -> Result<(), Errno> {
        match (self.inodes.len() as u64) < self.limits.entries {
            true => Ok(()),
            false => Err(Errno::Nospc),
        }
    }

    /// Adds what has no name yet.
    pub(super) fn add(&mut self, body: Body) -> Id {
        self.last += 1;
        self.changes += 1;
        let inode = Inode {
            body,
            links: 0,
            open: 0,
            accessed: self.changes,
            modified: self.changes,
            changed: self.changes,
        };
        self.inodes.insert(Id(self.last), inode);
        Id(self.last)
    }

    /// A name of it is there, or gone.
    pub(super) fn linked(&mut self, id: Id, by: i64) {
        let changes = self.changes;
        if let Ok(inode) = self.get_mut(id) {
            inode.links = inode.links.saturating_add_signed(by);
            inode.changed = changes;
        }
        self.forget_unused(id);
    }

    pub(super) fn opened(&mut self, id: Id) {
        if let Ok(inode) = self.get_mut(id) {
            inode.open += 1;
        }
    }

    pub(super) fn closed(&mut self, id: Id) {
        if let Ok(inode) = self.get_mut(id) {
            inode.open -= 1;
        }
        self.forget_unused(id);
    }

    fn forget_unused(&mut self, id: Id) {
        let unused = |inode: &Inode| inode.links == 0 && inode.open == 0;
        if self.get(id).is_ok_and(unused)
            && let Some(inode) = self.inodes.remove(&id)
        {
            self.bytes -= inode.size();
        }
    }

    // ---- changes -------------------------------------------------------------------------------

    /// Something in it is another now.
    pub(super) fn modified(&mut self, id: Id) {
        self.changes += 1;
        let changes = self.changes;
        if let Ok(inode) = self.get_mut(id) {
            inode.modified = changes;
            inode.changed = changes;
        }
    }

    pub(super) fn set_times(&mut self, id: Id, times: Times) -> Result<(), Errno> {
        self.changes += 1;
        let changes = self.changes;
        let inode = self.get_mut(id)?;
        inode.accessed = times.accessed.unwrap_or(inode.accessed);
        inode.modified = times.modified.unwrap_or(inode.modified);
        inode.changed = changes;
        Ok(())
    }

    /// Makes a file so long; new bytes are zero.
    pub(super) fn set_size(&mut self, file: Id, size: u64) -> Result<(), Errno> {
        let before = self.contents(file)?.len() as u64;
        self.account(before, size)?;
        let resized = self.bytes_mut(file).and_then(|bytes| {
            let size = usize::try_from(size).map_err(|_| Errno::Nospc)?;
            let more = size.saturating_sub(bytes.len());
            bytes.try_reserve(more).map_err(|_| Errno::Nospc)?;
            bytes.resize(size, 0);
            Ok(())
        });
        if resized.is_err() {
            self.account(size, before)?;
        } else {
            self.modified(file);
        }
        resized
    }

    /// Writes bytes at a position, before which new ones are zero. Returns the position behind the last of them.
    pub(super) fn write(&mut self, file: Id, at: u64, bytes: &[u8]) -> Result<u64, Errno> {
        let end = at.checked_add(bytes.len() as u64).ok_or(Errno::Fbig)?;
        if bytes.is_empty() {
            return Ok(end);
        }
        if end > self.contents(file)?.len() as u64 {
            self.set_size(file, end)?;
        } else {
            self.modified(file);
        }
        // It is as long now, so that both fit.
        let (begin, end_there) = (at as usize, end as usize);
        self.bytes_mut(file)?[begin..end_there].copy_from_slice(bytes);
        Ok(end)
    }

    fn bytes_mut(&mut self, file: Id) -> Result<&mut Vec<u8>, Errno> {
        match &mut self.get_mut(file)?.body {
            Body::File(bytes) => Ok(Arc::make_mut(bytes)),
            _ => Err(Errno::Isdir),
        }
    }
}

/// What a path of the embedder consists of.
fn components(path: &str) -> Result<Vec<&str>, TreeError> {
    let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
    let names: Vec<&str> = names.collect();
    match names.contains(&"..") || path.is_empty() || path.contains('\0') {
        true => Err(TreeError::Path(path.to_owned())),
        false => Ok(names),
    }
}
