//! Files for guests in memory, where there is no disk or a guest shall not reach it: in a page, in a test.
//!
//! What a guest asks for is answered as [`Files`](super::Files) answers it on Linux, error numbers included, which a test compares call by call.
//! Two things differ. There is no clock: the time of a change is how many changes there were before, in nanoseconds since 1970, and reading
//! changes none. And the [limits](TreeLimits) are those of the tree.

mod names;
mod tree;
mod walk;

pub use tree::{FileTree, TreeError, TreeLimits};

use crate::machine::io::{
    Answer, Call, Entry, Errno, FileKind, HostIo, Node, Open, Position, Times,
};
use std::collections::BTreeMap;
use tree::{Body, Id};
use walk::{AtLast, End};

/// Streams of the caller's, and files in memory.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use grind_runtime::{BufferIo, FileTree, MemoryFiles, Program, RunOptions, run};
///
/// let mut tree = FileTree::default();
/// tree.insert("/data/in.txt", "text")?;
/// let files = MemoryFiles::new(BufferIo::default(), tree, [("/work", "/data".to_owned())])?;
/// let program = Program::new(&wat::parse_str(r#"(module (func (export "_start")))"#)?)?;
/// let mut options = RunOptions::seeded(1);
/// options.spec.preopens = vec![b"/work".to_vec()];
/// let outcome = run(&program, options, files)?;
/// assert_eq!(outcome.io.tree().files(), [("/data/in.txt".to_owned(), &b"text"[..])]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct MemoryFiles<S> {
    streams: S,
    tree: FileTree,
    preopens: Vec<Vec<u8>>,
    open: BTreeMap<Node, Opened>,
}

/// What is open.
#[derive(Clone, Copy, Debug)]
struct Opened {
    id: Id,
    read: bool,
    write: bool,
    /// Where it goes on, if nothing else is said.
    position: u64,
}

impl<S> MemoryFiles<S> {
    /// Standard streams go to `streams`, all else to `tree`, whose directories the guest sees: each as its name, and its path in the tree.
    ///
    /// # Errors
    /// [`TreeError::NoDirectory`].
    pub fn new<N: Into<Vec<u8>>>(
        streams: S,
        tree: FileTree,
        preopens: impl IntoIterator<Item = (N, String)>,
    ) -> Result<MemoryFiles<S>, TreeError> {
        let mut files = MemoryFiles {
            streams,
            tree,
            preopens: Vec::new(),
            open: BTreeMap::new(),
        };
        for (index, (name, path)) in (0..).zip(preopens) {
            let Some(id) = files.tree.directory(&path) else {
                return Err(TreeError::NoDirectory(path));
            };
            files.preopens.push(name.into());
            files.keep(Node::preopen(index), id, true, false);
        }
        Ok(files)
    }

    /// The streams that were given.
    #[must_use]
    pub fn streams(&self) -> &S {
        &self.streams
    }

    /// The files as they are now.
    #[must_use]
    pub fn tree(&self) -> &FileTree {
        &self.tree
    }

    fn keep(&mut self, node: Node, id: Id, read: bool, write: bool) {
        self.tree.opened(id);
        let opened = Opened {
            id,
            read,
            write,
            position: 0,
        };
        if let Some(before) = self.open.insert(node, opened) {
            self.tree.closed(before.id);
        }
    }

    fn opened(&self, node: Node) -> Result<Opened, Errno> {
        self.open.get(&node).copied().ok_or(Errno::Badf)
    }

    fn dir(&self, node: Node) -> Result<Id, Errno> {
        let Opened { id, .. } = self.opened(node)?;
        match self.tree.get(id)?.body {
            Body::Directory { .. } => Ok(id),
            _ => Err(Errno::Notdir),
        }
    }

    fn file(&self, node: Node) -> Result<Opened, Errno> {
        let opened = self.opened(node)?;
        match self.tree.get(opened.id)?.body {
            Body::Directory { .. } => Err(Errno::Isdir),
            _ => Ok(opened),
        }
    }

    fn open(
        &mut self,
        dir: Node,
        path: &str,
        follow: bool,
        how: Open,
        node: Node,
    ) -> Result<Answer, Errno> {
        let dir = self.dir(dir)?;
        let id = match how.directory {
            true => match self.tree.find(dir, path, follow)? {
                id if self.tree.is_directory(id) => id,
                _ => return Err(Errno::Notdir),
            },
            false => self.find_or_create(dir, path, follow, how)?,
        };
        self.keep(node, id, how.read || how.directory, how.write);
        Ok(Answer::Opened(self.tree.get(id)?.kind()))
    }

    fn find_or_create(
        &mut self,
        dir: Id,
        path: &str,
        follow: bool,
        how: Open,
    ) -> Result<Id, Errno> {
        let only_reads = how.read && !how.create && !how.truncate;
        if !how.write && !only_reads {
            return Err(Errno::Inval);
        }
        let exclusive = how.create && how.exclusive;
        let last = match (how.create, follow && !exclusive) {
            (false, true) => AtLast::Follow,
            (false, false) => AtLast::Stay,
            (true, follow) => AtLast::Create { follow },
        };
        let id = match self.tree.walk(dir, path, last)? {
            End::Missing { dir, name } if how.create => return self.tree.create_file(dir, name),
            End::Missing { .. } => return Err(Errno::Noent),
            End::Found(_) if exclusive => return Err(Errno::Exist),
            End::Found(id) => id,
        };
        match self.tree.get(id)?.kind() {
            FileKind::SymbolicLink => return Err(Errno::Loop),
            FileKind::Directory if how.write => return Err(Errno::Isdir),
            FileKind::Directory => {}
            _ if how.truncate => self.tree.set_size(id, 0)?,
            _ => {}
        }
        Ok(id)
    }

    fn read(&mut self, node: Node, position: Position, len: u32) -> Result<Answer, Errno> {
        let opened = self.file(node)?;
        if !opened.read {
            return Err(Errno::Badf);
        }
        let contents = self.tree.contents(opened.id)?;
        let at = match position {
            Position::At(at) => at,
            Position::Stream | Position::End => opened.position,
        };
        let begin = usize::try_from(at).map_or(contents.len(), |at| at.min(contents.len()));
        let rest = &contents[begin..];
        let bytes = rest[..rest.len().min(len as usize)].to_vec();
        self.go_to(node, at.saturating_add(bytes.len() as u64));
        Ok(Answer::Bytes(bytes))
    }

    fn write(&mut self, node: Node, position: Position, bytes: &[u8]) -> Result<Answer, Errno> {
        let opened = self.file(node)?;
        if !opened.write {
            return Err(Errno::Badf);
        }
        let at = match position {
            Position::At(at) => at,
            Position::Stream => opened.position,
            Position::End => self.tree.contents(opened.id)?.len() as u64,
        };
        let end = self.tree.write(opened.id, at, bytes)?;
        self.go_to(node, end);
        if position != Position::End {
            return Ok(Answer::Done);
        }
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Overflow)?;
        Ok(Answer::Written { len, end })
    }

    fn go_to(&mut self, node: Node, position: u64) {
        if let Some(opened) = self.open.get_mut(&node) {
            opened.position = position;
        }
    }

    fn set_size(&mut self, node: Node, size: u64) -> Result<(), Errno> {
        let opened = self.file(node)?;
        if !opened.write {
            return Err(Errno::Inval);
        }
        self.tree.set_size(opened.id, size)
    }

    fn list(&self, dir: Node) -> Result<Answer, Errno> {
        let entries = self.tree.entries(self.dir(dir)?)?;
        let entry = |(name, &id): (&String, &Id)| {
            Some(Entry {
                name: name.clone().into_bytes(),
                inode: id.0,
                kind: self.tree.get(id).ok()?.kind(),
            })
        };
        Ok(Answer::Listing(entries.iter().filter_map(entry).collect()))
    }

    fn set_times(&mut self, id: Id, times: Times) -> Result<(), Errno> {
        self.tree.set_times(id, times)
    }
}

impl<S: HostIo> HostIo for MemoryFiles<S> {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        match *call {
            Call::Read { node, .. } | Call::Write { node, .. } | Call::Poll { node, .. }
                if node <= Node::STDERR =>
            {
                return self.streams.call(call);
            }
            // Nothing that has a name here keeps a reader waiting.
            Call::Poll { .. } => {}
            Call::Read {
                node,
                position,
                len,
            } => return self.read(node, position, len),
            Call::Write {
                node,
                position,
                bytes,
            } => return self.write(node, position, bytes),
            Call::Open {
                dir,
                path,
                follow,
                open,
                node,
            } => return self.open(dir, path, follow, open, node),
            Call::Close { node } => {
                if let Some(opened) = self.open.remove(&node) {
                    self.tree.closed(opened.id);
                }
            }
            // There is nothing behind memory.
            Call::Sync { node, .. } => drop(self.opened(node)?),
            Call::Allocate { node, size } => {
                let opened = self.file(node)?;
                if (self.tree.contents(opened.id)?.len() as u64) < size {
                    self.set_size(node, size)?;
                }
            }
            Call::SetSize { node, size } => self.set_size(node, size)?,
            Call::SetTimes { node, times } => {
                let Opened { id, .. } = self.opened(node)?;
                self.set_times(id, times)?;
            }
            Call::SetTimesAt {
                dir,
                path,
                follow,
                times,
            } => {
                let id = self.tree.find(self.dir(dir)?, path, follow)?;
                self.set_times(id, times)?;
            }
            Call::Stat { node } => return self.tree.stat(self.opened(node)?.id).map(Answer::Stat),
            Call::StatAt { dir, path, follow } => {
                let id = self.tree.find(self.dir(dir)?, path, follow)?;
                return self.tree.stat(id).map(Answer::Stat);
            }
            Call::List { dir } => return self.list(dir),
            Call::CreateDirectory { dir, path } => {
                self.tree.create_directory_at(self.dir(dir)?, path)?;
            }
            Call::RemoveDirectory { dir, path } => {
                self.tree.remove_directory_at(self.dir(dir)?, path)?;
            }
            Call::Unlink { dir, path } => self.tree.unlink_at(self.dir(dir)?, path)?,
            Call::Link {
                dir,
                path,
                new_dir,
                new_path,
            } => {
                let (dir, new_dir) = (self.dir(dir)?, self.dir(new_dir)?);
                self.tree.link_at(dir, path, new_dir, new_path)?;
            }
            Call::Rename {
                dir,
                path,
                new_dir,
                new_path,
            } => {
                let (dir, new_dir) = (self.dir(dir)?, self.dir(new_dir)?);
                self.tree.rename_at(dir, path, new_dir, new_path)?;
            }
            Call::Symlink { target, dir, path } => {
                self.tree.symlink_at(target, self.dir(dir)?, path)?;
            }
            Call::ReadLink { dir, path } => {
                let target = self.tree.read_link_at(self.dir(dir)?, path)?;
                return Ok(Answer::Bytes(target.into_bytes()));
            }
        }
        Ok(Answer::Done)
    }

    fn preopens(&self) -> Vec<Vec<u8>> {
        self.preopens.clone()
    }
}
