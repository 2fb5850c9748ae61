//! Zig 0.15.2 (`lib/std/Thread.zig`, `WasiThreadImpl.spawn`) stores a thread's id after the host has made the thread,
//! over the 0 by which the thread says that it has ended. A thread that is quick is waited for for ever.
//@ seeds: some
const std = @import("std");

fn work() void {}

var stacks: [1 << 20]u8 = undefined;

pub fn main() !void {
    var buffer = std.heap.FixedBufferAllocator.init(&stacks);
    for (0..4) |_| {
        const thread = try std.Thread.spawn(.{ .stack_size = 64 << 10, .allocator = buffer.allocator() }, work, .{});
        thread.join(); //~ deadlock(1)
    }
}
