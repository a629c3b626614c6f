//! Do the documents of the API say what the types of the code say?
//!
//! The documents are files of the front end, so that no guest builds them. This test makes them again from the types
//! that the contexts send and compares. `UPDATE_GOLDEN=1 cargo test -p tests --test contracts` writes them.

mod asyncapi;
mod openapi;
mod operations;
mod operators;
mod profiles;
mod schemas;

use std::fs;

use harness::{read, root};
use serde_json::Value;

const FOLDER: &str = "components/frontend/assets/documents";

/// The files of the documents, and their contents.
fn documents() -> Vec<(String, Value)> {
    let mut documents = vec![
        ("openapi.json".to_owned(), openapi::document()),
        ("asyncapi.json".to_owned(), asyncapi::document()),
    ];
    documents.extend(profiles::documents());
    documents
}

#[test]
fn the_documents_of_the_api_are_those_of_the_types() {
    for (name, document) in documents() {
        let path = format!("{FOLDER}/{name}");
        let text = format!("{document:#}\n");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(root().join(&path), &text).expect("a writable folder");
        }
        assert_eq!(read(&path), text, "{path}");
    }
}

#[test]
fn every_reference_of_a_document_leads_somewhere() {
    for (name, document) in documents() {
        let mut references = Vec::new();
        collect_references(&document, &mut references);
        for reference in references {
            let pointer = reference.trim_start_matches('#');
            assert!(document.pointer(pointer).is_some(), "{name}: {reference}");
        }
    }
}

#[test]
fn every_problem_of_a_document_is_explained() {
    let errors = read("docs/src/errors.md");
    for (name, slugs) in operations::problems() {
        for slug in slugs {
            assert!(errors.contains(&format!("| `{slug}` |")), "{name}: {slug}");
        }
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(reference) if name == "$ref" => found.push(reference.clone()),
                    member => collect_references(member, found),
                }
            }
        }
        Value::Array(elements) => elements.iter().for_each(|it| collect_references(it, found)),
        _ => {}
    }
}
