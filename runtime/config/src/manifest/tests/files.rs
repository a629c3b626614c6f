//! The files in the directory of a component.

use std::fs;
use std::path::Path;

use crate::document::ConfigError;
use crate::manifest::{App, Overrides};

use super::{CAR, HEAD};

/// The files that a component with these `files` can read.
fn copied(files: &str) -> Result<Vec<String>, ConfigError> {
    let root = tempfile::tempdir().expect("a directory");
    for file in [
        "assets/a.js",
        "assets/deep/b.js",
        "assets/c.css",
        "secret.key",
    ] {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, file).expect("a file");
    }
    let app = App::from_text(
        &root.path().join("spin.toml"),
        &format!("{HEAD}{CAR}{files}"),
        &Overrides::default(),
    )?;
    let target = tempfile::tempdir().expect("a directory");
    let car = app.component("car").expect("a car");
    assert_eq!(car.files.is_empty(), files.is_empty());
    car.files.copy_into(target.path())?;
    let mut found = Vec::new();
    list(target.path(), target.path(), &mut found);
    found.sort();
    Ok(found)
}

fn list(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            list(root, &path, found);
        } else {
            found.push(
                path.strip_prefix(root)
                    .expect("below")
                    .display()
                    .to_string(),
            );
        }
    }
}

#[test]
fn patterns_keep_paths_and_placements_move_them() {
    for (files, expected) in [
        ("", &[][..]),
        ("files = [\"assets/*.js\"]", &["assets/a.js"]),
        (
            "files = [\"assets/**/*.js\"]",
            &["assets/a.js", "assets/deep/b.js"],
        ),
        ("files = [\"secret.key\"]", &["secret.key"]),
        (
            "files = [{ source = \"assets\", destination = \"/\" }]",
            &["a.js", "c.css", "deep/b.js"],
        ),
        (
            "files = [{ source = \"assets/a.js\", destination = \"/js/main.js\" }]",
            &["js/main.js"],
        ),
        (
            "files = [{ source = \"assets\", destination = \"/x\" }]\nexclude_files = [\"**/*.js\"]",
            &["x/c.css"],
        ),
    ] {
        assert_eq!(
            copied(files).as_deref().unwrap_or_default(),
            expected,
            "{files}"
        );
    }
}

#[test]
fn an_absent_file_is_named() {
    let message = copied("files = [\"asset/a.js\"]")
        .expect_err("no such file")
        .to_string();
    assert!(message.ends_with(
        "spin.toml:9: `component.car.files[0]` = \"asset/a.js\": there is no such file; correct the path, or write a pattern such as `assets/**/*`"
    ), "{message}");
    assert!(copied("files = [{ source = \"asset\", destination = \"/\" }]").is_err());
}
