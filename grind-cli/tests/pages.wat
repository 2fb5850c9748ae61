;; Two threads that write the same 16,384 words without an order, and take a lock of their own after each.
(module
  (import "env" "memory" (memory 4 4 shared))
  (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
  (func (export "thread_start") (param i32)
    (local $at i32)
    (loop $again
      (i32.store (i32.add (local.get $at) (i32.const 4096)) (i32.const 1))
      (drop (i32.atomic.rmw.add (i32.const 1024) (i32.const 1)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $again (i32.lt_u (local.get $at) (i32.const 65536)))))
  (func (export "_start")
    (drop (call $create (i32.const 1000) (i32.const 0)))
    (drop (call $create (i32.const 1004) (i32.const 0)))
    (drop (call $join (i32.load (i32.const 1000))))
    (drop (call $join (i32.load (i32.const 1004))))))
