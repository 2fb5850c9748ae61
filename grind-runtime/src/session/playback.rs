//! Playing a trace back: it is the scheduler and the host of a run, and compares what the run does with what it did.
//!
//! Everything of a trace is in the order in which it happened, so that each question of the run has one next entry that
//! answers it. The first entry that does not fit is where the runs diverge.

use super::ExitCode;
use crate::machine::io::{Answer, Call, DriverAct, Errno, HostIo, Node};
use crate::model::{Control, Driven, Event, EventKind, EventSink, Flow, Records, Slice, ThreadId};
use crate::program::embedder::Effects;
use crate::schedule::{Point, PointKind, Scheduler};
use crate::trace::{Detail, Entry, TraceEnd, TraceError, TraceReader};
use std::fmt::Display;
use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a trace comes from.
pub type TraceInput = Box<dyn Read + Send>;

/// The first difference between a run and its trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the run differs from its trace at event {event}\n  recorded: {recorded}\n  replayed: {replayed}"
)]
pub struct Divergence {
    /// Number of the event that would have come next, counted from 1.
    pub event: u64,
    /// What the trace has.
    pub recorded: String,
    /// What the run did.
    pub replayed: String,
}

/// How far a replay came.
#[derive(Debug)]
pub(super) enum Played {
    /// To the end of the trace, or as far as the run was let.
    Whole,
    /// The trace is truncated there.
    Truncated,
    Diverged(Divergence),
    Unreadable(TraceError),
}

struct State {
    reader: TraceReader<TraceInput>,
    next: Option<Entry>,
    /// Points since the last entry at which the current thread kept its slice.
    kept: u64,
    words: u64,
    events: u64,
    /// Words when the last entry was taken; what the next chunk says there were.
    words_at_entry: u64,
    chunk: (u64, u64),
    /// The driver acted in the run.
    driven: bool,
    result: Option<Played>,
    control: Arc<Control>,
}

/// A trace that is played back. The run has one thread of the host, so that nobody ever waits for the lock.
#[derive(Clone)]
pub(super) struct Playback(Arc<Mutex<State>>);

/// Words of a slice when there is nobody left to ask: enough to come to the next point.
const FALLBACK_WORDS: u32 = 64;

impl State {
    /// Ends the run, the first reason counts.
    fn end(&mut self, result: Played) {
        self.result.get_or_insert(result);
        self.control.request_stop();
    }

    fn diverge(&mut self, replayed: &dyn Display) {
        let recorded = match &self.next {
            Some(Entry::Event(event)) => event.to_string(),
            Some(Entry::Slice { slice, .. }) => format!("a switch to {}", slice.thread),
            Some(Entry::Random(_)) => "random bits for the guest".to_owned(),
            Some(Entry::Input(_)) => "an answer of the host".to_owned(),
            Some(Entry::Act { .. }) => "an act of the driver".to_owned(),
            Some(Entry::Records(thread)) => format!("accesses of {thread}"),
            None => "the end".to_owned(),
        };
        self.end(Played::Diverged(Divergence {
            event: self.events + 1,
            recorded,
            replayed: replayed.to_string(),
        }));
    }

    /// Reads ahead; false at the end, or once something went wrong.
    fn load(&mut self) -> bool {
        if self.result.is_some() {
            return false;
        }
        if self.next.is_some() {
            return true;
        }
        match self.reader.next_entry() {
            Ok(entry) => self.next = entry,
            Err(error) => self.end(Played::Unreadable(error)),
        }
        if matches!(self.next, Some(Entry::Act { .. })) {
            // It comes at a tick of its own, before whatever the run asks next.
            self.control.interrupt();
        }
        if self.next.is_none() {
            let end = match self.reader.end() {
                Some(TraceEnd::Truncated) => Played::Truncated,
                _ => Played::Whole,
            };
            self.end(end);
            return false;
        }
        let chunk = self.reader.counts();
        if chunk != self.chunk {
            self.chunk = chunk;
            if chunk != (self.words_at_entry, self.events) {
                let was = chunk.0;
                let is = self.words_at_entry;
                self.end(Played::Diverged(Divergence {
                    event: self.events + 1,
                    recorded: format!("{was} words of accesses and calls before it"),
                    replayed: format!("{is} of them"),
                }));
                return false;
            }
        }
        true
    }

    /// The next entry has happened. The one behind it is read at once where it may be an act of the driver, for which the run is left.
    fn take(&mut self) {
        self.next = None;
        self.kept = 0;
        self.words_at_entry = self.words;
        if self.driven {
            self.load();
        }
    }

    /// What the driver did next, if that is what comes next.
    fn act(&mut self) -> Option<(u64, DriverAct)> {
        if !self.load() {
            return None;
        }
        let Some(Entry::Act { tick, bytes }) = &self.next else {
            return None;
        };
        match postcard::from_bytes(bytes) {
            Ok(act) => Some((*tick, act)),
            Err(_) => {
                self.diverge(&"an act that this grind does not know");
                None
            }
        }
    }

    fn slice(&mut self, point: &Point<'_>) -> Slice {
        let stay = Slice {
            thread: point.current.unwrap_or(point.runnable[0]),
            words: point.remaining.max(FALLBACK_WORDS),
        };
        if !self.load() {
            return stay;
        }
        match self.next {
            Some(Entry::Slice { kept, slice }) if kept == self.kept => {
                if !point.runnable.contains(&slice.thread) || slice.words == 0 {
                    self.diverge(&format_args!("{} cannot run", slice.thread));
                    return stay;
                }
                self.take();
                slice
            }
            _ => match point.current {
                Some(thread) if point.kind != PointKind::Blocked && point.remaining > 0 => {
                    self.kept += 1;
                    let words = point.remaining;
                    Slice { thread, words }
                }
                _ => {
                    // A run that was ended from outside between two accesses, of a loop that makes none above all.
                    match self.stop_here() {
                        Flow::Halt => self.control.request_stop(),
                        Flow::Continue => self.diverge(&"a choice of the next thread"),
                    }
                    stay
                }
            },
        }
    }

    fn random(&mut self) -> u64 {
        if !self.load() {
            return 0;
        }
        let Some(Entry::Random(bits)) = self.next else {
            match self.stop_here() {
                Flow::Halt => self.control.request_stop(),
                Flow::Continue => self.diverge(&"random bits for the guest"),
            }
            return 0;
        };
        self.take();
        bits
    }

    fn input(&mut self) -> Result<Answer, Errno> {
        if !self.load() {
            return Err(Errno::Io);
        }
        let answer = match &self.next {
            Some(Entry::Input(bytes)) => postcard::from_bytes(bytes).ok(),
            _ => None,
        };
        let Some(answer) = answer else {
            self.diverge(&"a question to the host");
            return Err(Errno::Io);
        };
        self.take();
        answer
    }

    fn event(&mut self, event: &Event) -> Flow {
        if !self.load() {
            return Flow::Halt;
        }
        if !matches!(&self.next, Some(Entry::Event(recorded)) if recorded == event) {
            match event.kind {
                // Somebody has seen enough.
                EventKind::Stop { .. } => self.end(Played::Whole),
                // Traces before format 1.3 have none.
                EventKind::Panicked { .. } => return Flow::Continue,
                _ => self.diverge(event),
            }
            return Flow::Halt;
        }
        self.events += 1;
        self.take();
        self.stop_here()
    }

    /// Whether the recorded run was ended from outside at this place.
    fn stop_here(&mut self) -> Flow {
        if self.load()
            && let Some(Entry::Event(Event {
                kind: EventKind::Stop { words },
                ..
            })) = self.next
            && words <= self.words
        {
            return Flow::Halt;
        }
        Flow::Continue
    }

    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow {
        self.words += records.words().len() as u64;
        if self.reader.header().detail == Detail::Light {
            return self.stop_here();
        }
        if !self.load() {
            return Flow::Halt;
        }
        let same = matches!(self.next, Some(Entry::Records(of)) if of == thread)
            && self.reader.records().words() == records.words();
        if !same {
            self.diverge(&format_args!("other accesses of {thread}"));
            return Flow::Halt;
        }
        self.take();
        self.stop_here()
    }
}

impl Playback {
    /// Plays this; stops the run through `control` where the trace ends.
    pub(super) fn new(reader: TraceReader<TraceInput>, control: Arc<Control>) -> Playback {
        let driven = reader.header().driven != Driven::ByNobody;
        Playback(Arc::new(Mutex::new(State {
            reader,
            next: None,
            kept: 0,
            words: 0,
            events: 0,
            words_at_entry: 0,
            chunk: (0, 0),
            driven,
            result: None,
            control,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How it went; `ended` says that the run came to an end of its own, where the trace has to end as well.
    pub(super) fn finish(&self, ended: bool) -> Played {
        let mut state = self.state();
        if ended && state.load() {
            state.diverge(&"the end of the run");
        }
        state.result.take().unwrap_or(Played::Whole)
    }
}

impl Playback {
    /// Whether what ended the recorded run from outside was its time-out or a signal. The event does not say, but how it ended
    /// does: a run that ended at its first finding has one.
    pub(super) fn was_timed_out(&self) -> bool {
        let reader = &mut self.state().reader;
        while let Ok(Some(_)) = reader.next_entry() {}
        let stopped = |code| {
            ExitCode::ALL
                .iter()
                .any(|one| one.code() == code && one.is_stop())
        };
        matches!(reader.end(), Some(TraceEnd::Complete(footer)) if stopped(footer.exit_code))
    }
}

impl std::fmt::Debug for Playback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Playback")
    }
}

impl Scheduler for Playback {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        self.state().slice(point)
    }

    fn random(&mut self) -> u64 {
        self.state().random()
    }
}

impl EventSink for Playback {
    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow {
        self.state().records(thread, records)
    }

    fn event(&mut self, event: &Event) -> Flow {
        self.state().event(event)
    }
}

/// The host of a replay. What the guest prints is printed again, by `echo`.
pub(super) struct PlaybackIo {
    pub(super) playback: Playback,
    pub(super) echo: Box<dyn HostIo>,
}

impl HostIo for PlaybackIo {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        let answer = self.playback.state().input();
        if let Call::Write { node, .. } = *call
            && (node == Node::STDOUT || node == Node::STDERR)
            && answer.is_ok()
        {
            // What the guest sees is what was recorded, whatever becomes of this.
            let _ = self.echo.call(call);
        }
        answer
    }

    fn embedded(&mut self, _: &mut dyn FnMut() -> Effects) -> Effects {
        match self.playback.state().input() {
            Ok(Answer::Embedded(effects)) => effects,
            _ => Effects::trap("the trace has no answer"),
        }
    }

    fn driven(&mut self, _: u64, _: &DriverAct) {
        let mut state = self.playback.state();
        // Behind the end of the trace, the driver ends of itself.
        if matches!(state.next, Some(Entry::Act { .. })) {
            state.take();
        }
    }

    fn next_act(&mut self) -> Option<(u64, DriverAct)> {
        self.playback.state().act()
    }

    fn idle(&mut self) {
        let mut state = self.playback.state();
        if state.stop_here() == Flow::Halt {
            state.control.request_stop();
        }
    }
}
