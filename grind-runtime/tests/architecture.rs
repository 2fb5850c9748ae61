//! The invariants of `docs/ARCHITECTURE.md` that can be read off the sources, which are parsed for it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};
use syn::{Item, ItemMod, ItemUse, Macro, UseTree};

/// A folder, and what it may import of the others of its crate.
type Row = (&'static str, &'static [&'static str]);

/// The folders of each crate. Nothing is above what it stands on.
const CRATES: &[(&str, &[Row])] = &[
    ("threadlink", GUEST),
    ("grind-runtime", RUNTIME),
    ("grind-cli", COMMAND_LINE),
    // It has no folders.
    ("grind-web", &[]),
];

const GUEST: &[Row] = &[
    ("sync/futex", &[]),
    ("sys", &["sync/futex"]),
    ("sync", &["sync/futex", "sys"]),
    ("task", &["sys"]),
];

const COMMAND_LINE: &[Row] = &[
    ("output", &[]),
    ("process", &["output"]),
    ("input", &["output", "process"]),
    ("args", &["input", "output", "process"]),
    ("settings", &["args", "output"]),
    (
        "commands",
        &["args", "input", "output", "process", "settings"],
    ),
    (
        "cargo",
        &["args", "commands", "output", "process", "settings"],
    ),
];

/// A folder in a folder is a row of its own; the row of the outer one is what is left.
const RUNTIME: &[Row] = &[
    ("model", &[]),
    ("schedule", &["model"]),
    ("explore", &["model", "schedule"]),
    ("program", &["model"]),
    ("trace", &["model", "program"]),
    ("machine", &["model", "program", "schedule"]),
    ("detect/common", &["model"]),
    ("detect/clocks", &["detect/common", "model"]),
    ("detect/memory", &["detect/common", "model"]),
    ("detect/threads", &["detect/common", "model"]),
    (
        "detect/races",
        &["detect/clocks", "detect/common", "detect/memory", "model"],
    ),
    (
        "detect/locks",
        &["detect/clocks", "detect/common", "detect/races", "model"],
    ),
    (
        "detect",
        &[
            "detect/common",
            "detect/locks",
            "detect/memory",
            "detect/races",
            "detect/threads",
            "model",
        ],
    ),
    ("predict/algorithms", &[]),
    (
        "predict/translate",
        &[
            "detect",
            "detect/clocks",
            "detect/races",
            "model",
            "predict/algorithms",
            "trace",
        ],
    ),
    ("predict", &["predict/algorithms"]),
    ("report/text", &["model", "program"]),
    (
        "report/finding",
        &["detect", "model", "program", "report/text"],
    ),
    (
        "report/render",
        &[
            "detect/common",
            "model",
            "program",
            "report/finding",
            "report/text",
        ],
    ),
    (
        "report/filter",
        &[
            "detect/common",
            "model",
            "program",
            "report/finding",
            "report/render",
            "report/text",
        ],
    ),
    (
        "report",
        &[
            "report/filter",
            "report/finding",
            "report/render",
            "report/text",
        ],
    ),
    (
        "interop",
        &[
            "model",
            "predict/algorithms",
            "predict/translate",
            "report/finding",
            "trace",
        ],
    ),
    (
        "host",
        &["detect", "machine", "model", "program", "session", "trace"],
    ),
    ("host/supervisor", &["host", "machine", "model", "schedule"]),
    (
        "session",
        &[
            "detect",
            "machine",
            "model",
            "predict/translate",
            "program",
            "report/finding",
            "schedule",
            "trace",
        ],
    ),
];

/// What only some files may name, by the beginning of its path.
const RESERVED: &[(&str, &[&str])] = &[
    // So that a second engine can be added.
    ("wasmi", &["machine/engine/wasmi"]),
    ("wasmi_core", &["machine/engine/wasmi"]),
    // A run asks the host for nothing that is not recorded. Excerpts are read where a report is made.
    (
        "std::fs",
        &[
            // What cargo built, before a run of it begins.
            "host/artifacts.rs",
            // A module, before a run of it begins.
            "host/namespace/source.rs",
            // Whether standard input is a file.
            "host/process_stdin.rs",
            "report/render/source.rs",
            "session/files.rs",
        ],
    ),
    ("std::env", &[]),
    // Of files: when they were changed.
    ("std::time::SystemTime", &["session/files.rs"]),
    // How long a host waited for calls in flight, which it tells the run as an act.
    ("std::time::Instant", &["host/shared.rs"]),
    ("getrandom", &[]),
    // Their order is random.
    ("std::collections::HashMap", &[]),
    ("std::collections::HashSet", &[]),
    ("std::hash::RandomState", &[]),
    ("std::hash::DefaultHasher", &[]),
    ("std::collections::hash_map", &[]),
    ("std::collections::hash_set", &[]),
];

/// Variants of `EventKind` that acquire, release, access or move a lock. What that means is asked of `model/meaning.rs`.
const MEANT: &[&str] = &[
    "Atomic",
    "BarrierArrive",
    "BarrierLeave",
    "CondvarWait",
    "CondvarWake",
    "HappensAfter",
    "HappensBefore",
    "HostAtomic",
    "HostNotify",
    "HostWake",
    "HostWoken",
    "LockAcquire",
    "LockRelease",
    "Notify",
    "Range",
    "WaitBegin",
    "WaitEnd",
];

/// Who may name them: where events are words, where they come from, and formats of others.
const NAMES_EVENTS: &[&str] = &[
    "interop/import.rs",
    "interop/parquet.rs",
    "machine",
    "model",
];

/// Flags of other tools that a file of the library names. It has none: those of the command line are added there.
const FLAGS: &[(&str, &str)] = &[
    // What cargo is told.
    ("host/artifacts.rs", "--bin"),
    ("host/artifacts.rs", "--example"),
    ("host/artifacts.rs", "--lib"),
    ("host/artifacts.rs", "--manifest-path"),
    ("host/artifacts.rs", "--profile"),
    ("host/artifacts.rs", "--target"),
    ("host/artifacts.rs", "--target-dir"),
    ("program/error.rs", "--shared-memory"),
];

/// A source file.
struct Source {
    /// Below `src`.
    path: PathBuf,
    /// Every path that it names, from the root of the crate, or of another one.
    paths: BTreeSet<String>,
    /// Those besides what its tests name.
    code: BTreeSet<String>,
    /// What looks like a flag in its texts.
    flags: BTreeSet<String>,
}

impl Source {
    /// The row of the folder that it is in.
    fn row<'a>(&self, table: &'a [Row]) -> Option<&'a Row> {
        let folder = self.path.parent()?.to_str()?;
        innermost(table, folder, '/')
    }

    /// What it imports of its own crate, from the root.
    fn own(&self) -> impl Iterator<Item = &str> {
        (self.paths.iter()).filter_map(|path| path.strip_prefix("crate::"))
    }
}

/// The row of the innermost folder that a path is in, with this between its parts.
fn innermost<'a>(table: &'a [Row], path: &str, between: char) -> Option<&'a Row> {
    let within = |folder: &str| {
        let folder = folder.replace('/', &between.to_string());
        let rest = path.strip_prefix(folder.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(between))
    };
    let rows = table.iter().filter(|(folder, _)| within(folder));
    rows.max_by_key(|(folder, _)| folder.len())
}

/// Collects the paths of a file.
struct Paths {
    /// Where it is in the crate.
    module: Vec<String>,
    /// Modules that it declares: paths may begin with them.
    children: BTreeSet<String>,
    found: BTreeSet<String>,
    /// Modules of tests are left out.
    without_tests: bool,
}

impl Paths {
    fn new(module: Vec<String>, file: &syn::File) -> Paths {
        let child = |item: &Item| match item {
            Item::Mod(item) if item.content.is_none() => Some(item.ident.to_string()),
            _ => None,
        };
        Paths {
            module,
            children: file.items.iter().filter_map(child).collect(),
            found: BTreeSet::new(),
            without_tests: false,
        }
    }

    fn add(&mut self, segments: &[String]) {
        let Some(first) = segments.first() else {
            return;
        };
        let mut module = self.module.clone();
        let mut rest = segments;
        let mut path = match first.as_str() {
            child if self.children.contains(child) => {
                module.insert(0, "crate".to_owned());
                module
            }
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
        let of_tests = |attribute: &syn::Attribute| {
            attribute.path().is_ident("cfg")
                && (attribute.parse_args::<syn::Path>()).is_ok_and(|path| path.is_ident("test"))
        };
        if self.without_tests && item.attrs.iter().any(of_tests) {
            return;
        }
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    /// Who may see something is no import.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

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

/// Collects what looks like a flag in the texts of a file. Comments are none.
#[derive(Default)]
struct Flags(BTreeSet<String>);

impl Flags {
    fn add(&mut self, text: &str) {
        let words = text.split(|c: char| !(c.is_alphanumeric() || c == '-'));
        let is_flag = |word: &&str| {
            let name = word.strip_prefix("--");
            name.is_some_and(|name| name.starts_with(char::is_alphabetic))
        };
        self.0.extend(words.filter(is_flag).map(str::to_owned));
    }
}

impl<'ast> Visit<'ast> for Flags {
    fn visit_lit_str(&mut self, text: &'ast syn::LitStr) {
        self.add(&text.value());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if !attribute.path().is_ident("doc") {
            visit::visit_attribute(self, attribute);
        }
    }

    /// What attributes have in brackets, as `thiserror`'s do, is no syntax tree.
    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.add(&list.tokens.to_string());
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.add(&call.tokens.to_string());
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
        let text = fs::read_to_string(&file).unwrap();
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let mut paths = Paths::new(module(&path), &syntax);
        paths.visit_file(&syntax);
        let mut code = Paths::new(module(&path), &syntax);
        code.without_tests = true;
        code.visit_file(&syntax);
        let mut flags = Flags::default();
        flags.visit_file(&syntax);
        Source {
            path,
            paths: paths.found,
            code: code.found,
            flags: flags.0,
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
fn every_folder_imports_what_its_row_allows_and_all_of_that() {
    let mut wrong = Vec::new();
    for (package, table) in CRATES {
        let sources = sources(package);
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
        for source in &sources {
            let path = source.path.display();
            let Some((folder, allowed)) = source.row(table) else {
                let of_the_crate = ["", "bin"].map(Path::new).map(Some);
                if !of_the_crate.contains(&source.path.parent()) {
                    wrong.push(format!("{package}: {path} is in no row"));
                }
                continue;
            };
            seen.insert(folder);
            for import in source.own() {
                let module = import.replace("::", "/");
                let Some((of, _)) = innermost(table, &module, '/') else {
                    continue;
                };
                if of == folder {
                    continue;
                }
                used.insert((folder, of));
                if !allowed.contains(of) {
                    wrong.push(format!("{package}: {path} imports {import}"));
                }
            }
        }
        for (folder, allowed) in *table {
            if !seen.contains(folder) {
                wrong.push(format!("{package}: there is no {folder}"));
            }
            for other in *allowed {
                if !used.contains(&(*folder, *other)) {
                    wrong.push(format!(
                        "{package}: {folder} may import {other}, and does not"
                    ));
                }
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// Those that are in a circle, of things that import each other.
fn circles<'a>(imports: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Vec<&'a str>> {
    let mut graph: DiGraphMap<&str, ()> = DiGraphMap::new();
    for (from, to) in imports.filter(|(from, to)| from != to) {
        graph.add_edge(from, to, ());
    }
    let groups = tarjan_scc(&graph).into_iter();
    groups.filter(|group| group.len() > 1).collect()
}

#[test]
fn no_circle_is_among_folders() {
    for (_, table) in CRATES {
        let allowed = table
            .iter()
            .flat_map(|(folder, allowed)| allowed.iter().map(|other| (*folder, *other)));
        assert_eq!(circles(allowed), [[""; 0]; 0]);
    }
    // The test is worth what it finds.
    let found = circles([("a", "b"), ("b", "c"), ("c", "a"), ("d", "a")].into_iter());
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [3]);
}

#[test]
fn no_circle_is_among_files_of_the_command_line() {
    let sources = sources("grind-cli");
    let modules: Vec<String> = (sources.iter())
        .map(|source| module(&source.path).join("::"))
        .collect();
    // The longest module that the path begins with.
    let module_of = |path: &str| {
        let begins = |module: &&String| {
            let rest = path.strip_prefix(module.as_str());
            !module.is_empty() && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
        };
        modules
            .iter()
            .filter(begins)
            .max_by_key(|module| module.len())
    };
    let imports = sources.iter().zip(&modules).flat_map(|(source, module)| {
        let imported = source.own().filter_map(module_of);
        imported.map(|imported| (module.as_str(), imported.as_str()))
    });
    assert_eq!(circles(imports), [[""; 0]; 0]);
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

/// Names that the library documents, at most.
const PUBLIC_NAMES: usize = 72;

#[test]
fn what_the_library_documents_is_a_list_of_names() {
    fn leaves(tree: &UseTree) -> usize {
        match tree {
            UseTree::Path(path) => leaves(&path.tree),
            UseTree::Group(group) => group.items.iter().map(leaves).sum(),
            UseTree::Name(_) | UseTree::Rename(_) => 1,
            UseTree::Glob(_) => usize::MAX / 2,
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let syntax = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
    let is_public = |vis: &syn::Visibility| matches!(vis, syn::Visibility::Public(_));
    let mut names = 0;
    for item in &syntax.items {
        match item {
            Item::Use(item) if is_public(&item.vis) => names += leaves(&item.tree),
            Item::Mod(item) if item.ident == "host" => {}
            Item::Mod(item) => {
                let hidden = |attribute: &syn::Attribute| {
                    attribute.path().is_ident("doc")
                        && (attribute.parse_args::<syn::Path>())
                            .is_ok_and(|path| path.is_ident("hidden"))
                };
                assert!(
                    item.attrs.iter().any(hidden),
                    "{} is documented",
                    item.ident
                );
            }
            _ => panic!("lib.rs has nothing but modules and names"),
        }
    }
    assert!((40..=PUBLIC_NAMES).contains(&names), "{names} names");
}

/// Options of the interface, which grow.
const OPTIONS: &[&str] = &[
    "AnalysisOptions",
    "Backoff",
    "Bounds",
    "ChildSpec",
    "Entry",
    "Limits",
    "MachineConfig",
    "ModuleOf",
    "Options",
    "ProgramOptions",
    "ReplayOptions",
    "RunOptions",
    "RunSpec",
    "SupervisorSpec",
    "TreeLimits",
];

#[test]
fn a_new_option_breaks_nobody() {
    let mut found = BTreeSet::new();
    for source in sources("grind-runtime") {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("src")
            .join(&source.path);
        let syntax = syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap();
        for item in &syntax.items {
            let Item::Struct(item) = item else { continue };
            let has = |word: &str| {
                let mut attributes = item.attrs.iter();
                attributes.any(|attribute| match &attribute.meta {
                    syn::Meta::Path(path) => path.is_ident(word),
                    syn::Meta::List(list) => {
                        list.path.is_ident("derive") && list.tokens.to_string().contains(word)
                    }
                    syn::Meta::NameValue(_) => false,
                })
            };
            let name = item.ident.to_string();
            if OPTIONS.contains(&name.as_str()) || name.ends_with("Options") {
                assert_eq!(has("Setters"), has("non_exhaustive"), "{name}");
                if has("Setters") {
                    found.insert(name);
                }
            }
        }
    }
    assert_eq!(found, OPTIONS.iter().map(|&name| name.to_owned()).collect());
}

#[test]
fn what_an_event_means_is_said_in_one_place() {
    let mut wrong = Vec::new();
    let mut named = BTreeSet::new();
    for source in sources("grind-runtime") {
        for path in &source.code {
            let variant = path.strip_prefix("EventKind::");
            let Some(variant) = variant.filter(|variant| MEANT.contains(variant)) else {
                continue;
            };
            match NAMES_EVENTS
                .iter()
                .find(|place| source.path.starts_with(place))
            {
                Some(place) => drop(named.insert((*place, variant.to_owned()))),
                None => wrong.push(format!("{} names {path}", source.path.display())),
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    for place in NAMES_EVENTS {
        assert!(
            named.iter().any(|(by, _)| by == place),
            "{place} names none"
        );
    }
    for variant in MEANT {
        let is_variant = |(place, name): &(&str, String)| *place == "model" && name == variant;
        assert!(named.iter().any(is_variant), "{variant} is no event");
    }
}

#[test]
fn no_message_of_the_library_names_an_option_of_the_command_line() {
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<(&str, &str)> = FLAGS.iter().copied().collect();
    for source in &sources("grind-runtime") {
        let file = source.path.to_str().unwrap();
        for flag in &source.flags {
            match FLAGS.iter().find(|named| **named == (file, flag.as_str())) {
                Some(named) => drop(unused.remove(named)),
                None => wrong.push(format!("{file} names {flag}")),
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
    assert_eq!(unused, BTreeSet::new(), "flags that nothing names");
}

#[test]
fn flags_are_found_wherever_they_are() {
    let text = r##"
        /// --not-in-a-comment
        #[error("say --one=full")]
        enum Error { #[error("`--two`", x)] A }
        fn f(x: i64) -> i64 {
            println!("{} -- (--three), a--b", - - x);
            ["--four\n", "---", "-->", r#"--five"#].len();
            - -x
        }
    "##;
    let mut flags = Flags::default();
    flags.visit_file(&syn::parse_file(text).unwrap());
    let found: Vec<&str> = flags.0.iter().map(String::as_str).collect();
    assert_eq!(found, ["--five", "--four", "--one", "--three", "--two"]);
}

/// The tests above are worth what this finds.
#[test]
fn paths_are_found_wherever_they_are() {
    let text = r#"
        use crate::{machine::{self, Trap as Fault}, report};
        use super::super::detect::*;
        use std::collections::{BTreeMap, HashMap};
        //! crate::host in a comment
        pub(in crate::report) fn f() -> crate::predict::Bounds {
            let text = "crate::interop";
            assert!(crate::trace::MAGIC == wasmi::MAGIC, "{}", text);
            std::fs::read(text)
        }
        mod inner { use super::schedule; }
        mod body;
        use body::Body;
    "#;
    let text = text.replace("//! crate", "// crate");
    let syntax = syn::parse_file(&text).unwrap();
    let mut paths = Paths::new(vec!["program".to_owned(), "lower".to_owned()], &syntax);
    paths.visit_file(&syntax);
    let found: Vec<&str> = paths.found.iter().map(String::as_str).collect();
    assert_eq!(
        found,
        [
            "crate::detect",
            "crate::machine",
            "crate::machine::Trap",
            "crate::predict::Bounds",
            "crate::program::lower::body::Body",
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
