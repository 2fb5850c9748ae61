//! Tasks of two threads that other threads wake: by oneshots, by a waker of a future made by hand, and by cancelling
//! one. What was written before is there after.
//@ stdout: 6 3 cancelled

use std::future::{pending, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use test_programs::Shared;
use threadlink::task::{self, oneshot};
use threadlink::thread;

static MESSAGES: [Shared<u32>; 3] = [const { Shared::new(0) }; 3];

/// A thread whose own task writes a message, and says so.
fn messenger(number: usize) -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || {
        let _ = task::block_on(async move {
            let value = task::spawn(async move { number as u32 + 1 }).await;
            // SAFETY: nobody looks before it was sent.
            unsafe { *MESSAGES[number].get() = value.unwrap_or(0) }
            let _ = sender.send(());
        });
    });
    receiver
}

async fn sum() -> u32 {
    let messengers = [0, 1, 2].map(messenger);
    let mut sum = 0;
    for (number, messenger) in messengers.into_iter().enumerate() {
        assert!(messenger.await.is_ok());
        // SAFETY: it was sent.
        sum += unsafe { *MESSAGES[number].get() };
    }
    sum
}

/// How often others called the waker's owner, and the waker.
type Calls = Arc<Mutex<(u32, Option<Waker>)>>;

fn call(calls: &Calls) {
    let waker = calls.lock().ok().and_then(|mut calls| {
        calls.0 += 1;
        calls.1.take()
    });
    if let Some(waker) = waker {
        waker.wake();
    }
}

async fn calls() -> u32 {
    let calls = Calls::default();
    for _ in 0..3 {
        let theirs = Arc::clone(&calls);
        thread::spawn(move || call(&theirs));
    }
    poll_fn(|cx| match calls.lock() {
        Ok(calls) if calls.0 == 3 => Poll::Ready(calls.0),
        Ok(mut calls) => {
            calls.1 = Some(cx.waker().clone());
            Poll::Pending
        }
        Err(_) => Poll::Ready(0),
    })
    .await
}

async fn cancelled() -> &'static str {
    let task = task::spawn(pending::<()>());
    let abort = task.abort_handle();
    thread::spawn(move || abort.abort());
    match task.await {
        Err(error) if error.is_cancelled() => "cancelled",
        _ => "not cancelled",
    }
}

fn main() {
    let done = task::block_on(async {
        threadlink::println!("{} {} {}", sum().await, calls().await, cancelled().await);
    });
    assert!(done.is_ok());
}

threadlink::main!(main);
