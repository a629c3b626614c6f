//! Does an interface between contexts keep its promise? Callers and callees are built and deployed separately, so a
//! published version never changes, and a new version of the same major serves callers of the older ones.
//!
//! `tests/contracts/published/` contains each published package without its comments. For a new version,
//! `UPDATE_GOLDEN=1 cargo test -p tests --test contracts` adds a file; it never overwrites one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use harness::root;
use wit_component::{WitPrinter, semver_check};
use wit_parser::{PackageId, PackageName, Resolve};

use super::files::files_with;

mod linking;

#[test]
fn a_published_version_never_changes() {
    let (resolve, packages) = declared();
    for (name, package) in &packages {
        let text = printed(&resolve, *package);
        let path = published_file(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() && !path.exists() {
            fs::write(&path, &text).expect("a writable folder");
        }
        let published =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(
            text, published,
            "{name} differs from what is published: give the package in wit/ a new version"
        );
    }
}

#[test]
fn every_published_version_serves_the_callers_of_the_older_ones() {
    let mut resolve = Resolve::default();
    let mut versions: BTreeMap<(String, u64), Vec<PackageId>> = BTreeMap::new();
    for (path, text) in published() {
        let package = push(&mut resolve, &path, &text);
        let name = resolve.packages[package].name.clone();
        let major = name.version.as_ref().map_or(0, |version| version.major);
        versions
            .entry((name.name, major))
            .or_default()
            .push(package);
    }
    for packages in versions.values_mut() {
        packages.sort_by_key(|package| resolve.packages[*package].name.version.clone());
        for pair in packages.windows(2) {
            let (old, new) = (pair[0], pair[1]);
            let names = [old, new].map(|package| resolve.packages[package].name.to_string());
            serves(&resolve, old, new)
                .unwrap_or_else(|error| panic!("{} breaks {}: {error}", names[1], names[0]));
        }
    }
}

#[test]
fn a_new_function_serves_older_callers() {
    let extended = next_version(|text| {
        text.replace("interface holds {", "interface holds {\n  extend: func();")
    });
    assert_eq!(extended, Ok(()));
}

#[test]
fn another_parameter_or_another_case_breaks_older_callers() {
    for (before, after) in [
        (
            "reservation: reservation-id)",
            "reservation: reservation-id, days: u32)",
        ),
        ("    not-available,\n", "    not-available,\n    too-far,\n"),
        ("release: async func", "give-up: async func"),
    ] {
        let broken = next_version(|text| {
            assert!(text.contains(before), "{before} is not in\n{text}");
            text.replace(before, after)
        });
        assert!(broken.is_err(), "`{after}` is accepted");
    }
}

/// Whether version 1.1.0 of `socar:car`, made from 1.0.0 by `edit`, serves the callers of 1.0.0.
fn next_version(edit: impl Fn(&str) -> String) -> Result<(), String> {
    let mut resolve = Resolve::default();
    let mut old = None;
    for (path, text) in published() {
        let package = push(&mut resolve, &path, &text);
        if path.ends_with("socar-car@1.0.0.wit") {
            let text = edit(&text).replace("package socar:car@1.0.0", "package socar:car@1.1.0");
            old = Some((package, push(&mut resolve, &path, &text)));
        }
    }
    let (old, new) = old.expect("socar:car is published");
    serves(&resolve, old, new)
}

/// Checks that a component that imports the interfaces of `old` can be given those of `new`.
fn serves(resolve: &Resolve, old: PackageId, new: PackageId) -> Result<(), String> {
    let mut resolve = resolve.clone();
    // The interfaces that the older package has. The check ignores versions, so both worlds have one name.
    let interfaces: Vec<String> = resolve.packages[old].interfaces.keys().cloned().collect();
    let mut world = |package: PackageId| {
        let PackageName {
            namespace,
            name,
            version,
        } = resolve.packages[package].name.clone();
        let version = version.expect("a published package has a version");
        let imports: String = interfaces
            .iter()
            .map(|interface| format!("import {namespace}:{name}/{interface}@{version};\n"))
            .collect();
        let text = format!("package check:callers@{version};\nworld caller {{\n{imports}}}");
        let package = resolve.push_str("callers.wit", &text);
        package.map(|package| resolve.packages[package].worlds["caller"])
    };
    let old = world(old).map_err(|error| format!("{error:#}"))?;
    let new = world(new).map_err(|error| format!("{error:#}"))?;
    semver_check(resolve, old, new).map_err(|error| format!("{error:#}"))
}

/// The packages in `wit/` that have a version: those that contexts publish.
fn declared() -> (Resolve, Vec<(PackageName, PackageId)>) {
    let mut resolve = Resolve::default();
    let pushed = resolve.push_path(root().join("wit"));
    pushed.expect("wit/ is well-formed");
    let packages = resolve.packages.iter();
    let published = packages
        .map(|(id, package)| (package.name.clone(), id))
        .filter(|(name, _)| name.namespace == "socar" && name.version.is_some())
        .collect();
    (resolve, published)
}

/// The text of a package, without comments.
fn printed(resolve: &Resolve, package: PackageId) -> String {
    let mut printer = WitPrinter::default();
    printer.emit_docs(false);
    let printed = printer.print(resolve, package, &[]);
    printed.expect("a package can be printed");
    printer.output.to_string()
}

fn published_file(name: &PackageName) -> PathBuf {
    let name = name.to_string().replace(':', "-");
    root().join(format!("tests/contracts/published/{name}.wit"))
}

/// The published files and their texts; the package that all others use comes first.
fn published() -> Vec<(PathBuf, String)> {
    let mut files = files_with(&root().join("tests/contracts/published"), "wit");
    files.sort_by_key(|file| !file.to_string_lossy().contains("socar-calls@"));
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a readable file");
        (file, text)
    };
    files.into_iter().map(read).collect()
}

fn push(resolve: &mut Resolve, path: &Path, text: &str) -> PackageId {
    let pushed = resolve.push_str(path, text);
    pushed.unwrap_or_else(|error| panic!("{}: {error:#}", path.display()))
}
