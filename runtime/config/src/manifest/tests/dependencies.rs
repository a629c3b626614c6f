use super::app;
use crate::manifest::{Component, InterfaceName};

const CALLER: &str = r#"
variables = { car_url = "http://car" }
key_value_stores = ["car"]
allowed_outbound_hosts = ["http://car"]
[component.car.dependencies]
"shop:stock/holds@1.0.0" = { component = "adapter", inherit_configuration = ["variables", "allowed_outbound_hosts"] }
[component.adapter]
source = "adapter.wasm"
"#;

fn name(text: &str) -> InterfaceName {
    InterfaceName::parse(text).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn a_dependency_has_only_the_grants_that_it_inherits() {
    let app = app(CALLER);
    let car = app.component("car").expect("a car");
    let dependency = car.dependencies.first().expect("a dependency");
    let adapter = &dependency.adapter;
    assert_eq!(adapter.id, "adapter");
    assert_eq!(adapter.variables, car.variables);
    assert_eq!(adapter.allowed_outbound_hosts, car.allowed_outbound_hosts);
    assert!(adapter.key_value_stores.is_empty());
}

#[test]
fn a_component_that_is_only_a_dependency_is_no_component_of_the_application() {
    let app = app(CALLER);
    assert!(app.component("adapter").is_none());
    let sources: Vec<&str> = app.sources().map(|it| it.id.as_str()).collect();
    assert_eq!(sources, ["car", "adapter"]);
}

#[test]
fn a_dependency_that_is_not_linked_needs_no_file_on_this_host() {
    let unlinked = format!("{CALLER}[component.adapter.tool.socar]\nlinked = false\n");
    let app = app(&unlinked);
    let ids = |sources: &mut dyn Iterator<Item = &Component>| -> Vec<String> {
        sources.map(|it| it.id.to_string()).collect()
    };
    assert_eq!(ids(&mut app.linked_sources()), ["car"]);
    // Other hosts need it: it is built and packed.
    assert_eq!(ids(&mut app.sources()), ["car", "adapter"]);
}

#[test]
fn a_component_without_a_trigger_is_a_component_of_the_application() {
    let app = app("[component.other]\nsource = \"other.wasm\"");
    assert!(app.component("other").is_some());
}

#[test]
fn a_dependency_is_for_its_interface_or_for_every_interface_of_its_package() {
    for (key, import, expected) in [
        ("shop:stock/holds@1.0.0", "shop:stock/holds@1.0.0", true),
        ("shop:stock/holds", "shop:stock/holds@1.0.0", true),
        ("shop:stock", "shop:stock/holds@1.0.0", true),
        ("shop:stock@1.0.0", "shop:stock/holds@1.0.0", true),
        ("shop:stock@2.0.0", "shop:stock/holds@1.0.0", false),
        ("shop:stock/other", "shop:stock/holds@1.0.0", false),
        ("shop:other", "shop:stock/holds@1.0.0", false),
    ] {
        let text = CALLER.replace("shop:stock/holds@1.0.0", key);
        let app = app(&text);
        let dependency = &app.component("car").expect("a car").dependencies[0];
        assert_eq!(dependency.is_for(&name(import)), expected, "{key}");
    }
}

#[test]
fn a_dependency_inherits_everything_where_its_component_says_so() {
    let text = CALLER
        .replace(
            "\nvariables",
            "\ndependencies_inherit_configuration = true\nvariables",
        )
        .replace(
            ", inherit_configuration = [\"variables\", \"allowed_outbound_hosts\"]",
            "",
        );
    let app = app(&text);
    let car = app.component("car").expect("a car");
    let adapter = &car.dependencies[0].adapter;
    assert_eq!(adapter.key_value_stores, car.key_value_stores);
}

#[test]
fn a_component_names_the_exporter_of_an_import() {
    let app = app("tool.socar.imports = { \"shop:stock/holds\" = \"car\" }");
    let car = app.component("car").expect("a car");
    let exporter = |import| car.exporter_of(&name(import)).map(|it| it.value.as_str());
    assert_eq!(exporter("shop:stock/holds@1.0.0"), Some("car"));
    assert_eq!(exporter("shop:stock/other@1.0.0"), None);
}
