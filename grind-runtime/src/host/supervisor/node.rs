//! A supervisor of the tree, as a state machine: it is asked to go on whenever something that it waits for has happened.

use super::child::{Child, Now};
use super::intensity::{HeldClock, Window};
use super::report::{ChildEnd, History, SupervisorEnd, SupervisorReport, What};
use super::spec::{AutoShutdown, Restart, Strategy, SupervisorSpec};
use super::stop::{Stopping, Then};
use crate::host::deadlines::nanoseconds;
use crate::machine::Machine;
use crate::model::ThreadId;
use crate::schedule::SplitMix64;
use std::time::Duration;

/// What a supervisor acts on.
pub(super) struct Context<'a> {
    pub(super) machine: &'a mut Machine,
    pub(super) random: &'a mut SplitMix64,
}

#[derive(Debug)]
pub(super) struct Node {
    spec: SupervisorSpec,
    pub(super) children: Vec<Child>,
    pub(super) state: State,
    window: Window,
    clock: HeldClock,
    pub(super) history: History,
}

#[derive(Debug)]
pub(super) enum State {
    New,
    Running,
    /// It stops children, and deals with nothing else meanwhile, as OTP's.
    Stopping(Stopping),
    /// These children are started then, in this order.
    Held {
        until: u64,
        children: Vec<usize>,
    },
    Ended(SupervisorEnd),
}

impl Node {
    /// One that has started nothing.
    pub(super) fn new(mut spec: SupervisorSpec) -> Node {
        let children = std::mem::take(&mut spec.children);
        Node {
            window: Window::new(spec.intensity),
            children: children.into_iter().map(Child::new).collect(),
            spec,
            state: State::New,
            clock: HeldClock::default(),
            history: History::default(),
        }
    }

    pub(super) fn end(&self) -> Option<&SupervisorEnd> {
        match &self.state {
            State::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Goes on for as long as there is something to do now.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        loop {
            for child in &mut self.children {
                if let Now::Supervisor(node) = &mut child.now {
                    node.poll(cx);
                }
            }
            let goes_on = self.step(cx);
            let waits = |child: &Child| matches!(child.now, Now::Waits(_));
            let holds = match self.state {
                State::Stopping(_) | State::Held { .. } => true,
                _ => self.children.iter().any(waits),
            };
            self.clock.hold(holds, cx.machine.now());
            if !goes_on {
                return;
            }
        }
    }

    /// Does one thing. Returns whether there was one.
    fn step(&mut self, cx: &mut Context<'_>) -> bool {
        let now = cx.machine.now();
        match &mut self.state {
            State::New => {
                self.state = State::Running;
                let all: Vec<usize> = (0..self.children.len()).collect();
                self.start(&all, cx);
                true
            }
            State::Running => self.run(cx),
            State::Stopping(_) => self.go_on_stopping(cx),
            State::Held { until, children } if *until <= now => {
                let children = std::mem::take(children);
                self.state = State::Running;
                self.start(&children, cx);
                true
            }
            State::Held { .. } | State::Ended(_) => false,
        }
    }

    /// Starts children, up to the first that cannot be.
    fn start(&mut self, children: &[usize], cx: &mut Context<'_>) {
        for &index in children {
            let child = &mut self.children[index];
            child.start(cx);
            let thread = match child.now {
                Now::Failed(_) => return,
                Now::Worker(thread) => Some(thread),
                _ => None,
            };
            self.note(index, What::Started(thread), cx);
        }
    }

    /// Does one thing where no children are being stopped.
    fn run(&mut self, cx: &mut Context<'_>) -> bool {
        let ended = (self.children.iter().enumerate())
            .filter_map(|(index, child)| Some((child.ended_as(cx.machine)?, index)))
            .min();
        if let Some((_, index)) = ended {
            self.child_ended(index, cx);
            return true;
        }
        let now = cx.machine.now();
        let is_due = |child: &Child| matches!(child.now, Now::Waits(until) if until <= now);
        if let Some(index) = self.children.iter().position(is_due) {
            self.start(&[index], cx);
            return true;
        }
        let over = |child: &Child| matches!(child.now, Now::Nothing);
        if self.children.iter().all(over) {
            self.state = State::Ended(SupervisorEnd::Finished);
            return true;
        }
        false
    }

    /// A child has ended by itself, or by somebody else than this supervisor.
    fn child_ended(&mut self, index: usize, cx: &mut Context<'_>) {
        let Some(end) = self.children[index].take_end(cx, false) else {
            return;
        };
        self.note(index, What::Ended(end.clone()), cx);
        if self.fails_to_begin(index, &end) {
            let child = self.id(index);
            let why = match end {
                ChildEnd::NotStarted(why) => Some(why),
                _ => None,
            };
            return self.end_with(SupervisorEnd::NotStarted { child, why });
        }
        let again = match self.children[index].spec.restart {
            Restart::Permanent => true,
            Restart::Transient => !end.is_normal(),
            Restart::Temporary => false,
        };
        match again {
            true => self.restart(index, cx),
            false => self.stays_ended(index),
        }
    }

    /// Whether a child could not be started when the supervisor began.
    fn fails_to_begin(&self, index: usize, end: &ChildEnd) -> bool {
        let first = self.children[index].restarts == 0;
        first
            && match end {
                ChildEnd::NotStarted(_) => true,
                ChildEnd::Supervisor(end) => matches!(**end, SupervisorEnd::NotStarted { .. }),
                _ => false,
            }
    }

    /// A child has ended by itself and is not restarted.
    fn stays_ended(&mut self, index: usize) {
        let over = match self.spec.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !(self.children.iter())
                .any(|child| child.spec.significant && !matches!(child.now, Now::Nothing)),
        };
        if over && self.children[index].spec.significant {
            let child = self.id(index);
            self.end_with(SupervisorEnd::AutoShutdown { child });
        }
    }

    /// A child is to be restarted, unless that is once too often.
    fn restart(&mut self, index: usize, cx: &mut Context<'_>) {
        let now = cx.machine.now();
        let clock = self.clock.at(now);
        let child = &mut self.children[index];
        let intensity = child.spec.intensity.unwrap_or(self.spec.intensity);
        if now.saturating_sub(child.started) >= nanoseconds(intensity.max_seconds) {
            child.failures = 0;
        }
        let within = match &mut child.window {
            Some(own) => own.restart(clock),
            None => self.window.restart(clock),
        };
        if !within && child.window.is_some() {
            child.given_up = true;
            self.note(index, What::GivenUp, cx);
            return self.stays_ended(index);
        }
        if !within {
            return self.end_with(SupervisorEnd::LimitReached {
                child: self.id(index),
                max_restarts: intensity.max_restarts,
                max_seconds: intensity.max_seconds,
            });
        }
        let child = &mut self.children[index];
        let after = (self.spec.backoff).delay(child.failures, cx.random.next());
        child.failures = child.failures.saturating_add(1);
        self.note(index, What::Waits(Duration::from_nanos(after)), cx);
        let first = match self.spec.strategy {
            Strategy::OneForOne => {
                self.children[index].now = Now::Waits(now.saturating_add(after));
                return;
            }
            Strategy::OneForAll => 0,
            Strategy::RestForOne => index,
        };
        // OTP starts those as well that had ended in order.
        let children = (first..self.children.len())
            .filter(|&index| self.children[index].spec.restart != Restart::Temporary);
        let children = children.collect();
        self.stop_from(first, Then::Start { children, after });
    }

    pub(super) fn note(&mut self, index: usize, what: What, cx: &Context<'_>) {
        let id = &self.children[index].spec.id;
        self.history.add(cx.machine.now(), id, what);
    }

    fn id(&self, index: usize) -> String {
        self.children[index].spec.id.clone()
    }

    /// The next point in virtual time at which there is something to do.
    pub(super) fn timer(&self) -> Option<u64> {
        let own = match &self.state {
            State::Stopping(stopping) => stopping.deadline(),
            State::Held { until, .. } => Some(*until),
            _ => None,
        };
        // Where children are being stopped, none is started until that is over.
        let starts = matches!(self.state, State::Running);
        let of_child = |child: &Child| match &child.now {
            Now::Waits(until) => starts.then_some(*until),
            Now::Supervisor(node) => node.timer(),
            _ => None,
        };
        let children = self.children.iter().filter_map(of_child);
        children.chain(own).min()
    }

    /// Whether a child has ended that this supervisor, or one below, waits for.
    pub(super) fn has_news(&self, machine: &Machine) -> bool {
        let below = |child: &Child| match &child.now {
            Now::Supervisor(node) => node.has_news(machine),
            _ => false,
        };
        let ended = |child: &Child| child.ended_as(machine).is_some();
        let own = match &self.state {
            State::Running => self.children.iter().any(ended),
            State::Stopping(stopping) => {
                stopping.child().is_some_and(|at| ended(&self.children[at]))
            }
            State::New | State::Held { .. } | State::Ended(_) => false,
        };
        own || self.children.iter().any(below)
    }

    pub(super) fn report(&self) -> SupervisorReport {
        let (history, forgotten) = self.history.report();
        SupervisorReport {
            end: self.end().cloned(),
            restarts: self.children.iter().map(|child| child.restarts).sum(),
            children: self.children.iter().map(Child::report).collect(),
            history,
            forgotten,
        }
    }

    /// The workers that have not ended, with the names of the supervisors that they are in and their own.
    pub(super) fn threads(&self, path: &mut Vec<String>, found: &mut Vec<(Vec<String>, ThreadId)>) {
        for child in &self.children {
            path.push(child.spec.id.clone());
            match &child.now {
                Now::Worker(thread) => found.push((path.clone(), *thread)),
                Now::Supervisor(node) => node.threads(path, found),
                _ => {}
            }
            path.pop();
        }
    }
}
