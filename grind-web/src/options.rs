//! The options, as JavaScript gives them: one object, whose names are those of Node's `WASI` where it has them.

use crate::WebError;
use grind_runtime::detect::Detect;
use grind_runtime::explore::SeedRange;
use grind_runtime::trace;
use grind_runtime::{AnalysisOptions, Entry, Limits, RunSpec, Schedule, Strategy, Unfinished};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is run, and how. See `js/index.d.ts`, which documents them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Options {
    /// The name of the module, for reports.
    pub name: Option<String>,
    /// Arguments, the program's name first.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Directories of the files that the guest sees: each as its name for the guest, and its path among them.
    pub preopens: Vec<(String, String)>,
    /// Seeds to run under, as `0..20`.
    pub seeds: Option<String>,
    /// The seed to run under.
    pub seed: Option<u64>,
    /// Strategy.
    pub scheduler: Option<String>,
    /// Exported function that is run.
    pub invoke: Option<String>,
    /// Wait for threads that run when main has returned.
    pub wait_for_threads: bool,
    /// Look for races; otherwise only run.
    pub detect: Option<bool>,
    /// End a run at its first finding.
    pub halt_on_error: bool,
    /// End at the first seed with findings.
    pub fail_fast: bool,
    /// Limits.
    pub max_threads: Option<u32>,
    /// Bytes.
    pub max_memory: Option<u64>,
    /// Instructions.
    pub max_steps: Option<u64>,
    /// Record.
    pub trace: Option<Detail>,
    /// Put the module into the trace.
    pub embed_module: bool,
}

/// How much a trace has of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// Everything but plain accesses and calls.
    Light,
    /// Everything.
    Full,
}

impl From<Detail> for trace::Detail {
    fn from(detail: Detail) -> trace::Detail {
        match detail {
            Detail::Light => trace::Detail::Light,
            Detail::Full => trace::Detail::Full,
        }
    }
}

/// What a module is called that nobody has given a name.
const UNNAMED: &str = "module.wasm";

impl Options {
    /// # Errors
    /// [`WebError::Options`].
    pub fn from_json(text: &str) -> Result<Options, WebError> {
        serde_json::from_str(text)
            .map_err(|error| WebError::Options(format!("the options cannot be used: {error}")))
    }

    /// The name of the module.
    pub(crate) fn module(&self) -> &str {
        self.name.as_deref().unwrap_or(UNNAMED)
    }

    pub(crate) fn seeds(&self) -> Result<Option<SeedRange>, WebError> {
        let Some(text) = &self.seeds else {
            return Ok(None);
        };
        let range = text.parse::<SeedRange>();
        range
            .map(Some)
            .map_err(|error| WebError::Options(format!("seeds {text}: {error}")))
    }

    pub(crate) fn strategy(&self) -> Result<Strategy, WebError> {
        match &self.scheduler {
            None => Ok(Strategy::default()),
            Some(text) => (text.parse())
                .map_err(|error| WebError::Options(format!("scheduler {text}: {error}"))),
        }
    }

    pub(crate) fn analysis(&self) -> AnalysisOptions {
        AnalysisOptions::default()
            .detect(match self.detect {
                Some(false) => Detect::None,
                None | Some(true) => Detect::HappensBefore,
            })
            .halt_on_error(self.halt_on_error)
    }

    /// The run, under one seed.
    pub(crate) fn spec(&self) -> Result<RunSpec, WebError> {
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(WebError::Options(format!(
                    "env: {name:?} cannot be the name of a variable with this value"
                )));
            }
        }
        if let Some((guest, _)) = (self.preopens.iter()).find(|(guest, _)| guest.contains('\0')) {
            return Err(WebError::Options(format!(
                "preopens: {guest:?} contains a NUL"
            )));
        }
        if let Some(arg) = self.args.iter().find(|arg| arg.contains('\0')) {
            return Err(WebError::Options(format!("args: {arg:?} contains a NUL")));
        }
        let args = match self.args.is_empty() {
            true => vec![self.module().as_bytes().to_vec()],
            false => self
                .args
                .iter()
                .map(|arg| arg.as_bytes().to_vec())
                .collect(),
        };
        let variable = |(name, value)| format!("{name}={value}").into_bytes();
        let limits = Limits::default();
        Ok(RunSpec::default()
            .args(args)
            .env(self.env.iter().map(variable).collect())
            .preopens(
                (self
                    .preopens
                    .iter()
                    .map(|(guest, _)| guest.as_bytes().to_vec()))
                .collect(),
            )
            .schedule(Schedule::Strategy {
                strategy: self.strategy()?,
                seed: self.seed.unwrap_or(0),
            })
            .entry(Entry::default().function(self.invoke.clone()).unfinished(
                match self.wait_for_threads {
                    true => Unfinished::Wait,
                    false => Unfinished::Observe,
                },
            ))
            .limits(
                Limits::default()
                    .threads(self.max_threads.unwrap_or(limits.threads))
                    .memory(self.max_memory.unwrap_or(limits.memory))
                    .steps(self.max_steps),
            ))
    }

    /// The command that shows the same again, where grind is installed.
    pub(crate) fn reproduce(&self, seed: Option<u64>) -> Option<String> {
        let mut words: Vec<String> = vec!["grind".into(), "run".into()];
        let mut option = |name: &str, value: Option<String>| {
            words.extend(value.into_iter().flat_map(|value| [name.to_owned(), value]));
        };
        option("--seed", seed.map(|seed| seed.to_string()));
        option("--scheduler", self.scheduler.clone());
        option("--invoke", self.invoke.clone());
        option("--max-threads", self.max_threads.map(|n| n.to_string()));
        option("--max-memory", self.max_memory.map(|n| n.to_string()));
        option("--max-steps", self.max_steps.map(|n| n.to_string()));
        for (name, value) in &self.env {
            option("--env", Some(format!("{name}={value}")));
        }
        for (guest, path) in &self.preopens {
            // Files of these paths, from where the command is run.
            let path = match path.trim_matches('/') {
                "" => ".",
                path => path,
            };
            option("--dir", Some(format!("{path}::{guest}")));
        }
        let flags = [
            (self.wait_for_threads, "--wait-for-threads"),
            (self.halt_on_error, "--halt-on-error"),
        ];
        let flags = flags.iter().filter(|(set, _)| *set);
        words.extend(flags.map(|(_, name)| (*name).to_owned()));
        // Otherwise the guest is called as its module.
        if let Some(name) = self.args.first().filter(|name| *name != self.module()) {
            words.extend(["--argv0".to_owned(), name.clone()]);
        }
        words.push(self.module().to_owned());
        words.extend(self.args.iter().skip(1).cloned());
        shlex::try_join(words.iter().map(String::as_str)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_nobody_knows_are_refused() {
        let error = Options::from_json(r#"{"sedes": "0..3"}"#).expect_err("no option");
        assert!(
            error.to_string().contains("unknown field `sedes`"),
            "{error}"
        );
        assert_eq!(error.code(), "options");
    }

    #[test]
    fn the_first_argument_is_the_programs_name() {
        let options = Options {
            args: vec!["app".into(), "it's".into()],
            env: BTreeMap::from([("A".into(), "b c".into())]),
            preopens: vec![
                ("/".into(), "/".into()),
                ("/data".into(), "/in/put/".into()),
            ],
            ..Options::default()
        };
        let spec = options.spec().expect("they make sense");
        assert_eq!(spec.args, [b"app".to_vec(), b"it's".to_vec()]);
        assert_eq!(spec.env, [b"A=b c".to_vec()]);
        let line = options.reproduce(Some(3)).expect("it can be written");
        assert_eq!(
            line,
            r#"grind run --seed 3 --env 'A=b c' --dir .::/ --dir in/put::/data --argv0 app module.wasm "it's""#
        );
    }

    #[test]
    fn what_no_host_could_give_is_refused() {
        for bad in [
            r#"{"seeds": "3..3"}"#,
            r#"{"scheduler": "no such"}"#,
            r#"{"env": {"A=B": ""}}"#,
            r#"{"args": ["\u0000"]}"#,
        ] {
            let options = Options::from_json(bad).expect("names are right");
            let made = options.seeds().and(options.spec());
            assert!(made.is_err_and(|error| error.code() == "options"), "{bad}");
        }
    }
}
