//! Standard input of the process, for guests.
//!
//! The process has one, and what was read ahead belongs to it: a run that ends leaves to the next what it has not taken. Nothing is read before a
//! guest asks. Where standard input can keep a reader waiting, a thread of its own reads it, so that to look for some does not block.

use crate::machine::io::{self as machine_io, Answer, Errno};
use std::collections::VecDeque;
#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
use std::io::IsTerminal;
use std::io::{self, Read};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes of standard input that are read at a time.
const CHUNK: usize = 64 << 10;

/// Chunks that are read ahead of the guest.
const AHEAD: usize = 2;

/// How long the first look for input, or the first after some was taken, waits nevertheless: what a pipe has already is
/// there at once, however the helper is scheduled, and the run is the same each time.
const GRACE: Duration = Duration::from_millis(10);

static STDIN: LazyLock<Mutex<Stdin>> = LazyLock::new(|| Mutex::new(Stdin::start()));

struct Stdin {
    chunks: Option<Receiver<Chunk>>,
    /// Nobody has looked for the next chunk.
    unasked: bool,
    /// Read, and not yet given.
    bytes: VecDeque<u8>,
    /// What comes when `bytes` is empty: nothing, or an error.
    end: Option<Result<(), Errno>>,
}

/// No bytes are the end.
type Chunk = Result<Vec<u8>, Errno>;

/// At most `len` bytes. Waits until there is one, or the end.
pub(super) fn read(len: u32) -> Result<Answer, Errno> {
    stdin().read(len).map(Answer::Bytes)
}

/// Waits until a read would not wait, or so many nanoseconds.
pub(super) fn poll(nanoseconds: u64) -> Answer {
    match stdin().wait(Some(Duration::from_nanos(nanoseconds))) {
        true => Answer::Done,
        false => Answer::NotYet,
    }
}

fn stdin() -> MutexGuard<'static, Stdin> {
    STDIN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Stdin {
    fn start() -> Stdin {
        let chunks = may_keep_waiting().then(|| {
            let (sender, chunks) = mpsc::sync_channel(AHEAD);
            // It may be blocked in a read when the process ends, and ends with it. If it cannot be made there is no
            // input.
            let _ = thread::Builder::new()
                .name("stdin".to_owned())
                .spawn(move || read_all(&sender));
            chunks
        });
        Stdin {
            chunks,
            unasked: true,
            bytes: VecDeque::new(),
            end: None,
        }
    }

    /// Waits until a read would not, or for as long. Whether it would not.
    fn wait(&mut self, limit: Option<Duration>) -> bool {
        let Some(chunks) = &self.chunks else {
            return true;
        };
        if !self.bytes.is_empty() || self.end.is_some() {
            return true;
        }
        let grace = if self.unasked { GRACE } else { Duration::ZERO };
        self.unasked = false;
        let next = match limit {
            Some(limit) => chunks.recv_timeout(limit.max(grace)),
            None => chunks.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match next {
            Ok(Ok(bytes)) if !bytes.is_empty() => {
                self.bytes = bytes.into();
                self.unasked = true;
            }
            Ok(end) => self.end = Some(end.map(drop)),
            Err(RecvTimeoutError::Disconnected) => self.end = Some(Ok(())),
            Err(RecvTimeoutError::Timeout) => return false,
        }
        true
    }

    fn read(&mut self, len: u32) -> Result<Vec<u8>, Errno> {
        if self.chunks.is_none() {
            return machine_io::read(&mut io::stdin(), len);
        }
        self.wait(None);
        if let (true, Some(Err(errno))) = (self.bytes.is_empty(), self.end) {
            return Err(errno);
        }
        let len = self.bytes.len().min(len as usize);
        Ok(self.bytes.drain(..len).collect())
    }
}

/// Whether standard input is a pipe, a socket or a terminal. What a file has is there.
#[cfg(unix)]
fn may_keep_waiting() -> bool {
    use std::os::fd::AsFd;
    use std::os::unix::fs::FileTypeExt;
    let stdin = io::stdin();
    let file = stdin.as_fd().try_clone_to_owned().map(File::from);
    let ty = file.and_then(|file| Ok(file.metadata()?.file_type()));
    stdin.is_terminal() || ty.is_ok_and(|ty| ty.is_fifo() || ty.is_socket())
}

#[cfg(not(unix))]
fn may_keep_waiting() -> bool {
    true
}

/// Sends what there is to its end.
fn read_all(sender: &SyncSender<Chunk>) {
    let mut buffer = vec![0; CHUNK];
    loop {
        let chunk = match io::stdin().lock().read(&mut buffer) {
            Ok(len) => Ok(buffer[..len].to_vec()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error.into()),
        };
        let last = chunk.as_ref().map_or(true, Vec::is_empty);
        if sender.send(chunk).is_err() || last {
            return;
        }
    }
}
