//! A main task that waits for a thread and for a word of the host, which calls `threadlink_poll` when it is written:
//! see `grind-runtime/tests/guest_tasks.rs`. With nobody who does, the run is over when the task is blocked.
//@ stdout: blocked

use test_programs::Shared;
use threadlink::task::{self, Progress, host, oneshot};
use threadlink::thread;

static WORD: Shared<u32> = Shared::new(0);

/// Where the host writes.
#[unsafe(no_mangle)]
pub extern "C" fn word() -> *mut u32 {
    WORD.get()
}

async fn run() {
    let (sender, receiver) = oneshot::channel();
    thread::spawn(move || sender.send(40));
    // SAFETY: the host writes while nothing runs.
    while unsafe { *WORD.get() } == 0 {
        let Ok(turn) = host::turn() else {
            panic!("nobody calls in");
        };
        turn.await;
    }
    let sum = receiver.await.map(|n| {
        // SAFETY: as above.
        n + unsafe { *WORD.get() }
    });
    threadlink::println!("{}", sum.unwrap_or(0));
}

fn main() {
    match task::run_async_main(run()) {
        Ok(Progress::Blocked) => threadlink::println!("blocked"),
        _ => threadlink::println!("not blocked"),
    }
}

threadlink::main!(main);
threadlink::export_poll!();
