;; Two threads trap, one after the other: each is told.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  (func (export "thread_start") (param $which i32)
    local.get $which
    if
      i32.const 65536
      i32.load ;;~ trap
      drop
    end
    unreachable) ;;~ trap

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 1)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (drop (call $thread_create (i32.const 4) (i32.const 0)))
    (drop (call $thread_join (i32.load (i32.const 4)))))
)
