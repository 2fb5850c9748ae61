;; Threads of wasi-threads, over an imported memory: ids, arguments, and a guarded start function.
;; The start function runs in every instance; the first one writes the data, as linkers make it.
(module
  (import "wasi" "thread-spawn" (func $spawn (param i32) (result i32)))
  (import "env" "memory" (memory 1 1 shared))
  (data $text "\07\00\00\00")

  ;; 0: not begun, 1: somebody is at it, 2: done. The data goes to 64; threads count themselves at 8.
  (func $init
    (block $done
      (block $wait
        (block $mine
          (br_table $mine $wait $done (i32.atomic.rmw.cmpxchg (i32.const 0) (i32.const 0) (i32.const 1))))
        (memory.init $text (i32.const 64) (i32.const 0) (i32.const 4))
        (i32.atomic.store (i32.const 0) (i32.const 2))
        (drop (memory.atomic.notify (i32.const 0) (i32.const -1)))
        (br $done))
      (drop (memory.atomic.wait32 (i32.const 0) (i32.const 1) (i64.const -1))))
    (data.drop $text))
  (start $init)

  (func $require (param i32) (if (i32.eqz (local.get 0)) (then (unreachable))))

  ;; The id is the one that the spawner was told, and the argument is the one that it gave.
  (func (export "wasi_thread_start") (param $id i32) (param $arg i32)
    (call $require (i32.gt_s (local.get $id) (i32.const 0)))
    (call $require (i32.lt_u (local.get $id) (i32.const 0x20000000)))
    (call $require (i32.eq (i32.load (i32.const 64)) (i32.const 7)))
    (i32.store (local.get $arg) (local.get $id))
    (drop (i32.atomic.rmw.add (i32.const 8) (i32.const 1)))
    (drop (memory.atomic.notify (i32.const 8) (i32.const -1))))

  (func $wait (param $threads i32) (local $ended i32)
    (loop $again
      (local.set $ended (i32.atomic.load (i32.const 8)))
      (if (i32.ne (local.get $ended) (local.get $threads))
        (then
          (drop (memory.atomic.wait32 (i32.const 8) (local.get $ended) (i64.const -1)))
          (br $again)))))

  (func (export "_start") (local $first i32) (local $second i32)
    (local.set $first (call $spawn (i32.const 128)))
    (local.set $second (call $spawn (i32.const 132)))
    (call $require (i32.ne (local.get $first) (local.get $second)))
    (call $wait (i32.const 2))
    (call $require (i32.eq (i32.load (i32.const 128)) (local.get $first)))
    (call $require (i32.eq (i32.load (i32.const 132)) (local.get $second))))
)
