//! Tasks of one thread: a group, a queue, a semaphore, a mutex, a condition variable, and a task that is cancelled.
//@ stdout: 45 6 done
//@ stdout: the group failed

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;

use threadlink::task::{self, CondVar, Group, GroupError, Mutex, Queue, Semaphore};

async fn sum() -> u32 {
    let queue = Rc::new(Queue::bounded(2));
    let ours = Rc::clone(&queue);
    let _producer = task::spawn(async move {
        for n in 0..10 {
            let _ = ours.push(n).await;
        }
        ours.close();
    });
    let mut sum = 0;
    while let Ok(n) = queue.pop().await {
        sum += n;
    }
    sum
}

async fn count() -> u32 {
    let shared = Rc::new((Semaphore::new(2), Mutex::new(0)));
    let done = task::group(async |group: Group<()>| {
        for _ in 0..6 {
            let shared = Rc::clone(&shared);
            let _child = group.spawn(async move {
                let _permit = shared.0.acquire().await;
                let mut count = shared.1.lock().await;
                task::pause().await;
                *count += 1;
                Ok(())
            });
        }
        let stuck = group.spawn(pending::<Result<(), ()>>());
        stuck.abort();
        Ok(())
    });
    assert!(done.await.is_ok());
    *shared.1.lock().await
}

async fn signal() -> &'static str {
    let shared = Rc::new((Cell::new("waits"), CondVar::new()));
    let theirs = Rc::clone(&shared);
    let waiter = task::spawn(async move {
        theirs.1.wait_while(|| theirs.0.get() == "waits").await;
        theirs.0.get()
    });
    task::pause().await;
    shared.0.set("done");
    shared.1.notify_one();
    waiter.await.unwrap_or("cancelled")
}

async fn fail() -> bool {
    let group = task::group(async |group: Group<u32>| {
        let _sibling = group.spawn(pending::<Result<(), u32>>());
        let _failing = group.spawn(async { Err::<(), _>(5) });
        pending::<Result<(), u32>>().await
    });
    group.await == Err(GroupError::Failed(5))
}

fn main() {
    let done = task::block_on(async {
        threadlink::println!("{} {} {}", sum().await, count().await, signal().await);
        assert!(fail().await);
        threadlink::println!("the group failed");
    });
    assert!(done.is_ok());
}

threadlink::main!(main);
