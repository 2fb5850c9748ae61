//! Lock hooks: what the host hears before and after each lock operation.
//!
//! [`crate::abi::HOOK_FUNCTIONS`] says what each one means. They exist on WebAssembly with feature
//! `tracing`; otherwise they are empty and inlined away, except in this crate's own tests, which look
//! at the order of the calls.

macro_rules! hooks {
    ($(fn $name:ident($($arg:ident: $ty:ty),*);)*) => {
        #[cfg(all(target_family = "wasm", feature = "tracing"))]
        #[link(wasm_import_module = "threadlink")]
        unsafe extern "C" {
            $(pub(crate) safe fn $name($($arg: $ty),*);)*
        }

        $(
            #[cfg(not(any(test, all(target_family = "wasm", feature = "tracing"))))]
            #[inline(always)]
            pub(crate) fn $name($(_: $ty),*) {
                let _ = ($(stringify!($arg),)*);
            }

            #[cfg(all(test, not(all(target_family = "wasm", feature = "tracing"))))]
            pub(crate) fn $name($($arg: $ty),*) {
                record::push(stringify!($name), &[$($arg as usize),*]);
            }
        )*

        /// Name and number of arguments of every hook.
        #[cfg(test)]
        const DECLARED: &[(&str, usize)] = &[
            $((stringify!($name), [$(stringify!($arg)),*].len()),)*
        ];
    };
}

hooks! {
    fn start_lock(lock: usize);
    fn finish_lock(lock: usize);
    fn start_unlock(lock: usize);
    fn finish_unlock(lock: usize);

    fn start_read_lock(lock: usize);
    fn finish_read_lock(lock: usize);
    fn start_read_unlock(lock: usize);
    fn finish_read_unlock(lock: usize);

    fn start_try_lock(lock: usize);
    fn finish_try_lock(lock: usize, acquired: bool);
    fn start_try_read_lock(lock: usize);
    fn finish_try_read_lock(lock: usize, acquired: bool);

    fn start_wait(condvar: usize, lock: usize);
    fn finish_wait(condvar: usize, lock: usize, timed_out: bool);
    fn start_notify(condvar: usize, all: bool);
    fn finish_notify(condvar: usize, all: bool);

    fn start_once(once: usize);
    fn enter_once(once: usize);
    fn leave_once(once: usize);
    fn finish_once(once: usize);

    fn start_barrier(barrier: usize);
    fn finish_barrier(barrier: usize);
}

/// Reports what was called for a lock, in order, for the tests of the types that call hooks.
#[cfg(test)]
pub(crate) mod record {
    use std::sync::{Mutex, PoisonError};

    static CALLS: Mutex<Vec<(&'static str, Vec<usize>)>> = Mutex::new(Vec::new());

    pub(super) fn push(name: &'static str, args: &[usize]) {
        let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push((name, args.to_vec()));
    }

    /// The calls whose first argument is `lock`, each with its further arguments. They are forgotten,
    /// since a later test may have a lock at the same address.
    pub(crate) fn take(lock: usize) -> Vec<(&'static str, Vec<usize>)> {
        let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
        calls
            .extract_if(.., |(_, args)| args.first() == Some(&lock))
            .map(|(name, args)| (name, args[1..].to_vec()))
            .collect()
    }

    /// The names of the calls whose first argument is `lock`; forgets them as [`take`] does.
    pub(crate) fn take_names(lock: usize) -> Vec<&'static str> {
        take(lock).into_iter().map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::DECLARED;
    use crate::abi::HOOK_FUNCTIONS;

    #[test]
    fn hooks_are_those_of_the_abi() {
        let abi: Vec<(&str, usize)> = HOOK_FUNCTIONS
            .iter()
            .map(|function| (function.name, function.params.len()))
            .collect();
        assert_eq!(DECLARED, abi);
        assert!(HOOK_FUNCTIONS.iter().all(|hook| hook.result.is_none()));
    }
}
