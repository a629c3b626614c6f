//! The messages in their store: the stored form, and the one place that knows their keys.
//!
//! A message lives under its reservation and its occasion, so that there can be only one. Its own
//! number is a pointer to that, written *before* the message: a message that exists can always be
//! found by its number, and a number counts only if the message it leads to says the same. A crash
//! in between costs a number, never a message: the event is delivered again and finds nothing.

use crate::domain::{Message, MessageKind};
use events::{CarId, MessageId, ReservationId, Timestamp};
use kit::{
    Aggregates, ChangeError, Decision, Lookup, Origin, Persistent, Platform, Store, StoreError,
    Versioned, claim, numbering,
};
use serde::{Deserialize, Serialize};

/// All messages of this context.
pub struct MessageRepository<P> {
    /// Stores and clock.
    pub platform: P,
}

impl<P: Platform> MessageRepository<P> {
    /// The messages of `platform`.
    pub fn new(platform: P) -> Self {
        Self { platform }
    }

    /// Sends a message, unless it was sent before.
    ///
    /// # Errors
    ///
    /// What the store cannot do. It is to be sent again then.
    pub async fn send<R>(
        &self,
        origin: &Origin,
        kind: MessageKind,
        reservation: ReservationId,
        car: CarId,
    ) -> Result<(), ChangeError<R>> {
        let key = key(reservation, kind);
        claim::claim(&self.platform, &key).await?;
        if self.platform.state().exists(&key).await? {
            return Ok(());
        }
        let id = self.allocate_number(&key).await?;
        let message = Message {
            id,
            reservation,
            car,
            content: kind.content(car),
            sent_at: self.platform.now(),
        };
        let sent = self
            .aggregates()
            .change(&key, origin, |before: Option<&Versioned<Message>>| {
                Ok(match before {
                    Some(_) => Decision::Keep(()),
                    None => Decision::Commit(message.clone(), Vec::new(), ()),
                })
            })
            .await?;
        if sent.current.is_some_and(|sent| sent.state.id != id) {
            // Another delivery of the same event was faster. Should this fail, the next list that
            // meets the number does it.
            let _ = numbering::retire(&self.platform, id.0).await;
        }
        Ok(())
    }

    /// Follows a message's number.
    pub(crate) async fn find_by_number<R>(
        &self,
        number: MessageId,
    ) -> Result<Lookup<Versioned<Message>>, ChangeError<R>> {
        let pointer = self.platform.state().get(&pointer(number)).await?;
        let Some(key) = pointer.and_then(|key| String::from_utf8(key).ok()) else {
            return Ok(Lookup::Missing);
        };
        let message: Option<Versioned<Message>> = self.aggregates().load(&key).await?;
        Ok(match message {
            None => Lookup::Missing,
            Some(message) if message.state.id == number => Lookup::Found(message),
            Some(_) => Lookup::Deleted,
        })
    }

    /// Gives out the next message's number, leading to `key`.
    async fn allocate_number(&self, key: &str) -> Result<MessageId, StoreError> {
        let number = MessageId(numbering::allocate(&self.platform).await?);
        let state = self.platform.state();
        state.set(&pointer(number), key.as_bytes()).await?;
        Ok(number)
    }

    /// MessageRepository announce nothing, so there is no stream that they could go to.
    fn aggregates(&self) -> Aggregates<'_, P> {
        Aggregates::new(&self.platform, "", "socar/message")
    }
}

fn key(reservation: ReservationId, kind: MessageKind) -> String {
    format!("message/{reservation}/{}", kind.as_str())
}

fn pointer(number: MessageId) -> String {
    format!("msg/{number}")
}

/// How a message is stored.
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
