//! The envelope of CloudEvents 1.0 in its JSON form, with the extensions we use: `sequence`,
//! `correlationid`, `causationid` and `traceparent`.

use crate::{Event, Timestamp};
use serde::{Deserialize, Serialize};

/// The version of the CloudEvents specification that we write.
pub const SPEC_VERSION: &str = "1.0";

/// One event, addressed and ordered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloudEvent {
    /// Always [`SPEC_VERSION`].
    pub specversion: String,
    /// Unique within `source`: subject and sequence, so that a republished event is recognised.
    pub id: String,
    /// The context that announces, `socar/<context>`.
    pub source: String,
    /// The aggregate it speaks of, `<aggregate>/<id>`: events of one subject are delivered in order.
    pub subject: String,
    /// When the change was committed.
    pub time: Timestamp,
    /// Always `application/json`.
    pub datacontenttype: String,
    /// The aggregate's version after the change: what decides between two events of one subject.
    pub sequence: u64,
    /// The request that started it all.
    pub correlationid: String,
    /// The request or event that directly caused this one.
    pub causationid: String,
    /// W3C trace context of the cause.
    pub traceparent: String,
    /// What happened: the attributes `type` and `data`.
    #[serde(flatten)]
    pub event: Event,
}

/// Why a payload is no event of ours.
#[derive(Debug, thiserror::Error)]
pub enum ParseEventError {
    /// The type is in no catalogue that we know: from a newer publisher, or not meant for us.
    #[error("unknown event type `{0}`")]
    UnknownType(String),
    /// Not a CloudEvents JSON object, or one whose data does not fit its type.
    #[error("not a CloudEvents JSON event")]
    Malformed(#[source] serde_json::Error),
}

impl CloudEvent {
    /// Reads the JSON form.
    ///
    /// # Errors
    ///
    /// [`ParseEventError::UnknownType`] lets a reader pass over what it does not know;
    /// [`ParseEventError::Malformed`] is a publisher's mistake.
    pub fn parse(json: &[u8]) -> Result<Self, ParseEventError> {
        #[derive(Deserialize)]
        struct Kind {
            r#type: String,
        }
        let kind: Kind = serde_json::from_slice(json).map_err(ParseEventError::Malformed)?;
        if !Event::TYPES.contains(&kind.r#type.as_str()) {
            return Err(ParseEventError::UnknownType(kind.r#type));
        }
        serde_json::from_slice(json).map_err(ParseEventError::Malformed)
    }

    /// Writes the JSON form.
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
    fn an_event_reads_back_what_it_wrote() {
        assert_eq!(
            CloudEvent::parse(event().to_json().as_bytes()).unwrap(),
            event()
        );
    }

    #[test]
    fn an_unknown_type_is_told_apart_from_garbage() {
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
    fn the_list_of_types_is_the_catalogue() {
        for name in Event::TYPES {
            let probe = format!(r#"{{"type":"{name}","data":null}}"#);
            let error = serde_json::from_str::<Event>(&probe)
                .unwrap_err()
                .to_string();
            assert!(!error.contains("unknown variant"), "{name}: {error}");
        }
    }
}
