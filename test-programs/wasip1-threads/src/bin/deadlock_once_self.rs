//! What is initialised once needs itself.
//@ says: deadlock: T0 main waits for the initialisation of
//@ says: (std::sync::Once), which it makes itself

use std::sync::OnceLock;

static ONCE: OnceLock<u32> = OnceLock::new();

fn one() -> u32 {
    *ONCE.get_or_init(|| one() + 1) //~ deadlock(1)
}

fn main() {
    println!("{}", one());
}
