//! What there is of subjects: a row for each, and each size.

use grind_runtime::FindingKind::{self, Deadlock, LostWakeup, Trap};

/// A subject, of one size.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    /// What the module exports. Its twin is called the same with `_fixed` behind.
    pub(crate) entry: &'static str,
    /// Its argument, where it has one.
    pub(crate) size: Option<u32>,
    /// As what the bug shows. Other kinds are not the bug: that locks are taken in two orders is seen in every schedule.
    pub(crate) kind: FindingKind,
    /// The least mean of schedules to the first bug that was published for a technique (RFF, PERIOD, SURW, POS, PCT, Q-learning, random walk), where the
    /// subject is told after one that was measured.
    pub(crate) published: Option<u32>,
    /// The least number of preemptions that shows it.
    pub(crate) preemptions: u32,
    /// What it waits for, where the usual strategies take hundreds of schedules or more.
    pub(crate) needs: Option<&'static str>,
}

/// A mutex of std is a word that threads spin on here, where published techniques see one operation.
const LOCKS: &str = "locks that are one operation";

const fn row(entry: &'static str, kind: FindingKind, preemptions: u32) -> Row {
    Row {
        entry,
        size: None,
        kind,
        published: None,
        preemptions,
        needs: None,
    }
}

impl Row {
    const fn of(self, size: u32) -> Row {
        Row {
            size: Some(size),
            ..self
        }
    }

    const fn published(self, mean: u32) -> Row {
        Row {
            published: Some(mean),
            ..self
        }
    }

    const fn needs(self, what: &'static str) -> Row {
        Row {
            needs: Some(what),
            ..self
        }
    }

    /// `reorder 100`.
    pub(crate) fn name(&self) -> String {
        match self.size {
            Some(size) => format!("{} {size}", self.entry),
            None => self.entry.to_owned(),
        }
    }
}

/// All of them.
pub(crate) const ROWS: &[Row] = &[
    // SCTBench, CS.
    row("account", Trap, 0).published(1),
    row("bluetooth_driver", Trap, 1).published(9),
    row("carter01", Deadlock, 1).published(1),
    row("circular_buffer", Trap, 1).published(2),
    row("deadlock01", Deadlock, 1).published(1),
    row("lazy01", Trap, 0).published(2),
    row("queue", Trap, 1).published(1),
    row("reorder", Trap, 1).of(3).published(6),
    row("reorder", Trap, 1).of(4).published(6),
    row("reorder", Trap, 1).of(5).published(6),
    row("reorder", Trap, 1).of(10).published(6),
    row("reorder", Trap, 1).of(20).published(6),
    row("reorder", Trap, 1).of(50).published(6),
    row("reorder", Trap, 1).of(100).published(6),
    row("stack", Trap, 1).published(1),
    row("token_ring", Trap, 0).published(2),
    row("twostage", Trap, 1).of(2).published(4),
    row("twostage", Trap, 1).of(20).published(6).needs(LOCKS),
    row("twostage", Trap, 1).of(50).published(20).needs(LOCKS),
    row("twostage", Trap, 1).of(100).published(56).needs(LOCKS),
    row("wronglock", Trap, 1).of(7).published(1),
    row("wronglock", Trap, 1).of(3).published(1),
    // Chess.
    row("interlocked_work_steal_queue", Trap, 1).published(1),
    row("interlocked_state_queue", Trap, 1).published(5),
    row("state_work_steal_queue", Trap, 1).published(1),
    row("work_steal_queue", Trap, 2).published(6),
    // CB, and SafeStack.
    row("stringbuffer", Trap, 1).published(8),
    row("safe_stack", Trap, 5)
        .of(3)
        .published(368_921)
        .needs("a million schedules"),
    // Models.
    row("lost_update", Trap, 1).of(2),
    row("lost_update", Trap, 1).of(5),
    row("check_then_act", Trap, 1).of(2),
    row("two_phase_gap", Trap, 1).of(2),
    row("philosophers", Deadlock, 1).of(3),
    row("philosophers", Deadlock, 1).of(5),
    row("lost_wakeup", LostWakeup, 1),
    row("notify_before_wait", LostWakeup, 0),
    row("stolen_wakeup", Trap, 0),
    row("bounded_buffer", Deadlock, 0),
    row("order_violation", Trap, 1),
    row("wait_group", Trap, 0).of(2),
    row("consumer_first", Trap, 0),
    row("double_checked", Trap, 1),
    row("peterson_no_turn", Deadlock, 1),
    row("peterson_late_flag", Trap, 2),
    row("dekker", Trap, 2),
    row("treiber_aba", Trap, 1),
    row("work_steal_last", Trap, 1),
    row("barrier_check", Trap, 1),
    row("rwlock_upgrade", Deadlock, 1),
    row("seqlock", Trap, 1),
    row("unpublish", Trap, 1),
    row("states", Trap, 2).of(2),
    row("states", Trap, 6)
        .of(4)
        .needs("six preemptions at certain places"),
    // Kinds of bugs in Rust programs.
    row("double_lock", Deadlock, 0),
    row("overdraw", Trap, 1),
    row("channel_under_lock", Deadlock, 0),
    row("skipped_notify", Deadlock, 1),
    row("refcount", Trap, 1),
    // Others.
    row("close_unlocked", LostWakeup, 1),
    row("event_reset", LostWakeup, 1),
    row("early_publish", Trap, 1).of(2),
    row("early_publish", Trap, 1).of(8),
];
