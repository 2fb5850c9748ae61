//! Trace Event Format, as Perfetto and `chrome://tracing` open it: one track per thread, locks and waits as slices on
//! it, and flow arrows for what orders threads (`model/lanes.rs`).
//!
//! Time is the number of the event, as microseconds: the order is what matters, and a run on one processor has no other
//! time that is exact.

use super::InteropError;
use crate::model::lanes::{Arrow, Drawn, Lanes, Slice};
use crate::model::{EventKind, ThreadId};
use crate::trace::{Entry, TraceReader};
use serde_json::{Value, json};
use std::io::{Read, Write};

struct Chrome<W> {
    out: W,
    first: bool,
    arrows: u64,
}

/// Writes a trace.
///
/// # Errors
/// [`InteropError`].
pub fn write<R: Read>(mut trace: TraceReader<R>, out: impl Write) -> Result<(), InteropError> {
    let mut chrome = Chrome {
        out,
        first: true,
        arrows: 0,
    };
    chrome
        .out
        .write_all(b"{\"displayTimeUnit\":\"ns\",\"traceEvents\":[")?;
    let process = json!({"name": String::from_utf8_lossy(&trace.header().module)});
    chrome.put(&json!({"ph": "M", "pid": 1, "name": "process_name", "args": process}))?;
    let mut lanes = Lanes::default();
    let mut now = 0;
    while let Some(entry) = trace.next_entry()? {
        let Entry::Event(event) = entry else {
            continue;
        };
        now += 1;
        if event.kind == EventKind::ThreadStart {
            chrome.name(event.thread, &event.thread.to_string())?;
        }
        for drawn in lanes.event(event.thread, &event.kind, now) {
            chrome.draw(drawn, event.thread, &event.kind, now)?;
        }
    }
    for drawn in lanes.finish() {
        if let Drawn::End(thread) = drawn {
            chrome.end(thread, now + 1)?;
        }
    }
    chrome.out.write_all(b"\n]}\n")?;
    Ok(chrome.out.flush()?)
}

impl<W: Write> Chrome<W> {
    fn put(&mut self, value: &Value) -> Result<(), InteropError> {
        self.out
            .write_all(if self.first { b"\n" } else { b",\n" })?;
        self.first = false;
        serde_json::to_writer(&mut self.out, value).map_err(std::io::Error::from)?;
        Ok(())
    }

    fn name(&mut self, thread: ThreadId, name: &str) -> Result<(), InteropError> {
        let args = json!({"name": name});
        self.put(
            &json!({"ph": "M", "pid": 1, "tid": thread.0, "name": "thread_name", "args": args}),
        )
    }

    fn end(&mut self, thread: ThreadId, now: u64) -> Result<(), InteropError> {
        self.put(&json!({"ph": "E", "pid": 1, "tid": thread.0, "ts": now}))
    }

    fn draw(
        &mut self,
        drawn: Drawn,
        thread: ThreadId,
        kind: &EventKind,
        now: u64,
    ) -> Result<(), InteropError> {
        match drawn {
            Drawn::Name(of, name) => self.name(of, &format!("{of} {name}")),
            Drawn::Begin(thread, slice, text) => {
                let category = match slice {
                    Slice::Lock => "lock",
                    Slice::Wait => "wait",
                };
                self.put(&json!({"ph": "B", "pid": 1, "tid": thread.0, "ts": now, "cat": category, "name": text}))
            }
            Drawn::End(thread) => self.end(thread, now),
            Drawn::Arrow(arrow, from, to) => {
                let name = match arrow {
                    Arrow::Create => "create",
                    Arrow::Join => "join",
                    Arrow::Lock => "lock",
                    Arrow::Notify => "notify",
                };
                self.arrows += 1;
                let id = self.arrows;
                self.put(&json!({"ph": "s", "pid": 1, "tid": from.0.0, "ts": from.1, "id": id, "cat": "edge", "name": name}))?;
                self.put(&json!({"ph": "f", "bp": "e", "pid": 1, "tid": to.0.0, "ts": to.1, "id": id, "cat": "edge", "name": name}))
            }
            Drawn::Moment => self.put(&json!({"ph": "X", "dur": 1, "pid": 1, "tid": thread.0, "ts": now, "cat": kind.name(), "name": kind.to_string()})),
        }
    }
}
