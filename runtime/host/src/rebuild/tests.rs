//! Tests of the host's part of a rebuild, with a component that records its steps.

use super::*;
use event_log::test_support::{embedded, event};

const STREAM: &str = "socar.car";

/// Component that answers every step; the first steps of each kind get the statuses in `refusals`.
#[derive(Default)]
struct RecordingComponent {
    steps: Mutex<Vec<String>>,
    events: Mutex<Vec<Value>>,
    refusals: Mutex<Vec<(&'static str, u16)>>,
    damage: Mutex<Option<String>>,
}

#[async_trait]
impl RebuildTarget for RecordingComponent {
    async fn step(&self, method: Method, path: &str, body: String) -> (StatusCode, Value) {
        self.steps.lock().push(format!("{method} {path}"));
        let mut refusals = self.refusals.lock();
        if let Some(index) = refusals.iter().position(|(refused, _)| *refused == path) {
            let (_, status) = refusals.remove(index);
            return (StatusCode::from_u16(status).unwrap(), Value::Null);
        }
        if path == "/events" {
            let list: Vec<Value> = serde_json::from_str(&body).unwrap();
            assert!(body.len() < 64 * 1024);
            self.events.lock().extend(list);
        }
        let next = (path == "/state" && body.is_empty()).then_some(1);
        (
            StatusCode::OK,
            serde_json::json!({"taken": 1, "next": next}),
        )
    }

    fn read_deadline(&self) -> Duration {
        Duration::ZERO
    }

    fn damage(&self) -> Option<String> {
        self.damage.lock().clone()
    }
}

struct SingleSource(Arc<RecordingComponent>);

impl RebuildSources for SingleSource {
    fn source(&self, id: &str) -> Option<RebuildSource> {
        (id == "view").then(|| RebuildSource {
            component: self.0.clone(),
            streams: vec![STREAM.to_owned()],
        })
    }
}

fn rebuilds(log: Arc<dyn EventLog>, component: &Arc<RecordingComponent>) -> Arc<Rebuilds> {
    Rebuilds::new(log, SingleSource(component.clone()))
}

async fn end(rebuilds: &Rebuilds) -> Progress {
    loop {
        let progress = rebuilds.progress("view").unwrap();
        if progress.state != Stage::Running {
            return progress;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_replays_every_event_in_order_and_then_fetches_the_state() {
    let fixture = embedded();
    for number in 0..1000 {
        let mut fields = event("car/1", number);
        if number % 2 == 1 {
            // A byte order mark is no part of an event.
            fields[0].1 = [b"\xef\xbb\xbf", &*fields[0].1].concat().into();
        }
        let id = fixture.log.append(STREAM, &fields).await;
        id.unwrap();
    }
    let component = Arc::new(RecordingComponent::default());
    let rebuilds = rebuilds(fixture.log.clone(), &component);
    rebuilds.begin("view").unwrap();
    let progress = end(&rebuilds).await;
    assert_eq!((progress.state, progress.events), (Stage::Done, 1000));
    assert_eq!(progress.asked, 2);
    let events = component.events.lock();
    let numbers = events.iter().map(|event| event["id"].as_str().unwrap());
    assert!(numbers.eq((0..1000).map(|number| number.to_string())));
    let mut steps = component.steps.lock().clone();
    steps.dedup();
    assert_eq!(
        steps[..4],
        ["POST ", "POST /events", "POST /state", "POST /finish"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_is_retried_while_the_component_is_busy_and_a_conflict_fails_the_rebuild() {
    let fixture = embedded();
    fixture
        .log
        .append(STREAM, &event("car/1", 1))
        .await
        .unwrap();
    let component = Arc::new(RecordingComponent::default());
    let rebuilds = rebuilds(fixture.log.clone(), &component);
    *component.refusals.lock() = vec![("/events", 503)];
    rebuilds.begin("view").unwrap();
    assert_eq!(rebuilds.begin("view"), Err(NotBegun::UnderWay));
    assert_eq!(end(&rebuilds).await.state, Stage::Done);

    *component.refusals.lock() = vec![("/events", 409)];
    rebuilds.begin("view").unwrap();
    let progress = end(&rebuilds).await;
    assert_eq!(progress.state, Stage::Failed, "{progress:?}");
    // The first rebuild may still be removing its old state in the background.
    assert!(component.steps.lock().iter().any(|step| step == "DELETE "));
    assert_eq!(rebuilds.begin("car"), Err(NotBegun::Unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_fails_in_a_damaged_file_says_how_to_remedy_it() {
    let fixture = embedded();
    let component = Arc::new(RecordingComponent::default());
    *component.refusals.lock() = vec![("", 409)];
    *component.damage.lock() = Some("view.db is damaged: remove it".to_owned());
    let rebuilds = rebuilds(fixture.log.clone(), &component);
    rebuilds.begin("view").unwrap();
    let error = end(&rebuilds).await.error.unwrap();
    assert!(
        error.ends_with("; view.db is damaged: remove it"),
        "{error}"
    );
}
