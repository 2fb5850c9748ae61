;; Neither aligned nor within the memory: the alignment is looked at first.
(module
  (import "env" "memory" (memory 1 1 shared))

  (func (export "_start")
    (drop (i64.atomic.rmw.add (i32.const 65539) (i64.const 1))) ;;~ trap
  )
)
