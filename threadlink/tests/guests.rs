//! The committed guests are what `test-programs/build.sh` makes, and import what the ABI has.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use threadlink::abi::{self, Function, Ty};
use wasmparser::{FuncType, Parser, Payload, TypeRef, ValType};

fn programs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs")
}

fn modules(directory: &str) -> Vec<PathBuf> {
    let directory = programs().join(directory);
    let mut modules: Vec<PathBuf> = fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "wasm"))
        .collect();
    modules.sort();
    assert!(!modules.is_empty(), "no guests in {}", directory.display());
    modules
}

/// The functions a module imports, by module and name.
fn imports(path: &Path) -> BTreeMap<(String, String), FuncType> {
    let bytes = fs::read(path).expect("the module can be read");
    let mut types = Vec::new();
    let mut imports = BTreeMap::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.expect("a valid module") {
            Payload::TypeSection(section) => {
                types.extend(
                    section
                        .into_iter_err_on_gc_types()
                        .map(|ty| ty.expect("a valid type")),
                );
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.expect("a valid import");
                    if let TypeRef::Func(index) = import.ty {
                        let name = (import.module.to_owned(), import.name.to_owned());
                        imports.insert(name, types[index as usize].clone());
                    }
                }
            }
            _ => {}
        }
    }
    imports
}

fn names(functions: &[Function]) -> BTreeSet<String> {
    functions
        .iter()
        .map(|function| function.name.to_owned())
        .collect()
}

fn wasm_type(function: &Function) -> FuncType {
    let value = |ty: &Ty| match ty {
        Ty::I32 => ValType::I32,
        Ty::I64 => ValType::I64,
    };
    FuncType::new(
        function.params.iter().map(value),
        function.result.iter().map(value),
    )
}

#[test]
fn guests_import_the_abi_as_it_is_written() {
    let abi: BTreeMap<&str, FuncType> = [
        abi::THREAD_FUNCTIONS,
        abi::HOOK_FUNCTIONS,
        abi::ANNOTATE_FUNCTIONS,
    ]
    .into_iter()
    .flatten()
    .map(|function| (function.name, wasm_type(function)))
    .collect();
    let mut used = BTreeSet::new();
    for path in modules("wasm") {
        for ((module, name), ty) in imports(&path) {
            if module != abi::MODULE {
                assert_eq!(module, "wasi_snapshot_preview1", "{}", path.display());
                continue;
            }
            let expected = abi.get(name.as_str());
            assert_eq!(expected, Some(&ty), "{name} in {}", path.display());
            used.insert(name);
        }
    }
    let all: BTreeSet<String> = abi.into_keys().map(str::to_owned).collect();
    assert_eq!(used, all, "some guest uses each of them");
}

#[test]
fn only_traced_guests_import_hooks() {
    let traced_only: BTreeSet<String> = names(abi::HOOK_FUNCTIONS)
        .union(&names(abi::ANNOTATE_FUNCTIONS))
        .cloned()
        .collect();
    for untraced in modules("wasm/untraced") {
        let traced = programs().join("wasm").join(untraced.file_name().unwrap());
        let hooks_of = |path: &Path| -> BTreeSet<String> {
            imports(path)
                .into_keys()
                .map(|(_, name)| name)
                .filter(|name| traced_only.contains(name))
                .collect()
        };
        assert_ne!(hooks_of(&traced), BTreeSet::new(), "{}", traced.display());
        assert_eq!(
            hooks_of(&untraced),
            BTreeSet::new(),
            "{}",
            untraced.display()
        );
    }
}

#[test]
fn no_guest_knows_where_it_was_built() {
    let directories = ["/home/", "/root/", "/tmp/", "/Users/", ".rustup", ".cargo"];
    let all = [
        "wasm",
        "wasm/subjects",
        "wasm/untraced",
        "wasip1/wasm",
        "wasip1-threads/wasm",
        "c/wasm",
        "zig/wasm",
    ];
    for path in all.into_iter().flat_map(modules) {
        let bytes = fs::read(&path).unwrap();
        for directory in directories {
            let found = bytes
                .windows(directory.len())
                .any(|window| window == directory.as_bytes());
            assert!(!found, "{directory} in {}", path.display());
        }
    }
}

/// If this fails: `test-programs/build.sh`, and commit what it makes.
#[test]
fn guests_are_up_to_date() {
    up_to_date(".", "src/bin", "rs", "build.sh");
}

/// If this fails: `test-programs/build-wasi.sh`, and commit what it makes.
#[test]
fn wasi_guests_are_up_to_date() {
    up_to_date("wasip1", "src/bin", "rs", "build-wasi.sh");
    up_to_date("wasip1-threads", "src/bin", "rs", "build-wasi.sh");
}

/// If this fails: `test-programs/build-c.sh`, and commit what it makes.
#[test]
fn c_and_zig_guests_are_up_to_date() {
    up_to_date("c", "src", "c", "build-c.sh");
    up_to_date("zig", "src", "zig", "build-c.sh");
}

/// Whether the modules of a directory of guests are what its sources say, by `wasm/sources.sha256`.
fn up_to_date(guests: &str, directory: &str, extension: &str, script: &str) {
    let root = programs().join(guests);
    let listed = fs::read_to_string(root.join("wasm/sources.sha256")).unwrap();
    let mut sources = BTreeSet::new();
    for line in listed.lines() {
        let (hash, path) = line.split_once("  ").expect("a line of sha256sum");
        sources.insert(path.to_owned());
        let contents = fs::read(root.join(path))
            .unwrap_or_else(|error| panic!("{path}: {error}; run test-programs/{script}"));
        let actual: String = Sha256::digest(contents)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            actual, hash,
            "{path} has changed: run test-programs/{script}"
        );
    }
    let built: BTreeSet<String> = modules(&format!("{guests}/wasm"))
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .map(|name| format!("{directory}/{name}.{extension}"))
        .collect();
    let written: BTreeSet<String> = fs::read_dir(root.join(directory))
        .unwrap()
        .map(|entry| {
            format!(
                "{directory}/{}",
                entry.unwrap().file_name().to_str().unwrap()
            )
        })
        .collect();
    assert_eq!(built, written, "run test-programs/{script}");
    assert!(written.is_subset(&sources), "run test-programs/{script}");
}
