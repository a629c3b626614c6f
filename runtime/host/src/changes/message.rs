//! The messages of a stream of Server-Sent Events.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;

use serde_json::Value;

use super::position::LogPosition;
use super::visibility::SharedMessage;

/// The time after which a listener comes back whose connection was lost.
const RETRY: Duration = Duration::from_secs(2);

/// The bounds of the time after which a listener comes back when the host stops. It is chosen at random, so that not all
/// listeners come to the next host at once.
const RETRY_AFTER_STOP: std::ops::Range<u64> = 500..3_000;

/// The type of an event, if it has one that a message can carry.
pub(super) fn event_type(event: &Value) -> Option<&str> {
    let event_type = event["type"].as_str()?;
    let is_line = !event_type.contains(['\n', '\r', '\0']);
    is_line.then_some(event_type)
}

/// The first message: the position, so that a listener that is cut off before its first change misses nothing.
pub(super) fn opening(position: &LogPosition) -> Bytes {
    format!("retry: {}\nid: {position}\n\n", RETRY.as_millis()).into()
}

/// A change. `position` is the one after it.
pub(super) fn change(position: &LogPosition, event_type: &str, event: &[u8]) -> Bytes {
    let event = String::from_utf8_lossy(event);
    let mut message = String::with_capacity(event.len() + 160);
    // A String takes everything.
    let _ = writeln!(message, "id: {position}\nevent: {event_type}");
    for line in event.split(['\n', '\r']).filter(|line| !line.is_empty()) {
        let _ = writeln!(message, "data: {line}");
    }
    message.push('\n');
    message.into()
}

/// Shows that the stream is alive.
pub(super) fn heartbeat() -> SharedMessage {
    SharedMessage::to_all(Bytes::from_static(b": heartbeat\n\n"))
}

/// Shows that the stream is alive, to a listener that may not see the change at this position.
pub(super) fn passed(position_line: &str) -> Bytes {
    format!("{position_line}\n: heartbeat\n\n").into()
}

/// The position of a listener that has missed nothing that it may see.
pub(super) fn caught_up(position: &LogPosition) -> Bytes {
    format!("id: {position}\n\n").into()
}

/// The last message to a listener that lags too far behind, whose time is over, or while the log is unavailable. The
/// listener comes back with its position, and reads on from the log.
pub(super) fn resume() -> Bytes {
    let retry = RETRY.as_millis();
    format!("retry: {retry}\n: come again for the rest\n\n").into()
}

/// The last message of a host that stops.
pub(super) fn stopping() -> Bytes {
    let retry = fastrand::u64(RETRY_AFTER_STOP);
    format!("retry: {retry}\n: the host stops\n\n").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_log::EntryId;
    use serde_json::json;

    #[test]
    fn an_event_of_several_lines_is_one_message() {
        let position = LogPosition::new("history", vec![EntryId::new(7, 1)], 0);
        let message = change(&position, "CarRegistered", b"{\n\"id\": \"1\"\r\n}");
        let expected =
            "id: history.7-1\nevent: CarRegistered\ndata: {\ndata: \"id\": \"1\"\ndata: }\n\n";
        assert_eq!(message, expected);
    }

    #[test]
    fn a_type_that_would_end_its_line_is_none() {
        assert_eq!(event_type(&json!({"type": "A"})), Some("A"));
        for none in [json!({"type": "A\nid: 1"}), json!({"type": 1}), json!("A")] {
            assert_eq!(event_type(&none), None, "{none}");
        }
    }
}
