;; A block is used after realloc gave another in its place. The twin is clean_wat_realloc, whose realloc fails.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  (func $malloc (param $size i32) (result i32)
    (i32.const 4096)
  )
  (func $realloc (param $block i32) (param $size i32) (result i32)
    (i32.const 8192)
  )

  (func (export "thread_start") (param i32)
    (i32.store (call $malloc (i32.const 16)) (i32.const 7))
    (drop (call $realloc (i32.const 4096) (i32.const 32))) ;;~ heap-use-after-free(1)
    (drop (i32.load (i32.const 4100))) ;;~ heap-use-after-free(1)
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 0)))
    (drop (call $thread_join (i32.load (i32.const 0))))
  )
)
