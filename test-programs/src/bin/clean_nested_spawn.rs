//! Fifty threads, each of which spawns the next one and joins it.
//@ stdout: 1275

use threadlink::thread;

fn descend(depth: u32) -> u32 {
    if depth == 0 {
        return 0;
    }
    let builder = thread::Builder::new().stack_size(32 * 1024);
    let Ok(below) = builder.spawn(move || descend(depth - 1)) else {
        panic!("no further thread at depth {depth}");
    };
    depth + below.join().unwrap()
}

fn main() {
    threadlink::println!("{}", descend(50));
}

threadlink::main!(main);
