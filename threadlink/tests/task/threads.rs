//! Wakers, abort handles and oneshots in other threads.

use crate::{Log, OnDrop, blocked, done, forever, result};
use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use threadlink::task::{self, Group, host, oneshot};

/// As many as find something, and few under Miri.
const ROUNDS: usize = if cfg!(miri) { 5 } else { 500 };

#[test]
fn what_is_public_is_for_the_threads_that_it_says() {
    fn is_send<T: Send>() {}
    fn is_sync<T: Sync>() {}
    is_send::<task::AbortHandle>();
    is_sync::<task::AbortHandle>();
    is_send::<oneshot::Sender<std::cell::Cell<u32>>>();
    is_send::<oneshot::Receiver<u32>>();
    is_send::<host::Completion>();
}

#[test]
fn a_blocked_thread_is_woken_by_others() {
    for round in 0..ROUNDS {
        let sum = task::block_on(task::group(async |group: Group<oneshot::RecvError>| {
            let tasks: Vec<_> = (0..4)
                .map(|n| {
                    let (sender, receiver) = oneshot::channel();
                    thread::spawn(move || sender.send(round + n));
                    group.spawn(receiver)
                })
                .collect();
            let mut sum = 0;
            for task in tasks {
                sum += task.await.unwrap();
            }
            Ok(sum)
        }));
        assert_eq!(sum, Ok(Ok(4 * round + 6)));
    }
}

#[test]
fn no_wake_up_of_another_thread_is_lost() {
    for _ in 0..ROUNDS {
        let count = Arc::new(AtomicUsize::new(0));
        let waker = Arc::new(Mutex::new(None::<Waker>));
        let begin = Arc::new(Barrier::new(3));
        let threads = [(); 2].map(|()| {
            let (count, waker, begin) =
                (Arc::clone(&count), Arc::clone(&waker), Arc::clone(&begin));
            thread::spawn(move || {
                begin.wait();
                for _ in 0..10 {
                    count.fetch_add(1, Ordering::Relaxed);
                    let waker = waker.lock().unwrap().clone();
                    if let Some(waker) = waker {
                        waker.wake();
                    }
                }
            })
        });
        begin.wait();
        let seen = task::block_on(poll_fn(|cx| {
            *waker.lock().unwrap() = Some(cx.waker().clone());
            match count.load(Ordering::Relaxed) {
                20 => Poll::Ready(20),
                _ => Poll::Pending,
            }
        }));
        assert_eq!(seen, Ok(20));
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    }
}

#[test]
fn who_has_returned_to_the_host_sees_it_the_next_time() {
    let (sender, receiver) = oneshot::channel();
    let task = task::spawn(receiver);
    blocked();
    thread::spawn(move || sender.send(5))
        .join()
        .unwrap()
        .unwrap();
    assert!(!task.is_finished());
    done();
    assert_eq!(result(&task), Ok(5));
}

#[test]
fn a_task_that_always_pauses_does_not_keep_others_from_being_woken() {
    let (sender, receiver) = oneshot::channel();
    let pausing: task::JoinHandle<()> = task::spawn(async {
        loop {
            task::pause().await;
        }
    });
    let worker = thread::spawn(move || sender.send(5));
    assert_eq!(task::block_on(receiver), Ok(Ok(5)));
    worker.join().unwrap().unwrap();
    pausing.abort();
    done();
}

#[test]
fn a_task_is_cancelled_from_another_thread() {
    let log = Log::default();
    for _ in 0..ROUNDS.min(100) {
        let task = forever(log.dropped("here"));
        let abort = task.abort_handle();
        let worker = thread::spawn(move || abort.abort());
        assert!(task::block_on(task).unwrap().unwrap_err().is_cancelled());
        worker.join().unwrap();
        assert_eq!(log.take(), ["here"]);
    }
}

/// Called by the destructor of a thread-local.
type Late = OnDrop<Box<dyn FnMut()>>;

#[test]
fn tasks_end_with_their_thread_and_wakers_outlive_them() {
    thread_local! {
        /// Made before the executor, so dropped after it.
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    let (dropped, drops) = mpsc::channel();
    let (wakers, received) = mpsc::channel();
    let thread = thread::spawn(move || {
        let late = dropped.clone();
        let use_late: Box<dyn FnMut()> = Box::new(move || {
            let refused = task::spawn(async {}).try_join();
            let cancelled = refused.is_some_and(|result| result.is_err());
            late.send(if cancelled {
                "late: cancelled"
            } else {
                "late: ran"
            })
            .unwrap();
            assert_eq!(task::poll(), Err(task::RunError::ThreadEnded));
        });
        LATE.with(|slot| *slot.borrow_mut() = Some(OnDrop(use_late)));
        let guard = OnDrop(move || {
            // What a destructor spawns now does not run.
            let _refused = task::spawn(async {});
            dropped.send("dropped").unwrap();
        });
        let _task = task::spawn(poll_fn(move |cx| {
            let _guard = &guard;
            wakers.send(cx.waker().clone()).unwrap();
            Poll::<()>::Pending
        }));
        blocked();
    });
    thread.join().unwrap();
    let all: Vec<_> = drops.iter().collect();
    assert_eq!(all, ["dropped", "late: cancelled"]);
    let waker = received.recv().unwrap();
    waker.wake_by_ref();
    waker.wake();
    done();
}

/// Whose turn it is, and the wakers of both.
type Turns = Arc<Mutex<(usize, [Option<Waker>; 2])>>;

/// Waits for its turn and ends it, often.
fn take_turns(me: usize, turns: Turns) -> Result<(), task::RunError> {
    task::block_on(async move {
        for _ in 0..ROUNDS {
            poll_fn(|cx| {
                let mut turns = turns.lock().unwrap();
                if turns.0 == me {
                    return Poll::Ready(());
                }
                turns.1[me] = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
            let mut turns = turns.lock().unwrap();
            turns.0 = 1 - me;
            let waker = turns.1[1 - me].take();
            drop(turns);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    })
}

#[test]
fn executors_of_two_threads_wake_each_other() {
    let turns = Turns::default();
    let theirs = Arc::clone(&turns);
    let there = thread::spawn(move || take_turns(1, theirs));
    assert_eq!(take_turns(0, turns), Ok(()));
    assert_eq!(there.join().unwrap(), Ok(()));
}
