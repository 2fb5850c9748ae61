//! What happened, as bytes: a tag and its fields. Numbers are LEB128 varints, signed ones zigzagged before.

use super::known::{Known, Numbers};
use super::regions::Predictor;
use super::stacks::{Interner, Thread, Tree, Written};
use crate::model::bytes::{Bytes, put};
use crate::model::sites::{SiteId, SiteTable};
use crate::model::{Event, EventKind, Records, Slice, ThreadId};
use std::sync::Arc;

/// One thing that happened, in the order of the run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The scheduler decided.
    Slice {
        /// How often it had let the current thread go on with its slice, since the entry before this one.
        kept: u64,
        /// Its decision.
        slice: Slice,
    },
    /// The scheduler gave random bits to the guest.
    Random(u64),
    /// The host answered.
    Input(Arc<[u8]>),
    /// A thread's plain accesses and calls, which are [`TraceReader::records`](super::TraceReader::records).
    Records(ThreadId),
    /// The driver of the machine did something.
    Act {
        /// How many places there were before at which it could have.
        tick: u64,
        /// What, as postcard has it.
        bytes: Arc<[u8]>,
    },
    /// Anything else.
    Event(Event),
}

/// Threads of a run at most; more is corrupt.
const MAX_THREADS: u64 = 1 << 20;
/// Bytes of an input in one piece.
pub(super) const PIECE: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
#[repr(u8)]
enum Tag {
    /// thread: whose the events and records from here on are.
    Thread,
    /// kept, thread, words
    Slice,
    /// 8 bytes
    Random,
    /// length, bytes: an input
    Input,
    /// length, bytes: an input that goes on
    InputPart,
    /// The last input again.
    InputAgain,
    /// See [`super::regions`].
    Records,
    /// node: the thread's stack from here on.
    Stack,
    /// parent, site: a new node, and the thread's stack from here on.
    NewStack,
    /// An [`EventKind`] as postcard has it.
    Event,
    /// number: an event that was there, and the thread's stack from here on. See [`super::known`].
    Known,
    /// tick, length, bytes
    Act,
}

const TAGS: [Tag; 12] = [
    Tag::Thread,
    Tag::Slice,
    Tag::Random,
    Tag::Input,
    Tag::InputPart,
    Tag::InputAgain,
    Tag::Records,
    Tag::Stack,
    Tag::NewStack,
    Tag::Event,
    Tag::Known,
    Tag::Act,
];

/// A tag with this bit is a [`Tag::Slice`] of few `kept` (bits 4 to 6) and a low thread (bits 0 to 3), of which the
/// records and events that follow are as well. Half of the entries of a run with many locks are slices, at random: each
/// byte of one is a byte in the file.
const SHORT: u8 = 1 << 7;
const SHORT_KEPT: u64 = 1 << 3;
const SHORT_THREAD: u32 = 1 << 4;

/// One of each thread.
#[derive(Debug)]
struct PerThread<T>(Vec<T>);

impl<T: Clone + Default> PerThread<T> {
    fn of(&mut self, thread: ThreadId) -> &mut T {
        let index = thread.0 as usize;
        if index >= self.0.len() {
            self.0.resize(index + 1, T::default());
        }
        &mut self.0[index]
    }
}

/// Turns what happens into bytes.
#[derive(Debug)]
pub(super) struct Encoder {
    /// Of accesses and calls, if they are written.
    predictor: Option<Predictor>,
    /// Whose the events and records are.
    current: ThreadId,
    written: PerThread<Written>,
    interner: Interner,
    known: Numbers,
    kept: u64,
    last_input: Arc<[u8]>,
}

impl Encoder {
    pub(super) fn new(sites: &SiteTable, full: bool) -> Self {
        Encoder {
            predictor: full.then(|| Predictor::new(sites)),
            current: ThreadId::default(),
            written: PerThread(Vec::new()),
            interner: Interner::default(),
            known: Numbers::default(),
            kept: 0,
            last_input: Arc::default(),
        }
    }

    fn tag(&mut self, out: &mut Vec<u8>, tag: Tag) {
        self.kept = 0;
        out.push(tag as u8);
    }

    fn switch(&mut self, out: &mut Vec<u8>, thread: ThreadId) {
        if thread != self.current {
            self.current = thread;
            self.tag(out, Tag::Thread);
            put(out, thread.0.into());
        }
    }

    /// The scheduler let the current thread go on with what it had left.
    pub(super) fn kept(&mut self) {
        self.kept += 1;
    }

    pub(super) fn slice(&mut self, out: &mut Vec<u8>, slice: Slice) {
        let (kept, thread) = (self.kept, slice.thread);
        if kept < SHORT_KEPT && thread.0 < SHORT_THREAD {
            self.kept = 0;
            self.current = thread;
            out.push(SHORT | (kept as u8) << 4 | thread.0 as u8);
        } else {
            self.tag(out, Tag::Slice);
            put(out, kept);
            put(out, thread.0.into());
        }
        put(out, slice.words.into());
    }

    pub(super) fn random(&mut self, out: &mut Vec<u8>, bits: u64) {
        self.tag(out, Tag::Random);
        out.extend(bits.to_le_bytes());
    }

    /// `flush` is called where the bytes may go to a chunk of their own.
    pub(super) fn input(
        &mut self,
        out: &mut Vec<u8>,
        input: Vec<u8>,
        mut flush: impl FnMut(&mut Vec<u8>),
    ) {
        if *input == *self.last_input && !input.is_empty() {
            return self.tag(out, Tag::InputAgain);
        }
        let mut rest = &input[..];
        loop {
            let (piece, more) = rest.split_at(rest.len().min(PIECE));
            self.tag(
                out,
                if more.is_empty() {
                    Tag::Input
                } else {
                    Tag::InputPart
                },
            );
            put(out, piece.len() as u64);
            out.extend(piece);
            rest = more;
            if rest.is_empty() {
                break;
            }
            flush(out);
        }
        self.last_input = input.into();
    }

    pub(super) fn act(&mut self, out: &mut Vec<u8>, tick: u64, act: &[u8]) {
        self.tag(out, Tag::Act);
        put(out, tick);
        put(out, act.len() as u64);
        out.extend(act);
    }

    pub(super) fn records(&mut self, out: &mut Vec<u8>, thread: ThreadId, records: Records<'_>) {
        if self.predictor.is_some() {
            self.switch(out, thread);
            self.tag(out, Tag::Records);
        }
        if let Some(predictor) = &mut self.predictor {
            predictor.encode(out, thread, records);
        }
    }

    /// `calls` are those of the event's thread, outermost first. A full trace has them already.
    pub(super) fn event(&mut self, out: &mut Vec<u8>, event: &Event, calls: &[SiteId]) {
        self.switch(out, event.thread);
        let (node, moved) = match self.predictor {
            Some(_) => (0, false),
            None => self.place(out, event.thread, calls),
        };
        if let Some(number) = self.known.find(node, &event.kind) {
            self.tag(out, Tag::Known);
            put(out, number.into());
            return;
        }
        if moved {
            self.tag(out, Tag::Stack);
            put(out, node.into());
        }
        self.tag(out, Tag::Event);
        let start = out.len();
        let taken = std::mem::take(out);
        // It fails only where a value has no serial form, and every event has one.
        *out = postcard::to_extend(&event.kind, taken).unwrap_or_default();
        let len = out.len().saturating_sub(start);
        self.known.add(node, &event.kind, len);
    }

    /// Where the thread is, and whether that has yet to be written: not if it is a new place.
    fn place(&mut self, out: &mut Vec<u8>, thread: ThreadId, calls: &[SiteId]) -> (u32, bool) {
        let written = self.written.of(thread);
        let before = written.node;
        let mut made = false;
        self.interner.tell(written, calls, |parent, site| {
            out.push(Tag::NewStack as u8);
            put(out, parent.into());
            put(out, site.0.into());
            made = true;
        });
        let node = written.node;
        if made {
            self.kept = 0;
        }
        // At the limit of nodes, the last one made is not where the thread is.
        let moved = if made { node == 0 } else { node != before };
        (node, moved)
    }
}

/// Turns bytes into what happened.
#[derive(Debug)]
pub(super) struct Decoder {
    sites: Arc<SiteTable>,
    predictor: Option<Predictor>,
    current: ThreadId,
    threads: PerThread<Thread>,
    tree: Tree,
    known: Known,
    input: Arc<[u8]>,
    /// Pieces of an input that is not yet whole.
    parts: Vec<u8>,
    words: Vec<u32>,
    entry: Entry,
    /// Whether [`Decoder::stack`] is asked for in a full trace.
    follows: bool,
}

/// Bytes of an input at most; a guest's memory is no larger.
const LARGEST_INPUT: u64 = 1 << 32;

impl Decoder {
    pub(super) fn new(sites: Arc<SiteTable>, full: bool) -> Self {
        Decoder {
            predictor: full.then(|| Predictor::new(&sites)),
            sites,
            current: ThreadId::default(),
            threads: PerThread(Vec::new()),
            tree: Tree::default(),
            known: Known::default(),
            input: Arc::default(),
            parts: Vec::new(),
            words: Vec::new(),
            entry: Entry::Random(0),
            follows: true,
        }
    }

    /// Calls of a full trace are not followed from here on.
    pub(super) fn ignore_calls(&mut self) {
        self.follows = false;
    }

    /// The last entry.
    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The last entry, if this is asked once.
    pub(super) fn take_entry(&mut self) -> Entry {
        std::mem::replace(&mut self.entry, Entry::Random(0))
    }

    pub(super) fn sites(&self) -> &Arc<SiteTable> {
        &self.sites
    }

    /// Whether an input is not yet whole.
    pub(super) fn within_input(&self) -> bool {
        !self.parts.is_empty()
    }

    /// The last records.
    pub(super) fn records(&self) -> Records<'_> {
        Records::new(&self.words, &self.sites)
    }

    /// The stack of the thread of the last entry, innermost call first.
    pub(super) fn stack(&self, thread: ThreadId) -> Vec<SiteId> {
        let Some(state) = self.threads.0.get(thread.0 as usize) else {
            return Vec::new();
        };
        match self.predictor {
            Some(_) => state.stack().collect(),
            None => self.tree.stack(state.written).collect(),
        }
    }

    /// Reads the next entry of these bytes into [`Decoder::entry`]; none where they make no sense.
    pub(super) fn next(&mut self, bytes: &mut Bytes<'_>) -> Option<()> {
        loop {
            let thread = self.current;
            let tag = bytes.byte()?;
            if tag & SHORT != 0 {
                self.current = ThreadId(u32::from(tag) & (SHORT_THREAD - 1));
                let kept = u64::from(tag >> 4) & (SHORT_KEPT - 1);
                let slice = Slice {
                    thread: self.current,
                    words: bytes.u32()?,
                };
                self.entry = Entry::Slice { kept, slice };
                return Some(());
            }
            match TAGS.get(usize::from(tag))? {
                Tag::Thread => {
                    let thread = bytes.varint().filter(|&thread| thread < MAX_THREADS)?;
                    self.current = ThreadId(thread as u32);
                }
                Tag::Slice => {
                    let kept = bytes.varint()?;
                    let slice = Slice {
                        thread: ThreadId(bytes.u32()?),
                        words: bytes.u32()?,
                    };
                    self.entry = Entry::Slice { kept, slice };
                    return Some(());
                }
                Tag::Random => {
                    let bits = bytes.take(8)?.try_into().ok()?;
                    self.entry = Entry::Random(u64::from_le_bytes(bits));
                    return Some(());
                }
                Tag::Input => {
                    let len = bytes.varint()?;
                    self.parts.extend(bytes.take(len)?);
                    self.input = std::mem::take(&mut self.parts).into();
                    self.entry = Entry::Input(Arc::clone(&self.input));
                    return Some(());
                }
                Tag::InputPart => {
                    let len = bytes.varint()?;
                    self.parts.extend(bytes.take(len)?);
                    if self.parts.len() as u64 > LARGEST_INPUT {
                        return None;
                    }
                }
                Tag::Act => {
                    let tick = bytes.varint()?;
                    let len = bytes.varint()?;
                    let bytes = bytes.take(len)?.into();
                    self.entry = Entry::Act { tick, bytes };
                    return Some(());
                }
                Tag::InputAgain => {
                    self.entry = Entry::Input(Arc::clone(&self.input));
                    return Some(());
                }
                Tag::Records => {
                    let predictor = self.predictor.as_mut()?;
                    predictor.decode(bytes, thread, &mut self.words)?;
                    if self.follows {
                        let records = Records::new(&self.words, &self.sites);
                        self.threads.of(thread).records(records, &self.sites);
                    }
                    self.entry = Entry::Records(thread);
                    return Some(());
                }
                Tag::Stack => {
                    let node = bytes.u32().filter(|&node| self.tree.contains(node))?;
                    self.threads.of(thread).written = node;
                }
                Tag::NewStack => {
                    let parent = bytes.u32()?;
                    let site = bytes
                        .u32()
                        .filter(|&site| (site as usize) < self.sites.len())?;
                    self.threads.of(thread).written = self.tree.add(parent, SiteId(site))?;
                }
                Tag::Event => {
                    let (kind, rest) = postcard::take_from_bytes(bytes.rest()).ok()?;
                    let len = bytes.len() - rest.len();
                    *bytes = Bytes::new(rest);
                    if !sites_of(&kind).all(|site| (site.0 as usize) < self.sites.len()) {
                        return None;
                    }
                    let node = self.threads.of(thread).written;
                    self.known.add(node, &kind, len);
                    self.event(kind);
                    return Some(());
                }
                Tag::Known => {
                    let (node, kind) = self.known.get(bytes.varint()?)?;
                    let kind = kind.clone();
                    self.threads.of(thread).written = *node;
                    self.event(kind);
                    return Some(());
                }
            }
        }
    }

    fn event(&mut self, kind: EventKind) {
        let thread = self.current;
        if matches!(kind, EventKind::ThreadExit(_)) {
            self.threads.of(thread).end();
        }
        self.entry = Entry::Event(Event { thread, kind });
    }
}

/// The sites that an event names.
fn sites_of(kind: &EventKind) -> impl Iterator<Item = SiteId> + '_ {
    let blocked = match kind {
        EventKind::Deadlock { blocked } => &blocked[..],
        _ => &[],
    };
    let waits = blocked
        .iter()
        .filter_map(|(_, on)| on.futex().map(|(site, _)| site));
    kind.site().into_iter().chain(waits)
}
