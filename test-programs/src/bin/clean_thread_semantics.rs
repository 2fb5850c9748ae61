//! The checks that hold natively for `std::thread` and `threadlink::thread`, on the ABI.
//@ stdout: join returns what the closure returned
//@ stdout: both sides see the same id and name
//@ stdout: a thread is finished when it has ended
//@ stdout: captures and results are dropped once
//@ stdout: a detached thread drops its result
//@ stdout: a scope waits for those nobody joined
//@ stdout: a scope lends and gives back
//@ stdout: scoped threads spawn and join each other
//@ stdout: a token is left by unpark and taken by park
//@ stdout: time passes asleep and parked
//@ stdout: a stack has the size asked for
//@ stdout: odds and ends

#[path = "../../../threadlink/tests/semantics/mod.rs"]
#[macro_use]
mod semantics;

mod of_threadlink {
    thread_semantics!(threadlink::thread);
}

fn main() {
    assert_eq!(threadlink::thread::current().name(), Some("main"));
    for (what, check) in of_threadlink::all() {
        check();
        threadlink::println!("{what}");
    }
}

threadlink::main!(main);
