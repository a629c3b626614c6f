//! The values of a runtime configuration, and the error of every invalid one.

use std::path::{Path, PathBuf};

use random_inputs::{edited, edits};

use super::{KeyValueStore, OutboundHttp, RuntimeConfig, SqliteDatabase};
use crate::manifest::{App, Overrides, VariablesProvider};

const OURS: &str = include_str!("../../../../runtime-config.toml");
const MANIFEST: &str = include_str!("../../../../spin.toml");

fn config(text: &str) -> RuntimeConfig {
    let config = RuntimeConfig::from_text(Path::new("/etc/socar/runtime-config.toml"), text);
    config.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_shipped_configuration_has_a_database_of_its_own_for_every_label() {
    let config = config(OURS);
    let app = App::from_text(Path::new("spin.toml"), MANIFEST, &Overrides::default());
    let app = app.unwrap_or_else(|error| panic!("{error}"));
    for component in &app.components {
        for label in &component.key_value_stores {
            assert!(config.key_value_stores.contains_key(label), "{label}");
        }
        for label in &component.sqlite_databases {
            assert!(config.sqlite_databases.contains_key(label), "{label}");
        }
    }
    assert_eq!(config.check_labels(&app), Ok(()));
    let mut urls: Vec<_> = config
        .key_value_stores
        .values()
        .map(|store| format!("{store:?}"))
        .collect();
    urls.sort();
    urls.dedup();
    assert_eq!(urls.len(), config.key_value_stores.len());
}

#[test]
fn relative_paths_start_in_the_same_directories_as_in_spin() {
    let config = config(concat!(
        "state_dir = \"state\"\nlog_dir = \"/var/log/socar\"\n",
        "[key_value_store.a]\ntype = \"spin\"\npath = \"a.db\"\n",
        "[key_value_store.b]\ntype = \"spin\"\npath = \"/b.db\"\n",
        "[key_value_store.c]\ntype = \"spin\"\n",
        "[sqlite_database.d]\ntype = \"spin\"\npath = \"d.db\"\nallow_attach_file = true\n",
    ));
    let here = std::env::current_dir().expect("a directory");
    assert_eq!(config.state_dir, Some(here.join("state")));
    assert_eq!(config.log_dir, Some(PathBuf::from("/var/log/socar")));
    let store = |path: Option<&str>| KeyValueStore::Spin {
        path: path.map(PathBuf::from),
    };
    assert_eq!(config.key_value_stores["a"], store(Some("/etc/socar/a.db")));
    assert_eq!(config.key_value_stores["b"], store(Some("/b.db")));
    assert_eq!(config.key_value_stores["c"], store(None));
    let database = SqliteDatabase::Spin {
        path: Some(here.join("d.db")),
        allow_attach_file: true,
    };
    assert_eq!(config.sqlite_databases["d"], database);
}

#[test]
fn limits_and_providers_are_read_as_in_spin() {
    let config = config(concat!(
        "max_instance_memory = 134217728\n",
        "[outbound_http]\nmax_connections = 10\n[outbound_redis]\nmax_connections = 5\n",
        "[[variables_provider]]\ntype = \"static\"\nvalues = { limit = \"5\" }\n",
        "[[variables_provider]]\ntype = \"env\"\nprefix = \"MINE\"\n",
        "[[config_provider]]\ntype = \"env\"\ndotenv_path = \".env.local\"\n",
    ));
    assert_eq!(config.max_instance_memory, Some(128 * 1024 * 1024));
    let http = OutboundHttp {
        connection_pooling: false,
        max_connections: Some(10),
    };
    assert_eq!(
        (config.outbound_http, config.outbound_redis_connections),
        (http, Some(5))
    );
    let env = |prefix: &str, dotenv: Option<&str>| VariablesProvider::Environment {
        prefix: prefix.to_owned(),
        dotenv: dotenv.map(PathBuf::from),
    };
    let values = [("limit".to_owned(), "5".to_owned())].into();
    let expected = [
        VariablesProvider::Static(values),
        env("MINE", None),
        env("SPIN_VARIABLE", Some(".env.local")),
    ];
    assert_eq!(config.variables_providers, expected);
}

#[test]
fn an_absent_file_is_the_default() {
    assert!(OutboundHttp::default().connection_pooling);
    let folder = tempfile::tempdir().expect("a folder");
    let absent = folder.path().join("absent.toml");
    for file in [
        None,
        Some(Path::new("/runtime-config.toml")),
        Some(&absent),
        Some(folder.path()),
    ] {
        let config = RuntimeConfig::load(file).unwrap_or_else(|error| panic!("{error}"));
        assert!(config.key_value_stores.is_empty());
        assert!(file.is_none_or(RuntimeConfig::is_absent));
    }
}

#[test]
fn every_invalid_configuration_has_its_error() {
    for (text, expected) in [
        (
            "stat_dir = \"x\"",
            r#"rc.toml:1: `stat_dir`: unknown key; did you mean `state_dir`?"#,
        ),
        (
            "key_value_store.a = ",
            "rc.toml:1: `key_value_store.a = …`: not valid TOML (string values must be quoted, expected literal string); correct this line",
        ),
        (
            "[key_value_store.a]\nurl = \"redis://h\"",
            r#"rc.toml:1: `key_value_store.a.type`: this key is missing; write type = "spin" or type = "redis""#,
        ),
        (
            "[key_value_store.a]\ntype = \"azure_cosmos\"\naccount = \"x\"",
            r#"rc.toml:2: `key_value_store.a.type`: socar has no key-value store of the type `azure_cosmos`; known here: `spin`, `redis`"#,
        ),
        (
            "[key_value_store.a]\ntype = \"redsi\"",
            r#"rc.toml:2: `key_value_store.a.type`: socar has no key-value store of the type `redsi`; did you mean `redis`?"#,
        ),
        (
            "[key_value_store.a]\ntype = \"redis\"",
            r#"rc.toml:1: `key_value_store.a.url`: this key is missing; add url = "redis://host:port/0""#,
        ),
        (
            "[key_value_store.a]\ntype = \"redis\"\nurl = \"localhost\"",
            r#"rc.toml:3: `key_value_store.a.url`: not a Redis address: it has no scheme; write redis://host:port/database, or rediss:// for TLS"#,
        ),
        (
            "[key_value_store.a]\ntype = \"spin\"\nfile = \"a.db\"",
            r#"rc.toml:3: `key_value_store.a.file`: unknown key; known here: `type`, `path`"#,
        ),
        (
            "[key_value_store.\"A b\"]\ntype = \"spin\"",
            r#"rc.toml:1: `key_value_store.A b`: ` ` is neither a letter nor a digit; labels are kebab-case or snake_case, such as `car-outbox` or `car_outbox`"#,
        ),
        (
            "[key_value_store.\"a\\u001b[2J\"]\ntype = \"spin\"",
            r#"rc.toml:1: `key_value_store.a\u{1b}[2J`: `\u{1b}` is neither a letter nor a digit; labels are kebab-case or snake_case, such as `car-outbox` or `car_outbox`"#,
        ),
        (
            "[sqlite_database.a]\ntype = \"libsql\"\nurl = \"https://x\"",
            r#"rc.toml:2: `sqlite_database.a.type`: socar has no SQLite database of the type `libsql`; known here: `spin`"#,
        ),
        (
            "[llm_compute]\ntype = \"spin\"",
            "rc.toml:1: `llm_compute`: socar does not support this table of Spin's; remove it, or run the application on stock Spin",
        ),
        (
            "[outbound_networking]\nblock_networks = [\"private\"]",
            "rc.toml:1: `outbound_networking`: socar does not support this table of Spin's; remove it; `allowed_outbound_hosts` in the manifest says where components may connect",
        ),
        (
            "[[variables_provider]]\ntype = \"vault\"\nurl = \"x\"",
            r#"rc.toml:2: `variables_provider[0].type`: socar has no variables provider of the type `vault`; known here: `static`, `env`"#,
        ),
        (
            "[[variables_provider]]\ntype = \"e\\nv\"",
            r#"rc.toml:2: `variables_provider[0].type`: socar has no variables provider of the type `e\nv`; did you mean `env`?"#,
        ),
        (
            "[outbound_http]\nconnection_poling = true",
            "rc.toml:2: `outbound_http.connection_poling`: unknown key; did you mean `connection_pooling`?",
        ),
        (
            "max_instance_memory = -1",
            "rc.toml:1: `max_instance_memory`: out of bounds; write a number of bytes from 65536 to 4294967296",
        ),
        (
            "max_instance_memory = 9223372036854775807",
            "rc.toml:1: `max_instance_memory`: out of bounds; write a number of bytes from 65536 to 4294967296",
        ),
        (
            "outbound_redis.max_connections = -1",
            "rc.toml:1: `outbound_redis.max_connections`: it is negative; write a number from 0",
        ),
        (
            "state_dir = \"\"",
            r#"rc.toml:1: `state_dir`: it names no directory; name a directory, or remove the key for the default one"#,
        ),
    ] {
        let error = RuntimeConfig::from_text(Path::new("rc.toml"), text).expect_err(text);
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("config.toml");
    std::fs::write(&file, [0xff]).expect("a file");
    let error = RuntimeConfig::load(Some(&file)).expect_err("no text");
    let error = error.to_string();
    assert!(
        error.contains("config.toml: is not UTF-8") && error.contains("save it as UTF-8"),
        "{error}"
    );
}

#[test]
fn a_misspelt_label_is_rejected_and_one_of_another_application_is_accepted() {
    let app = App::from_text(Path::new("spin.toml"), MANIFEST, &Overrides::default());
    let app = app.unwrap_or_else(|error| panic!("{error}"));
    let check = |label: &str| {
        let text = format!(
            "[key_value_store.car]\ntype = \"spin\"\n[key_value_store.{label}]\ntype = \"spin\"\n"
        );
        config(&text)
            .check_labels(&app)
            .map_err(|error| error.to_string())
    };
    for label in ["default", "session", "cars", "payment"] {
        assert_eq!(check(label), Ok(()), "{label}");
    }
    let expected = "/etc/socar/runtime-config.toml:3: `key_value_store.paymnt`: no component is granted this label; did you mean `payment`, which is not configured?";
    assert_eq!(check("paymnt"), Err(expected.to_owned()));
}

#[test]
fn no_message_contains_a_secret() {
    for text in [
        "[key_value_store.a]\ntype = \"redis\"\nurl = \"redis:/u:hunter2@h\"",
        "[key_value_store.a]\ntype = \"redis\"\nurl = \"hunter2\"",
        "[key_value_store.a]\ntype = \"redis\"\nuri = \"redis://u:hunter2@h\"",
        "[key_value_store.a]\ntype = \"azure_cosmos\"\nkey = \"hunter2\"",
        "[[variables_provider]]\ntype = \"static\"\nvalues = { token = [\"hunter2\"] }",
        "[[variables_provider]]\ntype = \"static\"\nvalus = { token = \"hunter2\" }",
        "[[variables_provider]]\ntype = \"static\"\nvalues = \"hunter2\"",
        "[[variables_provider]]\ntype = \"static\"\nvalues = { token = \"hunter2 }",
    ] {
        let error = RuntimeConfig::from_text(Path::new("rc.toml"), text).expect_err(text);
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn the_redis_server_of_the_host_is_no_setting_of_spin() {
    let with = config("[socar]\nredis_url = \"redis://:secret@redis:6379\"\n");
    assert_eq!(
        with.redis_url.as_deref(),
        Some("redis://:secret@redis:6379")
    );
    assert!(!with.keeps_stores_of(&RuntimeConfig::default()));
    let path = Path::new("runtime-config.toml");
    let refused = RuntimeConfig::from_text(path, "[socar]\nredis = \"redis://:secret@redis\"\n");
    let refused = refused.expect_err("an error").to_string();
    assert!(
        refused.contains("`socar.redis`") && refused.contains("redis_url"),
        "{refused}"
    );
    assert!(!refused.contains("secret"), "{refused}");
}

#[test]
fn a_redis_address_that_no_client_can_use_is_named_by_its_key() {
    let path = Path::new("runtime-config.toml");
    for (text, key) in [
        (
            "[socar]\nredis_url = \"redis://:hunter2@0.0.0.0:6379\"\n",
            "runtime-config.toml:2: `socar.redis_url`: not a Redis address",
        ),
        (
            "[key_value_store.a]\ntype = \"redis\"\nurl = \"redis://:hunter2@h?protocol=9\"\n",
            "runtime-config.toml:3: `key_value_store.a.url`: not a Redis address",
        ),
    ] {
        let refused = RuntimeConfig::from_text(path, text).expect_err("an error");
        let refused = refused.to_string();
        assert!(refused.starts_with(key), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}

#[test]
fn any_runtime_configuration_is_read_or_refused() {
    let config = concat!(
        "state_dir = \"state\"\n[outbound_http]\nconnection_pooling = true\n[outbound_redis]\nmax_connections = 5\n",
        "[key_value_store.a]\ntype = \"redis\"\nurl = \"redis://u:hunter2@127.0.0.1/1\"\n",
        "[key_value_store.b]\ntype = \"spin\"\npath = \"b.db\"\n[sqlite_database.c]\ntype = \"spin\"\n",
        "[[variables_provider]]\ntype = \"env\"\nprefix = \"P\"\n",
        "[[variables_provider]]\ntype = \"static\"\nvalues = { a = \"hunter2\" }\n",
    );
    bolero::check!().with_generator(edits()).for_each(|edits| {
        let text = edited(config, edits);
        if let Err(error) = RuntimeConfig::from_text(Path::new("runtime-config.toml"), &text) {
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    });
}
