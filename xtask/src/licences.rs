//! The licences of everything Spikescope is built from, without the network: what `cargo tree` prints, against a list of
//! licences under which the program can be given away as it is.

use std::collections::BTreeMap;

use crate::process::{Failure, cargo, output_of, run};
use crate::spdx::satisfied;

/// Permissive licences, MPL-2.0 (asks only for the source of its own unchanged files) and two font licences.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OFL-1.1",
    "Ubuntu-font-1.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

const ALLOWED_EXCEPTIONS: &[(&str, &str)] = &[("Apache-2.0", "LLVM-exception")];

/// Check every package of the tree: all platforms, build and development included.
pub fn check() -> Result<(), Failure> {
    let packages = parse(&tree()?);
    let offenders = offenders(&packages);
    if offenders.is_empty() {
        println!("{} packages, all under accepted licences", packages.len());
        return Ok(());
    }
    let accepted = ALLOWED.join(", ");
    Err(Failure::Message(format!(
        "these packages may not be shipped:\n  {}\nReplace them, or add the licence to xtask/src/licences.rs if its terms allow it (accepted: {accepted})",
        offenders.join("\n  ")
    )))
}

fn tree() -> Result<String, Failure> {
    let arguments = ["tree", "--workspace", "--target", "all", "--edges", "normal,build,dev", "--prefix", "none", "--format", "{l}|{p}"];
    let mut offline = cargo();
    offline.args(arguments).arg("--offline");
    if !crate::process::succeeds(&mut offline) {
        // Crates of other platforms are not downloaded by a build; the lock file says which they are.
        println!("Fetching the crates of all platforms…");
        run(cargo().args(["fetch", "--quiet", "--locked"]))?;
    }
    output_of(cargo().args(arguments).arg("--offline"))
}

/// Packages ("name version") and their licence expressions from lines `licence|name version …`.
fn parse(tree: &str) -> BTreeMap<String, String> {
    let mut packages = BTreeMap::new();
    for line in tree.lines() {
        if let Some((licence, package)) = line.split_once('|') {
            let name: Vec<&str> = package.split_whitespace().take(2).collect();
            packages.insert(name.join(" "), licence.trim().to_owned());
        }
    }
    packages
}

fn offenders(packages: &BTreeMap<String, String>) -> Vec<String> {
    let mut found = Vec::new();
    for (package, licence) in packages {
        if licence.is_empty() {
            found.push(format!("{package}: names no licence"));
            continue;
        }
        match satisfied(licence, accepted) {
            Ok(true) => {}
            Ok(false) => found.push(format!("{package}: {licence}")),
            Err(why) => found.push(format!("{package}: '{licence}' cannot be read: {why}")),
        }
    }
    found
}

fn accepted(licence: &str, exception: Option<&str>) -> bool {
    match exception {
        None => ALLOWED.contains(&licence),
        Some(exception) => ALLOWED_EXCEPTIONS.contains(&(licence, exception)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cargo_tree_become_packages_once() {
        let tree = "\
MIT OR Apache-2.0|spikescope v0.1.0 (/work/main)
MIT|wayland-sys v0.31.11
MIT|wayland-sys v0.31.11 (*)
MIT OR Apache-2.0|serde_derive v1.0.228 (proc-macro)

|nameless v1.0.0
";
        let packages = parse(tree);
        let names: Vec<&str> = packages.keys().map(String::as_str).collect();
        assert_eq!(names, ["nameless v1.0.0", "serde_derive v1.0.228", "spikescope v0.1.0", "wayland-sys v0.31.11"]);
        assert_eq!(packages["serde_derive v1.0.228"], "MIT OR Apache-2.0");
    }

    #[test]
    fn offenders_are_named_with_their_licence() {
        let packages = parse("|a v1\nGPL-3.0-only|b v1\nMIT OR|c v1\nMIT OR GPL-3.0-only|d v1\nApache-2.0 WITH LLVM-exception|e v1\n");
        assert_eq!(
            offenders(&packages),
            ["a v1: names no licence", "b v1: GPL-3.0-only", "c v1: 'MIT OR' cannot be read: a licence is missing at the end"]
        );
    }

    #[test]
    fn copyleft_of_the_whole_program_is_not_accepted() {
        for licence in ["GPL-2.0-only", "GPL-3.0-or-later", "AGPL-3.0-only", "LGPL-2.1-or-later", "SSPL-1.0", "BUSL-1.1", "CC-BY-NC-4.0"] {
            assert!(!accepted(licence, None), "{licence}");
        }
    }
}
