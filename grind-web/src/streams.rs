//! The standard streams of a guest: input that was given beforehand, and output that can be taken while it runs.

use grind_runtime::HostIo;
use grind_runtime::machine::io::{Answer, Call, Errno, Node};
use std::sync::{Arc, Mutex, PoisonError};

/// What a guest has printed, and nobody has taken.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<[Vec<u8>; 2]>>);

/// One of the two streams.
#[derive(Clone, Copy)]
pub(crate) enum To {
    Stdout = 0,
    Stderr = 1,
}

impl Output {
    fn with<R>(&self, act: impl FnOnce(&mut [Vec<u8>; 2]) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn take(&self, to: To) -> Vec<u8> {
        self.with(|streams| std::mem::take(&mut streams[to as usize]))
    }
}

/// The streams of one run.
pub(crate) struct Streams {
    pub(crate) stdin: Arc<[u8]>,
    pub(crate) read: usize,
    /// Where output goes, if anywhere: of many seeds the first prints.
    pub(crate) output: Option<Output>,
}

impl HostIo for Streams {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        match *call {
            Call::Write { node, bytes, .. } => {
                let to = match node {
                    Node::STDOUT => To::Stdout,
                    Node::STDERR => To::Stderr,
                    _ => return Err(Errno::Nosys),
                };
                if let Some(output) = &self.output {
                    output.with(|streams| streams[to as usize].extend_from_slice(bytes));
                }
                Ok(Answer::Done)
            }
            Call::Read { node, len, .. } if node == Node::STDIN => {
                let left = &self.stdin[self.read..];
                let bytes = left[..left.len().min(len as usize)].to_vec();
                self.read += bytes.len();
                Ok(Answer::Bytes(bytes))
            }
            Call::Poll { node, .. } if node == Node::STDIN => Ok(Answer::Done),
            _ => Err(Errno::Nosys),
        }
    }
}
