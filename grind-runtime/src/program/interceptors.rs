//! Interceptors: functions known by name, which are modelled while their inside is hidden.
//!
//! Without them an allocator's internal lock orders every two threads that allocate, and so hides real
//! races, and its reuse of memory looks like a race. ThreadSanitizer does the same for the same reason.
//! What the compiler inlined away cannot be intercepted; its atomics then count as synchronisation.

use super::ModuleInfo;
use wasmparser::ValType;

/// What an intercepted function means. Numbers in the variants are parameter positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Returns a new block.
    Allocate {
        /// Parameter that holds the size in bytes.
        size: u8,
        /// Parameter that holds a factor to it (`calloc`).
        times: Option<u8>,
    },
    /// Ends the life of a block.
    Free {
        /// Parameter that holds the block's address.
        block: u8,
    },
    /// Ends the life of a block and returns a new one with its contents.
    Reallocate {
        /// Parameter that holds the old block's address.
        block: u8,
        /// Parameter that holds the new size in bytes.
        size: u8,
    },
    /// Internal machinery whose accesses and locks concern nobody else.
    Hide,
}

/// An intercepted function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interceptor {
    /// Name as in the table.
    pub name: &'static str,
    /// What it means.
    pub role: Role,
}

struct Entry {
    /// The plain symbol, or the last path segments of a demangled Rust name.
    name: &'static str,
    params: usize,
    returns: bool,
    role: Role,
}

const fn entry(name: &'static str, params: usize, returns: bool, role: Role) -> Entry {
    Entry {
        name,
        params,
        returns,
        role,
    }
}

const fn allocate(size: u8) -> Role {
    Role::Allocate { size, times: None }
}

/// The outermost function of a nest counts: what `malloc` calls is inside it already.
const TABLE: &[Entry] = &[
    // Rust's global allocator shims: (size, align), (ptr, size, align), (ptr, old, align, new).
    entry("__rust_alloc", 2, true, allocate(0)),
    entry("__rust_alloc_zeroed", 2, true, allocate(0)),
    entry("__rust_dealloc", 3, false, Role::Free { block: 0 }),
    entry(
        "__rust_realloc",
        4,
        true,
        Role::Reallocate { block: 0, size: 3 },
    ),
    // What the shims call, for builds in which they were inlined.
    entry("__rdl_alloc", 2, true, allocate(0)),
    entry("__rdl_alloc_zeroed", 2, true, allocate(0)),
    entry("__rdl_dealloc", 3, false, Role::Free { block: 0 }),
    entry(
        "__rdl_realloc",
        4,
        true,
        Role::Reallocate { block: 0, size: 3 },
    ),
    // The allocator under the shims, which std calls directly for the destructors of thread-locals. The
    // compiler may leave out `self`, of which there is only one.
    entry("Dlmalloc::malloc", 1, true, allocate(0)),
    entry("Dlmalloc::malloc", 2, true, allocate(1)),
    entry("Dlmalloc::calloc", 1, true, allocate(0)),
    entry("Dlmalloc::calloc", 2, true, allocate(1)),
    entry("Dlmalloc::memalign", 2, true, allocate(1)),
    entry("Dlmalloc::memalign", 3, true, allocate(2)),
    entry("Dlmalloc::free", 1, false, Role::Free { block: 0 }),
    entry("Dlmalloc::free", 2, false, Role::Free { block: 1 }),
    entry(
        "Dlmalloc::realloc",
        2,
        true,
        Role::Reallocate { block: 0, size: 1 },
    ),
    entry(
        "Dlmalloc::realloc",
        3,
        true,
        Role::Reallocate { block: 1, size: 2 },
    ),
    // C.
    entry("malloc", 1, true, allocate(0)),
    entry(
        "calloc",
        2,
        true,
        Role::Allocate {
            size: 0,
            times: Some(1),
        },
    ),
    entry("realloc", 2, true, Role::Reallocate { block: 0, size: 1 }),
    entry("free", 1, false, Role::Free { block: 0 }),
    entry("aligned_alloc", 2, true, allocate(1)),
    entry("memalign", 2, true, allocate(1)),
    // Wasmgrind guests: (size, align), (ptr, size, align).
    entry("__wasmgrind_malloc", 2, true, allocate(0)),
    entry("__wasmgrind_free", 3, false, Role::Free { block: 0 }),
];

/// Functions of the module that are intercepted, by index, ascending.
#[must_use]
pub fn find(info: &ModuleInfo) -> Vec<(u32, Interceptor)> {
    let mut found: Vec<(u32, Interceptor)> = names(info)
        .filter(|&(index, _)| index >= info.imported_functions)
        .filter_map(|(index, symbol)| {
            let ty = info.function_type(index)?;
            let name = plain_name(symbol);
            let entry = TABLE.iter().find(|e| {
                e.name == name
                    && ty.params().len() == e.params
                    && ty.results().len() == usize::from(e.returns)
                    && ty
                        .params()
                        .iter()
                        .chain(ty.results())
                        .all(|&t| t == ValType::I32)
            })?;
            Some((
                index,
                Interceptor {
                    name: entry.name,
                    role: entry.role,
                },
            ))
        })
        .collect();
    found.sort_by_key(|&(index, _)| index);
    found.dedup_by_key(|(index, _)| *index);
    found
}

fn names(info: &ModuleInfo) -> impl Iterator<Item = (u32, &str)> {
    let exports = info
        .exports
        .iter()
        .filter(|e| e.kind == wasmparser::ExternalKind::Func)
        .map(|e| (e.index, e.name.as_str()));
    info.function_names
        .iter()
        .map(|(index, name)| (*index, name.as_str()))
        .chain(exports)
}

/// `<dlmalloc::dlmalloc::Dlmalloc<dlmalloc::sys::System>>::malloc` is `Dlmalloc::malloc`;
/// `_RNvCs…_7___rustc12___rust_alloc` and `__rustc[…]::__rust_alloc` are both `__rust_alloc`.
fn plain_name(symbol: &str) -> String {
    let demangled = format!("{:#}", rustc_demangle::demangle(symbol));
    match demangled.rsplit_once("::") {
        Some((path, last)) if path.contains("dlmalloc::dlmalloc::Dlmalloc") => {
            format!("Dlmalloc::{last}")
        }
        // Only the compiler's own namespaces; a user's `mod::malloc` is not libc's.
        Some((path, last))
            if path.starts_with("__rustc") || path.ends_with("alloc::__default_lib_allocator") =>
        {
            last.to_owned()
        }
        _ => demangled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mangled_names_of_both_kinds_are_recognised() {
        for (symbol, name) in [
            ("_RNvCsfLfy6EI15iL_7___rustc12___rust_alloc", "__rust_alloc"),
            ("__rust_dealloc", "__rust_dealloc"),
            (
                "_RNvMs0_NtCs35HSkkbkDT8_8dlmalloc8dlmallocINtB5_8DlmallocNtNtB7_3sys6SystemE4freeCs4X6OaqXgEFz_3std",
                "Dlmalloc::free",
            ),
            (
                "_ZN8dlmalloc8dlmalloc17Dlmalloc$LT$A$GT$6malloc17h0123456789abcdefE",
                "Dlmalloc::malloc",
            ),
            ("malloc", "malloc"),
        ] {
            assert_eq!(plain_name(symbol), name, "{symbol}");
        }
    }

    #[test]
    fn a_users_own_malloc_is_not_libcs() {
        assert_eq!(
            plain_name("_ZN6my_app6malloc17h0123456789abcdefE"),
            "my_app::malloc"
        );
    }
}
