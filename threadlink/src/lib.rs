//! Guest SDK.
pub mod abi;
