//! tokio: a runtime of one thread, which others send to, and everything in `tokio::sync`.
//@ stdout: 45 5 3 7 done

use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::sync::{Barrier, Mutex, Notify, RwLock, Semaphore, mpsc, oneshot, watch};

async fn run(mut numbers: mpsc::Receiver<Box<u32>>, last: oneshot::Receiver<u32>) {
    let count = Arc::new(Mutex::new(0));
    let permits = Arc::new(Semaphore::new(1));
    let barrier = Arc::new(Barrier::new(3));
    let tasks = [0, 1, 2].map(|_| {
        let (count, permits, barrier) = (count.clone(), permits.clone(), barrier.clone());
        tokio::spawn(async move {
            let _permit = permits.acquire().await.unwrap();
            *count.lock().await += 1;
            drop(_permit);
            barrier.wait().await;
        })
    });
    let mut sum = 0;
    while let Some(number) = numbers.recv().await {
        sum += *number;
    }
    let last = last.await.unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    let (send, mut watched) = watch::channel(1);
    let notify = Arc::new(Notify::new());
    let lock = Arc::new(RwLock::new(0));
    let other = thread::spawn({
        let (notify, lock) = (notify.clone(), lock.clone());
        move || {
            *lock.blocking_write() = 7;
            send.send(2).unwrap();
            notify.notify_one();
        }
    });
    watched.changed().await.unwrap();
    notify.notified().await;
    tokio::time::sleep(Duration::from_millis(2)).await;
    let late = tokio::time::timeout(Duration::from_millis(1), std::future::pending::<()>()).await;
    assert!(late.is_err());
    other.join().unwrap();
    println!(
        "{sum} {last} {} {} done",
        count.lock().await,
        lock.read().await
    );
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let (numbers, from_numbers) = mpsc::channel(4);
    let (last, from_last) = oneshot::channel();
    let thread = thread::spawn(move || {
        for number in 0..10 {
            numbers.blocking_send(Box::new(number)).unwrap();
        }
        last.send(5).unwrap();
    });
    runtime.block_on(run(from_numbers, from_last));
    thread.join().unwrap();
}
