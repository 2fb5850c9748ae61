//! The built-in interceptors.

use super::{Role, TextEnd, lock_words, stdio, waits};
use crate::model::ObjectKind;
use wasmparser::{FuncType, ValType};

const fn allocate(size: u8) -> Role {
    Role::Allocate { size, times: None }
}

const fn reallocate(block: u8, size: u8) -> Role {
    Role::Reallocate { block, size }
}

const fn lock(shared: bool, fallible: bool) -> Role {
    Role::Lock {
        lock: 0,
        shared,
        fallible,
    }
}

const fn text(reads: u8, end: TextEnd, limit: Option<u8>) -> Role {
    Role::Text {
        reads,
        writes: None,
        end,
        limit,
    }
}

/// From the second parameter to the first.
const fn copy(end: TextEnd, limit: Option<u8>) -> Role {
    Role::Text {
        reads: 1,
        writes: Some(0),
        end,
        limit,
    }
}

const FREE: Role = Role::Free { block: 0 };
const UNLOCK: Role = Role::Unlock { lock: 0 };
const INIT: Role = Role::InitLock { lock: 0 };
const DESTROY: Role = Role::DestroyLock { lock: 0 };
const ACQUIRE: Role = Role::Acquire { object: 0 };
const HIDE: Role = Role::Hide { callbacks: false };
const CALLS_BACK: Role = Role::Hide { callbacks: true };
const WAIT: Role = Role::CondvarWait {
    condvar: 0,
    lock: 1,
};

/// Name (see [`super::plain_name`]), number of parameters, all `i32`, whether there is a result, and what it means.
/// The outermost function of a nest counts: what `malloc` calls is inside it already.
#[rustfmt::skip]
const TABLE: &[(&str, usize, bool, Role)] = &[
    // Rust's global allocator shims: (size, align), (ptr, size, align), (ptr, old, align, new).
    ("__rust_alloc", 2, true, allocate(0)),
    ("__rust_alloc_zeroed", 2, true, allocate(0)),
    ("__rust_dealloc", 3, false, FREE),
    ("__rust_realloc", 4, true, reallocate(0, 3)),
    // What the shims call, for builds in which they were inlined.
    ("__rdl_alloc", 2, true, allocate(0)),
    ("__rdl_alloc_zeroed", 2, true, allocate(0)),
    ("__rdl_dealloc", 3, false, FREE),
    ("__rdl_realloc", 4, true, reallocate(0, 3)),
    // The allocator under the shims, which std calls directly for the destructors of thread-locals. The
    // compiler may leave out `self`, of which there is only one.
    ("Dlmalloc::malloc", 1, true, allocate(0)),
    ("Dlmalloc::malloc", 2, true, allocate(1)),
    ("Dlmalloc::calloc", 1, true, allocate(0)),
    ("Dlmalloc::calloc", 2, true, allocate(1)),
    ("Dlmalloc::memalign", 2, true, allocate(1)),
    ("Dlmalloc::memalign", 3, true, allocate(2)),
    ("Dlmalloc::free", 1, false, FREE),
    ("Dlmalloc::free", 2, false, Role::Free { block: 1 }),
    ("Dlmalloc::realloc", 2, true, reallocate(0, 1)),
    ("Dlmalloc::realloc", 3, true, reallocate(1, 2)),
    // C, and the names that wasi-libc's dlmalloc and emmalloc have below them.
    ("malloc", 1, true, allocate(0)),
    ("calloc", 2, true, Role::Allocate { size: 0, times: Some(1) }),
    ("realloc", 2, true, reallocate(0, 1)),
    ("free", 1, false, FREE),
    ("aligned_alloc", 2, true, allocate(1)),
    ("memalign", 2, true, allocate(1)),
    ("posix_memalign", 3, true, Role::AllocateInto { out: 0, size: 2 }),
    ("dlmalloc", 1, true, allocate(0)),
    ("dlcalloc", 2, true, Role::Allocate { size: 0, times: Some(1) }),
    ("dlrealloc", 2, true, reallocate(0, 1)),
    ("dlfree", 1, false, FREE),
    ("dlmemalign", 2, true, allocate(1)),
    ("dlposix_memalign", 3, true, Role::AllocateInto { out: 0, size: 2 }),
    ("internal_memalign", 2, true, allocate(1)),
    ("emmalloc_malloc", 1, true, allocate(0)),
    ("emmalloc_memalign", 2, true, allocate(1)),
    ("emmalloc_free", 1, false, FREE),
    ("emmalloc_realloc", 2, true, reallocate(0, 1)),
    ("malloc_usable_size", 1, true, HIDE),
    // Wasmgrind guests: (size, align), (ptr, size, align).
    ("__wasmgrind_malloc", 2, true, allocate(0)),
    ("__wasmgrind_free", 3, false, FREE),

    // How `std::thread::scope` counts a thread that it is about to create.
    ("std::thread::scoped::ScopeData::increment_num_running_threads", 1, false, Role::EnterScope { scope: 0 }),
    ("<std::thread::scoped::ScopeData>::increment_num_running_threads", 1, false, Role::EnterScope { scope: 0 }),

    // Rust's barrier is a mutex and a condition variable.
    ("std::sync::barrier::Barrier::wait", 1, true, Role::VisibleBarrier { barrier: 0 }),
    ("<std::sync::barrier::Barrier>::wait", 1, true, Role::VisibleBarrier { barrier: 0 }),

    // Functions of strings in wasi-libc that read whole words. What they share a word with may be another thread's.
    ("strlen", 1, true, text(0, TextEnd::Length, None)),
    ("strnlen", 2, true, text(0, TextEnd::Length, Some(1))),
    ("memchr", 3, true, text(0, TextEnd::Last, Some(2))),
    ("strchrnul", 2, true, text(0, TextEnd::Last, None)),
    ("stpcpy", 2, true, copy(TextEnd::Last, None)),
    ("stpncpy", 3, true, copy(TextEnd::Padded, Some(2))),
    ("strlcpy", 3, true, copy(TextEnd::Length, Some(2))),
    ("memccpy", 4, true, copy(TextEnd::Behind, Some(3))),

    // POSIX threads.
    ("pthread_create", 4, true, Role::CreateThread { handle: 0, attributes: 1 }),
    ("pthread_join", 2, true, Role::JoinThread { handle: 0 }),
    ("pthread_timedjoin_np", 3, true, Role::JoinThread { handle: 0 }),
    ("pthread_tryjoin_np", 2, true, Role::JoinThread { handle: 0 }),
    ("pthread_detach", 1, true, Role::DetachThread { handle: 0 }),
    ("pthread_self", 0, true, Role::ThreadSelf),
    // What wasi-libc calls it.
    ("pthread_self_internal", 0, true, Role::ThreadSelf),
    ("pthread_setname_np", 2, true, Role::NameThread { handle: 0, name: 1 }),
    ("emscripten_set_thread_name", 2, false, Role::NameThread { handle: 0, name: 1 }),
    ("prctl", 2, true, Role::Prctl),
    ("pthread_mutex_init", 2, true, INIT),
    ("pthread_mutex_lock", 1, true, lock(false, false)),
    ("pthread_mutex_trylock", 1, true, lock(false, true)),
    ("pthread_mutex_timedlock", 2, true, lock(false, true)),
    ("pthread_mutex_unlock", 1, true, UNLOCK),
    ("pthread_mutex_destroy", 1, true, DESTROY),
    ("pthread_spin_init", 2, true, INIT),
    ("pthread_spin_lock", 1, true, lock(false, false)),
    ("pthread_spin_trylock", 1, true, lock(false, true)),
    ("pthread_spin_unlock", 1, true, UNLOCK),
    ("pthread_spin_destroy", 1, true, DESTROY),
    ("pthread_rwlock_init", 2, true, INIT),
    ("pthread_rwlock_rdlock", 1, true, lock(true, false)),
    ("pthread_rwlock_tryrdlock", 1, true, lock(true, true)),
    ("pthread_rwlock_timedrdlock", 2, true, lock(true, true)),
    ("pthread_rwlock_wrlock", 1, true, lock(false, false)),
    ("pthread_rwlock_trywrlock", 1, true, lock(false, true)),
    ("pthread_rwlock_timedwrlock", 2, true, lock(false, true)),
    ("pthread_rwlock_unlock", 1, true, UNLOCK),
    ("pthread_rwlock_destroy", 1, true, DESTROY),
    ("pthread_cond_wait", 2, true, WAIT),
    ("pthread_cond_timedwait", 3, true, WAIT),
    ("pthread_cond_signal", 1, true, Role::CondvarNotify { condvar: 0, all: false }),
    ("pthread_cond_broadcast", 1, true, Role::CondvarNotify { condvar: 0, all: true }),
    ("pthread_cond_init", 2, true, INIT),
    ("pthread_cond_destroy", 1, true, DESTROY),
    ("pthread_barrier_init", 3, true, INIT),
    ("pthread_barrier_wait", 1, true, Role::Barrier { barrier: 0 }),
    ("pthread_barrier_destroy", 1, true, DESTROY),
    ("pthread_once", 2, true, Role::Once { control: 0 }),
    ("pthread_key_create", 2, true, HIDE),
    ("pthread_key_delete", 1, true, HIDE),
    ("pthread_setspecific", 2, true, HIDE),
    ("pthread_getspecific", 1, true, HIDE),
    ("sem_post", 1, true, Role::Release { object: 0 }),
    ("sem_wait", 1, true, ACQUIRE),
    ("sem_trywait", 1, true, ACQUIRE),
    ("sem_timedwait", 2, true, ACQUIRE),
    ("sem_init", 3, true, INIT),
    ("sem_destroy", 1, true, DESTROY),

    // The lock of a stream, as the program takes it. What standard input and output do with it is inside them.
    ("flockfile", 1, false, lock(false, false)),
    ("ftrylockfile", 1, true, lock(false, true)),
    ("funlockfile", 1, false, UNLOCK),

    // How wasi-libc begins and ends a thread. What runs between is called through a table. `wasi_thread_start`,
    // which calls the first of these, is not among them: in modules without wasi-libc it is the thread itself.
    ("__wasi_thread_start_C", 2, false, CALLS_BACK),
    ("__pthread_exit", 1, false, CALLS_BACK),
    ("__pthread_tsd_run_dtors", 0, false, CALLS_BACK),
    ("__pthread_tsd_run_dtors", 1, false, CALLS_BACK),
    ("__tl_lock", 0, false, HIDE),
    ("__tl_unlock", 0, false, HIDE),
    ("__tl_sync", 1, false, HIDE),
    // Its internal locks, whose waiting mixes plain and atomic accesses on purpose.
    ("__lock", 1, false, HIDE),
    ("__unlock", 1, false, HIDE),
    ("__lockfile", 1, true, Role::LockStream { stream: 0 }),
    ("__unlockfile", 1, false, HIDE),
    ("__wait", 4, false, HIDE),
    ("__timedwait", 5, true, HIDE),
    ("__timedwait_cp", 5, true, HIDE),
    ("__private_cond_signal", 2, true, HIDE),
    ("__inhibit_ptc", 0, false, HIDE),
    ("__acquire_ptc", 0, false, HIDE),
    ("__release_ptc", 0, false, HIDE),
    // At the end of the process, handlers are called.
    ("exit", 1, false, CALLS_BACK),
    ("__funcs_on_exit", 0, false, CALLS_BACK),
    ("__stdio_exit", 0, false, HIDE),
    ("atexit", 1, true, HIDE),
    ("__cxa_atexit", 3, true, HIDE),
];

/// libc functions that lock within, of whatever type, and access nothing of their caller's, or what is not known: standard
/// streams, and what is set up at first use.
const HIDDEN: &[&str] = &[
    "clearerr",
    "fclose",
    "feof",
    "ferror",
    "fflush",
    "fgetc",
    "fileno",
    "flockfile",
    "fputc",
    "fseek",
    "fseeko",
    "ftell",
    "ftello",
    "ftrylockfile",
    "funlockfile",
    "getc",
    "getc_unlocked",
    "getchar",
    "putc",
    "putc_unlocked",
    "putchar",
    "rewind",
    "setbuf",
    "setvbuf",
    "ungetc",
    "__fwritex",
    "__overflow",
    "__uflow",
    "__towrite",
    "__toread",
    "__stdio_write",
    "__stdio_read",
    "__stdout_write",
    "__ofl_add",
    "__ofl_lock",
    "__ofl_unlock",
    "__wasilibc_ensure_environ",
    "__wasilibc_initialize_environ",
    "__wasilibc_populate_preopens",
    "__wasilibc_find_relpath",
    "__wasilibc_find_abspath",
    "tzset",
    "__tz",
];

/// Objects of POSIX threads, by what the names of their functions begin with.
const OBJECTS: &[(&str, ObjectKind)] = &[
    ("pthread_mutex_", ObjectKind::Mutex),
    ("pthread_rwlock_", ObjectKind::RwLock),
    ("pthread_spin_", ObjectKind::Spinlock),
    ("pthread_cond_", ObjectKind::Condvar),
    ("pthread_barrier_", ObjectKind::Barrier),
    ("pthread_once", ObjectKind::Once),
    ("sem_", ObjectKind::Semaphore),
];

/// The object of POSIX threads that a function of the table with this name is of.
pub(super) fn object(name: &str) -> Option<ObjectKind> {
    let name = name.strip_prefix("__").unwrap_or(name);
    let known = OBJECTS.iter().find(|(of, _)| name.starts_with(of));
    known.map(|&(_, kind)| kind)
}

/// What a function with this name and type means, if it is known.
pub(super) fn role(name: &str, ty: &FuncType) -> Option<Role> {
    let i32s = |types: &[ValType]| types.iter().all(|&ty| ty == ValType::I32);
    // The linker may keep either of two names for a function: `pthread_join` or `__pthread_join`, `stpcpy` or `__stpcpy`.
    let alias = name.strip_prefix("__").filter(|name| {
        ["pthread_", "st"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    });
    let known = TABLE.iter().find(|&&(known, params, returns, _)| {
        (known == name || Some(known) == alias)
            && ty.params().len() == params
            && ty.results().len() == usize::from(returns)
            && i32s(ty.params())
            && i32s(ty.results())
    });
    let hidden = || (HIDDEN.contains(&name) && HIDE.fits(ty)).then_some(HIDE);
    let stdio = || stdio::role(name, ty).filter(|role| role.fits(ty));
    let lock_word = || {
        let (word, is_lock, part) = lock_words::part(name)?;
        let params = ty.params();
        // Where there is one lock, link-time optimisation may leave out its address.
        let lock = (is_lock && params.first() == Some(&ValType::I32)).then_some(0);
        // Where nobody has one, link-time optimisation leaves it out, and the seconds where nobody looks at them.
        let last = (params.len() as u8).checked_sub(1);
        let deadline = last.filter(|&last| last > 0 && word.has_deadline());
        Some(Role::LockWord {
            word,
            part,
            lock,
            deadline,
        })
        .filter(|role| role.fits(ty))
    };
    let waits = || {
        let (wait, object, at) = waits::intercepted(name, ty)?;
        Some(Role::Wait { wait, object, at }).filter(|role| role.fits(ty))
    };
    known
        .map(|&(_, _, _, role)| role)
        .or_else(stdio)
        .or_else(hidden)
        .or_else(lock_word)
        .or_else(|| names_of_std(name, ty))
        .or_else(waits)
}

/// `std::thread::Thread::new(id, name)`: std gives a name to what it knows of a thread, and nothing to WASI. It is neither
/// generic nor small enough to be inlined, and called where a thread is created, before that is, and by threads that std did
/// not create, without a name. Link-time optimisation of std inlines it all the same; then there is the function that a thread
/// begins with, whose address is taken.
fn names_of_std(name: &str, ty: &FuncType) -> Option<Role> {
    const NEW: [&str; 3] = [
        "<std::thread::thread::Thread>::new",
        "std::thread::thread::Thread::new",
        "std::thread::Thread::new",
    ];
    let takes = [ValType::I64, ValType::I32];
    const START: [&str; 2] = [
        "<std::sys::thread::unix::Thread>::new::thread_start",
        "std::sys::thread::unix::Thread::new::thread_start",
    ];
    if NEW.contains(&name) && ty.params() == takes {
        Some(Role::NameNext { name: 1 })
    } else if START.contains(&name) && ty.params() == [ValType::I32] {
        Some(Role::NameSelf { init: 0 })
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_fits_the_type_that_the_table_gives_it() {
        for &(name, params, returns, role) in TABLE {
            let results = returns.then_some(ValType::I32);
            let ty = FuncType::new(vec![ValType::I32; params], results);
            assert!(role.fits(&ty), "{name}");
        }
    }

    #[test]
    fn a_type_that_is_not_expected_is_left_alone() {
        let odd = FuncType::new([ValType::I64], [ValType::I32]);
        assert_eq!(role("malloc", &odd), None);
        let plain = FuncType::new([ValType::I32], [ValType::I32]);
        assert_eq!(role("malloc", &plain), Some(allocate(0)));
    }
}
