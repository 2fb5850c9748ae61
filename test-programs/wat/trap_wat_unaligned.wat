;; An atomic access must be aligned.
(module
  (import "env" "memory" (memory 1 1 shared))

  (func (export "_start")
    (drop (i32.atomic.load (i32.const 66))) ;;~ trap
  )
)
