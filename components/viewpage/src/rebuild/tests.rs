use super::*;
use crate::{
    fixtures::*,
    memory::MemoryDatabase,
    ports::{ContextError, ResourceSnapshot},
    queries::{CarView, ListQuery},
};
use bytes::Bytes;
use futures::executor::block_on;

/// Other contexts with one car, one reservation and one payment, all of number 1, if at all.
struct Known(bool);

impl ContextClient for Known {
    async fn read(
        &self,
        owner: SourceContext,
        path: &str,
    ) -> Result<Option<ResourceSnapshot>, ContextError> {
        let item = match owner {
            SourceContext::Car => {
                json!({"carId": 1, "carName": "Kia", "carType": "EV", "amount": 100, "status": "reserved"})
            }
            SourceContext::Reservation => {
                json!({"rsvId": 1, "carId": 1, "payId": 1, "status": "reserved"})
            }
            SourceContext::Payment => {
                json!({"payId": 1, "rsvId": 1, "carId": 1, "amount": 100, "status": "paid"})
            }
        };
        let plural = owner.plural();
        let newest = format!("/{plural}?size=1&sort={},desc", owner.table().1);
        Ok(match path {
            _ if path == newest && self.0 => Some(ResourceSnapshot {
                body: json!({"_embedded": {plural: [item]}}),
                version: None,
            }),
            _ if path == newest => Some(ResourceSnapshot {
                body: json!({"_embedded": {plural: []}}),
                version: None,
            }),
            _ if path == format!("/{plural}/1") => Some(ResourceSnapshot {
                body: item,
                version: Some(3),
            }),
            _ => None,
        })
    }
}

fn view() -> ReadModelStore<MemoryDatabase> {
    block_on(ReadModelStore::open(MemoryDatabase::new().unwrap())).unwrap()
}

fn shown(view: &ReadModelStore<MemoryDatabase>) -> Vec<CarView> {
    let all = ListQuery {
        size: 1000,
        ..ListQuery::default()
    };
    block_on(async { view.active().await.unwrap().list(&all).await.unwrap().rows })
}

fn take(
    view: &ReadModelStore<MemoryDatabase>,
    contexts: &Known,
    step: &str,
    body: &Json,
) -> (u16, Json) {
    let request = http::Request::post(format!("/internal/rebuild{step}"));
    let body = match body {
        Json::Null => Bytes::new(),
        body => body.to_string().into(),
    };
    let answer = block_on(answer(view, contexts, request.body(body).unwrap()));
    let told = serde_json::from_slice(answer.body()).unwrap();
    (answer.status().as_u16(), told)
}

fn log(events: &[CloudEvent]) -> Json {
    let events = events
        .iter()
        .map(|event| serde_json::to_value(event).unwrap());
    events.collect()
}

fn story() -> Vec<CloudEvent> {
    vec![
        car_registered(1, 1, "Kia"),
        reservation(1, 1, 1, "reqReserve"),
        payment(1, 1, 1, 1, "paid"),
        reservation(1, 2, 1, "reserved"),
        car_reserved(1, 3, "Kia", 1),
    ]
}

/// Asks for state until there is nothing more to ask for, and says how many were asked for.
fn ask_for_state(view: &ReadModelStore<MemoryDatabase>, contexts: &Known) -> u64 {
    let (mut next, mut taken) = (Json::Null, 0);
    loop {
        let (status, told) = take(view, contexts, "/state", &next);
        assert_eq!(status, 200, "{told}");
        taken += told["taken"].as_u64().unwrap();
        next = told["next"].clone();
        if next.is_null() {
            return taken;
        }
    }
}

#[test]
fn the_log_makes_the_same_rows_again_while_the_old_ones_answer() {
    let (view, contexts) = (view(), Known(true));
    for event in story() {
        block_on(view.project(&event)).unwrap();
    }
    let right = shown(&view);
    // What no event said, and nothing but a rebuild takes away.
    let wrong = "UPDATE g1_carviews SET carName = 'wrong'";
    view.database().connection.execute_batch(wrong).unwrap();

    assert_eq!(take(&view, &contexts, "", &Json::Null).0, 200);
    assert_eq!(shown(&view)[0].car_name, "wrong");
    let (_, told) = take(&view, &contexts, "/events", &log(&story()));
    assert_eq!(told["taken"], 5);
    assert_eq!(ask_for_state(&view, &contexts), 0, "the log told of all");
    assert_eq!(shown(&view)[0].car_name, "wrong");
    let (_, told) = take(&view, &contexts, "/finish", &Json::Null);
    assert_eq!(told, json!({"rows": 1, "before": 1}));
    assert_eq!(shown(&view), right);

    assert_eq!(take(&view, &contexts, "/tidy", &Json::Null).0, 200);
    assert_eq!(shown(&view), right);
    let old = view
        .database()
        .connection
        .prepare("SELECT * FROM g1_carviews");
    assert!(old.is_err(), "the old tables are gone");
}

#[test]
fn what_the_log_does_not_tell_any_more_is_asked_for() {
    let (view, contexts) = (view(), Known(true));
    for event in story() {
        block_on(view.project(&event)).unwrap();
    }
    let right = shown(&view);
    take(&view, &contexts, "", &Json::Null);
    take(&view, &contexts, "/events", &log(&story()[3..4]));
    assert_eq!(
        ask_for_state(&view, &contexts),
        2,
        "the car and the payment"
    );
    take(&view, &contexts, "/finish", &Json::Null);
    assert_eq!(shown(&view), right);
    // What an old event says of something that was asked for is older than that.
    block_on(view.project(&car_modified(1, 2, "old"))).unwrap();
    assert_eq!(shown(&view), right);
}

#[test]
fn what_happens_meanwhile_is_in_both() {
    let (view, contexts) = (view(), Known(false));
    block_on(view.project(&car_registered(1, 1, "Kia"))).unwrap();
    take(&view, &contexts, "", &Json::Null);
    block_on(view.project(&car_registered(2, 1, "meanwhile"))).unwrap();
    assert_eq!(shown(&view).len(), 2);
    take(
        &view,
        &contexts,
        "/events",
        &log(&[car_registered(1, 1, "Kia")]),
    );
    take(&view, &contexts, "/finish", &Json::Null);
    assert_eq!(shown(&view).len(), 2);
}

#[test]
fn a_rebuild_that_lost_its_place_is_told_so() {
    let (view, contexts) = (view(), Known(false));
    assert_eq!(take(&view, &contexts, "/events", &json!([])).0, 409);
    assert_eq!(take(&view, &contexts, "/finish", &Json::Null).0, 409);
    let (_, first) = take(&view, &contexts, "", &Json::Null);
    let (_, second) = take(&view, &contexts, "", &Json::Null);
    assert_ne!(first, second, "a number is never used twice");
}
