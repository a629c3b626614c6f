//! Loading and saving messages: the one place that knows their keys.
//!
//! A message is stored under its reservation and its kind, so there can be only one of each. The message's own number is
//! a pointer key, written *before* the message: every stored message can be found by its number. A number counts only if
//! the message that it points to carries the same number. A crash in between costs a number, and no message: the event
//! is delivered again, and the message is then sent.

mod record;

use crate::domain::{Message, MessageKind};
use events::{CustomerId, MessageId, ReservationId, ReservationState};
use kit::{
    Aggregates, ChangeError, Decision, Lookup, NumberIndex, Origin, Platform, Store, StoreError,
    Versioned,
    claim::{self, Claim},
    numbering,
};

/// The stored messages of a platform.
pub struct MessageRepository<P> {
    /// Stores and clock.
    pub platform: P,
}

impl<P: Platform> MessageRepository<P> {
    /// The messages in the store of `platform`.
    pub fn new(platform: P) -> Self {
        Self { platform }
    }

    /// Sends a message about a reservation, unless one of this kind was sent before.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the store fails; the message must then be sent again.
    pub async fn send<R>(
        &self,
        origin: &Origin,
        kind: MessageKind,
        reservation: &ReservationState,
    ) -> Result<(), ChangeError<R>> {
        let key = key(reservation.rsv_id, kind);
        if claim::claim(&self.platform, &key).await? == Claim::Exists {
            return Ok(());
        }
        let message = Message {
            id: self.allocate_number(&key).await?,
            reservation: reservation.rsv_id,
            car: reservation.car_id,
            customer: reservation.customer_id.clone(),
            kind,
            sent_at: self.platform.now(),
        };
        if let Some(customer) = &message.customer {
            self.of_customer(customer).add(message.id.0).await?;
        }
        self.create(&key, origin, message).await
    }

    /// Stores a message, or retires its number when another delivery of the same event was faster.
    async fn create<R>(
        &self,
        key: &str,
        origin: &Origin,
        message: Message,
    ) -> Result<(), ChangeError<R>> {
        let created = self
            .aggregates()
            .with_time(message.sent_at)
            .change(key, origin, |existing: Option<&Versioned<Message>>| {
                Ok(match existing {
                    Some(_) => Decision::Keep(()),
                    None => Decision::Commit(message.clone(), Vec::new(), ()),
                })
            })
            .await?;
        // The key exists, so nothing has to claim it any more. A counter that stays costs a few bytes.
        let _ = claim::release(&self.platform, key).await;
        let stored_id = created.current.map(|stored| stored.state.id);
        if stored_id.is_some_and(|id| id != message.id) {
            // A failure is ignored: the next list that reads the number retires it.
            let _ = numbering::retire(&self.platform, message.id.0).await;
        }
        Ok(())
    }

    /// Finds a message by its own number.
    ///
    /// # Errors
    ///
    /// [`ChangeError`] when the store fails or the stored value cannot be read.
    pub async fn find_by_number<R>(
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

    /// Allocates the next message number, with a pointer to `key`.
    async fn allocate_number(&self, key: &str) -> Result<MessageId, StoreError> {
        let pointer_of = |number| pointer(MessageId(number));
        let number = MessageId(numbering::allocate(&self.platform, pointer_of).await?);
        let state = self.platform.state();
        state.set(&pointer(number), key.as_bytes()).await?;
        Ok(number)
    }

    /// The index of the messages to a customer. A number is added before its message is stored, so that no crash leaves a
    /// message out of the list.
    pub fn of_customer(&self, customer: &CustomerId) -> NumberIndex<'_, P> {
        NumberIndex::new(&self.platform, "customer", customer)
    }

    /// Messages announce no events, so the stream is empty.
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
