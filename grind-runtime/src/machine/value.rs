//! Values of a guest, as whoever calls its functions gives and gets them.

use crate::program::WasmType;

/// A value of the guest. Floats are bits, so that NaNs keep their payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Value {
    /// `i32`
    I32(i32),
    /// `i64`
    I64(i64),
    /// Bits of an `f32`.
    F32(u32),
    /// Bits of an `f64`.
    F64(u64),
    /// `v128`
    V128(u128),
    /// A null reference to a function.
    NullFunc,
    /// A null reference of the host.
    NullExtern,
    /// A reference; which one cannot be told.
    Reference,
}

impl Value {
    /// The number of this type that has these bits, if it is a type of numbers.
    pub(super) fn number(bits: u64, ty: WasmType) -> Option<Value> {
        Some(match ty {
            WasmType::I32 => Value::I32(bits as u32 as i32),
            WasmType::I64 => Value::I64(bits.cast_signed()),
            WasmType::F32 => Value::F32(bits as u32),
            WasmType::F64 => Value::F64(bits),
            _ => return None,
        })
    }

    /// The bits of a number; of anything else 0.
    pub(super) fn bits(self) -> u64 {
        match self {
            Value::I32(value) => u64::from(value.cast_unsigned()),
            Value::I64(value) => value.cast_unsigned(),
            Value::F32(bits) => u64::from(bits),
            Value::F64(bits) => bits,
            Value::V128(_) | Value::NullFunc | Value::NullExtern | Value::Reference => 0,
        }
    }

    /// Whether a parameter of this type takes it. A reference cannot be given, but for null.
    pub(super) fn is_a(self, ty: WasmType) -> bool {
        match self {
            Value::I32(_) => ty == WasmType::I32,
            Value::I64(_) => ty == WasmType::I64,
            Value::F32(_) => ty == WasmType::F32,
            Value::F64(_) => ty == WasmType::F64,
            Value::V128(_) => ty == WasmType::V128,
            Value::NullFunc | Value::Reference => ty == WasmType::FUNCREF,
            Value::NullExtern => ty == WasmType::EXTERNREF,
        }
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Value {
        Value::I32(value.cast_signed())
    }
}
