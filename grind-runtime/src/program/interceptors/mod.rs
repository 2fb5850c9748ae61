//! Interceptors: functions known by name, which are modelled while their inside is hidden.
//!
//! Without them an allocator's internal lock orders every two threads that allocate, and so hides real
//! races, and its reuse of memory looks like a race. ThreadSanitizer does the same for the same reason.
//! What the compiler inlined away cannot be intercepted; its atomics then count as synchronisation.
//!
//! What a function means is data: a [`Role`], in the table of `table.rs` or given by the user.

mod stdio;
mod table;

pub use stdio::{Bytes, Touch};

use super::ModuleInfo;
use super::lock_words::{self, LockWord, Part};
use super::waits::{self, At, Wait};
use crate::model::{ObjectKind, WaitKind};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use wasmparser::{FuncType, ValType};

/// What an intercepted function means. Numbers are parameter positions, from 0; only the first four parameters
/// can be named. Functions that "succeed" do so by returning 0, as those of pthreads do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Role {
    /// Returns a new block, or 0.
    Allocate {
        /// Parameter that holds the size in bytes.
        size: u8,
        /// Parameter that holds a factor to it (`calloc`).
        #[serde(default)]
        times: Option<u8>,
    },
    /// Writes the address of a new block and succeeds.
    AllocateInto {
        /// Parameter that says where the address goes.
        out: u8,
        /// Parameter that holds the size in bytes.
        size: u8,
    },
    /// Ends the life of a block.
    Free {
        /// Parameter that holds the block's address.
        block: u8,
    },
    /// Ends the life of a block and returns a new one with its contents, or fails and returns 0. For a size of 0 it may
    /// return 0 as well, and has ended the block.
    Reallocate {
        /// Parameter that holds the old block's address.
        block: u8,
        /// Parameter that holds the new size in bytes.
        size: u8,
    },
    /// Internal machinery whose accesses and locks concern nobody else.
    Hide {
        /// What it calls through a table is the guest's own and not hidden: a thread's entry, destructors,
        /// comparison functions.
        #[serde(default)]
        callbacks: bool,
    },
    /// Reads a string, and may copy it: words at a time, beyond its end, which concerns nobody else.
    Text {
        /// Parameter that holds the string's address.
        reads: u8,
        /// Parameter that says where it goes.
        #[serde(default)]
        writes: Option<u8>,
        /// What the result tells of the string's end.
        end: TextEnd,
        /// Parameter that holds the most bytes that are accessed.
        #[serde(default)]
        limit: Option<u8>,
    },
    /// Takes a lock, if it succeeds.
    Lock {
        /// Parameter that holds its address.
        lock: u8,
        /// Others may hold it in the same way.
        #[serde(default)]
        shared: bool,
        /// It may fail rather than wait for ever.
        #[serde(default)]
        fallible: bool,
    },
    /// Releases a lock, however it was held, if it succeeds.
    Unlock {
        /// Parameter that holds its address.
        lock: u8,
    },
    /// Begins the life of a lock, if it succeeds. What is inside is not hidden: nobody else may use it yet.
    InitLock {
        /// Parameter that holds its address.
        lock: u8,
    },
    /// Ends the life of a lock, if it succeeds.
    DestroyLock {
        /// Parameter that holds its address.
        lock: u8,
    },
    /// Releases a lock, waits, and takes it again.
    CondvarWait {
        /// Parameter that holds the address of the condition variable.
        condvar: u8,
        /// Parameter that holds the address of the lock.
        lock: u8,
    },
    /// Wakes waiters.
    CondvarNotify {
        /// Parameter that holds the address of the condition variable.
        condvar: u8,
        /// All of them.
        #[serde(default)]
        all: bool,
    },
    /// What anyone did before arriving happens before what anyone does after leaving.
    Barrier {
        /// Parameter that holds its address.
        barrier: u8,
    },
    /// What came before happens before what follows an [`Role::Acquire`] of the same object (`sem_post`).
    Release {
        /// Parameter that holds the address of the object.
        object: u8,
    },
    /// Follows every [`Role::Release`] of the object so far, if it succeeds (`sem_wait`).
    Acquire {
        /// Parameter that holds the address of the object.
        object: u8,
    },
    /// Calls a function through a table, the first time; what that does happens before every return.
    Once {
        /// Parameter that holds the address of the control word.
        control: u8,
    },
    /// Creates a thread, and writes a handle if it succeeds.
    CreateThread {
        /// Parameter that says where the handle goes.
        handle: u8,
        /// Parameter that points to a `pthread_attr_t` or is 0.
        attributes: u8,
    },
    /// Waits for a thread to end, and succeeds.
    JoinThread {
        /// Parameter that holds the handle.
        handle: u8,
    },
    /// Says that nobody will join a thread, and succeeds.
    DetachThread {
        /// Parameter that holds the handle.
        handle: u8,
    },
    /// Reads and writes memory of its caller; what else it accesses concerns nobody.
    #[serde(skip)]
    Stdio {
        /// Which memory.
        touches: &'static [Touch],
    },
    /// Takes the lock of a stream for a function of standard input and output, which releases it before it returns.
    #[serde(skip)]
    LockStream {
        /// Parameter that holds the address of the stream.
        stream: u8,
    },
    /// Does something to a lock that is a word in memory. What is inside is not hidden.
    #[serde(skip)]
    LockWord {
        /// Which kind of lock.
        word: LockWord,
        /// What.
        part: Part,
        /// Parameter that holds its address, if one does: the lock may be a part of something, or the only one.
        lock: Option<u8>,
        /// Parameter that says whether it waits without a deadline, if one does.
        deadline: Option<u8>,
    },
    /// The same as [`Role::Barrier`]. What is inside is not hidden: its atomics order the threads.
    #[serde(skip)]
    VisibleBarrier {
        /// Parameter that holds its address.
        barrier: u8,
    },
    /// The thread that is created next is counted in a scope, which waits for it. What is inside is not hidden.
    #[serde(skip)]
    EnterScope {
        /// Parameter that holds the address of what the scope shares with its threads.
        scope: u8,
    },
    /// Waits for something, or is another use of what others wait for. What is inside is not hidden.
    #[serde(skip)]
    Wait {
        /// What for.
        wait: &'static Wait,
        /// Parameter that leads to its address.
        object: u8,
        /// How.
        at: At,
    },
    /// Makes what std knows of a thread that the calling thread is about to create. What is inside is not hidden.
    #[serde(skip)]
    NameNext {
        /// Parameter that points to the name: an `Option<String>`.
        name: u8,
    },
    /// What std starts a thread with: what it knows of it is in memory. What is inside is not hidden.
    #[serde(skip)]
    NameSelf {
        /// Parameter that points to std's `ThreadInit`.
        init: u8,
    },
    /// Names a thread. What is inside is not hidden.
    NameThread {
        /// Parameter that holds the thread's handle.
        handle: u8,
        /// Parameter that holds the address of the name, which ends with a zero byte.
        name: u8,
    },
    /// Returns the handle of the calling thread. What is inside is not hidden.
    ThreadSelf,
    /// `prctl`, whose first parameter says what it does: to name the calling thread is one of many things. What is inside is
    /// not hidden.
    #[serde(skip)]
    Prctl,
}

/// What a function of strings returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextEnd {
    /// The number of bytes before the last one (`strlen`).
    Length,
    /// The address of the last byte, in the copy if there is one (`strchrnul`, `stpcpy`); 0 if the limit came first
    /// (`memchr`).
    Last,
    /// The same, and what is left of the limit is filled with zeros (`stpncpy`).
    Padded,
    /// The address behind the last byte, or 0 if the limit came first (`memccpy`).
    Behind,
}

impl Role {
    /// Whether what the function calls through a table is visible.
    pub(crate) fn has_callbacks(self) -> bool {
        matches!(self, Role::Hide { callbacks: true } | Role::Once { .. })
    }

    /// Whether what is inside is hidden.
    pub(crate) fn hides(self) -> bool {
        !matches!(
            self,
            Role::LockWord { .. }
                | Role::EnterScope { .. }
                | Role::InitLock { .. }
                | Role::VisibleBarrier { .. }
                | Role::Wait { .. }
                | Role::NameNext { .. }
                | Role::NameSelf { .. }
                | Role::NameThread { .. }
                | Role::ThreadSelf
                | Role::Prctl
        )
    }

    /// What a thread waits for that is in the function, what programs call the type of that, and the parameter that leads
    /// to its address.
    pub(crate) fn waits(self) -> Option<(WaitKind, Option<&'static str>, u8)> {
        let own = |kind, object| Some((kind, None, object));
        match self {
            Role::Wait { wait, object, .. } if !wait.never_waits => {
                Some((wait.kind, Some(wait.of), object))
            }
            Role::CondvarWait { condvar, .. } => own(WaitKind::Condvar, condvar),
            Role::Barrier { barrier } | Role::VisibleBarrier { barrier } => {
                own(WaitKind::Barrier, barrier)
            }
            Role::Acquire { object } => own(WaitKind::Semaphore, object),
            Role::Once { control } => own(WaitKind::Once, control),
            Role::LockStream { stream } => Some((WaitKind::Lock, Some("FILE"), stream)),
            _ => None,
        }
    }

    /// Whether it hands out or takes back memory.
    pub(crate) fn allocates(self) -> bool {
        use Role::{Allocate, AllocateInto, Free, Reallocate};
        matches!(
            self,
            Allocate { .. } | AllocateInto { .. } | Free { .. } | Reallocate { .. }
        )
    }

    /// The parameters it reads.
    fn parameters(self) -> [Option<u8>; 3] {
        let (first, second, third) = match self {
            Role::Allocate { size, times } => (Some(size), times, None),
            Role::AllocateInto { out, size } => (Some(out), Some(size), None),
            Role::Free { block } => (Some(block), None, None),
            Role::Reallocate { block, size } => (Some(block), Some(size), None),
            // Which parameters `Stdio` has follows from its function's type.
            Role::Hide { .. } | Role::Stdio { .. } | Role::ThreadSelf | Role::Prctl => {
                (None, None, None)
            }
            Role::Wait { object, .. } => (Some(object), None, None),
            Role::NameNext { name } | Role::NameSelf { init: name } => (Some(name), None, None),
            Role::NameThread { handle, name } => (Some(handle), Some(name), None),
            Role::Text {
                reads,
                writes,
                limit,
                ..
            } => (Some(reads), writes, limit),
            Role::Lock { lock, .. }
            | Role::Unlock { lock }
            | Role::InitLock { lock }
            | Role::DestroyLock { lock } => (Some(lock), None, None),
            Role::CondvarWait { condvar, lock } => (Some(condvar), Some(lock), None),
            Role::CondvarNotify { condvar, .. } => (Some(condvar), None, None),
            Role::Barrier { barrier: object }
            | Role::VisibleBarrier { barrier: object }
            | Role::Release { object }
            | Role::Acquire { object }
            | Role::Once { control: object } => (Some(object), None, None),
            Role::CreateThread { handle, attributes } => (Some(handle), Some(attributes), None),
            Role::JoinThread { handle } | Role::DetachThread { handle } => {
                (Some(handle), None, None)
            }
            Role::EnterScope { scope: only } | Role::LockStream { stream: only } => {
                (Some(only), None, None)
            }
            Role::LockWord { lock, deadline, .. } => (lock, deadline, None),
        };
        [first, second, third]
    }

    /// Whether it says something by its result.
    fn reads_result(self) -> bool {
        matches!(
            self,
            Role::Allocate { .. } | Role::Reallocate { .. } | Role::Text { .. } | Role::ThreadSelf
        )
    }

    /// Whether a function of this type can have the role.
    fn fits(self, ty: &FuncType) -> bool {
        let is_i32 = |position: u8| {
            position < 4 && ty.params().get(usize::from(position)) == Some(&ValType::I32)
        };
        ty.results().len() <= 1
            && self.parameters().into_iter().flatten().all(is_i32)
            && (!self.reads_result() || ty.results() == [ValType::I32])
    }
}

/// An intercepted function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interceptor {
    /// Name, demangled.
    pub name: String,
    /// What it means.
    pub role: Role,
    /// The object of POSIX threads that it is of, if it is of one that is known: where that lies in memory and how it is
    /// laid out is known, too.
    pub object: Option<ObjectKind>,
}

/// What the user says a function means.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rule {
    /// The plain symbol, or the whole path of a demangled Rust name; a `*` at its end stands for any rest.
    pub function: Cow<'static, str>,
    /// What it means.
    pub role: Role,
}

impl Rule {
    /// Whether this, demangled, is a name of the function.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        match self.function.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => name == self.function,
        }
    }
}

/// Functions of the module that are intercepted, by index, ascending. The user's rules come before those built in.
#[must_use]
pub fn find(info: &ModuleInfo, rules: &[Rule]) -> Vec<(u32, Interceptor)> {
    let mut search = Search::default();
    while search.step(info, rules) {}
    search.finish()
}

/// Names that a step of a search looks at.
const NAMES: usize = 128;

/// The same in steps.
#[derive(Default)]
pub(super) struct Search {
    found: Vec<(u32, Interceptor)>,
    /// Names that were looked at.
    seen: usize,
}

impl Search {
    /// Looks at some names. Returns whether there are more.
    pub(super) fn step(&mut self, info: &ModuleInfo, rules: &[Rule]) -> bool {
        let some = names(info).skip(self.seen).take(NAMES);
        let before = self.seen;
        for (index, symbol) in some {
            self.seen += 1;
            if let Some(interceptor) = meaning(info, rules, index, symbol) {
                self.found.push((index, interceptor));
            }
        }
        self.seen > before
    }

    pub(super) fn finish(mut self) -> Vec<(u32, Interceptor)> {
        self.found.sort_by_key(|&(index, _)| index);
        self.found.dedup_by_key(|(index, _)| *index);
        self.found
    }
}

/// What a function of this name means.
fn meaning(info: &ModuleInfo, rules: &[Rule], index: u32, symbol: &str) -> Option<Interceptor> {
    if index < info.imported_functions || (rules.is_empty() && !may_be_known(symbol)) {
        return None;
    }
    let ty = info.function_type(index)?;
    let name = plain_name(symbol);
    let given = rules
        .iter()
        .find(|rule| rule.matches(&name) && rule.role.fits(ty));
    let (role, object) = match given {
        Some(rule) => (rule.role, None),
        None => (table::role(&name, ty)?, table::object(&name)),
    };
    Some(Interceptor { name, role, object })
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

/// Whether a symbol may have a name that the table knows. To demangle all that have not takes longer than to look.
fn may_be_known(symbol: &str) -> bool {
    const WITHIN: [&str; 7] = [
        "__rust",
        "__rdl",
        "__default_lib_allocator",
        "dlmalloc",
        "increment_num_running_threads",
        "7Barrier4wait",
        "6Thread3new",
    ];
    let mangled = symbol.starts_with("_R") || symbol.starts_with("_ZN");
    let known = |symbol: &str| WITHIN.iter().any(|name| symbol.contains(name));
    !mangled || known(symbol) || lock_words::may_be_known(symbol) || waits::may_be_known(symbol)
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
            assert!(may_be_known(symbol), "{symbol}");
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
