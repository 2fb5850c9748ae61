//! Nobody unparks.

use threadlink::thread;

fn main() {
    thread::park(); //~ deadlock(1)
}

threadlink::main!(main);
