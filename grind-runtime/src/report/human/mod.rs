//! The report on a terminal, in the manner of rustc and ThreadSanitizer.
//!
//! Everything that comes from the guest (names, paths) is written out as visible characters, so that no name can
//! move a cursor or forge a line. Whether to use colours is for the caller to decide, who knows the
//! terminal, `NO_COLOR` and the command line.

mod excerpt;
mod page;
mod stack;

use super::finding::{
    Access, Blocked, BlockedThread, Creator, Evidence, Finding, FindingKind, HeldLock, Race,
    Unlock, WaitsFor,
};
use super::frames::place;
use super::source::Sources;
use super::text::{self, address_label, hex, thread_label};
use super::{GuestExit, Report};
use crate::program::symbols::{Frame, SymbolSource};
use crate::trace::ThreadId;
use excerpt::Mark;
use page::{Ink, Page, Span};

/// How to show a report.
#[derive(Debug)]
pub struct Options {
    /// Whether to use ANSI colours.
    pub color: bool,
    /// Columns of the terminal.
    pub width: usize,
    /// Show every frame, and names and paths in full.
    pub verbose: bool,
    /// Where excerpts come from.
    pub sources: Sources,
}

impl Default for Options {
    /// Plain text, 100 columns, no excerpts.
    fn default() -> Self {
        Options {
            color: false,
            width: 100,
            verbose: false,
            sources: Sources::none(),
        }
    }
}

/// Marks in an excerpt beyond this number say nothing that the text below does not.
const MAX_MARKS: usize = 6;

/// The whole report: findings, how the guest ended if that is worth a word, limits, summary.
#[must_use]
pub fn render(report: &Report, options: &Options) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        out.push_str(&render_finding(finding, options));
        out.push('\n');
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
        Evidence::Unlock(unlock) => writer.unlock(unlock),
    }
    writer.threads();
    writer.foot();
    page.finish()
}

/// What follows the findings: a trap, limits, warnings, the summary and how to reproduce it. Empty if
/// there is nothing to say.
#[must_use]
pub fn render_end(report: &Report, options: &Options) -> String {
    let mut page = Page::new(options.color, options.width);
    let trapped = matches!(report.exit, Some(GuestExit::Trapped { .. }));
    let mut parts = 0;
    // Parts stand apart.
    let mut part = |page: &mut Page| {
        if parts > 0 {
            page.blank();
        }
        parts += 1;
    };
    if let Some(GuestExit::Trapped {
        thread,
        name,
        reason,
        stack,
    }) = &report.exit
    {
        part(&mut page);
        trap(
            &mut page,
            &thread_label(*thread, name.as_deref()),
            reason,
            stack,
            options,
        );
    }
    if !report.warnings.is_empty() || !report.limits.is_empty() {
        part(&mut page);
    }
    for warning in &report.warnings {
        page.line(
            0,
            9,
            &[
                (Ink::Warning, "warning".into()),
                (Ink::Strong, format!(": {warning}")),
            ],
        );
    }
    if !report.limits.is_empty() {
        page.line(
            0,
            0,
            &[
                (Ink::Note, "note".into()),
                (Ink::Strong, ": this run does not show everything:".into()),
            ],
        );
        for limit in &report.limits {
            page.line(2, 2, &[(Ink::Plain, format!("- {limit}"))]);
        }
    }
    if !report.findings.is_empty() || trapped {
        if !report.findings.is_empty() || report.reproduce.is_some() {
            part(&mut page);
        }
        if !report.findings.is_empty() {
            summary(&mut page, report);
        }
        if let Some(command) = &report.reproduce {
            // One line whatever its length, so that it can be copied.
            page.raw(&format!("reproduce: {}", text::clean(command)));
        }
    }
    page.finish()
}

fn trap(page: &mut Page, who: &str, reason: &str, stack: &[Frame], options: &Options) {
    let marks: Vec<Mark<'_>> = place(stack)
        .map(|frame| Mark {
            frame,
            label: "trapped here".into(),
        })
        .into_iter()
        .collect();
    page.raw(&excerpt::render(
        &format!("{who} trapped: {reason}"),
        &marks,
        options,
    ));
    if !stack.is_empty() {
        page.blank();
        stack::print(page, 4, stack, options);
    }
}

/// `grind: 2 findings (1 data race, 1 deadlock) · seed 7 · random scheduler · exit code 0`
fn summary(page: &mut Page, report: &Report) {
    let kinds: Vec<String> = FindingKind::ALL
        .into_iter()
        .filter_map(|kind| {
            let n = report.findings.iter().filter(|f| f.kind == kind).count() as u64;
            (n > 0).then(|| kind.counted(n))
        })
        .collect();
    let findings = text::count(report.findings.len() as u64, "finding", "findings");
    let mut spans: Vec<Span> = vec![
        (Ink::Strong, "grind: ".into()),
        (Ink::Error, findings),
        (Ink::Strong, format!(" ({})", kinds.join(", "))),
    ];
    let mut more = Vec::new();
    if let Some(seed) = report.seed {
        more.push(format!("seed {seed}"));
    }
    if let Some(scheduler) = &report.scheduler {
        more.push(format!("{scheduler} scheduler"));
    }
    match &report.exit {
        Some(GuestExit::Exited { code }) => more.push(format!("exit code {code}")),
        Some(GuestExit::Trapped { .. }) => more.push("trapped".into()),
        Some(GuestExit::Deadlocked) => more.push("deadlocked".into()),
        Some(GuestExit::Stopped { reason }) => more.push(format!("stopped: {reason}")),
        None => {}
    }
    for item in more {
        spans.push((Ink::Faint, " · ".into()));
        spans.push((Ink::Plain, item));
    }
    page.line(0, 2, &spans);
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
            self.access(index + 1, access, race);
        }
        if let Some(block) = &race.heap_block {
            let size = text::count(block.size.into(), "byte", "bytes");
            let within = match race.address.checked_sub(block.address) {
                Some(0) => "the start of".into(),
                Some(offset) => format!("byte {offset} of"),
                None => "within".to_owned(),
            };
            self.page.blank();
            self.page.line(
                0,
                4,
                &[
                    (Ink::Strong, "memory".into()),
                    (
                        Ink::Plain,
                        format!(
                            ": {within} a heap block of {size} at {}, allocated by thread {}",
                            hex(block.address),
                            self.label(block.thread)
                        ),
                    ),
                ],
            );
            self.stack(4, &block.stack);
        }
    }

    fn access(&mut self, number: usize, access: &Access, race: &Race) {
        self.page.blank();
        // The title has told the address, if it is the same.
        let at = if access.address == race.address && access.size == race.size {
            String::new()
        } else {
            format!(" at {}", hex(access.address))
        };
        self.page.line(
            0,
            4,
            &[
                (Ink::Rail, format!("({number}) ")),
                (Ink::Strong, access.describe()),
                (
                    Ink::Plain,
                    format!("{at} by thread {}", self.label(access.thread)),
                ),
            ],
        );
        if access.locks.is_empty() {
            self.page
                .line(4, 2, &[(Ink::Faint, "holding no lock".into())]);
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
                self.waits(&thread.waits_for, false)
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
                    format!(" {}", self.waits(&thread.waits_for, true)),
                ),
            ],
        );
        for lock in &thread.locks {
            self.lock("holds", lock);
        }
        self.stack(4, &thread.stack);
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
            let step = match waits_for {
                Some(WaitsFor::Lock { address, name, .. }) => format!(
                    "lock {} (held by {})",
                    address_label(*address, name.as_deref()),
                    self.label(next)
                ),
                Some(WaitsFor::Join { .. }) => format!("the end of {}", self.label(next)),
                _ => self.label(next),
            };
            spans.push((Ink::Rail, " → ".into()));
            spans.push((Ink::Plain, step));
        }
        self.page.line(0, 7, &spans);
    }

    /// `waits for lock 0x… `B`, held by T2 `right``
    fn waits(&self, waits_for: &WaitsFor, in_full: bool) -> String {
        match waits_for {
            WaitsFor::Lock {
                address,
                name,
                holders,
            } => {
                let lock = address_label(*address, name.as_deref());
                if !in_full {
                    return format!("waits for lock {lock}");
                }
                let holders: Vec<String> = holders
                    .iter()
                    .map(|id| match &self.finding.evidence {
                        Evidence::Blocked(blocked) if !blocked.contains(*id) => {
                            format!("{} (which has ended)", self.label(*id))
                        }
                        _ => self.label(*id),
                    })
                    .collect();
                if holders.is_empty() {
                    format!("waits for lock {lock}, which nobody holds")
                } else {
                    format!("waits for lock {lock}, held by {}", text::list(&holders))
                }
            }
            WaitsFor::Condvar { address } => {
                let nobody = if in_full {
                    "; no thread is left that could notify it"
                } else {
                    ""
                };
                format!(
                    "waits for a notification of the condition variable {}{nobody}",
                    hex(*address)
                )
            }
            WaitsFor::Futex { address } => {
                let nobody = if in_full {
                    "; no thread is left that could notify it"
                } else {
                    ""
                };
                format!("waits in memory.atomic.wait on {}{nobody}", hex(*address))
            }
            WaitsFor::Join { thread } => format!("waits for the end of {}", self.label(*thread)),
        }
    }

    fn unlock(&mut self, unlock: &'a Unlock) {
        let mut marks = vec![(
            place(&unlock.stack),
            format!("unlocked by {}", self.label(unlock.thread)),
        )];
        marks.extend(unlock.holders.iter().map(|holder| {
            (
                place(&holder.stack),
                format!("taken by {}", self.label(holder.thread)),
            )
        }));
        self.head(marks);
        let lock = address_label(unlock.address, unlock.name.as_deref());
        self.page.blank();
        self.page.line(
            0,
            4,
            &[
                (Ink::Strong, "unlock".into()),
                (
                    Ink::Plain,
                    format!(" of lock {lock} by thread {}", self.label(unlock.thread)),
                ),
            ],
        );
        self.stack(4, &unlock.stack);
        if unlock.holders.is_empty() {
            self.page
                .line(0, 4, &[(Ink::Plain, "nobody holds the lock".into())]);
        }
        for holder in &unlock.holders {
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
    }

    /// Where the threads that act in the finding come from.
    fn threads(&mut self) {
        let actors: Vec<ThreadId> = match &self.finding.evidence {
            Evidence::Race(race) => race.accesses.iter().map(|a| a.thread).collect(),
            Evidence::Blocked(blocked) => blocked.principals().map(|t| t.thread).collect(),
            Evidence::Unlock(unlock) => std::iter::once(unlock.thread)
                .chain(unlock.holders.iter().map(|holder| holder.thread))
                .collect(),
        };
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
        let seen = match self.finding.count {
            0 | 1 => String::new(),
            n => format!("seen {n} times in this run · "),
        };
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
