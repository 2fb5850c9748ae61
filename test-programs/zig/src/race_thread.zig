//! Two threads of Zig write to the same number.
const std = @import("std");

var number: u32 = 0;
/// Set when both are spawned: see `deadlock_join`.
var spawned: std.Thread.ResetEvent = .{};

fn work(value: u32) void {
    spawned.wait();
    @as(*volatile u32, &number).* = value; //~ race(1) race(1)
}

/// Stacks; Zig 0.15 has no allocator for wasm with threads.
var stacks: [1 << 20]u8 = undefined;

pub fn main() !void {
    var buffer = std.heap.FixedBufferAllocator.init(&stacks);
    const options: std.Thread.SpawnConfig = .{ .stack_size = 64 << 10, .allocator = buffer.threadSafeAllocator() };
    const one = try std.Thread.spawn(options, work, .{1});
    const two = try std.Thread.spawn(options, work, .{2});
    spawned.set();
    one.join();
    two.join();
}
