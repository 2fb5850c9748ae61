;; Two threads load a word atomically, and main writes it plainly when it has joined both. The twin is
;; race_wat_loads_then_write.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  ;; 64: the word
  (func (export "thread_start") (param i32)
    (drop (i32.atomic.load (i32.const 64)))
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 0)))
    (drop (call $thread_create (i32.const 4) (i32.const 1)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (drop (call $thread_join (i32.load (i32.const 4))))
    (i32.store (i32.const 64) (i32.const 1))
  )
)
