//! Threads that will never go on, in words: what each waits for, who could let it go on, and why none does.

use crate::model::{ThreadId, WaitKind};
use crate::program::symbols::Frame;
use crate::program::waits;
use crate::program::waits::Wait;
use crate::report::finding::{
    Blocked, BlockedThread, Evidence, Finding, FindingKind, WaitDetails, WaitsFor,
};
use crate::report::text;
use crate::report::text::address_label;

/// How something is told of that threads wait for. `{}` stands for what it is.
struct Words {
    /// After "waits".
    one: &'static str,
    /// After "wait", of several threads that wait for several of the kind.
    many: &'static str,
    /// After "could".
    act: &'static str,
    /// The same, of several.
    act_many: &'static str,
    /// In a circle, before who is next.
    step: &'static str,
    /// Who is next in a circle, and why.
    next: &'static str,
}

const FUTEX: Words = Words {
    one: "in memory.atomic.wait on {}",
    many: "in memory.atomic.wait",
    act: "notify it",
    act_many: "notify them",
    step: "a notification of {}",
    next: "notified before by",
};

#[rustfmt::skip]
fn words(kind: WaitKind) -> Words {
    let (one, many, act, act_many, step, next) = match kind {
        WaitKind::ChannelFull => ("to send into the full channel {}", "to send into full channels", "receive from it", "receive from them", "the full channel {}", "received from before by"),
        WaitKind::ChannelEmpty => ("to receive from the empty channel {}", "to receive from empty channels", "send into it", "send into them", "the empty channel {}", "sent into before by"),
        WaitKind::ChannelRendezvous => ("to hand over to a receiver of the channel {}", "to hand over to receivers of channels", "receive from it", "receive from them", "a receiver of the channel {}", "received from before by"),
        WaitKind::Select => ("for one of several channels {}", "for one of several channels each", "use one of them", "use one of them", "one of several channels {}", "used before by"),
        WaitKind::Condvar => ("for a notification of the condition variable {}", "for notifications of condition variables", "notify it", "notify them", "a notification of the condition variable {}", "given before by"),
        WaitKind::Once => ("for the initialisation of {}", "for initialisations", "finish it", "finish them", "the initialisation of {}", "made by"),
        WaitKind::Barrier => ("at the barrier {}", "at barriers", "come to it", "come to them", "the barrier {}", "waited at by"),
        WaitKind::Semaphore => ("for the semaphore {}", "for semaphores", "post it", "post them", "the semaphore {}", "posted before by"),
        WaitKind::Event => ("for an event {}", "for events", "cause it", "cause them", "an event {}", "caused before by"),
        WaitKind::Park => ("to be unparked {}", "to be unparked", "unpark it", "unpark them", "an unpark {}", "by"),
        WaitKind::Scope => ("for the end of the threads of its scope {}", "for the end of the threads of their scopes", "end it", "end them", "the end of its scope {}", "by"),
        WaitKind::Lock => ("for the lock {}", "for locks", "release it", "release them", "the lock {}", "taken before by"),
        WaitKind::Future => ("for a future {}", "for futures", "wake it", "wake them", "a future {}", "woken before by"),
        WaitKind::Work => ("for work as a worker of a thread pool {}", "for work as workers of a thread pool", "give it any", "give them any", "work {}", "given before by"),
        WaitKind::Job => ("for a job of a thread pool {}", "for jobs of a thread pool", "finish it", "finish them", "a job {}", "by"),
        WaitKind::Host => ("in a function of the host {}", "in functions of the host", "wake it", "wake them", "a wake-up by the host {}", "by"),
    };
    Words { one, many, act, act_many, step, next }
}

/// What is waited for, if it is nothing that somebody holds or is.
struct Object<'a> {
    words: Words,
    kind: Option<WaitKind>,
    address: Option<u32>,
    details: &'a WaitDetails,
}

impl<'a> Object<'a> {
    fn of(waits_for: &'a WaitsFor) -> Option<Object<'a>> {
        let (kind, address, details) = match waits_for {
            WaitsFor::Condvar { address, details } => {
                (Some(WaitKind::Condvar), Some(*address), details)
            }
            WaitsFor::Futex { address, details } => (None, Some(*address), details),
            WaitsFor::Known {
                kind,
                address,
                details,
            } => (Some(*kind), *address, details),
            WaitsFor::Lock { .. } | WaitsFor::LibraryLock { .. } | WaitsFor::Join { .. } => {
                return None;
            }
        };
        Some(Object {
            words: kind.map_or(FUTEX, words),
            kind,
            address,
            details,
        })
    }

    /// ``to receive from the empty channel 0x00101c40 `JOBS` (std::sync::mpsc)``.
    fn say(&self, pattern: &str) -> String {
        let name = self.details.name.as_deref();
        let mut what = match self.address {
            Some(address) => address_label(address, name),
            None => String::new(),
        };
        if let Some(of) = &self.details.type_name {
            if !what.is_empty() {
                what.push(' ');
            }
            what.push_str(&format!("({of})"));
        }
        pattern.replace("{}", &what).trim_end().to_owned()
    }

    /// Who could let the thread go on, and why none does: what follows a sentence.
    fn why(&self, finding: &Finding, thread: ThreadId) -> String {
        let act = self.words.act;
        if let Some(missed) = &self.details.missed {
            let who = finding.label(missed.thread);
            return format!("; {who} notified it when nobody waited");
        }
        let by = &self.details.by;
        if self.kind == Some(WaitKind::Once) && !by.is_empty() {
            return match &by[..] {
                [only] if *only == thread => ", which it makes itself".to_owned(),
                _ => format!(
                    ", which {} {}",
                    labels(finding, by),
                    verb(by, "makes", "make")
                ),
            };
        }
        if self.kind == Some(WaitKind::Lock) && !by.is_empty() {
            return format!(", which {} took before", labels(finding, by));
        }
        let others: Vec<ThreadId> = by.iter().copied().filter(|&id| id != thread).collect();
        let (waiting, ended): (Vec<ThreadId>, Vec<ThreadId>) =
            others.into_iter().partition(|&id| is_blocked(finding, id));
        match (&waiting[..], &ended[..]) {
            ([], []) if by.is_empty() => format!("; no thread is left that could {act}"),
            ([], []) => format!("; only {} has been seen to {act}", finding.label(thread)),
            ([], ended) => format!(
                "; {} could {act}, but {} ended",
                labels(finding, ended),
                verb(ended, "has", "have")
            ),
            (waiting, _) => format!(
                "; {} could {act}, but {} as well",
                labels(finding, waiting),
                verb(waiting, "waits", "wait")
            ),
        }
    }
}

/// Whether the finding has it among the threads that will never go on.
fn is_blocked(finding: &Finding, thread: ThreadId) -> bool {
    matches!(&finding.evidence, Evidence::Blocked(blocked) if blocked.contains(thread))
}

fn labels(finding: &Finding, threads: &[ThreadId]) -> String {
    let labels: Vec<String> = threads.iter().map(|id| finding.label(*id)).collect();
    text::list(&labels)
}

fn verb(threads: &[ThreadId], one: &'static str, many: &'static str) -> &'static str {
    if threads.len() == 1 { one } else { many }
}

/// ``waits for lock 0x… `B`, held by T2 `right` ``; without `in_full`, only what it waits for.
pub(crate) fn waits(finding: &Finding, thread: &BlockedThread, in_full: bool) -> String {
    let mut sentence = format!("waits {}", what(finding, &thread.waits_for));
    if !in_full {
        return sentence;
    }
    match &thread.waits_for {
        WaitsFor::Lock {
            holders, behind, ..
        } => {
            let held: Vec<String> = (holders.iter())
                .map(|&id| match is_blocked(finding, id) {
                    true => finding.label(id),
                    false => format!("{} (which has ended)", finding.label(id)),
                })
                .collect();
            sentence.push_str(&match held.len() {
                0 => ", which nobody holds".to_owned(),
                _ => format!(", held by {}", text::list(&held)),
            });
            if !behind.is_empty() {
                sentence.push_str(&format!(
                    ": behind {}, which {} to write",
                    labels(finding, behind),
                    verb(behind, "waits", "wait")
                ));
            }
        }
        WaitsFor::LibraryLock { .. } => {
            sentence.push_str("; no thread is left that could release it");
        }
        WaitsFor::Join { .. } => {}
        other => {
            if let Some(object) = Object::of(other) {
                sentence.push_str(&object.why(finding, thread.thread));
            }
        }
    }
    sentence
}

/// What follows "waits".
fn what(finding: &Finding, waits_for: &WaitsFor) -> String {
    match waits_for {
        WaitsFor::Lock {
            address,
            name,
            behind,
            ..
        } => {
            let how = if behind.is_empty() { "for" } else { "to read" };
            format!("{how} lock {}", address_label(*address, name.as_deref()))
        }
        WaitsFor::LibraryLock { address, name } => {
            format!(
                "for the lock at {}",
                address_label(*address, name.as_deref())
            )
        }
        WaitsFor::Join { thread } => format!("for the end of {}", finding.label(*thread)),
        other => Object::of(other)
            .map(|object| object.say(object.words.one))
            .unwrap_or_default(),
    }
}

/// A step of a circle: what a thread waits for, and the next thread.
pub(crate) fn step(finding: &Finding, waits_for: Option<&WaitsFor>, next: ThreadId) -> String {
    let next = finding.label(next);
    match waits_for {
        Some(WaitsFor::Lock {
            address,
            name,
            behind,
            ..
        }) => {
            let lock = address_label(*address, name.as_deref());
            match behind[..] {
                [] => format!("lock {lock} (held by {next})"),
                _ => format!("lock {lock} (behind {next}, which waits to write)"),
            }
        }
        Some(WaitsFor::Join { .. }) => format!("the end of {next}"),
        Some(other) => match Object::of(other) {
            Some(object) => {
                let words = &object.words;
                format!("{} ({} {next})", object.say(words.step), words.next)
            }
            None => next,
        },
        None => next,
    }
}

/// A lost wake-up is a notification that came before its wait, and nothing else to blame.
pub(in crate::report) fn kind(blocked: &Blocked) -> FindingKind {
    let missed = |thread: &BlockedThread| {
        (thread.waits_for.details()).is_some_and(|details| details.missed.is_some())
    };
    if blocked.cycle.is_empty()
        && !blocked.waits_for_library_lock()
        && !blocked
            .threads
            .iter()
            .any(|thread| is_orphaned(blocked, thread))
        && blocked.principals().any(missed)
    {
        FindingKind::LostWakeup
    } else {
        FindingKind::Deadlock
    }
}

/// Whether it waits for a lock whose holder has ended: that will never be released.
fn is_orphaned(blocked: &Blocked, thread: &BlockedThread) -> bool {
    matches!(&thread.waits_for, WaitsFor::Lock { holders, behind, .. }
        if behind.is_empty() && holders.iter().any(|holder| !blocked.contains(*holder)))
}

/// One line that says it.
pub(in crate::report) fn title(finding: &Finding, blocked: &Blocked) -> String {
    let principals: Vec<&BlockedThread> = blocked.principals().collect();
    let who = match principals.len() {
        n if n > 3 => text::count(n as u64, "thread", "threads"),
        _ => {
            let ids: Vec<ThreadId> = principals.iter().map(|thread| thread.thread).collect();
            labels(finding, &ids)
        }
    };
    let wait = if principals.len() == 1 {
        "waits"
    } else {
        "wait"
    };
    if finding.kind == FindingKind::LostWakeup {
        return match &principals[..] {
            [only] => format!(
                "lost wake-up: {who} waits {}, which was notified when nobody waited",
                what(finding, &only.waits_for)
            ),
            _ => format!("lost wake-up: {who} {wait} for what was notified when nobody waited"),
        };
    }
    match (&blocked.cycle[..], &principals[..]) {
        ([_], [only]) => match Object::of(&only.waits_for) {
            Some(object) => format!(
                "deadlock: {who} waits {}{}",
                object.say(object.words.one),
                object.why(finding, only.thread)
            ),
            None if matches!(only.waits_for, WaitsFor::Join { .. }) => {
                format!("deadlock: {who} waits for its own end")
            }
            None => format!("deadlock: {who} waits for itself"),
        },
        ([_, ..], _) if principals.len() > 3 => format!("deadlock of {who}"),
        ([_, ..], _) => format!("deadlock between {who}"),
        ([], _) => format!(
            "deadlock: {}",
            without_cycle(finding, blocked, &principals, &who)
        ),
    }
}

fn without_cycle(
    finding: &Finding,
    blocked: &Blocked,
    principals: &[&BlockedThread],
    who: &str,
) -> String {
    let wait = if principals.len() == 1 {
        "waits"
    } else {
        "wait"
    };
    if blocked.waits_for_library_lock() {
        let locks = if principals.len() == 1 {
            "a lock"
        } else {
            "locks"
        };
        return format!("{who} {wait} for {locks} that nobody is left to release");
    }
    let orphaned: Vec<ThreadId> = (blocked.threads.iter())
        .filter(|thread| is_orphaned(blocked, thread))
        .map(|thread| thread.thread)
        .collect();
    if !orphaned.is_empty() {
        let who = match orphaned.len() {
            n if n > 3 => text::count(n as u64, "thread", "threads"),
            _ => labels(finding, &orphaned),
        };
        let wait = verb(&orphaned, "waits", "wait");
        return format!("{who} {wait} for a lock whose holder has ended");
    }
    // Who holds a lock, and waits for something else.
    for thread in principals {
        let WaitsFor::Lock { holders, .. } = &thread.waits_for else {
            continue;
        };
        let holder = (blocked.threads.iter())
            .find(|other| holders.contains(&other.thread) && other.thread != thread.thread);
        if let Some(holder) = holder {
            return format!(
                "{} waits {}, held by {}, which waits {}",
                finding.label(thread.thread),
                what(finding, &thread.waits_for),
                finding.label(holder.thread),
                what(finding, &holder.waits_for)
            );
        }
    }
    let objects: Vec<Object<'_>> = (principals.iter())
        .filter_map(|thread| Object::of(&thread.waits_for))
        .collect();
    match (principals, &objects[..]) {
        ([only], [object]) => format!(
            "{who} waits {}{}",
            object.say(object.words.one),
            object.why(finding, only.thread)
        ),
        (_, [first, rest @ ..])
            if objects.len() == principals.len()
                && rest.iter().all(|object| object.kind == first.kind) =>
        {
            let same = rest.iter().all(|object| {
                (object.address, &object.details.type_name)
                    == (first.address, &first.details.type_name)
            });
            let (what, act) = if same && first.address.is_some() {
                (first.say(first.words.one), first.words.act)
            } else {
                (first.words.many.to_owned(), first.words.act_many)
            };
            format!("{who} wait {what}; no thread is left that could {act}")
        }
        _ if principals.len() > 3 || principals.is_empty() => {
            format!("{who} {wait}, and no thread is left to let any of them go on")
        }
        _ => {
            let each: Vec<String> = (principals.iter())
                .map(|thread| {
                    let label = finding.label(thread.thread);
                    format!("{label} waits {}", what(finding, &thread.waits_for))
                })
                .collect();
            text::list(&each)
        }
    }
}

/// What a thread with this stack waits in, as the names of the functions tell: the outermost one of a library that calls
/// no code of the program's own. A channel without capacity has its sender in a function of its own, within.
pub(in crate::report) fn by_functions(stack: &[Frame]) -> Option<&'static Wait> {
    let named = stack.iter().map(|frame| {
        let name = frame.function.as_deref().unwrap_or_default();
        (frame, name, frame.file.as_deref())
    });
    let of_library = named.take_while(|&(frame, name, file)| {
        crate::report::finding::frames::is_library(frame) || waits::is_of_library(name, file)
    });
    of_library
        .filter_map(|(_, name, file)| waits::of_function(name, file))
        .reduce(|inner, outer| match (inner.kind, outer.kind) {
            (WaitKind::ChannelRendezvous, WaitKind::ChannelFull) => inner,
            _ => outer,
        })
}
