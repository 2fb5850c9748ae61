;; Two mutexes of std that two threads take in opposite order, one after the other, as a build without optimisation has them:
;; one function of the lock around one for all atomic operations. The names are those that rustc gives.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))

  (func $compare_exchange (param $at i32) (param $old i32) (param $new i32) (result i32)
    (i32.atomic.rmw.cmpxchg (local.get $at) (local.get $old) (local.get $new))
  )

  ;; Nobody comes here: the threads take turns.
  (func $_ZN3std3sys4sync5mutex5futex5Mutex14lock_contended17h0123456789abcdefE (param $lock i32)
    (unreachable)
  )

  (func $_ZN3std3sys4sync5mutex5futex5Mutex4lock17h0123456789abcdefE (param $lock i32)
    (if (call $compare_exchange (local.get $lock) (i32.const 0) (i32.const 1))
      (then (call $_ZN3std3sys4sync5mutex5futex5Mutex14lock_contended17h0123456789abcdefE (local.get $lock)))
    )
  )

  (func $unlock (param $lock i32)
    (drop (i32.atomic.rmw.xchg (local.get $lock) (i32.const 0)))
  )

  ;; 8 and 16: the locks. 24: whose turn it is, 0 and then 1, and 2 at the end.
  (func $wait (param $turn i32)
    (loop $again
      (br_if $again (i32.ne (i32.atomic.load (i32.const 24)) (local.get $turn)))
    )
  )

  (func (export "wasi_thread_start") (param $thread i32) (param $turn i32)
    (local $first i32)
    (local $second i32)
    (local.set $first (select (i32.const 16) (i32.const 8) (local.get $turn)))
    (local.set $second (select (i32.const 8) (i32.const 16) (local.get $turn)))
    (call $wait (local.get $turn))
    (call $_ZN3std3sys4sync5mutex5futex5Mutex4lock17h0123456789abcdefE (local.get $first))
    (call $_ZN3std3sys4sync5mutex5futex5Mutex4lock17h0123456789abcdefE (local.get $second)) ;;~ lock-order-inversion(1) lock-order-inversion(1)
    (call $unlock (local.get $second))
    (call $unlock (local.get $first))
    (drop (i32.atomic.rmw.add (i32.const 24) (i32.const 1)))
  )

  (func (export "_start")
    (drop (call $spawn (i32.const 0)))
    (drop (call $spawn (i32.const 1)))
    (call $wait (i32.const 2))
  )
)
