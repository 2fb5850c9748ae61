;; Lock-heavy: four threads take turns at one futex mutex (0 free, 1 held, 2 held and waited for),
;; 20,000 times each, and update sixteen words under it. 80,000 critical sections.
(module
  (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
  (import "threadlink" "thread_join" (func $join (param i32) (result i32)))
  (memory (export "memory") 1 1 shared)
  (global $lock i32 (i32.const 64))
  (global $data i32 (i32.const 128))

  (func $acquire
    (if (i32.eqz (i32.atomic.rmw.cmpxchg (global.get $lock) (i32.const 0) (i32.const 1)))
      (then (return)))
    (loop $again
      (if (i32.eqz (i32.atomic.rmw.xchg (global.get $lock) (i32.const 2)))
        (then (return)))
      (drop (memory.atomic.wait32 (global.get $lock) (i32.const 2) (i64.const -1)))
      (br $again)))

  (func $release
    (if (i32.eq (i32.atomic.rmw.xchg (global.get $lock) (i32.const 0)) (i32.const 2))
      (then (drop (memory.atomic.notify (global.get $lock) (i32.const 1))))))

  (func (export "thread_start") (param $start i32)
    (local $left i32) (local $at i32)
    (local.set $left (i32.const 20000))
    (loop $sections
      (call $acquire)
      (local.set $at (i32.const 0))
      (loop $words
        (i32.store offset=128 (local.get $at)
          (i32.add (i32.load offset=128 (local.get $at)) (i32.const 1)))
        (br_if $words
          (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 4))) (i32.const 64))))
      (call $release)
      (br_if $sections (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))

  (func (export "_start")
    (local $i i32)
    (loop $more
      (drop (call $create (i32.shl (local.get $i) (i32.const 2)) (i32.const 0)))
      (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4))))
    (local.set $i (i32.const 0))
    (loop $more
      (drop (call $join (i32.load (i32.shl (local.get $i) (i32.const 2)))))
      (br_if $more (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 4))))
    (if (i32.ne (i32.load (global.get $data)) (i32.const 80000))
      (then (unreachable)))))
