//! Source paths as the reader knows them, where debug information has those of another machine.

use crate::report::finding::frames::short_path;
use crate::report::finding::summary::Report;
use std::borrow::Cow;

/// What paths begin with, and what they shall begin with instead. The first rule that fits counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathMap {
    rules: Vec<(String, String)>,
}

/// A rule that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadPathRule {
    /// There is no `=`.
    #[error("expected `FROM=TO`")]
    NoSeparator,
    /// It would fit every path.
    #[error("what the path begins with is empty")]
    Empty,
}

impl PathMap {
    /// Takes this off the beginning of paths.
    ///
    /// # Errors
    /// If it is empty.
    pub fn strip(&mut self, prefix: &str) -> Result<(), BadPathRule> {
        self.push(prefix, "")
    }

    /// Adds a rule `FROM=TO`. The first `=` counts.
    ///
    /// # Errors
    /// If there is no `=`, or nothing before it.
    pub fn remap(&mut self, rule: &str) -> Result<(), BadPathRule> {
        let (from, to) = rule.split_once('=').ok_or(BadPathRule::NoSeparator)?;
        self.push(from, to)
    }

    fn push(&mut self, from: &str, to: &str) -> Result<(), BadPathRule> {
        // `/build` and `/build/` mean the same, and so does `/` alone.
        let directory = |path: &str| path.trim_end_matches(['/', '\\']).to_owned();
        if from.is_empty() {
            return Err(BadPathRule::Empty);
        }
        self.rules.push((directory(from), directory(to)));
        Ok(())
    }

    /// The path as it shall be shown. Only whole components fit: `/build` is no beginning of `/builder/a.rs`. A rule is about the
    /// path of the debug information, or about what reports show of it.
    #[must_use]
    pub fn apply<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let short = short_path(path);
        let moved = |(from, to): &(String, String)| {
            moved(path, from, to).or_else(|| moved(&short, from, to))
        };
        match self.rules.iter().find_map(moved) {
            Some(path) => Cow::Owned(path),
            None => Cow::Borrowed(path),
        }
    }

    /// What a path may have been before, most likely first.
    pub(in crate::report) fn before(&self, path: &str) -> impl Iterator<Item = String> {
        self.rules.iter().filter_map(move |(from, to)| match &**to {
            "" => Some(format!("{from}/{path}")),
            to => moved(path, to, from),
        })
    }
}

fn moved(path: &str, from: &str, to: &str) -> Option<String> {
    let rest = path.strip_prefix(from)?;
    let inner = rest.trim_start_matches(['/', '\\']);
    if inner.len() == rest.len() || inner.is_empty() {
        return None;
    }
    Some(match to {
        "" => inner.to_owned(),
        to => format!("{to}/{inner}"),
    })
}

impl Report {
    /// Changes all source paths of the report. Fingerprints do not depend on them.
    pub fn map_paths(&mut self, paths: &PathMap) {
        if paths.rules.is_empty() {
            return;
        }
        self.for_each_stack(&mut |stack| {
            for file in stack.iter_mut().filter_map(|frame| frame.file.as_mut()) {
                if let Cow::Owned(mapped) = paths.apply(file) {
                    *file = mapped;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rules: &[&str]) -> PathMap {
        let mut map = PathMap::default();
        for rule in rules {
            map.remap(rule).expect("a good rule");
        }
        map
    }

    #[test]
    fn whole_components_of_the_first_rule_that_fits() {
        let map = map(&[
            "/build/app=app",
            "/build=/src",
            "C:\\w=w",
            "lib=l",
            "library=",
        ]);
        for (path, shown) in [
            ("/build/app/src/main.rs", "app/src/main.rs"),
            ("/build/apple/main.rs", "/src/apple/main.rs"),
            ("/builder/main.rs", "/builder/main.rs"),
            ("/build", "/build"),
            ("/build/", "/build/"),
            ("src/main.rs", "src/main.rs"),
            ("C:\\w\\a.rs", "w/a.rs"),
            ("./src/main.rs", "./src/main.rs"),
            ("./lib/a.rs", "l/a.rs"),
            ("/rustc/0123abc/library/core/src/a.rs", "core/src/a.rs"),
        ] {
            assert_eq!(map.apply(path), shown);
        }
    }

    #[test]
    fn a_prefix_is_taken_off() {
        for prefix in ["/build/app", "/build/app/"] {
            let mut map = PathMap::default();
            map.strip(prefix).expect("a good prefix");
            assert_eq!(map.apply("/build/app/src/main.rs"), "src/main.rs");
            let before: Vec<_> = map.before("src/main.rs").collect();
            assert_eq!(before, ["/build/app/src/main.rs"]);
        }
        let mut root = PathMap::default();
        root.strip("/").expect("a good prefix");
        assert_eq!(root.apply("/src/main.rs"), "src/main.rs");
        assert_eq!(root.apply("src/main.rs"), "src/main.rs");
    }

    #[test]
    fn a_moved_path_is_found_again() {
        let map = map(&["/build=src", "a=b=c"]);
        assert_eq!(map.before("src/x.rs").collect::<Vec<_>>(), ["/build/x.rs"]);
        assert_eq!(map.apply("a/x.rs"), "b=c/x.rs");
    }

    #[test]
    fn rules_that_cannot_be_read() {
        let mut map = PathMap::default();
        assert_eq!(map.remap("/build"), Err(BadPathRule::NoSeparator));
        assert_eq!(map.remap("=x"), Err(BadPathRule::Empty));
        assert_eq!(map.strip(""), Err(BadPathRule::Empty));
    }
}
