//! Command lines of the documents, of help texts and of files for CI are ones that grind takes.

use crate::cargo::CargoCli;
use crate::cli::Cli;
use crate::settings::{self, keys::Keys};
use clap::{Command, CommandFactory};
use std::fs;
use std::path::{Path, PathBuf};

/// Documents and files for CI, with their paths from the top of the repository.
fn documents() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    let mut waiting = vec![
        PathBuf::from("docs"),
        PathBuf::from("grind-cli/src/cargo/init"),
    ];
    let mut add = |path: PathBuf| {
        let text = fs::read_to_string(root.join(&path)).expect("a document is text");
        found.push((path.display().to_string(), text));
    };
    add(PathBuf::from("README.md"));
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(root.join(&directory)).expect("a directory") {
            let path = directory.join(entry.expect("an entry").file_name());
            let extension = path.extension().and_then(|extension| extension.to_str());
            if root.join(&path).is_dir() {
                waiting.push(path);
            } else if matches!(extension, Some("md" | "yml" | "yaml")) {
                add(path);
            }
        }
    }
    found
}

/// Help texts of a command and of those below it, by their names.
fn helps(command: &Command, name: &str, found: &mut Vec<(String, String)>) {
    let examples = command.get_after_help().map(ToString::to_string);
    found.push((name.to_owned(), examples.unwrap_or_default()));
    for below in command.get_subcommands() {
        helps(below, &format!("{name} {}", below.get_name()), found);
    }
}

fn all_helps() -> Vec<(String, String)> {
    let mut found = Vec::new();
    helps(&Cli::command(), "grind", &mut found);
    helps(&CargoCli::command(), "cargo grind", &mut found);
    found
}

/// The words of a line that is a command of grind. What a shell or a comment adds is left out.
fn words(line: &str) -> Option<Vec<String>> {
    let line = line.trim().trim_start_matches("- ");
    let line = line.trim_start_matches("$ ").trim_start_matches("run: ");
    let begins = line.starts_with("grind ") || line.starts_with("cargo grind ");
    if !begins {
        return None;
    }
    let ends = ["  ", " | ", " > ", " # ", " && ", " || ", "; "];
    let end = ends.iter().filter_map(|end| line.find(end)).min();
    let words = shlex::split(&line[..end.unwrap_or(line.len())])?;
    // Prose that begins a line with the name of the tool.
    let command = words.get(if words[0] == "cargo" { 2 } else { 1 })?;
    let is_command = |command: Command| move |name: &str| command.find_subcommand(name).is_some();
    let known = is_command(Cli::command())(command) || is_command(CargoCli::command())(command);
    (known || command.starts_with('-')).then_some(words)
}

fn parsed(words: &[String]) -> Result<(), clap::Error> {
    match words[0].as_str() {
        "cargo" => CargoCli::command().try_get_matches_from(&words[1..]),
        _ => Cli::command().try_get_matches_from(words),
    }
    .map(|_| ())
}

#[test]
fn every_command_line_that_is_shown_is_taken() {
    let mut taken = 0;
    for (origin, text) in documents().into_iter().chain(all_helps()) {
        for line in text.replace("\\\n", " ").lines() {
            if let Some(words) = words(line) {
                let parsed = parsed(&words);
                assert!(parsed.is_ok(), "{origin}: {line}\n{parsed:?}");
                taken += 1;
            }
        }
    }
    assert!(taken > 90, "{taken}");
}

#[test]
fn every_command_has_examples() {
    for (name, text) in all_helps() {
        let is_whole = ["grind", "cargo grind"].contains(&name.as_str());
        let example = text.lines().any(|line| words(line).is_some());
        assert!(
            is_whole || (text.starts_with("Examples:") && example),
            "{name}"
        );
    }
}

/// Targets of links in Markdown that are files.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', '#']).next());
    targets.filter(|target| !target.is_empty() && !target.contains("://"))
}

#[test]
fn links_lead_to_files_and_the_book_has_all_pages() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let documents = documents();
    for (origin, text) in documents.iter().filter(|(path, _)| path.ends_with(".md")) {
        let directory = root.join(origin);
        let directory = directory.parent().expect("a file is in a directory");
        for target in links(text) {
            assert!(directory.join(target).exists(), "{origin}: {target}");
        }
    }
    let book = fs::read_to_string(root.join("docs/SUMMARY.md")).expect("a summary");
    let pages: Vec<&str> = links(&book).collect();
    for (path, _) in &documents {
        if let Some(page) = path.strip_prefix("docs/")
            && page.ends_with(".md")
            && page != "SUMMARY.md"
        {
            assert!(pages.contains(&page), "SUMMARY.md lacks {page}");
        }
    }
}

#[test]
fn the_guide_lists_the_keys() {
    let guide = include_str!("../../docs/config.md");
    let grind = Cli::command();
    let table = settings::documentation(&Keys::of(&grind), &grind);
    assert!(
        guide.contains(&table),
        "docs/config.md should have:\n{table}"
    );
}
