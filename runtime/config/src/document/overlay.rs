//! Tables of another file that take precedence. Every value keeps the file and line it is from.

use std::sync::Arc;

use super::Table;
use super::node::{Entry, Node};

impl Table {
    /// The names of the entries of a table below this one; empty when there is none.
    pub(crate) fn names_below(&self, key: &str) -> Vec<&str> {
        let table = self.entries.iter().find(|entry| entry.name == key);
        match table.map(|entry| &entry.node) {
            Some(Node::Table(entries)) => entries.iter().map(|it| it.name.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// Adds the values of `other` to the table with this path, where they take precedence. Tables are merged, key by
    /// key.
    pub(crate) fn overlay(&mut self, path: &[&str], other: Self) {
        let file = other.at.file().clone();
        let nested = path.iter().rev().fold(other.entries, |entries, name| {
            let line = entries.first().map_or(1, |entry| entry.line);
            vec![Entry {
                name: (*name).to_owned(),
                file: None,
                line,
                node: Node::Table(entries),
            }]
        });
        merge(&mut self.entries, nested, &file);
    }
}

fn merge(entries: &mut Vec<Entry>, others: Vec<Entry>, file: &Arc<str>) {
    for other in others {
        let other = Entry {
            file: Some(file.clone()),
            ..other
        };
        match entries.iter_mut().find(|entry| entry.name == other.name) {
            None => entries.push(other),
            Some(entry) => match (&mut entry.node, other.node) {
                (Node::Table(entries), Node::Table(others)) => merge(entries, others, file),
                (_, node) => *entry = Entry { node, ..other },
            },
        }
    }
}
