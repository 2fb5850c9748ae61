//! What JavaScript sees. `js/index.mjs` is written to it, and hides it.

#![expect(
    unreachable_pub,
    reason = "the bindings are made of functions that are public, and JavaScript reaches them"
)]

use crate::{Checker, Options, WebError};
use js_sys::{Error, Reflect, Uint8Array};
use std::cell::RefCell;
use wasm_bindgen::prelude::{JsValue, wasm_bindgen};

#[wasm_bindgen]
extern "C" {
    /// Milliseconds since some moment.
    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

thread_local! {
    /// What the last panic said: the module that panicked can tell it still, where the exception that ends it cannot.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Begins to keep what panics say.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| {
        let said = panic.to_string();
        PANIC.with(|last| last.replace(said));
    }));
}

/// What the last panic said, empty if there was none: a defect of grind.
#[wasm_bindgen(js_name = lastPanic)]
pub fn last_panic() -> String {
    PANIC.with(RefCell::take)
}

/// The version of grind.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// Work that is made in steps.
#[wasm_bindgen(js_name = Checker)]
pub struct JsChecker(Checker);

#[wasm_bindgen(js_class = Checker)]
impl JsChecker {
    /// A module under many seeds.
    pub fn check(module: Vec<u8>, options: &str) -> Result<JsChecker, Error> {
        let made = Options::from_json(options).and_then(|options| Checker::check(module, options));
        made.map(JsChecker).map_err(error)
    }

    /// A module under one.
    pub fn run(module: Vec<u8>, options: &str) -> Result<JsChecker, Error> {
        let made = Options::from_json(options).and_then(|options| Checker::run(module, options));
        made.map(JsChecker).map_err(error)
    }

    /// A trace.
    pub fn replay(
        trace: Vec<u8>,
        module: Option<Vec<u8>>,
        options: &str,
    ) -> Result<JsChecker, Error> {
        let made =
            Options::from_json(options).and_then(|options| Checker::replay(trace, module, options));
        made.map(JsChecker).map_err(error)
    }

    /// What the guests read.
    #[wasm_bindgen(js_name = setStdin)]
    pub fn set_stdin(&mut self, bytes: Vec<u8>) {
        self.0.set_stdin(bytes);
    }

    /// A file for the guests, or with a slash at the end of its path a directory.
    #[wasm_bindgen(js_name = addFile)]
    pub fn add_file(&mut self, path: &str, contents: Vec<u8>) -> Result<(), Error> {
        self.0.add_file(path, contents).map_err(error)
    }

    /// Paths of the files as the first run left them.
    #[wasm_bindgen(js_name = fileNames)]
    pub fn file_names(&self) -> Vec<String> {
        let files = self.0.files().into_iter();
        files.map(|(path, _)| path).collect()
    }

    /// What is in them, in the same order.
    #[wasm_bindgen(js_name = fileContents)]
    pub fn file_contents(&self) -> Vec<Uint8Array> {
        let files = self.0.files().into_iter();
        files
            .map(|(_, contents)| Uint8Array::from(contents))
            .collect()
    }

    /// Works for so many milliseconds, about. Returns whether it has come to its end.
    pub fn step(&mut self, milliseconds: f64) -> Result<bool, Error> {
        let end = now() + milliseconds;
        self.0.step(|| now() < end).map_err(error)
    }

    /// Runs that have ended.
    #[wasm_bindgen(getter)]
    pub fn runs(&self) -> f64 {
        self.0.progress().runs as f64
    }

    /// Runs that are to be made.
    #[wasm_bindgen(getter)]
    pub fn of(&self) -> f64 {
        self.0.progress().of as f64
    }

    /// Findings so far.
    #[wasm_bindgen(getter)]
    pub fn findings(&self) -> f64 {
        self.0.progress().findings as f64
    }

    /// Words of records so far.
    #[wasm_bindgen(getter)]
    pub fn words(&self) -> f64 {
        self.0.progress().words as f64
    }

    /// What was printed since this was asked last.
    #[wasm_bindgen(js_name = takeStdout)]
    pub fn take_stdout(&self) -> Vec<u8> {
        self.0.take_stdout()
    }

    /// What was printed since this was asked last.
    #[wasm_bindgen(js_name = takeStderr)]
    pub fn take_stderr(&self) -> Vec<u8> {
        self.0.take_stderr()
    }

    /// The report as a kind of its name, once there is one.
    pub fn render(&self, kind: &str) -> Result<String, Error> {
        self.0.render(kind).map_err(error)
    }

    /// What the command exits with.
    #[wasm_bindgen(getter, js_name = exitCode)]
    pub fn exit_code(&self) -> Option<u8> {
        self.0.finished().map(|finished| finished.exit_code)
    }

    /// Whether it was a trace that ended before the run did.
    #[wasm_bindgen(getter)]
    pub fn truncated(&self) -> bool {
        self.0.finished().is_some_and(|finished| finished.truncated)
    }

    /// The trace, if one was recorded.
    #[wasm_bindgen(getter)]
    pub fn trace(&self) -> Option<Vec<u8>> {
        self.0
            .finished()
            .and_then(|finished| finished.trace.clone())
    }
}

/// As an exception, with its code.
fn error(why: WebError) -> Error {
    let error = Error::new(&why.to_string());
    let code = JsValue::from_str(why.code());
    // It fails of objects that are frozen only.
    let _ = Reflect::set(&error, &JsValue::from_str("code"), &code);
    error
}
