//! Wrappers around intercepted functions.
//!
//! The body of an intercepted function moves to a new function; its old index becomes a wrapper that
//! tells the machine before and after. So calls, exports and tables reach the wrapper unchanged.

use super::hooks::Hook;
use super::{Context, Shift};
use crate::program::ProgramError;
use wasm_encoder::reencode::Reencode;
use wasm_encoder::{Function, Instruction};
use wasmparser::ValType;

/// The wrapper of `function`, whose body is now at `moved` (an index in the lowered module).
pub(super) fn wrap(context: &Context, function: u32, moved: u32) -> Result<Function, ProgramError> {
    let ty = context
        .info
        .function_type(function)
        .expect("interceptors are found by type");
    let params = ty.params().len() as u32;
    let result = ty.results().first().copied();
    let result_local = params;
    let mut wrapper = Function::new(
        result
            .map(|ty| Shift(&context.info).val_type(ty).map(|ty| (1, ty)))
            .transpose()?,
    );
    // Other than its index, its number among those stays when more modules are linked to this one.
    let defined = function - context.info.imported_functions;
    let id = Instruction::I32Const(defined.cast_signed());
    wrapper.instruction(&id);
    for param in 0..4 {
        let is_i32 = ty.params().get(param as usize) == Some(&ValType::I32);
        wrapper.instruction(&if is_i32 {
            Instruction::LocalGet(param)
        } else {
            Instruction::I32Const(0)
        });
    }
    wrapper.instruction(&Instruction::Call(context.hook(Hook::Enter)));
    for param in 0..params {
        wrapper.instruction(&Instruction::LocalGet(param));
    }
    wrapper.instruction(&Instruction::Call(moved));
    if result.is_some() {
        wrapper.instruction(&Instruction::LocalSet(result_local));
    }
    wrapper.instruction(&id);
    wrapper.instruction(&if result == Some(ValType::I32) {
        Instruction::LocalGet(result_local)
    } else {
        Instruction::I32Const(0)
    });
    wrapper.instruction(&Instruction::Call(context.hook(Hook::Leave)));
    if result.is_some() {
        wrapper.instruction(&Instruction::LocalGet(result_local));
    }
    wrapper.instruction(&Instruction::End);
    Ok(wrapper)
}
