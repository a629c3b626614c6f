//! Locked applications that this host cannot run, and those of other versions of Spin.

use super::*;
use crate::digest::Digest;

fn component(id: &str, more: &Value) -> Value {
    let source = serde_json::json!({"content_type": "application/wasm", "digest": Digest::of(id.as_bytes())});
    let mut component = serde_json::json!({"id": id, "source": source});
    for (key, value) in more.as_object().unwrap() {
        component[key] = value.clone();
    }
    component
}

fn locked(change: impl FnOnce(&mut Value)) -> LockedApp {
    let mut app = serde_json::json!({
        "spin_lock_version": 0,
        "metadata": {"name": "shop", "trigger": {"type": "http"}, "triggers": {"http": {}}},
        "triggers": [{
            "id": "trigger-car",
            "trigger_type": "http",
            "trigger_config": {"component": "car", "route": "/...", "executor": null},
        }],
        "components": [component("car", &serde_json::json!({}))],
    });
    change(&mut app);
    serde_json::from_value(app).unwrap()
}

fn table(app: &LockedApp) -> Table {
    manifest(app, None).unwrap().parse().unwrap()
}

#[test]
fn an_application_that_needs_another_host_is_refused() {
    let requirement = |name: &str, value: &str| serde_json::json!({name: value});
    for (key, value, expected) in [
        ("spin_lock_version", 2.into(), "version 2"),
        ("must_understand", serde_json::json!(["future"]), "`future`"),
        ("host_requirements", requirement("gpu", "required"), "`gpu`"),
    ] {
        let app = locked(|app| app[key] = value);
        let refused = manifest(&app, None).unwrap_err().to_string();
        assert!(refused.contains(expected), "{refused}");
    }
    for accepted in [
        requirement("gpu", "optional"),
        requirement(SERVICE_CHAINING, "required"),
    ] {
        let app = locked(|app| app["components"][0]["host_requirements"] = accepted);
        assert!(manifest(&app, None).is_ok());
    }
    let middleware = serde_json::json!({"middleware": [{}]});
    let app = locked(|app| app["components"][0]["trigger_dependencies"] = middleware);
    let refused = manifest(&app, None).unwrap_err().to_string();
    assert!(refused.contains("middleware"), "{refused}");
}

#[test]
fn a_dependency_is_the_component_with_its_file() {
    let file = |name: &str| serde_json::json!({"content_type": "application/wasm", "digest": Digest::of(name.as_bytes())});
    let dependencies = serde_json::json!({"dependencies": {
        "a:b/c": {"source": file("adapter"), "inherit": "All"},
        "a:b/d": {"source": file("nowhere"), "export": null},
        "a:b/e": {"source": file("nowhere")},
        "a:b/f": {"source": file("granted")},
        "a:b/g": {"source": file("car")},
    }});
    let granted = serde_json::json!({"metadata": {"key_value_stores": ["a"]}});
    let app = locked(|app| {
        app["components"] = serde_json::json!([
            component("car", &dependencies),
            component("granted", &granted),
            component(
                "adapter",
                &serde_json::json!({"metadata": {"description": "d"}})
            ),
            component("dependency-n1", &serde_json::json!({})),
        ]);
    });
    let manifest = table(&app);
    let components = manifest["component"].as_table().unwrap();
    let id = |import: &str| {
        let dependency = &components["car"]["dependencies"][import];
        dependency["component"].as_str().unwrap()
    };
    assert_eq!(id("a:b/c"), "adapter");
    // Components that the artifact does not list get an id that is free.
    assert_eq!(id("a:b/d"), id("a:b/e"));
    let added = [id("a:b/d"), id("a:b/f"), id("a:b/g")];
    for id in added {
        assert!(components[id].get("key_value_stores").is_none());
        assert_ne!(id, "dependency-n1");
    }
    assert_eq!(components.len(), 4 + 3);
}

#[test]
fn files_stay_within_the_component() {
    for path in ["../secret", "/etc/passwd", "a/../../b", ""] {
        let file = serde_json::json!([{"path": path, "digest": Digest::of(b"")}]);
        let app = locked(|app| app["components"][0]["files"] = file);
        let refused = manifest(&app, None).unwrap_err().to_string();
        assert!(refused.contains("outside of the component"), "{refused}");
    }
}

#[test]
fn settings_of_a_single_trigger_are_those_of_earlier_versions() {
    let app = locked(|app| {
        app["metadata"] = serde_json::json!({
            "name": "shop", "trigger": {"type": "redis", "address": "redis://a"},
        });
    });
    let manifest = table(&app);
    let address = &manifest["application"]["trigger"]["redis"]["address"];
    assert_eq!(address.as_str(), Some("redis://a"));
}

#[test]
fn policies_change_nothing_but_policies() {
    let app = locked(|_| {});
    let written = manifest(&app, Some("[component.car.tool.socar]\nsweep = \"5s\"")).unwrap();
    let written: Table = written.parse().unwrap();
    let sweep = &written["component"]["car"]["tool"]["socar"]["sweep"];
    assert_eq!(sweep.as_str(), Some("5s"));
    for (policies, expected) in [
        ("[component.car]\nsource = \"/etc/passwd\"", "other tables"),
        ("[component.car.tool]\nother = 1", "other tables"),
        (
            "[component.car.tool.socar]\na = 1\n[component.car.build]\ncommand = \"rm\"",
            "other tables",
        ),
        ("[application]\nname = \"other\"", "other tables"),
        ("[variables]\na = { default = \"b\" }", "other tables"),
        (
            "[component.cars.tool.socar]\nsweep = \"5s\"",
            "does not have",
        ),
        ("component = 1", "other tables"),
        ("[", "not TOML"),
    ] {
        let refused = manifest(&app, Some(policies)).unwrap_err().to_string();
        assert!(refused.contains(expected), "{policies}: {refused}");
        assert!(refused.contains("push the application again"), "{refused}");
    }
}

proptest::proptest! {
    /// Whatever a registry sends as a locked application: it becomes a manifest that is TOML, or it is refused.
    #[test]
    fn any_locked_application_is_unlocked_or_refused(
        at: usize,
        removed in 0..9_usize,
        token in "[{}\\[\\]\",:0-9a-z./-]{0,6}",
        policies in "(\\[(component|application)(\\.[a-z]{1,4}){0,3}\\]\n[a-z]{0,3} = [0-9\"]{0,3}\n){0,2}",
    ) {
        let file = serde_json::json!([{"path": "a/b", "inline": "YQ"}]);
        let app = locked(|app| app["components"][0]["files"] = file);
        let mut text = serde_json::to_string(&app).unwrap();
        let at = at % (text.len() + 1);
        let end = (at + removed).min(text.len());
        text.replace_range(at..end, &token);
        if let Ok(app) = serde_json::from_str::<LockedApp>(&text)
            && let Ok(manifest) = manifest(&app, Some(&policies))
        {
            proptest::prop_assert!(manifest.parse::<Table>().is_ok(), "{manifest}");
        }
    }
}
