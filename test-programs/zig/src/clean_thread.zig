//! Zig's own threads, without libc: a mutex, a condition variable, a reset event. No thread ends before
//! both are spawned: see `deadlock_join`.
const std = @import("std");

var lock: std.Thread.Mutex = .{};
var changed: std.Thread.Condition = .{};
var sum: u32 = 0;
var ready: std.Thread.ResetEvent = .{};
var gift: u32 = 0;
var turn: u32 = 0;

fn work(me: u32) void {
    ready.wait();
    for (0..10) |_| {
        lock.lock();
        defer lock.unlock();
        sum += gift;
    }
    lock.lock();
    defer lock.unlock();
    while (turn != me) changed.wait(&lock);
    turn += 1;
    changed.broadcast();
}

/// Stacks; Zig 0.15 has no allocator for wasm with threads.
var stacks: [1 << 20]u8 = undefined;

pub fn main() !void {
    var buffer = std.heap.FixedBufferAllocator.init(&stacks);
    const options: std.Thread.SpawnConfig = .{ .stack_size = 64 << 10, .allocator = buffer.threadSafeAllocator() };
    const one = try std.Thread.spawn(options, work, .{0});
    const two = try std.Thread.spawn(options, work, .{1});
    gift = 2;
    ready.set();
    one.join();
    two.join();
    if (sum != 40 or turn != 2) unreachable;
}
