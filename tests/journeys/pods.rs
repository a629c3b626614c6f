//! Does the platform run as the manifests in `deploy/` say? Each pod is a process with the arguments, environment and files
//! of the rendered manifest. Without `kubectl` these tests are skipped.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use harness::{
    Client, Manifests, Pod, Protocol, RedisServer, RunningPod, Secrets, Stop, eventually,
    in_background,
};
use http::Method;
use parking_lot::RwLock;
use serde_json::{Value, json};

const TOKEN: &str = "a-token-of-the-operators";

/// The secrets that docs/src/deploy.md creates.
fn secrets(redis: Option<&RedisServer>) -> Secrets {
    let redis_url = redis.map(RedisServer::url).unwrap_or_default();
    let platform = BTreeMap::from([
        ("admin-token", format!("{TOKEN}\n")),
        ("relay-secret", "a-secret-of-the-relay".to_owned()),
        ("context-token", "a-token-of-the-contexts".to_owned()),
        ("redis-url", redis_url.clone()),
    ]);
    let runtime = format!("[socar]\nredis_url = {redis_url:?}\n");
    Secrets::from([
        ("socar-secrets", platform),
        (
            "socar-runtime-config",
            BTreeMap::from([("runtime-config.toml", runtime)]),
        ),
    ])
}

#[track_caller]
fn get(client: &Client, path: &str) -> Value {
    client.request(Method::GET, path).send().is(200).json()
}

#[track_caller]
fn register(client: &Client, name: &str) -> Value {
    let car = json!({ "carName": name, "amount": 50_000 });
    let response = client.request(Method::POST, "/cars").json(&car).send();
    response.is(201).json()["carId"].clone()
}

#[track_caller]
fn is_ready(client: &Client) {
    client.request(Method::GET, "/readyz").send().is(200);
}

fn reservation_of(car: &Value) -> Value {
    json!({ "carId": car, "status": "reqReserve" })
}

/// Reserves a new car and returns the path of the reservation.
#[track_caller]
fn reserve(client: &Client, name: &str) -> String {
    let car = register(client, name);
    let request = client.request(Method::POST, "/reservations");
    let reservation = request.json(&reservation_of(&car)).send().is(201).json();
    format!("/reservations/{}", reservation["rsvId"])
}

#[track_caller]
fn wait_until_reserved(client: &Client, reservation: &str) {
    eventually(
        || get(client, reservation),
        |reservation| reservation["status"] == "reserved",
    );
}

#[test]
fn the_embedded_pod_keeps_its_state_and_reads_new_variables() {
    let Some(manifests) = Manifests::render("kubernetes/overlays/embedded") else {
        return;
    };
    let workload = manifests.find("StatefulSet", "socar");
    let pod = Pod::of_workload(&manifests, workload, &secrets(None));
    let first = pod.start();
    is_ready(first.client());
    let reservation = reserve(first.client(), "in a pod");
    wait_until_reserved(first.client(), &reservation);
    let variables = fs::read_to_string(pod.path("/config/variables.toml")).expect("variables");
    let lower = variables.replace("\"100000000\"", "\"10\"");
    assert_ne!(lower, variables);
    fs::write(pod.path("/config/variables.toml"), lower).expect("new variables");
    let refused = || {
        let car = register(first.client(), "too dear");
        let request = first.client().request(Method::POST, "/reservations");
        request.json(&reservation_of(&car)).send().status
    };
    eventually(refused, |status| *status == 402);
    first.kill();
    let second = pod.start();
    assert_eq!(get(second.client(), &reservation)["status"], "reserved");
}

#[test]
fn the_admin_port_of_a_pod_asks_for_the_token_of_its_secret() {
    let Some(manifests) = Manifests::render("kubernetes/overlays/embedded") else {
        return;
    };
    let workload = manifests.find("StatefulSet", "socar");
    let pod = Pod::of_workload(&manifests, workload, &secrets(None));
    let _running = pod.start();
    let address = fs::read_to_string(pod.path("/state/admin-url")).expect("the admin address");
    let admin = Client::new(address.trim(), Protocol::Http1);
    admin.request(Method::GET, "/metrics").send().is(401);
    let request = admin.request(Method::GET, "/metrics");
    request
        .header("authorization", &format!("Bearer {TOKEN}"))
        .send()
        .is(200);
}

/// The pods behind a Service: each request goes to the next one that is ready.
#[derive(Default)]
struct Service(RwLock<Vec<Arc<RunningPod>>>);

// === impl Service ===

impl Service {
    fn add(&self, pod: &Pod) -> Arc<RunningPod> {
        let running = Arc::new(pod.start());
        self.0.write().push(running.clone());
        running
    }

    fn next_ready(&self, number: usize) -> Arc<RunningPod> {
        let is_ready = |pod: &Arc<RunningPod>| {
            let probe = pod.client().request(Method::GET, "/readyz").try_send();
            probe.is_ok_and(|answer| answer.status == 200)
        };
        let pods = self.0.read().clone();
        let ready: Vec<_> = pods.into_iter().filter(is_ready).collect();
        assert!(!ready.is_empty(), "no pod is ready");
        ready[number % ready.len()].clone()
    }
}

/// A pod that stops serves during its drain; the Service chooses by readiness alone.
#[track_caller]
fn stop(pod: &RunningPod) {
    pod.send_sigterm();
    let readiness = || pod.client().request(Method::GET, "/readyz").send().status;
    eventually(readiness, |status| *status == 503);
    get(pod.client(), "/cars");
}

/// From one pod to three, and back to one that was not there at the beginning.
#[test]
fn scaling_and_a_rolling_update_lose_nothing_and_double_nothing() {
    let Some(manifests) = Manifests::render("kubernetes/overlays/redis") else {
        return;
    };
    let redis = RedisServer::start();
    let workload = manifests.find("Deployment", "socar");
    let replica = || Pod::of_workload(&manifests, workload, &secrets(Some(&redis)));
    let volumes = [replica(), replica(), replica()];
    let service = Service::default();
    let first = service.add(&volumes[0]);
    let customers = |index: usize, stop: &Stop| {
        let mut reservations = Vec::new();
        while !stop.is_set() {
            let pod = service.next_ready(index + reservations.len());
            reservations.push(reserve(pod.client(), "rolled over"));
        }
        reservations
    };
    let (made, last) = in_background(2, customers, || {
        let others = [service.add(&volumes[1]), service.add(&volumes[2])];
        thread::sleep(Duration::from_millis(500));
        stop(&first);
        stop(&others[0]);
        thread::sleep(Duration::from_millis(500));
        // A second signal ends the drain, which takes ten seconds.
        for pod in [&first, &others[0]] {
            assert!(pod.terminate().success(), "{}", pod.log());
        }
        others[1].clone()
    });
    let made: Vec<String> = made.into_iter().flatten().collect();
    assert!(made.len() > 4, "{made:?}");
    for reservation in &made {
        wait_until_reserved(last.client(), reservation);
    }
    let messages = || get(last.client(), "/messages?size=1000")["page"]["totalElements"].clone();
    eventually(messages, |count| *count == made.len());
    let payments = get(last.client(), "/payments?size=1000");
    assert_eq!(payments["page"]["totalElements"], made.len());
}

/// Exactly what the operator passes: its arguments are in `Pod::of_spin_app`.
#[test]
fn the_spin_app_of_the_whole_platform_runs_with_the_arguments_of_the_operator() {
    let Some(manifests) = Manifests::render("spinkube/whole") else {
        return;
    };
    let redis = RedisServer::start();
    let app = manifests.find("SpinApp", "socar");
    let running = Pod::of_spin_app(&manifests, app, &secrets(Some(&redis))).start();
    is_ready(running.client());
    let reservation = reserve(running.client(), "in a SpinApp");
    wait_until_reserved(running.client(), &reservation);
}

#[test]
fn contexts_in_spin_apps_of_their_own_reserve_together() {
    let Some(mut manifests) = Manifests::render("spinkube/split") else {
        return;
    };
    let redis = RedisServer::start();
    let secrets = secrets(Some(&redis));
    let mut clients = BTreeMap::new();
    let mut running = Vec::new();
    // The names of services become the addresses of this machine: callees start first.
    for context in ["car", "payment", "reservation", "message", "view"] {
        let name = format!("socar-{context}");
        let pod = Pod::of_spin_app(&manifests, manifests.find("SpinApp", &name), &secrets).start();
        manifests.replace_text(&format!("http://{name}"), pod.client().base());
        clients.insert(context, pod.client().clone());
        running.push(pod);
    }
    let car = register(&clients["car"], "split");
    let request = clients["reservation"].request(Method::POST, "/reservations");
    let made = request.json(&reservation_of(&car)).send().is(201).json();
    wait_until_reserved(
        &clients["reservation"],
        &format!("/reservations/{}", made["rsvId"]),
    );
    // The view of a host that has just started may not have the event yet.
    let row = || {
        let path = format!("/carviews/{car}");
        let answer = clients["view"].request(Method::GET, &path).send();
        match answer.status {
            200 => answer.json(),
            _ => Value::Null,
        }
    };
    eventually(row, |row| {
        row["rsvStatus"] == "reserved" && row["payStatus"] == "paid"
    });
    let messages = || get(&clients["message"], "/messages")["_embedded"]["messages"].clone();
    eventually(messages, |messages| {
        messages.as_array().is_some_and(|all| all.len() == 1)
    });
    let again = clients["reservation"].request(Method::POST, "/reservations");
    again
        .json(&reservation_of(&car))
        .send()
        .problem(409, "car-not-available");
    drop(running);
}

/// Nothing is compiled, as the user of the image and as a user that the image does not know.
#[test]
fn the_image_serves_with_a_read_only_root_and_as_any_user() {
    let Some(manifests) = Manifests::render("kubernetes/overlays/embedded") else {
        return;
    };
    let workload = manifests.find("StatefulSet", "socar");
    for user in ["65532:65532", "123456:0"] {
        let pod = Pod::of_workload(&manifests, workload, &secrets(None));
        let Some(container) = pod.start_in_container("localhost/socar:latest", user) else {
            return;
        };
        let client = container.pod().client();
        is_ready(client);
        let reservation = reserve(client, "in a container");
        wait_until_reserved(client, &reservation);
        let log = container.pod().log();
        assert!(!log.contains("compiled"), "{log}");
    }
}
