//! The stored form of a message. Its JSON is in existing databases: fields may be added with a default, and never
//! renamed.

use crate::domain::{Message, MessageKind};
use events::{CarId, CustomerId, MessageId, ReservationId, Timestamp};
use kit::{Persistent, http::language::Language};
use serde::{Deserialize, Serialize};

/// A message as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageRecord {
    msg_id: MessageId,
    rsv_id: ReservationId,
    car_id: CarId,
    /// The text in Korean, for a version that knows no kinds.
    content: String,
    sent_at: Timestamp,
    /// The name of the kind; absent in the records of an older version, whose text says it.
    #[serde(default)]
    kind: Option<String>,
    /// The customer; absent for what is for the company, such as the records of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer_id: Option<CustomerId>,
}

impl Persistent for Message {
    type Record = MessageRecord;

    fn to_record(&self) -> MessageRecord {
        MessageRecord {
            msg_id: self.id,
            rsv_id: self.reservation,
            car_id: self.car,
            content: self.content(Language::Korean),
            sent_at: self.sent_at,
            kind: Some(self.kind.name().to_owned()),
            customer_id: self.customer.clone(),
        }
    }

    fn from_record(record: MessageRecord) -> Self {
        let is_named = |kind: &MessageKind| Some(kind.name()) == record.kind.as_deref();
        let has_text =
            |kind: &MessageKind| kind.content(record.car_id, Language::Korean) == record.content;
        let mut kinds = MessageKind::ALL.into_iter();
        let kind = kinds
            .clone()
            .find(is_named)
            .or_else(|| kinds.find(has_text));
        Self {
            id: record.msg_id,
            reservation: record.rsv_id,
            car: record.car_id,
            customer: record.customer_id,
            // Every version has written one of these texts.
            kind: kind.unwrap_or(MessageKind::Confirmed),
            sent_at: record.sent_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(stored: &Value) -> Message {
        Message::from_record(serde_json::from_value(stored.clone()).unwrap())
    }

    #[test]
    fn the_stored_form_does_not_change() {
        for kind in MessageKind::ALL {
            let stored = json!({
                "msgId": 1, "rsvId": 7, "carId": 3, "content": kind.content(CarId(3), Language::Korean),
                "sentAt": "2026-11-29T09:47:22.000Z", "kind": kind.name(), "customerId": "alice",
            });
            let message = read(&stored);
            assert_eq!(message.kind, kind);
            assert_eq!(serde_json::to_value(message.to_record()).unwrap(), stored);
        }
    }

    #[test]
    fn a_message_of_an_older_version_has_the_kind_of_its_text() {
        for (content, kind) in [
            (
                "예약이 완료 되었습니다. 차량번호 : 3",
                MessageKind::Confirmed,
            ),
            (
                "예약이 취소 되었습니다. 차량번호 : 3",
                MessageKind::Cancelled,
            ),
            (
                "예약이 거절 되었습니다. 차량번호 : 3",
                MessageKind::Rejected,
            ),
        ] {
            let stored = json!({
                "msgId": 1, "rsvId": 7, "carId": 3, "content": content,
                "sentAt": "2026-11-29T09:47:22.000Z",
            });
            let message = read(&stored);
            assert_eq!(message.kind, kind);
            assert_eq!(message.content(Language::Korean), content);
            assert_eq!(message.customer, None);
        }
    }
}
