//! However often an instruction is executed, it leaves nothing on the host's stack. The engine's handlers call each other
//! in tail position, as far as the compiler makes it so; one that does not would kill the process.

use grind_runtime::machine::BufferIo;
use grind_runtime::model::Ending;
use grind_runtime::program::Program;
use grind_runtime::session::{self, RunOptions};
use std::thread;

/// Executions, each of which would leave a frame of some dozens of bytes.
const EXECUTIONS: u32 = 200_000;

/// Bytes of the stack of the host's thread.
const STACK: usize = 1 << 20;

/// What the engine carries out by more than arithmetic, and ways for control to go.
const INSTRUCTIONS: &[&str] = &[
    "(drop (table.grow $grown (ref.null func) (i32.const 1)))",
    "(drop (table.grow $extern (ref.null extern) (i32.const 1)))",
    "(drop (table.grow $full (ref.null func) (i32.const 1)))",
    "(drop (table.size $full))",
    "(table.fill $full (i32.const 0) (ref.func $nothing) (i32.const 3))",
    "(table.copy $full $other (i32.const 0) (i32.const 1) (i32.const 2))",
    "(table.copy $full $full (i32.const 0) (i32.const 1) (i32.const 2))",
    "(table.init $full $functions (i32.const 0) (i32.const 0) (i32.const 0))",
    "(table.set $full (i32.const 1) (table.get $full (i32.const 0)))",
    "(table.set $full (local.get $zero) (table.get $full (local.get $zero)))",
    "(drop (ref.is_null (ref.func $nothing)))",
    "(elem.drop $functions)",
    "(data.drop $bytes)",
    "(memory.init $bytes (i32.const 0) (i32.const 0) (i32.const 0))",
    "(memory.fill (i32.const 0) (i32.const 1) (i32.const 64))",
    "(memory.copy (i32.const 0) (i32.const 8) (i32.const 64))",
    "(drop (memory.size))",
    "(drop (memory.grow (i32.const 0)))",
    "(drop (memory.grow (i32.const 1)))",
    "(call $nothing)",
    "(call $imported)",
    "(call_indirect $other (i32.const 1))",
    "(call $tail)",
    "(call $tail_indirect)",
    "(block $a (block $b (br_table $a $b $a (local.get $zero))))",
    "(drop (block $a (result i32) (block $b (result i32) (br_table $a $b $a (i32.const 7) (local.get $zero)))))",
    "(block $a (result i32 i64) (block $b (result i32 i64)
        (br_table $a $b $a (i32.const 7) (i64.const 8) (local.get $zero)))) (drop) (drop)",
    "(block $a (br_if $a (local.get $zero)))",
    "(if (local.get $zero) (then (nop)) (else (nop)))",
    "(drop (select (i32.const 1) (i32.const 2) (local.get $zero)))",
    "(global.set $global (global.get $global))",
    "(global.set $vector (global.get $vector))",
    "(drop (f64x2.relaxed_madd (global.get $vector) (global.get $vector) (global.get $vector)))",
    "(drop (f32x4.relaxed_nmadd (global.get $vector) (global.get $vector) (global.get $vector)))",
    "(drop (i8x16.swizzle (global.get $vector) (global.get $vector)))",
    "(v128.store (i32.const 16) (v128.load (i32.const 32)))",
    "(drop (f64.sqrt (f64.nearest (f64.const 2.5))))",
    "(drop (i32.trunc_sat_f64_u (f64.const 2.5)))",
    "(drop (i64.div_s (i64.const 9) (i64.extend_i32_s (i32.add (local.get $zero) (i32.const 2)))))",
    "(drop (i32.atomic.rmw.add (i32.const 64) (i32.const 1)))",
    "(atomic.fence)",
    "(drop (memory.atomic.notify (i32.const 64) (i32.const 1)))",
];

fn module(instruction: &str) -> String {
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "sched_yield" (func $yield (result i32)))
            (import "threadlink" "thread_yield" (func $imported))
            (import "env" "memory" (memory 1 4 shared))
            (type $void (func))
            (table $full 4 4 funcref)
            (table $other 4 4 funcref)
            (table $grown 0 funcref)
            (table $extern 0 externref)
            (elem (table $other) (i32.const 0) func $nothing $nothing $nothing $nothing)
            (elem $functions func $nothing)
            (data $bytes "bytes")
            (global $global (mut i64) (i64.const 1))
            (global $vector (mut v128) (v128.const i64x2 1 2))
            (func $nothing)
            (func $tail (return_call $nothing))
            (func $tail_indirect (return_call_indirect $other (i32.const 1)))
            (func (export "_start")
                (local $count i32) (local $zero i32)
                (loop $again
                    {instruction}
                    (br_if $again (i32.lt_u
                        (local.tee $count (i32.add (local.get $count) (i32.const 1)))
                        (i32.const {EXECUTIONS}))))))"#
    )
}

#[test]
fn no_instruction_leaves_anything_on_the_stack() {
    let on_a_small_stack = thread::Builder::new().stack_size(STACK).spawn(|| {
        for instruction in INSTRUCTIONS {
            // What was executed last, should the process be killed.
            eprintln!("{instruction}");
            let wasm = wat::parse_str(module(instruction)).unwrap();
            let program = Program::new(&wasm).unwrap();
            let outcome =
                session::run(&program, RunOptions::default(), BufferIo::default()).unwrap();
            assert_eq!(outcome.ending, Ending::Returned, "{instruction}");
        }
    });
    on_a_small_stack.unwrap().join().unwrap();
}
