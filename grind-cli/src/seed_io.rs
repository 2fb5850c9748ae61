//! The streams of a run under many seeds: a copy of grind's input; the first one prints.

use crate::io::ProcessIo;
use grind_runtime::machine::HostIo;
use grind_runtime::machine::io::{self, Answer, Call, Errno, Node};
use std::io::Read;
use std::sync::{Arc, OnceLock};

/// Standard input of many runs: read once, when the first asks, and given to each from its beginning.
#[derive(Clone, Default)]
pub(crate) struct SharedInput(Arc<OnceLock<Input>>);

struct Input {
    bytes: Vec<u8>,
    cut: bool,
}

/// Standard input that is kept.
const MAX_INPUT: u64 = 64 << 20;

impl SharedInput {
    /// The streams of one run, and whether what it prints is printed.
    pub(crate) fn streams(&self, prints: bool) -> SeedIo {
        SeedIo {
            input: self.clone(),
            at: 0,
            prints,
        }
    }

    /// What the reader of the report should know.
    pub(crate) fn warning(&self) -> Option<String> {
        let input = self.0.get()?;
        let limit = MAX_INPUT >> 20;
        (input.cut).then(|| format!("standard input was cut after {limit} MiB for each seed"))
    }

    fn bytes(&self) -> &[u8] {
        let input = self.0.get_or_init(|| {
            let mut bytes = Vec::new();
            // What was read before an error is the input.
            let _ = std::io::stdin().take(MAX_INPUT + 1).read_to_end(&mut bytes);
            let cut = bytes.len() as u64 > MAX_INPUT;
            bytes.truncate(MAX_INPUT as usize);
            Input { bytes, cut }
        });
        &input.bytes
    }
}

/// The streams of one run of many.
pub(crate) struct SeedIo {
    input: SharedInput,
    at: usize,
    prints: bool,
}

impl HostIo for SeedIo {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        match *call {
            Call::Write { node, .. } if node == Node::STDOUT || node == Node::STDERR => {
                if self.prints {
                    ProcessIo.call(call)
                } else {
                    Ok(Answer::Done)
                }
            }
            // Reading blocks once at most, for all of the input.
            Call::Poll { node, .. } if node == Node::STDIN => Ok(Answer::Done),
            Call::Read { node, len, .. } if node == Node::STDIN => {
                let mut rest = &self.input.bytes()[self.at..];
                let bytes = io::read(&mut rest, len)?;
                self.at += bytes.len();
                Ok(Answer::Bytes(bytes))
            }
            _ => Err(Errno::Nosys),
        }
    }
}
