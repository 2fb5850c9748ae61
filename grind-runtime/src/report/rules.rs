//! What the kinds of findings are, for catalogues: rules of SARIF, exit policies, documentation.

use super::finding::FindingKind;

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

/// What a kind of finding is.
#[derive(Debug)]
pub struct Rule {
    /// The kind.
    pub kind: FindingKind,
    /// Which group it belongs to.
    pub group: Group,
    /// How bad it is.
    pub severity: Severity,
    /// What it is called.
    pub title: &'static str,
    /// What is wrong, and what is usually done about it.
    pub help: &'static str,
}

const RULES: [Rule; FindingKind::ALL.len()] = [
    Rule {
        kind: FindingKind::DataRace,
        group: Group::Race,
        severity: Severity::Error,
        title: "Data race",
        help: "Two threads access the same bytes, at least one writes, at least one access is not atomic, and nothing \
               orders them. Protect both accesses with one lock, make them atomic, or hand the data over.",
    },
    Rule {
        kind: FindingKind::Deadlock,
        group: Group::Deadlock,
        severity: Severity::Error,
        title: "Deadlock",
        help: "Threads wait for each other, or for what nobody is left to do. Take locks in one order everywhere, \
               and release them on every path.",
    },
    Rule {
        kind: FindingKind::LostWakeup,
        group: Group::Deadlock,
        severity: Severity::Error,
        title: "Lost wake-up",
        help: "A thread waits for a notification that came before, when nobody waited. Check the condition under the lock \
               before waiting, and change it under the lock before notifying.",
    },
    Rule {
        kind: FindingKind::Trap,
        group: Group::Trap,
        severity: Severity::Error,
        title: "Trap",
        help: "A thread panicked, failed an assertion, or came to an instruction that cannot be carried out, such as an \
               access outside memory. It ended there, and nobody releases the locks it held. If there is a race or a use \
               after free as well, that is where to begin.",
    },
    Rule {
        kind: FindingKind::LockOrderInversion,
        group: Group::LockOrder,
        severity: Severity::Warning,
        title: "Lock-order inversion",
        help: "Threads take locks in orders that can deadlock under another schedule. Take them in one order everywhere.",
    },
    Rule {
        kind: FindingKind::HeapUseAfterFree,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Heap use after free",
        help: "A heap block was accessed after it was freed. Keep it alive until its last user is done.",
    },
    Rule {
        kind: FindingKind::DoubleFree,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Double free",
        help: "A heap block was freed twice. Give each block one owner.",
    },
    Rule {
        kind: FindingKind::InvalidFree,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Invalid free",
        help: "A heap block was freed by an address inside it. Free the address that was allocated.",
    },
    Rule {
        kind: FindingKind::UnlockNotHeld,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Unlock of a lock that is not held",
        help: "A thread released a lock that nobody holds. Pair every release with one acquisition.",
    },
    Rule {
        kind: FindingKind::UnlockByOtherThread,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Unlock by another thread",
        help: "A thread released a lock that another one holds. Release a lock in the thread that took it.",
    },
    Rule {
        kind: FindingKind::DestroyHeldLock,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Destruction of a held lock",
        help: "A lock was destroyed while somebody held it. Keep it until every holder has released it.",
    },
    Rule {
        kind: FindingKind::CondvarWaitWithoutLock,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Wait without the lock",
        help: "A thread waited on a condition variable without holding its lock. Take the lock before waiting.",
    },
    Rule {
        kind: FindingKind::UseAfterDestroy,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Use after destruction",
        help: "A mutex, condition variable, barrier or semaphore was used after it was destroyed. Keep it until its last user is done.",
    },
    Rule {
        kind: FindingKind::DoubleDestroy,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Double destruction",
        help: "A mutex, condition variable, barrier or semaphore was destroyed twice. Give each one owner.",
    },
    Rule {
        kind: FindingKind::DestroyInUse,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Destruction while in use",
        help: "A condition variable or a barrier was destroyed while a thread waited there. Wake and await those that wait first.",
    },
    Rule {
        kind: FindingKind::InitHeldLock,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Initialisation of a held lock",
        help: "A lock was initialised while somebody held it. Initialise each lock once, before any thread uses it.",
    },
    Rule {
        kind: FindingKind::Relock,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Lock taken twice",
        help: "A thread asked for a lock that it holds, and waits for itself or was refused. Release it first, or use a recursive mutex.",
    },
    Rule {
        kind: FindingKind::LockHeldAtThreadEnd,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Lock held at the end of a thread",
        help: "A thread ended and holds a lock that nobody can release any more. Release it on every way out.",
    },
    Rule {
        kind: FindingKind::DoubleJoin,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Double join",
        help: "A thread was joined twice. After the first join its handle is nobody's.",
    },
    Rule {
        kind: FindingKind::JoinDetached,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Join of a detached thread",
        help: "A detached thread was joined. Its handle is nobody's: join a thread, or detach it.",
    },
    Rule {
        kind: FindingKind::DoubleDetach,
        group: Group::Misuse,
        severity: Severity::Error,
        title: "Double detach",
        help: "A thread was detached that had been joined or detached before. After that its handle is nobody's.",
    },
    Rule {
        kind: FindingKind::ThreadLeak,
        group: Group::Leak,
        severity: Severity::Warning,
        title: "Thread leak",
        help: "Threads were neither joined nor detached. Join them, or detach them if nobody needs their result.",
    },
];

impl FindingKind {
    /// What is to be known of the kind.
    #[must_use]
    pub fn rule(self) -> &'static Rule {
        let found = RULES.iter().find(|rule| rule.kind == self);
        found.expect("every kind has a rule")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_one_rule_in_order_of_importance() {
        assert_eq!(RULES.map(|rule| rule.kind), FindingKind::ALL);
    }
}
