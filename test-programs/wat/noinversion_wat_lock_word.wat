;; The twin of inversion_wat_lock_word: the second thread takes one lock after it left the other, with a plain compare-exchange
;; as well, which does not wait. Then the words are counters.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))

  (func $compare_exchange (param $at i32) (param $old i32) (param $new i32) (result i32)
    (i32.atomic.rmw.cmpxchg (local.get $at) (local.get $old) (local.get $new))
  )

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

  (func $both
    (call $_ZN3std3sys4sync5mutex5futex5Mutex4lock17h0123456789abcdefE (i32.const 8))
    (call $_ZN3std3sys4sync5mutex5futex5Mutex4lock17h0123456789abcdefE (i32.const 16))
    (call $unlock (i32.const 16))
    (call $unlock (i32.const 8))
  )

  (func $one_by_one
    (call $_ZN3std3sys4sync5mutex5futex5Mutex4lock17h0123456789abcdefE (i32.const 16))
    (call $unlock (i32.const 16))
    (call $_ZN3std3sys4sync5mutex5futex5Mutex4lock17h0123456789abcdefE (i32.const 8))
    (call $unlock (i32.const 8))
    ;; Attempts.
    (call $_ZN3std3sys4sync5mutex5futex5Mutex4lock17h0123456789abcdefE (i32.const 16))
    (if (call $compare_exchange (i32.const 8) (i32.const 0) (i32.const 1)) (then (unreachable)))
    (call $unlock (i32.const 8))
    (call $unlock (i32.const 16))
    ;; No locks any more: what is 1 was 0 before, and so on.
    (drop (i32.atomic.rmw.add (i32.const 16) (i32.const 3)))
    (drop (i32.atomic.rmw.sub (i32.const 16) (i32.const 3)))
    (drop (i32.atomic.rmw.add (i32.const 16) (i32.const 1)))
    (call $_ZN3std3sys4sync5mutex5futex5Mutex4lock17h0123456789abcdefE (i32.const 8))
    (call $unlock (i32.const 8))
  )

  (func (export "wasi_thread_start") (param $thread i32) (param $turn i32)
    (call $wait (local.get $turn))
    (if (local.get $turn) (then (call $one_by_one)) (else (call $both)))
    (drop (i32.atomic.rmw.add (i32.const 24) (i32.const 1)))
  )

  (func (export "_start")
    (drop (call $spawn (i32.const 0)))
    (drop (call $spawn (i32.const 1)))
    (call $wait (i32.const 2))
  )
)
