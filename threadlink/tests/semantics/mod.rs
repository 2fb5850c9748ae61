//! What `std::thread` promises, as checks that hold for any module of its interface.
//!
//! Run natively against std itself and against `threadlink::thread`, and as the guest
//! `clean_thread_semantics` where the latter is built on the ABI. So nothing here may panic in a thread:
//! that would be a trap.

/// Defines `all`, a list of named checks of the module `$thread`.
macro_rules! thread_semantics {
    ($thread:path) => {
        use std::cell::Cell;
        use std::collections::HashSet;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
        use std::time::Duration;

        use threadlink::time::Instant;

        use $thread as thread;

        pub(crate) fn all() -> Vec<(&'static str, fn())> {
            vec![
                ("join returns what the closure returned", join_returns),
                ("both sides see the same id and name", identity),
                ("a thread is finished when it has ended", finished),
                ("captures and results are dropped once", dropped_once),
                ("a detached thread drops its result", detached),
                ("a scope waits for those nobody joined", scope_waits),
                ("a scope lends and gives back", scope_lends),
                ("scoped threads spawn and join each other", scope_nests),
                ("a token is left by unpark and taken by park", parking),
                ("time passes asleep and parked", time),
                ("a stack has the size asked for", stack),
                ("odds and ends", rest),
            ]
        }

        fn join_returns() {
            let text = String::from("moved");
            let result: thread::Result<String> = thread::spawn(move || text + " back").join();
            assert_eq!(result.ok().as_deref(), Some("moved back"));
        }

        fn identity() {
            let builder = thread::Builder::new().name(String::from("worker"));
            let named = builder
                .spawn(|| {
                    let me = thread::current();
                    (
                        me.id(),
                        me.name().map(str::to_owned),
                        thread::current().id(),
                    )
                })
                .unwrap();
            let (outside, name) = (
                named.thread().id(),
                named.thread().name().map(str::to_owned),
            );
            let (inside, inner_name, again) = named.join().ok().unwrap();
            assert_eq!((outside, &name), (inside, &inner_name));
            assert_eq!(inside, again);
            assert_eq!(name.as_deref(), Some("worker"));

            let unnamed = thread::spawn(|| thread::current().name().is_none());
            assert!(unnamed.thread().name().is_none());
            assert!(unnamed.join().ok().unwrap());

            let mut ids: HashSet<thread::ThreadId> =
                HashSet::from([thread::current().id(), inside]);
            for _ in 0..3 {
                assert!(
                    ids.insert(
                        thread::spawn(|| thread::current().id())
                            .join()
                            .ok()
                            .unwrap()
                    )
                );
            }
        }

        fn finished() {
            let go = Arc::new(AtomicBool::new(false));
            let handle = {
                let go = Arc::clone(&go);
                thread::spawn(move || {
                    while !go.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                })
            };
            assert!(!handle.is_finished());
            go.store(true, Ordering::Release);
            while !handle.is_finished() {
                thread::yield_now();
            }
            handle.join().ok().unwrap();
        }

        /// Counts how often it is dropped.
        struct Counted(Arc<AtomicU32>);

        impl Drop for Counted {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn dropped_once() {
            let (captures, results) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
            let (capture, result) = (Counted(captures.clone()), Counted(results.clone()));
            let handle = thread::spawn(move || {
                let _used = &capture;
                result
            });
            let result = handle.join().ok().unwrap();
            assert_eq!(captures.load(Ordering::Relaxed), 1);
            assert_eq!(results.load(Ordering::Relaxed), 0);
            drop(result);
            assert_eq!(results.load(Ordering::Relaxed), 1);
        }

        fn detached() {
            for _ in 0..3 {
                let results = Arc::new(AtomicU32::new(0));
                let result = Counted(Arc::clone(&results));
                drop(thread::spawn(move || result));
                while results.load(Ordering::Acquire) == 0 {
                    thread::yield_now();
                }
            }
        }

        fn scope_waits() {
            let ended = AtomicU32::new(0);
            thread::scope(|s| {
                for _ in 0..3 {
                    s.spawn(|| {
                        thread::sleep(Duration::from_millis(1));
                        ended.fetch_add(1, Ordering::Relaxed);
                    });
                }
            });
            assert_eq!(ended.into_inner(), 3);
        }

        fn scope_lends() {
            let mut numbers = vec![1, 2, 3];
            let mut count = 0;
            let sum = thread::scope(|s| {
                let sum = s.spawn(|| numbers.iter().sum::<i32>());
                s.spawn(|| count = numbers.len());
                assert!(sum.thread().name().is_none());
                let sum = sum.join().ok().unwrap();
                let builder = thread::Builder::new().name(String::from("scoped"));
                let named = builder.spawn_scoped(s, || thread::current().name().map(str::len));
                assert_eq!(named.unwrap().join().ok().unwrap(), Some(6));
                sum
            });
            numbers.push(sum);
            assert_eq!((numbers.as_slice(), count), ([1, 2, 3, 6].as_slice(), 3));
        }

        fn scope_nests() {
            let ended = AtomicU32::new(0);
            let total = thread::scope(|s| {
                let inner = s.spawn(|| {
                    thread::sleep(Duration::from_millis(1));
                    20
                });
                // The scope itself may come to join `inner` before this thread does.
                let outer = s.spawn(move || inner.join().ok().unwrap() + 1);
                s.spawn(|| {
                    s.spawn(|| {
                        s.spawn(|| ended.fetch_add(1, Ordering::Relaxed));
                        ended.fetch_add(1, Ordering::Relaxed)
                    });
                });
                let late = s.spawn(move || s.spawn(|| 3).join().ok().unwrap());
                let joiner = s.spawn(move || late.join().ok().unwrap());
                while !joiner.is_finished() {
                    thread::yield_now();
                }
                outer.join().ok().unwrap() + joiner.join().ok().unwrap()
            });
            assert_eq!((total, ended.into_inner()), (24, 2));
            // Nobody waits for the second thread, so that it is the scope that joins both.
            let done = AtomicBool::new(false);
            thread::scope(|s| {
                let first = s.spawn(|| thread::sleep(Duration::from_millis(2)));
                s.spawn(|| {
                    thread::sleep(Duration::from_millis(1));
                    first.join().ok().unwrap();
                    done.store(true, Ordering::Relaxed);
                });
            });
            assert!(done.into_inner());
        }

        fn parking() {
            thread::current().unpark();
            thread::current().unpark();
            thread::park();

            let woken = Arc::new(AtomicBool::new(false));
            let sleeper = {
                let woken = Arc::clone(&woken);
                thread::spawn(move || {
                    while !woken.load(Ordering::Acquire) {
                        thread::park();
                    }
                })
            };
            let handle: thread::Thread = sleeper.thread().clone();
            woken.store(true, Ordering::Release);
            handle.unpark();
            sleeper.join().ok().unwrap();
            handle.unpark();
        }

        fn time() {
            let start = Instant::now();
            thread::sleep(Duration::from_millis(2));
            assert!(start.elapsed() >= Duration::from_millis(2));
            thread::sleep(Duration::ZERO);
            // May return early, but not late for no reason, and not never.
            thread::park_timeout(Duration::from_millis(1));
            thread::park_timeout(Duration::ZERO);
        }

        fn stack() {
            #[inline(never)]
            fn deep(left: u32) -> u32 {
                let frame = std::hint::black_box([Cell::new(left), Cell::new(1), Cell::new(2)]);
                if left == 0 {
                    frame[0].get()
                } else {
                    deep(left - 1) + frame[1].get()
                }
            }
            let builder = thread::Builder::new().stack_size(1 << 20);
            assert_eq!(
                builder.spawn(|| deep(2000)).unwrap().join().ok().unwrap(),
                2000
            );
        }

        fn rest() {
            assert!(thread::available_parallelism().unwrap().get() >= 1);
            assert!(!thread::panicking());
            let handle = thread::spawn(thread::yield_now);
            assert!(format!("{handle:?}").starts_with("JoinHandle"));
            assert!(format!("{:?}", handle.thread()).starts_with("Thread"));
            assert!(format!("{:?}", handle.thread().id()).starts_with("ThreadId("));
            handle.join().ok().unwrap();
        }
    };
}
