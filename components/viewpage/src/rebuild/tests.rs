//! The steps of a rebuild, over fakes of the other contexts.

use super::*;
use crate::{
    car_view::CarView,
    fixtures::*,
    list_query::ListQuery,
    memory::MemoryDatabase,
    ports::{Record, RecordState},
    source_context::SourceContext,
};
use bytes::Bytes;
use futures::executor::block_on;
use kit::Unavailable;

/// The other contexts in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FakeContexts {
    /// Without aggregates.
    Empty,
    /// With one car, one reservation and one payment, each with number 1.
    OneOfEach,
}

impl Records for FakeContexts {
    async fn newest(&self, _: SourceContext) -> Result<Option<u64>, Unavailable> {
        Ok((*self == Self::OneOfEach).then_some(1))
    }

    async fn read(
        &self,
        context: SourceContext,
        numbers: &[u64],
    ) -> Result<Vec<Record>, Unavailable> {
        let state = match context {
            SourceContext::Car => RecordState::Car(state(json!(
                {"carId": 1, "carName": "Kia", "carType": "EV", "amount": 100, "status": "reserved"}
            ))),
            SourceContext::Reservation => RecordState::Reservation(state(json!(
                {"rsvId": 1, "carId": 1, "payId": 1, "status": "reserved"}
            ))),
            SourceContext::Payment => RecordState::Payment(state(json!(
                {"payId": 1, "rsvId": 1, "carId": 1, "amount": 100, "status": "paid"}
            ))),
        };
        let is_asked = numbers.contains(&1) && *self == Self::OneOfEach;
        let record = is_asked.then_some(Record { state, version: 3 });
        Ok(record.into_iter().collect())
    }
}

fn state<T: DeserializeOwned>(json: Json) -> T {
    serde_json::from_value(json).unwrap()
}

fn store() -> ReadModelStore<MemoryDatabase> {
    block_on(ReadModelStore::open(MemoryDatabase::new().unwrap())).unwrap()
}

fn rows_of(store: &ReadModelStore<MemoryDatabase>) -> Vec<CarView> {
    let all = ListQuery {
        size: 1000,
        ..ListQuery::default()
    };
    block_on(async { store.active().await.unwrap().list(&all).await.unwrap().rows })
}

fn step(
    store: &ReadModelStore<MemoryDatabase>,
    contexts: &FakeContexts,
    path: &str,
    body: &Json,
) -> (u16, Json) {
    let request = http::Request::post(format!("/internal/rebuild{path}"));
    let sent = match body {
        Json::Null => Bytes::new(),
        body => body.to_string().into(),
    };
    let response = block_on(handle(store, contexts, request.body(sent).unwrap()));
    let body = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), body)
}

fn batch(events: &[CloudEvent]) -> Json {
    let events = events
        .iter()
        .map(|event| serde_json::to_value(event).unwrap());
    events.collect()
}

fn history() -> Vec<CloudEvent> {
    vec![
        car_registered(1, 1, "Kia"),
        reservation(1, 1, 1, "reqReserve"),
        payment(1, 1, 1, 1, "paid"),
        reservation(1, 2, 1, "reserved"),
        car_reserved(1, 3, "Kia", 1),
    ]
}

/// Takes steps of the backfill until its end, and returns the number of aggregates that were read.
fn backfill(store: &ReadModelStore<MemoryDatabase>, contexts: &FakeContexts) -> u64 {
    let (mut next, mut taken) = (Json::Null, 0);
    loop {
        let (status, body) = step(store, contexts, "/state", &next);
        assert_eq!(status, 200, "{body}");
        taken += body["taken"].as_u64().unwrap();
        next = body["next"].clone();
        if next.is_null() {
            return taken;
        }
    }
}

#[test]
fn a_rebuild_from_the_log_makes_the_same_rows_while_the_old_ones_are_served() {
    let (store, contexts) = (store(), FakeContexts::OneOfEach);
    for event in history() {
        block_on(store.project(&event)).unwrap();
    }
    let expected = rows_of(&store);
    // A value that no event carries. Only a rebuild corrects it.
    let wrong = "UPDATE g1_carviews SET carName = 'wrong'";
    store.database().connection.execute_batch(wrong).unwrap();

    assert_eq!(step(&store, &contexts, "", &Json::Null).0, 200);
    assert_eq!(rows_of(&store)[0].car_name, "wrong");
    let (_, body) = step(&store, &contexts, "/events", &batch(&history()));
    assert_eq!(body["taken"], 5);
    assert_eq!(backfill(&store, &contexts), 0, "the log has all events");
    assert_eq!(rows_of(&store)[0].car_name, "wrong");
    let (_, body) = step(&store, &contexts, "/finish", &Json::Null);
    assert_eq!(body, json!({"rows": 1, "before": 1}));
    assert_eq!(rows_of(&store), expected);

    assert_eq!(step(&store, &contexts, "/tidy", &Json::Null).0, 200);
    assert_eq!(rows_of(&store), expected);
    let old = store
        .database()
        .connection
        .prepare("SELECT * FROM g1_carviews");
    assert!(old.is_err(), "the old tables are dropped");
}

#[test]
fn aggregates_without_events_in_the_log_are_read_from_their_contexts() {
    let (store, contexts) = (store(), FakeContexts::OneOfEach);
    for event in history() {
        block_on(store.project(&event)).unwrap();
    }
    let expected = rows_of(&store);
    step(&store, &contexts, "", &Json::Null);
    step(&store, &contexts, "/events", &batch(&history()[3..4]));
    assert_eq!(backfill(&store, &contexts), 2, "the car and the payment");
    step(&store, &contexts, "/finish", &Json::Null);
    assert_eq!(rows_of(&store), expected);
    // An event that is older than the copied state changes nothing.
    block_on(store.project(&car_modified(1, 2, "old"))).unwrap();
    assert_eq!(rows_of(&store), expected);
}

#[test]
fn an_event_during_a_rebuild_is_projected_into_both_generations() {
    let (store, contexts) = (store(), FakeContexts::Empty);
    block_on(store.project(&car_registered(1, 1, "Kia"))).unwrap();
    step(&store, &contexts, "", &Json::Null);
    block_on(store.project(&car_registered(2, 1, "meanwhile"))).unwrap();
    assert_eq!(rows_of(&store).len(), 2);
    step(
        &store,
        &contexts,
        "/events",
        &batch(&[car_registered(1, 1, "Kia")]),
    );
    step(&store, &contexts, "/finish", &Json::Null);
    assert_eq!(rows_of(&store).len(), 2);
}

#[test]
fn a_step_without_a_rebuild_is_a_conflict() {
    let (store, contexts) = (store(), FakeContexts::Empty);
    assert_eq!(step(&store, &contexts, "/events", &json!([])).0, 409);
    assert_eq!(step(&store, &contexts, "/finish", &Json::Null).0, 409);
    let (_, first) = step(&store, &contexts, "", &Json::Null);
    let (_, second) = step(&store, &contexts, "", &Json::Null);
    assert_ne!(first, second, "a generation number is not reused");
}

/// The newest car was deleted since the last step, so that its number is not in the list any more.
#[test]
fn the_backfill_does_not_go_back() {
    let (store, contexts) = (store(), FakeContexts::OneOfEach);
    step(&store, &contexts, "", &Json::Null);
    let cursor = json!({"owner": "car", "after": 5});
    let (status, body) = step(&store, &contexts, "/state", &cursor);
    assert_eq!(status, 200);
    assert_eq!(body["next"], json!({"owner": "reservation", "after": 0}));
}
