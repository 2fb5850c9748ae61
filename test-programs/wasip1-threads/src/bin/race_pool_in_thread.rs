//! Pools made by a thread that is not main: one of std's threads that take jobs from a channel, and rayon's. Two jobs write the same.
//@ stdout: 5051

use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use wasip1_threads_programs::{Meeting, Shared};

type Job = Box<dyn FnOnce() + Send>;

static MEETING: Meeting = Meeting::new();
static SHARED: Shared<u32> = Shared::new(0);

fn write(value: u32) {
    // Each job is another worker's.
    MEETING.meet();
    // SAFETY: none, this is the bug.
    unsafe { SHARED.get().write_volatile(value) } //~ race(1) race(1)
}

fn pools(done: mpsc::Sender<u32>) {
    let (sender, jobs) = mpsc::channel::<Job>();
    let jobs = Arc::new(Mutex::new(jobs));
    let workers = [0, 1].map(|_| {
        let jobs = Arc::clone(&jobs);
        thread::spawn(move || {
            loop {
                let job = jobs.lock().unwrap().recv();
                match job {
                    Ok(job) => job(),
                    Err(_) => break,
                }
            }
        })
    });
    for value in [0, 1] {
        let done = done.clone();
        let job = move || {
            write(value);
            done.send(value).unwrap();
        };
        sender.send(Box::new(job)).unwrap();
    }
    drop(sender);
    for worker in workers {
        worker.join().unwrap();
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(2)
        .build()
        .unwrap();
    let sum = pool.install(|| (1..=100_u32).into_par_iter().sum());
    done.send(sum).unwrap();
}

fn main() {
    let (done, results) = mpsc::channel();
    thread::spawn(move || pools(done)).join().unwrap();
    println!("{}", results.iter().sum::<u32>());
}
