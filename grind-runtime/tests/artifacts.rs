//! Modules that are found by the name of their package, in a small workspace without dependencies.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use grind_runtime::host::artifacts::{self, ArtifactError, ModuleOf};
use grind_runtime::host::{Namespace, Stdio};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A workspace with `worker`, a program with an example, and `plugins`, which becomes two modules; nothing is built.
fn workspace() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let package = |name: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n")
    };
    let members = "[workspace]\nresolver = \"3\"\nmembers = [\"worker\", \"plugins\", \"none\"]\n";
    write("Cargo.toml", members);
    write("worker/Cargo.toml", &package("worker"));
    let main = r#"fn main() {
    let worker = std::thread::spawn(|| 40);
    println!("{}", worker.join().unwrap() + 2);
}
"#;
    write("worker/src/main.rs", main);
    write("worker/examples/shown.rs", main);
    let library = "[lib]\nname = \"the_library\"\ncrate-type = [\"cdylib\"]\n";
    write("plugins/Cargo.toml", &(package("plugins") + library));
    write("plugins/src/lib.rs", "");
    write("plugins/src/bin/one-plugin.rs", "fn main() {}\n");
    write("none/Cargo.toml", &package("none"));
    write("none/src/lib.rs", "");
    directory
}

fn package(directory: &TempDir, package: &str) -> ModuleOf {
    artifacts::from_package(package)
        .manifest_path(directory.path().join("Cargo.toml"))
        .target_dir(directory.path().join("target"))
}

/// As if cargo had built it.
fn built(directory: &TempDir, file: &str) -> PathBuf {
    let path = directory.path().join("target").join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"\0asm\x01\0\0\0").unwrap();
    path
}

#[test]
fn a_module_is_found_by_package_target_profile_and_name() {
    let directory = workspace();
    let places = [
        "wasm32-wasip1-threads/debug/worker.wasm",
        "wasm32-wasip1-threads/release/worker.wasm",
        "wasm32-unknown-unknown/small/worker.wasm",
        "wasm32-wasip1-threads/debug/examples/shown.wasm",
        "wasm32-wasip1-threads/debug/the_library.wasm",
        "wasm32-wasip1-threads/debug/one-plugin.wasm",
        "mine-wasm/debug/worker.wasm",
    ];
    let [dev, release, small, example, library, program, mine] =
        places.map(|file| built(&directory, file));
    let worker = || package(&directory, "worker");
    assert_eq!(worker().find().unwrap(), dev);
    assert_eq!(worker().name("worker").profile("test").find().unwrap(), dev);
    assert_eq!(worker().profile("release").find().unwrap(), release);
    assert_eq!(worker().profile("bench").find().unwrap(), release);
    let unknown = worker().target("wasm32-unknown-unknown").profile("small");
    assert_eq!(unknown.find().unwrap(), small);
    let by_file = worker().target("targets/mine-wasm.json");
    assert_eq!(by_file.find().unwrap(), mine);
    assert_eq!(worker().name("shown").find().unwrap(), example);
    let plugins = || package(&directory, "plugins");
    assert_eq!(plugins().name("the_library").find().unwrap(), library);
    assert_eq!(plugins().name("one-plugin").find().unwrap(), program);
}

#[test]
fn what_is_not_built_is_not_found_and_what_there_is_is_listed() {
    let directory = workspace();
    let worker = package(&directory, "worker");
    let Err(ArtifactError::NotBuilt { wanted, found }) = worker.find() else {
        panic!("nothing is built")
    };
    let target = directory.path().join("target");
    let file = Path::new("wasm32-wasip1-threads/debug/worker.wasm");
    assert_eq!(wanted, target.join(file));
    assert_eq!(found, []);

    built(&directory, "wasm32-wasip1-threads/release/worker.wasm");
    built(&directory, "wasm32-wasip1/debug/examples/shown.wasm");
    // No module, and of no such target.
    built(&directory, "wasm32-wasip1/debug/worker.d");
    built(&directory, "debug/deps/worker.wasm");
    let error = worker.find().unwrap_err().to_string();
    let expected = format!(
        "{} is not built; there are:\
         \n  wasm32-wasip1/debug/examples/shown.wasm\
         \n  wasm32-wasip1-threads/release/worker.wasm",
        wanted.display()
    );
    assert_eq!(error, expected);
    assert!(!target.join("wasm32-wasip1-threads/debug").exists());
}

#[test]
fn what_a_package_does_not_have_is_told_with_what_it_has() {
    let directory = workspace();
    let error = |module: ModuleOf| module.find().unwrap_err().to_string();
    assert_eq!(
        error(package(&directory, "walker")),
        "there is no package `walker` in the workspace, which has: worker, plugins, none"
    );
    assert_eq!(
        error(package(&directory, "worker").name("gone")),
        "the package `worker` has no module `gone`; programs, examples and `cdylib`s of it: worker, shown"
    );
    assert_eq!(
        error(package(&directory, "plugins")),
        "the package `plugins` becomes several modules; name one of: one-plugin, the_library"
    );
    assert_eq!(
        error(package(&directory, "none")),
        "the package `none` has no module; programs, examples and `cdylib`s of it: none"
    );
    let nowhere = package(&directory, "worker").manifest_path(directory.path().join("x.toml"));
    assert!(matches!(nowhere.find(), Err(ArtifactError::Metadata(_))));
}

#[test]
fn a_module_that_is_to_be_built_is_built_and_runs() {
    let directory = workspace();
    let worker = || package(&directory, "worker").build(true);
    let module = worker().find().unwrap();
    let outcome = Namespace::from_file(module)
        .unwrap()
        .stdio(Stdio::capture())
        .run();
    let outcome = outcome.unwrap();
    assert_eq!(outcome.io.captured_stdout().text(), "42\n");
    assert_eq!((outcome.exit_code(), outcome.stats.threads), (0, 2));
    // What cargo does not build is no module, though one of before is there.
    let source = directory.path().join("worker/src/main.rs");
    fs::write(source, "fn main() { no code }").unwrap();
    match worker().find() {
        Err(ArtifactError::Build { package, .. }) => assert_eq!(package, "worker"),
        other => panic!("{other:?}"),
    }
}
