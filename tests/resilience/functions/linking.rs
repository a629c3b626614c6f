//! Is an import linked only to a component that fits, and are errors found before any call?

use std::fs;
use std::path::{Path, PathBuf};

use harness::root;

use super::fixture::{caller, manifest, perform};
use crate::saboteur::Saboteur;

const VERSION: &str = "saboteur:actions/actions@1.0.0";

/// The saboteur, with another version of its interface: a file beside the manifest of the host.
fn saboteur_of(host: &Saboteur, version: &str) -> PathBuf {
    let mut code =
        fs::read(root().join("target/wasm32-wasip2/release/saboteur.wasm")).expect("the saboteur");
    let other = VERSION.replace("1.0.0", version);
    assert_eq!(other.len(), VERSION.len(), "names keep their length");
    let starts = code.windows(VERSION.len()).enumerate();
    let starts: Vec<usize> = starts
        .filter_map(|(start, name)| (name == VERSION.as_bytes()).then_some(start))
        .collect();
    for start in starts {
        code[start..start + VERSION.len()].copy_from_slice(other.as_bytes());
    }
    let path = host
        .manifest()
        .with_file_name(format!("saboteur-{version}.wasm"));
    fs::write(&path, code).expect("another saboteur");
    path
}

/// The manifest with another file for the saboteur.
fn manifest_for(saboteur: &Path) -> String {
    let built = root().join("target/wasm32-wasip2/release/saboteur.wasm");
    manifest().replace(&*built.to_string_lossy(), &saboteur.to_string_lossy())
}

#[test]
fn a_later_compatible_version_satisfies_an_import() {
    let host = caller(&manifest(), &[]);
    host.deploy(&manifest_for(&saboteur_of(&host, "1.1.0")));
    assert_eq!(perform(&host, "greet/you"), r#"Ok("hello you")"#);
}

#[test]
fn an_incompatible_version_is_refused_with_both_versions() {
    let host = caller(&manifest(), &[]);
    let named =
        "\n[component.caller.tool.socar.imports]\n\"saboteur:actions/actions\" = \"saboteur\"\n";
    let incompatible = manifest_for(&saboteur_of(&host, "2.0.0")).replace(named, "");
    let (incompatible, _) = incompatible
        .split_once("[component.delegate]")
        .expect("a delegate");
    let refused = host.deploy_refused(incompatible);
    for part in [
        "`component.caller`",
        "imports saboteur:actions/actions@1.0.0",
        "component `saboteur` exports saboteur:actions/actions@2.0.0, which does not satisfy it",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    assert_eq!(perform(&host, "greet/you"), r#"Ok("hello you")"#);
}

#[test]
fn a_missing_callee_is_refused() {
    let host = caller(&manifest(), &[]);
    let text = manifest();
    let (head, _) = text.split_once("[component.saboteur]").expect("a saboteur");
    let alone = head
        .replace("[[trigger.http]]\nroute = { private = true }\ncomponent = \"saboteur\"\n", "")
        .replace("\n[component.caller.tool.socar.imports]\n\"saboteur:actions/actions\" = \"saboteur\"\n", "")
        .replace("allowed_outbound_hosts = [\"http://saboteur.spin.internal\"]", "allowed_outbound_hosts = [\"http://*\"]");
    let refused = host.deploy_refused(&alone);
    assert!(
        refused.contains("which no component of the application exports; add a component that exports it, or name an adapter in [component.caller.dependencies]"),
        "{refused}"
    );
}

#[test]
fn two_exporters_are_refused_unless_the_component_names_one() {
    let host = caller(&manifest(), &[]);
    let named =
        "\n[component.caller.tool.socar.imports]\n\"saboteur:actions/actions\" = \"saboteur\"\n";
    let refused = host.deploy_refused(&manifest().replace(named, ""));
    assert!(
        refused.contains("which components `saboteur` and `delegate` export; name one in [component.caller.tool.socar.imports]"),
        "{refused}"
    );
    let other = named.replace("\"saboteur\"\n", "\"delegate\"\n");
    host.deploy(&manifest().replace(named, &other));
    assert_eq!(perform(&host, "greet/you"), r#"Ok("performed greet/you")"#);
    let calls = "socar_calls_total{link=\"caller -> delegate\",outcome=\"2xx\"}";
    assert_eq!(host.admin().metric(calls), Some(1.0));
}

#[test]
fn a_named_component_must_export_the_interface() {
    let named = "\"saboteur:actions/actions\" = \"saboteur\"";
    let other = named.replace("= \"saboteur\"", "= \"caller\"");
    let host = caller(&manifest(), &[]);
    let refused = host.deploy_refused(&manifest().replace(named, &other));
    assert!(
        refused.contains("this component does not export saboteur:actions/actions@1.0.0"),
        "{refused}"
    );
}
