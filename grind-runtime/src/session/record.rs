//! Recording: what the scheduler decides, the host answers and the sink is told goes to one trace, in order.

use crate::detect::LiveAnalysis;
use crate::machine::io::{Answer, Call, DriverAct, Errno, HostIo};
use crate::model::sites::SiteTable;
use crate::model::{Event, EventSink, Flow, Records, Slice, ThreadId};
use crate::program::embedder::Effects;
use crate::schedule::{Point, Scheduler};
use crate::trace::TraceWriter;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where a trace goes.
pub type TraceOutput = Box<dyn Write + Send>;

/// A trace that is being written. The run has one thread of the host, so that nobody ever waits for the lock.
#[derive(Clone)]
pub(crate) struct Recording(Arc<Mutex<TraceWriter<TraceOutput>>>);

impl Recording {
    pub(crate) fn new(writer: TraceWriter<TraceOutput>) -> Recording {
        Recording(Arc::new(Mutex::new(writer)))
    }

    fn writer(&self) -> MutexGuard<'_, TraceWriter<TraceOutput>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer, when all that write to it are gone.
    pub(crate) fn into_writer(self) -> Option<TraceWriter<TraceOutput>> {
        let mutex = Arc::into_inner(self.0)?;
        Some(mutex.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn scheduler(&self, inner: Box<dyn Scheduler>) -> Box<dyn Scheduler> {
        let recording = self.clone();
        Box::new(RecordedScheduler { inner, recording })
    }

    pub(super) fn io(&self, inner: Box<dyn HostIo>) -> Box<dyn HostIo> {
        let recording = self.clone();
        Box::new(RecordedIo { inner, recording })
    }
}

struct RecordedScheduler {
    inner: Box<dyn Scheduler>,
    recording: Recording,
}

impl std::fmt::Debug for RecordedScheduler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

impl Scheduler for RecordedScheduler {
    fn next(&mut self, point: &Point<'_>) -> Slice {
        let slice = self.inner.next(point);
        let mut writer = self.recording.writer();
        if point.keeps(slice) {
            writer.kept();
        } else {
            writer.slice(slice);
        }
        slice
    }

    fn random(&mut self) -> u64 {
        let bits = self.inner.random();
        self.recording.writer().random(bits);
        bits
    }
}

pub(super) struct RecordedIo {
    inner: Box<dyn HostIo>,
    recording: Recording,
}

impl RecordedIo {
    pub(super) fn into_inner(self) -> Box<dyn HostIo> {
        self.inner
    }

    fn answered(&self, answer: &Result<Answer, Errno>) {
        // It fails only where a value has no serial form, and every answer has one.
        let bytes = postcard::to_stdvec(answer).unwrap_or_default();
        self.recording.writer().input(bytes);
    }
}

impl HostIo for RecordedIo {
    fn call(&mut self, call: &Call<'_>) -> Result<Answer, Errno> {
        let answer = self.inner.call(call);
        self.answered(&answer);
        answer
    }

    fn embedded(&mut self, run: &mut dyn FnMut() -> Effects) -> Effects {
        let effects = self.inner.embedded(run);
        self.answered(&Ok(Answer::Embedded(effects.clone())));
        effects
    }

    fn driven(&mut self, tick: u64, act: &DriverAct) {
        self.inner.driven(tick, act);
        // As above.
        let bytes = postcard::to_stdvec(act).unwrap_or_default();
        self.recording.writer().act(tick, bytes);
    }

    fn next_act(&mut self) -> Option<(u64, DriverAct)> {
        self.inner.next_act()
    }

    fn idle(&mut self) {
        self.inner.idle();
    }
}

/// All who listen to a run.
pub(super) struct Audience {
    pub(super) others: Vec<Box<dyn EventSink>>,
    pub(super) recording: Option<Recording>,
    /// Knows the calls that a trace says of an event.
    pub(super) analysis: LiveAnalysis,
}

fn all(
    others: &mut [Box<dyn EventSink>],
    mut tell: impl FnMut(&mut dyn EventSink) -> Flow,
) -> Flow {
    let mut flow = Flow::Continue;
    for sink in others {
        if tell(&mut **sink) == Flow::Halt {
            flow = Flow::Halt;
        }
    }
    flow
}

impl EventSink for Audience {
    fn records(&mut self, thread: ThreadId, records: Records<'_>) -> Flow {
        let flow = all(&mut self.others, |sink| sink.records(thread, records));
        if let Some(recording) = &self.recording {
            recording.writer().records(thread, records);
        }
        match self.analysis.records(thread, records) {
            Flow::Continue => flow,
            Flow::Halt => Flow::Halt,
        }
    }

    fn sites(&mut self, sites: &Arc<SiteTable>) {
        for sink in &mut self.others {
            sink.sites(sites);
        }
        self.analysis.sites(sites);
    }

    fn event(&mut self, event: &Event) -> Flow {
        let flow = all(&mut self.others, |sink| sink.event(event));
        if let Some(recording) = &self.recording {
            recording
                .writer()
                .event(event, self.analysis.calls(event.thread));
        }
        match self.analysis.event(event) {
            Flow::Continue => flow,
            Flow::Halt => Flow::Halt,
        }
    }
}
