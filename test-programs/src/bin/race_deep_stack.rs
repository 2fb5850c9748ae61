//! Both accesses are several calls deep, in threads that a thread spawned: long stacks for reports.

use std::hint::black_box;

use test_programs::{Shared, spawn_named};

static CONFIG: Shared<u32> = Shared::new(0);

#[inline(never)]
fn set(value: u32) {
    // SAFETY: none, this is the bug.
    unsafe { *CONFIG.get() = value } //~ race(1)
}

#[inline(never)]
fn get() -> u32 {
    // SAFETY: none, this is the bug.
    unsafe { *CONFIG.get() } //~ race(1)
}

#[inline(never)]
fn reload(level: u32) -> u32 {
    if level > 0 {
        // Unknown to the compiler, which would make it a loop.
        return black_box(reload(level - 1)) + 1;
    }
    set(7);
    0
}

#[inline(never)]
fn handle_request() -> u32 {
    get() + 1
}

fn serve() {
    let request = spawn_named("request", handle_request);
    request.join().unwrap();
}

fn main() {
    let server = spawn_named("server", serve);
    reload(2);
    server.join().unwrap();
}

threadlink::main!(main);
