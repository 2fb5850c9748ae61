;; Two threads of wasi-threads write to the same place; the first one waits for them without looking at it.
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "env" "memory" (memory 1 1 shared))

  ;; The second one starts when the first is past its write only if it happens to; nothing orders them.
  (func (export "wasi_thread_start") (param $id i32) (param $arg i32)
    (i32.store (i32.const 64) (local.get $arg)) ;;~ race(1) race(1)
    (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1)))
    (drop (memory.atomic.notify (i32.const 8) (i32.const -1))))

  (func (export "_start") (local $ended i32)
    (drop (call $spawn (i32.const 1)))
    (drop (call $spawn (i32.const 2)))
    (loop $again
      (local.set $ended (i32.atomic.load (i32.const 8)))
      (if (i32.ne (local.get $ended) (i32.const 2))
        (then
          (drop (memory.atomic.wait32 (i32.const 8) (local.get $ended) (i64.const -1)))
          (br $again)))))
)
