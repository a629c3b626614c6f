//! Queries about messages: one message, or a page ([`kit::listing`] states the cost).

use crate::{domain::Message, repository::MessageRepository};
use events::MessageId;
use kit::{ChangeError, ListError, Lookup, Platform, Versioned, http::paging::Page, listing};
use std::cmp::Ordering;

/// The columns that a list of messages can be sorted by.
pub const COLUMNS: [&str; 5] = ["msgId", "carId", "rsvId", "content", "sentAt"];

/// No message has this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownMessage(pub MessageId);

/// One message.
///
/// # Errors
///
/// [`UnknownMessage`], and [`ChangeError`] when the store fails.
pub async fn message<P: Platform>(
    messages: &MessageRepository<P>,
    id: MessageId,
) -> Result<Versioned<Message>, ChangeError<UnknownMessage>> {
    match messages.find_by_number(id).await? {
        Lookup::Found(message) => Ok(message),
        Lookup::Deleted | Lookup::Missing => Err(ChangeError::Refused(UnknownMessage(id))),
    }
}

/// One page of the messages, and the number of all messages.
///
/// # Errors
///
/// [`ListError`] when the store fails, or the list is too long for the requested order.
pub async fn messages<P: Platform>(
    messages: &MessageRepository<P>,
    page: &Page,
) -> Result<(Vec<Message>, u64), ListError<ChangeError<UnknownMessage>>> {
    let look_up = async |number| {
        let lookup = messages.find_by_number(MessageId(number)).await?;
        Ok::<_, ChangeError<UnknownMessage>>(lookup.map(|message| message.state))
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
