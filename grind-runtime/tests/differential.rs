//! Every atomic instruction, and plain accesses beside it, on grind and on Wasmtime: the same results, the same
//! traps, the same memory, on generated operands.
//!
//! Wasmtime implements the threads proposal in compiled code over a truly shared memory; grind in Rust, in
//! `machine::atomics`. They share no line.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::machine::{MachineConfig, NullIo, Session, Trap, Value};
use grind_runtime::model::NullSink;
use grind_runtime::program::Program;
use grind_runtime::schedule::RoundRobin;
use std::fmt::Write;

/// Generated calls.
const CALLS: u64 = 50_000;

/// One function for each instruction, all of type `(i32, i64, i64) -> i64`: address, operand, expected.
fn functions() -> Vec<(String, String)> {
    let mut functions = Vec::new();
    let wrap = |ty: &str, n: u32| match ty {
        "i32" => format!("(i32.wrap_i64 (local.get {n}))"),
        _ => format!("(local.get {n})"),
    };
    let result = |ty: &str, body: String| match ty {
        "i32" => format!("(i64.extend_i32_u {body})"),
        _ => body,
    };
    for (ty, widths) in [
        ("i32", &["", "8", "16"][..]),
        ("i64", &["", "8", "16", "32"]),
    ] {
        for width in widths {
            let unsigned = if width.is_empty() { "" } else { "_u" };
            for offset in ["", " offset=4"] {
                let mut add =
                    |name: String, body: String| functions.push((format!("{name}{offset}"), body));
                let name = format!("{ty}.atomic.load{width}{unsigned}");
                add(
                    name.clone(),
                    result(ty, format!("({name}{offset} (local.get 0))")),
                );
                let name = format!("{ty}.atomic.store{width}");
                let value = wrap(ty, 1);
                add(
                    name.clone(),
                    format!("({name}{offset} (local.get 0) {value}) (i64.const 0)"),
                );
                for op in ["add", "sub", "and", "or", "xor", "xchg"] {
                    let name = format!("{ty}.atomic.rmw{width}.{op}{unsigned}");
                    add(
                        name.clone(),
                        result(ty, format!("({name}{offset} (local.get 0) {value})")),
                    );
                }
                let name = format!("{ty}.atomic.rmw{width}.cmpxchg{unsigned}");
                let expected = wrap(ty, 2);
                add(
                    name.clone(),
                    result(
                        ty,
                        format!("({name}{offset} (local.get 0) {expected} {value})"),
                    ),
                );
                for sign in if width.is_empty() {
                    &[""][..]
                } else {
                    &["_s", "_u"]
                } {
                    let name = format!("{ty}.load{width}{sign}");
                    add(
                        name.clone(),
                        result(ty, format!("({name}{offset} (local.get 0))")),
                    );
                }
                let name = format!("{ty}.store{width}");
                add(
                    name.clone(),
                    format!("({name}{offset} (local.get 0) {value}) (i64.const 0)"),
                );
            }
        }
    }
    for (bits, ty) in [(32, "i32"), (64, "i64")] {
        // A timeout of nothing: the wait ends by itself, as equal and timed out or as not equal.
        let expected = wrap(ty, 2);
        let name = format!("memory.atomic.wait{bits}");
        let body = format!("(i64.extend_i32_u ({name} (local.get 0) {expected} (i64.const 0)))");
        functions.push((name, body));
    }
    functions.push((
        "memory.atomic.notify".into(),
        "(i64.extend_i32_u (memory.atomic.notify (local.get 0) (i32.wrap_i64 (local.get 1))))"
            .into(),
    ));
    functions.push((
        "memory.fill".into(),
        "(memory.fill (local.get 0) (i32.wrap_i64 (local.get 1)) (i32.and (i32.wrap_i64 (local.get 2)) (i32.const 63))) (i64.const 0)".into(),
    ));
    functions.push((
        "memory.copy".into(),
        "(memory.copy (local.get 0) (i32.and (i32.wrap_i64 (local.get 1)) (i32.const 0xffff)) (i32.and (i32.wrap_i64 (local.get 2)) (i32.const 63))) (i64.const 0)".into(),
    ));
    functions
}

fn module(functions: &[(String, String)]) -> Vec<u8> {
    let mut text = String::from("(module (memory (export \"memory\") 1 1 shared)\n");
    for (name, body) in functions {
        writeln!(
            text,
            "(func (export \"{name}\") (param i32 i64 i64) (result i64) {body})"
        )
        .unwrap();
    }
    text.push(')');
    wat::parse_str(text).unwrap()
}

/// What a call came to, in words both sides share.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Returned(i64),
    Unaligned,
    OutOfBounds,
}

struct Wasmtime {
    store: wasmtime::Store<()>,
    instance: wasmtime::Instance,
}

impl Wasmtime {
    fn new(wasm: &[u8]) -> Self {
        let mut config = wasmtime::Config::new();
        config.wasm_threads(true).shared_memory(true);
        let engine = wasmtime::Engine::new(&config).unwrap();
        let module = wasmtime::Module::new(&engine, wasm).unwrap();
        let mut store = wasmtime::Store::new(&engine, ());
        let instance = wasmtime::Instance::new(&mut store, &module, &[]).unwrap();
        Wasmtime { store, instance }
    }

    fn call(&mut self, name: &str, (address, operand, expected): (i32, i64, i64)) -> Outcome {
        let function = self
            .instance
            .get_typed_func::<(i32, i64, i64), i64>(&mut self.store, name)
            .unwrap();
        match function.call(&mut self.store, (address, operand, expected)) {
            Ok(value) => Outcome::Returned(value),
            Err(error) => match error.downcast_ref::<wasmtime::Trap>() {
                Some(wasmtime::Trap::HeapMisaligned) => Outcome::Unaligned,
                Some(wasmtime::Trap::MemoryOutOfBounds) => Outcome::OutOfBounds,
                other => panic!("{name}: {other:?}"),
            },
        }
    }

    fn memory(&mut self) -> Vec<u8> {
        let memory = self
            .instance
            .get_shared_memory(&mut self.store, "memory")
            .unwrap();
        // SAFETY: nobody else has this memory, and no guest runs.
        memory
            .data()
            .iter()
            .map(|byte| unsafe { *byte.get() })
            .collect()
    }
}

fn call(
    session: &mut Session,
    name: &str,
    (address, operand, expected): (i32, i64, i64),
) -> Outcome {
    let args = [
        Value::I32(address),
        Value::I64(operand),
        Value::I64(expected),
    ];
    match session.invoke(name, &args).unwrap() {
        Ok(values) => match values[..] {
            [Value::I64(value)] => Outcome::Returned(value),
            _ => panic!("{name}: {values:?}"),
        },
        Err(Trap::UnalignedAtomic) => Outcome::Unaligned,
        Err(Trap::OutOfBounds) => Outcome::OutOfBounds,
        Err(other) => panic!("{name}: {other}"),
    }
}

/// SplitMix64, to be the same on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Few addresses, so that accesses meet; aligned and not; around both ends of memory.
    fn address(&mut self) -> i32 {
        let near = self.next() % 24;
        match self.next() % 8 {
            0 => 65_536 - 12 + near as i32,
            1 => -(near as i32),
            2 => near as i32,
            _ => (near & !7) as i32,
        }
    }

    /// Few values, so that comparisons are equal now and then.
    fn value(&mut self) -> i64 {
        const VALUES: [i64; 8] = [
            0,
            1,
            -1,
            0xff,
            0x1ff,
            0x8000_0000,
            i64::MIN,
            0x0123_4567_89ab_cdef,
        ];
        VALUES[(self.next() % 8) as usize]
    }
}

#[test]
fn atomics_do_what_they_do_on_wasmtime() {
    let functions = functions();
    let wasm = module(&functions);
    let program = Program::new(&wasm).unwrap();
    let config = MachineConfig::new(
        Box::new(RoundRobin::new(0)),
        Box::new(NullSink),
        Box::new(NullIo),
    );
    let mut ours = Session::new(&program, config).unwrap().unwrap();
    let mut theirs = Wasmtime::new(&wasm);
    let mut random = Random(1);
    let mut traps = 0;
    let mut calls = 0;
    // Expecting what is there half of the time, so that compare-exchanges and waits do both.
    let mut last = 0;
    while calls < CALLS {
        let (name, _) = &functions[(random.next() % functions.len() as u64) as usize];
        let expected = if random.next().is_multiple_of(2) {
            last
        } else {
            random.value()
        };
        let operands = (random.address(), random.value(), expected);
        let wanted = theirs.call(name, operands);
        assert_eq!(
            call(&mut ours, name, operands),
            wanted,
            "{name} {operands:x?}, call {calls}"
        );
        match wanted {
            Outcome::Returned(value) => last = value,
            _ => traps += 1,
        }
        calls += 1;
        if calls.is_multiple_of(1000) {
            assert!(
                ours.memory() == theirs.memory(),
                "memories differ after {calls} calls"
            );
        }
    }
    // The operands reach both sides of every check.
    assert!(
        (CALLS / 20..CALLS * 19 / 20).contains(&traps),
        "{traps} of {CALLS} calls trapped"
    );
}
