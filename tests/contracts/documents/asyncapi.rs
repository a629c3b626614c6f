//! AsyncAPI 3: the streams of the event log, and the live stream.

use harness::event_streams;
use serde_json::{Map, Value, json};

use super::schemas::{envelope, events};

pub fn document() -> Value {
    let mut channels = Map::new();
    let mut operations = Map::new();
    for stream in event_streams(None) {
        let of_stream = messages(Some(&stream));
        let id = stream.replace('.', "-");
        operations.insert(
            format!("consume-{id}"),
            json!({ "action": "receive", "channel": { "$ref": format!("#/channels/{id}") } }),
        );
        channels.insert(
            id,
            json!({
                "address": stream,
                "description": "A stream of the event log, and a channel of the same name that tells of new entries. The field `event` of an entry holds the event.",
                "messages": of_stream,
                "bindings": { "redis": {} }
            }),
        );
    }
    channels.insert(
        "changes".to_owned(),
        json!({
            "address": "/carviews/stream",
            "description": "Every event once the view shows its effect, as Server-Sent Events: `event` is its type, `data` the event, `id` the position for `Last-Event-ID`.",
            "messages": messages(None),
        }),
    );
    operations.insert(
        "listen".to_owned(),
        json!({ "action": "receive", "channel": { "$ref": "#/channels/changes" } }),
    );
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "SOCAR events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the contexts announce, as CloudEvents 1.0 in JSON. An event carries the whole state of its aggregate.",
            "license": { "name": "Apache-2.0" }
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": { "messages": all_messages() }
    })
}

/// References to the messages of a stream, or to all.
fn messages(stream: Option<&str>) -> Value {
    let names = events().into_iter().map(|(name, _)| name);
    let of_stream = names.filter(|name| stream.is_none_or(|stream| stream_of(name) == stream));
    let reference = |name: String| {
        let reference = json!({ "$ref": format!("#/components/messages/{name}") });
        (name, reference)
    };
    of_stream.map(reference).collect::<Map<_, _>>().into()
}

fn stream_of(event: &str) -> &'static str {
    match event {
        event if event.starts_with("Car") => ::events::CAR_STREAM,
        event if event.starts_with("Payment") => ::events::PAYMENT_STREAM,
        _ => ::events::RESERVATION_STREAM,
    }
}

fn all_messages() -> Value {
    let messages = events().into_iter().map(|(name, data)| {
        let mut members = envelope();
        members.insert("type".to_owned(), json!({ "const": name }));
        members.insert("data".to_owned(), data);
        let required: Vec<_> = members.keys().cloned().collect();
        let example = harness::read(format!("tests/contracts/golden/{name}.json"));
        let example: Value = serde_json::from_str(&example).unwrap_or_default();
        let message = json!({
            "name": name,
            "payload": { "type": "object", "properties": members, "required": required },
            "examples": [{ "payload": example }]
        });
        (name, message)
    });
    messages.collect::<Map<_, _>>().into()
}
