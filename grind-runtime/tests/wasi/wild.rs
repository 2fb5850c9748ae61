//! Calls at random, with arguments that mean something by chance: the guest is never the end of grind, never
//! gets out of its directory, and does the same again.

use super::replay::{pass, record};
use super::{names, text};
use grind_runtime::model::Ending;
use grind_runtime::program::embedder::ValType;
use grind_runtime::program::imports::{WASI_MODULE, host_functions};
use grind_runtime::session::Player;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const SEEDS: u64 = 60;
const CALLS: usize = 400;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        from[((z ^ (z >> 31)) % from.len() as u64) as usize]
    }
}

/// Descriptors, addresses of names and of buffers, lengths, flags, and nonsense.
const WORDS: [&str; 22] = [
    "0",
    "1",
    "1",
    "2",
    "3",
    "3",
    "3",
    "4",
    "5",
    "6",
    "16",
    "17",
    "20",
    "24",
    "32",
    "48",
    "64",
    "100",
    "65535",
    "65536",
    "0x7fffffff",
    "0xffffffff",
];
const WIDE: [&str; 10] = [
    "0",
    "1",
    "2",
    "64",
    "0x40",
    "0x1fffffff",
    "1000000",
    "0x7fffffffffffffff",
    "0x8000000000000000",
    "0xffffffffffffffff",
];

fn guest(seed: u64) -> String {
    let mut random = Random(seed);
    let functions: Vec<_> = host_functions()
        .into_iter()
        .filter(|function| function.module == WASI_MODULE)
        .filter(|function| !["proc_exit", "proc_raise"].contains(&function.name))
        .collect();
    let mut wat = String::from("(module ");
    for function in &functions {
        let params: Vec<String> = function.params.iter().map(ToString::to_string).collect();
        writeln!(
            wat,
            "(import \"{WASI_MODULE}\" \"{name}\" (func ${name} (param {}) (result i32)))",
            params.join(" "),
            name = function.name,
        )
        .unwrap();
    }
    wat.push_str("(memory 1) (data (i32.const 0) \"");
    for _ in 0..256 {
        wat.push_str(random.pick(&[
            "\\00", "\\00", "\\01", "\\04", "\\10", "a", "b", "/", ".", "\\ff",
        ]));
    }
    wat.push_str("\") (data (i32.const 16) \"a/b../../xa/../..\") (func (export \"_start\")\n");
    let indices: Vec<usize> = (0..functions.len()).collect();
    for call in 0..CALLS {
        let function = &functions[random.pick(&indices)];
        // Not before there was something to lose.
        let closes = ["fd_close", "fd_renumber", "fd_fdstat_set_rights"].contains(&function.name);
        if closes && call < CALLS / 2 {
            continue;
        }
        write!(wat, "(drop (call ${}", function.name).unwrap();
        for (index, param) in function.params.iter().enumerate() {
            let sense = random.pick(&[true, true, true, false]);
            let value = match param {
                ValType::I64 => random.pick(&WIDE),
                _ if sense && index == 0 => random.pick(&["3", "3", "3", "4"]),
                _ if sense => random.pick(&["0", "1", "3", "16", "17", "20", "4096"]),
                _ => random.pick(&WORDS),
            };
            write!(wat, " ({param}.const {value})").unwrap();
        }
        wat.push_str("))\n");
    }
    wat.push_str("))");
    wat
}

#[test]
fn random_calls_stay_inside_and_repeat() {
    let mut made = 0;
    for seed in 0..SEEDS {
        let outside = TempDir::new().unwrap();
        let work = outside.path().join("work");
        fs::create_dir_all(work.join("a")).unwrap();
        fs::write(work.join("b"), "b").unwrap();
        let before = names(&work);
        let program = text(&guest(seed));
        let (first, inputs) = record(&program, seed, &work);
        assert_eq!(first.ending, Ending::Returned, "seed {seed}");
        made += usize::from(names(&work) != before);
        assert_eq!(
            names(outside.path()),
            [PathBuf::from("work")],
            "seed {seed}"
        );
        fs::remove_dir_all(&work).unwrap();
        let (second, _) = pass(&program, seed, Box::new(Player::new(inputs)));
        assert_eq!(first, second, "seed {seed}");
    }
    assert!(
        made > SEEDS as usize / 10,
        "only {made} guests changed their directory"
    );
}
