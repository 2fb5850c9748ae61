;; Two threads join each other. The second learns the number of the first as its argument; the first
;; that of the second from memory, which is there before the word says so.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  ;; 64: whether 68 holds the number of the second thread
  (func (export "thread_start") (param $other i32)
    (if (i32.lt_s (local.get $other) (i32.const 0))
      (then
        (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1)))
        (local.set $other (i32.load (i32.const 68)))
      )
    )
    (drop (call $thread_join (local.get $other))) ;;~ deadlock(1) deadlock(1)
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const -1)))
    (drop (call $thread_create (i32.const 68) (i32.load (i32.const 0))))
    (i32.atomic.store (i32.const 64) (i32.const 1))
    (drop (memory.atomic.notify (i32.const 64) (i32.const 1)))
    ;; Not joining either of them: they join each other. Waits for ever.
    (drop (memory.atomic.wait32 (i32.const 72) (i32.const 0) (i64.const -1))) ;;~ deadlock(1)
  )
)
