//! Names of threads, where the guest keeps them: the host of WASI has none, so that libraries give it none.
//!
//! std says what a thread is called to what it makes of it before it is created (`std::thread::Thread::new`), or, where that was
//! inlined, to what the thread begins with. C has functions for it in libraries other than wasi-libc.

use super::handles;
use super::intercepts::word;
use super::state::State;
use crate::model::EventKind;
use crate::program::interceptors::Role;

/// Longest name of a thread, in bytes: longer ones are cut.
const LONGEST_NAME: usize = 256;

/// `PR_SET_NAME` of Linux, whose `prctl` libraries imitate.
const PR_SET_NAME: u32 = 15;

/// The current thread enters a function with these arguments.
pub(super) fn enter(state: &mut State, memory: &[u8], role: Role, args: [u32; 4]) {
    let arg = |position: u8| args[usize::from(position)];
    let thread = state.current;
    match role {
        Role::NameNext { name } => {
            state.thread_mut().names_next = optional_string(memory, arg(name))
        }
        Role::NameSelf { init } if !state.thread().named => {
            if let Some(name) = name_in_init(memory, arg(init)) {
                state.emit(EventKind::ThreadName { of: thread, name });
            }
        }
        Role::NameThread { handle, name } => {
            let of = handles::thread(state, arg(handle));
            if let (Some(of), Some(name)) = (of, c_string(memory, arg(name))) {
                state.emit(EventKind::ThreadName { of, name });
            }
        }
        Role::Prctl if arg(0) == PR_SET_NAME => {
            // The other arguments are in memory.
            let name = word(memory, arg(1)).and_then(|name| c_string(memory, name));
            if let Some(name) = name {
                state.emit(EventKind::ThreadName { of: thread, name });
            }
        }
        _ => {}
    }
}

/// An `Option<String>`: capacity, address and length, with a capacity that no string has where there is none. What does not look
/// like one is none: another version of std may have another order.
fn optional_string(memory: &[u8], addr: u32) -> Option<String> {
    let field = |index: u32| word(memory, addr.checked_add(4 * index)?);
    let (capacity, address, length) = (field(0)?, field(1)?, field(2)?);
    if capacity > i32::MAX.cast_unsigned() || length > capacity || length == 0 {
        return None;
    }
    let bytes = memory.get(address as usize..)?.get(..length as usize)?;
    name(bytes)
}

/// The name in std's `ThreadInit`, of which one word points to what std knows of the thread: two counts of references, and
/// among what follows the address and length of the name, with the zero byte at its end. In which order is for the compiler to
/// decide, so it is looked for, and what does not fit in every way is none.
fn name_in_init(memory: &[u8], init: u32) -> Option<String> {
    const MOST_REFERENCES: u32 = 16;
    let words = |addr: u32, count: u32| {
        (0..count).map_while(move |index| word(memory, addr.checked_add(4 * index)?))
    };
    words(init, 3).find_map(|thread| {
        let counted = |at| matches!(word(memory, at), Some(1..=MOST_REFERENCES));
        if thread % 8 != 0 || !counted(thread) || !counted(thread.checked_add(4)?) {
            return None;
        }
        let fields: Vec<u32> = words(thread.checked_add(8)?, 6).collect();
        fields.windows(2).find_map(|pair| {
            let (address, length) = (pair[0] as usize, pair[1] as usize);
            let bytes = memory.get(address..)?.get(..length)?;
            let (&last, text) = bytes.split_last()?;
            let is_name = address != 0 && last == 0 && !text.is_empty() && !text.contains(&0);
            is_name.then(|| name(text)).flatten()
        })
    })
}

fn c_string(memory: &[u8], addr: u32) -> Option<String> {
    let bytes = memory.get(addr as usize..)?;
    let end = bytes.iter().take(LONGEST_NAME).position(|&byte| byte == 0);
    name(&bytes[..end.unwrap_or(LONGEST_NAME.min(bytes.len()))])
}

/// A name of this text, if it is one, cut at the limit.
fn name(bytes: &[u8]) -> Option<String> {
    let cut = &bytes[..bytes.len().min(LONGEST_NAME)];
    match std::str::from_utf8(cut) {
        Ok(name) => Some(name.to_owned()),
        Err(error) if error.error_len().is_none() => {
            let whole = &cut[..error.valid_up_to()];
            Some(String::from_utf8_lossy(whole).into_owned())
        }
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_optional_string_is_read_or_there_is_none() {
        let mut memory = vec![0; 64];
        let mut put = |capacity: u32, address: u32, length: u32| {
            for (at, value) in [(0, capacity), (4, address), (8, length)] {
                memory[at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
            memory[32..40].copy_from_slice(b"producer");
            optional_string(&memory, 0)
        };
        assert_eq!(put(8, 32, 8).as_deref(), Some("producer"));
        assert_eq!(put(16, 32, 3).as_deref(), Some("pro"));
        // None, another order of the fields, and what is not in memory.
        assert_eq!(put(1 << 31, 32, 8), None);
        assert_eq!(put(4, 32, 8), None);
        assert_eq!(put(8, 60, 8), None);
        assert_eq!(put(8, u32::MAX, 8), None);
        assert_eq!(optional_string(&[], 0), None);
        assert_eq!(optional_string(&[0; 12], u32::MAX), None);
    }

    #[test]
    fn the_name_that_std_starts_a_thread_with_is_found_in_any_order() {
        let memory = |init: [u32; 3], thread: [u32; 8]| {
            let mut memory = vec![0; 16];
            memory.extend(init.iter().flat_map(|word| word.to_le_bytes()));
            memory.resize(64, 0);
            memory.extend(thread.iter().flat_map(|word| word.to_le_bytes()));
            memory.resize(128, 0);
            memory[112..118].copy_from_slice(b"worker");
            name_in_init(&memory, 16)
        };
        // References, the thread's id, the name, the parker.
        let known = [2, 1, 2, 0, 112, 7, 0, 0];
        assert_eq!(memory([64, 8, 12], known).as_deref(), Some("worker"));
        assert_eq!(memory([8, 12, 64], known).as_deref(), Some("worker"));
        let other = [2, 1, 112, 7, 2, 0, 0, 0];
        assert_eq!(memory([8, 12, 64], other).as_deref(), Some("worker"));
        assert_eq!(memory([64, 8, 12], [2, 1, 2, 0, 0, 7, 0, 0]), None);
        assert_eq!(memory([64, 8, 12], [2, 1, 2, 0, 112, 8, 0, 0]), None);
        assert_eq!(memory([64, 8, 12], [0, 1, 2, 0, 112, 7, 0, 0]), None);
        assert_eq!(name_in_init(&[], u32::MAX), None);
    }

    #[test]
    fn names_are_cut_between_characters() {
        let long = "ä".repeat(LONGEST_NAME);
        let mut memory = vec![b'x'];
        memory.extend(long.as_bytes());
        memory.push(0);
        let name = c_string(&memory, 0).expect("it is a name");
        assert_eq!(name.len(), LONGEST_NAME - 1);
        assert_eq!(c_string(b"main\0rest", 0).as_deref(), Some("main"));
        assert_eq!(c_string(&[0xff, 0], 0), None);
        assert_eq!(c_string(&[], 7), None);
    }
}
