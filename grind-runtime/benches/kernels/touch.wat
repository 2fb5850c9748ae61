;; Writes every word of 64 MiB.
(module
  (memory (export "memory") 1024)
  (func (export "_start")
    (local $at i32)
    (loop $words
      (i32.store (local.get $at) (local.get $at))
      (br_if $words
        (i32.lt_u
          (local.tee $at (i32.add (local.get $at) (i32.const 4)))
          (i32.const 67108864))))))
