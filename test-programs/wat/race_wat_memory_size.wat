;; Each thread takes the page behind the end of memory: it asks for the size, then grows by one page. Between the two,
;; another thread may do the same, and both have the page. An allocator did this. The twin is norace_wat_memory_grow.
;;@ seeds: some
(module
  (import "env" "memory" (memory 1 8 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  (func $take_page (result i32)
    (local $end i32)
    (local.set $end (memory.size))
    (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (unreachable)))
    (local.get $end)
  )

  (func (export "thread_start") (param $number i32)
    (i32.store (i32.mul (call $take_page) (i32.const 65536)) (local.get $number)) ;;~ race(1) race(1)
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 1)))
    (drop (call $thread_create (i32.const 4) (i32.const 2)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (drop (call $thread_join (i32.load (i32.const 4))))
  )
)
