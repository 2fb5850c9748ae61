//! Files for guests, through `cap-std`: no path, `..` or symbolic link leads out of the directory that was
//! given. The only file of the runtime that touches the disk during a run.

use crate::machine::io::{
    self as machine_io, Answer, Call, Entry, Errno, FileKind, HostIo, Node, Open, Position, Stat,
    Times,
};
use cap_fs_ext::{
    DirExt, FileTypeExt, FollowSymlinks, MetadataExt, OpenOptionsFollowExt, OpenOptionsMaybeDirExt,
    OpenOptionsSyncExt, SystemTimeSpec,
};
use cap_std::fs::{Dir, File, Metadata, OpenOptions};
use cap_std::time::SystemTime;
use std::collections::BTreeMap;
use std::fs::FileTimes;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// Entries of a directory that is read, at most. Beyond, the guest gets ENOMEM.
const MOST_ENTRIES: usize = 1 << 20;

/// A directory of the host that a guest may use, with all that is in it.
#[derive(Clone, Debug)]
pub struct Preopen {
    guest: String,
    dir: Arc<Dir>,
}

impl Preopen {
    /// Opens the directory `host`, which the guest sees as `guest`.
    ///
    /// # Errors
    /// Those of the host: it does not exist, is no directory, or may not be read.
    pub fn open(host: impl AsRef<Path>, guest: impl Into<String>) -> io::Result<Preopen> {
        Ok(Preopen {
            guest: guest.into(),
            dir: Arc::new(Dir::open_ambient_dir(host, cap_std::ambient_authority())?),
        })
    }

    /// What the guest calls it.
    #[must_use]
    pub fn guest(&self) -> &str {
        &self.guest
    }
}

enum Opened {
    Directory(Arc<Dir>),
    File(File),
}

/// Streams of the caller's, and files of the host's.
pub struct Files {
    streams: Box<dyn HostIo>,
    open: BTreeMap<Node, Opened>,
}

impl Files {
    /// Standard streams go to `streams`, all else to `preopens`.
    #[must_use]
    pub fn new(streams: Box<dyn HostIo>, preopens: &[Preopen]) -> Files {
        let opened = |(index, preopen): (u32, &Preopen)| {
            let dir = Opened::Directory(Arc::clone(&preopen.dir));
            (Node::preopen(index), dir)
        };
        Files {
            streams,
            open: (0..).zip(preopens).map(opened).collect(),
        }
    }

    /// The streams that were given.
    #[must_use]
    pub fn into_streams(self) -> Box<dyn HostIo> {
        self.streams
    }

    fn dir(&self, node: Node) -> Result<&Dir, Errno> {
        match self.open.get(&node) {
            Some(Opened::Directory(dir)) => Ok(dir),
            Some(Opened::File(_)) => Err(Errno::Notdir),
            None => Err(Errno::Badf),
        }
    }

    fn file(&mut self, node: Node) -> Result<&mut File, Errno> {
        match self.open.get_mut(&node) {
            Some(Opened::File(file)) => Ok(file),
            Some(Opened::Directory(_)) => Err(Errno::Isdir),
            None => Err(Errno::Badf),
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
        let (opened, kind) = if how.directory {
            let dir = if follow {
                dir.open_dir(path)?
            } else {
                dir.open_dir_nofollow(path)?
            };
            (Opened::Directory(Arc::new(dir)), FileKind::Directory)
        } else {
            let mut options = OpenOptions::new();
            options
                .read(how.read)
                .write(how.write)
                .truncate(how.truncate)
                .create(how.create)
                .create_new(how.create && how.exclusive)
                .follow(following(follow))
                .maybe_dir(true)
                // A pipe without a partner must not hold the run up for ever.
                .nonblock(true);
            let file = dir.open_with(path, &options)?;
            match kind(&file.metadata()?) {
                FileKind::Directory => {
                    let dir = Dir::from_std_file(file.into_std());
                    (Opened::Directory(Arc::new(dir)), FileKind::Directory)
                }
                kind => (Opened::File(file), kind),
            }
        };
        self.open.insert(node, opened);
        Ok(Answer::Opened(kind))
    }

    fn write(&mut self, node: Node, position: Position, bytes: &[u8]) -> Result<Answer, Errno> {
        let file = self.file(node)?;
        match position {
            Position::Stream => {}
            Position::At(at) => drop(file.seek(SeekFrom::Start(at))?),
            Position::End => drop(file.seek(SeekFrom::End(0))?),
        }
        let written = file.write(bytes)?;
        if written == bytes.len() && position != Position::End {
            return Ok(Answer::Done);
        }
        let end = match position {
            Position::Stream => 0,
            Position::At(_) | Position::End => file.stream_position()?,
        };
        let len = u32::try_from(written).map_err(|_| Errno::Overflow)?;
        Ok(Answer::Written { len, end })
    }

    fn stat(&self, node: Node) -> Result<Answer, Errno> {
        let metadata = match self.open.get(&node) {
            Some(Opened::File(file)) => file.metadata()?,
            Some(Opened::Directory(dir)) => dir.dir_metadata()?,
            None => return Err(Errno::Badf),
        };
        Ok(Answer::Stat(stat_of(&metadata)))
    }

    fn sync(&self, node: Node, metadata: bool) -> Result<(), Errno> {
        match self.open.get(&node) {
            Some(Opened::File(file)) if metadata => file.sync_all()?,
            Some(Opened::File(file)) => file.sync_data()?,
            Some(Opened::Directory(dir)) => reopened(dir)?.sync_all()?,
            None => return Err(Errno::Badf),
        }
        Ok(())
    }

    fn set_times(&self, node: Node, times: Times) -> Result<(), Errno> {
        let file = match self.open.get(&node) {
            Some(Opened::File(file)) => file.try_clone()?.into_std(),
            Some(Opened::Directory(dir)) => reopened(dir)?,
            None => return Err(Errno::Badf),
        };
        let mut wanted = FileTimes::new();
        let time = |nanoseconds| UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        if let Some(accessed) = times.accessed {
            wanted = wanted.set_accessed(time(accessed));
        }
        if let Some(modified) = times.modified {
            wanted = wanted.set_modified(time(modified));
        }
        Ok(file.set_times(wanted)?)
    }

    fn set_times_at(&self, dir: Node, path: &str, follow: bool, times: Times) -> Result<(), Errno> {
        let dir = self.dir(dir)?;
        let time = |nanoseconds| {
            let time = UNIX_EPOCH + Duration::from_nanos(nanoseconds);
            SystemTimeSpec::Absolute(SystemTime::from_std(time))
        };
        let (accessed, modified) = (times.accessed.map(time), times.modified.map(time));
        if follow {
            DirExt::set_times(dir, path, accessed, modified)?;
        } else {
            DirExt::set_symlink_times(dir, path, accessed, modified)?;
        }
        Ok(())
    }

    fn list(&self, dir: Node) -> Result<Answer, Errno> {
        let mut entries = Vec::new();
        for entry in self.dir(dir)?.entries()? {
            let entry = entry?;
            // What was removed meanwhile is not there.
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if entries.len() == MOST_ENTRIES {
                return Err(Errno::Nomem);
            }
            entries.push(Entry {
                name: entry.file_name().as_encoded_bytes().to_vec(),
                inode: metadata.ino(),
                kind: kind(&metadata),
            });
        }
        Ok(Answer::Listing(entries))
    }
}

impl HostIo for Files {
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
            } => {
                let file = self.file(node)?;
                if let Position::At(at) = position {
                    file.seek(SeekFrom::Start(at))?;
                }
                return machine_io::read(file, len).map(Answer::Bytes);
            }
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
            Call::Close { node } => drop(self.open.remove(&node)),
            Call::Sync { node, metadata } => self.sync(node, metadata)?,
            Call::Allocate { node, size } => {
                let file = self.file(node)?;
                if file.metadata()?.len() < size {
                    file.set_len(size)?;
                }
            }
            Call::SetSize { node, size } => self.file(node)?.set_len(size)?,
            Call::SetTimes { node, times } => self.set_times(node, times)?,
            Call::SetTimesAt {
                dir,
                path,
                follow,
                times,
            } => self.set_times_at(dir, path, follow, times)?,
            Call::Stat { node } => return self.stat(node),
            Call::StatAt { dir, path, follow } => {
                let dir = self.dir(dir)?;
                // What is behind the slash is asked for. cap-std leaves it out where there is one name before it.
                let metadata = if follow || path.ends_with('/') || path.ends_with("/.") {
                    dir.metadata(path)?
                } else {
                    dir.symlink_metadata(path)?
                };
                return Ok(Answer::Stat(stat_of(&metadata)));
            }
            Call::List { dir } => return self.list(dir),
            Call::CreateDirectory { dir, path } => self.dir(dir)?.create_dir(path)?,
            Call::RemoveDirectory { dir, path } => {
                // A slash at the end is cap-std's EINVAL, and POSIX's nothing.
                let trimmed = path.trim_end_matches('/');
                let path = if trimmed.is_empty() { path } else { trimmed };
                self.dir(dir)?.remove_dir(path)?;
            }
            Call::Unlink { dir, path } => self.dir(dir)?.remove_file_or_symlink(path)?,
            Call::Link {
                dir,
                path,
                new_dir,
                new_path,
            } => (self.dir(dir)?).hard_link(path, self.dir(new_dir)?, new_path)?,
            Call::Rename {
                dir,
                path,
                new_dir,
                new_path,
            } => (self.dir(dir)?).rename(path, self.dir(new_dir)?, new_path)?,
            Call::Symlink { target, dir, path } => {
                DirExt::symlink(self.dir(dir)?, target, path)?;
            }
            Call::ReadLink { dir, path } => {
                let target = self.dir(dir)?.read_link(path)?;
                return Ok(Answer::Bytes(target.into_os_string().into_encoded_bytes()));
            }
        }
        Ok(Answer::Done)
    }
}

/// The same directory as one that its host lets be synchronised and stamped: `open_dir` opens it for lookups only.
fn reopened(dir: &Dir) -> io::Result<std::fs::File> {
    let options = OpenOptions::new().read(true).maybe_dir(true).clone();
    Ok(dir.open_with(".", &options)?.into_std())
}

fn following(follow: bool) -> FollowSymlinks {
    if follow {
        FollowSymlinks::Yes
    } else {
        FollowSymlinks::No
    }
}

fn kind(metadata: &Metadata) -> FileKind {
    let ty = metadata.file_type();
    let known = [
        (ty.is_file(), FileKind::Regular),
        (ty.is_dir(), FileKind::Directory),
        (ty.is_symlink(), FileKind::SymbolicLink),
        (ty.is_char_device(), FileKind::CharacterDevice),
        (ty.is_block_device(), FileKind::BlockDevice),
        (ty.is_socket(), FileKind::StreamSocket),
    ];
    let kind = known.into_iter().find(|(is, _)| *is);
    kind.map_or(FileKind::Unknown, |(_, kind)| kind)
}

fn stat_of(metadata: &Metadata) -> Stat {
    // A host may not know a time, and a file may be older than 1970.
    let nanoseconds = |time: io::Result<SystemTime>| {
        let since = time.ok().map(SystemTime::into_std);
        let since = since.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        since.map_or(0, |since| {
            u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
        })
    };
    let modified = nanoseconds(metadata.modified());
    #[cfg(unix)]
    let changed = {
        use cap_fs_ext::OsMetadataExt;
        let seconds = u64::try_from(metadata.ctime()).unwrap_or(0);
        let rest = u64::try_from(metadata.ctime_nsec()).unwrap_or(0);
        seconds.saturating_mul(1_000_000_000).saturating_add(rest)
    };
    #[cfg(not(unix))]
    let changed = modified;
    Stat {
        device: metadata.dev(),
        inode: metadata.ino(),
        kind: kind(metadata),
        links: metadata.nlink(),
        size: metadata.len(),
        accessed: nanoseconds(metadata.accessed()),
        modified,
        changed,
    }
}
