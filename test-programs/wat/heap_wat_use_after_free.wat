;; Three threads share a block. The first frees it and tells the second, which uses it; then the third frees it
;; again. A word orders them, so that none of it is a race. The twin is clean_wat_heap.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))
  (import "threadlink" "thread_yield" (func $thread_yield))

  ;; One block, over and over.
  (func $malloc (param $size i32) (result i32)
    (i32.const 4096)
  )
  (func $free (param $block i32))

  ;; 64: whose turn it is
  (func $wait_for_turn (param $turn i32)
    (loop $again
      (if (i32.ne (i32.atomic.load (i32.const 64)) (local.get $turn))
        (then (call $thread_yield) (br $again))
      )
    )
  )

  (func (export "thread_start") (param $turn i32)
    (call $wait_for_turn (local.get $turn))
    (if (i32.eq (local.get $turn) (i32.const 0))
      (then (call $free (i32.const 4096))) ;;~ heap-use-after-free(1) double-free(2)
    )
    (if (i32.eq (local.get $turn) (i32.const 1))
      (then (drop (i32.load (i32.const 4100)))) ;;~ heap-use-after-free(1)
    )
    (if (i32.eq (local.get $turn) (i32.const 2))
      (then (call $free (i32.const 4096))) ;;~ double-free(2)
    )
    (i32.atomic.store (i32.const 64) (i32.add (local.get $turn) (i32.const 1)))
  )

  (func (export "_start")
    (i32.store (call $malloc (i32.const 16)) (i32.const 7))
    (drop (call $thread_create (i32.const 0) (i32.const 0)))
    (drop (call $thread_create (i32.const 4) (i32.const 1)))
    (drop (call $thread_create (i32.const 8) (i32.const 2)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (drop (call $thread_join (i32.load (i32.const 4))))
    (drop (call $thread_join (i32.load (i32.const 8))))
  )
)
