;; The twin of race_wat_memory_copy: the filled bytes begin where the copied ones end.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  (func (export "thread_start") (param $which i32)
    (if (local.get $which)
      (then
        ;; 256..288 from 128..160
        (memory.copy (i32.const 256) (i32.const 128) (i32.const 32))
      )
      (else
        ;; 160..192
        (memory.fill (i32.const 160) (i32.const 7) (i32.const 32))
      )
    )
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 0)))
    (drop (call $thread_create (i32.const 4) (i32.const 1)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (drop (call $thread_join (i32.load (i32.const 4))))
  )
)
