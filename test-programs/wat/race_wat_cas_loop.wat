;; A plain load races with an atomic operation, although a loop of compare-exchange is near: what it makes of the value
;; is not what was loaded. The twin is norace_wat_cas_loop.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  (func (export "thread_start") (param $number i32)
    (local $loaded i32) (local $old i32) (local $found i32)
    (local.set $old (i32.const 0))
    (local.set $loaded (i32.load (i32.const 64))) ;;~ race(1)
    (loop $again
      (local.set $found
        (i32.atomic.rmw.cmpxchg (i32.const 64) (local.get $old) (local.get $number))) ;;~ race(1)
      (if (i32.ne (local.get $found) (local.get $old))
        (then (local.set $old (local.get $found)) (br $again))
      )
    )
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 1)))
    (drop (call $thread_create (i32.const 4) (i32.const 2)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (drop (call $thread_join (i32.load (i32.const 4))))
  )
)
