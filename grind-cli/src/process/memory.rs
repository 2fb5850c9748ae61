//! How much memory the machine has, where it says so.

use std::fs;

/// Bytes that are assumed where the machine does not say.
const ASSUMED: u64 = 4 << 30;

/// A quarter of the memory that this process may have, in bytes.
pub(crate) fn quarter() -> u64 {
    let limits = [total(), group()];
    limits.into_iter().flatten().min().unwrap_or(ASSUMED) / 4
}

/// Of the machine.
fn total() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes << 10)
}

/// Of the control group, as of a container.
fn group() -> Option<u64> {
    let text = fs::read_to_string("/sys/fs/cgroup/memory.max").ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_quarter_of_the_memory_is_some() {
        assert!(super::quarter() >= 1 << 20);
    }
}
