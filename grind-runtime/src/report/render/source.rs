//! Source files for excerpts.
//!
//! The paths come from the guest's debug information, so a hostile module could name any file of the host
//! and have its lines printed. Only regular files of moderate size that are called like source code are
//! opened.

use crate::report::finding::Finding;
use crate::report::finding::frames::short_path;
use crate::report::render::paths::PathMap;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Largest file read.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
/// Bytes of files that are kept to be shown again, and paths under which something was looked for. Beyond either, what is
/// kept goes, and what is needed again is read again.
const MAX_KEPT: usize = 64 * 1024 * 1024;
const MAX_PATHS: usize = 1 << 16;

/// What a source file is called.
const EXTENSIONS: [&str; 32] = [
    "ada", "as", "c", "cc", "cpp", "cr", "cxx", "d", "f90", "go", "h", "hh", "hpp", "hxx", "inc",
    "ipp", "java", "kt", "m", "ml", "mm", "mbt", "nim", "odin", "pas", "rs", "swift", "ts", "v",
    "wast", "wat", "zig",
];

/// Where excerpts come from. Clones share what was read.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    disk: Option<Disk>,
    given: BTreeMap<String, Arc<Source>>,
    /// How the report's paths were changed: files may have kept their names.
    paths: PathMap,
    /// What was found under each path, so that a file is read once.
    cache: Arc<Mutex<Cache>>,
}

#[derive(Debug, Default)]
struct Cache {
    found: BTreeMap<String, Option<Arc<Source>>>,
    bytes: usize,
}

/// A source file, in lines.
#[derive(Debug)]
pub struct Source {
    text: Box<str>,
    /// Where each line begins.
    lines: Vec<u32>,
}

impl Source {
    fn new(text: String) -> Source {
        let begins = |(end, _)| u32::try_from(end + 1).unwrap_or(u32::MAX);
        let mut lines: Vec<u32> = std::iter::once(0)
            .chain(text.match_indices('\n').map(begins))
            .collect();
        // A newline at the end begins no line.
        if lines
            .last()
            .is_some_and(|last| *last as usize >= text.len())
        {
            lines.pop();
        }
        Source {
            text: text.into(),
            lines,
        }
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A line, from 1, without its end; found without looking at those before it.
    #[must_use]
    pub fn line(&self, number: usize) -> Option<&str> {
        let begin = *self.lines.get(number.checked_sub(1)?)? as usize;
        let end = self
            .lines
            .get(number)
            .map_or(self.text.len(), |next| *next as usize);
        self.text.get(begin..end)?.lines().next().or(Some(""))
    }
}

#[derive(Clone, Debug)]
struct Disk {
    cwd: PathBuf,
    roots: Vec<PathBuf>,
}

impl Sources {
    /// No sources: reports name lines and show none.
    #[must_use]
    pub fn none() -> Sources {
        Sources::default()
    }

    /// Looks for a file as it is named, relative to `cwd`, and below each of `roots`. There, leading
    /// directories of the name may be missing: `/build/app/src/main.rs` is found as
    /// `root/src/main.rs`, the longest match first.
    #[must_use]
    pub fn on_disk(cwd: impl Into<PathBuf>, roots: Vec<PathBuf>) -> Sources {
        Sources {
            disk: Some(Disk {
                cwd: cwd.into(),
                roots,
            }),
            ..Sources::default()
        }
    }

    /// Also knows this text under this path, before anything on disk.
    #[must_use]
    pub fn with_text(mut self, path: impl Into<String>, text: impl Into<String>) -> Sources {
        self.given
            .insert(path.into(), Arc::new(Source::new(text.into())));
        self
    }

    /// Also looks for files under the names they had before the report's paths were changed like this.
    #[must_use]
    pub fn with_paths(mut self, paths: PathMap) -> Sources {
        self.paths = paths;
        self
    }

    /// Whether it looks anywhere at all.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.disk.is_none() && self.given.is_empty()
    }

    /// A source file, if it is found.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<Arc<Source>> {
        if let Some(source) = self.given.get(path) {
            return Some(Arc::clone(source));
        }
        let disk = self.disk.as_ref()?;
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = cache.found.get(path) {
            return known.clone();
        }
        let source = (self.paths.before(path))
            .chain([path.to_owned()])
            .find_map(|name| disk.find(&name));
        let bytes = source.as_ref().map_or(0, |source| source.text.len());
        if cache.bytes + bytes > MAX_KEPT || cache.found.len() >= MAX_PATHS {
            *cache = Cache::default();
        }
        cache.bytes += bytes;
        cache.found.insert(path.to_owned(), source.clone());
        source
    }

    /// The files that excerpts of these findings are of, and that were looked for in vain; sorted.
    #[must_use]
    pub fn missing(&self, findings: &[Finding]) -> Vec<String> {
        if self.is_none() {
            return Vec::new();
        }
        let wanted: BTreeSet<&str> = findings
            .iter()
            .flat_map(Finding::places)
            .filter_map(|(file, _)| file)
            .collect();
        wanted
            .into_iter()
            .filter(|file| self.get(file).is_none())
            .map(|file| self.display(file))
            .collect()
    }

    /// The path as a report shows it: relative to the current directory where it is below.
    #[must_use]
    pub fn display(&self, path: &str) -> String {
        if let Some(disk) = &self.disk
            && let Some(cwd) = disk.cwd.to_str()
            && let Some(rest) = path.strip_prefix(cwd)
            && let Some(rest) = rest.strip_prefix('/')
        {
            return short_path(rest).into_owned();
        }
        short_path(path).into_owned()
    }
}

impl Disk {
    fn find(&self, name: &str) -> Option<Arc<Source>> {
        let path = Path::new(name);
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        if !EXTENSIONS.contains(&extension.as_str()) {
            return None;
        }
        // `join` with an absolute path is that path.
        read(&self.cwd.join(path)).or_else(|| {
            let parts: Vec<&str> = name
                .split(['/', '\\'])
                .filter(|part| !matches!(*part, "" | "." | ".."))
                .collect();
            (0..parts.len()).find_map(|skip| {
                let tail: PathBuf = parts[skip..].iter().collect();
                self.roots.iter().find_map(|root| read(&root.join(&tail)))
            })
        })
    }
}

fn read(path: &Path) -> Option<Arc<Source>> {
    let about = std::fs::metadata(path).ok()?;
    // A FIFO or a device could block or never end.
    if !about.is_file() || about.len() > MAX_BYTES {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    Some(Arc::new(Source::new(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_extensions_is_sorted_enough_to_read() {
        assert!(
            EXTENSIONS
                .iter()
                .all(|e| e.chars().all(|c| c.is_ascii_alphanumeric()))
        );
    }

    #[test]
    fn only_source_files_are_opened() {
        let sources = Sources::on_disk(env!("CARGO_MANIFEST_DIR"), Vec::new());
        assert!(sources.get("src/lib.rs").is_some());
        for path in [
            "Cargo.toml",
            "/etc/passwd",
            "/proc/self/environ",
            "src",
            "src/missing.rs",
            "",
            "\0.rs",
        ] {
            assert!(sources.get(path).is_none(), "{path}");
        }
    }

    #[test]
    fn lines_are_those_of_the_text() {
        for text in [
            "",
            "a",
            "a\n",
            "a\n\nb",
            "\n",
            "\n\n",
            "a\r\nb\r\n",
            "ä\nö\n\n",
        ] {
            let source = Source::new(text.to_owned());
            let lines: Vec<&str> = (1..).map_while(|number| source.line(number)).collect();
            assert_eq!(lines, text.lines().collect::<Vec<_>>(), "{text:?}");
            assert_eq!(source.line(0), None);
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let sources = Sources::on_disk("/nonexistent", Vec::new());
        for number in 0..=MAX_PATHS {
            assert!(sources.get(&format!("{number}.rs")).is_none());
        }
        let kept = sources.cache.lock().map_or(0, |cache| cache.found.len());
        assert!((1..=MAX_PATHS).contains(&kept), "{kept}");
    }

    #[test]
    fn roots_match_the_longest_tail() {
        let root = env!("CARGO_MANIFEST_DIR").into();
        let sources = Sources::on_disk("/nonexistent", vec![root]);
        let text = sources.get("/build/elsewhere/src/report/render/source.rs");
        assert!(text.is_some_and(|source| source.text().contains("fn roots_match")));
        assert!(sources.get("/build/src/report/nothing.rs").is_none());
    }

    #[test]
    fn paths_below_the_current_directory_are_relative() {
        let sources = Sources::on_disk("/build/app", Vec::new());
        assert_eq!(sources.display("/build/app/src/main.rs"), "src/main.rs");
        assert_eq!(
            sources.display("/build/apple/main.rs"),
            "/build/apple/main.rs"
        );
        assert_eq!(sources.display("./a.rs"), "a.rs");
    }
}
