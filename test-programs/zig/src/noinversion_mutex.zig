//! The twin of inversion_mutex: both threads take the mutexes in one order, and one tries the other, which need not succeed.
const std = @import("std");

var first: std.Thread.Mutex = .{};
var second: std.Thread.Mutex = .{};
var ready: std.Thread.ResetEvent = .{};
var sum: u32 = 0;

fn work(tries: bool) void {
    ready.wait();
    for (0..5) |_| {
        first.lock();
        defer first.unlock();
        second.lock();
        defer second.unlock();
        sum += 1;
    }
    if (tries) {
        second.lock();
        defer second.unlock();
        if (first.tryLock()) {
            defer first.unlock();
            sum += 0;
        }
    }
}

/// Stacks; Zig 0.15 has no allocator for wasm with threads.
var stacks: [1 << 20]u8 = undefined;

pub fn main() !void {
    var buffer = std.heap.FixedBufferAllocator.init(&stacks);
    const options: std.Thread.SpawnConfig = .{ .stack_size = 64 << 10, .allocator = buffer.threadSafeAllocator() };
    const one = try std.Thread.spawn(options, work, .{false});
    const two = try std.Thread.spawn(options, work, .{true});
    ready.set();
    one.join();
    two.join();
    if (sum != 10) unreachable;
}
