//! The invariants of `docs/ARCHITECTURE.md` that can be read off the sources, which are parsed for it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{ItemMod, ItemUse, Macro, UseTree};

/// The folders of `grind-runtime`, and what each may import of the others. Nothing is above what it stands on.
const FOLDERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("predict", &[]),
    ("schedule", &["model"]),
    ("explore", &["model"]),
    ("program", &["model"]),
    ("analysis", &["model"]),
    ("trace", &["model", "program"]),
    ("machine", &["model", "program", "schedule"]),
    ("report", &["analysis", "model", "program"]),
    ("offline", &["analysis", "model", "predict", "trace"]),
    (
        "interop",
        &["model", "offline", "predict", "report", "trace"],
    ),
    (
        "host",
        &[
            "analysis", "machine", "model", "offline", "program", "report", "schedule", "trace",
        ],
    ),
];

/// What only some files may name, by the beginning of its path.
const RESERVED: &[(&str, &[&str])] = &[
    // So that a second engine can be added.
    ("wasmi", &["machine/engine"]),
    ("wasmi_core", &["machine/engine"]),
    // A run asks the host for nothing that is not recorded. Excerpts are read where a report is made.
    ("std::fs", &["host/files.rs", "report/source.rs"]),
    ("std::env", &[]),
    // Of files: when they were changed.
    ("std::time", &["host/files.rs"]),
    ("getrandom", &[]),
    // Their order is random.
    ("std::collections::HashMap", &[]),
    ("std::collections::HashSet", &[]),
    ("std::hash::RandomState", &[]),
    ("std::hash::DefaultHasher", &[]),
    ("std::collections::hash_map", &[]),
    ("std::collections::hash_set", &[]),
];

/// A source file.
struct Source {
    /// Below `src`.
    path: PathBuf,
    /// Every path that it names, from the root of the crate, or of another one.
    paths: BTreeSet<String>,
}

impl Source {
    fn folder(&self) -> Option<&str> {
        let mut components = self.path.components();
        let first = components.next()?.as_os_str().to_str()?;
        components.next().is_some().then_some(first)
    }

    /// What it imports of its own crate, from the root.
    fn own(&self) -> impl Iterator<Item = &str> {
        (self.paths.iter()).filter_map(|path| path.strip_prefix("crate::"))
    }
}

/// Collects the paths of a file.
struct Paths {
    /// Where it is in the crate.
    module: Vec<String>,
    found: BTreeSet<String>,
}

impl Paths {
    fn add(&mut self, segments: &[String]) {
        let Some(first) = segments.first() else {
            return;
        };
        let mut module = self.module.clone();
        let mut rest = segments;
        let mut path = match first.as_str() {
            "self" | "super" => {
                while let Some((first, others)) = rest.split_first() {
                    match first.as_str() {
                        "self" => {}
                        "super" => drop(module.pop()),
                        _ => break,
                    }
                    rest = others;
                }
                module.insert(0, "crate".to_owned());
                module
            }
            _ => Vec::new(),
        };
        path.extend_from_slice(rest);
        self.found.insert(path.join("::"));
    }

    fn add_tree(&mut self, tree: &UseTree, prefix: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                prefix.push(path.ident.to_string());
                self.add_tree(&path.tree, prefix);
                prefix.pop();
            }
            UseTree::Name(name) => self.add_leaf(&name.ident.to_string(), prefix),
            UseTree::Rename(rename) => self.add_leaf(&rename.ident.to_string(), prefix),
            UseTree::Glob(_) => self.add(prefix),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.add_tree(tree, prefix);
                }
            }
        }
    }

    fn add_leaf(&mut self, leaf: &str, prefix: &[String]) {
        let mut path = prefix.to_vec();
        if leaf != "self" || path.is_empty() {
            path.push(leaf.to_owned());
        }
        self.add(&path);
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&item.tree, &mut Vec::new());
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        let segments: Vec<String> = segments.map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.add(&segments);
        }
        visit::visit_path(self, path);
    }

    /// The arguments of a macro are no syntax tree. Whatever looks like a path in them is taken for one.
    fn visit_macro(&mut self, call: &'ast Macro) {
        let text = call.tokens.to_string().replace(" :: ", "::");
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            let segments: Vec<String> = word.split("::").map(str::to_owned).collect();
            if segments.len() > 1 && segments.iter().all(|segment| !segment.is_empty()) {
                self.add(&segments);
            }
        }
        visit::visit_macro(self, call);
    }
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The sources of a crate of the workspace.
fn sources(package: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(package)
        .join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    found.sort();
    assert!(!found.is_empty(), "no sources in {}", root.display());
    let read = |file: PathBuf| {
        let path = file.strip_prefix(&root).unwrap().to_path_buf();
        let mut paths = Paths {
            module: module(&path),
            found: BTreeSet::new(),
        };
        let text = fs::read_to_string(&file).unwrap();
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        paths.visit_file(&syntax);
        Source {
            path,
            paths: paths.found,
        }
    };
    found.into_iter().map(read).collect()
}

/// The module that a file is.
fn module(path: &Path) -> Vec<String> {
    let without = path.with_extension("");
    let mut module: Vec<String> = (without.components())
        .map(|component| component.as_os_str().to_str().unwrap().to_owned())
        .collect();
    if matches!(
        module.last().map(String::as_str),
        Some("mod" | "lib" | "main")
    ) {
        module.pop();
    }
    module
}

#[test]
fn every_folder_imports_what_it_may() {
    let sources = sources("grind-runtime");
    let folders: BTreeSet<&str> = sources.iter().filter_map(Source::folder).collect();
    let listed: BTreeSet<&str> = FOLDERS.iter().map(|(folder, _)| *folder).collect();
    assert_eq!(folders, listed, "the table has every folder");
    let mut wrong = Vec::new();
    for source in &sources {
        let Some(folder) = source.folder() else {
            continue;
        };
        let (_, allowed) = FOLDERS.iter().find(|(name, _)| *name == folder).unwrap();
        for path in source.own() {
            let of = path.split("::").next().unwrap();
            if of != folder && folders.contains(of) && !allowed.contains(&of) {
                wrong.push(format!("{} imports {path}", source.path.display()));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn the_table_says_what_is_imported_and_has_no_circle() {
    let sources = sources("grind-runtime");
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in &sources {
        if let Some(folder) = source.folder() {
            let of = source.own().map(|path| path.split("::").next().unwrap());
            used.entry(folder).or_default().extend(of);
        }
    }
    let mut graph: DiGraphMap<&str, ()> = DiGraphMap::new();
    for &(folder, allowed) in FOLDERS {
        for &other in allowed {
            assert!(
                used[folder].contains(other),
                "{folder} may import {other}, and does not"
            );
            graph.add_edge(folder, other, ());
        }
    }
    let circles: Vec<_> = tarjan_scc(&graph)
        .into_iter()
        .filter(|circle| circle.len() > 1)
        .collect();
    assert_eq!(circles, [[""; 0]; 0]);
}

#[test]
fn what_is_reserved_is_named_where_it_may_be() {
    let sources = sources("grind-runtime");
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<&str> = (RESERVED.iter())
        .flat_map(|(_, places)| places.iter().copied())
        .collect();
    for source in &sources {
        for path in &source.paths {
            let begins = |of: &str| {
                path.strip_prefix(of)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
            };
            let Some((_, places)) = RESERVED.iter().find(|(of, _)| begins(of)) else {
                continue;
            };
            match places.iter().find(|place| source.path.starts_with(place)) {
                Some(place) => drop(unused.remove(place)),
                None => wrong.push(format!("{} names {path}", source.path.display())),
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(unused, BTreeSet::new(), "exceptions that nothing needs");
}

/// The tests above are worth what this finds.
#[test]
fn paths_are_found_wherever_they_are() {
    let text = r#"
        use crate::{machine::{self, Trap as Fault}, report};
        use super::super::analysis::*;
        use std::collections::{BTreeMap, HashMap};
        //! crate::host in a comment
        fn f() -> crate::offline::Bounds {
            let text = "crate::interop";
            assert!(crate::trace::MAGIC == wasmi::MAGIC, "{}", text);
            std::fs::read(text)
        }
        mod inner { use super::schedule; }
    "#;
    let text = text.replace("//! crate", "// crate");
    let mut paths = Paths {
        module: vec!["program".to_owned(), "lower".to_owned()],
        found: BTreeSet::new(),
    };
    paths.visit_file(&syn::parse_file(&text).unwrap());
    let found: Vec<&str> = paths.found.iter().map(String::as_str).collect();
    assert_eq!(
        found,
        [
            "crate::analysis",
            "crate::machine",
            "crate::machine::Trap",
            "crate::offline::Bounds",
            "crate::program::lower::schedule",
            "crate::report",
            "crate::trace::MAGIC",
            "std::collections::BTreeMap",
            "std::collections::HashMap",
            "std::fs::read",
            "wasmi::MAGIC",
        ]
    );
}
