//! Does an adapter stand in for a component that is not in the application, and only then?

use harness::eventually;

use super::fixture::{manifest, perform, shared};
use crate::saboteur::Saboteur;

/// The caller alone, whose actions an adapter performs at the address of another host.
fn split_manifest(other: &str) -> String {
    let text = manifest();
    let (head, _) = text.split_once("[component.saboteur]").expect("a saboteur");
    let named =
        "\n[component.caller.tool.socar.imports]\n\"saboteur:actions/actions\" = \"saboteur\"\n";
    let private = "[[trigger.http]]\nroute = { private = true }\ncomponent = \"saboteur\"\n";
    let hosts = "allowed_outbound_hosts = [\"http://saboteur.spin.internal\"]";
    let granted = format!(
        "allowed_outbound_hosts = [\"{other}\"]\nvariables = {{ saboteur_url = \"{other}\" }}"
    );
    let head = head
        .replace(named, "")
        .replace(private, "")
        .replace(hosts, &granted);
    format!("{head}{}", dependency())
}

fn dependency() -> String {
    let target = harness::root().join("target/wasm32-wasip2/release/adapter.wasm");
    format!(
        r#"
[component.caller.dependencies]
"saboteur:actions" = {{ component = "adapter", inherit_configuration = ["allowed_outbound_hosts", "variables"] }}

[component.adapter]
source = "{}"
"#,
        target.display()
    )
}

fn split(other: &Saboteur, policy: &str) -> Saboteur {
    let manifest = format!("{}{policy}", split_manifest(other.url()));
    Saboteur::start_application(&manifest, &["adapter", "caller"], &[])
}

#[test]
fn an_adapter_performs_the_functions_of_an_absent_component() {
    let other = Saboteur::shared();
    let host = split(other, "");
    assert_eq!(perform(&host, "greet/you"), r#"Ok("hello you")"#);
    let refused = perform(&host, "nonsense");
    assert!(refused.starts_with("Err(Refusal::Refused("), "{refused}");
    let series = "socar_calls_total{link=\"caller -> adapter\",outcome=\"2xx\"}";
    assert_eq!(host.admin().metric(series), Some(1.0));
    let link = format!("caller -> {}", other.url());
    let series = format!("socar_calls_total{{link=\"{link}\",outcome=\"2xx\"}}");
    assert_eq!(host.admin().metric(&series), Some(1.0), "{series}");
}

#[test]
fn the_outbound_link_of_the_caller_guards_an_adapter() {
    let other = Saboteur::shared();
    let policy = "\n[component.caller.tool.socar.links.outbound]\nbreaker = true\n";
    let host = split(other, policy);
    assert_eq!(perform(&host, "greet/you"), r#"Ok("hello you")"#);
    let link = format!("caller -> {}", other.url());
    host.admin().control_breaker("force-open", &link);
    let rejected = perform(&host, "greet/you");
    assert!(rejected.contains("are cut off for now"), "{rejected}");
}

#[test]
fn an_adapter_is_not_used_where_the_application_exports_the_interface() {
    let manifest = format!("{}{}", manifest(), dependency());
    let host = Saboteur::start_application(
        &manifest,
        &["adapter", "caller", "delegate", "saboteur"],
        &[],
    );
    assert_eq!(perform(&host, "greet/you"), r#"Ok("hello you")"#);
    let series = "socar_calls_total{link=\"caller -> saboteur\",outcome=\"2xx\"}";
    assert_eq!(host.admin().metric(series), Some(1.0));
}

#[test]
fn an_adapter_has_only_the_grants_that_it_inherits() {
    let other = shared();
    let manifest = split_manifest(other.url());
    let nothing = manifest.replace(
        ", inherit_configuration = [\"allowed_outbound_hosts\", \"variables\"]",
        "",
    );
    let host = Saboteur::start_application(&manifest, &["adapter", "caller"], &[]);
    host.deploy(&nothing);
    eventually(
        || host.log(),
        |log| log.contains("no HTTP host is granted to it"),
    );
    let unavailable = perform(&host, "greet/you");
    assert!(
        unavailable.starts_with("Err(Refusal::Unavailable("),
        "{unavailable}"
    );
}
