;; Two threads yield to each other, a million times together.
(module
  (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
  (import "threadlink" "thread_yield" (func $yield))
  (memory (export "memory") 1 1 shared)
  (func $turns
    (local $left i32)
    (local.set $left (i32.const 500000))
    (loop $more
      (call $yield)
      (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))
  (func (export "thread_start") (param i32) (call $turns))
  (func (export "_start")
    (drop (call $create (i32.const 0) (i32.const 0)))
    (call $turns)
    (drop (call $join (i32.load (i32.const 0))))))
