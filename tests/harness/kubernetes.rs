//! Kubernetes manifests as `kubectl kustomize` renders them. No cluster is needed.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Deserializer, Value};

use crate::workspace::root;

/// The documents of a kustomization.
#[derive(Debug)]
pub struct Manifests(Vec<Value>);

// === impl Manifests ===

impl Manifests {
    /// Renders a folder of `deploy/`. `None`, with a message, on a machine without `kubectl`.
    ///
    /// # Panics
    /// When the kustomization is wrong, with the output of `kubectl`.
    pub fn render(folder: &str) -> Option<Self> {
        let folder = root().join("deploy").join(folder);
        let mut kustomize = Command::new("kubectl");
        let Ok(rendered) = kustomize.arg("kustomize").arg(&folder).output() else {
            eprintln!("skipped: kubectl is not installed");
            return None;
        };
        let rendered = successful(rendered);
        // The only command without a cluster that prints every kind of document as JSON.
        let mut convert = Command::new("kubectl");
        convert.args(["label", "--local", "-f", "-", "-o", "json", "rendered=true"]);
        let json = successful(run_with(convert, &rendered));
        let documents = Deserializer::from_slice(&json).into_iter::<Value>();
        let documents = documents.collect::<Result<_, _>>();
        Some(Self(documents.unwrap_or_else(|error| {
            panic!("{error}: {}", folder.display())
        })))
    }

    /// Replaces a text in every value that begins with it, such as the address of a service.
    pub fn replace_text(&mut self, text: &str, other: &str) {
        self.0
            .iter_mut()
            .for_each(|document| replace(document, text, other));
    }

    /// Every document.
    pub fn documents(&self) -> &[Value] {
        &self.0
    }

    /// The documents of one of these kinds.
    pub fn of_kind<'a>(&'a self, kinds: &'a [&str]) -> impl Iterator<Item = &'a Value> {
        let is_wanted = |document: &&Value| kinds.iter().any(|kind| document["kind"] == **kind);
        self.0.iter().filter(is_wanted)
    }

    /// The document of this kind and name.
    ///
    /// # Panics
    /// When there is none.
    pub fn find(&self, kind: &str, name: &str) -> &Value {
        let found = self
            .0
            .iter()
            .find(|document| document["kind"] == kind && document["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("there is no {kind} {name}"))
    }
}

fn replace(value: &mut Value, text: &str, other: &str) {
    match value {
        Value::String(found) => {
            if let Some(rest) = found.strip_prefix(text) {
                *found = format!("{other}{rest}");
            }
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| replace(value, text, other)),
        Value::Object(values) => values
            .values_mut()
            .for_each(|value| replace(value, text, other)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn successful(output: Output) -> Vec<u8> {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl: {errors}");
    output.stdout
}

fn run_with(mut command: Command, input: &[u8]) -> Output {
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped
        .spawn()
        .unwrap_or_else(|error| panic!("{error}: {command:?}"));
    let mut stdin = child.stdin.take();
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.take().map(|mut stdin| stdin.write_all(input)));
        child
            .wait_with_output()
            .unwrap_or_else(|error| panic!("{error}"))
    })
}
