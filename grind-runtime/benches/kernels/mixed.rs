//! The mixed kernel: what optimised Rust does all day. Some 20 million accesses in a 2 MiB heap.
//! `build.sh` makes `mixed.wasm` of it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// xorshift64*: the kernel must not depend on the host's randomness.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) as u32
    }
}

/// FNV-1a: std's default hasher is seeded.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

fn sort(random: &mut Random) -> u64 {
    let mut sum = 0;
    for _ in 0..4 {
        let mut numbers: Vec<u32> = (0..60_000).map(|_| random.next()).collect();
        numbers.sort_unstable();
        let mut pairs: Vec<(u32, u32)> = numbers.iter().map(|&n| (n & 0xfff, n)).collect();
        pairs.sort();
        sum += u64::from(numbers[30_000]) + u64::from(pairs[30_000].1);
    }
    sum
}

fn hash(random: &mut Random) -> u64 {
    let mut counts: HashMap<String, u32, BuildHasherDefault<Fnv>> = HashMap::default();
    for _ in 0..50_000 {
        let word = format!("word{}", random.next() % 5000);
        *counts.entry(word).or_insert(0) += 1;
    }
    counts.values().map(|&count| u64::from(count) * u64::from(count)).sum()
}

fn matmul(random: &mut Random) -> u64 {
    const N: usize = 96;
    let matrix = |random: &mut Random| -> Vec<Vec<f64>> {
        (0..N).map(|_| (0..N).map(|_| f64::from(random.next() >> 20)).collect()).collect()
    };
    let (a, b) = (matrix(random), matrix(random));
    let mut c = vec![vec![0.0; N]; N];
    for i in 0..N {
        for j in 0..N {
            for k in 0..N {
                c[i][j] += a[i][k] * b[k][j];
            }
        }
    }
    c.iter().flatten().sum::<f64>() as u64
}

/// Substring and binary search.
fn search(random: &mut Random) -> u64 {
    let text: Vec<u8> = (0..400_000).map(|_| b'a' + (random.next() % 4) as u8).collect();
    let pattern = b"abcabcda";
    let found = text.windows(pattern.len()).filter(|window| window == pattern).count() as u64;
    let sorted: Vec<u32> = (0..40_000).map(|n| n * 7).collect();
    let hits = (0..60_000).filter(|_| sorted.binary_search(&(random.next() % 280_000)).is_ok()).count();
    found + hits as u64
}

#[unsafe(no_mangle)]
pub extern "C" fn checksum() -> u64 {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut sum = sort(&mut random);
    sum = sum.wrapping_mul(31).wrapping_add(hash(&mut random));
    sum = sum.wrapping_mul(31).wrapping_add(matmul(&mut random));
    sum.wrapping_mul(31).wrapping_add(search(&mut random))
}

#[unsafe(no_mangle)]
pub extern "C" fn _start() {
    std::hint::black_box(checksum());
}
