//! The layout of the source: files stay short enough to be read in one go, `ARCHITECTURE.md` names every folder, and links
//! between the documents lead somewhere.

use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{Failure, root};

/// Files longer than this are mentioned.
const LONG_LINES: usize = 400;
/// Files longer than this are refused.
const MOST_LINES: usize = 600;

/// Check lengths, the map and the links.
pub fn check() -> Result<(), Failure> {
    let root = root();
    let mut problems = Vec::new();
    for folder in ["src", "xtask/src"] {
        for file in files_below(&root.join(folder), "rs")? {
            let lines = read(&file)?.lines().count();
            let name = file.strip_prefix(&root).unwrap_or(&file).display();
            if lines > MOST_LINES {
                problems.push(format!("{name} has {lines} lines; split it by idea (at most {MOST_LINES}, better under {LONG_LINES})"));
            } else if lines > LONG_LINES {
                println!("{name} has {lines} lines; consider splitting it (better under {LONG_LINES})");
            }
        }
    }
    problems.extend(map_problems(&read(&root.join("ARCHITECTURE.md"))?, &folders_in(&root.join("src"))?));
    let mut documents = files_below(&root.join("docs"), "md")?;
    documents.extend(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root.join(name)));
    for document in documents {
        let folder = document.parent().unwrap_or(&root);
        for link in local_links(&read(&document)?) {
            if !folder.join(link.split('#').next().unwrap_or_default()).exists() {
                problems
                    .push(format!("{} links to {link}, which does not exist", document.strip_prefix(&root).unwrap_or(&document).display()));
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(Failure::Message(problems.join("\n"))) }
}

/// Folders of `src/` that the map lacks, and folders in the map that `src/` lacks.
fn map_problems(map: &str, folders: &[String]) -> Vec<String> {
    // The table names a folder as the first thing of a row: | `src/NAME/` | …
    let firsts = map.lines().filter_map(|line| line.strip_prefix("| `src/")?.split('`').next());
    let named: Vec<&str> = firsts.filter_map(|path| path.strip_suffix('/')).collect();
    let lacking = folders.iter().filter(|folder| !named.contains(&folder.as_str()));
    let stale = named.iter().filter(|name| !folders.iter().any(|folder| folder == *name));
    let lacking = lacking.map(|folder| format!("ARCHITECTURE.md has no row for src/{folder}/"));
    lacking.chain(stale.map(|name| format!("ARCHITECTURE.md has a row for src/{name}/, which does not exist"))).collect()
}

/// Targets of Markdown links and pictures that lie in the project.
fn local_links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets.filter(|target| !target.contains("://") && !target.starts_with('#')).collect()
}

fn read(file: &Path) -> Result<String, Failure> {
    fs::read_to_string(file).map_err(|error| Failure::Message(format!("{} cannot be read: {error}", file.display())))
}

fn folders_in(folder: &Path) -> Result<Vec<String>, Failure> {
    let names = entries(folder)?.into_iter().filter(|path| path.is_dir());
    Ok(names.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
}

fn files_below(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if path.is_dir() {
            files.extend(files_below(&path, extension)?);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    Ok(files)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let unreadable = |error: std::io::Error| Failure::Message(format!("{} cannot be read: {error}", folder.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_and_the_folders_must_agree() {
        let map = "| folder | owns |\n|---|---|\n| `src/views/` | views |\n| `src/gone/` | nothing |\n| `src/cli.rs` | `src/hidden/` in passing |\n";
        let problems = map_problems(map, &["render".to_owned(), "views".to_owned()]);
        assert_eq!(
            problems,
            ["ARCHITECTURE.md has no row for src/render/", "ARCHITECTURE.md has a row for src/gone/, which does not exist"]
        );
        assert!(map_problems("| `src/views/` | views |", &["views".to_owned()]).is_empty());
    }

    #[test]
    fn only_links_into_the_project_are_followed() {
        let text = "![window](docs/screenshot.png) [site](https://example.org) [part](#licence) [map](ARCHITECTURE.md#rules) a](b";
        assert_eq!(local_links(text), ["docs/screenshot.png", "ARCHITECTURE.md#rules"]);
    }
}
