//! What the guest *is*: parsed, validated, lowered to plain wasm, with a site for everything observable.

pub mod sites;
pub mod symbols;
