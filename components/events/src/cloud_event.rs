//! The envelope of CloudEvents 1.0 in its JSON form, with the extension attributes `sequence`,
//! `correlationid`, `causationid`, `traceparent` and, on a platform with identity, `actor`.

use crate::{Event, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The version of the CloudEvents specification in every event.
pub const SPEC_VERSION: &str = "1.0";

/// One event in its envelope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CloudEvent {
    /// Always [`SPEC_VERSION`].
    pub specversion: String,
    /// Unique within `source`. It is made of subject and sequence, so that a duplicate has the same id.
    pub id: String,
    /// The publishing context, `socar/<context>`.
    pub source: String,
    /// The aggregate, `<aggregate>/<id>`. Events of one subject are delivered in order.
    pub subject: String,
    /// Time of the change.
    pub time: Timestamp,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// The version of the aggregate after the change. Of two events of one subject, the higher one is newer.
    pub sequence: u64,
    /// Id of the request at the beginning.
    pub correlationid: String,
    /// Id of the request or event that directly caused the change.
    pub causationid: String,
    /// W3C trace context of the cause.
    pub traceparent: String,
    /// The user whose request caused the change, as the issuer of access tokens names them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The attributes `type` and `data`.
    #[serde(flatten)]
    pub event: Event,
}

/// The JSON form of [`CloudEvent`] with its data unread: serde would copy all attributes to find the type among them.
#[derive(Deserialize)]
struct Envelope<'a> {
    specversion: String,
    id: String,
    source: String,
    subject: String,
    time: Timestamp,
    datacontenttype: String,
    sequence: u64,
    correlationid: String,
    causationid: String,
    traceparent: String,
    #[serde(default)]
    actor: Option<String>,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The attribute that decides whether an event is known.
#[derive(Deserialize)]
struct TypeOnly {
    r#type: String,
}

/// The reason for which a payload is not accepted as an event.
#[derive(Debug, thiserror::Error)]
pub enum ParseEventError {
    /// The catalogue does not contain the type: it is of a newer or another publisher.
    #[error("unknown event type `{0}`")]
    UnknownType(String),
    /// The payload is no CloudEvents JSON object, or its data does not match its type.
    #[error("not a CloudEvents JSON event")]
    Malformed(#[source] serde_json::Error),
}

impl CloudEvent {
    /// Parses the JSON form. A byte order mark before it is ignored.
    ///
    /// # Errors
    ///
    /// [`ParseEventError::UnknownType`], which a consumer may ignore; [`ParseEventError::Malformed`], which is
    /// a defect of the publisher.
    pub fn parse(json: &[u8]) -> Result<Self, ParseEventError> {
        let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
        let envelope: Envelope<'_> = match serde_json::from_slice(json) {
            Ok(envelope) => envelope,
            Err(error) => {
                return Err(match serde_json::from_slice::<TypeOnly>(json) {
                    Ok(TypeOnly { r#type }) if !Event::TYPES.contains(&r#type.as_str()) => {
                        ParseEventError::UnknownType(r#type)
                    }
                    _ => ParseEventError::Malformed(error),
                });
            }
        };
        let event = Event::parse(&envelope.r#type, envelope.data.get())
            .map_err(ParseEventError::Malformed)?
            .ok_or_else(|| ParseEventError::UnknownType(envelope.r#type.into_owned()))?;
        Ok(Self {
            specversion: envelope.specversion,
            id: envelope.id,
            source: envelope.source,
            subject: envelope.subject,
            time: envelope.time,
            datacontenttype: envelope.datacontenttype,
            sequence: envelope.sequence,
            correlationid: envelope.correlationid,
            causationid: envelope.causationid,
            traceparent: envelope.traceparent,
            actor: envelope.actor,
            event,
        })
    }

    /// The JSON form.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "strings, numbers and string keys always serialise"
    )]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event is plain data")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CarBookingState, CarId, CarState, ReservationId};
    use random_inputs::{edited, edits, fragments};

    fn event() -> CloudEvent {
        CloudEvent {
            specversion: SPEC_VERSION.into(),
            id: "car/7/3".into(),
            source: "socar/car".into(),
            subject: "car/7".into(),
            time: Timestamp::from_millis(0),
            datacontenttype: "application/json".into(),
            sequence: 3,
            correlationid: "r-1".into(),
            causationid: "reservation/2/2".into(),
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
            actor: Some("alice".into()),
            event: Event::CarReserved(CarBookingState {
                car: CarState {
                    car_id: CarId(7),
                    car_name: "Kia".into(),
                    car_type: "EV".into(),
                    amount: 5,
                    status: "reserved".into(),
                },
                rsv_id: ReservationId(2),
            }),
        }
    }

    #[test]
    fn a_written_event_is_parsed_to_the_same_event() {
        assert_eq!(
            CloudEvent::parse(event().to_json().as_bytes()).unwrap(),
            event()
        );
    }

    #[test]
    fn an_unknown_type_is_distinguished_from_a_malformed_event() {
        let unknown = event().to_json().replace("CarReserved", "CarPainted");
        assert!(matches!(
            CloudEvent::parse(unknown.as_bytes()),
            Err(ParseEventError::UnknownType(name)) if name == "CarPainted"
        ));
        assert!(matches!(
            CloudEvent::parse(b"{}"),
            Err(ParseEventError::Malformed(_))
        ));
    }

    #[test]
    fn a_byte_order_mark_is_ignored() {
        let json = format!("\u{feff}{}", event().to_json());
        assert_eq!(CloudEvent::parse(json.as_bytes()).unwrap(), event());
    }

    /// Edited events and texts of JSON's fragments are parsed or refused, and what is parsed has one form.
    #[test]
    fn any_message_is_parsed_or_refused() {
        let valid = event().to_json();
        let grammar = [
            "{",
            "}",
            "[",
            "]",
            "\"",
            ":",
            ",",
            "\"specversion\":\"1.0\"",
            "\"type\":",
            "\"CarReserved\"",
            "\"data\":{",
            "\"id\":",
            "\"source\":",
            "null",
            "1e309",
            "\\ud83d",
        ];
        let input = (edits(), fragments(grammar));
        bolero::check!()
            .with_generator(input)
            .for_each(|(edits, bytes)| {
                for message in [edited(&valid, edits).into_bytes(), bytes.clone()] {
                    if let Ok(event) = CloudEvent::parse(&message) {
                        assert_eq!(
                            CloudEvent::parse(event.to_json().as_bytes()).ok(),
                            Some(event)
                        );
                    }
                }
            });
    }
}
