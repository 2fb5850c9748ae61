//! Programs that were stored: they run as those that were lowered, and what is no such file is refused.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/recording.rs"]
#[expect(dead_code, reason = "not all suites use all of it")]
mod recording;

use grind_runtime::host::DeserializeError;
use grind_runtime::program::Instrumentation;
use grind_runtime::program::interceptors::{Role, Rule};
use grind_runtime::trace::Detail;
use grind_runtime::{HostImport, NullIo, Program, ProgramError, ProgramOptions, RunOptions, run};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

fn load(bytes: &[u8]) -> Result<Program, DeserializeError> {
    Program::deserialize(bytes, ProgramOptions::default())
}

/// Of each toolchain, with races and without, with locks that are words and with intercepted functions.
const GUESTS: [&str; 8] = [
    "wasm/race_counter.wasm",
    "wasm/norace_counter.wasm",
    "wasm/race_memory_copy.wasm",
    "wasip1-threads/wasm/race_lock_between.wasm",
    "wasip1-threads/wasm/inversion_mutex.wasm",
    "wasip1-threads/wasm/clean_rayon_scope.wasm",
    "c/wasm/race_mutex.wasm",
    "c/wasm/misuse_unlock.wasm",
];

#[test]
fn a_stored_program_is_the_same_and_its_runs_have_the_same_traces_and_findings() {
    for guest in GUESTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
        let lowered = Program::new(&fs::read(path.join(guest)).unwrap()).unwrap();
        let bytes = lowered.serialize().unwrap();
        assert_eq!(bytes, lowered.serialize().unwrap(), "{guest}");
        let stored = load(&bytes).unwrap();
        assert_eq!(stored.original(), lowered.original(), "{guest}");
        assert_eq!(stored.lowered(), lowered.lowered(), "{guest}");
        assert_eq!(stored.sites(), lowered.sites(), "{guest}");
        assert_eq!(stored.interceptors(), lowered.interceptors(), "{guest}");
        assert_eq!(stored.lock_words(), lowered.lock_words(), "{guest}");
        assert_eq!(
            stored.instances_recyclable(),
            lowered.instances_recyclable(),
            "{guest}"
        );
        assert_eq!(stored.serialize().unwrap(), bytes, "{guest}");
        for seed in 0..3 {
            let options = RunOptions::seeded(seed);
            let record = |program| recording::record(program, &options, Detail::Full).unwrap();
            let (expected, trace) = record(&lowered);
            let (outcome, again) = record(&stored);
            assert!(!trace.is_empty() && trace == again, "{guest}, seed {seed}");
            assert_eq!(outcome.ending, expected.ending, "{guest}");
            assert_eq!(
                outcome.analysis.diagnoses, expected.analysis.diagnoses,
                "{guest}"
            );
        }
    }
}

const IMPORTS: &str = r#"(module
    (import "env" "answer" (func $answer (result i32)))
    (func (export "main") (result i32) (call $answer)))"#;

#[test]
fn functions_of_the_embedder_are_given_again_and_checked() {
    let given = |import| ProgramOptions::default().imports(vec![import]);
    let answer = |number: i32| given(HostImport::wrap("env", "answer", move |_, ()| Ok(number)));
    let wasm = wat::parse_str(IMPORTS).unwrap();
    let lowered = Program::with_options(&wasm, answer(1)).unwrap();
    let bytes = lowered.serialize().unwrap();
    let stored = Program::deserialize(&bytes, answer(2)).unwrap();
    let code = |program| {
        run(program, RunOptions::default(), NullIo)
            .unwrap()
            .exit_code()
    };
    assert_eq!([code(&lowered), code(&stored)], [1, 2]);

    let of_another_type = given(HostImport::wrap("env", "answer", |_, ()| Ok(1_i64)));
    for options in [ProgramOptions::default(), of_another_type] {
        match Program::deserialize(&bytes, options) {
            Err(DeserializeError::Program(ProgramError::Imports(problems))) => {
                assert_eq!(problems.len(), 1);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_decides_the_lowering_has_to_be_the_same() {
    let wasm = wat::parse_str(r#"(module (func $f) (func (export "_start") (call $f)))"#).unwrap();
    let rule = || Rule {
        function: "f".into(),
        role: Role::Hide { callbacks: false },
    };
    let options = || ProgramOptions::default().interceptors(vec![rule()]);
    let bytes = Program::with_options(&wasm, options())
        .unwrap()
        .serialize()
        .unwrap();
    let stored = Program::deserialize(&bytes, options()).unwrap();
    assert_eq!(stored.interceptors().len(), 1);
    assert!(matches!(load(&bytes), Err(DeserializeError::Options)));
    let off = options().instrumentation(Instrumentation::Off);
    let other = Program::deserialize(&bytes, off.clone());
    assert!(matches!(other, Err(DeserializeError::Options)));
    let bytes = Program::with_options(&wasm, off.clone())
        .unwrap()
        .serialize()
        .unwrap();
    let stored = Program::deserialize(&bytes, off).unwrap();
    assert_eq!(stored.interceptors(), []);
    // A role that no setting can name has no serial form.
    let prctl = ProgramOptions::default().interceptors(vec![Rule {
        role: Role::Prctl,
        ..rule()
    }]);
    let program = Program::with_options(&wasm, prctl).unwrap();
    assert!(program.serialize().is_err());
}

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let options = ProgramOptions::default();
    let answer = HostImport::wrap("env", "answer", |_, ()| Ok(1_i32));
    let wasm = wat::parse_str(IMPORTS).unwrap();
    let program = Program::with_options(&wasm, options.imports(vec![answer])).unwrap();
    program.serialize().unwrap()
});

#[test]
fn what_is_no_program_is_told_from_one_that_was_cut() {
    for bytes in [b"".as_slice(), b"\0asm\x01\0\0\0", b"grindpg"] {
        assert!(matches!(load(bytes), Err(DeserializeError::NotAProgram)));
    }
    for len in 8..FILE.len() {
        match load(&FILE[..len]) {
            Err(DeserializeError::Damaged(_)) => {}
            other => panic!("{len}: {other:?}"),
        }
    }
    let longer: Vec<u8> = FILE.iter().copied().chain([0]).collect();
    assert!(matches!(load(&longer), Err(DeserializeError::Damaged(_))));
}

#[test]
fn a_file_with_any_bit_flipped_is_refused() {
    let mut file = FILE.clone();
    for bit in 0..8 * file.len() {
        file[bit / 8] ^= 1 << (bit % 8);
        match load(&file) {
            Err(
                DeserializeError::NotAProgram
                | DeserializeError::Version { .. }
                | DeserializeError::Damaged(_),
            ) => {}
            other => panic!("{bit}: {other:?}"),
        }
        file[bit / 8] ^= 1 << (bit % 8);
    }
}

proptest! {
    #[test]
    fn bytes_that_nobody_wrote_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), head in 0_usize..120) {
        let bytes = [&FILE[..head.min(FILE.len())], &bytes].concat();
        prop_assume!(bytes != *FILE);
        prop_assert!(load(&bytes).is_err());
    }
}
