;; Each thread takes the page that `memory.grow` tells it. The twin is race_wat_memory_size.
(module
  (import "env" "memory" (memory 1 8 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  (func $take_page (result i32)
    (local $end i32)
    (drop (memory.size))
    (local.set $end (memory.grow (i32.const 1)))
    (if (i32.eq (local.get $end) (i32.const -1)) (then (unreachable)))
    (local.get $end)
  )

  (func (export "thread_start") (param $number i32)
    (i32.store (i32.mul (call $take_page) (i32.const 65536)) (local.get $number))
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 1)))
    (drop (call $thread_create (i32.const 4) (i32.const 2)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (drop (call $thread_join (i32.load (i32.const 4))))
  )
)
