//! Scheduling, re-entry, cancelling, panics, operations of the host.

use crate::{Log, OnDrop, blocked, done, forever, is_cancelled, result};
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::panic::catch_unwind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, Waker};
use threadlink::abi::Polled;
use threadlink::task::{self, JoinError, JoinHandle, Progress, RunError, host, oneshot};

#[test]
fn tasks_take_turns_in_the_order_in_which_they_became_ready() {
    let log = Log::default();
    let tasks = ["a", "b", "c"].map(|name| {
        let log = log.clone();
        task::spawn(async move {
            for step in 0..3 {
                log.add(format!("{name}{step}"));
                task::pause().await;
            }
        })
    });
    done();
    assert!(tasks.iter().all(JoinHandle::is_finished));
    let order = ["a0", "b0", "c0", "a1", "b1", "c1", "a2", "b2", "c2"];
    assert_eq!(log.take(), order);
}

#[test]
fn what_becomes_ready_while_others_run_runs_in_the_same_call() {
    let log = Log::default();
    let (sender, receiver) = oneshot::channel();
    let (first, second) = (log.clone(), log.clone());
    let waiting = task::spawn(async move {
        first.add(format!("got {}", receiver.await.unwrap()));
        let nested = first.clone();
        task::spawn(async move { nested.add("spawned by it") })
            .await
            .unwrap();
    });
    blocked();
    assert_eq!(log.take(), [""; 0]);
    let _sending = task::spawn(async move {
        second.add("sends");
        sender.send(5).unwrap();
    });
    done();
    assert_eq!(log.take(), ["sends", "got 5", "spawned by it"]);
    result(&waiting);
}

#[test]
fn a_blocked_task_stays_until_the_host_comes_back() {
    let log = Log::default();
    let (sender, receiver) = oneshot::channel();
    let ours = log.clone();
    let main = task::run_async_main(async move {
        ours.add("begins");
        ours.add(format!("ends with {}", receiver.await.unwrap()));
    });
    assert_eq!(main, Ok(Progress::Blocked));
    assert_eq!(log.take(), ["begins"]);
    // Nothing has happened, so nothing does.
    blocked();
    blocked();
    sender.send("this").unwrap();
    done();
    assert_eq!(log.take(), ["ends with this"]);
    done();
}

#[test]
fn a_run_with_blocked_tasks_polls_none_of_them_twice() {
    let polls = Rc::new(Cell::new(0));
    for _ in 0..10 {
        let polls = Rc::clone(&polls);
        let _detached = task::spawn(poll_fn(move |_| {
            polls.set(polls.get() + 1);
            Poll::<()>::Pending
        }));
    }
    for _ in 0..3 {
        blocked();
        assert_eq!(polls.get(), 10);
    }
}

#[test]
fn a_task_that_is_woken_many_times_is_polled_once() {
    let polls = Rc::new(Cell::new(0));
    let waker = Rc::new(RefCell::new(None::<Waker>));
    let (ours, theirs) = (Rc::clone(&polls), Rc::clone(&waker));
    let task = task::spawn(poll_fn(move |cx| {
        ours.set(ours.get() + 1);
        *theirs.borrow_mut() = Some(cx.waker().clone());
        if ours.get() < 3 {
            Poll::Pending
        } else {
            Poll::Ready(())
        }
    }));
    blocked();
    for _ in 0..5 {
        waker.borrow().as_ref().unwrap().wake_by_ref();
    }
    blocked();
    assert_eq!(polls.get(), 2);
    waker.borrow().as_ref().unwrap().wake_by_ref();
    done();
    // Wakers of a task that has ended do nothing.
    waker.take().unwrap().wake();
    done();
    assert_eq!(polls.get(), 3);
    result(&task);
}

#[test]
fn a_waker_of_before_does_not_wake_the_task_that_has_its_place() {
    let waker = Rc::new(RefCell::new(None::<Waker>));
    let theirs = Rc::clone(&waker);
    let first = task::spawn(poll_fn(move |cx| {
        *theirs.borrow_mut() = Some(cx.waker().clone());
        Poll::Ready(())
    }));
    done();
    let abort = first.abort_handle();
    let polls = Rc::new(Cell::new(0));
    let ours = Rc::clone(&polls);
    let second = task::spawn(poll_fn(move |_| {
        ours.set(ours.get() + 1);
        Poll::<()>::Pending
    }));
    blocked();
    waker.take().unwrap().wake();
    abort.abort();
    blocked();
    assert_eq!(polls.get(), 1);
    assert!(!second.is_finished());
}

#[test]
fn a_run_within_a_run_is_refused() {
    let tried = task::block_on(async {
        let inner = (
            task::poll(),
            task::run_async_main(async {}),
            task::block_on(async {}),
        );
        let task = task::spawn(async { task::poll() });
        (inner, task.await.unwrap())
    });
    let refused = Err(RunError::Reentered);
    let ((poll, main, block), in_task) = tried.unwrap();
    assert_eq!(poll, refused);
    assert_eq!(main, Err(RunError::Reentered));
    assert_eq!(block, Err(RunError::Reentered));
    assert_eq!(in_task, refused);
    // The executor is as good as before, also after a run that unwound.
    let unwound = catch_unwind(|| task::block_on(async { panic!("on purpose") }));
    assert!(unwound.is_err());
    done();
}

#[test]
fn main_is_done_though_others_are_not() {
    let log = Log::default();
    let left = forever(log.dropped("dropped"));
    assert_eq!(task::run_async_main(async { 5 }), Ok(Progress::Done(5)));
    blocked();
    assert!(!left.is_finished());
    left.abort();
    done();
    assert_eq!(log.take(), ["dropped"]);
}

#[test]
fn a_panic_of_main_goes_on() {
    let unwound = catch_unwind(|| task::run_async_main(async { panic!("on purpose") }));
    let payload = unwound.map(drop).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
    done();
}

#[test]
fn a_panic_ends_its_task_only() {
    let task = task::spawn(async { panic!("on purpose") });
    let other = task::spawn(async { 5 });
    done();
    assert_eq!(result(&other), 5);
    let error = task.try_join().unwrap().unwrap_err();
    assert!(error.is_panic());
    assert_eq!(error.to_string(), "the task panicked: on purpose");
    let JoinError::Panicked(payload) = error else {
        panic!("{error:?}");
    };
    assert_eq!(payload.downcast_ref(), Some(&"on purpose"));
    // Also where the result's destructor panics and nobody takes it.
    drop(task::spawn(async { OnDrop(|| panic!("on purpose")) }));
    let other = task::spawn(async { 6 });
    done();
    assert_eq!(result(&other), 6);
}

#[test]
fn a_detached_task_goes_on() {
    let log = Log::default();
    let ours = log.clone();
    drop(task::spawn(async move {
        task::pause().await;
        ours.add("ended");
    }));
    done();
    assert_eq!(log.take(), ["ended"]);
}

#[test]
fn a_task_that_is_only_queued_is_cancelled_without_a_poll() {
    let log = Log::default();
    let (ours, guard) = (log.clone(), log.dropped("dropped"));
    let task = task::spawn(async move {
        let _guard = guard;
        ours.add("polled");
    });
    task.abort();
    task.abort();
    assert_eq!(log.take(), [""; 0], "it is dropped when its turn comes");
    done();
    assert_eq!(log.take(), ["dropped"]);
    assert!(is_cancelled(&task));
    // Its place is given to another, with nothing of the queue left over.
    let next = task::spawn(async { 5 });
    done();
    assert_eq!(result(&next), 5);
}

#[test]
fn a_blocked_task_is_dropped_in_its_turn() {
    let log = Log::default();
    let task = forever(log.dropped("dropped"));
    blocked();
    let ours = log.clone();
    let _other = task::spawn(async move { ours.add("other") });
    task.abort();
    done();
    assert_eq!(log.take(), ["other", "dropped"]);
    assert!(is_cancelled(&task));
}

#[test]
fn a_task_that_has_ended_cannot_be_cancelled() {
    let task = task::spawn(async { 5 });
    done();
    let handle = task.abort_handle();
    task.abort();
    handle.abort();
    done();
    assert_eq!(result(&task), 5);
    assert!(task.try_join().is_none(), "it is taken once");
}

/// Spawns a task that has a handle of itself.
fn with_itself<F: Future<Output = u32> + 'static>(
    body: impl FnOnce(Rc<RefCell<Option<task::AbortHandle>>>) -> F,
) -> JoinHandle<u32> {
    let itself = Rc::new(RefCell::new(None));
    let task = task::spawn(body(Rc::clone(&itself)));
    *itself.borrow_mut() = Some(task.abort_handle());
    task
}

#[test]
fn a_task_can_cancel_itself() {
    let log = Log::default();
    let (ours, guard) = (log.clone(), log.dropped("dropped"));
    let task = with_itself(|itself| async move {
        let _guard = guard;
        itself.borrow().as_ref().unwrap().abort();
        ours.add("goes on to the next await");
        task::pause().await;
        ours.add("never");
        5
    });
    done();
    assert_eq!(log.take(), ["goes on to the next await", "dropped"]);
    assert!(is_cancelled(&task));
    // One that is ready in the same poll has its result.
    let task = with_itself(|itself| async move {
        itself.borrow().as_ref().unwrap().abort();
        6
    });
    done();
    assert_eq!(result(&task), 6);
}

#[test]
fn destructors_cancel_and_spawn() {
    let log = Log::default();
    let victim = forever(log.dropped("victim"));
    blocked();
    let (ours, abort) = (log.clone(), victim.abort_handle());
    let task = with_itself(|itself| {
        let guard = OnDrop(move || {
            ours.add("destructor");
            abort.abort();
            // Its own task, which is just being cancelled.
            itself.borrow().as_ref().unwrap().abort();
            let ours = ours.clone();
            let _spawned = task::spawn(async move { ours.add("spawned by it") });
        });
        async move {
            let _guard = guard;
            std::future::pending().await
        }
    });
    blocked();
    task.abort();
    done();
    let order = ["destructor", "victim", "spawned by it"];
    assert_eq!(log.take(), order);
    assert!(is_cancelled(&task) && is_cancelled(&victim));
}

#[test]
fn a_destructor_that_panics_is_a_panic_of_its_task() {
    let task = forever(OnDrop(|| panic!("on purpose")));
    blocked();
    task.abort();
    let other = task::spawn(async { 5 });
    done();
    assert!(task.try_join().unwrap().unwrap_err().is_panic());
    assert_eq!(result(&other), 5);
}

#[test]
fn a_future_is_dropped_before_its_result_is_told() {
    let log = Log::default();
    let (ours, guard) = (log.clone(), log.dropped("dropped"));
    let task = task::spawn(async move {
        let _guard = guard;
        task::pause().await;
    });
    let _waits = task::spawn(async move {
        task.await.unwrap();
        ours.add("told");
    });
    done();
    assert_eq!(log.take(), ["dropped", "told"]);
}

#[test]
fn a_handle_may_be_awaited_anywhere() {
    let task = task::spawn(async { 5 });
    let nested = task::spawn(async { task.await.unwrap() + 1 });
    assert_eq!(task::block_on(nested).unwrap().unwrap(), 6);
    // Also by who did not await it first.
    let (sender, receiver) = oneshot::channel::<()>();
    let mut task = task::spawn(receiver);
    let waits = task::spawn(poll_fn(move |cx| Pin::new(&mut task).poll(cx)));
    blocked();
    drop(sender);
    done();
    assert_eq!(result(&waits).unwrap(), Err(oneshot::RecvError));
}

#[test]
#[should_panic = "a join handle was polled after it had returned the result"]
fn a_handle_that_was_taken_is_not_polled() {
    let task = task::spawn(async {});
    done();
    result(&task);
    let _ = task::block_on(task);
}

#[test]
fn block_on_borrows() {
    let mut numbers = vec![1, 2];
    let sum = task::block_on(async {
        numbers.push(3);
        task::pause().await;
        numbers.iter().sum::<i32>()
    });
    assert_eq!((sum, numbers.len()), (Ok(6), 3));
}

#[test]
fn many_tasks_reuse_their_places() {
    for round in 0..50 {
        let tasks: Vec<_> = (0..20).map(|n| task::spawn(async move { n })).collect();
        done();
        let sum: i32 = tasks.iter().map(result).sum();
        assert_eq!(sum, 190, "{round}");
    }
}

#[test]
fn an_operation_that_nobody_provides_is_an_error_where_it_is_requested() {
    let error = host::request("sleep", []).unwrap_err();
    assert_eq!(error.operation(), "sleep");
    let message = "nothing provides the operation `sleep` of the host in this thread";
    assert_eq!(error.to_string(), message);
    // In a task as well, and without a wait.
    let failed = task::run_async_main(async { host::request("sleep", []).map(drop) });
    assert_eq!(failed.unwrap().done().unwrap(), Err(error));
}

#[test]
fn a_turn_is_the_hosts_next_call_and_no_other() {
    let log = Log::default();
    let tasks = ["a", "b"].map(|name| {
        let log = log.clone();
        task::spawn(async move {
            for n in 0..2 {
                host::turn().unwrap().await;
                log.add(format!("{name}{n}"));
            }
        })
    });
    for expected in [&[][..], &["a0", "b0"]] {
        blocked();
        assert_eq!(log.take(), expected);
    }
    tasks[0].abort();
    done();
    assert_eq!(log.take(), ["b1"]);
    // With a thread that is blocked instead, there is nobody who calls in.
    let error = task::block_on(async { host::turn().map(drop) }).unwrap();
    assert_eq!(error.unwrap_err().operation(), "turn");
}

#[test]
fn the_export_says_how_far_it_came() {
    assert_eq!(task::__poll_export(), Polled::Done.code());
    let task = task::spawn(async {
        host::turn().unwrap().await;
        task::__poll_export()
    });
    assert_eq!(task::__poll_export(), Polled::Blocked.code());
    assert_eq!(task::__poll_export(), Polled::Done.code());
    assert_eq!(result(&task), Polled::Refused.code());
    let codes = Polled::ALL.map(Polled::code);
    assert_eq!(codes, [0, 1, 2]);
    assert_eq!(codes.map(Polled::from_code), Polled::ALL.map(Some));
    assert_eq!(Polled::from_code(3), None);
}

#[test]
fn an_operation_is_completed_abandoned_or_cancelled() {
    let started = Rc::new(RefCell::new(Vec::new()));
    let ours = Rc::clone(&started);
    host::provide("double", |_, _| panic!("replaced"));
    host::provide("double", move |input, completion| {
        ours.borrow_mut().push((input, completion));
    });
    let tasks = [1_u8, 2, 3].map(|n| {
        let request = host::request("double", [n]).unwrap();
        task::spawn(request)
    });
    blocked();
    let mut started = started.take().into_iter().map(|(input, completion)| {
        assert!(!completion.is_cancelled());
        (input[0], completion)
    });
    let (n, completion) = started.next().unwrap();
    // From another thread, as a worker's answer.
    std::thread::spawn(move || completion.complete([n * 2]))
        .join()
        .unwrap();
    drop(started.next());
    let (_, completion) = started.next().unwrap();
    tasks[2].abort();
    done();
    assert_eq!(result(&tasks[0]), Ok(vec![2]));
    assert_eq!(result(&tasks[1]), Err(host::Abandoned));
    assert!(is_cancelled(&tasks[2]) && completion.is_cancelled());
    completion.complete([6]);
}
