//! Tasks on a target without threads: a thread that blocked would never be woken, so that is an error at the call, and the
//! host goes on with what is blocked.

use threadlink::task::{self, host, oneshot};

fn main() {
    let (sender, receiver) = oneshot::channel::<u32>();
    match task::block_on(receiver) {
        Ok(_) => println!("it was ready"),
        Err(error) => println!("{error}"),
    }
    println!("nobody waits for it: {}", sender.send(5).is_err());
    let main = task::run_async_main(async {
        match host::turn() {
            Ok(turn) => turn.await,
            Err(error) => println!("{error}"),
        }
        match host::request("read-file", "a.txt") {
            Ok(_) => println!("somebody reads it"),
            Err(error) => println!("{error}"),
        }
    });
    println!("{main:?}");
}

threadlink::export_poll!();
