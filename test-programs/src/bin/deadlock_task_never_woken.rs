//! A thread is blocked in tasks that nobody will ever wake: those of its own wait for each other.

use threadlink::task::{self, oneshot};

fn main() {
    let (to_first, first) = oneshot::channel::<()>();
    let (to_second, second) = oneshot::channel::<()>();
    let waits = task::spawn(async move {
        let _ = second.await;
        let _ = to_first.send(());
    });
    let main = async move {
        let _ = first.await;
        let _ = to_second.send(());
        waits.await.is_ok()
    };
    let done = task::block_on(main); //~ deadlock(1)
    assert!(done.is_ok());
}

threadlink::main!(main);
