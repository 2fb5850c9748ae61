//! The twin of `deadlock_once`: one of the values needs the other.
//@ stdout: 3

use std::sync::LazyLock;
use std::thread;

static LEFT: LazyLock<u32> = LazyLock::new(|| *RIGHT + 1);
static RIGHT: LazyLock<u32> = LazyLock::new(|| 1);

fn main() {
    let left = thread::spawn(|| *LEFT);
    let right = thread::spawn(|| *RIGHT);
    println!("{}", left.join().unwrap() + right.join().unwrap());
}
