//! Records of loads that the compiler made unconditional, where their value is chosen; see
//! [`speculation`](crate::program::lower::speculation).

use super::{Body, NamedBase, Slot};
use crate::model;
use crate::model::sites::SiteKind;
use crate::program::ProgramError;
use crate::program::lower::copy::Read;
use crate::program::lower::speculation::{Chosen, Operand};
use wasm_encoder::{BlockType, ValType};
use wasmparser::Operator;

impl Body<'_> {
    /// An instruction that chooses among speculative loads, and the records of those whose value it takes.
    pub(super) fn choose(
        &mut self,
        read: &Read<'_>,
        chosen: &[Chosen],
    ) -> Result<(), ProgramError> {
        let selects = !matches!(read.op, Operator::I32And | Operator::I64And);
        let ty = match read.op {
            Operator::I64And => ValType::I64,
            _ => ValType::I32,
        };
        let upper = chosen.iter().any(|load| load.operand == Operand::Upper);
        let condition = self.extra_local(ty, Slot::Condition(ty));
        // The condition of `select` is on top; that of `and` is its other operand.
        if upper && !selects {
            let value = self.extra_local(ty, Slot::Value(ty));
            self.sink().local_set(value);
            self.sink().local_tee(condition);
            self.sink().local_get(value);
        } else {
            self.sink().local_tee(condition);
        }
        self.copy(read)?;
        for alike in chosen.chunk_by(Chosen::is_decided_with) {
            let load = &alike[0];
            self.sink().local_get(condition);
            let negated = selects && load.operand == Operand::Upper;
            match ty {
                ValType::I64 => {
                    self.sink().i64_eqz().i32_eqz();
                }
                _ if negated => {
                    self.sink().i32_eqz();
                }
                // `if` takes what is not zero.
                _ if load.is_decided_here() => {}
                _ => {
                    self.sink().i32_eqz().i32_eqz();
                }
            }
            let taken = self.extra_local(ValType::I32, Slot::Taken(load.slot));
            if !load.first {
                self.sink().local_get(taken).i32_and();
            }
            if load.last && load.hoisted {
                let pending = self.extra_local(ValType::I32, Slot::Pending(load.slot));
                self.sink().local_get(pending).i32_and();
            }
            if load.last {
                self.sink().if_(BlockType::Empty);
                for load in alike {
                    self.late_record(load);
                }
                self.sink().end();
            } else {
                self.sink().local_set(taken);
            }
        }
        Ok(())
    }

    /// The record of a speculative load whose value was taken.
    fn late_record(&mut self, load: &Chosen) {
        let Some(ring) = self.ring else {
            return;
        };
        let site = self.site(SiteKind::Read, load.width, load.offset, load.displacement);
        let site = self.sites.push_region([(site, 0)].into_iter());
        let address = self.extra_local(ValType::I32, Slot::Speculative(load.slot));
        self.check_ring(ring);
        self.store_first_words(ring, site.0, NamedBase::Local(address));
        self.advance_ring(ring, model::SINGLE as usize);
        if load.hoisted {
            let pending = self.extra_local(ValType::I32, Slot::Pending(load.slot));
            self.sink().i32_const(0).local_set(pending);
        }
    }

    /// What other threads can observe comes next: an access before it has no record after it.
    pub(super) fn forget_hoisted(&mut self) {
        self.end_region(None);
        for slot in self.hoisted.clone() {
            let pending = self.extra_local(ValType::I32, Slot::Pending(slot));
            self.sink().i32_const(0).local_set(pending);
        }
    }
}
