;; What realloc may do to the old block: leave it as it is, for the call failed, and give it to another thread before
;; it returns. The twin of heap_wat_realloc.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))
  (import "threadlink" "thread_yield" (func $thread_yield))

  ;; 64: whose turn it is
  (func $wait_for_turn (param $turn i32)
    (loop $again
      (if (i32.ne (i32.atomic.load (i32.const 64)) (local.get $turn))
        (then (call $thread_yield) (br $again))
      )
    )
  )
  (func $give_turn_to (param $turn i32)
    (i32.atomic.store (i32.const 64) (local.get $turn))
  )

  ;; One block, over and over.
  (func $malloc (param $size i32) (result i32)
    (i32.const 4096)
  )
  (func $free (param $block i32))

  ;; Fails beyond 64 bytes.
  (func $realloc (param $block i32) (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 64))
      (then (return (i32.const 0)))
    )
    ;; The old block is free; the other thread takes it.
    (call $give_turn_to (i32.const 1))
    (call $wait_for_turn (i32.const 2))
    (i32.const 8192)
  )

  (func $moves
    (local $block i32)
    (local.set $block (call $malloc (i32.const 16)))
    (i32.store (local.get $block) (i32.const 7))
    (drop (call $realloc (local.get $block) (i32.const 65)))
    (drop (i32.load (local.get $block)))
    (local.set $block (call $realloc (local.get $block) (i32.const 32)))
    (i32.store (local.get $block) (i32.const 7))
    (call $give_turn_to (i32.const 3))
    (call $free (local.get $block))
  )

  (func $takes
    (local $block i32)
    (call $wait_for_turn (i32.const 1))
    (local.set $block (call $malloc (i32.const 16)))
    (i32.store (local.get $block) (i32.const 7))
    (call $give_turn_to (i32.const 2))
    (call $wait_for_turn (i32.const 3))
    (i32.store (local.get $block) (i32.const 8))
    (call $free (local.get $block))
  )

  (func (export "thread_start") (param $which i32)
    (if (local.get $which)
      (then (call $takes))
      (else (call $moves))
    )
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 0)))
    (drop (call $thread_create (i32.const 4) (i32.const 1)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (drop (call $thread_join (i32.load (i32.const 4))))
  )
)
