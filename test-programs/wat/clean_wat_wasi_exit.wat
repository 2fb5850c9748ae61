;; `proc_exit` in a thread of wasi-threads ends all, with its code.
;;@ exit: 5
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "env" "memory" (memory 1 1 shared))
  (func (export "wasi_thread_start") (param $id i32) (param $arg i32)
    (call $exit (local.get $arg)))
  (func (export "_start")
    (drop (call $spawn (i32.const 5)))
    (drop (memory.atomic.wait32 (i32.const 8) (i32.const 0) (i64.const -1))))
)
