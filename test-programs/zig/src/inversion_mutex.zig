//! Two threads take two mutexes of Zig in opposite order, one after the other: no schedule deadlocks.
const std = @import("std");

var first: std.Thread.Mutex = .{};
var second: std.Thread.Mutex = .{};
var turn: std.atomic.Value(u32) = .init(0);
var sum: u32 = 0;

noinline fn both(outer: *std.Thread.Mutex, inner: *std.Thread.Mutex) void {
    outer.lock();
    defer outer.unlock();
    inner.lock(); //~ lock-order-inversion(1) lock-order-inversion(1)
    defer inner.unlock();
    sum += 1;
}

fn work(me: u32) void {
    while (turn.load(.acquire) != me) std.atomic.spinLoopHint();
    if (me == 0) both(&first, &second) else both(&second, &first);
    turn.store(me + 1, .release);
}

/// Stacks; Zig 0.15 has no allocator for wasm with threads.
var stacks: [1 << 20]u8 = undefined;

pub fn main() !void {
    var buffer = std.heap.FixedBufferAllocator.init(&stacks);
    const options: std.Thread.SpawnConfig = .{ .stack_size = 64 << 10, .allocator = buffer.threadSafeAllocator() };
    // No thread ends before both are spawned: see `deadlock_join`.
    const two = try std.Thread.spawn(options, work, .{1});
    const one = try std.Thread.spawn(options, work, .{0});
    one.join();
    two.join();
    if (sum != 2) unreachable;
}
