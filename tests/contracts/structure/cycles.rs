//! Cycles among sibling modules, level by level.
//!
//! At each level the nodes are the children of one module, each with all of its descendants, and an edge is an import
//! from something inside of one child to something inside of another. Imports between a module and its own children are
//! no edges: a parent may use its parts, and the parts may use what their parent provides.

use std::collections::{BTreeMap, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use super::imports::Import;
use super::source_tree::ModulePath;

/// The imports between two siblings.
type Edges<'a> = BTreeMap<(&'a str, &'a str), Vec<&'a Import>>;

/// One description for each strongly connected component.
pub fn cycles(imports: &[Import]) -> Vec<String> {
    let mut levels: BTreeMap<ModulePath, Edges<'_>> = BTreeMap::new();
    for import in imports {
        let shared = import
            .from
            .iter()
            .zip(&import.to)
            .take_while(|(one, other)| one == other);
        let depth = shared.count();
        if let (Some(from), Some(to)) = (import.from.get(depth), import.to.get(depth)) {
            let level = levels.entry(import.from[..depth].to_vec()).or_default();
            level.entry((from, to)).or_default().push(import);
        }
    }
    levels
        .iter()
        .flat_map(|(parent, edges)| cycles_of_level(parent, edges))
        .collect()
}

fn cycles_of_level(parent: &ModulePath, edges: &Edges<'_>) -> Vec<String> {
    let graph: DiGraphMap<&str, ()> = edges.keys().copied().collect();
    let components = tarjan_scc(&graph).into_iter();
    let cyclic = components.filter(|component| component.len() > 1);
    cyclic
        .map(|component| describe(parent, component, edges))
        .collect()
}

fn describe(parent: &ModulePath, mut component: Vec<&str>, edges: &Edges<'_>) -> String {
    component.sort_unstable();
    let cycle = shortest_cycle(&component, edges);
    let name = |module: &&str| {
        let names = parent.iter().map(String::as_str).chain([*module]);
        names.collect::<Vec<_>>().join("::")
    };
    let names: Vec<_> = cycle.iter().map(name).collect();
    let mut text = format!("{}\n", names.join(" -> "));
    if component.len() >= cycle.len() {
        let all: Vec<_> = component.iter().map(name).collect();
        text += &format!("  (one of several cycles among {})\n", all.join(", "));
    }
    for pair in cycle.windows(2) {
        let mut imports = edges[&(pair[0], pair[1])].clone();
        // Paths from the crate's root say the most; those that begin with an imported name follow from them.
        imports.sort_by_key(|import| !import.is_absolute());
        imports.dedup_by(|one, other| (&one.file, &one.path) == (&other.file, &other.path));
        for import in imports.iter().take(MAX_IMPORTS_SHOWN) {
            text += &format!("  {} imports {}\n", import.file, import.path);
        }
    }
    text
}

/// A step of a cycle shows at most this many imports.
const MAX_IMPORTS_SHOWN: usize = 4;

/// The shortest cycle within a strongly connected component, with its first module repeated at the end.
fn shortest_cycle<'a>(component: &[&'a str], edges: &Edges<'a>) -> Vec<&'a str> {
    let from_each = component
        .iter()
        .map(|start| cycle_from(start, component, edges));
    from_each.min_by_key(Vec::len).unwrap_or_default()
}

/// Breadth first from `start` until the search comes back to it.
fn cycle_from<'a>(start: &'a str, component: &[&'a str], edges: &Edges<'a>) -> Vec<&'a str> {
    let mut paths = VecDeque::from([vec![start]]);
    let mut visited = vec![start];
    while let Some(path) = paths.pop_front() {
        for next in component.iter().copied() {
            let Some(last) = path.last() else { break };
            if !edges.contains_key(&(last, next)) {
                continue;
            }
            let longer: Vec<_> = path.iter().copied().chain([next]).collect();
            if next == start {
                return longer;
            }
            if !visited.contains(&next) {
                visited.push(next);
                paths.push_back(longer);
            }
        }
    }
    Vec::new()
}
