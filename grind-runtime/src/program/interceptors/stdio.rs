//! Functions of C's standard input and output: which memory of their caller they read and write.
//!
//! Their inside is hidden, for they lock streams, and buffers of streams are theirs. What they are given is the caller's.

use super::Role;
use wasmparser::{FuncType, ValType};

/// Bytes of the caller's, as parameters say where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bytes {
    /// A string with its end, at this parameter.
    Text(u8),
    /// So many items of a size.
    Items {
        /// Parameter that holds the address.
        at: u8,
        /// Parameter that holds the bytes of an item.
        size: u8,
        /// Parameter that holds their number.
        count: u8,
    },
    /// As many items of a size as the function returns.
    ItemsDone {
        /// Parameter that holds the address.
        at: u8,
        /// Parameter that holds the bytes of an item.
        size: u8,
    },
    /// A string with its end, if the function does not return 0.
    TextIfAny(u8),
    /// A string of the length that the function returns, with its end; nothing if it returns less than 0.
    Printed {
        /// Parameter that holds the address.
        at: u8,
        /// Parameter that holds the most bytes, the end included.
        limit: Option<u8>,
    },
    /// A string of the length that the function returns, with its end, at the address that is at this parameter; nothing if it
    /// returns less than 0.
    PrintedAt(u8),
    /// A word; if the function may fail, only when it does not return less than 0.
    Word(u8),
}

/// Memory that such a function accesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Touch {
    /// It reads these bytes, before anything else.
    Reads(Bytes),
    /// It has written these bytes when it returns.
    Writes(Bytes),
    /// It reads what a format of `printf` says, and writes what that says.
    Prints {
        /// Parameter that holds the format's address.
        format: u8,
        /// Parameter that holds the address of the arguments.
        args: u8,
    },
    /// It has written what a format of `scanf` says; it returns how many items of that.
    Scans {
        /// Parameter that holds the format's address.
        format: u8,
        /// Parameter that holds the address of the arguments.
        args: u8,
    },
}

const fn reads(at: u8) -> Touch {
    Touch::Reads(Bytes::Text(at))
}

const fn prints(format: u8) -> Touch {
    Touch::Prints {
        format,
        args: format + 1,
    }
}

const fn scans(format: u8) -> Touch {
    Touch::Scans {
        format,
        args: format + 1,
    }
}

const fn printed(limit: Option<u8>) -> Touch {
    Touch::Writes(Bytes::Printed { at: 0, limit })
}

/// The line, its address and its size, of a function that may need a larger buffer.
const LINE: &[Touch] = &[
    Touch::Reads(Bytes::Word(0)),
    Touch::Reads(Bytes::Word(1)),
    Touch::Writes(Bytes::PrintedAt(0)),
    Touch::Writes(Bytes::Word(0)),
    Touch::Writes(Bytes::Word(1)),
];

/// Names, without what [`plain`] takes away; number of parameters, all `i32`; and what they access. A `va_list` of C on wasm is
/// a pointer to the arguments, and so are the variable arguments themselves: functions with either are alike.
#[rustfmt::skip]
const TABLE: &[(&[&str], usize, &[Touch])] = &[
    (&["printf", "iprintf", "small_printf", "vprintf", "viprintf", "vsmall_printf"], 2, &[prints(0)]),
    (&["fprintf", "fiprintf", "small_fprintf", "vfprintf", "vfiprintf", "dprintf", "vdprintf"], 3, &[prints(1)]),
    (&["sprintf", "siprintf", "small_sprintf", "vsprintf", "vsiprintf"], 3, &[prints(1), printed(None)]),
    (&["snprintf", "sniprintf", "small_snprintf", "vsnprintf", "vsniprintf"], 4, &[prints(2), printed(Some(1))]),
    (&["asprintf", "vasprintf"], 3, &[prints(1), Touch::Writes(Bytes::Word(0))]),
    (&["scanf", "vscanf"], 2, &[reads(0), scans(0)]),
    (&["fscanf", "vfscanf"], 3, &[reads(1), scans(1)]),
    (&["sscanf", "vsscanf"], 3, &[reads(0), reads(1), scans(1)]),
    (&["fwrite"], 4, &[Touch::Reads(Bytes::Items { at: 0, size: 1, count: 2 })]),
    (&["fread"], 4, &[Touch::Writes(Bytes::ItemsDone { at: 0, size: 1 })]),
    (&["fputs"], 2, &[reads(0)]),
    (&["puts", "perror"], 1, &[reads(0)]),
    (&["fgets"], 3, &[Touch::Writes(Bytes::TextIfAny(0))]),
    (&["getline"], 3, LINE),
    (&["getdelim"], 4, LINE),
    (&["fopen"], 2, &[reads(0), reads(1)]),
    (&["freopen"], 3, &[reads(0), reads(1)]),
    (&["fdopen"], 2, &[reads(1)]),
];

/// `__isoc99_sscanf` is `sscanf`, and `fputs_unlocked` is `fputs`.
fn plain(name: &str) -> &str {
    let name = name.trim_start_matches("__");
    let name = name.strip_prefix("isoc99_").unwrap_or(name);
    name.strip_suffix("_unlocked").unwrap_or(name)
}

/// What a function with this name and type accesses, if it is known. Of one with another type it is not known, but hidden it
/// is as well.
pub(super) fn role(name: &str, ty: &FuncType) -> Option<Role> {
    let name = plain(name);
    let &(_, params, touches) = TABLE.iter().find(|(names, _, _)| names.contains(&name))?;
    let known = ty.params().len() == params
        && ty
            .params()
            .iter()
            .chain(ty.results())
            .all(|&ty| ty == ValType::I32)
        && ty.results().len() <= 1;
    // The result says how much was done.
    let told = ty.results().len() == 1 || !touches.iter().any(|touch| touch.after());
    Some(if known && told {
        Role::Stdio { touches }
    } else {
        Role::Hide { callbacks: false }
    })
}

impl Touch {
    /// Whether the function's result is needed.
    fn after(self) -> bool {
        matches!(self, Touch::Writes(_) | Touch::Scans { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_has_one_entry_by_whatever_name() {
        let i32s = |params, results: usize| {
            FuncType::new(vec![ValType::I32; params], vec![ValType::I32; results])
        };
        for name in ["snprintf", "__snprintf", "vsnprintf", "__small_snprintf"] {
            let found = role(name, &i32s(4, 1));
            assert!(matches!(found, Some(Role::Stdio { .. })), "{name}");
        }
        assert_eq!(
            role("fgets_unlocked", &i32s(3, 1)),
            role("fgets", &i32s(3, 1))
        );
        assert_eq!(
            role("__isoc99_sscanf", &i32s(3, 1)),
            role("sscanf", &i32s(3, 1))
        );
        assert_eq!(role("printer", &i32s(2, 1)), None);
    }

    #[test]
    fn what_a_function_of_another_type_accesses_is_not_known() {
        // Link-time optimisation left out the format.
        let ty = FuncType::new([ValType::I32], [ValType::I32]);
        assert_eq!(role("printf", &ty), Some(Role::Hide { callbacks: false }));
        let ty = FuncType::new(vec![ValType::I32; 4], []);
        assert_eq!(role("fread", &ty), Some(Role::Hide { callbacks: false }));
        assert!(matches!(role("fwrite", &ty), Some(Role::Stdio { .. })));
    }
}
