//! Each rule of groups.

use crate::{Log, OnDrop, blocked, done, is_cancelled, result};
use std::cell::{Cell, RefCell};
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use threadlink::task::{self, Group, GroupError, JoinError, JoinHandle, oneshot};

type Outcome<T> = Result<T, GroupError<&'static str>>;

/// A group whose body is given the group, spawned as a task.
fn group<T: 'static, F>(
    body: impl FnOnce(Group<&'static str>) -> F + 'static,
) -> JoinHandle<Outcome<T>>
where
    F: Future<Output = Result<T, &'static str>> + 'static,
{
    task::spawn(task::group(body))
}

async fn never<T>() -> Result<T, &'static str> {
    pending().await
}

#[test]
fn it_returns_after_all_children() {
    let log = Log::default();
    let (sender, receiver) = oneshot::channel::<()>();
    let ours = log.clone();
    let task = group(async move |group: Group<_>| {
        let (waits, quick) = (ours.clone(), ours.clone());
        let _waits = group.spawn(async move {
            receiver.await.unwrap();
            waits.add("slow child");
            Ok(())
        });
        let inner = group.clone();
        let _quick = group.spawn(async move {
            quick.add("quick child");
            let grandchild = quick.clone();
            let _late = inner.spawn(async move {
                grandchild.add("child of a child");
                Ok(())
            });
            Ok(())
        });
        ours.add("body");
        Ok("all")
    });
    blocked();
    assert_eq!(log.take(), ["body", "quick child", "child of a child"]);
    assert!(!task.is_finished());
    sender.send(()).unwrap();
    done();
    assert_eq!(log.take(), ["slow child"]);
    assert_eq!(result(&task), Ok("all"));
}

#[test]
fn a_failing_child_cancels_its_siblings_and_the_body() {
    let log = Log::default();
    let body = log.dropped("body");
    let child = log.dropped("sibling");
    let handles = Rc::new(RefCell::new(Vec::new()));
    let theirs = Rc::clone(&handles);
    let task = group(async move |group: Group<_>| {
        let _body = body;
        let sibling = group.spawn(async move {
            let _child = child;
            never::<()>().await
        });
        let failing = group.spawn(async {
            task::pause().await;
            Err("disk full")
        });
        *theirs.borrow_mut() = vec![sibling, failing];
        never::<()>().await
    });
    done();
    let mut dropped = log.take();
    dropped.sort_unstable();
    assert_eq!(dropped, ["body", "sibling"]);
    assert_eq!(result(&task), Err(GroupError::Failed("disk full")));
    let handles = handles.take();
    assert!(is_cancelled(&handles[0]));
    assert!(matches!(
        handles[1].try_join(),
        Some(Err(JoinError::Failed))
    ));
}

#[test]
fn the_first_failure_counts_and_the_body_may_have_ended() {
    let task = group(async |group: Group<_>| {
        for error in ["first", "second"] {
            let _failing = group.spawn(async move { Err::<(), _>(error) });
        }
        Ok(())
    });
    done();
    assert_eq!(result(&task), Err(GroupError::Failed("first")));
}

#[test]
fn a_failing_body_cancels_the_children() {
    let log = Log::default();
    let child = log.dropped("child");
    let task = group(async move |group: Group<_>| {
        let _child = group.spawn(async move {
            let _child = child;
            never::<()>().await
        });
        task::pause().await;
        Err::<(), _>("no use")
    });
    done();
    assert_eq!(log.take(), ["child"]);
    assert_eq!(result(&task), Err(GroupError::Failed("no use")));
}

#[test]
fn a_child_that_panics_fails_the_group() {
    let log = Log::default();
    let sibling = log.dropped("sibling");
    let task = group(async move |group: Group<_>| {
        let _sibling = group.spawn(async move {
            let _sibling = sibling;
            never::<()>().await
        });
        let _panicking = group.spawn::<()>(async { panic!("on purpose") });
        never::<()>().await
    });
    done();
    assert_eq!(log.take(), ["sibling"]);
    let error = result(&task).unwrap_err();
    assert_eq!(error, GroupError::Panicked("on purpose".to_owned()));
    let message = "a task of the group panicked: on purpose";
    assert_eq!(error.to_string(), message);
}

#[test]
fn a_child_that_may_fail_fails_alone() {
    let task = group(async |group: Group<_>| {
        let failing = group.spawn_allow_failure(async { Err::<(), _>("its own") });
        let panicking = group.spawn_allow_failure::<()>(async { panic!("its own") });
        let sibling = group.spawn(async {
            task::pause().await;
            Ok(5)
        });
        assert_eq!(failing.await.unwrap(), Err("its own"));
        assert!(panicking.await.unwrap_err().is_panic());
        Ok(sibling.await.unwrap())
    });
    done();
    assert_eq!(result(&task), Ok(5));
}

#[test]
fn cancelled_is_not_failed() {
    let task = group(async |group: Group<_>| {
        let cancelled = group.spawn(never::<()>());
        let sibling = group.spawn(async {
            task::pause().await;
            task::pause().await;
            Ok(5)
        });
        cancelled.abort();
        assert!(cancelled.await.unwrap_err().is_cancelled());
        assert!(!group.is_cancelled());
        Ok(sibling.await.unwrap())
    });
    done();
    assert_eq!(result(&task), Ok(5));
}

#[test]
fn children_that_are_not_waited_for_end_with_the_group() {
    let log = Log::default();
    let (strict, lenient) = (log.dropped("strict"), log.dropped("lenient"));
    let (sender, receiver) = oneshot::channel::<()>();
    let ours = log.clone();
    let task = group(async move |group: Group<_>| {
        let _strict = group.no_wait().spawn(async move {
            let _strict = strict;
            never::<()>().await
        });
        let _lenient = group.no_wait().spawn_allow_failure(async move {
            let _lenient = lenient;
            pending::<()>().await;
        });
        let _waited_for = group.spawn(async move {
            receiver.await.unwrap();
            ours.add("waited for");
            Ok(())
        });
        Ok(())
    });
    blocked();
    assert_eq!(log.take(), [""; 0]);
    sender.send(()).unwrap();
    done();
    assert_eq!(log.take(), ["waited for", "strict", "lenient"]);
    assert_eq!(result(&task), Ok(()));
    // Without any that is waited for, it need not run at all.
    let ours = log.clone();
    let task = group(async move |group: Group<_>| {
        let _never_polled = group.no_wait().spawn(async move {
            ours.add("polled");
            Ok(())
        });
        Ok(())
    });
    done();
    assert_eq!((log.take().len(), result(&task)), (0, Ok(())));
}

#[test]
fn a_child_that_is_not_waited_for_can_fail_the_group() {
    let task = group(async |group: Group<_>| {
        let _failing = group.no_wait().spawn(async { Err::<(), _>("failed") });
        never::<()>().await
    });
    done();
    assert_eq!(result(&task), Err(GroupError::Failed("failed")));
}

#[test]
fn a_child_of_a_cancelled_group_starts_cancelled() {
    let log = Log::default();
    let (ours, guard) = (log.clone(), log.dropped("dropped"));
    let outside = Rc::new(RefCell::new(None));
    let theirs = Rc::clone(&outside);
    let task = group(async move |group: Group<_>| {
        *theirs.borrow_mut() = Some(group.clone());
        group.cancel();
        let late = group.spawn(async move {
            let _guard = guard;
            ours.add("polled");
            Ok(())
        });
        let also = group.spawn_allow_failure(async {});
        assert!(late.await.is_err_and(|error| error.is_cancelled()));
        assert!(also.await.is_err_and(|error| error.is_cancelled()));
        Ok(())
    });
    done();
    assert_eq!(log.take(), ["dropped"]);
    // The body was cancelled where it waited.
    assert_eq!(result(&task), Err(GroupError::Cancelled));
    // The same after its end: nobody waits for the child, and it does nothing.
    let group = outside.take().unwrap();
    assert!(group.is_cancelled());
    let (ours, guard) = (log.clone(), log.dropped("dropped"));
    let late = group.spawn(async move {
        let _guard = guard;
        ours.add("polled");
        Ok(())
    });
    done();
    assert_eq!(log.take(), ["dropped"]);
    assert!(is_cancelled(&late));
}

#[test]
fn a_group_that_is_cancelled_after_its_body_returns_what_that_did() {
    let outside = Rc::new(RefCell::new(None));
    let theirs = Rc::clone(&outside);
    let task = group(async move |group: Group<_>| {
        let _child = group.spawn(never::<()>());
        *theirs.borrow_mut() = Some(group);
        Ok(5)
    });
    blocked();
    outside.take().unwrap().cancel();
    done();
    assert_eq!(result(&task), Ok(5));
}

#[test]
fn who_cancels_a_group_from_outside_cancels_the_body() {
    let log = Log::default();
    let body = log.dropped("body");
    let outside = Rc::new(RefCell::new(None));
    let theirs = Rc::clone(&outside);
    let task = group(async move |group: Group<_>| {
        let _body = body;
        *theirs.borrow_mut() = Some(group);
        never::<()>().await
    });
    blocked();
    outside.take().unwrap().cancel();
    done();
    assert_eq!(log.take(), ["body"]);
    assert_eq!(result(&task), Err(GroupError::Cancelled));
}

#[test]
fn children_are_gone_when_the_task_of_a_group_is() {
    let log = Log::default();
    let (outer, inner, grandchild) = (
        log.dropped("outer"),
        log.dropped("inner"),
        log.dropped("grandchild"),
    );
    let task = group(async move |group: Group<_>| {
        let _outer = outer;
        let _child = group.spawn(async move {
            let _inner = inner;
            let nested = task::group(async move |group: Group<()>| {
                let _grandchild = group.spawn(async move {
                    let _grandchild = grandchild;
                    pending::<Result<(), ()>>().await
                });
                pending::<Result<(), ()>>().await
            });
            nested.await.map_err(|_| "")
        });
        never::<()>().await
    });
    let ours = log.clone();
    let abort = task.abort_handle();
    let _waits = task::spawn(async move {
        assert!(task.await.unwrap_err().is_cancelled());
        ours.add("told");
    });
    blocked();
    abort.abort();
    done();
    assert_eq!(log.take(), ["outer", "grandchild", "inner", "told"]);
}

#[test]
fn a_body_that_panics_takes_the_children_along() {
    let log = Log::default();
    let child = log.dropped("child");
    let task = group(async move |group: Group<_>| {
        let _child = group.spawn(async move {
            let _child = child;
            never::<()>().await
        });
        task::pause().await;
        if !group.is_cancelled() {
            panic!("on purpose");
        }
        Ok(())
    });
    let other = task::spawn(async { 5 });
    done();
    assert_eq!(log.take(), ["child"]);
    assert!(task.try_join().unwrap().unwrap_err().is_panic());
    assert_eq!(result(&other), 5);
}

#[test]
fn a_child_that_drops_its_group_ends_with_its_poll() {
    type Future = Pin<Box<dyn core::future::Future<Output = Outcome<()>>>>;
    let log = Log::default();
    let place: Rc<RefCell<Option<Future>>> = Rc::default();
    let (ours, theirs, guard) = (log.clone(), Rc::clone(&place), log.dropped("child"));
    *place.borrow_mut() = Some(Box::pin(task::group(async move |group: Group<_>| {
        let _child = group.spawn(async move {
            let _guard = guard;
            theirs.take();
            ours.add("dropped its group");
            never::<()>().await
        });
        never::<()>().await
    })));
    let theirs = Rc::clone(&place);
    let _polls = task::spawn(core::future::poll_fn(move |cx| {
        match &mut *theirs.borrow_mut() {
            Some(group) => group.as_mut().poll(cx).map(drop),
            None => core::task::Poll::Ready(()),
        }
    }));
    done();
    assert_eq!(log.take(), ["dropped its group", "child"]);
}

#[test]
fn destructors_of_children_may_come_back() {
    let log = Log::default();
    let spawned = Rc::new(Cell::new(0));
    let (ours, count) = (log.clone(), Rc::clone(&spawned));
    let task = group(async move |group: Group<_>| {
        let inner = group.clone();
        let guard = OnDrop(move || {
            inner.cancel();
            count.set(count.get() + 1);
            let ours = ours.clone();
            let _late = inner.spawn(async move {
                ours.add("polled");
                Ok(())
            });
        });
        let _child = group.spawn(async move {
            let _guard = guard;
            never::<()>().await
        });
        task::pause().await;
        Err::<(), _>("failed")
    });
    done();
    assert_eq!((log.take().len(), spawned.get()), (0, 1));
    assert_eq!(result(&task), Err(GroupError::Failed("failed")));
}

#[test]
fn many_children_share_few_places() {
    let task = group(async |group: Group<_>| {
        let mut sum = 0;
        for n in 0..1000 {
            sum += group.spawn(async move { Ok(n) }).await.unwrap();
        }
        let rest: Vec<_> = (0..100)
            .map(|n| group.spawn(async move { Ok(n) }))
            .collect();
        for child in rest {
            sum += child.await.unwrap();
        }
        Ok(sum)
    });
    done();
    assert_eq!(result(&task), Ok(999 * 500 + 99 * 50));
}
