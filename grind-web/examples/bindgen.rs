//! Makes the bindings of a built module, for `build.sh`: the wasm-bindgen that is in the lock file, and no other that may be installed.

use std::env;
use std::error::Error;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [module, directory] = args.as_slice() else {
        return Err("usage: bindgen MODULE DIRECTORY".into());
    };
    Bindgen::new()
        .input_path(module)
        .out_name("grind")
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(directory)?;
    Ok(())
}
