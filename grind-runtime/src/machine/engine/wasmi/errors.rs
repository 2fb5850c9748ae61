//! What is said of a module that the engine does not take: its own doing, where that can be said, else grind's.

use crate::machine::MachineError;
use crate::machine::instances::table_too_large;
use ::wasmi::Error;
use ::wasmi::errors::{ErrorKind, InstantiationError};

/// A defect of grind.
pub(super) fn engine_error(error: impl std::fmt::Display) -> MachineError {
    MachineError::Engine(error.to_string())
}

/// Words of the validator for what is valid but for its size.
const OF_SIZE: [&str; 4] = ["exceed", "out of bounds", "too large", "too many"];

/// Why the lowered module was not compiled. It is valid, for the original was: either it is larger than the engine
/// takes, or the lowering has a defect.
pub(super) fn compile_error(error: Error) -> MachineError {
    let message = error.to_string();
    match error.kind() {
        ErrorKind::Translation(_) | ErrorKind::ImplementationLimits(_) | ErrorKind::Ir(_) => {
            MachineError::TooLarge(message)
        }
        ErrorKind::Wasm(_) if OF_SIZE.iter().any(|words| message.contains(words)) => {
            MachineError::TooLarge(message)
        }
        _ => engine_error(message),
    }
}

/// Why the module has no instance.
pub(super) fn instantiation_error(error: Error) -> MachineError {
    MachineError::Instantiation(match error.kind() {
        ErrorKind::Instantiation(InstantiationError::ElementSegmentDoesNotFit {
            table_index,
            len,
            ..
        }) => format!("an element segment of {len} at {table_index} does not fit into its table"),
        ErrorKind::Instantiation(InstantiationError::FailedToInstantiateTable(_))
        | ErrorKind::Table(_) => table_too_large(),
        ErrorKind::ImplementationLimits(limit) => limit.to_string(),
        _ => return engine_error(error),
    })
}
