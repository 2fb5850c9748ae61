;; Two threads load a word atomically, which orders nothing, and one of them writes it plainly afterwards.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  ;; 64: the word
  (func (export "thread_start") (param $writes i32)
    (drop (i32.atomic.load (i32.const 64))) ;;~ race(1)
    (if (local.get $writes)
      (then (i32.store (i32.const 64) (i32.const 1))) ;;~ race(1)
    )
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 0)))
    (drop (call $thread_create (i32.const 4) (i32.const 1)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (drop (call $thread_join (i32.load (i32.const 4))))
  )
)
