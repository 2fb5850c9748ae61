//! Instructions that stay what they are.

use super::effects::Effect;
use super::{Context, Shift};
use crate::program::ProgramError;
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{BlockType, InstructionSink};
use wasmparser::Operator;

/// An instruction of the original body.
pub(super) struct Read<'a> {
    pub(super) op: &'a Operator<'a>,
    pub(super) effect: Option<&'a Effect>,
    pub(super) offset: u64,
    pub(super) bytes: &'a [u8],
}

/// Writes an instruction, most often as it is: functions and globals have other indices in the lowered module, and
/// nothing else has.
pub(super) fn encode(
    context: &Context,
    read: &Read<'_>,
    code: &mut Vec<u8>,
) -> Result<(), ProgramError> {
    let mut shift = Shift(&context.info);
    let mut sink = InstructionSink::new(code);
    match *read.op {
        Operator::Call { function_index } => sink.call(shift.function_index(function_index)?),
        Operator::ReturnCall { function_index } => {
            sink.return_call(shift.function_index(function_index)?)
        }
        Operator::RefFunc { function_index } => {
            sink.ref_func(shift.function_index(function_index)?)
        }
        Operator::GlobalGet { global_index } => sink.global_get(shift.global_index(global_index)?),
        Operator::GlobalSet { global_index } => sink.global_set(shift.global_index(global_index)?),
        _ => {
            // Most are of two or three bytes, which a call of `memcpy` takes longer for.
            code.reserve(read.bytes.len());
            for &byte in read.bytes {
                code.push(byte);
            }
            return Ok(());
        }
    };
    Ok(())
}

/// An empty block, over which the engine fuses nothing. wasmi 2.0.0 fuses a comparison of a local with zero and the
/// `select` behind it to code that reads another register (its `try_fuse_select`).
pub(super) fn encode_barrier(code: &mut Vec<u8>) {
    InstructionSink::new(code).block(BlockType::Empty).end();
}
