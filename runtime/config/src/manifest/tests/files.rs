//! The files in the directory of a component.

use std::fs;
use std::os::unix::fs::symlink;
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
        "state/socar.db",
    ] {
        let path = root.path().join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        fs::write(path, file).expect("a file");
    }
    symlink("/etc/hostname", root.path().join("link")).expect("a link");
    symlink("..", root.path().join("assets/up")).expect("a link");
    symlink("/etc", root.path().join("etc")).expect("a link");
    let app = App::from_text(
        &root.path().join("spin.toml"),
        &format!("{HEAD}{CAR}{files}"),
        &Overrides::default(),
    )?;
    let target = tempfile::tempdir().expect("a directory");
    let car = app.component("car").expect("a car");
    assert_eq!(car.files.is_empty(), files.is_empty());
    let state = root.path().join("state");
    let copied = car.files.copy_into(target.path(), &state);
    assert_eq!(
        fs::read_to_string(root.path().join("secret.key")).expect("a file"),
        "secret.key"
    );
    copied?;
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

#[test]
fn a_file_outside_of_the_application_is_neither_read_nor_written() {
    let outside = tempfile::tempdir().expect("a directory");
    let file = outside.path().join("important");
    fs::write(&file, "important").expect("a file");
    let absolute = file.display().to_string();
    let directory = outside.path().display().to_string();
    for pattern in [
        absolute.as_str(),
        directory.as_str(),
        &format!("{directory}/*"),
        &format!("/{absolute}"),
        "../secret.key",
        "assets/../../secret.key",
        "assets/./../../*",
        "..",
        "/",
        "link",
        "etc",
        "etc/hostname",
        "etc/host*",
        "lin?",
    ] {
        for files in [
            format!("files = [\"{pattern}\"]"),
            format!("files = [{{ source = \"{pattern}\", destination = \"/\" }}]"),
        ] {
            let copied = copied(&files);
            let message = copied.expect_err(&files).to_string();
            assert!(
                message.contains("out of the application") || message.contains("cannot be copied"),
                "{files}: {message}"
            );
            assert_eq!(fs::read_to_string(&file).expect("a file"), "important");
        }
    }
}

#[test]
fn the_state_of_the_host_is_not_part_of_the_application() {
    for files in ["files = [\"state/**/*\"]", "files = [\"state/socar.db\"]"] {
        assert_eq!(copied(files).unwrap(), [] as [String; 0], "{files}");
    }
    let all = copied("files = [\"[as]*/*\"]").unwrap();
    assert!(all.iter().all(|file| !file.contains("socar.db")), "{all:?}");
}
