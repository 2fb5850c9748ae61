//! Programs as files: what the lowering made of a module, so that the next process does not lower it again.
//!
//! A file is of one version of grind: how a module is lowered is no interface. It begins with [`MAGIC`], the version, and SHA-256 of the
//! original module; behind that are SHA-256 of all else in the file, and the [`Contents`] in postcard. What follows from the declarations of
//! the original module alone, and functions of the embedder, which are code, are not in it.

use super::lock_words::LockWord;
use super::lower::Lowered;
use super::{
    Instrumentation, Module, Parts, Program, ProgramError, ProgramOptions, Translation, imports,
    interceptors, module,
};
use crate::model::sites::{SiteId, SiteTable};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// The first bytes of such a file.
const MAGIC: [u8; 8] = *b"grindpgm";

/// Counts changes of the file, and of the lowering, within a version of grind.
const FORMAT: u32 = 2;

/// Bytes of a hash.
const HASH: usize = 32;

/// What is behind the hashes.
#[derive(Serialize, Deserialize)]
struct Contents {
    original: Vec<u8>,
    instrumented: bool,
    rules: Vec<interceptors::Rule>,
    lowered: Vec<u8>,
    sites: SiteTable,
    recyclable: bool,
    lock_sites: Vec<(SiteId, LockWord)>,
}

/// A program has something that no file can have: a rule of the embedder's own with a role that is built in.
#[derive(Debug, thiserror::Error)]
#[error("a rule for interceptors has a role that cannot be stored: {0}")]
pub struct SerializeError(#[source] postcard::Error);

/// Why bytes are no program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeserializeError {
    /// They are something else.
    #[error("this is no program that grind lowered")]
    NotAProgram,
    /// Another version of grind wrote them.
    #[error(
        "the program was lowered by grind {file}, and this is grind {this}; lower the module again"
    )]
    Version {
        /// Which.
        file: String,
        /// This one.
        this: String,
    },
    /// They end early, or were changed.
    #[error("the program is cut or was changed: {0}")]
    Damaged(&'static str),
    /// It was lowered with other [`ProgramOptions::interceptors`], or another [`ProgramOptions::instrumentation`].
    #[error(
        "the program was lowered with other interceptors, or another instrumentation; lower the module again"
    )]
    Options,
    /// What is given to it does not fit: functions of the embedder, among others.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// The version that a file is of.
fn version() -> String {
    format!("{} (format {FORMAT})", env!("CARGO_PKG_VERSION"))
}

impl Program {
    /// The program as bytes, for [`Program::deserialize`] of the same version of grind. They hold the original module, so that reports need
    /// nothing else.
    ///
    /// What an engine made of the program is not in it: wasmi translates to code that has no serial form, so that the first run of each process
    /// translates the lowered module.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use grind_runtime::{NullIo, Program, ProgramOptions, RunOptions, run};
    ///
    /// let wasm = wat::parse_str(r#"(module (func (export "main") (result i32) (i32.const 7)))"#)?;
    /// let bytes = Program::new(&wasm)?.serialize()?;
    /// let program = Program::deserialize(&bytes, ProgramOptions::default())?;
    /// assert_eq!(run(&program, RunOptions::default(), NullIo)?.exit_code(), 7);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`SerializeError`]
    pub fn serialize(&self) -> Result<Vec<u8>, SerializeError> {
        let module = &self.0.module;
        let Lowered {
            wasm,
            sites,
            recyclable,
            lock_sites,
            // They follow from names and rules.
            interceptors: _,
        } = &module.lowered;
        let mut lock_sites: Vec<_> = lock_sites.iter().map(|(&id, &word)| (id, word)).collect();
        lock_sites.sort_unstable();
        let contents = Contents {
            original: module.original.to_vec(),
            instrumented: module.instrumentation == Instrumentation::Full,
            rules: module.rules.clone(),
            lowered: wasm.clone(),
            sites: SiteTable::clone(sites),
            recyclable: *recyclable,
            lock_sites,
        };
        let contents = postcard::to_stdvec(&contents).map_err(SerializeError)?;
        Ok(seal(Sha256::digest(&module.original).into(), &contents))
    }

    /// The program that was [serialized](Program::serialize), with functions of the embedder, and a driver, as in
    /// [`Program::with_options`]. Interceptors and instrumentation have to be those with which it was lowered.
    ///
    /// No bytes make it panic, and none that were cut or changed by accident are taken. It is no defence against somebody who makes a file
    /// on purpose: what is wrong in a run of that is not foreseen, though no memory of the host is accessed by it.
    ///
    /// # Errors
    /// [`DeserializeError`]
    pub fn deserialize(bytes: &[u8], options: ProgramOptions) -> Result<Program, DeserializeError> {
        let contents = unseal(bytes)?;
        let contents: Contents =
            postcard::from_bytes(contents).map_err(|_| DeserializeError::Damaged(CONTENTS))?;
        let instrumentation = match contents.instrumented {
            true => Instrumentation::Full,
            false => Instrumentation::Off,
        };
        if options.interceptors != contents.rules || options.instrumentation != instrumentation {
            return Err(DeserializeError::Options);
        }
        let sites = contents.sites;
        let in_table = |(id, _): &(SiteId, LockWord)| (id.0 as usize) < sites.len();
        if !sites.is_complete() || !contents.lock_sites.iter().all(in_table) {
            return Err(DeserializeError::Damaged(CONTENTS));
        }
        let original: Arc<[u8]> = contents.original.into();
        let info = module::parse(&original)?.info;
        imports::check(&info, &options.imports)?;
        let lowered = Lowered {
            wasm: contents.lowered,
            sites: Arc::new(sites),
            interceptors: match instrumentation {
                Instrumentation::Full => interceptors::find(&info, &contents.rules),
                Instrumentation::Off => Vec::new(),
            },
            recyclable: contents.recyclable,
            lock_sites: Arc::new(contents.lock_sites.into_iter().collect()),
        };
        Ok(Program(Arc::new(Parts {
            module: Arc::new(Module {
                original,
                info,
                lowered,
                instrumentation,
                rules: contents.rules,
                translation: Translation::new(options.translate),
            }),
            embedder: options.imports,
            driver: options.driver,
        })))
    }
}

/// What is said of contents that do not fit together.
const CONTENTS: &str = "its contents are not what was written";

/// A file of these contents.
fn seal(module: [u8; HASH], contents: &[u8]) -> Vec<u8> {
    let version = version();
    let mut file = MAGIC.to_vec();
    file.push(version.len() as u8);
    file.extend_from_slice(version.as_bytes());
    file.extend_from_slice(&module);
    let hash = Sha256::new().chain_update(&file).chain_update(contents);
    file.extend_from_slice(&hash.finalize());
    file.extend_from_slice(contents);
    file
}

/// The contents of a file, if they are those that were written, by this version.
fn unseal(file: &[u8]) -> Result<&[u8], DeserializeError> {
    const EARLY: DeserializeError = DeserializeError::Damaged("it ends early");
    let rest = (file.strip_prefix(&MAGIC)).ok_or(DeserializeError::NotAProgram)?;
    let (&len, rest) = rest.split_first().ok_or(EARLY)?;
    let (version, rest) = rest.split_at_checked(len.into()).ok_or(EARLY)?;
    let this = self::version();
    if version != this.as_bytes() {
        let file = String::from_utf8_lossy(version).into_owned();
        return Err(DeserializeError::Version { file, this });
    }
    let (_, rest) = rest.split_at_checked(HASH).ok_or(EARLY)?;
    let (hash, contents) = rest.split_at_checked(HASH).ok_or(EARLY)?;
    let head = &file[..file.len() - rest.len()];
    let found = Sha256::new().chain_update(head).chain_update(contents);
    match found.finalize().as_slice() == hash {
        true => Ok(contents),
        false => Err(DeserializeError::Damaged("its hash is another one")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GUEST: &str = r#"(module
        (import "threadlink" "thread_create" (func $create (param i32 i32) (result i32)))
        (memory 1 1 shared)
        (func $write (i32.store (i32.const 64) (i32.load (i32.const 68))))
        (func (export "thread_start") (param i32) (call $write))
        (func (export "_start") (drop (call $create (i32.const 0) (i32.const 0)))))"#;

    fn file() -> Vec<u8> {
        let wasm = wat::parse_str(GUEST).expect("it is a module");
        let program = Program::new(&wasm).expect("it is a program");
        program.serialize().expect("it has no rules")
    }

    proptest! {
        /// Nobody makes such a file by accident: the hash is right, and the contents are not.
        #[test]
        fn contents_that_were_changed_and_sealed_again_make_no_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
            len in any::<prop::sample::Index>(),
            cut in any::<bool>(),
        ) {
            let mut contents = unseal(&file()).expect("it was written").to_vec();
            for (at, byte) in changes {
                let at = at.index(contents.len());
                contents[at] = byte;
            }
            if cut {
                contents.truncate(len.index(contents.len()));
            }
            let file = seal([0; HASH], &contents);
            if let Ok(program) = Program::deserialize(&file, ProgramOptions::default()) {
                prop_assert!(!program.sites().is_empty());
            }
        }
    }

    #[test]
    fn another_version_is_refused_and_both_are_named() {
        let mut file = file();
        let at = MAGIC.len() + 1;
        assert_eq!(&file[at..at + 2], b"0.");
        file[at] = b'9';
        let error = Program::deserialize(&file, ProgramOptions::default());
        let said = error.expect_err("it is of another version").to_string();
        let this = version();
        let expected = format!(
            "the program was lowered by grind 9{}, and this is grind {this}; lower the module again",
            &this[1..]
        );
        assert_eq!(said, expected);
    }
}
