//! A variable in memory.

use serde::{Deserialize, Serialize};

/// A variable in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Variable {
    /// Its name, demangled; with the namespaces and functions around it if its address is fixed.
    pub name: String,
    /// First byte.
    pub address: u32,
    /// Number of bytes; none if its type does not tell.
    pub size: Option<u32>,
}

impl Variable {
    /// Whether it is known that this byte is a part of it.
    pub(super) fn contains(&self, address: u32) -> bool {
        match address.checked_sub(self.address) {
            Some(offset) => offset < self.size.unwrap_or(1),
            None => false,
        }
    }
}
