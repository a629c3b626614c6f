//! The stored form of a message. Its JSON is in existing databases: fields may be added with a default, and never
//! renamed.

use crate::domain::Message;
use events::{CarId, MessageId, ReservationId, Timestamp};
use kit::Persistent;
use serde::{Deserialize, Serialize};

/// A message as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageRecord {
    msg_id: MessageId,
    rsv_id: ReservationId,
    car_id: CarId,
    content: String,
    sent_at: Timestamp,
}

impl Persistent for Message {
    type Record = MessageRecord;

    fn to_record(&self) -> MessageRecord {
        MessageRecord {
            msg_id: self.id,
            rsv_id: self.reservation,
            car_id: self.car,
            content: self.content.clone(),
            sent_at: self.sent_at,
        }
    }

    fn from_record(record: MessageRecord) -> Self {
        Self {
            id: record.msg_id,
            reservation: record.rsv_id,
            car: record.car_id,
            content: record.content,
            sent_at: record.sent_at,
        }
    }
}
