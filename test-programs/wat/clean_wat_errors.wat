;; Calls that must fail, and how: each wrong answer ends the run with another exit code.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))
  (import "threadlink" "thread_detach" (func $thread_detach (param i32) (result i32)))
  (import "threadlink" "thread_is_finished"
    (func $thread_is_finished (param i32 i32) (result i32)))
  (import "threadlink" "thread_current" (func $thread_current (result i32)))
  (import "threadlink" "thread_set_name" (func $thread_set_name (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  (func (export "thread_start") (param i32))

  (func $expect (param $errno i32) (param $got i32) (param $exit i32)
    (if (i32.ne (local.get $errno) (local.get $got))
      (then (call $proc_exit (local.get $exit))))
  )

  (func (export "_start")
    ;; No such thread: ThreadNotFound.
    (call $expect (i32.const 1) (call $thread_join (i32.const 12345)) (i32.const 1))
    (call $expect (i32.const 1) (call $thread_detach (i32.const 12345)) (i32.const 2))
    (call $expect (i32.const 1)
      (call $thread_is_finished (i32.const 12345) (i32.const 0)) (i32.const 3))
    ;; Pointers outside of the memory: MemoryOutOfBounds. The last one is partly inside.
    (call $expect (i32.const 4)
      (call $thread_create (i32.const 0xfffffff0) (i32.const 0)) (i32.const 4))
    (call $expect (i32.const 4)
      (call $thread_create (i32.const 65533) (i32.const 0)) (i32.const 5))
    (call $expect (i32.const 4)
      (call $thread_set_name (call $thread_current) (i32.const 65530) (i32.const 7)) (i32.const 6))
    ;; Itself: JoinSelf.
    (call $expect (i32.const 5) (call $thread_join (call $thread_current)) (i32.const 7))
    ;; Twice: Ok, then ThreadNotFound.
    (call $expect (i32.const 0) (call $thread_create (i32.const 0) (i32.const 0)) (i32.const 8))
    (call $expect (i32.const 0) (call $thread_join (i32.load (i32.const 0))) (i32.const 9))
    (call $expect (i32.const 1) (call $thread_join (i32.load (i32.const 0))) (i32.const 10))
    ;; Detached: can be asked about, but not joined.
    (call $expect (i32.const 0) (call $thread_create (i32.const 0) (i32.const 0)) (i32.const 11))
    (call $expect (i32.const 0) (call $thread_detach (i32.load (i32.const 0))) (i32.const 12))
    (call $expect (i32.const 1) (call $thread_join (i32.load (i32.const 0))) (i32.const 13))
    (call $expect (i32.const 1) (call $thread_detach (i32.load (i32.const 0))) (i32.const 14))
    (call $expect (i32.const 0)
      (call $thread_is_finished (i32.load (i32.const 0)) (i32.const 4)) (i32.const 15))
  )
)
