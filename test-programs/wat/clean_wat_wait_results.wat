;; What a wait returns: 1 when the word is another, 2 when the time is up; and a notification that
;; nobody waits for wakes nobody.
;;@ exit: 12
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))

  (func (export "_start")
    (call $proc_exit
      (i32.add
        (i32.mul
          (i32.const 10)
          (memory.atomic.wait32 (i32.const 64) (i32.const 1) (i64.const -1)))
        (i32.add
          (memory.atomic.wait64 (i32.const 72) (i64.const 0) (i64.const 1000))
          (memory.atomic.notify (i32.const 64) (i32.const 1)))))
  )
)
