//! The command among the guests of this repository.

use snapbox::cmd::{Command, OutputAssert};
use std::path::Path;

pub(crate) fn grind(arguments: &[&str]) -> Command {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../test-programs");
    Command::new(snapbox::cmd::cargo_bin!("grind"))
        .env_remove("NO_COLOR")
        .current_dir(programs)
        .args(arguments)
}

pub(crate) fn stderr(assert: &OutputAssert) -> String {
    String::from_utf8(assert.get_output().stderr.clone()).unwrap()
}
