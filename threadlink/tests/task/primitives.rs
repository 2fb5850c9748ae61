//! Each rule of the queue, the semaphore, the mutex and the condition variable, above all where futures are
//! dropped.

use crate::{Log, blocked, done, is_cancelled, poll_once, result};
use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use threadlink::task::{
    self, Closed, CondVar, JoinHandle, Mutex, Queue, Semaphore, TryPopError, TryPushError, oneshot,
};

/// A task that takes one value.
fn popper(queue: &Rc<Queue<u32>>) -> JoinHandle<Result<u32, Closed>> {
    let queue = Rc::clone(queue);
    task::spawn(async move { queue.pop().await })
}

fn pusher(queue: &Rc<Queue<u32>>, value: u32) -> JoinHandle<Result<(), Closed<u32>>> {
    let queue = Rc::clone(queue);
    task::spawn(async move { queue.push(value).await })
}

#[test]
fn a_queue_gives_values_in_order_to_those_who_wait_in_order() {
    let queue = Rc::new(Queue::unbounded());
    let poppers = [(); 3].map(|()| popper(&queue));
    blocked();
    for value in 0..3 {
        queue.try_push(value).unwrap();
    }
    // They are promised to those who wait.
    assert_eq!(queue.len(), 3);
    assert_eq!(queue.try_pop(), Err(TryPopError::Empty));
    done();
    let got = poppers.each_ref().map(result);
    assert_eq!(got, [Ok(0), Ok(1), Ok(2)]);
    assert!(queue.is_empty() && queue.capacity().is_none());
}

#[test]
fn a_popper_that_is_cancelled_passes_its_value_on() {
    let queue = Rc::new(Queue::unbounded());
    let [first, second] = [(); 2].map(|()| popper(&queue));
    blocked();
    queue.try_push(7).unwrap();
    first.abort();
    done();
    assert!(is_cancelled(&first));
    assert_eq!(result(&second), Ok(7));
    // One that waits only leaves the line; a value that nobody takes stays.
    let [third, fourth] = [(); 2].map(|()| popper(&queue));
    blocked();
    third.abort();
    blocked();
    queue.try_push(8).unwrap();
    fourth.abort();
    done();
    assert_eq!(queue.try_pop(), Ok(8));
}

#[test]
fn a_bounded_queue_keeps_pushers_waiting_in_order() {
    let queue = Rc::new(Queue::bounded(1));
    assert_eq!(queue.capacity(), Some(1));
    let pushers = [1, 2, 3].map(|value| pusher(&queue, value));
    blocked();
    assert_eq!(queue.len(), 1);
    assert_eq!(queue.try_push(4), Err(TryPushError::Full(4)));
    assert_eq!(queue.try_pop(), Ok(1));
    // The room is promised to who waits.
    assert_eq!(queue.try_push(4), Err(TryPushError::Full(4)));
    pushers[1].abort();
    // Who was promised it is gone, and the next one has it.
    done();
    assert_eq!(queue.try_pop(), Ok(3));
    assert!(is_cancelled(&pushers[1]));
    assert_eq!(result(&pushers[2]), Ok(()));
}

#[test]
fn who_waits_for_a_closed_queue_is_told() {
    let queue = Rc::new(Queue::bounded(1));
    let pushers = [1, 2].map(|value| pusher(&queue, value));
    blocked();
    queue.close();
    assert!(queue.is_closed());
    done();
    assert_eq!(result(&pushers[0]), Ok(()));
    assert_eq!(result(&pushers[1]), Err(Closed(2)));
    assert_eq!(queue.try_push(3), Err(TryPushError::Closed(3)));
    // What is in it can be taken.
    assert_eq!(task::block_on(queue.pop()), Ok(Ok(1)));
    assert_eq!(task::block_on(queue.pop()), Ok(Err(Closed(()))));
    assert_eq!(queue.try_pop(), Err(TryPopError::Closed));

    let queue = Rc::new(Queue::unbounded());
    let poppers = [(); 2].map(|()| popper(&queue));
    blocked();
    queue.try_push(1).unwrap();
    queue.close();
    done();
    assert_eq!(result(&poppers[0]), Ok(1));
    assert_eq!(result(&poppers[1]), Err(Closed(())));
}

#[test]
#[should_panic = "a queue needs room for one value at least"]
fn a_queue_without_room_is_refused() {
    drop(Queue::<u32>::bounded(0));
}

#[test]
fn a_semaphore_is_fair_and_wants_many_at_once() {
    let log = Log::default();
    let semaphore = Rc::new(Semaphore::new(2));
    let task = |name: &'static str, count| {
        let (log, semaphore) = (log.clone(), Rc::clone(&semaphore));
        task::spawn(async move {
            let _permits = semaphore.acquire_many(count).await;
            log.add(name);
            task::pause().await;
            log.add(format!("{name} ends"));
        })
    };
    let _tasks = [task("one", 1), task("two", 2), task("late one", 1)];
    done();
    let order = [
        "one",
        "one ends",
        "two",
        "two ends",
        "late one",
        "late one ends",
    ];
    assert_eq!(log.take(), order);
    assert_eq!(semaphore.available_permits(), 2);
}

#[test]
fn an_acquire_that_is_dropped_lets_others_pass() {
    let semaphore = Rc::new(Semaphore::new(1));
    let task = |count| {
        let semaphore = Rc::clone(&semaphore);
        task::spawn(async move { drop(semaphore.acquire_many(count).await) })
    };
    let (wants_many, wants_one) = (task(5), task(1));
    blocked();
    assert!(semaphore.try_acquire().is_none(), "somebody waits");
    wants_many.abort();
    done();
    assert!(is_cancelled(&wants_many));
    result(&wants_one);
    // One that was granted what it waited for gives it back.
    let held = semaphore.try_acquire().unwrap();
    let (granted, next) = (task(1), task(1));
    blocked();
    drop(held);
    granted.abort();
    done();
    assert!(is_cancelled(&granted));
    result(&next);
    assert_eq!(semaphore.available_permits(), 1);
}

#[test]
fn permits_can_be_added_and_forgotten() {
    let semaphore = Semaphore::new(1);
    semaphore.try_acquire().unwrap().forget();
    assert!(semaphore.try_acquire().is_none());
    semaphore.add_permits(3);
    assert!(semaphore.try_acquire_many(4).is_none());
    drop(semaphore.try_acquire_many(3).unwrap());
    semaphore.add_permits(usize::MAX);
    assert_eq!(semaphore.available_permits(), usize::MAX);
}

#[test]
fn a_mutex_is_kept_across_awaits_and_is_fair() {
    let log = Log::default();
    let mutex = Rc::new(Mutex::new(Vec::new()));
    let tasks = [1, 2, 3].map(|n| {
        let mutex = Rc::clone(&mutex);
        task::spawn(async move {
            let mut list = mutex.lock().await;
            list.push(n);
            task::pause().await;
            list.push(n);
        })
    });
    let outside = Rc::clone(&mutex);
    let ours = log.clone();
    let _tries = task::spawn(async move {
        ours.add(format!("{:?}", outside));
        assert!(outside.try_lock().is_none());
    });
    done();
    tasks.iter().for_each(result);
    assert_eq!(log.take(), ["Mutex { value: <locked> }"]);
    assert_eq!(*mutex.try_lock().unwrap(), [1, 1, 2, 2, 3, 3]);
}

#[test]
fn a_cancelled_owner_unlocks() {
    let mutex = Rc::new(Mutex::new(0));
    let (theirs, ours) = (Rc::clone(&mutex), Rc::clone(&mutex));
    let owner = task::spawn(async move {
        let mut guard = theirs.lock().await;
        *guard = 1;
        std::future::pending::<()>().await;
    });
    let next = task::spawn(async move { *ours.lock().await });
    blocked();
    owner.abort();
    done();
    assert_eq!(result(&next), 1);
    assert_eq!(Rc::into_inner(mutex).unwrap().into_inner(), 1);
}

/// Tasks that log when they are notified.
fn waiters<const N: usize>(log: &Log, condvar: &Rc<CondVar>) -> [JoinHandle<()>; N] {
    std::array::from_fn(|n| {
        let (log, condvar) = (log.clone(), Rc::clone(condvar));
        task::spawn(async move {
            condvar.wait().await;
            log.add(n.to_string());
        })
    })
}

#[test]
fn a_notification_is_for_who_waits_in_order() {
    let log = Log::default();
    let condvar = Rc::new(CondVar::default());
    assert!(!condvar.notify_one(), "and it is lost");
    let _waiters = waiters::<4>(&log, &condvar);
    blocked();
    assert_eq!(format!("{condvar:?}"), "CondVar { waiters: 4 }");
    assert!(condvar.notify_one());
    blocked();
    assert_eq!(log.take(), ["0"]);
    assert_eq!(condvar.notify_all(), 3);
    assert_eq!(condvar.notify_all(), 0);
    done();
    assert_eq!(log.take(), ["1", "2", "3"]);
}

#[test]
fn a_waiter_that_is_dropped_passes_its_notification_on() {
    let log = Log::default();
    let condvar = Rc::new(CondVar::new());
    let [first, second] = waiters(&log, &condvar);
    blocked();
    condvar.notify_one();
    first.abort();
    done();
    assert_eq!(log.take(), ["1"]);
    result(&second);
    // One of a notification for all was not alone in getting it.
    let [first, _second] = waiters(&log, &condvar);
    blocked();
    assert_eq!(condvar.notify_all(), 2);
    let [third] = waiters(&log, &condvar);
    first.abort();
    blocked();
    assert_eq!(log.take(), ["1"]);
    assert!(!third.is_finished());
}

#[test]
fn a_condition_is_looked_at_before_and_after_each_wait() {
    let (number, changed) = (Rc::new(Cell::new(0)), Rc::new(CondVar::new()));
    let looks = Rc::new(Cell::new(0));
    let (seen, condvar, counted) = (Rc::clone(&number), Rc::clone(&changed), Rc::clone(&looks));
    let task = task::spawn(async move {
        let unlike_2 = || {
            counted.set(counted.get() + 1);
            seen.get() != 2
        };
        condvar.wait_while(unlike_2).await;
    });
    for n in 1..=2 {
        blocked();
        assert_eq!((number.replace(n), looks.get()), (n - 1, n));
        changed.notify_one();
    }
    done();
    assert_eq!(looks.get(), 3);
    result(&task);
}

#[test]
fn futures_are_polled_again_without_being_woken() {
    let polled = task::block_on(async {
        let (semaphore, condvar, queue) =
            (Semaphore::new(0), CondVar::new(), Queue::<u32>::bounded(1));
        queue.push(1).await.unwrap();
        let mut acquire = pin!(semaphore.acquire());
        let mut wait = pin!(condvar.wait());
        let mut push = pin!(queue.push(2));
        for _ in 0..3 {
            assert!(poll_once(&mut acquire).await.is_pending());
            assert!(poll_once(&mut wait).await.is_pending());
            assert!(poll_once(&mut push).await.is_pending());
        }
        semaphore.add_permits(1);
        condvar.notify_one();
        queue.pop().await.unwrap();
        let acquired = poll_once(&mut acquire).await.is_ready();
        let notified = poll_once(&mut wait).await.is_ready();
        (acquired, notified, poll_once(&mut push).await)
    });
    assert_eq!(polled, Ok((true, true, Poll::Ready(Ok(())))));
}

#[test]
fn a_oneshot_says_when_the_other_half_is_gone() {
    let (sender, receiver) = oneshot::channel::<u32>();
    let task = task::spawn(receiver);
    blocked();
    assert!(!sender.is_closed());
    drop(sender);
    done();
    assert_eq!(result(&task), Err(oneshot::RecvError));
    let (sender, receiver) = oneshot::channel();
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send(5), Err(5));
    // A value is taken once.
    let (sender, receiver) = oneshot::channel();
    sender.send(5).unwrap();
    assert_eq!(receiver.try_recv(), Some(5));
    assert_eq!(task::block_on(receiver), Ok(Err(oneshot::RecvError)));
}
