;; Call-heavy: a naive Fibonacci of 29 that stores once per call. 1.7 million calls.
(module
  (memory (export "memory") 1)
  (func $fib (param $n i32) (result i32)
    (i32.store (i32.shl (local.get $n) (i32.const 2)) (local.get $n))
    (if (i32.lt_u (local.get $n) (i32.const 2))
      (then (return (local.get $n))))
    (i32.add
      (call $fib (i32.sub (local.get $n) (i32.const 1)))
      (call $fib (i32.sub (local.get $n) (i32.const 2)))))
  (func (export "_start")
    (i32.store (i32.const 1024) (call $fib (i32.const 29)))))
