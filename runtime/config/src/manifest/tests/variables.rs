//! The precedence of the values of a variable.

use std::fs;
use std::path::Path;

use super::load_with;
use crate::manifest::tests::messages::in_car;
use crate::manifest::{Environment, Overrides, VariablesProvider};

/// The car's `limit` when the application is started like this.
fn limit(overrides: &Overrides) -> String {
    let text = in_car(
        "variables = { limit = \"<{{ limit }}>\" }\n[variables]\nlimit = { default = \"default\" }",
    );
    let app = load_with(&text, overrides).unwrap_or_else(|error| panic!("{error}"));
    let car = app
        .component("car")
        .map(|car| car.variables.clone())
        .unwrap_or_default();
    car.get("limit").unwrap_or("none").to_owned()
}

fn static_provider(value: &str) -> VariablesProvider {
    VariablesProvider::Static([("limit".to_owned(), value.to_owned())].into())
}

fn env_provider(prefix: &str) -> VariablesProvider {
    VariablesProvider::Environment {
        prefix: prefix.to_owned(),
        dotenv: None,
    }
}

#[test]
fn flags_precede_providers_precede_the_environment_precedes_the_default() {
    let mut overrides = Overrides::default();
    assert_eq!(limit(&overrides), "<default>");
    overrides.environment = Environment::from([
        ("SPIN_VARIABLE_LIMIT", "environment"),
        ("MINE_LIMIT", "mine"),
    ]);
    assert_eq!(limit(&overrides), "<environment>");
    overrides.providers.push(env_provider("MINE"));
    assert_eq!(limit(&overrides), "<mine>");
    overrides.providers.insert(0, static_provider("first"));
    overrides.providers.insert(1, static_provider("second"));
    assert_eq!(limit(&overrides), "<first>");
    overrides.variables = vec!["limit=flag".to_owned(), "limit=last=flag".to_owned()];
    assert_eq!(limit(&overrides), "<last=flag>");
}

#[test]
fn a_value_of_the_host_precedes_only_the_default() {
    let text = in_car(
        "variables = { says = \"{{ link_breakers }}\" }\n[variables]\nlink_breakers = { default = \"components\" }",
    );
    let said = |overrides: &Overrides| {
        let app = load_with(&text, overrides).unwrap_or_else(|error| panic!("{error}"));
        let car = app.component("car").map(|car| car.variables.clone());
        car.and_then(|variables| variables.get("says").map(str::to_owned))
    };
    let mut overrides = Overrides::default();
    assert_eq!(said(&overrides).as_deref(), Some("host"));
    overrides.variables = vec!["link_breakers=components".to_owned()];
    assert_eq!(said(&overrides).as_deref(), Some("components"));
}

/// A car that is told who verifies access tokens, as in the shipped manifest.
fn with_verifier() -> String {
    in_car(
        "variables = { identity_verifier = \"{{ identity_verifier }}\" }\n[variables]\nidentity_verifier = { default = \"components\" }",
    )
}

fn overrides_of_each_source(name: &str, value: &str, directory: &Path) -> Vec<Overrides> {
    let environment_variable = Environment::variable(name);
    let file = directory.join("values.toml");
    fs::write(&file, format!("{name} = {value:?}")).expect("a file");
    let dotenv = directory.join("dotenv");
    fs::write(&dotenv, format!("{environment_variable}={value}\n")).expect("a file");
    vec![
        Overrides {
            variables: vec![format!("{name}={value}")],
            ..Overrides::default()
        },
        Overrides {
            variables: vec![format!("@{}", file.display())],
            ..Overrides::default()
        },
        Overrides {
            providers: vec![VariablesProvider::Static(
                [(name.to_owned(), value.to_owned())].into(),
            )],
            ..Overrides::default()
        },
        Overrides {
            providers: vec![VariablesProvider::Environment {
                prefix: "SPIN_VARIABLE".to_owned(),
                dotenv: Some(dotenv),
            }],
            ..Overrides::default()
        },
        Overrides {
            environment: Environment::from([(environment_variable.as_str(), value)]),
            ..Overrides::default()
        },
    ]
}

#[test]
fn only_the_host_verifies_tokens_on_a_host_with_identity() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = with_verifier();
    let checked = |overrides: &Overrides| {
        load_with(&text, overrides)
            .unwrap_or_else(|error| panic!("{error}"))
            .check_identity_verifier()
    };
    assert_eq!(checked(&Overrides::default()), Ok(()));
    for overrides in overrides_of_each_source("identity_verifier", "host", directory.path()) {
        assert_eq!(checked(&overrides), Ok(()), "{overrides:?}");
    }
    for overrides in overrides_of_each_source("identity_verifier", "components", directory.path()) {
        let error = checked(&overrides).expect_err("the components verify");
        let error = error.to_string();
        for part in [
            "`component.car.variables.identity_verifier` = \"components\": ",
            "the host verifies access tokens",
            "remove identity_verifier from --variable",
            "SPIN_VARIABLE_IDENTITY_VERIFIER",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }
}

#[test]
fn a_misspelt_owner_stops_the_start_from_every_source() {
    let directory = tempfile::tempdir().expect("a directory");
    for value in ["hosst", "Host", "component"] {
        for overrides in overrides_of_each_source("identity_verifier", value, directory.path()) {
            let error = load_with(&with_verifier(), &overrides).expect_err(value);
            assert_eq!(
                error.to_string(),
                format!(
                    "spin.toml:11: `variables.identity_verifier`: the value {value:?} of this variable is unusable: not a known value; start with --variable identity_verifier=… or set SPIN_VARIABLE_IDENTITY_VERIFIER, to `components` or `host`"
                )
            );
        }
    }
}

#[test]
fn values_are_read_from_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).expect("a file");
        path
    };
    let toml = write("values.toml", "limit = \"toml\"");
    let json = write("values.json", "\u{feff}{\"limit\": \"json\"}");
    let text = write("limit.txt", "\u{feff}text\r\n");
    for (argument, expected) in [
        (format!("@{}", toml.display()), "<toml>"),
        (format!("@{}", json.display()), "<json>"),
        (format!("limit=@{}", text.display()), "<text>"),
    ] {
        let overrides = Overrides {
            variables: vec![argument],
            ..Overrides::default()
        };
        assert_eq!(limit(&overrides), expected);
    }
    let dotenv = write(
        "dotenv",
        "# comment\nOTHER=1\nexport SPIN_VARIABLE_LIMIT=\"a b\"\n",
    );
    let provider = VariablesProvider::Environment {
        prefix: "SPIN_VARIABLE".to_owned(),
        dotenv: Some(dotenv),
    };
    let overrides = Overrides {
        providers: vec![provider],
        ..Overrides::default()
    };
    assert_eq!(limit(&overrides), "<a b>");
}

#[test]
fn a_malformed_dotenv_file_stops_the_start_without_its_content() {
    let directory = tempfile::tempdir().expect("a directory");
    let dotenv = directory.path().join("dotenv");
    fs::write(&dotenv, "SPIN_VARIABLE_TOKEN=hush hush\n").expect("a file");
    let overrides = Overrides {
        providers: vec![VariablesProvider::Environment {
            prefix: "SPIN_VARIABLE".to_owned(),
            dotenv: Some(dotenv.clone()),
        }],
        ..Overrides::default()
    };
    let text = in_car("[variables]\nlimit = { default = \"1\" }");
    let error = load_with(&text, &overrides).expect_err("a malformed line");
    assert_eq!(
        error.to_string(),
        format!(
            "{}: a line is not NAME=value; correct the line; put values with spaces in quotes",
            dotenv.display()
        )
    );
}

/// A link to itself: a file without permission could be read by root.
#[test]
fn a_dotenv_file_that_cannot_be_read_stops_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    let load = |name: &str| {
        let overrides = Overrides {
            providers: vec![VariablesProvider::Environment {
                prefix: "SPIN_VARIABLE".to_owned(),
                dotenv: Some(directory.path().join(name)),
            }],
            ..Overrides::default()
        };
        let text = in_car("[variables]\nlimit = { default = \"1\" }");
        load_with(&text, &overrides).map(drop)
    };
    assert_eq!(load("absent").err().map(|it| it.to_string()), None);
    fs::create_dir(directory.path().join("directory")).expect("a directory");
    assert_eq!(load("directory").err().map(|it| it.to_string()), None);
    std::os::unix::fs::symlink("circle", directory.path().join("circle")).expect("a link");
    let error = load("circle").expect_err("a file that cannot be read");
    let has_remedy = error
        .to_string()
        .contains("make it readable for the user of the host");
    assert!(has_remedy, "{error}");
}

#[test]
fn debug_output_contains_no_secret() {
    let text = in_car(
        "variables = { token = \"{{ token }}\" }\n[variables]\ntoken = { required = true, secret = true }",
    );
    let overrides = Overrides {
        variables: vec!["token=hush".to_owned()],
        ..Overrides::default()
    };
    let app = load_with(&text, &overrides).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        app.component("car")
            .and_then(|car| car.variables.get("token")),
        Some("hush")
    );
    assert!(!format!("{app:?}").contains("hush"));
    let providers = [static_provider("hush")];
    assert!(!format!("{providers:?} {:?}", Environment::from([("A", "hush")])).contains("hush"));
}

#[test]
fn an_application_that_is_only_packed_needs_no_values() {
    let text = in_car(
        "variables = { limit = \"<{{ limit }}>\", log = \"redis://{{ host }}\" }\n\
         allowed_outbound_hosts = [\"redis://{{ host }}\", \"{{ host }}:1\"]\n\
         [[trigger.redis]]\nchannel = \"{{ host }}.a\"\ncomponent = \"car\"\n\
         [[trigger.redis]]\nchannel = \"{{ limit }}.b\"\ncomponent = \"car\"\n\
         [variables]\nlimit = { required = true }\nhost = { required = true, secret = true }\n\
         [application.trigger.redis]\naddress = \"redis://{{ host }}\"\n\
         [application.tool.socar.variables]\nlimit = \"number\"\n",
    );
    let refused = load_with(&text, &Overrides::default()).unwrap_err();
    assert!(refused.to_string().contains("has no value"), "{refused}");
    let packed = Overrides {
        without_values: true,
        ..Overrides::default()
    };
    let app = load_with(&text, &packed).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(app.redis_triggers.len(), 2);
    let car = app.component("car").unwrap();
    assert_eq!(car.variables.get("limit"), Some("<{{ limit }}>"));
}
