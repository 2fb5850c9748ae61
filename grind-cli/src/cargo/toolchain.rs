//! What guests are built for, and what that needs. Nothing is installed: what is missing is said, with the command.

use crate::output::error::Usage;
use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum GuestTarget {
    /// std's own threads, on stable Rust
    #[value(name = "wasm32-wasip1-threads")]
    Wasip1Threads,
    /// threadlink's threads, with a std that is built for them: needs nightly Rust
    #[value(name = "wasm32-unknown-unknown")]
    Unknown,
}

/// What makes the memory of a module without an operating system shared, and gives each thread its own storage.
const UNKNOWN_FLAGS: &[&str] = &[
    "-Ctarget-feature=+atomics,+bulk-memory,+mutable-globals",
    "-Clink-arg=--shared-memory",
    "-Clink-arg=--import-memory",
    "-Clink-arg=--max-memory=1073741824",
    "-Clink-arg=--export=__wasm_init_tls",
    "-Clink-arg=--export=__tls_size",
    "-Clink-arg=--export=__tls_align",
    "-Clink-arg=--export=__tls_base",
    "-Clink-arg=--export=__stack_pointer",
];

impl GuestTarget {
    pub(super) const fn triple(self) -> &'static str {
        match self {
            GuestTarget::Wasip1Threads => "wasm32-wasip1-threads",
            GuestTarget::Unknown => "wasm32-unknown-unknown",
        }
    }

    /// # Errors
    /// If the toolchain cannot build for this target; the error says the one command that is missing.
    pub(super) fn check(self) -> Result<()> {
        match self {
            GuestTarget::Wasip1Threads => {
                let libraries = PathBuf::from(rustc(&[
                    "--print",
                    "target-libdir",
                    "--target",
                    self.triple(),
                ])?);
                let mut files = libraries.read_dir().into_iter().flatten().flatten();
                if !files.any(|file| file.file_name().as_encoded_bytes().starts_with(b"libstd-")) {
                    bail!(
                        "the target {0} is not installed; this installs it: rustup target add {0}",
                        self.triple()
                    );
                }
            }
            GuestTarget::Unknown => {
                let nightly = rustc(&["--version"])?.contains("nightly");
                if !nightly && env::var_os("RUSTC_BOOTSTRAP").is_none() {
                    bail!(
                        "{} has threads only with a std that is built for them, which takes nightly Rust: \
                         cargo +nightly grind …",
                        self.triple()
                    );
                }
                let sysroot = PathBuf::from(rustc(&["--print", "sysroot"])?);
                if !sysroot.join("lib/rustlib/src/rust/library").is_dir() {
                    bail!(
                        "the sources of std are not installed; this installs them: rustup component add rust-src"
                    );
                }
            }
        }
        Ok(())
    }

    /// What cargo has to be told.
    pub(super) fn apply(self, cargo: &mut Command) -> Result<()> {
        cargo.args(["--target", self.triple()]);
        if self == GuestTarget::Wasip1Threads {
            return Ok(());
        }
        cargo.arg("-Zbuild-std=std,panic_abort");
        // Flags of the environment replace those of any configuration, so ours go where the user's are.
        let flags = match (env::var("CARGO_ENCODED_RUSTFLAGS"), env::var("RUSTFLAGS")) {
            (Ok(flags), _) => flags,
            (_, Ok(flags)) => flags.split_whitespace().collect::<Vec<_>>().join("\x1f"),
            _ => {
                let list = toml::Value::from(UNKNOWN_FLAGS.to_vec());
                let key = format!("target.{}.rustflags", self.triple());
                cargo.arg("--config").arg(format!("{key}={list}"));
                return Ok(());
            }
        };
        let ours = UNKNOWN_FLAGS.join("\x1f");
        let separator = if flags.is_empty() { "" } else { "\x1f" };
        cargo.env(
            "CARGO_ENCODED_RUSTFLAGS",
            format!("{flags}{separator}{ours}"),
        );
        Ok(())
    }
}

/// # Errors
/// For tests, if the target has no way to run them.
pub(super) fn check_tests(target: GuestTarget) -> Result<()> {
    if target == GuestTarget::Unknown {
        let text = "tests need threads of std: they run on wasm32-wasip1-threads only";
        return Err(Usage(text.to_owned()).into());
    }
    Ok(())
}

fn rustc(arguments: &[&str]) -> Result<String> {
    let program = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let shown = program.display().to_string();
    let output = (Command::new(&program).args(arguments).output())
        .with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{shown} {} failed: {}", arguments.join(" "), said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
