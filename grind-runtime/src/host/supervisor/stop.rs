//! How children are stopped: one after the other, the last that was started first, each with its own time.

use super::child::Asked;
use super::node::{Context, Node, State};
use super::report::{SupervisorEnd, What};

/// Children are being stopped.
#[derive(Debug)]
pub(super) struct Stopping {
    /// Those from this one on are stopped, and not those before.
    first: usize,
    /// Of them, these are left: all before this one.
    left: usize,
    /// The one that was asked to end, and until when.
    asked: Option<(usize, Asked)>,
    then: Then,
}

/// What comes when they have stopped.
#[derive(Debug)]
pub(super) enum Then {
    /// These are started, so much later.
    Start { children: Vec<usize>, after: u64 },
    /// The supervisor has ended.
    End(SupervisorEnd),
}

impl Stopping {
    /// When the child that was asked is aborted.
    pub(super) fn deadline(&self) -> Option<u64> {
        match self.asked {
            Some((_, Asked::Until(at))) => Some(at),
            _ => None,
        }
    }

    /// The child that was asked.
    pub(super) fn child(&self) -> Option<usize> {
        self.asked.map(|(child, _)| child)
    }
}

impl Node {
    /// Stops the children from this one on.
    pub(super) fn stop_from(&mut self, first: usize, then: Then) {
        self.state = State::Stopping(Stopping {
            first,
            left: self.children.len(),
            asked: None,
            then,
        });
    }

    /// Stops all children, and ends.
    pub(super) fn end_with(&mut self, end: SupervisorEnd) {
        self.stop_from(0, Then::End(end));
    }

    /// Somebody wants it to end.
    pub(super) fn stop(&mut self, cx: &mut Context<'_>) {
        let end = SupervisorEnd::Stopped;
        match &mut self.state {
            State::Ended(_) => {}
            State::Stopping(stopping) => {
                if matches!(stopping.then, Then::Start { .. }) {
                    stopping.first = 0;
                    stopping.then = Then::End(end);
                }
            }
            State::New | State::Running | State::Held { .. } => self.end_with(end),
        }
        self.poll(cx);
    }

    /// Ends it at once, with all below.
    pub(super) fn kill(&mut self, cx: &mut Context<'_>) {
        for index in (0..self.children.len()).rev() {
            self.kill_child(index, cx);
        }
        if self.end().is_none() {
            self.state = State::Ended(SupervisorEnd::Stopped);
        }
    }

    fn kill_child(&mut self, index: usize, cx: &mut Context<'_>) {
        if let Some(end) = self.children[index].kill(cx) {
            self.note(index, What::Ended(end), cx);
        }
        self.children[index].forget_restart();
    }

    /// Does one thing while children are stopped. Returns whether there was one.
    pub(super) fn go_on_stopping(&mut self, cx: &mut Context<'_>) -> bool {
        let State::Stopping(stopping) = &mut self.state else {
            return false;
        };
        if let Some((index, asked)) = stopping.asked {
            let ended = self.children[index].ended_as(cx.machine).is_some();
            let late = matches!(asked, Asked::Until(at) if at <= cx.machine.now());
            if ended || late {
                stopping.asked = None;
                match ended {
                    true => self.take_note(index, true, cx),
                    false => self.kill_child(index, cx),
                }
                return true;
            }
            return false;
        }
        if stopping.left > stopping.first {
            stopping.left -= 1;
            let index = stopping.left;
            self.stop_child(index, cx);
            return true;
        }
        let then = std::mem::replace(&mut self.state, State::Running);
        let State::Stopping(Stopping { then, .. }) = then else {
            unreachable!("it was stopping");
        };
        self.state = match then {
            Then::End(end) => State::Ended(end),
            Then::Start { children, after } => State::Held {
                until: cx.machine.now().saturating_add(after),
                children,
            },
        };
        true
    }

    fn stop_child(&mut self, index: usize, cx: &mut Context<'_>) {
        let child = &mut self.children[index];
        child.forget_restart();
        if !child.is_there() {
            return;
        }
        if child.ended_as(cx.machine).is_some() {
            // It had ended by itself before it came to that.
            return self.take_note(index, false, cx);
        }
        match child.ask(cx) {
            Asked::Ended => self.kill_child(index, cx),
            asked => {
                self.note(index, What::Asked, cx);
                if let State::Stopping(stopping) = &mut self.state {
                    stopping.asked = Some((index, asked));
                }
            }
        }
    }

    fn take_note(&mut self, index: usize, stopped: bool, cx: &mut Context<'_>) {
        if let Some(end) = self.children[index].take_end(cx, stopped) {
            self.note(index, What::Ended(end), cx);
        }
    }
}
