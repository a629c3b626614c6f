//! What may be asked about messages: one of them, or a page ([`kit::listing`] says what it costs).

use crate::{MessageRepository, domain::Message};
use events::MessageId;
use kit::{ChangeError, Lookup, Platform, Versioned, http::paging::Page, listing};
use std::cmp::Ordering;

/// The columns that a list of messages can be sorted by.
pub const COLUMNS: [&str; 5] = ["msgId", "carId", "rsvId", "content", "sentAt"];

/// There is no such message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMessage(pub MessageId);

/// One message.
///
/// # Errors
///
/// [`UnknownMessage`] for a number that no message has, and what the store cannot do.
pub async fn message<P: Platform>(
    messages: &MessageRepository<P>,
    id: MessageId,
) -> Result<Versioned<Message>, ChangeError<UnknownMessage>> {
    match messages.find_by_number(id).await? {
        Lookup::Found(message) => Ok(message),
        Lookup::Deleted | Lookup::Missing => Err(ChangeError::Refused(UnknownMessage(id))),
    }
}

/// One page of the messages, and how many there are.
///
/// # Errors
///
/// What the store cannot do.
pub async fn messages<P: Platform>(
    messages: &MessageRepository<P>,
    page: &Page,
) -> Result<(Vec<Message>, u64), ChangeError<UnknownMessage>> {
    let look_up = async |number| {
        let lookup = messages
            .find_by_number::<UnknownMessage>(MessageId(number))
            .await?;
        Ok(lookup.map(|message| message.state))
    };
    listing::list(&messages.platform, page, "msgId", look_up, compare).await
}

fn compare(column: &str, one: &Message, other: &Message) -> Ordering {
    match column {
        "carId" => one.car.cmp(&other.car),
        "rsvId" => one.reservation.cmp(&other.reservation),
        "content" => one.content.cmp(&other.content),
        _ => one.sent_at.cmp(&other.sent_at),
    }
}
