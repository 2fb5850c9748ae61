//! The twin of race_task_result: a oneshot says that the result is there.
//@ stdout: 42

use test_programs::Shared;
use threadlink::task::{self, oneshot};
use threadlink::thread;

static RESULT: Shared<u32> = Shared::new(0);

fn work(done: oneshot::Sender<()>) {
    let _ = task::block_on(async {
        let result = task::spawn(async { 42 }).await;
        // SAFETY: nobody looks before it was sent.
        unsafe { *RESULT.get() = result.unwrap_or(0) }
        let _ = done.send(());
    });
}

fn main() {
    let (sender, receiver) = oneshot::channel();
    let worker = thread::spawn(move || work(sender));
    let _ = task::block_on(async {
        assert!(receiver.await.is_ok());
        // SAFETY: it was sent.
        threadlink::println!("{}", unsafe { *RESULT.get() });
    });
    worker.join().unwrap();
}

threadlink::main!(main);
