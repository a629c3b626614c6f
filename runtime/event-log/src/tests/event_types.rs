//! Events of types that a group does not handle.

use super::*;

on_both_logs!(an_event_of_another_type_is_acknowledged_without_a_delivery);

async fn an_event_of_another_type_is_acknowledged_without_a_delivery(fixture: Fixture) {
    let types = Some(["Wanted".to_owned()].into());
    let consumer = consumer("message", "host").with_event_types(types);
    fixture.log.subscribe(&consumer).await.unwrap();
    let append = async |number: usize, event_type: Option<&str>| {
        let mut json = serde_json::json!({"id": number.to_string(), "subject": "a"});
        if let Some(event_type) = event_type {
            json["type"] = event_type.into();
        }
        let fields = vec![(EVENT_FIELD.to_owned(), Bytes::from(json.to_string()))];
        fixture.log.append(STREAM, &fields).await.unwrap();
    };
    append(1, Some("Other")).await;
    append(2, Some("Wanted")).await;
    append(3, Some("Other")).await;
    append(4, None).await;
    let claimed = fixture.claim(&consumer).await;
    assert_eq!(numbers(&claimed), [2, 4]);
    fixture.acknowledge(&consumer, &claimed).await;
    append(5, Some("Other")).await;
    assert_eq!(fixture.claim(&consumer).await, []);
    let state = fixture.state("message").await;
    assert_eq!((state.pending, state.lag), (0, 0));
    tokio::time::sleep(Duration::from_millis(5)).await;
    assert_eq!(fixture.log.trim(STREAM, AT_ONCE, None).await.unwrap(), 5);
}
