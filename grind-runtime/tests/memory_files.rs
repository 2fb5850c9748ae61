//! Files in memory answer as those on disk: the same calls, one by one, and the same guests. And what they take is bounded.

#![cfg(all(unix, feature = "files"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::machine::io::{
    Answer, Call, Entry, Errno, FileKind, Node, Open, Position, Times,
};
use grind_runtime::machine::{BufferIo, HostIo, MachineError};
use grind_runtime::program::Program;
use grind_runtime::session::{
    self, FileTree, Files, MemoryFiles, Outcome, Preopen, RunOptions, TreeError, TreeLimits,
};
use std::path::Path;
use tempfile::TempDir;

const DIR: Node = Node::preopen(0);

/// What two hosts have to agree on of an answer.
fn essence(answer: Result<Answer, Errno>) -> String {
    let kinds = |entries: Vec<Entry>| {
        let mut kinds: Vec<_> = entries.into_iter().map(|e| (e.name, e.kind)).collect();
        kinds.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        format!("{kinds:?}")
    };
    match answer {
        Ok(Answer::Listing(entries)) => kinds(entries),
        // What a directory takes, and how many directories are in it, is a file system's own.
        Ok(Answer::Stat(stat)) if stat.kind == FileKind::Directory => "a directory".to_owned(),
        Ok(Answer::Stat(stat)) => format!("{:?} {} {}", stat.kind, stat.size, stat.links),
        answer => format!("{answer:?}"),
    }
}

/// Both hosts, of the same files.
struct Both {
    disk: Files,
    memory: MemoryFiles<BufferIo>,
    _kept: TempDir,
    said: Vec<String>,
}

impl Both {
    fn new() -> Both {
        let kept = TempDir::new().unwrap();
        let preopen = Preopen::open(kept.path(), "/").unwrap();
        let tree = FileTree::default();
        Both {
            disk: Files::new(Box::new(BufferIo::default()), &[preopen]),
            memory: MemoryFiles::new(BufferIo::default(), tree, [("/", "/".to_owned())]).unwrap(),
            _kept: kept,
            said: Vec::new(),
        }
    }

    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        let (disk, memory) = (self.disk.call(call), self.memory.call(call));
        let (on_disk, in_memory) = (essence(disk), essence(memory.clone()));
        self.said.push(format!("{call:?}: {on_disk}"));
        assert_eq!(in_memory, on_disk, "\n{}", self.said.join("\n"));
        memory
    }

    fn open(&mut self, path: &str, open: Open, node: Node) -> Result<Answer, Errno> {
        self.call(&Call::Open {
            dir: DIR,
            path,
            follow: true,
            open,
            node,
        })
    }
}

/// A number that only the seed decides.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }

    fn yes(&mut self) -> bool {
        self.below(2) == 0
    }
}

/// Few names, so that calls meet.
const PATHS: &[&str] = &[
    "a", "a", "b", "b", "d", "d", "e", "l", "m", "d/a", "d/b", "d/d", "d/d/a", "d/l", "e/a", "e/d",
    "l/a", "m/b", "a/", "d/", "l/", "d//a", "./a", "d/./b", "d/../b", "d/d/..", "d/.", ".", "..",
    "../a", "", "/a", "/", "a/b", "d/../..", "l/../a", "n/",
];

const TARGETS: &[&str] = &[
    "a", "d", "../a", "d/a", "l", "m", "nothing", "d/", "/a", "", ".", "d/..",
];

const NODES: &[Node] = &[DIR, Node(4), Node(5), Node(6), Node(7)];

fn random_call<'a>(numbers: &mut Numbers, bytes: &'a [u8]) -> Call<'a> {
    let node = numbers.one(NODES);
    // Most calls are relative to what is a directory.
    let dir = if numbers.below(4) > 0 { DIR } else { node };
    let (path, new_path) = (numbers.one(PATHS), numbers.one(PATHS));
    let follow = numbers.yes();
    let position = match numbers.below(3) {
        0 => Position::End,
        _ => Position::At(numbers.below(20)),
    };
    match numbers.below(24) {
        0..=5 => Call::Open {
            dir,
            path,
            follow,
            open: Open {
                read: numbers.yes(),
                write: numbers.yes(),
                create: numbers.yes(),
                exclusive: numbers.below(4) == 0,
                truncate: numbers.below(4) == 0,
                directory: numbers.below(4) == 0,
            },
            node: numbers.one(&NODES[1..]),
        },
        6 => Call::Read {
            node,
            position: Position::At(numbers.below(20)),
            len: 8,
        },
        7 | 8 => Call::Write {
            node,
            position,
            bytes,
        },
        9 => Call::Close {
            node: numbers.one(&NODES[1..]),
        },
        10 => Call::Sync {
            node,
            metadata: follow,
        },
        11 => Call::Allocate {
            node,
            size: numbers.below(30),
        },
        12 => Call::SetSize {
            node,
            size: numbers.below(30),
        },
        13 => Call::Stat { node },
        14 => Call::StatAt { dir, path, follow },
        15 => Call::List { dir },
        16 | 17 => Call::CreateDirectory { dir, path },
        18 => Call::RemoveDirectory { dir, path },
        19 => Call::Unlink { dir, path },
        20 => Call::Link {
            dir,
            path,
            new_dir: DIR,
            new_path,
        },
        21 => Call::Rename {
            dir,
            path,
            new_dir: DIR,
            new_path,
        },
        22 => Call::Symlink {
            target: numbers.one(TARGETS),
            dir,
            path,
        },
        _ => Call::ReadLink { dir, path },
    }
}

#[test]
fn the_same_calls_have_the_same_answers() {
    for seed in 0..400 {
        let mut both = Both::new();
        both.said.push(format!("seed {seed}"));
        let mut numbers = Numbers(seed);
        for _ in 0..8 {
            // Something to begin with.
            let path = numbers.one(&["a", "d", "d/a", "d/d", "e", "l"]);
            let call = match numbers.below(3) {
                0 => Call::Symlink {
                    target: numbers.one(TARGETS),
                    dir: DIR,
                    path,
                },
                _ => Call::CreateDirectory { dir: DIR, path },
            };
            let _ = both.call(&call);
        }
        for _ in 0..120 {
            let _ = both.call(&random_call(&mut numbers, b"some bytes"));
        }
        // In the end everything is the same.
        for dir in [".", "d", "d/d", "e"] {
            if both
                .open(
                    dir,
                    Open {
                        directory: true,
                        ..Open::default()
                    },
                    Node(9),
                )
                .is_ok()
            {
                let _ = both.call(&Call::List { dir: Node(9) });
            }
        }
        for path in PATHS {
            let follow = true;
            let _ = both.call(&Call::StatAt {
                dir: DIR,
                path,
                follow,
            });
            if both.open(
                path,
                Open {
                    read: true,
                    ..Open::default()
                },
                Node(9),
            ) == Ok(Answer::Opened(FileKind::Regular))
            {
                let position = Position::At(0);
                let len = 100;
                let _ = both.call(&Call::Read {
                    node: Node(9),
                    position,
                    len,
                });
            }
        }
    }
}

#[test]
fn what_chance_does_not_find_is_the_same() {
    let mut both = Both::new();
    let (new, file) = (
        Open {
            read: true,
            write: true,
            create: true,
            ..Open::default()
        },
        Node(4),
    );
    // Names: as long as can be, and longer.
    for len in [255, 256] {
        let name = "n".repeat(len);
        let _ = both.open(&name, new, file);
        let _ = both.call(&Call::CreateDirectory {
            dir: DIR,
            path: &format!("{name}d"),
        });
        let _ = both.call(&Call::Unlink {
            dir: DIR,
            path: &name,
        });
    }
    // Links one after the other, up to where they are too many.
    both.open("l0", new, file).unwrap();
    for n in 1..=42 {
        let (target, path) = (format!("l{}", n - 1), format!("l{n}"));
        both.call(&Call::Symlink {
            target: &target,
            dir: DIR,
            path: &path,
        })
        .unwrap();
        let _ = both.call(&Call::StatAt {
            dir: DIR,
            path: &path,
            follow: true,
        });
    }
    // A file that has no name any more, and a directory that is gone.
    both.open("gone", new, file).unwrap();
    both.call(&Call::Write {
        node: file,
        position: Position::At(3),
        bytes: b"there",
    })
    .unwrap();
    both.call(&Call::Unlink {
        dir: DIR,
        path: "gone",
    })
    .unwrap();
    both.call(&Call::Stat { node: file }).unwrap();
    both.call(&Call::Read {
        node: file,
        position: Position::At(0),
        len: 99,
    })
    .unwrap();
    both.call(&Call::CreateDirectory {
        dir: DIR,
        path: "sub",
    })
    .unwrap();
    both.open(
        "sub",
        Open {
            directory: true,
            ..Open::default()
        },
        Node(5),
    )
    .unwrap();
    both.call(&Call::RemoveDirectory {
        dir: DIR,
        path: "sub/",
    })
    .unwrap();
    both.call(&Call::List { dir: Node(5) }).unwrap();
    for call in [
        Call::CreateDirectory {
            dir: Node(5),
            path: "a",
        },
        Call::Symlink {
            target: "a",
            dir: Node(5),
            path: "b",
        },
        Call::Rename {
            dir: DIR,
            path: "l0",
            new_dir: Node(5),
            new_path: "c",
        },
        Call::Link {
            dir: DIR,
            path: "l0",
            new_dir: Node(5),
            new_path: "c",
        },
        Call::Open {
            dir: Node(5),
            path: "d",
            follow: true,
            open: new,
            node: Node(6),
        },
    ] {
        both.call(&call).unwrap_err();
    }
    // Times, which only what sets them makes the same.
    let times = Times {
        accessed: Some(1_500_000_000),
        modified: Some(2_500_000_000),
    };
    both.open("l0", new, file).unwrap();
    both.call(&Call::SetTimes { node: file, times }).unwrap();
    let later = Times {
        modified: Some(3_500_000_000),
        ..times
    };
    for (path, times) in [("l1", later), ("nothing", later), ("d/nothing", later)] {
        let follow = true;
        let _ = both.call(&Call::SetTimesAt {
            dir: DIR,
            path,
            follow,
            times,
        });
    }
    let stat = Call::Stat { node: file };
    let (disk, memory) = (both.disk.call(&stat), both.memory.call(&stat));
    let (Ok(Answer::Stat(disk)), Ok(Answer::Stat(memory))) = (disk, memory) else {
        panic!("it is open");
    };
    assert_eq!(memory.modified, disk.modified);
    assert_eq!(memory.accessed, disk.accessed);
    assert_eq!(memory.modified, 3_500_000_000);
}

/// A run of a guest over an empty directory on disk, and over one in memory.
fn run_both(guest: &str) -> (Outcome<BufferIo>, Outcome<MemoryFiles<BufferIo>>) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs/wasip1/wasm");
    let wasm = std::fs::read(path.join(guest)).unwrap();
    let program = Program::new(&wasm).unwrap();
    let mut options = RunOptions::seeded(1);
    options.spec.args = vec![b"guest".to_vec()];
    let work = TempDir::new().unwrap();
    let on_disk = options
        .clone()
        .directory(Preopen::open(work.path(), "/work").unwrap());
    let disk = session::run(&program, on_disk, BufferIo::default()).unwrap();
    options.spec.preopens = vec![b"/work".to_vec()];
    let mut tree = FileTree::default();
    tree.insert("work/", "").unwrap();
    let io = BufferIo::default();
    let io = MemoryFiles::new(io, tree, [("/work", "work".to_owned())]).unwrap();
    (disk, session::run(&program, options, io).unwrap())
}

#[test]
fn guests_see_no_difference() {
    for guest in ["files.wasm", "escapes.wasm", "calls.wasm"] {
        let (disk, memory) = run_both(guest);
        let (streams, tree) = (memory.io.streams(), memory.io.tree());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            memory.ending,
            disk.ending,
            "{guest}: {}",
            text(&streams.stderr)
        );
        assert_eq!(text(&streams.stdout), text(&disk.io.stdout), "{guest}");
        assert_eq!(text(&streams.stderr), text(&disk.io.stderr), "{guest}");
        assert_eq!(tree.files(), [], "{guest} leaves nothing");
    }
}

#[test]
fn what_it_takes_is_bounded() {
    let limits = TreeLimits::default().bytes(100).entries(4);
    let mut tree = FileTree::new(limits);
    tree.insert("/a", vec![7; 50]).unwrap();
    assert_eq!(
        tree.insert("/b", vec![7; 60]),
        Err(TreeError::Full("/b".to_owned(), limits))
    );
    let mut files = MemoryFiles::new(BufferIo::default(), tree, [("/", "/".to_owned())]).unwrap();
    let mut open = |path: &str, node| {
        let how = Open {
            write: true,
            create: true,
            ..Open::default()
        };
        files.call(&Call::Open {
            dir: DIR,
            path,
            follow: true,
            open: how,
            node,
        })
    };
    open("a", Node(4)).unwrap();
    open("c", Node(5)).unwrap();
    // The root, `a`, the empty `b`, and `c`.
    assert_eq!(open("d", Node(6)), Err(Errno::Nospc));
    let write = |len| Call::Write {
        node: Node(4),
        position: Position::At(0),
        bytes: &[1; 200][..len],
    };
    assert_eq!(files.call(&write(97)), Ok(Answer::Done));
    assert_eq!(files.call(&write(98)), Err(Errno::Nospc));
    for size in [98, 1 << 40, i64::MAX as u64, u64::MAX] {
        assert_eq!(
            files.call(&Call::SetSize {
                node: Node(4),
                size
            }),
            Err(Errno::Nospc)
        );
        let at = Call::Write {
            node: Node(4),
            position: Position::At(size),
            bytes: b"x",
        };
        assert!(
            matches!(files.call(&at), Err(Errno::Nospc | Errno::Fbig)),
            "{size}"
        );
    }
    // What goes makes room, but for as long as it is open.
    files
        .call(&Call::Unlink {
            dir: DIR,
            path: "a",
        })
        .unwrap();
    let more = Call::SetSize {
        node: Node(5),
        size: 50,
    };
    assert_eq!(files.call(&more), Err(Errno::Nospc));
    files.call(&Call::Close { node: Node(4) }).unwrap();
    assert_eq!(files.call(&more), Ok(Answer::Done));
    assert_eq!(files.tree().files()[1], ("/c".to_owned(), &[0; 50][..]));
}

#[test]
fn a_tree_is_what_was_put_in_it() {
    let mut tree = FileTree::default();
    assert!(tree.is_empty());
    tree.insert("data/in/a.txt", "one").unwrap();
    tree.insert("/data/./b", "two").unwrap();
    tree.insert("//data/b", "three").unwrap();
    tree.insert("/empty/", "").unwrap();
    let there = [
        ("/data/b".to_owned(), b"three".as_slice()),
        ("/data/in/a.txt".to_owned(), b"one"),
    ];
    assert_eq!(tree.files(), there);
    for path in ["", "../a", "a/../b", "a\0b", "/", &"n".repeat(256)] {
        let error = tree.insert(path, "x");
        // A slash is the directory that is there.
        match path {
            "/" => assert_eq!(error, Ok(())),
            path => assert_eq!(error, Err(TreeError::Path(path.to_owned()))),
        }
    }
    for path in ["/data/b/c", "/data", "/data/b/"] {
        assert_eq!(
            tree.insert(path, "x"),
            Err(TreeError::FileAndDirectory(path.to_owned()))
        );
    }
    assert_eq!(tree.files(), there);
    let missing = MemoryFiles::new(BufferIo::default(), tree, [("/", "/data/b".to_owned())]);
    assert_eq!(
        missing.err(),
        Some(TreeError::NoDirectory("/data/b".to_owned()))
    );
}

#[test]
fn directories_are_those_that_the_run_names() {
    let program =
        Program::new(&wat::parse_str(r#"(module (func (export "_start")))"#).unwrap()).unwrap();
    let files = || {
        MemoryFiles::new(
            BufferIo::default(),
            FileTree::default(),
            [("/a", String::from("."))],
        )
        .unwrap()
    };
    let mut options = RunOptions::seeded(1);
    let refused = session::run(&program, options.clone(), files()).map(drop);
    assert!(matches!(
        refused,
        Err(MachineError::Directories { named: 0, given: 1 })
    ));
    options.spec.preopens = vec![b"/a".to_vec()];
    session::run(&program, options.clone(), files()).unwrap();
    // Those of the host are others.
    let work = TempDir::new().unwrap();
    let both = options.directory(Preopen::open(work.path(), "/b").unwrap());
    let refused = session::run(&program, both, files()).map(drop);
    assert!(matches!(
        refused,
        Err(MachineError::Directories { named: 2, given: 2 })
    ));
}
