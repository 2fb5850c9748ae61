//! Which functions the main thread runs.

use super::{MachineError, Value};
use crate::model::Entry;
use crate::program::Program;

/// The functions the main thread runs, one after the other: none where the embedder decides.
pub(super) fn functions(program: &Program, wanted: &Entry) -> Result<Vec<String>, MachineError> {
    if wanted.after_start && wanted.function.is_none() {
        return Err(MachineError::Contradiction(
            "it runs `_start` before another function, and names none",
        ));
    }
    if program.driver().is_some() {
        return match wanted.function {
            Some(_) => Err(MachineError::Contradiction(
                "it names a function to run, and the program's driver decides what runs",
            )),
            None => Ok(Vec::new()),
        };
    }
    const START: &str = "_start";
    const INITIALIZE: &str = "_initialize";
    let info = program.info();
    let error = |problem: String| error(program, problem);
    let exported = |name: &str| info.exported_function(name).is_some();
    let name = match wanted.function.as_deref() {
        Some(name) => name,
        None => [START, "main"]
            .into_iter()
            .find(|name| exported(name))
            .ok_or_else(|| error("the module exports neither `_start` nor `main`".to_owned()))?,
    };
    let mut names = Vec::new();
    if wanted.after_start && name != START {
        names.push(START);
    } else if name != START && name != INITIALIZE && exported(INITIALIZE) {
        names.push(INITIALIZE);
    }
    names.push(name);
    for &name in &names {
        let Some(params) = info.params_of_export(name) else {
            return Err(error(format!("there is no exported function `{name}`")));
        };
        // A C or Rust `main(argc, argv)` is called without arguments.
        if !params.is_empty() && name != "main" {
            let params = params.len();
            return Err(error(format!(
                "`{name}` takes {params} parameters, which cannot be given"
            )));
        }
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// The same as calls that a host makes, each with its arguments.
pub(crate) fn calls(
    program: &Program,
    wanted: &Entry,
) -> Result<Vec<(String, Vec<Value>)>, MachineError> {
    let with_arguments = |name: String| {
        let params = program.info().params_of_export(&name).unwrap_or_default();
        let zero = |&ty| Value::number(0, ty).unwrap_or(Value::NullFunc);
        let args = params.iter().map(zero).collect();
        (name, args)
    };
    let functions = functions(program, wanted)?.into_iter();
    Ok(functions.map(with_arguments).collect())
}

/// Why a function cannot be called.
pub(super) fn error(program: &Program, problem: String) -> MachineError {
    MachineError::Entry {
        problem,
        exports: (program.info().exported_functions())
            .map(str::to_owned)
            .collect(),
    }
}
