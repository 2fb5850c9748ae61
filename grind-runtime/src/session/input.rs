//! Recorded inputs: what the host answered in the first pass is answered again in the second, which never
//! reaches the host.

use crate::machine::io::{Answer, Call, DriverAct, Errno, HostIo};
use crate::program::embedder::Effects;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes of answers that are kept for the second pass. A run that is told more keeps its findings but not
/// the stacks of their earlier accesses.
pub(super) const KEPT: usize = 64 << 20;

/// One answer of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Input {
    answer: Result<Answer, Errno>,
    /// To how many calls, one after the other.
    times: u32,
}

/// What the host answered, in order: all that a run learnt of the world outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inputs {
    answers: VecDeque<Input>,
    /// What the driver of the machine did, and at which ticks.
    acts: VecDeque<(u64, DriverAct)>,
    bytes: usize,
    overflown: bool,
}

impl Inputs {
    /// Whether all answers were kept. Beyond 64 MiB none is, and the run cannot be repeated.
    #[must_use]
    pub fn complete(&self) -> bool {
        !self.overflown
    }

    fn push(&mut self, answer: &Result<Answer, Errno>) {
        if self.overflown {
            return;
        }
        // A guest that prints gets the same answer for ever.
        if let Some(last) = self.answers.back_mut()
            && last.answer == *answer
            && last.times < u32::MAX
        {
            last.times += 1;
            return;
        }
        if self.has_room(answer.as_ref().map_or(size_of::<Input>(), Answer::cost)) {
            self.answers.push_back(Input {
                answer: answer.clone(),
                times: 1,
            });
        }
    }

    fn act(&mut self, tick: u64, act: &DriverAct) {
        if self.has_room(act.cost()) {
            self.acts.push_back((tick, act.clone()));
        }
    }

    /// Counts so many bytes more. Beyond the limit nothing is kept.
    fn has_room(&mut self, bytes: usize) -> bool {
        self.bytes += bytes;
        if self.bytes > KEPT {
            *self = Inputs {
                overflown: true,
                bytes: self.bytes,
                ..Inputs::default()
            };
        }
        !self.overflown
    }

    fn pop(&mut self) -> Option<Result<Answer, Errno>> {
        let first = self.answers.front_mut()?;
        first.times -= 1;
        if first.times > 0 {
            return Some(first.answer.clone());
        }
        self.answers.pop_front().map(|input| input.answer)
    }
}

/// Passes everything on and keeps the answers.
pub struct Recorder {
    io: Box<dyn HostIo>,
    inputs: Inputs,
}

impl Recorder {
    /// Records what `io` answers.
    #[must_use]
    pub fn new(io: Box<dyn HostIo>) -> Recorder {
        Recorder {
            io,
            inputs: Inputs::default(),
        }
    }

    /// What was given, and what it answered.
    #[must_use]
    pub fn finish(self) -> (Box<dyn HostIo>, Inputs) {
        (self.io, self.inputs)
    }
}

impl HostIo for Recorder {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        let answer = self.io.call(call);
        self.inputs.push(&answer);
        answer
    }

    fn embedded(&mut self, run: &mut dyn FnMut() -> Effects) -> Effects {
        let effects = run();
        self.inputs.push(&Ok(Answer::Embedded(effects.clone())));
        effects
    }

    fn driven(&mut self, tick: u64, act: &DriverAct) {
        self.io.driven(tick, act);
        self.inputs.act(tick, act);
    }

    fn next_act(&mut self) -> Option<(u64, DriverAct)> {
        self.io.next_act()
    }
}

/// Gives the same answers again, whatever is asked: the same run asks the same.
pub struct Player(Inputs);

impl Player {
    /// Answers as it was recorded.
    #[must_use]
    pub fn new(inputs: Inputs) -> Player {
        Player(inputs)
    }
}

impl HostIo for Player {
    fn call(&mut self, _: &Call<'_>) -> Result<Answer, Errno> {
        // The second pass ends no later than the first, so that there is always one left.
        self.0.pop().unwrap_or(Err(Errno::Io))
    }

    fn embedded(&mut self, _: &mut dyn FnMut() -> Effects) -> Effects {
        match self.0.pop() {
            Some(Ok(Answer::Embedded(effects))) => effects,
            _ => Effects::trap("the recording has no answer"),
        }
    }

    fn driven(&mut self, _: u64, _: &DriverAct) {
        self.0.acts.pop_front();
    }

    fn next_act(&mut self) -> Option<(u64, DriverAct)> {
        self.0.acts.front().cloned()
    }
}

/// Gives the answers of a trace in their order, to a run that may ask in another: what does not decode, or is beyond the
/// last, is an error of the host.
pub(super) struct Queue {
    answers: Vec<Arc<[u8]>>,
}

impl Queue {
    pub(super) fn new(mut answers: Vec<Arc<[u8]>>) -> Queue {
        answers.reverse();
        Queue { answers }
    }

    fn answer(&mut self) -> Result<Answer, Errno> {
        let bytes = self.answers.pop().ok_or(Errno::Io)?;
        postcard::from_bytes(&bytes).unwrap_or(Err(Errno::Io))
    }
}

impl HostIo for Queue {
    fn call(&mut self, _: &Call<'_>) -> Result<Answer, Errno> {
        self.answer()
    }

    fn embedded(&mut self, _: &mut dyn FnMut() -> Effects) -> Effects {
        match self.answer() {
            Ok(Answer::Embedded(effects)) => effects,
            _ => Effects::trap("the trace has no answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::io::{Node, Position};

    /// Answers with its next number of bytes, and counts.
    struct Source {
        lens: Vec<usize>,
        asked: usize,
    }

    impl HostIo for Source {
        fn call(&mut self, _: &Call<'_>) -> Result<Answer, Errno> {
            self.asked += 1;
            match self.lens.get(self.asked - 1) {
                Some(&len) => Ok(Answer::Bytes(vec![7; len])),
                None => Err(Errno::Nospc),
            }
        }
    }

    const READ: Call<'_> = Call::Read {
        node: Node::STDIN,
        position: Position::Stream,
        len: 9,
    };

    fn record(lens: &[usize], calls: usize) -> (Inputs, Vec<Result<Answer, Errno>>) {
        let source = Source {
            lens: lens.to_vec(),
            asked: 0,
        };
        let mut recorder = Recorder::new(Box::new(source));
        let answers = (0..calls).map(|_| recorder.call(&READ)).collect();
        (recorder.finish().1, answers)
    }

    #[test]
    fn answers_come_again_in_order_repeats_and_errors_included() {
        let (inputs, first) = record(&[3, 3, 3, 1, 3], 8);
        assert_eq!(first[7], Err(Errno::Nospc));
        assert_eq!(inputs.answers.len(), 4, "repeats are kept once");
        let mut player = Player::new(inputs);
        let second: Vec<_> = first.iter().map(|_| player.call(&READ)).collect();
        assert_eq!(first, second);
        assert_eq!(player.call(&READ), Err(Errno::Io));
    }

    #[test]
    fn too_much_input_is_let_go() {
        let (inputs, _) = record(&[KEPT / 2, KEPT / 2 + 1, 1], 3);
        assert!(!inputs.complete());
        assert!(inputs.answers.is_empty());
    }

    #[test]
    fn inputs_can_be_stored() {
        let (inputs, _) = record(&[3, 1], 4);
        let bytes = postcard::to_stdvec(&inputs).expect("plain data");
        assert_eq!(postcard::from_bytes(&bytes), Ok(inputs));
    }
}
