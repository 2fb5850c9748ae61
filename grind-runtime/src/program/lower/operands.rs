//! Where the values on the operand stack come from.
//!
//! A record needs the address operand of a load or store. If that operand is a local or a constant, the
//! record can name it again and no value has to be moved: with it a recorded access on the engine costs
//! four instructions, without it one or two more.

/// What a value on the operand stack equals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The present value of this local.
    Local(u32),
    /// This constant.
    Constant(i32),
}

/// Origins by height; values above the end of the list have none.
#[derive(Default)]
pub(super) struct Operands(Vec<Option<Origin>>);

impl Operands {
    /// The origin of the value at this height (0 is the bottom).
    pub(super) fn at(&self, height: usize) -> Option<Origin> {
        self.0.get(height).copied().flatten()
    }

    /// An instruction left this many values, of which at most the topmost is new.
    pub(super) fn replaced_top(&mut self, height: usize) {
        self.0.truncate(height.saturating_sub(1));
    }

    /// The topmost of `height` values has this origin.
    pub(super) fn pushed(&mut self, height: usize, origin: Origin) {
        self.0.resize(height - 1, None);
        self.0.push(Some(origin));
    }

    /// A local was written.
    pub(super) fn local_written(&mut self, local: u32) {
        for slot in &mut self.0 {
            if *slot == Some(Origin::Local(local)) {
                *slot = None;
            }
        }
    }

    /// Nothing is known any more: a block boundary or a call.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}
