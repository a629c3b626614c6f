//! Is the module structure of every crate a tree that can be read part by part?
//!
//! Two rules, both read from the source text without a build: sibling modules do not import each other in a cycle, and
//! no two types of one crate share a bare name. The rules hold for every crate of the workspace, test code
//! excepted.

mod cycles;
mod imports;
mod source_tree;

use std::collections::BTreeMap;

use cycles::cycles;
use imports::imports;
use source_tree::{SourceTree, workspace};
use syn::{Item, Visibility};

#[test]
fn no_modules_import_each_other_in_a_cycle() {
    let found: Vec<String> = workspace().iter().flat_map(import_cycles).collect();
    assert!(
        found.is_empty(),
        "{} import cycles. Move what both modules need into a third one, or pass it as an argument:\n\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn no_two_types_of_a_crate_share_a_name() {
    let found: Vec<String> = workspace().iter().flat_map(shared_type_names).collect();
    assert!(
        found.is_empty(),
        "{} type names are used twice in a crate. Qualify them (`AdminResponse`, `CallOutcome`):\n{}",
        found.len(),
        found.join("\n")
    );
}

fn import_cycles(tree: &SourceTree) -> Vec<String> {
    cycles(&imports(tree))
        .into_iter()
        .map(|cycle| format!("{}: {cycle}", tree.name))
        .collect()
}

fn shared_type_names(tree: &SourceTree) -> Vec<String> {
    let mut files: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for module in tree.modules.values() {
        for name in module.items.iter().filter_map(visible_type) {
            files.entry(name).or_default().push(&module.file);
        }
    }
    files
        .into_iter()
        .filter(|(_, files)| files.len() > 1)
        .map(|(name, files)| format!("{}: `{name}` in {}", tree.name, files.join(", ")))
        .collect()
}

/// The name of a type that other modules can see.
fn visible_type(item: &Item) -> Option<String> {
    let (visibility, name) = match item {
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::TraitAlias(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        Item::Union(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    (!matches!(visibility, Visibility::Inherited)).then(|| name.to_string())
}

// === the rules detect what they forbid ===

/// A crate whose files are given as text.
fn crate_of(files: &[(&str, &str)]) -> SourceTree {
    let read = |path: &str| {
        let found = files.iter().find(|(name, _)| *name == path);
        found.map(|(_, text)| (*text).to_owned())
    };
    SourceTree::read("example", "src/lib.rs", &read)
}

/// The import cycles between the modules `a` and `b` with these texts.
fn cycles_between(root: &str, a: &str, b: &str) -> String {
    let root = format!("mod a; mod b; {root}");
    let files = [("src/lib.rs", &*root), ("src/a.rs", a), ("src/b.rs", b)];
    import_cycles(&crate_of(&files)).join("\n")
}

#[test]
fn a_cycle_is_reported_with_files_and_imported_names() {
    let report = cycles_between(
        "",
        "use crate::b::Late;",
        "use super::a::{Early, other::Name};",
    );
    let expected = "\
example: a -> b -> a
  src/a.rs imports crate::b::Late
  src/b.rs imports super::a::Early
  src/b.rs imports super::a::other::Name
";
    assert_eq!(report, expected);
}

#[test]
fn every_form_of_an_import_counts() {
    let forms = [
        "use crate::a::Name;",
        "use crate::a;",
        "use crate::{a::Name, c};",
        "use crate::{c, a::{self as first, Name as Other}};",
        "use super::a::*;",
        "use self::super::a::Name;",
        "pub use crate::a::Name;",
        "pub(crate) use super::{a::Name};",
        "fn call() { crate::a::call() }",
        "fn call() { super::a::call() }",
        "fn call() { use crate::a::{Name, Other}; }",
        "type Alias = Vec<crate::a::Name>;",
        "impl crate::a::Name { fn call() { println!(\"{}\", super::a::NUMBER) } }",
        "mod inner { use super::super::a::Name; }",
        "use super as parent; fn call() { parent::a::call() }",
        // The crate root re-exports it: the dependency is on the module that defines it.
        "use crate::Reexported;",
        "fn call() { crate::renamed::call() }",
    ];
    for form in forms {
        let root = "pub use a::Reexported; pub use a as renamed;";
        let report = cycles_between(root, "use crate::b::Late;", form);
        assert!(report.contains("a -> b -> a"), "`{form}` is not seen");
    }
}

#[test]
fn imports_of_parents_children_and_test_code_are_no_cycle() {
    let harmless = [
        "use super::Shared; use crate::Other;",
        "mod inner { pub use super::Late; } use inner::Name;",
        "#[cfg(test)] mod tests { use crate::a::Name; }",
        "#[cfg(test)] use crate::a::Name;",
        "use a::Name;",
        "fn call(a: A) { a::<u8>(); let text = \"crate::a::Name\"; }",
        "// use crate::a::Name;",
    ];
    for form in harmless {
        let report = cycles_between("pub struct Shared;", "use crate::b::Late;", form);
        assert_eq!(report, "", "`{form}` is no import of a sibling");
    }
}

#[test]
fn a_cycle_below_one_module_is_reported_at_its_level() {
    let report = import_cycles(&crate_of(&[
        ("src/lib.rs", "mod outer; mod other;"),
        ("src/other.rs", "use crate::outer::Name;"),
        ("src/outer.rs", "mod a; mod b; mod c; pub use a::Name;"),
        ("src/outer/a.rs", "pub struct Name; use super::b::Other;"),
        (
            "src/outer/b.rs",
            "pub struct Other; use super::c::deep::Deep;",
        ),
        ("src/outer/c.rs", "pub mod deep;"),
        (
            "src/outer/c/deep.rs",
            "pub struct Deep; use crate::outer::Name;",
        ),
    ]));
    assert_eq!(report.len(), 1, "{report:#?}");
    assert!(
        report[0].contains("outer::a -> outer::b -> outer::c -> outer::a"),
        "{report:#?}"
    );
}

#[test]
fn a_shared_type_name_is_reported_with_its_files() {
    let tree = crate_of(&[
        ("src/lib.rs", "mod a; mod b; pub enum Only {}"),
        (
            "src/a.rs",
            "pub struct Twice; struct Private; #[cfg(test)] pub struct Only;",
        ),
        ("src/b.rs", "pub(super) trait Twice {} type Private = u8;"),
    ]);
    assert_eq!(
        shared_type_names(&tree),
        ["example: `Twice` in src/a.rs, src/b.rs"]
    );
}
