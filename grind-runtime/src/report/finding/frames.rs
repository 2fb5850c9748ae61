//! What is known about a frame beyond its text: whose code it is, and how its path reads best.

use crate::program::symbols::Frame;
use std::borrow::Cow;

/// Crates whose frames explain little: what matters is who called them.
const LIBRARY_CRATES: [&str; 9] = [
    "core",
    "alloc",
    "std",
    "panic_abort",
    "panic_unwind",
    "threadlink",
    "lock_api",
    "parking_lot",
    "parking_lot_core",
];

/// Functions of the toolchain and the SDK that are met without debug information. Those that begin with two
/// underscores are the implementation's by the rules of C, and need no mention.
const LIBRARY_FUNCTIONS: [&str; 16] = [
    "_start",
    "thread_start",
    "wasi_thread_start",
    "abort",
    "rust_panic",
    "rust_begin_unwind",
    "malloc",
    "calloc",
    "realloc",
    "free",
    "posix_memalign",
    "aligned_alloc",
    "memcpy",
    "memmove",
    "memset",
    "memcmp",
];

/// Whether the frame is code that the user neither wrote nor chose: a standard library, libc, or the
/// guest SDK and the locks under it.
///
/// Where the file is known it decides, since an inlined closure of the user's may well be called
/// `core::ops::FnOnce::call_once`.
#[must_use]
pub(crate) fn is_library(frame: &Frame) -> bool {
    match &frame.file {
        Some(file) => is_library_path(file),
        None => frame.function.as_deref().is_some_and(|name| {
            LIBRARY_CRATES.contains(&crate_of(name))
                || LIBRARY_FUNCTIONS.contains(&name)
                || name.starts_with("__")
                || name.starts_with("pthread_")
        }),
    }
}

fn is_library_path(path: &str) -> bool {
    let path = &*path.replace('\\', "/");
    if path.starts_with("/rustc/") || path.starts_with("/rust/deps/") {
        return true;
    }
    const PARTS: [&str; 3] = [
        "/lib/rustlib/src/rust/library/",
        "/src/wasi-libc/",
        "/emscripten/system/lib/",
    ];
    if PARTS.iter().any(|part| path.contains(part)) {
        return true;
    }
    if let Some(rest) = path.strip_prefix("library/") {
        return ["core/", "alloc/", "std/", "panic_abort/", "unwind/"]
            .iter()
            .any(|name| rest.starts_with(name));
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if path.ends_with(".zig") {
        // Zig's std, wherever Zig is installed.
        return (parts.windows(2))
            .any(|pair| ["lib", "zig"].contains(&pair[0]) && pair[1] == "std");
    }
    // The SDK and its locks, from a registry (with a version) or from a checkout.
    parts.windows(2).any(|pair| {
        let name = pair[0];
        let name = match name.rsplit_once('-') {
            Some((crate_name, version)) if version.starts_with(|c: char| c.is_ascii_digit()) => {
                crate_name
            }
            _ => name,
        };
        pair[1] == "src"
            && ["threadlink", "lock_api", "parking_lot", "parking_lot_core"].contains(&name)
    })
}

/// First path segment of a demangled Rust name: the crate. `<&alloc::vec::Vec<T> as Trait>::push` is
/// `alloc`'s.
fn crate_of(name: &str) -> &str {
    let start = name.trim_start_matches(['<', '&', '*', '(', '[']);
    let start = start.strip_prefix("mut ").unwrap_or(start);
    let start = start.strip_prefix("dyn ").unwrap_or(start);
    match start.find("::") {
        Some(end) => &start[..end],
        None => "",
    }
}

/// The package that the frame is of, as far as it can be told: of a dependency its directory in the registry or among the
/// checkouts of repositories, which has its version; the crate, if there is only a name; empty for the user's own.
#[must_use]
pub(crate) fn package(frame: &Frame) -> &str {
    let Some(path) = &frame.file else {
        return frame.function.as_deref().map_or("", crate_of);
    };
    // Here begins the name of a directory that ends in a hash, of the registry or the repository.
    const PARTS: [(&str, usize); 3] = [
        ("/registry/src/", 14),
        ("/git/checkouts/", 15),
        ("/index.crates.io-", 1),
    ];
    let found = (PARTS.iter()).find_map(|(part, name)| Some(path.find(part)? + name));
    let Some(at) = found else {
        return "";
    };
    let end = |from: usize| path[from..].find('/').map_or(path.len(), |end| from + end);
    let within = (end(at) + 1).min(path.len());
    &path[at..end(within)]
}

/// The frame that a person would call the place where it happened: the innermost one of the user's own
/// code, with a line if there is any.
#[must_use]
pub(crate) fn place(stack: &[Frame]) -> Option<&Frame> {
    let own = || stack.iter().filter(|frame| !is_library(frame));
    own()
        .find(|frame| frame.line.is_some())
        .or_else(|| own().next())
        .or_else(|| stack.iter().find(|frame| frame.line.is_some()))
        .or_else(|| stack.first())
}

/// A source path without the parts that say nothing: the compiler's commit, the toolchain's directory,
/// a leading `./`.
#[must_use]
pub(crate) fn short_path(path: &str) -> Cow<'_, str> {
    const RUSTLIB: &str = "/lib/rustlib/src/rust/";
    if let Some(at) = path.find(RUSTLIB) {
        return Cow::Borrowed(&path[at + RUSTLIB.len()..]);
    }
    if let Some(rest) = path.strip_prefix("/rustc/")
        && let Some((commit, rest)) = rest.split_once('/')
        && commit != "library"
        && commit
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'.')
    {
        return Cow::Borrowed(rest);
    }
    if path.starts_with("/rustc/library/") {
        return Cow::Borrowed(&path["/rustc/".len()..]);
    }
    // wasi-sdk's paths are URLs, which readers of debug information join to its directory, another URL.
    if let Some((_, rest)) = path.rsplit_once("wasisdk://")
        && let Some((_, rest)) = rest.split_once("/src/")
    {
        return Cow::Borrowed(rest);
    }
    // A registry's directory, whose name ends in a hash.
    if let Some(at) = path.find("/index.crates.io-")
        && let Some((_, rest)) = path[at + 1..].split_once('/')
    {
        return Cow::Borrowed(rest);
    }
    if path.contains("/./") {
        let path = path.replace("/./", "/");
        return Cow::Owned(path.strip_prefix("./").unwrap_or(&path).to_owned());
    }
    Cow::Borrowed(path.strip_prefix("./").unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::symbols::SymbolSource;

    pub(in crate::report) fn frame(function: &str, file: Option<&str>) -> Frame {
        Frame {
            function: Some(function.into()),
            file: file.map(Into::into),
            line: file.map(|_| 1),
            column: None,
            inlined: false,
            func_index: 0,
            offset: 0,
            source: SymbolSource::Dwarf,
        }
    }

    #[test]
    fn whose_code() {
        let rustup =
            "/home/u/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/ptr/mod.rs";
        for (function, file, library) in [
            ("core::ptr::read", None, true),
            (
                "<&mut alloc::vec::Vec<app::X> as core::fmt::Debug>::fmt",
                None,
                true,
            ),
            ("<app::X as core::ops::Drop>::drop", None, false),
            ("main", None, false),
            ("__wasi_thread_start_C", None, true),
            ("pthread_create", None, true),
            ("malloc", None, true),
            ("abort", None, true),
            ("abort_mine", None, false),
            ("rust_panic", None, true),
            ("panic_abort::__rust_start_panic", None, true),
            ("malloc_trim_mine", None, false),
            (
                "f",
                Some("wasisdk://v30.0/src/wasi-libc/dlmalloc/src/malloc.c"),
                true,
            ),
            ("stdlib::f", None, false),
            ("threadlink::sync::Mutex<T>::lock", None, true),
            ("core::ops::FnOnce::call_once", Some("src/main.rs"), false),
            ("read", Some(rustup), true),
            (
                "read",
                Some("/rustc/abc123/library/core/src/ptr/mod.rs"),
                true,
            ),
            ("f", Some("library/std/src/thread/mod.rs"), true),
            ("f", Some("/opt/zig/lib/std/Thread/Mutex.zig"), true),
            ("f", Some("/home/me/std/Mutex.zig"), false),
            ("f", Some("library/books/src/lib.rs"), false),
            ("f", Some("/w/threadlink/src/thread.rs"), true),
            ("f", Some("/r/src/index/lock_api-0.5.0/src/mutex.rs"), true),
            ("f", Some("/w/threadlink-demo/src/main.rs"), false),
        ] {
            assert_eq!(
                is_library(&frame(function, file)),
                library,
                "{function} {file:?}"
            );
        }
    }

    #[test]
    fn whose_package() {
        let registry = "/home/u/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        let of = |file: &str| package(&frame("a::f", Some(file))).to_owned();
        assert_eq!(
            of(&format!("{registry}/rayon-core-1.12.1/src/join/mod.rs")),
            "index.crates.io-1949cf8c6b5b557f/rayon-core-1.12.1"
        );
        assert_eq!(
            of("/cargo/index.crates.io-1/a-0.5.0/src/b.rs"),
            "index.crates.io-1/a-0.5.0"
        );
        assert_eq!(of("/x/git/checkouts/a-0123/4567/src/lib.rs"), "a-0123/4567");
        for own in [
            "src/main.rs",
            "/work/app/src/main.rs",
            "a.c",
            "/registry/src/",
        ] {
            assert_eq!(of(own), "", "{own}");
        }
        assert_eq!(package(&frame("rayon_core::join::f", None)), "rayon_core");
        assert_eq!(package(&frame("main", None)), "");
    }

    #[test]
    fn the_place_is_in_the_users_code() {
        let stack = [
            frame(
                "core::ptr::write",
                Some("/rustc/1/library/core/src/ptr/mod.rs"),
            ),
            frame("app::set", None),
            frame("app::main", Some("src/main.rs")),
        ];
        assert_eq!(
            place(&stack).and_then(|f| f.function.as_deref()),
            Some("app::main")
        );
        assert_eq!(
            place(&stack[..2]).and_then(|f| f.function.as_deref()),
            Some("app::set")
        );
        assert_eq!(
            place(&stack[..1]).and_then(|f| f.function.as_deref()),
            Some("core::ptr::write")
        );
        assert_eq!(place(&[]), None);
    }

    #[test]
    fn paths_lose_what_says_nothing() {
        for (long, short) in [
            (
                "/rustc/59807616e1fa/library/core/src/ptr/mod.rs",
                "library/core/src/ptr/mod.rs",
            ),
            (
                "/x/lib/rustlib/src/rust/library/std/src/io.rs",
                "library/std/src/io.rs",
            ),
            (
                "/rustc/library/core/src/ptr/mod.rs",
                "library/core/src/ptr/mod.rs",
            ),
            ("./src/main.rs", "src/main.rs"),
            (
                "/home/u/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/a-0.5.0/src/b.rs",
                "a-0.5.0/src/b.rs",
            ),
            (
                "wasisdk://v30.0/build/x/wasisdk://v30.0/src/wasi-libc/dlmalloc/src/malloc.c",
                "wasi-libc/dlmalloc/src/malloc.c",
            ),
            ("/a/./src/main.rs", "/a/src/main.rs"),
            ("src/main.rs", "src/main.rs"),
            ("/rustc", "/rustc"),
        ] {
            assert_eq!(short_path(long), short);
        }
    }
}
