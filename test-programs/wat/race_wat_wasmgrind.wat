;; A guest as Wasmgrind's SDK builds it: another import module, and the host gives a new thread its stack and
;; thread-local storage, from the guest's allocator. A trap here means that it did not.
(module
  (import "env" "memory" (memory 32 32 shared))
  (import "wasm_threadlink" "thread_create" (func $thread_create (param i32 i32) (result i32)))
  (import "wasm_threadlink" "thread_join" (func $thread_join (param i32) (result i32)))
  (import "wasm_threadlink" "start_lock" (func $start_lock (param i32)))
  (import "wasm_threadlink" "finish_lock" (func $finish_lock (param i32)))
  (import "wasm_threadlink" "start_unlock" (func $start_unlock (param i32)))
  (import "wasm_threadlink" "finish_unlock" (func $finish_unlock (param i32)))

  (global $stack (export "__stack_pointer") (mut i32) (i32.const 65536))
  (global (export "__tls_size") i32 (i32.const 40))
  (global (export "__tls_align") i32 (i32.const 8))
  (global $tls (mut i32) (i32.const 0))

  ;; Blocks allocated, blocks freed, next free byte.
  (global $allocated i32 (i32.const 16))
  (global $freed i32 (i32.const 20))
  (global $heap i32 (i32.const 24))

  (func (export "__wasm_init_tls") (param i32)
    (global.set $tls (local.get 0)))

  (func (export "__wasmgrind_malloc") (param $size i32) (param $align i32) (result i32)
    (drop (i32.atomic.rmw.add (global.get $allocated) (i32.const 1)))
    (i32.add (i32.const 131072) (i32.atomic.rmw.add (global.get $heap) (local.get $size))))

  (func (export "__wasmgrind_free") (param $block i32) (param $size i32) (param $align i32)
    (drop (i32.atomic.rmw.add (global.get $freed) (i32.const 1))))

  (func $require (param i32)
    (if (i32.eqz (local.get 0)) (then (unreachable))))

  (func (export "thread_start") (param $start i32)
    ;; A stack of its own, above the heap's start, and storage of 40 bytes behind it.
    (call $require (i32.gt_u (global.get $stack) (i32.const 131072)))
    (call $require (i32.eqz (i32.and (global.get $stack) (i32.const 15))))
    (call $require (i32.ge_u (global.get $tls) (global.get $stack)))
    (call $require (i32.eq (local.get $start) (i32.const 7)))
    (i32.store (global.get $tls) (i32.const 1))
    (i32.store (i32.const 64) (i32.const 1)) ;;~ race(1)
    (call $start_lock (i32.const 128))
    (call $finish_lock (i32.const 128))
    (call $start_unlock (i32.const 128))
    (call $finish_unlock (i32.const 128)))

  (func (export "_start")
    (call $require (i32.eqz (call $thread_create (i32.const 0) (i32.const 7))))
    (i32.store (i32.const 64) (i32.const 2)) ;;~ race(1)
    (call $require (i32.eqz (call $thread_join (i32.load (i32.const 0)))))
    (call $require (i32.eq (i32.atomic.load (global.get $allocated)) (i32.const 1)))
    (call $require (i32.eq (i32.atomic.load (global.get $freed)) (i32.const 1)))))
