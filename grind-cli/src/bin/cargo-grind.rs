//! `cargo grind`: builds a crate for wasm with threads, and runs it under grind.

fn main() -> std::process::ExitCode {
    grind_cli::cargo_grind()
}
