;; Both threads wait for ever, and nobody is left to notify.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))

  (func (export "thread_start") (param i32)
    (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1))) ;;~ deadlock(1)
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 0)))
    (drop (memory.atomic.wait64 (i32.const 72) (i64.const 0) (i64.const -1))) ;;~ deadlock(1)
  )
)
