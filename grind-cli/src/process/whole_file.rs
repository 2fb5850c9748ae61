//! Files that are there whole or as they were: written beside their place, and put there by a rename.
//!
//! What is no regular file, as a pipe or a terminal, is written where it is, and so is a file in a directory where nothing can be
//! created. A symbolic link stays one: what it leads to is replaced.

use crate::process::signals::{self, Orderly};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

/// Symbolic links that are followed to a file that is not there yet.
const MAX_LINKS: usize = 40;

/// A place where a file can be written. Nothing changes before something is.
#[derive(Debug)]
pub(crate) enum Place {
    /// Written beside it.
    Beside {
        target: PathBuf,
        /// Those of the file that is replaced.
        permissions: Option<Permissions>,
    },
    /// Written where it is, from its beginning or its end.
    Direct { file: File, from_beginning: bool },
}

impl Place {
    /// # Errors
    /// If nothing could be written there.
    pub(crate) fn find(path: &Path) -> io::Result<Place> {
        // Where `/dev/stdout` leads to a file, the guest writes there, too.
        if ["/dev", "/proc"].iter().any(|top| path.starts_with(top)) {
            return Ok(Place::Direct {
                file: OpenOptions::new().append(true).open(path)?,
                from_beginning: false,
            });
        }
        let (target, permissions) = match fs::metadata(path) {
            Ok(about) => {
                let file = OpenOptions::new().write(true).open(path)?;
                let target = path.canonicalize()?;
                let from_beginning = about.is_file();
                if !from_beginning || create_beside(&target).is_err() {
                    return Ok(Place::Direct {
                        file,
                        from_beginning,
                    });
                }
                (target, Some(about.permissions()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let target = follow(path)?;
                create_beside(&target)?;
                (target, None)
            }
            Err(error) => return Err(error),
        };
        Ok(Place::Beside {
            target,
            permissions,
        })
    }

    /// Begins to write. What is written is in its place after [`Draft::finish`].
    pub(crate) fn begin(self) -> io::Result<Draft> {
        let (file, beside) = match self {
            Place::Direct {
                file,
                from_beginning,
            } => {
                if from_beginning {
                    file.set_len(0)?;
                }
                (file, None)
            }
            Place::Beside {
                target,
                permissions,
            } => {
                let (file, beside) = create_beside(&target)?;
                if let Some(permissions) = permissions {
                    file.set_permissions(permissions)?;
                }
                (file, Some((beside, target)))
            }
        };
        Ok(Draft {
            file: BufWriter::new(file),
            beside,
        })
    }

    /// Writes all of it.
    pub(crate) fn write(self, bytes: &[u8]) -> io::Result<()> {
        let mut draft = self.begin()?;
        draft.write_all(bytes)?;
        draft.finish()
    }
}

/// A file that is being written. What is not finished is removed.
#[derive(Debug)]
pub(crate) struct Draft {
    file: BufWriter<File>,
    beside: Option<(Beside, PathBuf)>,
}

impl Draft {
    /// Puts it in its place.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.flush()?;
        if let Some((mut beside, target)) = self.beside.take() {
            fs::rename(&beside.path, target)?;
            beside.is_moved = true;
        }
        Ok(())
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Draft {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// A file beside another one; it is removed with this unless it was moved. So a signal does not end the process meanwhile.
#[derive(Debug)]
struct Beside {
    path: PathBuf,
    is_moved: bool,
    _orderly: Orderly,
}

impl Drop for Beside {
    fn drop(&mut self) {
        if !self.is_moved {
            // That it stays is no harm.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Creates a file beside this one, whatever it is called.
fn create_beside(target: &Path) -> io::Result<(File, Beside)> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let orderly = signals::orderly();
    loop {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = target.with_file_name(format!(".grind-{}-{number}.tmp", process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => {
                let beside = Beside {
                    path,
                    is_moved: false,
                    _orderly: orderly,
                };
                return Ok((file, beside));
            }
            // Of a process that was killed.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

/// Where a path leads that no file is at: itself, or what the symbolic link there names.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        match fs::read_link(&path) {
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).expect("a directory");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<_> = entries
            .map(|entry| name(entry).to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_there_whole_or_as_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("r.json");
        let place = Place::find(&path).expect("a place");
        assert_eq!(names(directory.path()), [""; 0]);
        let mut draft = place.begin().expect("a draft");
        draft.write_all(b"half").expect("it can be written");
        drop(draft);
        assert_eq!(names(directory.path()), [""; 0]);

        let place = || Place::find(&path).expect("a place");
        place().write(b"old").expect("it can be written");
        let mut draft = place().begin().expect("a draft");
        draft.write_all(b"new").expect("it can be written");
        draft.flush().expect("it can be written");
        assert_eq!(fs::read(&path).expect("a file"), b"old");
        draft.finish().expect("it can be moved");
        assert_eq!(fs::read(&path).expect("a file"), b"new");
        assert_eq!(names(directory.path()), ["r.json"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name| directory.path().join(name);
        for (link, target) in [("link", "file"), ("dangling", "link")] {
            symlink(target, path(link)).expect("a link");
        }
        for (link, text) in [("dangling", "new"), ("link", "newer")] {
            let place = Place::find(&path(link)).expect("a place");
            place.write(text.as_bytes()).expect("it can be written");
            assert_eq!(fs::read(path("file")).expect("a file"), text.as_bytes());
            assert!(path(link).is_symlink());
            let mode = fs::Permissions::from_mode(0o640);
            fs::set_permissions(path("file"), mode).expect("mode");
        }
        let about = fs::metadata(path("file")).expect("a file");
        assert_eq!(about.permissions().mode() & 0o777, 0o640);
        assert!(Place::find(&path("gone/r.json")).is_err());
    }
}
