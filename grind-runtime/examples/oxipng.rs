//! Runs oxipng as `@jsquash/oxipng` ships it, a module of wasm-bindgen-rayon, under the detectors: does what the page's
//! JavaScript does for it.
//!
//! ```text
//! cargo run --release -p grind-runtime --example oxipng -- MODULE PNG [THREADS [SEED]]
//! ```
//!
//! `test-programs/fetch-oxipng.sh` fetches the module and calls this.

use grind_runtime::machine::NullIo;
use grind_runtime::program::embedder::{Call, Driver, HostError, HostImport, Reply};
use grind_runtime::program::symbols::Symbolizer;
use grind_runtime::program::{ModuleInfo, Program, ProgramOptions};
use grind_runtime::report::human;
use grind_runtime::session::{self, RunOptions};
use std::error::Error;
use std::io::Write;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// What JavaScript has an object for has this number here.
const OBJECT: u64 = 1;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(module), Some(png)) = (args.next(), args.next()) else {
        return Err("oxipng MODULE PNG [THREADS [SEED]]".into());
    };
    let threads: u32 = args.next().map_or(Ok(4), |text| text.parse())?;
    let seed: u64 = args.next().map_or(Ok(0), |text| text.parse())?;
    let wasm = std::fs::read(module)?;
    let png = std::fs::read(png)?;

    let builder = Arc::new(AtomicU32::new(0));
    let optimised = Arc::new(Mutex::new(Vec::new()));
    let options = ProgramOptions::default()
        .imports(imports(&Program::inspect(&wasm)?, &builder))
        .driver(Some(page(&builder, png.clone(), threads, &optimised)));
    let program = Program::with_options(&wasm, options)?;
    let options = RunOptions::seeded(seed);
    let outcome = session::run(&program, options.clone(), NullIo)?;
    let symbolizer = Symbolizer::new(Arc::clone(program.original()));
    let report = outcome.report(&program, &symbolizer, &options);

    let mut stdout = std::io::stdout();
    let text = human::render(&report, &human::Options::default());
    stdout.write_all(text.as_bytes())?;
    let after = optimised.lock().map_err(|error| error.to_string())?.len();
    writeln!(
        stdout,
        "{} to {after} bytes; {} threads, {} accesses and calls, {} events; exit code {}",
        png.len(),
        outcome.stats.threads,
        outcome.analysis.stats.records,
        outcome.stats.events,
        outcome.exit_code()
    )?;
    Ok(())
}

/// The functions of wasm-bindgen that the module imports, with the types that it declares.
fn imports(info: &ModuleInfo, builder: &Arc<AtomicU32>) -> Vec<HostImport> {
    let imports = info.imports.iter();
    imports
        .filter_map(|import| {
            let (name, builder) = (import.name.clone(), Arc::clone(builder));
            HostImport::as_declared(info, import, move |guest, args| {
                if name == "__wbindgen_throw" {
                    let text = guest.read(args[0] as u32, args[1] as u32)?;
                    return Err(HostError::new(String::from_utf8_lossy(text)));
                }
                if name.starts_with("__wbg_startWorkers_") {
                    builder.store(args[2] as u32, Ordering::Relaxed);
                }
                let none = ["__wbindgen_is_undefined", "__wbg_instanceof_Window_"];
                let none = none.iter().any(|prefix| name.starts_with(prefix));
                Ok(Reply::Return(if none { 0 } else { OBJECT }))
            })
        })
        .collect()
}

/// The calls that the page makes, with what they returned so far.
fn page(
    builder: &Arc<AtomicU32>,
    png: Vec<u8>,
    threads: u32,
    optimised: &Arc<Mutex<Vec<u8>>>,
) -> Driver {
    const LEVEL: u64 = 2;
    let (builder, optimised) = (Arc::clone(builder), Arc::clone(optimised));
    let len = png.len() as u64;
    Driver::new(move |guest, results| {
        let builder = u64::from(builder.load(Ordering::Relaxed));
        let call = |export: &str, args: &[u64]| Ok(Some(Call::new(export, args.iter().copied())));
        match *results {
            [] => call("__wbindgen_start", &[]),
            [_] => call("initThreadPool", &[threads.into()]),
            [_, _] => call("wbg_rayon_poolbuilder_receiver", &[builder]),
            [_, _, receiver] => {
                for _ in 0..threads {
                    let exports = ["__wbindgen_start", "wbg_rayon_start_worker"];
                    guest.spawn(exports, [receiver as u32]);
                }
                call("wbg_rayon_poolbuilder_build", &[builder])
            }
            [_, _, _, _] => {
                let down = u64::from((-16i32).cast_unsigned());
                call("__wbindgen_add_to_stack_pointer", &[down])
            }
            [_, _, _, _, _] => call("__wbindgen_malloc", &[len, 1]),
            [_, _, _, _, out, data] => {
                guest.write(data as u32, &png)?;
                call("optimise", &[out, data, len, LEVEL, 0, 0])
            }
            [.., out, _, _] => {
                let mut word = |at: u64| -> Result<u32, HostError> {
                    let bytes = guest.read(at as u32, 4)?;
                    Ok(u32::from_le_bytes(bytes.try_into().unwrap_or_default()))
                };
                let (data, len) = (word(out)?, word(out + 4)?);
                let bytes = guest.read(data, len)?.to_vec();
                let mut optimised = optimised.lock().map_err(|_| HostError::new("poisoned"))?;
                *optimised = bytes;
                Ok(None)
            }
        }
    })
}
