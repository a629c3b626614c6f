//! The module trees of the workspace, parsed with `syn`. Test code is left out.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use harness::{read, root};
use quote::ToTokens;
use syn::{Attribute, ImplItem, Item, ItemMod, TraitItem};
use toml::{Table, Value};

/// The names of a module and its parents; empty for the crate's root.
pub type ModulePath = Vec<String>;

/// One crate: a library, a program or a test binary.
pub struct SourceTree {
    pub name: String,
    pub modules: BTreeMap<ModulePath, Module>,
}

/// One module, without its test code and without the content of its child modules.
pub struct Module {
    /// The path of its file in the repository.
    pub file: String,
    pub items: Vec<Item>,
}

/// Reads a file of the repository; nothing if it does not exist.
type ReadFile<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Every crate of the workspace.
pub fn workspace() -> Vec<SourceTree> {
    let manifest = table(&read("Cargo.toml"));
    let members = manifest["workspace"]["members"].as_array();
    let folders = members.into_iter().flatten().filter_map(Value::as_str);
    folders
        .flat_map(matching_folders)
        .flat_map(|folder| crates_of(&folder))
        .collect()
}

/// The folders of a member entry, which may end in `/*`.
fn matching_folders(pattern: &str) -> Vec<String> {
    let Some(parent) = pattern.strip_suffix("/*") else {
        return vec![pattern.to_owned()];
    };
    let entries = fs::read_dir(root().join(parent))
        .into_iter()
        .flatten()
        .flatten();
    let mut folders: Vec<String> = entries
        .map(|entry| format!("{parent}/{}", entry.file_name().to_string_lossy()))
        .filter(|folder| root().join(folder).join("Cargo.toml").is_file())
        .collect();
    folders.sort();
    folders
}

/// The crates of a package: its targets as `Cargo.toml` lists them, and those that cargo finds by itself.
fn crates_of(folder: &str) -> Vec<SourceTree> {
    let manifest = table(&read(format!("{folder}/Cargo.toml")));
    let mut roots: Vec<String> = ["src/lib.rs", "src/main.rs"].map(str::to_owned).into();
    let listed = ["bin", "test", "bench", "example"].into_iter();
    let listed = listed
        .filter_map(|kind| manifest.get(kind)?.as_array())
        .flatten();
    let listed = listed.chain(manifest.get("lib"));
    roots.extend(listed.filter_map(|target| Some(target.get("path")?.as_str()?.to_owned())));
    for discovered in ["src/bin", "tests", "benches", "examples"] {
        roots.extend(rust_files(folder, discovered));
    }
    roots.sort();
    roots.dedup();
    let roots = roots.into_iter().map(|file| format!("{folder}/{file}"));
    let existing = roots.filter(|file| root().join(file).is_file());
    let read = |path: &str| fs::read_to_string(root().join(path)).ok();
    existing
        .map(|file| SourceTree::read(&file, &file, &read))
        .collect()
}

/// The Rust files that are directly in a folder of a package.
fn rust_files(package: &str, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(package).join(folder))
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names
        .filter(|name| name.ends_with(".rs"))
        .map(|name| format!("{folder}/{name}"))
        .collect()
}

fn table(text: &str) -> Table {
    text.parse().expect("Cargo.toml is TOML")
}

// === impl SourceTree ===

impl SourceTree {
    /// Reads the crate whose root is this file.
    pub fn read(name: &str, root_file: &str, read: ReadFile<'_>) -> Self {
        let mut tree = Self {
            name: name.to_owned(),
            modules: BTreeMap::new(),
        };
        let folder = parent_folder(root_file);
        tree.add_file(Vec::new(), root_file, &folder, read);
        tree
    }

    fn add_file(&mut self, path: ModulePath, file: &str, children: &str, read: ReadFile<'_>) {
        let text = read(file).unwrap_or_else(|| panic!("{file}: no such file"));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        self.add_module(path, file, children, parsed.items, read);
    }

    /// Adds a module and its children, whose files are in the folder `children`.
    fn add_module(
        &mut self,
        path: ModulePath,
        file: &str,
        children: &str,
        items: Vec<Item>,
        read: ReadFile<'_>,
    ) {
        let mut own = Vec::new();
        for item in items.into_iter().filter_map(without_tests) {
            match item {
                Item::Mod(module) => self.add_child(&path, file, children, module, read),
                item => own.push(item),
            }
        }
        let module = Module {
            file: file.to_owned(),
            items: own,
        };
        self.modules.insert(path, module);
    }

    fn add_child(
        &mut self,
        parent: &ModulePath,
        file: &str,
        folder: &str,
        module: ItemMod,
        read: ReadFile<'_>,
    ) {
        let name = module.ident.to_string();
        let path: ModulePath = parent.iter().cloned().chain([name.clone()]).collect();
        let children = format!("{folder}/{name}");
        if let Some((_, items)) = module.content {
            return self.add_module(path, file, &children, items, read);
        }
        let candidates = [format!("{folder}/{name}.rs"), format!("{children}/mod.rs")];
        let found = candidates
            .iter()
            .find(|candidate| read(candidate).is_some());
        let found = found.unwrap_or_else(|| panic!("{file}: `mod {name}` has no file"));
        self.add_file(path, found, &children, read);
    }
}

fn parent_folder(file: &str) -> String {
    let parent = Path::new(file).parent().unwrap_or(Path::new(""));
    parent.to_string_lossy().into_owned()
}

// === test code ===

fn without_tests(mut item: Item) -> Option<Item> {
    match &mut item {
        Item::Impl(block) => block.items.retain(|item| match item {
            ImplItem::Fn(item) => !is_test(&item.attrs),
            _ => true,
        }),
        Item::Trait(block) => block.items.retain(|item| match item {
            TraitItem::Fn(item) => !is_test(&item.attrs),
            _ => true,
        }),
        _ => {}
    }
    let attributes = match &item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => return Some(item),
    };
    (!is_test(attributes)).then_some(item)
}

/// Whether an item is compiled for tests only: `#[test]`, or a `#[cfg(…)]` that asks for `test`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        let text = attribute.meta.to_token_stream().to_string();
        let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        path.is_ident("test")
            || (path.is_ident("cfg") && !text.contains("not") && words.any(|word| word == "test"))
    })
}
