//! Queries about messages: one message, or a page ([`kit::listing`] states the cost).

use crate::{domain::Message, repository::MessageRepository};
use events::{CustomerId, MessageId};
use kit::{
    ChangeError, ListError, Lookup, Platform, Versioned,
    http::{language::Language, paging::Page},
    listing,
};
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

/// One page of the messages, and the number of all messages. The language is that of the texts to sort by.
///
/// # Errors
///
/// [`ListError`] when the store fails, or the list is too long for the requested order.
pub async fn messages<P: Platform>(
    messages: &MessageRepository<P>,
    page: &Page,
    language: Language,
) -> Result<(Vec<Message>, u64), ListError<ChangeError<UnknownMessage>>> {
    let look_up = async |number| {
        let lookup = messages.find_by_number(MessageId(number)).await?;
        Ok::<_, ChangeError<UnknownMessage>>(lookup.map(|message| message.state))
    };
    let compare =
        |column: &str, one: &Message, other: &Message| compare(column, language, one, other);
    listing::list(&messages.platform, page, "msgId", look_up, compare).await
}

/// One page of the messages to a customer, and their number.
///
/// # Errors
///
/// [`ListError`] when the store fails, or the list is too long for the requested order.
pub async fn messages_to_customer<P: Platform>(
    messages: &MessageRepository<P>,
    customer: &CustomerId,
    page: &Page,
    language: Language,
) -> Result<(Vec<Message>, u64), ListError<ChangeError<UnknownMessage>>> {
    let look_up = async |number| {
        let found = match messages.find_by_number(MessageId(number)).await? {
            Lookup::Found(message) => Some(message.state),
            Lookup::Deleted | Lookup::Missing => None,
        };
        let to_customer = |message: &Message| message.customer.as_ref() == Some(customer);
        Ok::<_, ChangeError<UnknownMessage>>(found.filter(to_customer))
    };
    let index = messages.of_customer(customer);
    let compare =
        |column: &str, one: &Message, other: &Message| compare(column, language, one, other);
    listing::list_index(&index, page, "msgId", look_up, None, compare).await
}

fn compare(column: &str, language: Language, one: &Message, other: &Message) -> Ordering {
    match column {
        "carId" => one.car.cmp(&other.car),
        "rsvId" => one.reservation.cmp(&other.reservation),
        "content" => one.content(language).cmp(&other.content(language)),
        _ => one.sent_at.cmp(&other.sent_at),
    }
}
