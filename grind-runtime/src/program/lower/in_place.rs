//! Instructions decoded to where they stay.
//!
//! [`OperatorsReader::read`](wasmparser::OperatorsReader::read) returns an instruction by value. It is written in parts and moved
//! as a whole, and a processor has to wait for its own writes there: that took a seventh of the time of lowering.

use wasmparser::{Operator, OperatorsReader, VisitOperator, VisitSimdOperator};

/// The last instruction that was decoded.
pub(super) struct InPlace<'a>(Operator<'a>);

impl<'a> InPlace<'a> {
    pub(super) fn new() -> Self {
        InPlace(Operator::Nop)
    }

    /// Decodes the next instruction.
    ///
    /// # Errors
    /// Those of the decoder.
    #[inline]
    pub(super) fn read(
        &mut self,
        reader: &mut OperatorsReader<'a>,
    ) -> wasmparser::Result<&Operator<'a>> {
        reader.visit_operator(self)?;
        Ok(&self.0)
    }
}

macro_rules! keep {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $argty:ty),* })? => $visit:ident ($($ann:tt)*))*) => {
        $(
            fn $visit(&mut self $($(,$arg: $argty)*)?) {
                self.0 = Operator::$op $({ $($arg),* })?;
            }
        )*
    };
}

impl<'a> VisitOperator<'a> for InPlace<'a> {
    type Output = ();

    fn simd_visitor(&mut self) -> Option<&mut dyn VisitSimdOperator<'a, Output = ()>> {
        Some(self)
    }

    wasmparser::for_each_visit_operator!(keep);
}

impl<'a> VisitSimdOperator<'a> for InPlace<'a> {
    wasmparser::for_each_visit_simd_operator!(keep);
}
