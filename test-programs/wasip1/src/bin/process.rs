//! Arguments, environment, standard streams, clocks.

use std::io::BufRead;
use std::time::{Duration, Instant, SystemTime};

fn main() {
    println!("args: {:?}", std::env::args().collect::<Vec<_>>());
    let mut vars: Vec<_> = std::env::vars().collect();
    vars.sort();
    println!("env: {vars:?}");
    for line in std::io::stdin().lock().lines() {
        println!("line: {}", line.unwrap());
    }
    let (begin, since) = (SystemTime::now(), Instant::now());
    std::thread::sleep(Duration::from_secs(3600));
    let (slept, passed) = (since.elapsed(), begin.elapsed().unwrap());
    assert!(
        slept >= Duration::from_secs(3600) && slept < Duration::from_secs(3601),
        "{slept:?}"
    );
    assert!(
        passed >= Duration::from_secs(3600) && passed < Duration::from_secs(3601),
        "{passed:?}"
    );
    let since_1970 = begin.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    println!("began: {}", since_1970.as_secs());
    let mut maps = std::collections::HashMap::new();
    maps.insert(1, 2);
    assert_eq!(maps[&1], 2, "hash maps take randomness");
    eprintln!("to standard error");
    std::process::exit(7);
}
