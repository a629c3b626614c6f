//! The host's part of a rebuild, with a component that writes down its steps.

use super::*;
use event_log::test_support::{embedded, event};

const STREAM: &str = "socar.car";

/// Answers every step, the first ones of each kind with the statuses that are left.
#[derive(Default)]
struct Scribe {
    steps: Mutex<Vec<String>>,
    events: Mutex<Vec<Value>>,
    refusals: Mutex<Vec<(&'static str, u16)>>,
}

#[async_trait]
impl Rebuilt for Scribe {
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

    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}

struct One(Arc<Scribe>);

impl Sources for One {
    fn source(&self, id: &str) -> Option<Source> {
        (id == "view").then(|| Source {
            component: self.0.clone(),
            streams: vec![STREAM.to_owned()],
        })
    }
}

fn rebuilds(log: Arc<dyn EventLog>, scribe: &Arc<Scribe>) -> Arc<Rebuilds> {
    Rebuilds::new(log, One(scribe.clone()))
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
async fn every_event_is_told_in_order_and_then_the_state_asked_for() {
    let fixture = embedded();
    for number in 0..1000 {
        let id = fixture.log.append(STREAM, &event("car/1", number)).await;
        id.unwrap();
    }
    let scribe = Arc::new(Scribe::default());
    let rebuilds = rebuilds(fixture.log.clone(), &scribe);
    rebuilds.begin("view").unwrap();
    let progress = end(&rebuilds).await;
    assert_eq!((progress.state, progress.events), (Stage::Done, 1000));
    assert_eq!(progress.asked, 2);
    let events = scribe.events.lock();
    let numbers = events.iter().map(|event| event["id"].as_str().unwrap());
    assert!(numbers.eq((0..1000).map(|number| number.to_string())));
    let mut steps = scribe.steps.lock().clone();
    steps.dedup();
    assert_eq!(
        steps[..4],
        ["POST ", "POST /events", "POST /state", "POST /finish"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_component_is_waited_for_and_a_broken_one_keeps_its_state() {
    let fixture = embedded();
    fixture
        .log
        .append(STREAM, &event("car/1", 1))
        .await
        .unwrap();
    let scribe = Arc::new(Scribe::default());
    let rebuilds = rebuilds(fixture.log.clone(), &scribe);
    *scribe.refusals.lock() = vec![("/events", 503)];
    rebuilds.begin("view").unwrap();
    assert_eq!(rebuilds.begin("view"), Err(NotBegun::UnderWay));
    assert_eq!(end(&rebuilds).await.state, Stage::Done);

    *scribe.refusals.lock() = vec![("/events", 409)];
    rebuilds.begin("view").unwrap();
    let progress = end(&rebuilds).await;
    assert_eq!(progress.state, Stage::Failed, "{progress:?}");
    // The first one may be tidying up still, which nobody waits for.
    assert!(scribe.steps.lock().iter().any(|step| step == "DELETE "));
    assert_eq!(rebuilds.begin("car"), Err(NotBegun::Unknown));
}
