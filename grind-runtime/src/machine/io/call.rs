//! What the machine asks of the host, and what the host answers. Answers are plain data, so that they can
//! be recorded, stored and given again.

use crate::program::embedder::Effects;
use serde::{Deserialize, Serialize};

/// A file, directory or stream of the host, as the machine calls it: 0 to 2 are the standard streams, then
/// come the preopened directories in order, then whatever is opened, by numbers that are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub u32);

impl Node {
    /// Standard input.
    pub const STDIN: Node = Node(0);
    /// Standard output.
    pub const STDOUT: Node = Node(1);
    /// Standard error.
    pub const STDERR: Node = Node(2);

    /// The preopened directory with this index.
    #[must_use]
    pub const fn preopen(index: u32) -> Node {
        Node(Node::STDERR.0 + 1 + index)
    }
}

/// Where in a file to read or write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// It has no positions: a stream, pipe or terminal.
    Stream,
    /// This many bytes from its beginning.
    At(u64),
    /// Behind its last byte.
    End,
}

/// How to open a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Open {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
    /// Make it if it does not exist.
    pub create: bool,
    /// With `create`: fail if it exists.
    pub exclusive: bool,
    /// Empty it.
    pub truncate: bool,
    /// Fail if it is not a directory.
    pub directory: bool,
}

/// Times to set, in nanoseconds since 1970; what is none stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Of the last access.
    pub accessed: Option<u64>,
    /// Of the last modification.
    pub modified: Option<u64>,
}

/// A request to the host. Paths are relative to a directory and not checked: whoever answers must not let
/// them lead out of it. `follow` says whether a symbolic link as the last component of `path` is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields say what the variants' comments name"
)]
pub enum Call<'a> {
    /// At most `len` bytes, none at the end: [`Answer::Bytes`].
    Read {
        node: Node,
        position: Position,
        len: u32,
    },
    /// Whether a read would not block: [`Answer::Done`], or [`Answer::NotYet`] after waiting for it in vain, this long
    /// at most. Only asked of standard input. Where a host cannot tell, and fails, a read may block.
    Poll {
        node: Node,
        nanoseconds: u64,
    },
    /// [`Answer::Done`] if all bytes were taken. Otherwise, and always at [`Position::End`],
    /// [`Answer::Written`].
    Write {
        node: Node,
        position: Position,
        bytes: &'a [u8],
    },
    /// Opens a file or directory, which is then called `node`: [`Answer::Opened`].
    Open {
        dir: Node,
        path: &'a str,
        follow: bool,
        open: Open,
        node: Node,
    },
    /// Forgets a node.
    Close {
        node: Node,
    },
    /// Brings what was written to the disk, with or without the file's metadata.
    Sync {
        node: Node,
        metadata: bool,
    },
    /// Makes the file at least this many bytes long.
    Allocate {
        node: Node,
        size: u64,
    },
    /// Makes the file this many bytes long.
    SetSize {
        node: Node,
        size: u64,
    },
    SetTimes {
        node: Node,
        times: Times,
    },
    SetTimesAt {
        dir: Node,
        path: &'a str,
        follow: bool,
        times: Times,
    },
    /// [`Answer::Stat`].
    Stat {
        node: Node,
    },
    /// [`Answer::Stat`].
    StatAt {
        dir: Node,
        path: &'a str,
        follow: bool,
    },
    /// [`Answer::Listing`].
    List {
        dir: Node,
    },
    CreateDirectory {
        dir: Node,
        path: &'a str,
    },
    RemoveDirectory {
        dir: Node,
        path: &'a str,
    },
    /// Removes what is no directory.
    Unlink {
        dir: Node,
        path: &'a str,
    },
    /// A hard link.
    Link {
        dir: Node,
        path: &'a str,
        new_dir: Node,
        new_path: &'a str,
    },
    Rename {
        dir: Node,
        path: &'a str,
        new_dir: Node,
        new_path: &'a str,
    },
    /// A symbolic link that contains `target`.
    Symlink {
        target: &'a str,
        dir: Node,
        path: &'a str,
    },
    /// What a symbolic link contains: [`Answer::Bytes`].
    ReadLink {
        dir: Node,
        path: &'a str,
    },
}

/// What came of a [`Call`]. [`Answer::Done`] where its comment names no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It was done, and all of it.
    Done,
    /// What was read.
    Bytes(Vec<u8>),
    /// Bytes were written.
    Written {
        /// How many.
        len: u32,
        /// The position behind the last of them.
        end: u64,
    },
    /// It is open.
    Opened(FileKind),
    /// What is known of a file.
    Stat(Stat),
    /// What a directory contains, `.` and `..` not included.
    Listing(Vec<Entry>),
    /// What a function of the embedder did.
    Embedded(Effects),
    /// A read would block.
    NotYet,
}

impl Answer {
    /// Bytes that keeping it costs, about.
    #[must_use]
    pub fn cost(&self) -> usize {
        size_of::<Answer>()
            + match self {
                Answer::Bytes(bytes) => bytes.len(),
                Answer::Listing(entries) => {
                    let names: usize = entries.iter().map(|entry| entry.name.len()).sum();
                    names + size_of_val(entries.as_slice())
                }
                Answer::Embedded(effects) => effects.cost(),
                _ => 0,
            }
    }
}

/// What a file is, with the numbers of `filetype` in `wasi_snapshot_preview1.witx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum FileKind {
    /// None of the others, or not known.
    Unknown = 0,
    /// A block device.
    BlockDevice = 1,
    /// A character device.
    CharacterDevice = 2,
    /// A directory.
    Directory = 3,
    /// A regular file.
    Regular = 4,
    /// A socket for datagrams.
    DatagramSocket = 5,
    /// A socket for a stream.
    StreamSocket = 6,
    /// A symbolic link.
    SymbolicLink = 7,
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stat {
    /// The device it is on.
    pub device: u64,
    /// Its serial number there.
    pub inode: u64,
    /// What it is.
    pub kind: FileKind,
    /// Hard links to it.
    pub links: u64,
    /// Bytes.
    pub size: u64,
    /// Last access, in nanoseconds since 1970.
    pub accessed: u64,
    /// Last modification, in nanoseconds since 1970.
    pub modified: u64,
    /// Last change of its status, in nanoseconds since 1970.
    pub changed: u64,
}

/// What a directory contains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its name; UTF-8 if the host's is.
    pub name: Vec<u8>,
    /// Its serial number.
    pub inode: u64,
    /// What it is.
    pub kind: FileKind,
}
