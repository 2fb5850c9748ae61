;; The twin of race_wat_cas_loop, in both forms that LLVM gives to an atomic maximum: a loop of compare-exchange that begins
;; with what a plain load read.
(module
  (import "env" "memory" (memory 1 1 shared))
  (import "threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $thread_join (param i32) (result i32)))

  (func $maximum (param $new i32)
    (local $old i32) (local $found i32) (local $differs i32)
    (local.set $old (i32.load (i32.const 64)))
    (loop $again
      (local.set $differs
        (i32.ne
          (local.tee $found
            (i32.atomic.rmw.cmpxchg (i32.const 64)
              (local.get $old)
              (select (local.get $old) (local.get $new)
                (i32.gt_u (local.get $old) (local.get $new)))))
          (local.get $old)))
      (local.set $old (local.get $found))
      (br_if $again (local.get $differs))
    )
  )

  (func $wide_maximum (param $new i64)
    (local $old i64) (local $expected i64)
    (local.set $old (i64.load16_u offset=8 (i32.const 64)))
    (loop $again
      (br_if $again
        (i64.ne
          (local.tee $expected (local.get $old))
          (local.tee $old
            (i64.atomic.rmw16.cmpxchg_u offset=8 (i32.const 64)
              (local.get $old)
              (select (local.get $old) (local.get $new)
                (i64.gt_u (local.get $old) (local.get $new)))))))
    )
  )

  (func (export "thread_start") (param $number i32)
    (call $maximum (local.get $number))
    (call $wide_maximum (i64.extend_i32_u (local.get $number)))
  )

  (func (export "_start")
    (drop (call $thread_create (i32.const 0) (i32.const 1)))
    (drop (call $thread_create (i32.const 4) (i32.const 2)))
    (drop (call $thread_join (i32.load (i32.const 0))))
    (drop (call $thread_join (i32.load (i32.const 4))))
    (if (i32.ne (i32.load (i32.const 64)) (i32.const 2)) (then (unreachable)))
    (if (i64.ne (i64.load16_u (i32.const 72)) (i64.const 2)) (then (unreachable)))
  )
)
