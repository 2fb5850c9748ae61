;; Locks used against their rules: released by nobody's holder, released by another thread than the holder, and
;; waited with by a thread that does not hold it. The twin is clean_wat_locks.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))
  (import "threadlink" "start_lock" (func $start_lock (param i32)))
  (import "threadlink" "finish_lock" (func $finish_lock (param i32)))
  (import "threadlink" "start_unlock" (func $start_unlock (param i32)))
  (import "threadlink" "finish_unlock" (func $finish_unlock (param i32)))
  (import "threadlink" "start_wait" (func $start_wait (param i32 i32)))
  (import "threadlink" "finish_wait" (func $finish_wait (param i32 i32 i32)))

  ;; 64: the lock that is taken here and released by main. 72: the one that main takes.
  (func (export "thread_start") (param $argument i32)
    (call $start_lock (i32.const 64))
    (call $finish_lock (i32.const 64))
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 0)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (call $start_unlock (i32.const 64)) ;;~ unlock-by-other-thread(1)
    (call $finish_unlock (i32.const 64))
    (call $start_unlock (i32.const 64)) ;;~ unlock-not-held(2)
    (call $finish_unlock (i32.const 64))
    (call $start_wait (i32.const 80) (i32.const 72)) ;;~ condvar-wait-without-lock(3)
    (call $finish_wait (i32.const 80) (i32.const 72) (i32.const 1))
    (call $start_unlock (i32.const 72))
    (call $finish_unlock (i32.const 72))
  )
)
