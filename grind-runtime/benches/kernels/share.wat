;; Writes every word of 64 MiB; then two threads read all of it at once.
(module
  (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
  (memory (export "memory") 1025 1025 shared)
  (func $read
    (local $at i32)
    (loop $words
      (drop (i32.load (local.get $at)))
      (br_if $words
        (i32.lt_u
          (local.tee $at (i32.add (local.get $at) (i32.const 4)))
          (i32.const 67108864)))))
  (func (export "thread_start") (param i32) (call $read))
  (func (export "_start")
    (local $at i32) (local $one i32)
    (loop $words
      (i32.store (local.get $at) (local.get $at))
      (br_if $words
        (i32.lt_u
          (local.tee $at (i32.add (local.get $at) (i32.const 4)))
          (i32.const 67108864))))
    (drop (call $create (i32.const 67108864) (i32.const 0)))
    (local.set $one (i32.load (i32.const 67108864)))
    (call $read)
    (drop (call $join (local.get $one)))))
