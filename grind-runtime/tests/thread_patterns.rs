//! The example of thread patterns: each has its result and is clean under any seed, with threads that spin and that wait; the broken one is found.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../examples/thread_patterns/main.rs"]
#[expect(dead_code, reason = "its `main` is for the command line")]
mod thread_patterns;

use clap::Parser;
use thread_patterns::{Args, run};

fn args(text: &str) -> Args {
    Args::try_parse_from(text.split_whitespace()).unwrap()
}

#[test]
fn patterns_have_their_results_and_are_clean() {
    for text in [
        "patterns --iters 100",
        "patterns --iters 60 --threads 7 --slots 1 --spin 0 --wait-ns 5000",
        "patterns --iters 40 --threads 1 --slots 3 --spin 2",
        "patterns --iters 30 --threads 12 --slots 2 --spin 20 --wait-ns 1",
    ] {
        for seed in 0..3 {
            let all = run(&args(&format!("{text} --seed {seed}"))).unwrap();
            assert_eq!(all.len(), 9);
            for one in all {
                let findings = one.findings.unwrap_or_default();
                assert!(one.good, "{text}, {seed}: {} {findings}", one.line);
            }
        }
    }
}

#[test]
fn the_broken_ring_is_found_and_its_twin_is_not() {
    for seed in 0..5 {
        let of = |mode| {
            let text = format!("patterns --mode {mode} --iters 50 --seed {seed}");
            run(&args(&text)).unwrap().remove(0)
        };
        let broken = of("broken-spsc");
        assert!(!broken.good, "{}", broken.line);
        assert!(broken.findings.unwrap().contains("data race"));
        assert!(of("spsc").good);
    }
}

#[test]
fn arguments_beyond_the_guest_s_memory_are_refused() {
    for text in [
        "patterns --threads 0",
        "patterns --slots 5000",
        "patterns --wait-ns 0",
        "patterns --mode mutexes",
    ] {
        assert!(
            Args::try_parse_from(text.split_whitespace()).is_err(),
            "{text}"
        );
    }
}
