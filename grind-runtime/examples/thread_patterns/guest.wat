;; The patterns, each an export that the host's threads call. All but the counters and locks below is plain memory.
(module
  (memory (export "memory") 64 64 shared)
  ;; What the host says before it creates threads: 16 spin, 24 wait (i64, nanoseconds), 32 slots, 36 threads, 40 permits.
  (func $slots (result i32) (i32.load (i32.const 32)))
  (func $threads (result i32) (i32.load (i32.const 36)))

  ;; Waits until the word is no longer what it was, or for a while: spins first.
  (func $pause (param $word i32) (param $was i32) (local $left i32)
    (local.set $left (i32.load (i32.const 16)))
    (block $changed
      (loop $again
        (br_if $changed (i32.ne (i32.atomic.load (local.get $word)) (local.get $was)))
        (if (local.get $left) (then
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br $again))))
      (drop (memory.atomic.wait32 (local.get $word) (local.get $was)
        (i64.load (i32.const 24))))))
  (func $wake (param $word i32) (param $count i32)
    (drop (memory.atomic.notify (local.get $word) (local.get $count))))

  ;; A counter at 256.
  (func (export "counter") (param $index i32) (param $n i32)
    (loop $again
      (drop (i32.atomic.rmw.add (i32.const 256) (i32.const 1)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  ;; A mutex: 0 free, 1 taken, 2 taken and waited for (Drepper, "Futexes are tricky").
  (func $lock (param $word i32)
    (if (i32.atomic.rmw.cmpxchg (local.get $word) (i32.const 0) (i32.const 1))
      (then
        (loop $again
          (if (i32.atomic.rmw.xchg (local.get $word) (i32.const 2))
            (then
              (call $pause (local.get $word) (i32.const 2))
              (br $again)))))))
  (func $unlock (param $word i32)
    (if (i32.eq (i32.atomic.rmw.xchg (local.get $word) (i32.const 0)) (i32.const 2))
      (then (call $wake (local.get $word) (i32.const 1)))))
  ;; It is at 512, and what it guards at 516.
  (func (export "mutex") (param $index i32) (param $n i32)
    (loop $again
      (call $lock (i32.const 512))
      (i32.store (i32.const 516) (i32.add (i32.load (i32.const 516)) (i32.const 1)))
      (call $unlock (i32.const 512))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  ;; A read-write lock at 768: -1 a writer, else how many readers. What it guards is two words that are the same, at 772.
  (func $read_lock (local $was i32)
    (loop $again
      (local.set $was (i32.atomic.load (i32.const 768)))
      (if (i32.lt_s (local.get $was) (i32.const 0)) (then
        (call $pause (i32.const 768) (local.get $was))
        (br $again)))
      (br_if $again (i32.ne (local.get $was)
        (i32.atomic.rmw.cmpxchg (i32.const 768) (local.get $was)
          (i32.add (local.get $was) (i32.const 1)))))))
  (func $write_lock (local $was i32)
    (loop $again
      (if (local.tee $was
            (i32.atomic.rmw.cmpxchg (i32.const 768) (i32.const 0) (i32.const -1)))
        (then
          (call $pause (i32.const 768) (local.get $was))
          (br $again)))))
  (func (export "rwlock") (param $index i32) (param $n i32)
    (loop $again
      (if (i32.and (local.get $index) (i32.const 3))
        (then
          (call $read_lock)
          (if (i32.ne (i32.load (i32.const 772)) (i32.load (i32.const 776))) (then unreachable))
          (if (i32.eq (i32.atomic.rmw.sub (i32.const 768) (i32.const 1)) (i32.const 1))
            (then (call $wake (i32.const 768) (i32.const -1)))))
        (else
          (call $write_lock)
          (i32.store (i32.const 772) (i32.add (i32.load (i32.const 772)) (i32.const 1)))
          (i32.store (i32.const 776) (i32.add (i32.load (i32.const 776)) (i32.const 1)))
          (i32.atomic.store (i32.const 768) (i32.const 0))
          (call $wake (i32.const 768) (i32.const -1))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  ;; A barrier: who has come at 1024, the round at 1028. Each thread writes a word of its own, and reads its neighbour's.
  (func $barrier (local $round i32)
    (local.set $round (i32.atomic.load (i32.const 1028)))
    (if (i32.eq (call $threads)
          (i32.add (i32.atomic.rmw.add (i32.const 1024) (i32.const 1)) (i32.const 1)))
      (then
        (i32.atomic.store (i32.const 1024) (i32.const 0))
        (drop (i32.atomic.rmw.add (i32.const 1028) (i32.const 1)))
        (call $wake (i32.const 1028) (i32.const -1)))
      (else
        (loop $again
          (call $pause (i32.const 1028) (local.get $round))
          (br_if $again (i32.eq (i32.atomic.load (i32.const 1028)) (local.get $round)))))))
  (func $word_of (param $index i32) (result i32)
    (i32.add (i32.const 8192) (i32.mul (local.get $index) (i32.const 4))))
  (func (export "barrier") (param $index i32) (param $n i32)
    (loop $again
      (i32.store (call $word_of (local.get $index)) (local.get $n))
      (call $barrier)
      (if (i32.ne (local.get $n) (i32.load (call $word_of
            (i32.rem_u (i32.add (local.get $index) (i32.const 1)) (call $threads)))))
        (then unreachable))
      (call $barrier)
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  ;; A semaphore at 1280; who is within at 1284, and how often somebody was at 1288.
  (func (export "semaphore") (param $index i32) (param $n i32) (local $was i32)
    (loop $again
      (block $within
        (loop $acquire
          (local.set $was (i32.atomic.load (i32.const 1280)))
          (if (i32.eqz (local.get $was)) (then
            (call $pause (i32.const 1280) (i32.const 0))
            (br $acquire)))
          (br_if $acquire (i32.ne (local.get $was)
            (i32.atomic.rmw.cmpxchg (i32.const 1280) (local.get $was)
              (i32.sub (local.get $was) (i32.const 1)))))))
      (if (i32.ge_u (i32.atomic.rmw.add (i32.const 1284) (i32.const 1)) (i32.load (i32.const 40)))
        (then unreachable))
      (drop (i32.atomic.rmw.add (i32.const 1288) (i32.const 1)))
      (drop (i32.atomic.rmw.sub (i32.const 1284) (i32.const 1)))
      (drop (i32.atomic.rmw.add (i32.const 1280) (i32.const 1)))
      (call $wake (i32.const 1280) (i32.const 1))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  ;; A condition variable at 1540 with the mutex at 1536: threads take turns. Whose turn it is at 1544, how many there were at 1548.
  (func (export "condvar") (param $index i32) (param $n i32) (local $was i32)
    (loop $again
      (call $lock (i32.const 1536))
      (loop $wait
        (if (i32.ne (i32.load (i32.const 1544)) (local.get $index)) (then
          (local.set $was (i32.atomic.load (i32.const 1540)))
          (call $unlock (i32.const 1536))
          (call $pause (i32.const 1540) (local.get $was))
          (call $lock (i32.const 1536))
          (br $wait))))
      (i32.store (i32.const 1544)
        (i32.rem_u (i32.add (local.get $index) (i32.const 1)) (call $threads)))
      (i32.store (i32.const 1548) (i32.add (i32.load (i32.const 1548)) (i32.const 1)))
      (drop (i32.atomic.rmw.add (i32.const 1540) (i32.const 1)))
      (call $wake (i32.const 1540) (i32.const -1))
      (call $unlock (i32.const 1536))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  ;; A ring with one producer and one consumer: read up to the count at 1792, written up to that at 1856, values from 16384.
  (func $value_at (param $count i32) (result i32)
    (i32.add (i32.const 16384)
      (i32.mul (i32.rem_u (local.get $count) (call $slots)) (i32.const 4))))
  (func $room (param $written i32) (local $read i32)
    (loop $again
      (local.set $read (i32.atomic.load (i32.const 1792)))
      (if (i32.eq (i32.sub (local.get $written) (local.get $read)) (call $slots)) (then
        (call $pause (i32.const 1792) (local.get $read))
        (br $again)))))
  (func (export "spsc_produce") (param $n i32) (local $written i32)
    (loop $again
      (call $room (local.get $written))
      (i32.store (call $value_at (local.get $written)) (local.get $written))
      (i32.atomic.store (i32.const 1856)
        (local.tee $written (i32.add (local.get $written) (i32.const 1))))
      (call $wake (i32.const 1856) (i32.const 1))
      (br_if $again (i32.lt_u (local.get $written) (local.get $n)))))
  ;; The fault: what is written is told before it is.
  (func (export "spsc_produce_broken") (param $n i32) (local $written i32)
    (loop $again
      (call $room (local.get $written))
      (i32.atomic.store (i32.const 1856) (i32.add (local.get $written) (i32.const 1)))
      (i32.store (call $value_at (local.get $written)) (local.get $written))
      (call $wake (i32.const 1856) (i32.const 1))
      (br_if $again (i32.lt_u
        (local.tee $written (i32.add (local.get $written) (i32.const 1))) (local.get $n)))))
  (func (export "spsc_consume") (param $n i32) (result i64)
    (local $read i32) (local $sum i64)
    (loop $again
      (loop $wait
        (if (i32.eq (i32.atomic.load (i32.const 1856)) (local.get $read)) (then
          (call $pause (i32.const 1856) (local.get $read))
          (br $wait))))
      (local.set $sum (i64.add (local.get $sum)
        (i64.extend_i32_u (i32.load (call $value_at (local.get $read))))))
      (i32.atomic.store (i32.const 1792)
        (local.tee $read (i32.add (local.get $read) (i32.const 1))))
      (call $wake (i32.const 1792) (i32.const 1))
      (br_if $again (i32.lt_u (local.get $read) (local.get $n))))
    (local.get $sum))

  ;; A ring with several of both (Vyukov's bounded queue): written up to 2048, read up to 2112; from 65536, a slot has the count at
  ;; which it can be used, and a value.
  (func $slot (param $count i32) (result i32)
    (i32.add (i32.const 65536)
      (i32.mul (i32.rem_u (local.get $count) (call $slots)) (i32.const 8))))
  ;; Takes the slot of the next count for what `after` counts behind it make usable. Returns the count.
  (func $take (param $counter i32) (param $after i32) (result i32)
    (local $count i32) (local $slot i32) (local $usable i32) (local $behind i32)
    (loop $again
      (local.set $count (i32.atomic.load (local.get $counter)))
      (local.set $slot (call $slot (local.get $count)))
      (local.set $usable (i32.atomic.load (local.get $slot)))
      (local.set $behind (i32.sub (local.get $usable)
        (i32.add (local.get $count) (local.get $after))))
      (if (i32.lt_s (local.get $behind) (i32.const 0)) (then
        (call $pause (local.get $slot) (local.get $usable))
        (br $again)))
      (br_if $again (local.get $behind))
      (br_if $again (i32.ne (local.get $count)
        (i32.atomic.rmw.cmpxchg (local.get $counter) (local.get $count)
          (i32.add (local.get $count) (i32.const 1))))))
    (local.get $count))
  (func $give (param $slot i32) (param $usable i32)
    (i32.atomic.store (local.get $slot) (local.get $usable))
    (call $wake (local.get $slot) (i32.const -1)))
  (func (export "mpmc_produce") (param $n i32) (local $count i32) (local $slot i32)
    (loop $again
      (local.set $count (call $take (i32.const 2048) (i32.const 0)))
      (local.set $slot (call $slot (local.get $count)))
      (i32.store offset=4 (local.get $slot) (local.get $n))
      (call $give (local.get $slot) (i32.add (local.get $count) (i32.const 1)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))
  (func (export "mpmc_consume") (param $n i32) (result i64)
    (local $count i32) (local $slot i32) (local $sum i64)
    (loop $again
      (local.set $count (call $take (i32.const 2112) (i32.const 1)))
      (local.set $slot (call $slot (local.get $count)))
      (local.set $sum (i64.add (local.get $sum)
        (i64.extend_i32_u (i32.load offset=4 (local.get $slot)))))
      (call $give (local.get $slot) (i32.add (local.get $count) (call $slots)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))

  ;; Numbers from 1048576: each thread adds up its own.
  (func (export "reduce") (param $index i32) (param $n i32) (result i64)
    (local $at i32) (local $sum i64)
    (local.set $at (i32.add (i32.const 1048576)
      (i32.mul (i32.mul (local.get $index) (local.get $n)) (i32.const 4))))
    (loop $again
      (local.set $sum (i64.add (local.get $sum) (i64.load32_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum)))
