//! What a guest may import, and the check that it imports nothing else.
//!
//! The functions themselves are in `machine::abi`; a test there holds that each name listed here is
//! implemented.

use super::embedder::{HostError, HostImport, ValType};
use super::{Import, ImportProblem, ModuleInfo, ProgramError, WasmType};
use std::fmt::Display;
use threadlink::abi;
use wasmparser::{FuncType, TypeRef};

/// Module names of WASI preview 1.
pub const WASI_MODULE: &str = "wasi_snapshot_preview1";

/// Module name of the wasi-threads proposal.
pub const WASI_THREADS_MODULE: &str = "wasi";

/// Module name of WASIX, of which grind has what ends a thread.
pub const WASIX_MODULE: &str = "wasix_32v1";

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;

/// WASI preview 1, each returning an `errno` unless it does not return. Signatures as in
/// `wasi_snapshot_preview1.witx`.
#[rustfmt::skip]
const WASI_FUNCTIONS: &[(&str, &[ValType], Option<ValType>)] = &[
    ("args_get", &[I32, I32], Some(I32)),
    ("args_sizes_get", &[I32, I32], Some(I32)),
    ("clock_res_get", &[I32, I32], Some(I32)),
    ("clock_time_get", &[I32, I64, I32], Some(I32)),
    ("environ_get", &[I32, I32], Some(I32)),
    ("environ_sizes_get", &[I32, I32], Some(I32)),
    ("fd_advise", &[I32, I64, I64, I32], Some(I32)),
    ("fd_allocate", &[I32, I64, I64], Some(I32)),
    ("fd_close", &[I32], Some(I32)),
    ("fd_datasync", &[I32], Some(I32)),
    ("fd_fdstat_get", &[I32, I32], Some(I32)),
    ("fd_fdstat_set_flags", &[I32, I32], Some(I32)),
    ("fd_fdstat_set_rights", &[I32, I64, I64], Some(I32)),
    ("fd_filestat_get", &[I32, I32], Some(I32)),
    ("fd_filestat_set_size", &[I32, I64], Some(I32)),
    ("fd_filestat_set_times", &[I32, I64, I64, I32], Some(I32)),
    ("fd_pread", &[I32, I32, I32, I64, I32], Some(I32)),
    ("fd_prestat_dir_name", &[I32, I32, I32], Some(I32)),
    ("fd_prestat_get", &[I32, I32], Some(I32)),
    ("fd_pwrite", &[I32, I32, I32, I64, I32], Some(I32)),
    ("fd_read", &[I32, I32, I32, I32], Some(I32)),
    ("fd_readdir", &[I32, I32, I32, I64, I32], Some(I32)),
    ("fd_renumber", &[I32, I32], Some(I32)),
    ("fd_seek", &[I32, I64, I32, I32], Some(I32)),
    ("fd_sync", &[I32], Some(I32)),
    ("fd_tell", &[I32, I32], Some(I32)),
    ("fd_write", &[I32, I32, I32, I32], Some(I32)),
    ("path_create_directory", &[I32, I32, I32], Some(I32)),
    ("path_filestat_get", &[I32, I32, I32, I32, I32], Some(I32)),
    ("path_filestat_set_times", &[I32, I32, I32, I32, I64, I64, I32], Some(I32)),
    ("path_link", &[I32, I32, I32, I32, I32, I32, I32], Some(I32)),
    ("path_open", &[I32, I32, I32, I32, I32, I64, I64, I32, I32], Some(I32)),
    ("path_readlink", &[I32, I32, I32, I32, I32, I32], Some(I32)),
    ("path_remove_directory", &[I32, I32, I32], Some(I32)),
    ("path_rename", &[I32, I32, I32, I32, I32, I32], Some(I32)),
    ("path_symlink", &[I32, I32, I32, I32, I32], Some(I32)),
    ("path_unlink_file", &[I32, I32, I32], Some(I32)),
    ("poll_oneoff", &[I32, I32, I32, I32], Some(I32)),
    ("proc_exit", &[I32], None),
    ("proc_raise", &[I32], Some(I32)),
    ("random_get", &[I32, I32], Some(I32)),
    ("sched_yield", &[], Some(I32)),
    ("sock_accept", &[I32, I32, I32], Some(I32)),
    ("sock_recv", &[I32, I32, I32, I32, I32, I32], Some(I32)),
    ("sock_send", &[I32, I32, I32, I32, I32], Some(I32)),
    ("sock_shutdown", &[I32, I32], Some(I32)),
];

/// Those of `threadlink`'s functions that guests built for Wasmgrind import.
const WASMGRIND_FUNCTIONS: &[&str] = &[
    "thread_create",
    "thread_join",
    "panic",
    "start_lock",
    "finish_lock",
    "start_unlock",
    "finish_unlock",
];

/// A function the machine provides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFunction {
    /// Import module.
    pub module: &'static str,
    /// Name.
    pub name: &'static str,
    /// Parameter types.
    pub params: Vec<ValType>,
    /// Result type, if any.
    pub result: Option<ValType>,
}

/// Every function the machine provides, by module and name.
#[must_use]
pub fn host_functions() -> Vec<HostFunction> {
    let val = |ty: abi::Ty| match ty {
        abi::Ty::I32 => I32,
        abi::Ty::I64 => I64,
    };
    let own = |module: &'static str, f: &abi::Function| HostFunction {
        module,
        name: f.name,
        params: f.params.iter().copied().map(val).collect(),
        result: f.result.map(val),
    };
    let tables = [
        abi::THREAD_FUNCTIONS,
        abi::HOOK_FUNCTIONS,
        abi::ANNOTATE_FUNCTIONS,
    ];
    let threadlink = tables.into_iter().flatten();
    let wasmgrind = tables
        .into_iter()
        .flatten()
        .filter(|f| WASMGRIND_FUNCTIONS.contains(&f.name));
    threadlink
        .map(|f| own(abi::MODULE, f))
        .chain(wasmgrind.map(|f| own(abi::WASMGRIND_MODULE, f)))
        .chain(
            WASI_FUNCTIONS
                .iter()
                .map(|&(name, params, result)| HostFunction {
                    module: WASI_MODULE,
                    name,
                    params: params.to_vec(),
                    result,
                }),
        )
        .chain([
            HostFunction {
                module: WASI_THREADS_MODULE,
                name: "thread-spawn",
                params: vec![I32],
                result: Some(I32),
            },
            HostFunction {
                module: WASIX_MODULE,
                name: "thread_exit",
                params: vec![I32],
                result: None,
            },
        ])
        .collect()
}

/// How new threads enter a module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadAbi {
    /// `threadlink.thread_create` and export `thread_start(start)`, which sets its own stack up.
    Threadlink,
    /// `wasm_threadlink.thread_create` and export `thread_start(start)`; the host sets the stack up.
    Wasmgrind,
    /// `wasi.thread-spawn` and export `wasi_thread_start(tid, arg)`.
    WasiThreads,
}

impl ThreadAbi {
    /// Every ABI, in the order they are looked for.
    pub const ALL: [ThreadAbi; 3] = [
        ThreadAbi::Threadlink,
        ThreadAbi::Wasmgrind,
        ThreadAbi::WasiThreads,
    ];

    /// The import that creates a thread.
    #[must_use]
    pub const fn create(self) -> (&'static str, &'static str) {
        match self {
            ThreadAbi::Threadlink => (abi::MODULE, "thread_create"),
            ThreadAbi::Wasmgrind => (abi::WASMGRIND_MODULE, "thread_create"),
            ThreadAbi::WasiThreads => (WASI_THREADS_MODULE, "thread-spawn"),
        }
    }

    /// The export a thread starts in.
    #[must_use]
    pub const fn entry(self) -> &'static str {
        match self {
            ThreadAbi::Threadlink | ThreadAbi::Wasmgrind => abi::THREAD_START,
            ThreadAbi::WasiThreads => "wasi_thread_start",
        }
    }

    const fn entry_type(self) -> &'static str {
        match self {
            ThreadAbi::Threadlink | ThreadAbi::Wasmgrind => "(i32) -> ()",
            ThreadAbi::WasiThreads => "(i32, i32) -> ()",
        }
    }

    /// The ABIs whose import the module has.
    pub fn of(info: &ModuleInfo) -> impl Iterator<Item = ThreadAbi> {
        ThreadAbi::ALL.into_iter().filter(|abi| {
            let (module, name) = abi.create();
            info.imports_function(module, name)
        })
    }
}

/// Whether the module calls anything that needs a directory of the host.
#[must_use]
pub fn uses_files(info: &ModuleInfo) -> bool {
    let paths = WASI_FUNCTIONS.iter().map(|(name, ..)| *name);
    let mut paths = paths.filter(|name| name.starts_with("path_"));
    paths.any(|name| info.imports_function(WASI_MODULE, name))
}

/// Checks imports and thread entries.
///
/// # Errors
/// [`ProgramError::Imports`] with all that cannot be satisfied, [`ProgramError::ThreadStart`], or
/// [`ProgramError::UnsharedMemory`].
pub(super) fn check(info: &ModuleInfo, embedder: &[HostImport]) -> Result<(), ProgramError> {
    let problems = import_problems(info, embedder);
    if !problems.is_empty() {
        return Err(ProgramError::Imports(problems));
    }
    ThreadAbi::of(info).try_for_each(|abi| {
        check_thread_entry(info, abi)?;
        match info.memory {
            Some(memory) if !memory.shared => {
                let (module, name) = abi.create();
                let import = format!("{module}.{name}");
                Err(ProgramError::UnsharedMemory { import })
            }
            _ => Ok(()),
        }
    })
}

/// Functions in place of those that only an embedder can have provided, for runs in which nobody calls them.
pub(super) fn stand_ins(info: &ModuleInfo) -> impl Iterator<Item = HostImport> {
    let known = host_functions();
    let unknown = move |import: &&Import| {
        !(known.iter()).any(|known| known.module == import.module && known.name == import.name)
    };
    (info.imports.iter().filter(unknown)).filter_map(|import| {
        HostImport::as_declared(info, import, |_, _| {
            Err(HostError::new(
                "the function was there when it was recorded",
            ))
        })
    })
}

/// Imports that neither the embedder nor the machine provides as they are declared.
#[must_use]
pub fn import_problems(info: &ModuleInfo, embedder: &[HostImport]) -> Vec<ImportProblem> {
    let known = host_functions();
    info.imports
        .iter()
        .filter_map(|import| {
            let (declared, problem) = match import.ty {
                TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                    let ty = info.types.get(ty as usize)?.as_ref()?;
                    let (module, name) = (&*import.module, &*import.name);
                    let given = embedder
                        .iter()
                        .find(|given| given.module == module && given.name == name);
                    let problem = match given {
                        Some(given) => {
                            type_problem("the embedder", &given.params, given.result, ty)?
                        }
                        None => function_problem(&known, module, name, ty)?,
                    };
                    (
                        format!("function {}", display_type(ty.params(), ty.results())),
                        problem,
                    )
                }
                TypeRef::Memory(_) | TypeRef::Table(_) => return None,
                TypeRef::Global(_) => (
                    "global".to_owned(),
                    "grind provides no globals; dynamically linked modules are not supported"
                        .to_owned(),
                ),
                TypeRef::Tag(_) => (
                    "tag".to_owned(),
                    "grind provides no exception tags".to_owned(),
                ),
            };
            Some(ImportProblem {
                module: import.module.clone(),
                name: import.name.clone(),
                declared,
                problem,
            })
        })
        .collect()
}

/// What is wrong if `who` provides a function with these parameters and result, and it is imported with type `ty`.
fn type_problem(
    who: &str,
    params: &[ValType],
    result: Option<ValType>,
    ty: &FuncType,
) -> Option<String> {
    let results: Vec<ValType> = result.into_iter().collect();
    let same = |declared: &[WasmType], given: &[ValType]| {
        declared.len() == given.len()
            && (declared.iter().zip(given)).all(|(&ty, &given)| ValType::of(ty) == Some(given))
    };
    let differs = !same(ty.params(), params) || !same(ty.results(), &results);
    differs.then(|| format!("{who} provides it as {}", display_type(params, &results)))
}

fn function_problem(
    known: &[HostFunction],
    module: &str,
    name: &str,
    ty: &FuncType,
) -> Option<String> {
    if let Some(f) = known.iter().find(|f| f.module == module && f.name == name) {
        return type_problem("grind", &f.params, f.result, ty);
    }
    // The nearest name, whatever the module: a wrong module name is as likely as a wrong function name.
    let nearest = known
        .iter()
        .map(|f| {
            let score =
                strsim::jaro_winkler(name, f.name) + if f.module == module { 0.1 } else { 0.0 };
            (score, f)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(score, _)| *score > 0.8);
    Some(match nearest {
        Some((_, f)) => format!("unknown; did you mean `{}` from `{}`?", f.name, f.module),
        None if !known.iter().any(|f| f.module == module) => {
            let mut modules: Vec<&str> = known.iter().map(|f| f.module).collect();
            modules.dedup();
            format!("unknown; grind provides modules {}", modules.join(", "))
        }
        None => "unknown".to_owned(),
    })
}

fn check_thread_entry(info: &ModuleInfo, abi: ThreadAbi) -> Result<(), ProgramError> {
    let params: &[WasmType] = match abi {
        ThreadAbi::WasiThreads => &[WasmType::I32, WasmType::I32],
        ThreadAbi::Threadlink | ThreadAbi::Wasmgrind => &[WasmType::I32],
    };
    let problem = match info.exported_function(abi.entry()) {
        None => format!("exports no function `{}`", abi.entry()),
        Some(index) => match info.function_type(index) {
            Some(ty) if ty.params() == params && ty.results().is_empty() => return Ok(()),
            Some(ty) => format!(
                "exports `{}` with type {}",
                abi.entry(),
                display_type(ty.params(), ty.results())
            ),
            None => format!(
                "exports `{}` with a type that is not a function's",
                abi.entry()
            ),
        },
    };
    let (module, name) = abi.create();
    Err(ProgramError::ThreadStart {
        import: format!("{module}.{name}"),
        export: abi.entry(),
        expected: abi.entry_type(),
        problem,
    })
}

/// `(i32, i64) -> i32`
fn display_type<T: Display>(params: &[T], results: &[T]) -> String {
    let list = |types: &[T]| {
        let names: Vec<String> = types.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    match results {
        [one] => format!("({}) -> {one}", list(params)),
        many => format!("({}) -> ({})", list(params), list(many)),
    }
}
