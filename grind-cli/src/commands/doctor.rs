//! `grind doctor`

use crate::args::config::ConfigFile;
use crate::output::error;
use crate::output::say::{self, Shown as _};
use crate::settings::file::Config;
use crate::settings::keys::Keys;
use anyhow::Result;
use clap::Args;
use grind_runtime::program::imports::{self, ThreadAbi};
use grind_runtime::program::interceptors::Role;
use grind_runtime::program::{ModuleInfo, Program, ProgramOptions};
use grind_runtime::report::{log, suppress};
use grind_runtime::session::ExitCode;
use std::fmt::Write as _;
use std::path::PathBuf;

pub(crate) const EXAMPLES: &str = "\
Examples:
  grind doctor app.wasm    what is in it, and what is missing for a good report";

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// The module, in the binary format or as text
    #[arg(value_name = "APP.wasm")]
    pub(crate) module: PathBuf,
}

pub(crate) fn doctor(args: &DoctorArgs, keys: &Keys) -> Result<u8> {
    let wasm = crate::input::module::read(&args.module)?;
    let config = Config::find(&args.config)?;
    config.warn_of_unknown(keys)?;
    let options = ProgramOptions::default().interceptors(config.interceptors);
    let program = Program::with_options(&wasm, options);
    let mut text = format!("{}: {} bytes\n", args.module.shown(), wasm.len());
    if let Ok(info) = Program::inspect(&wasm) {
        describe(&mut text, &info, program.as_ref().ok())?;
    }
    let verdict = match &program {
        Ok(program) => {
            interceptors(&mut text, program)?;
            suppressions(&mut text)?;
            Ok("grind can run this module".to_owned())
        }
        Err(error) => Err(format!(
            "grind cannot run this module: {}",
            error::one(error)
        )),
    };
    let (Ok(line) | Err(line)) = &verdict;
    writeln!(text, "\n{line}")?;
    say::out(&text)?;
    Ok(verdict.map_or(ExitCode::Unfit.code(), |_| 0))
}

fn describe(text: &mut String, info: &ModuleInfo, program: Option<&Program>) -> Result<()> {
    // Whatever the module names stays on its line.
    let mut line = |what: &str, value: String| {
        let value = log::one_line(&value);
        writeln!(text, "  {what:<14} {value}")
    };
    let abis: Vec<&str> = ThreadAbi::of(info)
        .map(|abi| match abi {
            ThreadAbi::Threadlink => "threadlink",
            ThreadAbi::Wasmgrind => "wasm_threadlink (Wasmgrind)",
            ThreadAbi::WasiThreads => "wasi-threads",
        })
        .collect();
    line(
        "thread ABI",
        or_none(&abis.join(", "), "none: the module creates no threads"),
    )?;
    line(
        "memory",
        info.memory.map_or("none".to_owned(), |memory| {
            format!(
                "{}, {} to {} pages, {}",
                if memory.shared {
                    "shared"
                } else {
                    "not shared (memory.atomic.wait traps)"
                },
                memory.minimum,
                memory
                    .maximum
                    .map_or("any number of".to_owned(), |pages| pages.to_string()),
                if memory.imported {
                    "imported"
                } else {
                    "its own"
                },
            )
        }),
    )?;
    line(
        "entry",
        match ["_start", "main"]
            .into_iter()
            .find(|name| info.exported_function(name).is_some())
        {
            Some(name) => name.to_owned(),
            None => format!(
                "none of _start and main; use --invoke with one of: {}",
                or_none(
                    &info.exported_functions().collect::<Vec<_>>().join(", "),
                    "(no functions are exported)"
                )
            ),
        },
    )?;
    line(
        "start function",
        match info.start {
            Some(index) => format!("function {index}, run once by each thread"),
            None => "none".to_owned(),
        },
    )?;
    line(
        "symbols",
        match (info.has_dwarf(), info.has_names()) {
            (true, _) => "DWARF: reports show files and lines".to_owned(),
            (false, true) => {
                "names only; build with debug = \"line-tables-only\" for files and lines".to_owned()
            }
            (false, false) => "none; reports show function indices and offsets".to_owned(),
        },
    )?;
    line("traced locks", traced_locks(info, program))?;
    line(
        "files",
        if imports::uses_files(info) {
            "yes: give it directories with --dir, it reaches nothing outside of them".to_owned()
        } else {
            "none are opened".to_owned()
        },
    )?;
    let missing = imports::import_problems(info, &[]);
    line(
        "imports",
        match missing.len() {
            0 => format!("{}, all provided", info.imports.len()),
            n => format!("{}, {n} not provided (listed below)", info.imports.len()),
        },
    )?;
    Ok(())
}

/// Which locks reports can name as held.
fn traced_locks(info: &ModuleInfo, program: Option<&Program>) -> String {
    let hooks = ["threadlink", "wasm_threadlink"];
    let hooks = hooks
        .iter()
        .any(|module| info.imports_function(module, "start_lock"));
    let words = program.map(Program::lock_words).unwrap_or_default();
    let words =
        (words.iter()).map(|(word, places)| format!("{} (inlined at {places})", word.name()));
    let known: Vec<String> = (hooks.then(|| "those of threadlink".to_owned()).into_iter())
        .chain(words)
        .collect();
    match known.is_empty() {
        true => "none: locks are seen as the atomics they are made of".to_owned(),
        false => known.join(", "),
    }
}

fn interceptors(text: &mut String, program: &Program) -> Result<()> {
    let mut names: Vec<&str> = program
        .interceptors()
        .iter()
        .filter(|(_, interceptor)| !matches!(interceptor.role, Role::LockWord { .. }))
        .map(|(_, interceptor)| interceptor.name.as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    writeln!(
        text,
        "  {:<14} {}",
        "intercepted",
        or_none(
            &log::one_line(&names.join(", ")),
            "nothing: no known function by name; what is inlined counts as the atomics it is made of"
        )
    )?;
    Ok(())
}

fn suppressions(text: &mut String) -> Result<()> {
    let mut label = "suppressed";
    for one in suppress::builtin() {
        let reason = one.reason.as_deref().unwrap_or_default();
        writeln!(text, "  {label:<14} {one} ({reason})")?;
        label = "";
    }
    Ok(())
}

fn or_none(text: &str, none: &str) -> String {
    if text.is_empty() { none } else { text }.to_owned()
}
