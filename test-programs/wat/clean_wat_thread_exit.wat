;; `thread_exit` of WASIX, called some way down, ends the calling thread and no other.
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "wasix_32v1" "thread_exit" (func $exit (param i32)))
  (import "env" "memory" (memory 1 1 shared))

  (func $leave
    (i32.store (i32.const 64) (i32.const 1))
    (i32.atomic.store (i32.const 8) (i32.const 1))
    (drop (memory.atomic.notify (i32.const 8) (i32.const -1)))
    (call $exit (i32.const 3))
    (unreachable))

  ;; An instance that a thread left in this way serves the next one.
  (func (export "wasi_thread_start") (param $id i32) (param $arg i32)
    (if (local.get $arg) (then (call $leave)))
    (i32.atomic.store (i32.const 12) (i32.const 1))
    (drop (memory.atomic.notify (i32.const 12) (i32.const -1))))

  (func $wait (param $flag i32)
    (loop $again
      (if (i32.eqz (i32.atomic.load (local.get $flag)))
        (then
          (drop (memory.atomic.wait32 (local.get $flag) (i32.const 0) (i64.const -1)))
          (br $again)))))

  (func (export "_start")
    (drop (call $spawn (i32.const 1)))
    (call $wait (i32.const 8))
    (if (i32.ne (i32.load (i32.const 64)) (i32.const 1)) (then (unreachable)))
    (drop (call $spawn (i32.const 0)))
    (call $wait (i32.const 12)))
)
