;; A thread traps. The one who joins it is told: 2, JoinFailed.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))
  (import "threadlink" "panic" (func $panic (param i32)))

  (func (export "thread_start") (param i32)
    (unreachable) ;;~ trap
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 0)))
    (if (i32.ne (call $thread_join (i32.load (i32.const 0))) (i32.const 2))
      (then (call $panic (i32.const 3))))
  )
)
