//! Two values that are initialised at first use need each other, in two threads.
//@ says: deadlock between T1 `left` and T2 `right`
//@ says: cycle: T1 `left` → the initialisation of
//@ says: (std::sync::Once) (made by T2 `right`)
//@ says: (std::sync::Once) (made by T1 `left`)

use std::sync::LazyLock;
use std::thread;
use wasip1_threads_programs::Meeting;

static LEFT: LazyLock<u32> = LazyLock::new(|| {
    MEETING.meet();
    *RIGHT + 1 //~ deadlock(1)
});
static RIGHT: LazyLock<u32> = LazyLock::new(|| {
    MEETING.meet();
    *LEFT + 1 //~ deadlock(1)
});
static MEETING: Meeting = Meeting::new();

fn main() {
    let named = |name: &str| thread::Builder::new().name(name.into());
    let left = named("left").spawn(|| *LEFT).unwrap();
    let right = named("right").spawn(|| *RIGHT).unwrap();
    println!("{}", left.join().unwrap() + right.join().unwrap()); //~ deadlock(1)
}
