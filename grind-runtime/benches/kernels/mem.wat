;; The worst case: a loop of five engine instructions, two of which access memory
;; (load, add, store, add, branch). 12 million accesses to 64 KiB.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (local $round i32) (local $at i32)
    (local.set $round (i32.const 366))
    (loop $rounds
      (local.set $at (i32.const 0))
      (loop $words
        (i32.store (local.get $at)
          (i32.add (i32.load (local.get $at)) (i32.const 3)))
        (br_if $words
          (i32.lt_u
            (local.tee $at (i32.add (local.get $at) (i32.const 4)))
            (i32.const 65536))))
      (br_if $rounds
        (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))))
