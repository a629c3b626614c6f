//! What a module imports: its `use` declarations, and every path in its code that leads to another module.
//!
//! A path is followed through re-exports, so that an import of `crate::Name` counts as an import of the module that
//! defines `Name`. Paths in macro arguments count too; text in strings and comments does not.

use std::collections::{HashMap, HashSet};

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Item, UseTree};

use super::source_tree::{ModulePath, SourceTree};

/// One module's import of something in another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Import {
    pub from: ModulePath,
    pub to: ModulePath,
    /// The importing file.
    pub file: String,
    /// The path as it is written.
    pub path: String,
}

impl Import {
    /// Whether the path begins at the crate's root or at a parent.
    pub fn is_absolute(&self) -> bool {
        ["crate::", "super::", "self::"]
            .iter()
            .any(|start| self.path.starts_with(start))
    }
}

/// A name that a `use` declaration brings into its module; no name for a glob.
#[derive(Debug)]
struct UseName {
    name: Option<String>,
    path: Vec<String>,
}

/// Longer chains of re-exports are cyclic.
const MAX_REEXPORTS: usize = 16;

/// Every import of every module of a crate, once.
pub fn imports(tree: &SourceTree) -> Vec<Import> {
    let resolver = Resolver::new(tree);
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for (from, module) in &tree.modules {
        for path in paths(&module.items) {
            for to in resolver.modules_on(from, &path) {
                let import = Import {
                    from: from.clone(),
                    to,
                    file: module.file.clone(),
                    path: path.join("::"),
                };
                if seen.insert(import.clone()) {
                    all.push(import);
                }
            }
        }
    }
    all
}

/// Whether the item generates the bindings of a WIT world. Its arguments name the types of the host that implement the
/// resources, and those types implement its traits: the two belong together by construction.
fn generates_bindings(item: &Item) -> bool {
    let Item::Macro(item) = item else {
        return false;
    };
    let name = item.mac.path.segments.last();
    name.is_some_and(|name| name.ident == "bindgen")
}

/// The paths of `use` declarations, then all others.
fn paths(items: &[Item]) -> Vec<Vec<String>> {
    let declared = use_names(items).into_iter().map(|declared| declared.path);
    let mut paths: Vec<_> = declared.collect();
    let others = items
        .iter()
        .filter(|item| !matches!(item, Item::Use(_)) && !generates_bindings(item));
    for item in others {
        collect_paths(item.to_token_stream(), &mut paths);
    }
    paths
}

fn use_names(items: &[Item]) -> Vec<UseName> {
    let mut names = Vec::new();
    for item in items {
        if let Item::Use(item) = item
            && item.leading_colon.is_none()
        {
            flatten(&item.tree, &[], &mut names);
        }
    }
    names
}

/// The single names of a `use` tree with groups.
fn flatten(tree: &UseTree, prefix: &[String], names: &mut Vec<UseName>) {
    let joined = |name: &str| -> Vec<String> {
        let own = (name != "self" || prefix.is_empty()).then(|| name.to_owned());
        prefix.iter().cloned().chain(own).collect()
    };
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &joined(&path.ident.to_string()), names),
        UseTree::Group(group) => group
            .items
            .iter()
            .for_each(|tree| flatten(tree, prefix, names)),
        UseTree::Glob(_) => names.push(UseName {
            name: None,
            path: prefix.to_vec(),
        }),
        UseTree::Name(name) => {
            let path = joined(&name.ident.to_string());
            names.push(UseName {
                name: path.last().cloned(),
                path,
            });
        }
        UseTree::Rename(rename) => names.push(UseName {
            name: Some(rename.rename.to_string()),
            path: joined(&rename.ident.to_string()),
        }),
    }
}

/// Every sequence `name::name…` in these tokens, also within groups and macro arguments.
fn collect_paths(tokens: TokenStream, paths: &mut Vec<Vec<String>>) {
    let mut current: Vec<String> = Vec::new();
    let mut colons = 0;
    for token in tokens {
        match &token {
            TokenTree::Ident(name) => {
                if colons != 2 || current.is_empty() {
                    end_path(&mut current, paths);
                    // A path that begins with `::` names another crate.
                    if colons == 2 {
                        colons = 0;
                        continue;
                    }
                }
                current.push(name.to_string());
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                end_path(&mut current, paths);
                colons = 0;
                collect_paths(group.stream(), paths);
            }
            _ => {
                end_path(&mut current, paths);
                colons = 0;
            }
        }
    }
    end_path(&mut current, paths);
}

fn end_path(current: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let path = std::mem::take(current);
    if path.len() > 1 {
        paths.push(path);
    }
}

/// Follows paths through the modules of a crate.
struct Resolver<'a> {
    scopes: HashMap<&'a ModulePath, Scope>,
}

/// The names of a module.
struct Scope {
    items: HashSet<String>,
    uses: Vec<UseName>,
}

impl<'a> Resolver<'a> {
    fn new(tree: &'a SourceTree) -> Self {
        let scopes = tree.modules.iter().map(|(path, module)| {
            let scope = Scope {
                items: module.items.iter().filter_map(item_name).collect(),
                uses: use_names(&module.items),
            };
            (path, scope)
        });
        Self {
            scopes: scopes.collect(),
        }
    }

    /// The modules that a path in `from` leads to: the one that it names, and the one that defines what is named.
    fn modules_on(&self, from: &ModulePath, path: &[String]) -> Vec<ModulePath> {
        let mut visited = Vec::new();
        self.follow(from, path, MAX_REEXPORTS, &mut visited);
        visited.retain(|module| module != from);
        visited.sort();
        visited.dedup();
        visited
    }

    /// Returns the module that the path ends in, and notes every module that it turns at. Nothing for another crate.
    fn follow(
        &self,
        from: &ModulePath,
        path: &[String],
        depth: usize,
        visited: &mut Vec<ModulePath>,
    ) -> Option<ModulePath> {
        let (first, rest) = path.split_first()?;
        let depth = depth.checked_sub(1)?;
        let mut module = match first.as_str() {
            "crate" => ModulePath::new(),
            "self" => from.clone(),
            "super" => parent(from)?,
            name => match self.named(from, name, depth, visited)? {
                Named::Module(module) => module,
                Named::Item(module) => {
                    visited.push(module);
                    return None;
                }
            },
        };
        for name in rest {
            if name == "super" {
                module = parent(&module)?;
                continue;
            }
            match self.named(&module, name, depth, visited) {
                Some(Named::Module(next)) => module = next,
                Some(Named::Item(definition)) => {
                    visited.push(module);
                    visited.push(definition);
                    return None;
                }
                None => {
                    visited.push(module);
                    return None;
                }
            }
        }
        visited.push(module.clone());
        Some(module)
    }

    /// What a name means in a module: a child, an item of its own, or something that it imports.
    fn named(
        &self,
        module: &ModulePath,
        name: &str,
        depth: usize,
        visited: &mut Vec<ModulePath>,
    ) -> Option<Named> {
        let child = child(module, name);
        if self.scopes.contains_key(&child) {
            return Some(Named::Module(child));
        }
        let scope = self.scopes.get(module)?;
        if scope.items.contains(name) {
            return Some(Named::Item(module.clone()));
        }
        let import = scope
            .uses
            .iter()
            .find(|import| import.name.as_deref() == Some(name));
        if let Some(import) = import {
            return self.imported(module, &import.path, depth, visited);
        }
        let globs = scope.uses.iter().filter(|import| import.name.is_none());
        globs
            .filter_map(|glob| self.follow(module, &glob.path, depth, &mut Vec::new()))
            .filter(|source| source != module && depth > 0)
            .find_map(|source| self.named(&source, name, depth - 1, visited))
    }

    fn imported(
        &self,
        module: &ModulePath,
        path: &[String],
        depth: usize,
        visited: &mut Vec<ModulePath>,
    ) -> Option<Named> {
        let mut turns = Vec::new();
        match self.follow(module, path, depth, &mut turns) {
            Some(module) => Some(Named::Module(module)),
            None => {
                let definition = turns.pop()?;
                visited.extend(turns);
                Some(Named::Item(definition))
            }
        }
    }
}

enum Named {
    Module(ModulePath),
    /// An item that this module defines.
    Item(ModulePath),
}

fn parent(module: &ModulePath) -> Option<ModulePath> {
    let (_, parent) = module.split_last()?;
    Some(parent.to_vec())
}

fn child(module: &ModulePath, name: &str) -> ModulePath {
    module.iter().cloned().chain([name.to_owned()]).collect()
}

fn item_name(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(name.to_string())
}
