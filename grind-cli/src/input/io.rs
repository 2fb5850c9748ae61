//! The guest's standard streams are grind's own.

use grind_runtime::machine::HostIo;
use grind_runtime::machine::io::{self as machine_io, Answer, Call, Errno, Node};
use std::collections::VecDeque;
#[cfg(unix)]
use std::fs::File;
#[cfg(unix)]
use std::io::IsTerminal;
use std::io::{self, Read, Write};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Bytes of standard input that are read at a time.
const CHUNK: usize = 64 << 10;

/// Chunks that are read ahead of the guest.
const AHEAD: usize = 2;

/// Unbuffered, so that what a guest wrote before a trap is out.
pub(crate) struct ProcessIo;

impl HostIo for ProcessIo {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        match *call {
            Call::Write { node, bytes, .. } if node == Node::STDOUT => {
                let mut stdout = std::io::stdout();
                stdout.write_all(bytes)?;
                stdout.flush()?;
                Ok(Answer::Done)
            }
            Call::Write { node, bytes, .. } if node == Node::STDERR => {
                std::io::stderr().write_all(bytes)?;
                Ok(Answer::Done)
            }
            Call::Read { node, len, .. } if node == Node::STDIN => {
                let mut stdin = STDIN.lock().unwrap_or_else(PoisonError::into_inner);
                stdin.read(len).map(Answer::Bytes)
            }
            Call::Poll { node, nanoseconds } if node == Node::STDIN => {
                let mut stdin = STDIN.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(if stdin.wait(Some(Duration::from_nanos(nanoseconds))) {
                    Answer::Done
                } else {
                    Answer::NotYet
                })
            }
            _ => Err(Errno::Nosys),
        }
    }
}

/// How long the first look for input, or the first after some was taken, waits nevertheless: what a pipe has already is
/// there at once, however the helper is scheduled, and the run is the same each time.
const GRACE: Duration = Duration::from_millis(10);

/// The process has one, and what was read ahead belongs to it. Nothing is read before a guest asks.
static STDIN: LazyLock<Mutex<Stdin>> = LazyLock::new(|| Mutex::new(Stdin::start()));

/// Standard input. Where it can keep a reader waiting, a thread of its own reads it, so that to look for some does not
/// block.
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
