//! What tasks cost, beside tokio's current-thread runtime and async-executor at the same jobs.
//!
//! ```text
//! cargo bench -p threadlink --bench task                   every job
//! cargo bench -p threadlink --bench task -- --check        fails where one of the others is faster
//! cargo bench -p threadlink --bench task -- --reps 51
//! ```
//!
//! Each job is one text, which is compiled for each of the three. Times are CPU times of the thread, which nothing is ever
//! blocked in; repetitions are interleaved, so that a ratio compares neighbours in time; figures are medians.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a table is printed, and nothing of a job can fail"
)]

use rustix::time::{ClockId, clock_gettime};
use std::process::ExitCode;

/// Operations of a job.
const COUNT: usize = 20_000;

/// The jobs, in terms of what is in scope where it is called.
macro_rules! jobs {
    () => {
        use crate::COUNT;
        use std::sync::atomic::{AtomicUsize, Ordering};

        /// Ten tasks that let each other run.
        pub(crate) fn pause() {
            run(async {
                let tasks: Vec<_> = (0..10)
                    .map(|_| {
                        spawn(async {
                            for _ in 0..COUNT / 10 {
                                pause_once().await;
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    join(task).await;
                }
            });
        }

        /// Two tasks that wake each other.
        pub(crate) fn condvar() {
            async fn turns(me: usize, turn: Shared<AtomicUsize>, events: Shared<[Event; 2]>) {
                for _ in 0..COUNT / 2 {
                    while turn.load(Ordering::Relaxed) != me {
                        wait(&events[me]).await;
                    }
                    turn.store(1 - me, Ordering::Relaxed);
                    notify(&events[1 - me]);
                }
            }
            run(async {
                let turn = Shared::new(AtomicUsize::new(0));
                let events = Shared::new([Event::new(), Event::new()]);
                let other = spawn(turns(1, Shared::clone(&turn), Shared::clone(&events)));
                let one = spawn(turns(0, turn, events));
                join(one).await;
                join(other).await;
            });
        }

        /// A producer that is never kept waiting, and a consumer.
        pub(crate) fn unbounded() {
            run(async {
                let (sender, mut receiver) = unbounded_queue();
                let consumer = spawn(async move {
                    let mut sum = 0;
                    for _ in 0..COUNT {
                        sum += pop_unbounded(&mut receiver).await;
                    }
                    sum
                });
                let producer = spawn(async move {
                    for value in 0..COUNT {
                        push_unbounded(&sender, value).await;
                        if value % 64 == 0 {
                            pause_once().await;
                        }
                    }
                });
                join(producer).await;
                assert_eq!(join(consumer).await, COUNT * (COUNT - 1) / 2);
            });
        }

        /// A producer that waits for room, and a consumer.
        pub(crate) fn bounded(capacity: usize) {
            run(async move {
                let (sender, mut receiver) = bounded_queue(capacity);
                let consumer = spawn(async move {
                    let mut sum = 0;
                    for _ in 0..COUNT {
                        sum += pop_bounded(&mut receiver).await;
                    }
                    sum
                });
                let producer = spawn(async move {
                    for value in 0..COUNT {
                        push_bounded(&sender, value).await;
                    }
                });
                join(producer).await;
                assert_eq!(join(consumer).await, COUNT * (COUNT - 1) / 2);
            });
        }

        pub(crate) fn bounded_64() {
            bounded(64);
        }

        pub(crate) fn bounded_1() {
            bounded(1);
        }

        /// A task that gets its permits at once.
        pub(crate) fn semaphore_free() {
            run(async {
                let semaphore = Semaphore::new(2);
                for _ in 0..COUNT {
                    let permit = acquire(&semaphore).await;
                    drop(permit);
                }
            });
        }

        /// Four tasks with two permits, which they keep while others run.
        pub(crate) fn semaphore() {
            run(async {
                let semaphore = Shared::new(Semaphore::new(2));
                let tasks: Vec<_> = (0..4)
                    .map(|_| {
                        let semaphore = Shared::clone(&semaphore);
                        spawn(async move {
                            for _ in 0..COUNT / 4 {
                                let permit = acquire(&semaphore).await;
                                pause_once().await;
                                drop(permit);
                            }
                        })
                    })
                    .collect();
                for task in tasks {
                    join(task).await;
                }
            });
        }

        /// One task after the other.
        pub(crate) fn spawn_and_wait() {
            run(async {
                let mut sum = 0;
                for value in 0..COUNT {
                    sum += join(spawn(async move { value })).await;
                }
                assert_eq!(sum, COUNT * (COUNT - 1) / 2);
            });
        }

        /// A thousand tasks at once.
        pub(crate) fn spawn_many() {
            run(async {
                for _ in 0..COUNT / 1000 {
                    let tasks: Vec<_> =
                        (0..1000).map(|value| spawn(async move { value })).collect();
                    let mut sum = 0;
                    for task in tasks {
                        sum += join(task).await;
                    }
                    assert_eq!(sum, 999 * 500);
                }
            });
        }
    };
}

mod ours {
    use std::future::Future;
    use std::rc::Rc;
    use threadlink::task::{self, CondVar, JoinHandle, Queue};

    jobs!();

    pub(crate) use task::Semaphore;
    type Shared<T> = Rc<T>;
    type Event = CondVar;

    fn run(main: impl Future<Output = ()>) {
        task::block_on(main).unwrap();
    }

    fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> JoinHandle<T> {
        task::spawn(future)
    }

    async fn join<T>(task: JoinHandle<T>) -> T {
        task.await.unwrap()
    }

    async fn pause_once() {
        task::pause().await;
    }

    async fn wait(event: &Event) {
        event.wait().await;
    }

    fn notify(event: &Event) {
        event.notify_one();
    }

    type Half = Rc<Queue<usize>>;

    fn unbounded_queue() -> (Half, Half) {
        let queue = Rc::new(Queue::unbounded());
        (Rc::clone(&queue), queue)
    }

    fn bounded_queue(capacity: usize) -> (Half, Half) {
        let queue = Rc::new(Queue::bounded(capacity));
        (Rc::clone(&queue), queue)
    }

    async fn push_unbounded(queue: &Half, value: usize) {
        queue.try_push(value).unwrap();
    }

    async fn push_bounded(queue: &Half, value: usize) {
        queue.push(value).await.unwrap();
    }

    async fn pop_unbounded(queue: &mut Half) -> usize {
        queue.pop().await.unwrap()
    }

    async fn pop_bounded(queue: &mut Half) -> usize {
        queue.pop().await.unwrap()
    }

    async fn acquire(semaphore: &Semaphore) -> task::Permit<'_> {
        semaphore.acquire().await
    }
}

mod of_tokio {
    use std::future::Future;
    use std::sync::Arc;
    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::{Notify, Semaphore, SemaphorePermit, mpsc};
    use tokio::task::{self, JoinHandle};

    jobs!();

    type Shared<T> = Arc<T>;
    type Event = Notify;

    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().build().unwrap();
    }

    fn run(main: impl Future<Output = ()>) {
        RUNTIME.with(|runtime| runtime.block_on(main));
    }

    fn spawn<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        task::spawn(future)
    }

    async fn join<T>(task: JoinHandle<T>) -> T {
        task.await.unwrap()
    }

    async fn pause_once() {
        task::yield_now().await;
    }

    async fn wait(event: &Event) {
        event.notified().await;
    }

    fn notify(event: &Event) {
        event.notify_one();
    }

    fn unbounded_queue() -> (mpsc::UnboundedSender<usize>, mpsc::UnboundedReceiver<usize>) {
        mpsc::unbounded_channel()
    }

    fn bounded_queue(capacity: usize) -> (mpsc::Sender<usize>, mpsc::Receiver<usize>) {
        mpsc::channel(capacity)
    }

    async fn push_unbounded(queue: &mpsc::UnboundedSender<usize>, value: usize) {
        queue.send(value).unwrap();
    }

    async fn push_bounded(queue: &mpsc::Sender<usize>, value: usize) {
        queue.send(value).await.unwrap();
    }

    async fn pop_unbounded(queue: &mut mpsc::UnboundedReceiver<usize>) -> usize {
        queue.recv().await.unwrap()
    }

    async fn pop_bounded(queue: &mut mpsc::Receiver<usize>) -> usize {
        queue.recv().await.unwrap()
    }

    async fn acquire(semaphore: &Semaphore) -> SemaphorePermit<'_> {
        semaphore.acquire().await.unwrap()
    }
}

mod of_async_executor {
    use async_channel::{Receiver, Sender};
    use async_executor::{LocalExecutor, Task};
    use async_lock::{Semaphore, SemaphoreGuard};
    use std::future::Future;
    use std::rc::Rc;

    jobs!();

    type Shared<T> = Rc<T>;

    struct Event(event_listener::Event);

    impl Event {
        fn new() -> Event {
            Event(event_listener::Event::new())
        }
    }

    thread_local! {
        static EXECUTOR: &'static LocalExecutor<'static> = Box::leak(Box::default());
    }

    fn run(main: impl Future<Output = ()>) {
        EXECUTOR.with(|executor| futures_lite::future::block_on(executor.run(main)));
    }

    fn spawn<T: 'static>(future: impl Future<Output = T> + 'static) -> Task<T> {
        EXECUTOR.with(|executor| executor.spawn(future))
    }

    async fn join<T>(task: Task<T>) -> T {
        task.await
    }

    async fn pause_once() {
        futures_lite::future::yield_now().await;
    }

    async fn wait(event: &Event) {
        event.0.listen().await;
    }

    fn notify(event: &Event) {
        event.0.notify(1);
    }

    fn unbounded_queue() -> (Sender<usize>, Receiver<usize>) {
        async_channel::unbounded()
    }

    fn bounded_queue(capacity: usize) -> (Sender<usize>, Receiver<usize>) {
        async_channel::bounded(capacity)
    }

    async fn push_unbounded(queue: &Sender<usize>, value: usize) {
        queue.try_send(value).unwrap();
    }

    async fn push_bounded(queue: &Sender<usize>, value: usize) {
        queue.send(value).await.unwrap();
    }

    async fn pop_unbounded(queue: &mut Receiver<usize>) -> usize {
        queue.recv().await.unwrap()
    }

    async fn pop_bounded(queue: &mut Receiver<usize>) -> usize {
        queue.recv().await.unwrap()
    }

    async fn acquire(semaphore: &Semaphore) -> SemaphoreGuard<'_> {
        semaphore.acquire().await
    }
}

/// A job as each of the three does it: ours, tokio's, async-executor's.
struct Job {
    name: &'static str,
    runs: [fn(); 3],
}

macro_rules! table {
    ($($name:literal: $job:ident,)*) => {
        const JOBS: &[Job] = &[$(Job {
            name: $name,
            runs: [ours::$job, of_tokio::$job, of_async_executor::$job],
        },)*];
    };
}

table! {
    "pause": pause,
    "condvar signal": condvar,
    "queue, unbounded": unbounded,
    "queue of 64": bounded_64,
    "queue of 1": bounded_1,
    "semaphore, free": semaphore_free,
    "semaphore, contended": semaphore,
    "spawn and wait": spawn_and_wait,
    "spawn 1000, wait": spawn_many,
}

fn cpu(work: fn()) -> f64 {
    let now = || {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    let before = now();
    work();
    now() - before
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn main() -> ExitCode {
    let (mut check, mut repetitions) = (false, 101);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--check" => check = true,
            "--reps" => repetitions = args.next().unwrap().parse().unwrap(),
            // What cargo passes.
            "--bench" => {}
            _ => {
                eprintln!("unknown argument {arg}");
                return ExitCode::from(2);
            }
        }
    }
    println!("Nanoseconds of an operation, and how much of the others' time it takes.");
    println!(
        "{:22} {:>8} {:>8} {:>15} {:>9} {:>18}",
        "job", "ours", "tokio", "async-executor", "of tokio", "of async-executor"
    );
    let mut slower = false;
    for job in JOBS {
        let mut times = [const { Vec::new() }; 3];
        for repetition in 0..=repetitions {
            for (run, times) in job.runs.into_iter().zip(&mut times) {
                let time = cpu(run) * 1e9 / COUNT as f64;
                // The first fills caches and pools.
                if repetition > 0 {
                    times.push(time);
                }
            }
        }
        let [ours, tokio, other] = times.map(median);
        println!(
            "{:22} {ours:>8.1} {tokio:>8.1} {other:>15.1} {:>9.2} {:>18.2}",
            job.name,
            ours / tokio,
            ours / other
        );
        slower |= ours > tokio || ours > other;
    }
    ExitCode::from(u8::from(check && slower))
}
