//! What may be asked about messages. By number a page costs two reads for each of its rows; any
//! other order reads all messages.

use crate::{Messages, domain::Message, messages::Lead};
use events::MessageId;
use kit::{
    ChangeError, Platform, Versioned,
    http::paging::Page,
    numbering::{self, lost},
};
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
    messages: &Messages<P>,
    id: MessageId,
) -> Result<Versioned<Message>, ChangeError<UnknownMessage>> {
    match messages.follow(id).await? {
        Lead::To(message) => Ok(message),
        Lead::Nowhere | Lead::NotYet => Err(ChangeError::Refused(UnknownMessage(id))),
    }
}

/// One page of the messages, and how many there are.
///
/// # Errors
///
/// What the store cannot do.
pub async fn messages<P: Platform>(
    messages: &Messages<P>,
    page: &Page,
) -> Result<(Vec<Message>, u64), ChangeError<UnknownMessage>> {
    let numbers = numbering::numbers(&messages.platform).await?;
    let by_number = page.sort.first().is_none_or(|sort| sort.column == "msgId");
    if by_number {
        let descending = page.sort.first().is_some_and(|sort| sort.descending);
        let numbers_of_page = numbers.page(page.offset(), page.size, descending);
        return Ok((load(messages, numbers_of_page).await?, numbers.count()));
    }
    let mut rows = load(messages, numbers.ascending()).await?;
    let total = rows.len() as u64;
    rows.sort_by(|one, other| compare(page, one, other));
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    let size = usize::try_from(page.size).unwrap_or(usize::MAX);
    Ok((rows.into_iter().skip(offset).take(size).collect(), total))
}

async fn load<P: Platform>(
    messages: &Messages<P>,
    numbers: impl IntoIterator<Item = u64>,
) -> Result<Vec<Message>, ChangeError<UnknownMessage>> {
    let platform = &messages.platform;
    let mut rows = Vec::new();
    for number in numbers {
        match messages.follow::<UnknownMessage>(MessageId(number)).await? {
            Lead::To(message) => rows.push(message.state),
            // Should this fail, the next list that meets the number does it.
            Lead::Nowhere => {
                let _ = numbering::retire(platform, number).await;
            }
            Lead::NotYet => {
                let _ = lost::suspect(platform, number).await;
            }
        }
    }
    Ok(rows)
}

/// The order that the page asks for, and then by number, so that pages lose and repeat nothing.
fn compare(page: &Page, one: &Message, other: &Message) -> Ordering {
    let by_column = |column: &str| match column {
        "carId" => one.car.cmp(&other.car),
        "rsvId" => one.reservation.cmp(&other.reservation),
        "content" => one.content.cmp(&other.content),
        "sentAt" => one.sent_at.cmp(&other.sent_at),
        _ => one.id.cmp(&other.id),
    };
    page.sort
        .iter()
        .map(|sort| {
            let order = by_column(sort.column);
            if sort.descending {
                order.reverse()
            } else {
                order
            }
        })
        .find(|order| order.is_ne())
        .unwrap_or_else(|| one.id.cmp(&other.id))
}
