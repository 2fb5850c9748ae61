//! What is on the operand stack, and where it came from.
//!
//! A record needs the address operand of a load or store. If that operand is a local or a constant, the
//! record can name it again and no value has to be moved.

use wasm_encoder::ValType;

/// What a value on the operand stack equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nothing that has a name.
    Unknown,
    /// The present value of this local.
    Local(u32),
    /// This constant.
    Constant(i32),
    /// What this piece of the present region left.
    Piece(usize),
}

/// A value on the operand stack.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand {
    pub(super) ty: ValType,
    pub(super) origin: Origin,
    /// The piece of the present region that left it, whatever else it equals.
    piece: Option<usize>,
}

/// The operand stack of a function, all blocks together.
#[derive(Default)]
pub(super) struct Operands(Vec<Operand>);

impl Operands {
    pub(super) fn height(&self) -> usize {
        self.0.len()
    }

    pub(super) fn truncate(&mut self, height: usize) {
        self.0.truncate(height);
    }

    /// Left by a piece of the present region, or by something outside of regions.
    pub(super) fn push(&mut self, ty: ValType, origin: Origin, piece: Option<usize>) {
        self.0.push(Operand { ty, origin, piece });
    }

    /// The operand at this height (0 is the bottom).
    pub(super) fn at(&self, height: usize) -> Operand {
        self.0[height]
    }

    pub(super) fn types(&self) -> impl Iterator<Item = ValType> {
        self.0.iter().map(|operand| operand.ty)
    }

    /// A local was written: what equalled it is known only by the piece that left it.
    pub(super) fn local_written(&mut self, local: u32) {
        for operand in &mut self.0 {
            if operand.origin == Origin::Local(local) {
                operand.origin = operand.piece.map_or(Origin::Unknown, Origin::Piece);
            }
        }
    }

    /// The pieces of a region are forgotten; what they left now comes from where `origin` says.
    pub(super) fn end_region(&mut self, origin: impl Fn(usize, usize, ValType) -> Origin) {
        for (height, operand) in self.0.iter_mut().enumerate() {
            operand.piece = None;
            if let Origin::Piece(piece) = operand.origin {
                operand.origin = origin(height, piece, operand.ty);
            }
        }
    }
}
