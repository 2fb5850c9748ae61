//! Any sequence of operations on a queue and a semaphore, against what they promise; and tasks with a mutex
//! that are cancelled anywhere.
//!
//! Futures are polled by hand, and after each operation only those that were woken. At the end of it, those
//! that were not are polled as well, and must be pending: otherwise a wake-up was lost.

use crate::done;
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use threadlink::task::{self, Mutex, Queue, Semaphore, TryPopError, TryPushError};

/// Whether somebody was woken.
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A future that somebody waits for.
struct Waiting<T> {
    future: Pin<Box<dyn Future<Output = T>>>,
    flag: Arc<Flag>,
    /// What it is called.
    number: usize,
}

/// Those that wait, in the order in which they began to.
struct Line<T> {
    waiting: Vec<Waiting<T>>,
    count: usize,
}

impl<T> Line<T> {
    fn new() -> Line<T> {
        Line {
            waiting: Vec::new(),
            count: 0,
        }
    }

    /// Polls a new future. It waits if it is pending.
    fn begin(&mut self, future: impl Future<Output = T> + 'static) -> Option<T> {
        self.count += 1;
        let mut one = Waiting {
            future: Box::pin(future),
            flag: Arc::new(Flag(AtomicBool::new(false))),
            number: self.count,
        };
        let polled = one.poll();
        if polled.is_none() {
            self.waiting.push(one);
        }
        polled
    }

    /// Drops one that waits.
    fn cancel(&mut self, which: usize) {
        if !self.waiting.is_empty() {
            let which = which % self.waiting.len();
            drop(self.waiting.remove(which));
        }
    }

    /// Polls those that were woken, in their order, until none is.
    fn settle(&mut self) -> Vec<(usize, T)> {
        let mut ready = Vec::new();
        while let Some(at) =
            (self.waiting.iter()).position(|one| one.flag.0.swap(false, Ordering::Relaxed))
        {
            if let Some(output) = self.waiting[at].poll() {
                ready.push((self.waiting.remove(at).number, output));
            }
        }
        ready
    }

    /// No wake-up was lost.
    fn holds(&mut self) {
        for one in &mut self.waiting {
            assert!(one.poll().is_none(), "it can go on, and was not woken");
        }
    }
}

impl<T> Waiting<T> {
    fn poll(&mut self) -> Option<T> {
        let waker = Waker::from(Arc::clone(&self.flag));
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Push,
    Pop,
    TryPush,
    TryPop,
    CancelPush(usize),
    CancelPop(usize),
    /// Lets those run that were woken, which otherwise are only promised something.
    Run,
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Push),
        4 => Just(Step::Pop),
        2 => Just(Step::TryPush),
        2 => Just(Step::TryPop),
        1 => (0..9_usize).prop_map(Step::CancelPush),
        1 => (0..9_usize).prop_map(Step::CancelPop),
        3 => Just(Step::Run),
        1 => Just(Step::Close),
    ]
}

fn queue_holds(capacity: Option<usize>, steps: &[Step]) {
    let queue = Rc::new(match capacity {
        Some(capacity) => Queue::bounded(capacity),
        None => Queue::unbounded(),
    });
    let (mut pushers, mut poppers) = (Line::new(), Line::new());
    // What must come out, in order.
    let mut inside = VecDeque::new();
    let mut next = 0;
    let mut closed = false;
    let push = |value: u32| {
        let queue = Rc::clone(&queue);
        async move { (value, queue.push(value).await) }
    };
    let pop = || {
        let queue = Rc::clone(&queue);
        async move { queue.pop().await }
    };
    for &step in steps {
        match step {
            Step::Push => {
                next += 1;
                let may_wait = capacity.is_some_and(|capacity| inside.len() >= capacity)
                    || !pushers.waiting.is_empty();
                match pushers.begin(push(next)) {
                    Some((value, Ok(()))) => inside.push_back(value),
                    Some((_, Err(error))) => assert!(closed && error.0 == next),
                    None => assert!(may_wait && !closed),
                }
            }
            Step::Pop => match poppers.begin(pop()) {
                Some(Ok(value)) => assert_eq!(inside.pop_front(), Some(value)),
                Some(Err(_)) => assert!(closed),
                None => {
                    let promised = inside.is_empty() || !poppers.waiting.is_empty();
                    assert!(promised && !closed);
                }
            },
            Step::TryPush => {
                next += 1;
                match queue.try_push(next) {
                    Ok(()) => inside.push_back(next),
                    Err(TryPushError::Full(value)) => assert!(value == next && capacity.is_some()),
                    Err(TryPushError::Closed(value)) => assert!(value == next && closed),
                }
            }
            Step::TryPop => match queue.try_pop() {
                Ok(value) => assert_eq!(inside.pop_front(), Some(value)),
                Err(TryPopError::Closed) => assert!(closed),
                Err(TryPopError::Empty) => {
                    assert!(!closed && (inside.is_empty() || !poppers.waiting.is_empty()));
                }
            },
            Step::CancelPush(which) => pushers.cancel(which),
            Step::CancelPop(which) => poppers.cancel(which),
            Step::Close => {
                closed = true;
                queue.close();
            }
            Step::Run => loop {
                let (pushed, popped) = (pushers.settle(), poppers.settle());
                let ended = pushed.is_empty() && popped.is_empty();
                for (_, (value, result)) in pushed {
                    match result {
                        Ok(()) => inside.push_back(value),
                        Err(_) => assert!(closed),
                    }
                }
                for (_, result) in popped {
                    match result {
                        Ok(value) => assert_eq!(inside.pop_front(), Some(value)),
                        Err(_) => assert!(closed && inside.is_empty()),
                    }
                }
                if ended {
                    pushers.holds();
                    poppers.holds();
                    let (values, room) = (&inside, capacity.map(|all| all - inside.len()));
                    assert!(poppers.waiting.is_empty() || values.is_empty());
                    assert!(pushers.waiting.is_empty() || room == Some(0));
                    assert!(!closed || (pushers.waiting.is_empty() && poppers.waiting.is_empty()));
                    break;
                }
            },
        }
        assert_eq!(queue.len(), inside.len());
        assert!(capacity.is_none_or(|capacity| inside.len() <= capacity));
    }
}

#[derive(Clone, Copy, Debug)]
enum Use {
    Acquire(usize),
    TryAcquire(usize),
    Release(usize),
    Cancel(usize),
    Add(usize),
    Run,
}

fn use_of_permits() -> impl Strategy<Value = Use> {
    prop_oneof![
        4 => (1..4_usize).prop_map(Use::Acquire),
        2 => (1..4_usize).prop_map(Use::TryAcquire),
        4 => (0..9_usize).prop_map(Use::Release),
        1 => (0..9_usize).prop_map(Use::Cancel),
        1 => (1..3_usize).prop_map(Use::Add),
        3 => Just(Use::Run),
    ]
}

/// Gives permits back to a semaphore that it counts itself, so that it needs no borrow of it.
struct Held(Rc<Semaphore>, usize);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.add_permits(self.1);
    }
}

fn semaphore_holds(mut total: usize, uses: &[Use]) {
    let semaphore = Rc::new(Semaphore::new(total));
    let mut line = Line::new();
    let mut held: Vec<Held> = Vec::new();
    let hold = |count| {
        let semaphore = Rc::clone(&semaphore);
        async move {
            semaphore.acquire_many(count).await.forget();
            Held(semaphore, count)
        }
    };
    // What each in line wants, by number.
    let mut wants = vec![0];
    for &one in uses {
        match one {
            Use::Acquire(count) => {
                wants.push(count);
                let (first, free) = (line.waiting.is_empty(), semaphore.available_permits());
                match line.begin(hold(count)) {
                    Some(permits) => {
                        assert!(free >= count);
                        held.push(permits);
                    }
                    None => assert!(!first || free < count),
                }
            }
            Use::TryAcquire(count) => {
                let free = semaphore.available_permits();
                match semaphore.try_acquire_many(count) {
                    Some(permits) => {
                        assert!(free >= count);
                        permits.forget();
                        held.push(Held(Rc::clone(&semaphore), count));
                    }
                    None => assert!(free < count || !line.waiting.is_empty()),
                }
            }
            Use::Release(which) if !held.is_empty() => {
                let which = which % held.len();
                drop(held.swap_remove(which));
            }
            Use::Release(_) => {}
            Use::Cancel(which) => line.cancel(which),
            Use::Add(count) => {
                total += count;
                semaphore.add_permits(count);
            }
            Use::Run => {
                let ready = line.settle();
                let first_left = line.waiting.first().map(|one| one.number);
                for (number, permits) in ready {
                    assert!(first_left.is_none_or(|left| number < left), "overtaken");
                    held.push(permits);
                }
                line.holds();
                let taken: usize = held.iter().map(|held| held.1).sum();
                assert_eq!(semaphore.available_permits() + taken, total);
                if let Some(left) = first_left {
                    assert!(semaphore.available_permits() < wants[left]);
                }
            }
        }
    }
    line.waiting.clear();
    held.clear();
    assert_eq!(semaphore.available_permits(), total);
}

/// Whether a task has the mutex, until it is dropped.
struct Inside<'a>(&'a Cell<bool>);

impl<'a> Inside<'a> {
    fn new(inside: &'a Cell<bool>) -> Inside<'a> {
        assert!(!inside.replace(true), "one at a time");
        Inside(inside)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Tasks that keep a mutex for so many pauses, some of which are cancelled after so many.
fn mutex_holds(tasks: &[(usize, Option<usize>)]) {
    let mutex = Rc::new(Mutex::new(0_usize));
    let inside = Rc::new(Cell::new(false));
    let spawn = |&(pauses, cancelled): &(usize, Option<usize>)| {
        let (mutex, inside) = (Rc::clone(&mutex), Rc::clone(&inside));
        let task = task::spawn(async move {
            let mut count = mutex.lock().await;
            let _inside = Inside::new(&inside);
            for _ in 0..pauses {
                task::pause().await;
            }
            *count += 1;
        });
        if let Some(after) = cancelled {
            let abort = task.abort_handle();
            let _detached = task::spawn(async move {
                for _ in 0..after {
                    task::pause().await;
                }
                abort.abort();
            });
        }
        task
    };
    let tasks: Vec<_> = tasks.iter().map(spawn).collect();
    done();
    let ended = tasks.iter().map(|task| task.try_join().unwrap());
    let ended = ended.filter(Result::is_ok).count();
    let count = mutex.try_lock().expect("all have unlocked it");
    assert_eq!(*count, ended);
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 8 } else { 2000 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_queue(
        capacity in prop::option::of(1..4_usize),
        steps in prop::collection::vec(step(), 0..60),
    ) {
        queue_holds(capacity, &steps);
    }

    #[test]
    fn a_semaphore(total in 0..5_usize, uses in prop::collection::vec(use_of_permits(), 0..60)) {
        semaphore_holds(total, &uses);
    }

    #[test]
    fn a_mutex(tasks in prop::collection::vec((0..4_usize, prop::option::of(0..8_usize)), 0..12)) {
        mutex_holds(&tasks);
    }
}
