//! The text shape of ThreadSanitizer, for tools that read its logs.
//!
//! Words and order are ThreadSanitizer's: the later access comes first, the earlier one is the "previous" one, and threads are called by
//! number. There is no process: the number given as `pid` is 1. Findings that a baseline knows are left out.

use crate::model::ThreadId;
use crate::program::symbols::Frame;
use crate::report::finding::frames::place;
use crate::report::finding::summary::Report;
use crate::report::finding::{Access, AccessMeans, Evidence, Finding, HeapBlock, HeldLock};
use crate::report::render::limits::{FRAMES, TEXT_FINDINGS};
use crate::report::render::options::Options;
use crate::report::render::sections;
use crate::report::render::sections::{Role, Section};
use crate::report::text;
use crate::report::text::log::shield;
use crate::report::text::{clean, shorten};
use std::collections::BTreeMap;
use std::fmt::Write as _;

const LINE: &str = "==================\n";

/// The report in ThreadSanitizer's shape; empty without findings.
pub(in crate::report) fn render(report: &Report, options: &Options) -> String {
    let module = options.sources.display(&report.program.module);
    let new: Vec<&Finding> = (report.by_importance().into_iter())
        .filter(|finding| !finding.is_known())
        .collect();
    let mut out = String::new();
    for finding in new.iter().take(TEXT_FINDINGS) {
        let mut writer = Writer {
            finding,
            options,
            module: &module,
            mutexes: BTreeMap::new(),
            out: &mut out,
        };
        writer.finding();
    }
    if !new.is_empty() {
        let _ = writeln!(out, "ThreadSanitizer: reported {} warnings", new.len());
    }
    let left = new.len().saturating_sub(TEXT_FINDINGS);
    if left > 0 {
        let _ = writeln!(out, "ThreadSanitizer: {left} of them are not shown");
    }
    shield(&out)
}

struct Writer<'a> {
    finding: &'a Finding,
    options: &'a Options,
    module: &'a str,
    /// Numbers by address, as they are met.
    mutexes: BTreeMap<u32, usize>,
    out: &'a mut String,
}

// Writing to a string cannot fail.
impl Writer<'_> {
    fn finding(&mut self) {
        let finding = self.finding;
        let what = finding.kind.rule().tsan;
        self.out.push_str(LINE);
        self.line(&format!("WARNING: ThreadSanitizer: {what} (pid=1)"));
        match &finding.evidence {
            Evidence::Race(race) => {
                let [earlier, later] = &race.accesses;
                self.access("", later);
                self.access("Previous ", earlier);
                if let Some(block) = &race.heap_block {
                    self.block(block);
                }
                self.taken(later.locks.iter().chain(&earlier.locks));
            }
            Evidence::HeapMisuse(misuse) => {
                self.access("", &misuse.access);
                self.block(&misuse.heap_block);
                self.taken(&misuse.access.locks);
            }
            Evidence::LockOrder(order) => {
                let mut cycle = String::from("  Cycle in lock order graph: ");
                for edge in &order.edges {
                    let mutex = self.mutex(&edge.held);
                    let _ = write!(cycle, "{mutex} ({:#x}) => ", edge.held.address);
                }
                if let Some(edge) = order.edges.first() {
                    cycle.push_str(&self.mutex(&edge.held));
                }
                self.line(&cycle);
                self.out.push('\n');
                for edge in &order.edges {
                    let (held, taken) = (self.mutex(&edge.held), self.mutex(&edge.taken));
                    let who = self.thread(edge.thread);
                    self.line(&format!(
                        "  Mutex {taken} acquired here while holding mutex {held} in {who}:"
                    ));
                    self.stack(&edge.taken.stack);
                    self.line(&format!(
                        "  Mutex {held} previously acquired by the same thread here:"
                    ));
                    self.stack(&edge.held.stack);
                }
            }
            Evidence::Blocked(_)
            | Evidence::Trap(_)
            | Evidence::ThreadLeak(_)
            | Evidence::LockMisuse(_)
            | Evidence::HandleMisuse(_)
            | Evidence::Note(_) => {
                if let Evidence::Trap(trap) = &finding.evidence
                    && trap.message.is_some()
                {
                    self.line(&format!("  {}", trap.why()));
                }
                for section in sections::sections(finding) {
                    if section.role != Role::Creation {
                        self.section(&section);
                    }
                }
            }
        }
        self.threads();
        let stacks = finding.stacks();
        let spot = match (&finding.evidence, &stacks[..]) {
            // The summary names the access that comes first here.
            (Evidence::Race(_), [_, later]) => place(later),
            _ => stacks.iter().find_map(|stack| place(stack)),
        };
        let spot = spot.map_or_else(|| "??".to_owned(), |frame| self.spot(frame));
        self.line(&format!("SUMMARY: ThreadSanitizer: {what} {spot}"));
        self.out.push_str(LINE);
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(&clean(text));
        self.out.push('\n');
    }

    fn access(&mut self, previous: &str, access: &Access) {
        let what = match (access.write, access.means) {
            (_, AccessMeans::Free) => "free",
            (true, AccessMeans::Atomic) => "atomic write",
            (false, AccessMeans::Atomic) => "atomic read",
            (true, _) => "write",
            (false, _) => "read",
        };
        let mut what = what.to_owned();
        if previous.is_empty() {
            what[..1].make_ascii_uppercase();
        }
        let who = self.thread(access.thread);
        let mutexes: Vec<String> = (access.locks.iter())
            .map(|lock| {
                let how = if lock.shared { "read" } else { "write" };
                format!("{how} {}", self.mutex(lock))
            })
            .collect();
        let mutexes = match &mutexes[..] {
            [] => String::new(),
            some => format!(" (mutexes: {})", some.join(", ")),
        };
        self.line(&format!(
            "  {previous}{what} of size {} at {:#x} by {who}{mutexes}:",
            access.size, access.address
        ));
        self.stack(&access.stack);
    }

    fn block(&mut self, block: &HeapBlock) {
        let by = self.thread(block.thread);
        self.line(&format!(
            "  Location is heap block of size {} at {:#x} allocated by {by}:",
            block.size, block.address
        ));
        self.stack(&block.stack);
        if let Some(freed) = &block.freed {
            let by = self.thread(freed.thread);
            self.line(&format!("  Freed by {by}:"));
            self.stack(&freed.stack);
        }
    }

    fn section(&mut self, section: &Section<'_>) {
        self.line(&format!("  {}:", section.heading));
        self.stack(section.stack);
        self.taken(section.locks);
    }

    /// Where mutexes were taken.
    fn taken<'l>(&mut self, locks: impl IntoIterator<Item = &'l HeldLock>) {
        for lock in locks {
            let mutex = self.mutex(lock);
            let address = lock.address;
            self.line(&format!("  Mutex {mutex} ({address:#x}) acquired at:"));
            self.stack(&lock.stack);
        }
    }

    fn threads(&mut self) {
        let actors = sections::actors(self.finding);
        for thread in &self.finding.threads {
            let Some(creator) = (thread.creator.as_ref()).filter(|_| actors.contains(&thread.id))
            else {
                continue;
            };
            let name = match thread.name.as_deref() {
                Some(name) if !name.is_empty() => format!(" '{}'", shorten(name, 64)),
                _ => String::new(),
            };
            let by = self.thread(creator.thread);
            self.line(&format!(
                "  Thread T{}{name} (tid={}, running) created by {by} at:",
                thread.id.0, thread.id.0
            ));
            self.stack(&creator.stack);
        }
    }

    /// All frames and an empty line.
    fn stack(&mut self, stack: &[Frame]) {
        if stack.is_empty() {
            self.line("    [failed to restore the stack]");
        }
        for (index, frame) in stack.iter().take(FRAMES).enumerate() {
            let name = frame.function.as_deref().unwrap_or("<null>");
            let file = match &frame.file {
                Some(_) => self.place(frame),
                None => "<null>".to_owned(),
            };
            let line = format!(
                "    #{index} {name} {file} ({}+{:#x})",
                self.module, frame.offset
            );
            self.line(&line);
        }
        if stack.len() > FRAMES {
            let left = text::count((stack.len() - FRAMES) as u64, "frame", "frames");
            self.line(&format!("    [{left} left out]"));
        }
        self.out.push('\n');
    }

    /// `src/main.rs:1:2`, or the module and the offset in it.
    fn place(&self, frame: &Frame) -> String {
        let Some(file) = &frame.file else {
            return format!("({}+{:#x})", self.module, frame.offset);
        };
        let mut out = self.options.sources.display(file);
        if let Some(line) = frame.line {
            let _ = write!(out, ":{line}");
            if let Some(column) = frame.column {
                let _ = write!(out, ":{column}");
            }
        }
        out
    }

    fn spot(&self, frame: &Frame) -> String {
        let function = frame.function.as_deref().unwrap_or("<null>");
        format!("{} in {function}", self.place(frame))
    }

    fn thread(&self, id: ThreadId) -> String {
        match id {
            ThreadId(0) => "main thread".to_owned(),
            ThreadId(id) => format!("thread T{id}"),
        }
    }

    fn mutex(&mut self, lock: &HeldLock) -> String {
        let next = self.mutexes.len();
        let number = self.mutexes.entry(lock.address).or_insert(next);
        format!("M{number}")
    }
}
