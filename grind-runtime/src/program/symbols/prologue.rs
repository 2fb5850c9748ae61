//! How much of the stack the frames of a function take up, read off its code.
//!
//! The stack pointer is a global. A function that needs memory for variables begins by subtracting from it:
//!
//! ```text
//! global.get $__stack_pointer
//! i32.const 32
//! i32.sub
//! local.tee $frame
//! global.set $__stack_pointer
//! ```
//!
//! A leaf does without the last, and unoptimised code puts each value into a local. The first function of a thread sets
//! the pointer to where its stack begins, instead. Where a frame's size is known only when it runs (`alloca`,
//! variables that are aligned more than the stack is), and after a tail call, there is no answer.
//!
//! The code is followed from its beginning to its end without regard to branches: frames are set up before the first
//! branch, and what is stored into the pointer later has to be one of the two values it had.

use rustc_hash::FxHashMap;
use wasmparser::{FunctionBody, Operator};

/// What a function does first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Prologue {
    /// Bytes of its frame.
    pub(super) size: u32,
    /// The local that holds the frame's lowest address, if it has a frame.
    pub(super) pointer: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Value {
    Constant(i32),
    /// The stack pointer when the function was called, less this many bytes.
    Below(u32),
    Unknown,
}

impl Value {
    fn minus(self, other: Value) -> Value {
        match (self, other) {
            (Value::Below(bytes), Value::Constant(less)) => bytes
                .checked_add_signed(less)
                .map_or(Value::Unknown, Value::Below),
            _ => Value::Unknown,
        }
    }

    fn plus(self, other: Value) -> Value {
        match (self, other) {
            (Value::Constant(_), Value::Below(_)) => other.plus(self),
            (_, Value::Constant(more)) => self.minus(Value::Constant(more.wrapping_neg())),
            _ => Value::Unknown,
        }
    }
}

impl Prologue {
    /// That of a function, if its frames are all of one size.
    pub(super) fn read(body: &FunctionBody<'_>, stack_pointer: u32) -> Option<Prologue> {
        let mut code = Code::default();
        let mut operators = body.get_operators_reader().ok()?;
        while !operators.eof() {
            code.follow(&operators.read().ok()?, stack_pointer)?;
        }
        Some(code.prologue)
    }
}

/// What is known while the code is followed.
#[derive(Default)]
struct Code {
    prologue: Prologue,
    /// Topmost operands; below them are others.
    operands: Vec<Value>,
    locals: FxHashMap<u32, Value>,
    /// The stack pointer was read.
    asked: bool,
}

impl Code {
    /// None if the frame has no size of its own.
    fn follow(&mut self, operator: &Operator<'_>, stack_pointer: u32) -> Option<()> {
        match *operator {
            Operator::I32Const { value } => self.operands.push(Value::Constant(value)),
            Operator::GlobalGet { global_index } if global_index == stack_pointer => {
                let taken = if self.asked { self.prologue.size } else { 0 };
                self.asked = true;
                self.operands.push(Value::Below(taken));
            }
            Operator::GlobalSet { global_index } if global_index == stack_pointer => {
                match self.pop() {
                    Value::Below(bytes) if bytes == 0 || bytes == self.prologue.size => {}
                    _ if !self.asked => {}
                    _ => return None,
                }
            }
            Operator::LocalGet { local_index } => {
                let value = self.locals.get(&local_index);
                self.operands.push(value.copied().unwrap_or(Value::Unknown));
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.store(local_index, value);
            }
            Operator::LocalTee { local_index } => {
                let value = self.pop();
                self.store(local_index, value);
                self.operands.push(value);
            }
            Operator::I32Add | Operator::I32Sub => {
                let (right, left) = (self.pop(), self.pop());
                let value = match operator {
                    Operator::I32Add => left.plus(right),
                    _ => left.minus(right),
                };
                if let Value::Below(bytes) = value
                    && self.prologue.size == 0
                {
                    self.prologue.size = bytes;
                }
                self.operands.push(value);
            }
            // The frame is aligned.
            Operator::I32And => {
                if let (Value::Below(_), _) | (_, Value::Below(_)) = (self.pop(), self.pop()) {
                    return None;
                }
                self.operands.push(Value::Unknown);
            }
            Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. } => return None,
            _ => self.operands.clear(),
        }
        Some(())
    }

    fn pop(&mut self) -> Value {
        self.operands.pop().unwrap_or(Value::Unknown)
    }

    fn store(&mut self, local: u32, value: Value) {
        if let Value::Below(bytes) = value
            && bytes > 0
            && bytes == self.prologue.size
        {
            self.prologue.pointer.get_or_insert(local);
        }
        self.locals.insert(local, value);
    }
}
