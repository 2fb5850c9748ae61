//! What can be wrong: the kinds of findings, and what is to be known of each, in one table. Reports, policies, rules of SARIF and
//! documents take it from here.

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It went wrong in this run.
    Error,
    /// It did not go wrong in this run, but can in another.
    Warning,
}

/// Kinds that are treated alike by exit policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Group {
    /// Accesses that nothing orders.
    Race,
    /// Threads that will never go on.
    Deadlock,
    /// Threads that panicked or could not go on.
    Trap,
    /// Locks taken in a circle.
    LockOrder,
    /// Locks, condition variables and heap blocks used against their rules.
    Misuse,
    /// Threads that nobody joined.
    Leak,
}

impl Group {
    /// All of them, with their names on the command line.
    pub const ALL: [(Group, &str); 6] = [
        (Group::Race, "race"),
        (Group::Deadlock, "deadlock"),
        (Group::Trap, "trap"),
        (Group::LockOrder, "lock-order"),
        (Group::Misuse, "misuse"),
        (Group::Leak, "leak"),
    ];
}

/// What is wrong. The names are stable: configuration, suppressions and exit policies use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FindingKind {
    /// Two accesses to the same bytes, not ordered, at least one a write and at least one not atomic.
    DataRace,
    /// Threads wait for each other, or for what nobody is left to do.
    Deadlock,
    /// Threads wait for a notification that came before, when nobody waited for it.
    LostWakeup,
    /// A thread trapped: it panicked, or came to an instruction that cannot be carried out.
    Trap,
    /// Threads take locks in an order that can deadlock.
    LockOrderInversion,
    /// An access to a heap block after its end.
    HeapUseAfterFree,
    /// A heap block was freed twice.
    DoubleFree,
    /// A heap block was freed by an address inside it.
    InvalidFree,
    /// Threads were neither joined nor detached.
    ThreadLeak,
    /// A thread released a lock that nobody holds.
    UnlockNotHeld,
    /// A thread released a lock that another one holds.
    UnlockByOtherThread,
    /// A lock was destroyed while somebody held it.
    DestroyHeldLock,
    /// A thread waited on a condition variable without holding its lock.
    CondvarWaitWithoutLock,
    /// Threads waited on a condition variable with different locks at a time.
    CondvarTwoLocks,
    /// A synchronisation object was used after it was destroyed.
    UseAfterDestroy,
    /// A synchronisation object was destroyed twice.
    DoubleDestroy,
    /// A condition variable or a barrier was destroyed while somebody waited there.
    DestroyInUse,
    /// A lock was initialised while somebody held it.
    InitHeldLock,
    /// A thread asked for a lock that it holds and cannot have twice.
    Relock,
    /// A thread ended while it held a lock.
    LockHeldAtThreadEnd,
    /// A thread was joined twice.
    DoubleJoin,
    /// A thread was joined that was detached.
    JoinDetached,
    /// A thread was detached that was joined or detached before.
    DoubleDetach,
}

/// What a kind of finding is.
#[derive(Debug)]
pub struct Rule {
    /// The kind.
    pub kind: FindingKind,
    /// Its stable name: `data-race`. That of its variant in kebab case.
    pub name: &'static str,
    /// What one is called in a summary, and several.
    pub(crate) counted: (&'static str, &'static str),
    /// As what it is suppressed in files of ThreadSanitizer's format.
    pub suppression: &'static str,
    /// What ThreadSanitizer calls it, or would.
    pub tsan: &'static str,
    /// Which group it belongs to.
    pub group: Group,
    /// How bad it is.
    pub severity: Severity,
    /// What it is called.
    pub title: &'static str,
    /// What is wrong, and what is usually done about it.
    pub help: &'static str,
}

/// All of them, most important first.
const RULES: &[Rule] = &[
    Rule {
        kind: FindingKind::DataRace,
        name: "data-race",
        counted: ("data race", "data races"),
        suppression: "race",
        tsan: "data race",
        group: Group::Race,
        severity: Severity::Error,
        title: "Data race",
        help: "Two threads access the same bytes, at least one writes, at least one access is not atomic, and nothing \
               orders them. Protect both accesses with one lock, make them atomic, or hand the data over.",
    },
    Rule {
        kind: FindingKind::Deadlock,
        name: "deadlock",
        counted: ("deadlock", "deadlocks"),
        suppression: "deadlock",
        tsan: "deadlock",
        group: Group::Deadlock,
        severity: Severity::Error,
        title: "Deadlock",
        help: "Threads wait for each other, or for what nobody is left to do. Take locks in one order everywhere, \
               and release them on every path.",
    },
    Rule {
        kind: FindingKind::LostWakeup,
        name: "lost-wakeup",
        counted: ("lost wake-up", "lost wake-ups"),
        suppression: "deadlock",
        tsan: "lost wakeup",
        group: Group::Deadlock,
        severity: Severity::Error,
        title: "Lost wake-up",
        help: "A thread waits for a notification that came before, when nobody waited. Check the condition under the lock \
               before waiting, and change it under the lock before notifying.",
    },
    Rule {
        kind: FindingKind::Trap,
        name: "trap",
        counted: ("trap", "traps"),
        suppression: "trap",
        tsan: "trap",
        group: Group::Trap,
        severity: Severity::Error,
        title: "Trap",
        help: "A thread panicked, failed an assertion, or came to an instruction that cannot be carried out, such as an \
               access outside memory. It ended there, and nobody releases the locks it held. If there is a race or a use \
               after free as well, that is where to begin.",
    },
    Rule {
        kind: FindingKind::LockOrderInversion,
        name: "lock-order-inversion",
        counted: ("lock-order inversion", "lock-order inversions"),
        suppression: "deadlock",
        tsan: "lock-order-inversion (potential deadlock)",
        group: Group::LockOrder,
        severity: Severity::Warning,
        title: "Lock-order inversion",
        help: "Threads take locks in orders that can deadlock under another schedule. Take them in one order everywhere.",
    },
    Rule {
        kind: FindingKind::HeapUseAfterFree,
        name: "heap-use-after-free",
        counted: ("use after free", "uses after free"),
        suppression: "race",
        tsan: "heap-use-after-free",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Heap use after free",
        help: "A heap block was accessed after it was freed. Keep it alive until its last user is done.",
    },
    Rule {
        kind: FindingKind::DoubleFree,
        name: "double-free",
        counted: ("double free", "double frees"),
        suppression: "race",
        tsan: "double-free",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Double free",
        help: "A heap block was freed twice. Give each block one owner.",
    },
    Rule {
        kind: FindingKind::InvalidFree,
        name: "invalid-free",
        counted: ("invalid free", "invalid frees"),
        suppression: "race",
        tsan: "invalid-free",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Invalid free",
        help: "A heap block was freed by an address inside it. Free the address that was allocated.",
    },
    Rule {
        kind: FindingKind::UnlockNotHeld,
        name: "unlock-not-held",
        counted: ("unlock of a lock not held", "unlocks of locks not held"),
        suppression: "mutex",
        tsan: "unlock of an unlocked mutex (or by a wrong thread)",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Unlock of a lock that is not held",
        help: "A thread released a lock that nobody holds. Pair every release with one acquisition.",
    },
    Rule {
        kind: FindingKind::UnlockByOtherThread,
        name: "unlock-by-other-thread",
        counted: ("unlock by another thread", "unlocks by other threads"),
        suppression: "mutex",
        tsan: "unlock of an unlocked mutex (or by a wrong thread)",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Unlock by another thread",
        help: "A thread released a lock that another one holds. Release a lock in the thread that took it.",
    },
    Rule {
        kind: FindingKind::DestroyHeldLock,
        name: "destroy-held-lock",
        counted: ("destruction of a held lock", "destructions of held locks"),
        suppression: "mutex",
        tsan: "destroy of a locked mutex",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Destruction of a held lock",
        help: "A lock was destroyed while somebody held it. Keep it until every holder has released it.",
    },
    Rule {
        kind: FindingKind::CondvarWaitWithoutLock,
        name: "condvar-wait-without-lock",
        counted: ("wait without the lock", "waits without the lock"),
        suppression: "mutex",
        tsan: "wait without the mutex",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Wait without the lock",
        help: "A thread waited on a condition variable without holding its lock. Take the lock before waiting.",
    },
    Rule {
        kind: FindingKind::CondvarTwoLocks,
        name: "condvar-two-locks",
        counted: (
            "condition variable with two locks",
            "condition variables with two locks",
        ),
        suppression: "mutex",
        tsan: "condition variable with two mutexes",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Condition variable with two locks",
        help: "Threads wait on one condition variable with different locks at the same time, which is undefined. Give each condition \
               variable one lock.",
    },
    Rule {
        kind: FindingKind::UseAfterDestroy,
        name: "use-after-destroy",
        counted: ("use after destruction", "uses after destruction"),
        suppression: "mutex",
        tsan: "use of an invalid mutex (e.g. uninitialized or destroyed)",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Use after destruction",
        help: "A mutex, condition variable, barrier or semaphore was used after it was destroyed. Keep it until its last user is done.",
    },
    Rule {
        kind: FindingKind::DoubleDestroy,
        name: "double-destroy",
        counted: ("double destruction", "double destructions"),
        suppression: "mutex",
        tsan: "double destroy",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Double destruction",
        help: "A mutex, condition variable, barrier or semaphore was destroyed twice. Give each one owner.",
    },
    Rule {
        kind: FindingKind::DestroyInUse,
        name: "destroy-in-use",
        counted: ("destruction while in use", "destructions while in use"),
        suppression: "mutex",
        tsan: "destroy while in use",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Destruction while in use",
        help: "A condition variable or a barrier was destroyed while a thread waited there. Wake and await those that wait first.",
    },
    Rule {
        kind: FindingKind::InitHeldLock,
        name: "init-held-lock",
        counted: (
            "initialisation of a held lock",
            "initialisations of held locks",
        ),
        suppression: "mutex",
        tsan: "init of a locked mutex",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Initialisation of a held lock",
        help: "A lock was initialised while somebody held it. Initialise each lock once, before any thread uses it.",
    },
    Rule {
        kind: FindingKind::Relock,
        name: "relock",
        counted: ("lock taken twice", "locks taken twice"),
        suppression: "mutex",
        tsan: "double lock of a mutex",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Lock taken twice",
        help: "A thread asked for a lock that it holds, and waits for itself or was refused. Release it first, or use a recursive mutex.",
    },
    Rule {
        kind: FindingKind::LockHeldAtThreadEnd,
        name: "lock-held-at-thread-end",
        counted: (
            "lock held at the end of a thread",
            "locks held at the end of a thread",
        ),
        suppression: "mutex",
        tsan: "mutex is locked at thread exit",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Lock held at the end of a thread",
        help: "A thread ended and holds a lock that nobody can release any more. Release it on every way out.",
    },
    Rule {
        kind: FindingKind::DoubleJoin,
        name: "double-join",
        counted: ("double join", "double joins"),
        suppression: "thread",
        tsan: "double join",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Double join",
        help: "A thread was joined twice. After the first join its handle is nobody's.",
    },
    Rule {
        kind: FindingKind::JoinDetached,
        name: "join-detached",
        counted: ("join of a detached thread", "joins of detached threads"),
        suppression: "thread",
        tsan: "join of a detached thread",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Join of a detached thread",
        help: "A detached thread was joined. Its handle is nobody's: join a thread, or detach it.",
    },
    Rule {
        kind: FindingKind::DoubleDetach,
        name: "double-detach",
        counted: ("double detach", "double detaches"),
        suppression: "thread",
        tsan: "double detach",
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Double detach",
        help: "A thread was detached that had been joined or detached before. After that its handle is nobody's.",
    },
    Rule {
        kind: FindingKind::ThreadLeak,
        name: "thread-leak",
        counted: ("thread leak", "thread leaks"),
        suppression: "thread",
        tsan: "thread leak",
        group: Group::Leak,
        severity: Severity::Warning,
        title: "Thread leak",
        help: "Threads were neither joined nor detached. Join them, or detach them if nobody needs their result.",
    },
];

impl FindingKind {
    /// Every kind, most important first.
    pub const ALL: [FindingKind; RULES.len()] = {
        let mut all = [FindingKind::DataRace; RULES.len()];
        let mut index = 0;
        while index < all.len() {
            all[index] = RULES[index].kind;
            index += 1;
        }
        all
    };

    /// What is to be known of the kind.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        let found = RULES.iter().find(|rule| rule.kind == self);
        found.expect("every kind has a rule")
    }

    /// The stable name, as in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.rule().name
    }

    /// The kind of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<FindingKind> {
        let found = RULES.iter().find(|rule| rule.name == name)?;
        Some(found.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_rule_and_its_name_is_that_of_json() {
        for rule in RULES {
            let json = serde_json::to_string(&rule.kind).expect("plain data");
            assert_eq!(json, format!("\"{}\"", rule.name));
            assert_eq!(FindingKind::from_name(rule.name), Some(rule.kind));
            assert_eq!(RULES.iter().filter(|one| one.kind == rule.kind).count(), 1);
        }
        assert_eq!(FindingKind::from_name("no-such-thing"), None);
    }
}
