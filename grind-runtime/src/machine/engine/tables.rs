//! How large a guest's tables may be, and what is said of a module that cannot be set up.

use crate::machine::MachineError;
use crate::machine::limits::TABLE_ELEMENTS;
use wasmi::errors::{ErrorKind, InstantiationError};
use wasmi::{Error, ResourceLimiter};
use wasmi_core::LimiterError;

/// The engine's limits of one run. Memory is limited by the machine, instances by its threads.
#[derive(Debug, Default)]
pub(in crate::machine) struct Tables {
    /// A table that may grow by its own declaration was refused to.
    pub(super) refused: bool,
}

impl ResourceLimiter for Tables {
    fn memory_growing(
        &mut self,
        _: usize,
        _: usize,
        _: Option<usize>,
    ) -> Result<bool, LimiterError> {
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _: usize,
        wanted: usize,
        maximum: Option<usize>,
    ) -> Result<bool, LimiterError> {
        let allowed = wanted <= TABLE_ELEMENTS;
        self.refused |= !allowed && maximum.is_none_or(|maximum| wanted <= maximum);
        Ok(allowed)
    }

    fn instances(&self) -> usize {
        usize::MAX
    }

    fn tables(&self) -> usize {
        usize::MAX
    }

    fn memories(&self) -> usize {
        usize::MAX
    }
}

/// Why the module has no instance: its own doing, where that can be said, else grind's.
pub(super) fn instantiation_error(error: Error) -> MachineError {
    MachineError::Instantiation(match error.kind() {
        ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit {
            table_index,
            len,
            ..
        }) => format!("an element segment of {len} at {table_index} does not fit into its table"),
        ErrorKind::Instantiation(InstantiationError::FailedToInstantiateTable(_))
        | ErrorKind::Table(_) => {
            format!(
                "a table has more than {TABLE_ELEMENTS} elements, or more than there is memory for"
            )
        }
        ErrorKind::ImplementationLimits(limit) => limit.to_string(),
        _ => return super::engine_error(error),
    })
}
