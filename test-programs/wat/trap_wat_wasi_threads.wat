;; A trap in a thread of wasi-threads ends all: the first thread, which waits for ever, is not a deadlock.
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "env" "memory" (memory 1 1 shared))
  (func (export "wasi_thread_start") (param $id i32) (param $arg i32)
    (unreachable) ;;~ trap
  )
  (func (export "_start")
    (drop (call $spawn (i32.const 0)))
    (drop (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1))))
)
