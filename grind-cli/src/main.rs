//! `grind`: race detector, tracer and deterministic replayer for multi-threaded WebAssembly.

fn main() -> std::process::ExitCode {
    grind_cli::grind()
}
