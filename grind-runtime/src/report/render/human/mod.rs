//! The report on a terminal, in the manner of rustc and ThreadSanitizer.
//!
//! Everything that comes from the guest (names, paths) is written out as visible characters, so that no name can
//! move a cursor or forge a line. Whether to use colours is for the caller to decide, who knows the
//! terminal, `NO_COLOR` and the command line.

mod end;
mod excerpt;
mod interleaving;
mod page;
mod stack;

pub(in crate::report) use end::{summary_facts, summary_kinds};
#[cfg(feature = "html")]
pub(in crate::report) use excerpt::expression;
pub(in crate::report) use stack::location;
#[cfg(feature = "html")]
pub(in crate::report) use stack::{function, library_frames};

pub use end::{one_line, render_end};

use crate::model::ThreadId;
use crate::program::symbols::{Frame, SymbolSource};
use crate::report::finding::frames::place;
use crate::report::finding::summary::Report;
use crate::report::finding::{
    Access, Blocked, BlockedThread, Creator, Evidence, Finding, FindingKind, HandleMisuse,
    HeapBlock, HeapMisuse, HeldLock, Holder, LockMisuse, LockOrder, MESSAGE_CHARS, Memory, Note,
    Race, ThreadLeak, Trap, WaitsFor, blocked,
};
use crate::report::render::sections;
use crate::report::text;
use crate::report::text::{address_label, hex, thread_label};
use excerpt::Mark;
use page::{Ink, Page, Span};

pub use crate::report::render::options::Options;

/// Lines shown of the message of a panic.
const MAX_MESSAGE_LINES: usize = 20;
/// Marks in an excerpt beyond this number say nothing that the text below does not.
const MAX_MARKS: usize = 6;

/// The whole report: findings, limits, summary. Findings that a baseline
/// knows are only in the summary, unless verbose.
#[must_use]
pub fn render(report: &Report, options: &Options) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        if options.verbose || !finding.is_known() {
            out.push_str(&render_finding(finding, options));
            out.push('\n');
        }
    }
    out.push_str(&render_end(report, options));
    out
}

/// One finding.
#[must_use]
pub fn render_finding(finding: &Finding, options: &Options) -> String {
    let mut page = Page::new(options.color, options.width);
    let mut writer = Writer {
        finding,
        options,
        page: &mut page,
    };
    match &finding.evidence {
        Evidence::Race(race) => writer.race(race),
        Evidence::Blocked(blocked) => writer.blocked(blocked),
        Evidence::LockOrder(order) => writer.lock_order(order),
        Evidence::HeapMisuse(misuse) => writer.heap_misuse(misuse),
        Evidence::Trap(trap) => writer.trap(trap),
        Evidence::ThreadLeak(leak) => writer.leak(leak),
        Evidence::LockMisuse(misuse) => writer.misuse(misuse),
        Evidence::HandleMisuse(misuse) => writer.handle_misuse(misuse),
        Evidence::Note(note) => writer.note(note),
    }
    writer.threads();
    writer.foot();
    page.finish()
}

struct Writer<'a> {
    finding: &'a Finding,
    options: &'a Options,
    page: &'a mut Page,
}

impl<'a> Writer<'a> {
    fn label(&self, id: ThreadId) -> String {
        self.finding.label(id)
    }

    /// Title and excerpt.
    fn head(&mut self, marks: Vec<(Option<&'a Frame>, String)>) {
        let marks: Vec<Mark<'_>> = marks
            .into_iter()
            .filter_map(|(frame, label)| {
                Some(Mark {
                    frame: frame?,
                    label,
                })
            })
            .take(MAX_MARKS)
            .collect();
        let head = excerpt::render(&self.finding.title, &marks, self.options);
        self.page.raw(&head);
    }

    fn stack(&mut self, indent: usize, stack: &[Frame]) {
        stack::print(self.page, indent, stack, self.options);
    }

    fn race(&mut self, race: &'a Race) {
        let numbered = || race.accesses.iter().enumerate();
        self.head(
            numbered()
                .map(|(index, access)| {
                    let who = self.label(access.thread);
                    let label = format!("({}) {} by thread {who}", index + 1, access.describe());
                    (place(&access.stack), label)
                })
                .collect(),
        );
        for (index, access) in numbered() {
            // The title has told the address, if it is the same.
            let told = access.address == race.address && access.size == race.size;
            self.access(Some(index + 1), access, told);
        }
        if let Some(memory) = &race.memory {
            self.memory(race.address, memory);
        }
        if let Some(block) = &race.heap_block {
            self.block(race.address, block);
        }
        if let Some(history) = &race.history {
            interleaving::print(self.page, self.finding, race, history, self.options);
        }
    }

    /// `memory: global `STATE` (8 bytes) + 4`, `memory: stack of thread T0 main, in main (src/main.rs:3:5)`
    fn memory(&mut self, address: u32, memory: &Memory) {
        self.memory_at(None, address, memory);
    }

    /// The same, with the address where nothing else tells it.
    fn memory_at(&mut self, shown: Option<u32>, address: u32, memory: &Memory) {
        let mut what = self.finding.place(memory, address);
        if let Memory::Stack { frame, .. } = memory
            && let Some(at) = frame.as_ref().and_then(|frame| frame.stack.first())
        {
            let function = stack::function(at, self.options);
            let location = stack::location(at, self.options);
            what.push_str(&format!(", in {function} ({location})"));
        }
        self.page.blank();
        let spans = [
            (Ink::Strong, "memory".into()),
            (Ink::Plain, format!("{}: {what}", at(shown))),
        ];
        self.page.line(0, 4, &spans);
    }

    fn heap_misuse(&mut self, misuse: &'a HeapMisuse) {
        let (access, block) = (&misuse.access, &misuse.heap_block);
        let by = |what: &str, thread| format!("{what} by thread {}", self.label(thread));
        let mut marks = vec![(place(&access.stack), by(&access.describe(), access.thread))];
        marks.extend((block.freed.iter()).map(|f| (place(&f.stack), by("freed", f.thread))));
        marks.push((place(&block.stack), by("allocated", block.thread)));
        self.head(marks);
        self.access(None, access, false);
        self.block(access.address, block);
    }

    /// Whose memory it is, and since when it is no more.
    fn block(&mut self, address: u32, block: &HeapBlock) {
        self.block_at(None, address, block);
    }

    /// The same, with the address where nothing else tells it.
    fn block_at(&mut self, shown: Option<u32>, address: u32, block: &HeapBlock) {
        self.page.blank();
        self.page.line(
            0,
            4,
            &[
                (Ink::Strong, "memory".into()),
                (
                    Ink::Plain,
                    format!(
                        "{}: {}",
                        at(shown),
                        sections::memory(self.finding, address, block)
                    ),
                ),
            ],
        );
        self.stack(4, &block.stack);
        if let Some(freed) = &block.freed {
            let by = format!(" by thread {}", self.label(freed.thread));
            self.page
                .line(0, 4, &[(Ink::Strong, "freed".into()), (Ink::Plain, by)]);
            self.stack(4, &freed.stack);
        }
    }

    fn access(&mut self, number: Option<usize>, access: &Access, told: bool) {
        self.page.blank();
        let number = number.map_or_else(String::new, |number| format!("({number}) "));
        let at = if told {
            String::new()
        } else {
            format!(" at {}", hex(access.address))
        };
        self.page.line(
            0,
            4,
            &[
                (Ink::Rail, number),
                (Ink::Strong, access.describe()),
                (
                    Ink::Plain,
                    format!("{at} by thread {}", self.label(access.thread)),
                ),
            ],
        );
        if access.locks.is_empty() {
            self.page
                .line(4, 2, &[(Ink::Faint, "holding no traced lock".into())]);
        }
        for lock in &access.locks {
            self.lock("while holding", lock);
        }
        self.stack(4, &access.stack);
    }

    /// `while holding lock 0x… `A`, taken at src/main.rs:1:2`, and where in full if verbose.
    fn lock(&mut self, how: &str, lock: &HeldLock) {
        let shared = if lock.shared { " (shared)" } else { "" };
        let mut spans = vec![
            (Ink::Plain, format!("{how} lock ")),
            (
                Ink::Strong,
                address_label(lock.address, lock.name.as_deref()),
            ),
            (Ink::Plain, shared.into()),
        ];
        if let Some(frame) = place(&lock.stack) {
            spans.push((Ink::Plain, ", taken ".into()));
            spans.extend(self.spot(frame));
        }
        self.page.line(4, 2, &spans);
        if self.options.verbose {
            self.stack(8, &lock.stack);
        }
    }

    /// `at src/main.rs:1:2` where that is known, else `in app::main at wasm-function[3]:0x1a2`.
    fn spot(&self, frame: &Frame) -> Vec<Span> {
        let place = stack::location(frame, self.options);
        match &frame.function {
            Some(_) if frame.file.is_none() => vec![
                (
                    Ink::Plain,
                    format!("in {} at ", stack::function(frame, self.options)),
                ),
                (Ink::Place, place),
            ],
            _ => vec![(Ink::Plain, "at ".into()), (Ink::Place, place)],
        }
    }

    fn blocked(&mut self, blocked: &'a Blocked) {
        let waits = blocked.principals().map(|thread| {
            let label = format!(
                "{} {}",
                self.label(thread.thread),
                blocked::waits(self.finding, thread, false)
            );
            (place(&thread.stack), label)
        });
        // Where they took what the others wait for.
        let wanted = |address: u32| {
            blocked.principals().any(
                |thread| matches!(thread.waits_for, WaitsFor::Lock { address: a, .. } if a == address),
            )
        };
        let takes = blocked.principals().flat_map(|thread| {
            let locks = thread.locks.iter().filter(|lock| wanted(lock.address));
            locks.map(|lock| {
                let label = format!(
                    "{} took lock {}",
                    self.label(thread.thread),
                    address_label(lock.address, lock.name.as_deref())
                );
                (place(&lock.stack), label)
            })
        });
        let marks = waits.chain(takes).collect();
        self.head(marks);
        if !blocked.cycle.is_empty() {
            self.page.blank();
            self.cycle(blocked);
        }
        let (principals, others): (Vec<_>, Vec<_>) = blocked.threads.iter().partition(|thread| {
            blocked
                .principals()
                .any(|principal| principal.thread == thread.thread)
        });
        for thread in principals.into_iter().chain(others) {
            self.blocked_thread(thread);
        }
        for place in &blocked.places {
            if let Some(memory) = &place.memory {
                self.memory_at(Some(place.address), place.address, memory);
            }
            if let Some(block) = &place.heap_block {
                self.block_at(Some(place.address), place.address, block);
            }
        }
    }

    fn blocked_thread(&mut self, thread: &BlockedThread) {
        self.page.blank();
        self.page.line(
            0,
            4,
            &[
                (Ink::Strong, self.label(thread.thread)),
                (
                    Ink::Plain,
                    format!(" {}", blocked::waits(self.finding, thread, true)),
                ),
            ],
        );
        for lock in &thread.locks {
            self.lock("holds", lock);
        }
        self.stack(4, &thread.stack);
        let details = thread.waits_for.details();
        if let Some(missed) = details.and_then(|details| details.missed.as_ref()) {
            let by = format!(" by {}, when nobody waited", self.label(missed.thread));
            let spans = [(Ink::Strong, "notification".into()), (Ink::Plain, by)];
            self.page.line(0, 4, &spans);
            self.stack(4, &missed.stack);
        }
    }

    /// `T1 `left` → lock 0x… `B` (held by T2 `right`) → lock 0x… `A` (held by T1 `left`)`
    fn cycle(&mut self, blocked: &Blocked) {
        let mut spans = vec![(Ink::Strong, "cycle: ".to_owned())];
        if let Some(first) = blocked.cycle.first() {
            spans.push((Ink::Plain, self.label(*first)));
        }
        for (index, id) in blocked.cycle.iter().enumerate() {
            let next = blocked.cycle[(index + 1) % blocked.cycle.len()];
            let waits_for = blocked
                .threads
                .iter()
                .find(|thread| thread.thread == *id)
                .map(|thread| &thread.waits_for);
            let step = blocked::step(self.finding, waits_for, next);
            spans.push((Ink::Rail, " → ".into()));
            spans.push((Ink::Plain, step));
        }
        self.page.line(0, 7, &spans);
    }

    fn lock_order(&mut self, order: &'a LockOrder) {
        let name = |lock: &HeldLock| address_label(lock.address, lock.name.as_deref());
        let marks = order.edges.iter().map(|edge| {
            let label = format!(
                "{} takes {} while it holds {}",
                self.label(edge.thread),
                name(&edge.taken),
                name(&edge.held)
            );
            (place(&edge.taken.stack), label)
        });
        self.head(marks.collect());
        self.page.blank();
        let mut spans = vec![(Ink::Strong, "cycle: ".to_owned())];
        for edge in &order.edges {
            spans.push((Ink::Plain, name(&edge.held)));
            spans.push((Ink::Rail, " → ".into()));
        }
        spans.extend((order.edges.first()).map(|edge| (Ink::Plain, name(&edge.held))));
        self.page.line(0, 7, &spans);
        for (index, edge) in order.edges.iter().enumerate() {
            let shared = |lock: &HeldLock| if lock.shared { " (shared)" } else { "" };
            self.page.blank();
            self.page.line(
                0,
                4,
                &[
                    (Ink::Rail, format!("({}) ", index + 1)),
                    (Ink::Strong, format!("thread {}", self.label(edge.thread))),
                    (Ink::Plain, " takes lock ".into()),
                    (Ink::Strong, name(&edge.taken)),
                    (Ink::Plain, shared(&edge.taken).into()),
                ],
            );
            self.stack(4, &edge.taken.stack);
            self.page.line(
                2,
                4,
                &[
                    (Ink::Plain, "while it holds lock ".into()),
                    (Ink::Strong, name(&edge.held)),
                    (Ink::Plain, format!("{}, taken", shared(&edge.held))),
                ],
            );
            self.stack(4, &edge.held.stack);
        }
    }

    fn trap(&mut self, trap: &'a Trap) {
        self.head(vec![(place(&trap.stack), "trapped here".to_owned())]);
        self.page.blank();
        let reason = text::shorten(&trap.reason, self.message_chars());
        let reason = format!(" of thread {}: {reason}", self.label(trap.thread));
        let spans = [(Ink::Strong, "trap".into()), (Ink::Plain, reason)];
        self.page.line(0, 4, &spans);
        for lock in &trap.locks {
            self.lock("while holding", lock);
        }
        self.stack(4, &trap.stack);
        self.message(trap);
    }

    fn message_chars(&self) -> usize {
        match self.options.verbose {
            true => usize::MAX,
            false => MESSAGE_CHARS,
        }
    }

    /// The message of a panic, line by line, if the title has less of it.
    fn message(&mut self, trap: &Trap) {
        let Some(message) = &trap.message else {
            return;
        };
        if message.lines().count() <= 2 && !self.finding.title.contains('…') {
            return;
        }
        self.page.blank();
        let spans = [
            (Ink::Strong, "message".into()),
            (Ink::Plain, " on standard error:".into()),
        ];
        self.page.line(0, 4, &spans);
        for line in message.lines().take(MAX_MESSAGE_LINES) {
            let line = text::shorten(line, self.message_chars());
            self.page.line(4, 2, &[(Ink::Plain, line)]);
        }
        let more = message.lines().count().saturating_sub(MAX_MESSAGE_LINES);
        if more > 0 {
            let more = text::count(more as u64, "line more", "lines more");
            self.page.line(4, 0, &[(Ink::Faint, format!("... {more}"))]);
        }
    }

    /// Where they were created follows.
    fn leak(&mut self, leak: &'a ThreadLeak) {
        let label = format!("created here by {}", self.label(leak.creator));
        self.head(vec![(place(&leak.stack), label)]);
    }

    fn misuse(&mut self, misuse: &'a LockMisuse) {
        let (did, done) = match self.finding.kind {
            FindingKind::DestroyHeldLock => ("destroyed", "destruction"),
            FindingKind::CondvarWaitWithoutLock => ("waited with", "wait with"),
            FindingKind::UseAfterDestroy => ("used", "use"),
            FindingKind::DoubleDestroy | FindingKind::DestroyInUse => ("destroyed", "destruction"),
            FindingKind::InitHeldLock => ("initialised", "initialisation"),
            FindingKind::Relock => ("asked for", "request"),
            FindingKind::LockHeldAtThreadEnd => ("taken", "acquisition"),
            _ => ("unlocked", "unlock"),
        };
        let mut marks = vec![(
            place(&misuse.stack),
            format!("{did} by {}", self.label(misuse.thread)),
        )];
        marks.extend(misuse.holders.iter().map(|holder| {
            (
                place(&holder.stack),
                format!("taken by {}", self.label(holder.thread)),
            )
        }));
        marks.extend(misuse.related.iter().map(|related| {
            let did = match self.finding.kind {
                FindingKind::DestroyInUse => format!("{} waits", self.label(related.thread)),
                _ => format!("destroyed by {}", self.label(related.thread)),
            };
            (place(&related.stack), did)
        }));
        self.head(marks);
        let lock = address_label(misuse.address, misuse.name.as_deref());
        let what = misuse.noun();
        let of = match self.finding.kind {
            FindingKind::CondvarWaitWithoutLock => "",
            FindingKind::Relock => " for",
            _ => " of",
        };
        self.page.blank();
        self.page.line(
            0,
            4,
            &[
                (Ink::Strong, done.into()),
                (
                    Ink::Plain,
                    format!("{of} {what} {lock} by thread {}", self.label(misuse.thread)),
                ),
            ],
        );
        self.stack(4, &misuse.stack);
        let unheld = matches!(
            self.finding.kind,
            FindingKind::UnlockNotHeld | FindingKind::CondvarWaitWithoutLock
        );
        if misuse.holders.is_empty() && unheld {
            self.page
                .line(0, 4, &[(Ink::Plain, "nobody holds the lock".into())]);
        }
        for holder in &misuse.holders {
            self.page.blank();
            self.page.line(
                0,
                4,
                &[(
                    Ink::Plain,
                    format!(
                        "the lock is held by thread {}, taken at",
                        self.label(holder.thread)
                    ),
                )],
            );
            self.stack(4, &holder.stack);
        }
        for related in &misuse.related {
            self.context(sections::related_heading(self.finding, related), related);
        }
    }

    fn handle_misuse(&mut self, misuse: &'a HandleMisuse) {
        let did = match self.finding.kind {
            FindingKind::DoubleDetach => "detached",
            _ => "joined",
        };
        let by =
            |finding: &Finding, did: &str, thread| format!("{did} by {}", finding.label(thread));
        let mut marks = vec![(place(&misuse.stack), by(self.finding, did, misuse.thread))];
        marks.extend(misuse.given_up.iter().map(|given_up| {
            let heading = sections::given_up_heading(self.finding, given_up);
            (place(&given_up.stack), heading)
        }));
        self.head(marks);
        self.page.blank();
        let heading = sections::handle_misuse(self.finding, misuse);
        self.page.line(0, 4, &[(Ink::Strong, heading)]);
        self.stack(4, &misuse.stack);
        if let Some(given_up) = &misuse.given_up {
            self.context(sections::given_up_heading(self.finding, given_up), given_up);
        }
    }

    fn note(&mut self, note: &'a Note) {
        let related = note.related.iter();
        let marks = (std::iter::once((place(&note.stack), note.heading.clone())))
            .chain(related.map(|related| (place(&related.stack), related.heading.clone())));
        self.head(marks.collect());
        self.page.blank();
        self.page.line(0, 4, &[(Ink::Strong, note.heading.clone())]);
        self.stack(4, &note.stack);
        for related in &note.related {
            self.page.blank();
            (self.page).line(0, 4, &[(Ink::Plain, related.heading.clone())]);
            self.stack(4, &related.stack);
        }
    }

    /// What happened before, or happens elsewhere, and where.
    fn context(&mut self, heading: String, holder: &'a Holder) {
        self.page.blank();
        self.page.line(0, 4, &[(Ink::Plain, heading)]);
        self.stack(4, &holder.stack);
    }

    /// Where the threads that act in the finding come from.
    fn threads(&mut self) {
        let actors = sections::actors(self.finding);
        // Threads of one origin are told of together.
        let mut origins: Vec<(&Creator, Vec<ThreadId>)> = Vec::new();
        for thread in &self.finding.threads {
            let Some(creator) = &thread.creator else {
                continue;
            };
            if !actors.contains(&thread.id) {
                continue;
            }
            match origins.iter_mut().find(|(known, _)| *known == creator) {
                Some((_, threads)) => threads.push(thread.id),
                None => origins.push((creator, vec![thread.id])),
            }
        }
        // One-liners stand together, stacks apart.
        let mut apart = true;
        for (creator, threads) in origins {
            if apart || creator.stack.len() != 1 {
                self.page.blank();
            }
            apart = creator.stack.len() != 1;
            let labels: Vec<String> = threads.iter().map(|id| self.label(*id)).collect();
            let (threads, were) = match &labels[..] {
                [_] => ("thread", "was"),
                _ => ("threads", "were"),
            };
            let by = thread_label(creator.thread, creator.name.as_deref());
            let mut spans = vec![
                (Ink::Strong, format!("{threads} {}", text::list(&labels))),
                (Ink::Plain, format!(" {were} created by {by}")),
            ];
            match &creator.stack[..] {
                // Most threads have no more than this: one line is enough.
                [only] => {
                    spans.push((Ink::Plain, " ".into()));
                    spans.extend(self.spot(only));
                    self.page.line(0, 4, &spans);
                }
                stack => {
                    self.page.line(0, 4, &spans);
                    self.stack(4, stack);
                }
            }
        }
    }

    /// What the reader can trust, and by what to find this again.
    fn foot(&mut self) {
        self.page.blank();
        if let Some(note) = symbols_note(self.finding) {
            self.page.line(
                0,
                6,
                &[
                    (Ink::Note, "note".into()),
                    (Ink::Plain, format!(": {note}")),
                ],
            );
        }
        let times = match self.finding.count {
            0 | 1 => None,
            n => Some(format!("seen {n} times")),
        };
        let by = match &self.finding.schedules {
            Some(schedules) => {
                let shown = text::count(schedules.shown, "schedule", "schedules");
                Some(format!("by {shown}, first by {}", schedules.first))
            }
            None => times.is_some().then(|| "in this run".to_owned()),
        };
        let mut seen = [times, by]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" ");
        if !seen.is_empty() {
            seen.push_str(" · ");
        }
        if self.finding.is_known() {
            seen.push_str("known · ");
        }
        if let Some(prediction) = &self.finding.prediction {
            seen.push_str(prediction.status.name());
            if !prediction.analyses.is_empty() {
                seen.push_str(&format!(" ({})", prediction.analyses.join(", ")));
            }
            seen.push_str(" · ");
            if let Some(command) = &prediction.replay {
                self.page
                    .line(0, 4, &[(Ink::Plain, format!("a run shows it: {command}"))]);
            }
        }
        self.page.line(
            0,
            2,
            &[(
                Ink::Faint,
                format!(
                    "{seen}{} · fingerprint {}",
                    self.finding.kind.name(),
                    self.finding.fingerprint
                ),
            )],
        );
    }
}

/// ` at 0x00101c40`.
fn at(address: Option<u32>) -> String {
    address.map_or_else(String::new, |address| format!(" at {}", hex(address)))
}

/// How the symbols were obtained, unless all is well.
fn symbols_note(finding: &Finding) -> Option<&'static str> {
    let stacks = finding.stacks();
    let frames = || stacks.iter().flat_map(|stack| stack.iter());
    let any = |source| frames().any(|frame| frame.source == source);
    let worst = frames().map(|frame| frame.source).max()?;
    match worst {
        SymbolSource::Dwarf => None,
        // A library without debug information below one's own code is usual.
        _ if any(SymbolSource::Dwarf) => None,
        SymbolSource::NameSection => Some(
            "symbols: name section only; build with debug = \"line-tables-only\" for files and lines",
        ),
        SymbolSource::Export | SymbolSource::Offset if any(SymbolSource::NameSection) => Some(
            "symbols: name section only; build with debug = \"line-tables-only\" for files and lines",
        ),
        SymbolSource::Export | SymbolSource::Offset => Some(
            "symbols: none; the module is stripped: build with debug = \"line-tables-only\" and without strip",
        ),
    }
}
