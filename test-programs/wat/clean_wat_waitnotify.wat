;; The thread waits on a word that the first thread sets and notifies. The message is plain, and what
;; orders it is the word.
;;@ exit: 7
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  ;; 64: the word, 68: the message, 72: what the thread read
  (func (export "thread_start") (param i32)
    (loop $again
      (drop (memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const -1)))
      (br_if $again (i32.eqz (i32.atomic.load (i32.const 64))))
    )
    (i32.store (i32.const 72) (i32.load (i32.const 68)))
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 0)))
    (i32.store (i32.const 68) (i32.const 7))
    (i32.atomic.store (i32.const 64) (i32.const 1))
    (drop (memory.atomic.notify (i32.const 64) (i32.const 1)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (call $proc_exit (i32.load (i32.const 72)))
  )
)
