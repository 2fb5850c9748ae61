//! The streams of a run under many seeds: a copy of grind's input; the first one prints.

use grind_runtime::host::Stdio;
use grind_runtime::machine::HostIo;
use grind_runtime::machine::io::{self, Answer, Call, Errno, Node};
use grind_runtime::model::Control;
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// Standard input of many runs: read once, when the first asks, and given to each from its beginning.
#[derive(Clone, Default)]
pub(crate) struct SharedInput(Arc<Shared>);

#[derive(Default)]
struct Shared {
    started: OnceLock<()>,
    input: OnceLock<Input>,
    /// For those who wait for it.
    lock: Mutex<()>,
    came: Condvar,
}

struct Input {
    bytes: Vec<u8>,
    cut: bool,
}

/// Standard input that is kept.
const MAX_INPUT: u64 = 64 << 20;

/// How often a run that waits looks whether it was stopped.
const LOOK: Duration = Duration::from_millis(20);

impl SharedInput {
    /// The streams of one run, and whether what it prints is printed. Once the run is asked to stop, it waits for no input.
    pub(crate) fn streams(&self, prints: bool, control: Arc<Control>) -> SeedIo {
        SeedIo {
            input: self.clone(),
            at: 0,
            prints,
            control,
        }
    }

    /// What the reader of the report should know.
    pub(crate) fn warning(&self) -> Option<String> {
        let input = self.0.input.get()?;
        let limit = MAX_INPUT >> 20;
        (input.cut).then(|| format!("standard input was cut after {limit} MiB for each seed"))
    }

    /// All of it; nothing if the run is asked to stop before its end came.
    fn wait(&self, control: &Control) -> Option<&Input> {
        let shared = &self.0;
        shared.started.get_or_init(|| {
            let shared = Arc::clone(shared);
            // It may be blocked in a read when the process ends, and ends with it. If it cannot be made there is no input.
            let reader = thread::Builder::new().name("stdin".to_owned());
            let input = Arc::clone(&shared);
            if reader.spawn(move || input.read()).is_err() {
                shared.put(Vec::new());
            }
        });
        loop {
            if let Some(input) = shared.input.get() {
                return Some(input);
            }
            if control.stop_requested() {
                return None;
            }
            let lock = shared.lock.lock().unwrap_or_else(PoisonError::into_inner);
            if shared.input.get().is_none() {
                let waited = shared.came.wait_timeout(lock, LOOK);
                drop(waited.unwrap_or_else(PoisonError::into_inner));
            }
        }
    }
}

impl Shared {
    fn read(&self) {
        let mut bytes = Vec::new();
        // What was read before an error is the input.
        let _ = std::io::stdin().take(MAX_INPUT + 1).read_to_end(&mut bytes);
        self.put(bytes);
    }

    fn put(&self, mut bytes: Vec<u8>) {
        let cut = bytes.len() as u64 > MAX_INPUT;
        bytes.truncate(MAX_INPUT as usize);
        let _lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        // Only one thread reads.
        let _ = self.input.set(Input { bytes, cut });
        self.came.notify_all();
    }
}

/// The streams of one run of many.
pub(crate) struct SeedIo {
    input: SharedInput,
    at: usize,
    prints: bool,
    control: Arc<Control>,
}

impl HostIo for SeedIo {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        match *call {
            Call::Write { node, .. } if node == Node::STDOUT || node == Node::STDERR => {
                if self.prints {
                    Stdio::inherit().call(call)
                } else {
                    Ok(Answer::Done)
                }
            }
            // Waiting happens once at most, for all of the input, and shows in no schedule.
            Call::Poll { node, .. } if node == Node::STDIN => {
                Ok(match self.input.wait(&self.control) {
                    Some(_) => Answer::Done,
                    None => Answer::NotYet,
                })
            }
            Call::Read { node, len, .. } if node == Node::STDIN => {
                let input = self.input.wait(&self.control).ok_or(Errno::Intr)?;
                let mut rest = &input.bytes[self.at..];
                let bytes = io::read(&mut rest, len)?;
                self.at += bytes.len();
                Ok(Answer::Bytes(bytes))
            }
            _ => Err(Errno::Nosys),
        }
    }
}
