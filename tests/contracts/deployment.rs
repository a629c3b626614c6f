//! The manifests in `deploy/` are valid, keep the rules that they promise, and name what exists.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use harness::{Manifests, read, root, under_target};
use serde_json::Value;

const KUSTOMIZATIONS: [&str; 5] = [
    "kubernetes/overlays/embedded",
    "kubernetes/overlays/redis",
    "kubernetes/overlays/redis-external",
    "spinkube/whole",
    "spinkube/split",
];

/// The oldest version of Kubernetes that still gets corrections of errors.
const KUBERNETES: &str = "1.32";

#[test]
fn every_document_fits_its_schema() {
    let Some(python) = validator() else {
        eprintln!("skipped: the package kubernetes-validate cannot be installed");
        return;
    };
    for folder in KUSTOMIZATIONS {
        let Some(manifests) = Manifests::render(folder) else {
            return;
        };
        let errors = validate(&python, manifests.documents());
        assert!(errors.is_empty(), "{folder}:\n{errors}");
    }
    let wrong = serde_json::json!([
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "wrong"}, "spec": {"port": 80}},
        {"apiVersion": "core.spinkube.dev/v1alpha1", "kind": "SpinApp", "metadata": {"name": "wrong"},
         "spec": {"image": "app", "executor": "socar", "replicas": 1, "environment": {}}},
    ]);
    let errors = validate(&python, wrong.as_array().map_or(&[], Vec::as_slice));
    assert_eq!(
        errors
            .lines()
            .filter(|line| line.contains(" wrong: "))
            .count(),
        2,
        "{errors}"
    );
}

/// The rules of the profile `restricted`, and probes, requests and names of volumes.
#[test]
fn every_pod_is_restricted_and_observed() {
    for folder in KUSTOMIZATIONS {
        let Some(manifests) = Manifests::render(folder) else {
            return;
        };
        for workload in manifests.of_kind(&["Deployment", "StatefulSet"]) {
            let pod = &workload["spec"]["template"]["spec"];
            let container = &pod["containers"][0];
            let name = format!("{folder}: {}", workload["metadata"]["name"]);
            assert_eq!(pod["securityContext"]["runAsNonRoot"], true, "{name}");
            assert_eq!(
                pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
                "{name}"
            );
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(security["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(security["capabilities"]["drop"][0], "ALL", "{name}");
            assert_eq!(pod["automountServiceAccountToken"], false, "{name}");
            for probe in ["livenessProbe", "readinessProbe"] {
                assert!(container[probe].is_object(), "{name}: {probe}");
            }
            for request in ["cpu", "memory"] {
                assert!(
                    container["resources"]["requests"][request].is_string(),
                    "{name}"
                );
            }
            assert!(
                container["resources"]["limits"]["memory"].is_string(),
                "{name}"
            );
        }
    }
}

#[test]
fn a_pod_has_time_for_its_drain() {
    let Some(manifests) = Manifests::render("kubernetes/overlays/redis") else {
        return;
    };
    let workload = manifests.find("Deployment", "socar");
    let pod = &workload["spec"]["template"]["spec"];
    let arguments = pod["containers"][0]["args"]
        .as_array()
        .into_iter()
        .flatten();
    let drain = arguments.filter_map(Value::as_str).find_map(|argument| {
        argument
            .strip_prefix("--drain=")?
            .strip_suffix('s')?
            .parse::<u64>()
            .ok()
    });
    let drain = drain.expect("a drain in seconds");
    // The longest deadline of a component and its margin (6 s), and the end of the databases (5 s).
    assert!(pod["terminationGracePeriodSeconds"].as_u64() >= Some(drain + 11));
    // Proxies learn of a red probe after one period.
    let probe = &pod["containers"][0]["readinessProbe"];
    assert!(probe["periodSeconds"].as_u64() <= Some(drain / 2));
    assert_eq!(probe["failureThreshold"], 1);
}

/// An autoscaler, a policy or a budget that selects nothing has no effect, and no cluster says so.
#[test]
fn every_reference_between_documents_exists() {
    for folder in KUSTOMIZATIONS {
        let Some(manifests) = Manifests::render(folder) else {
            return;
        };
        let existing = names(&manifests, &["Deployment", "StatefulSet", "SpinApp"]);
        for scaler in manifests.of_kind(&["HorizontalPodAutoscaler", "ScaledObject"]) {
            let target = &scaler["spec"]["scaleTargetRef"]["name"];
            assert!(
                existing.contains(&target),
                "{folder}: nothing is called {target}"
            );
        }
        let executors = names(&manifests, &["SpinAppExecutor"]);
        for app in manifests.of_kind(&["SpinApp"]) {
            assert!(executors.contains(&&app["spec"]["executor"]), "{folder}");
        }
    }
}

fn names<'a>(manifests: &'a Manifests, kinds: &[&str]) -> Vec<&'a Value> {
    let documents = manifests.documents().iter();
    let wanted = documents.filter(|document| kinds.iter().any(|kind| document["kind"] == **kind));
    wanted
        .map(|document| &document["metadata"]["name"])
        .collect()
}

/// KEDA asks Redis for the lag of the groups that the manifest of the application names.
#[test]
fn every_consumer_group_that_scales_a_context_consumes_the_stream() {
    let Some(manifests) = Manifests::render("spinkube/split") else {
        return;
    };
    let manifest: toml::Table = read("spin.toml").parse().expect("the manifest");
    let triggers = manifest["trigger"]["redis"]
        .as_array()
        .into_iter()
        .flatten();
    let consumers: BTreeSet<(&str, &str)> = triggers
        .filter_map(|trigger| {
            Some((
                trigger.get("channel")?.as_str()?,
                trigger.get("component")?.as_str()?,
            ))
        })
        .collect();
    let mut groups = 0;
    for scaler in manifests.of_kind(&["ScaledObject"]) {
        for trigger in scaler["spec"]["triggers"].as_array().into_iter().flatten() {
            let metadata = &trigger["metadata"];
            let (Some(stream), Some(group)) = (
                metadata["stream"].as_str(),
                metadata["consumerGroup"].as_str(),
            ) else {
                continue;
            };
            groups += 1;
            assert!(
                consumers.contains(&(stream, group)),
                "{group} does not consume {stream}"
            );
        }
    }
    assert!(groups >= 4, "{groups} groups");
}

/// Names of metrics in the dashboard and the alerts, without the suffixes of a histogram.
#[test]
fn dashboard_and_alerts_name_metrics_that_exist() {
    let documented = read("docs/src/metrics.md");
    let mut named = BTreeSet::new();
    for file in ["dashboard.json", "alerts.yml"] {
        let text = read(Path::new("deploy/observability").join(file));
        let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        named.extend(
            words
                .filter(|word| word.starts_with("socar_"))
                .map(str::to_owned),
        );
    }
    assert!(named.len() > 10, "{named:?}");
    let is_known = |metric: &&String| {
        let suffixes = ["_bucket", "_sum", "_count"].map(|suffix| metric.strip_suffix(suffix));
        let names = [Some(metric.as_str())]
            .into_iter()
            .chain(suffixes)
            .flatten();
        names
            .into_iter()
            .any(|name| documented.contains(&format!("| `{name}` |")))
    };
    let unknown: Vec<_> = named.iter().filter(|metric| !is_known(metric)).collect();
    assert!(
        unknown.is_empty(),
        "not in docs/src/metrics.md: {unknown:?}"
    );
    serde_json::from_str::<Value>(&read("deploy/observability/dashboard.json")).expect("JSON");
}

#[test]
fn the_alerts_fire_when_they_should() {
    let folder = root().join("deploy/observability");
    let mut promtool = Command::new("promtool");
    promtool
        .current_dir(folder)
        .args(["test", "rules", "alerts-test.yml"]);
    let Ok(output) = promtool.output() else {
        eprintln!("skipped: promtool is not installed");
        return;
    };
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{text}");
}

/// The operator of SpinKube passes no flags, so that a variable without a meaning would not be noticed.
#[test]
fn every_variable_of_the_image_stands_for_a_flag() {
    let containerfile = read("deploy/Containerfile");
    let words =
        containerfile.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    let variables: BTreeSet<&str> = words.filter(|word| word.starts_with("SOCAR_")).collect();
    assert!(variables.len() >= 4, "{variables:?}");
    let flags = read("docs/src/cli.md");
    let guide = read("docs/src/deploy.md");
    for variable in variables {
        assert!(
            flags.contains(&format!("or `{variable}`")),
            "docs/src/cli.md: {variable}"
        );
        assert!(
            guide.contains(&format!("| `{variable}` |")),
            "docs/src/deploy.md: {variable}"
        );
    }
}

/// A rollout that fails brings the previous version back; the cluster is a script that records its calls.
#[test]
fn a_failed_rollout_is_undone() {
    let folder = under_target("rollout");
    let calls = folder.join("calls");
    let script = "#!/bin/sh\necho \"$*\" >> \"$CALLS\"\ncase \"$*\" in *'rollout status'*) exit \"$STATUS\";; esac\n";
    write_program(&folder.join("kubectl"), script);
    let path = format!(
        "{}:{}",
        folder.display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut rollout = Command::new(root().join("deploy/pipeline/rollout"));
    let image = format!("registry.example.com/socar@sha256:{}", "0".repeat(64));
    let _ = std::fs::remove_file(&calls);
    rollout
        .args(["redis", &image])
        .env("PATH", path)
        .env("CALLS", &calls)
        .env("STATUS", "1");
    let output = rollout.output().expect("the script starts");
    assert!(!output.status.success());
    let calls = std::fs::read_to_string(&calls).expect("the calls");
    let calls: Vec<&str> = calls.lines().collect();
    assert!(
        calls[0].starts_with("--namespace socar apply --kustomize deploy/kubernetes/rollout."),
        "{calls:?}"
    );
    assert!(
        calls.contains(&"--namespace socar rollout undo deployment/socar"),
        "{calls:?}"
    );
    let left: Vec<_> = std::fs::read_dir(root().join("deploy/kubernetes"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("rollout"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

fn write_program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("a script");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("its mode");
}

/// A Python with the schemas of Kubernetes, installed once; `None` where that is impossible.
fn validator() -> Option<PathBuf> {
    let folder = under_target("kubernetes-validate");
    let python = folder.join("bin/python");
    let has_package = || {
        let import = Command::new(&python)
            .args(["-c", "import kubernetes_validate"])
            .output();
        import.is_ok_and(|output| output.status.success())
    };
    if !has_package() {
        let steps: [(&Path, &[&str]); 2] = [
            (
                Path::new("python3"),
                &["-m", "venv", &folder.to_string_lossy()],
            ),
            (
                &python,
                &[
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "kubernetes-validate==1.37.0",
                ],
            ),
        ];
        for (program, arguments) in steps {
            let output = Command::new(program).args(arguments).output().ok()?;
            if !output.status.success() {
                return None;
            }
        }
    }
    has_package().then_some(python)
}

/// The errors of these documents, one a line.
fn validate(python: &Path, documents: &[Value]) -> String {
    let folder = root().join("tests/contracts/deployment");
    let mut command = Command::new(python);
    command
        .arg(folder.join("validate.py"))
        .arg(folder.join("schemas.json"))
        .arg(KUBERNETES);
    let piped = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = piped.spawn().expect("python starts");
    let input = serde_json::to_vec(documents).expect("JSON");
    child
        .stdin
        .take()
        .expect("its input")
        .write_all(&input)
        .expect("python reads");
    let output = child.wait_with_output().expect("python ends");
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        messages.ends_with(&format!("{} documents\n", documents.len())),
        "{messages}"
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
