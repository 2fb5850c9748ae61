//! Threads that somebody had to join or detach, and nobody did.
//!
//! **Finds** every `ThreadJoinable` thread that had ended when the main thread did, and of which the run, up to its normal
//! end, saw neither a `ThreadJoin` nor a `ThreadDetach`. Threads created at the same place are one
//! finding. ThreadSanitizer's thread leaks; there is no paper.
//!
//! A thread that runs still when the main thread ends is none: a program may leave its threads to the end of the process. Of
//! these, [`AnalysisOutcome::running`](crate::detect::AnalysisOutcome::running) tells, wherever they get to after that.
//!
//! **Misses** threads that were only asked whether they had ended, which counts as a join, and all leaks of
//! runs that ended otherwise: by a trap, a deadlock, a limit, or an exit code that is not 0.
//!
//! **Never falsely reports**, provided that the events tell of every join.
//!
//! **Cost**: an entry for each joinable thread, at most [`Limits::threads`](crate::detect::Limits::threads).

use crate::detect::common::detector::{At, Detector, End, Results};
use crate::detect::common::diagnosis::{Diagnosed, Diagnosis, Stack};
use crate::model::{EventKind, ThreadEnd, ThreadId};
use std::collections::BTreeSet;

/// How many threads of one place are named. Others count.
const MAX_NAMED: usize = 64;

/// Threads yet to be joined or detached.
#[derive(Debug, Default)]
pub(in crate::detect) struct ThreadLeaks {
    joinable: BTreeSet<ThreadId>,
    /// Those that ended before the main thread did.
    ended: BTreeSet<ThreadId>,
    main_ended: bool,
}

impl Detector for ThreadLeaks {
    fn event(&mut self, at: &At<'_>) {
        let At {
            contexts, event, ..
        } = at;
        match event.kind {
            EventKind::ThreadJoinable { child } if contexts.get(child).is_some() => {
                self.joinable.insert(child);
            }
            EventKind::ThreadJoin { child } | EventKind::ThreadDetach { child } => {
                self.joinable.remove(&child);
                self.ended.remove(&child);
            }
            // Whoever ended it has to do with it, and not the guest.
            EventKind::ThreadExit(ThreadEnd::Aborted) => {
                self.joinable.remove(&event.thread);
            }
            EventKind::ThreadExit(_) if event.thread == ThreadId(0) => self.main_ended = true,
            EventKind::ProcessEnd => self.main_ended = true,
            // What ends a thread after that is the end of the process.
            EventKind::ThreadExit(ThreadEnd::Returned | ThreadEnd::Trapped { .. })
                if !self.main_ended && contexts.get(event.thread).is_some() =>
            {
                self.ended.insert(event.thread);
            }
            _ => {}
        }
    }

    /// It is known only at the end.
    fn found_any(&self) -> bool {
        false
    }

    fn finish(self: Box<Self>, end: &End<'_>, results: &mut Results) {
        if !end.normally {
            return;
        }
        let mut places: Vec<(ThreadId, &Stack, Vec<ThreadId>)> = Vec::new();
        let (ended, running): (Vec<_>, Vec<_>) =
            (self.joinable.into_iter()).partition(|thread| self.ended.contains(thread));
        for thread in ended {
            let Some((creator, stack)) = end.contexts.created(thread) else {
                continue;
            };
            match (places.iter_mut()).find(|(by, at, _)| (by, *at) == (creator, stack)) {
                Some((_, _, threads)) => threads.push(thread),
                None => places.push((*creator, stack, vec![thread])),
            }
        }
        let leak = |(creator, stack, mut threads): (ThreadId, &Stack, Vec<ThreadId>)| {
            let count = threads.len() as u64;
            threads.truncate(MAX_NAMED);
            let diagnosis = Diagnosis::ThreadLeak {
                threads,
                creator,
                stack: stack.clone(),
            };
            (end.position, Diagnosed { diagnosis, count })
        };
        results.found.extend(places.into_iter().map(leak));
        results.running = running;
    }
}
