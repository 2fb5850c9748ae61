;; A 16-byte vector store against a byte load of its last byte.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  (func (export "thread_start") (param $which i32)
    (if (local.get $which)
      (then
        (v128.store (i32.const 64) (v128.const i64x2 1 2)) ;;~ race(1)
      )
      (else
        (drop (i32.load8_s (i32.const 79))) ;;~ race(1)
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
