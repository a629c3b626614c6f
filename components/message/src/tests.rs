//! The reactions and the HTTP surface of the message context, over a platform in memory.

mod concurrent_delivery;
mod http;
mod sending;

use crate::{domain::Message, queries, reactions, repository::MessageRepository, sweep};
use bytes::Bytes;
use events::{CarId, CloudEvent, Event, ReservationId, ReservationState, SPEC_VERSION, Timestamp};
use futures::executor::block_on;
use kit::{
    ChangeError,
    http::{Request, language::Language, paging::Page},
    memory::MemoryPlatform,
};
use std::convert::Infallible;

fn messages() -> MessageRepository<MemoryPlatform> {
    MessageRepository::new(MemoryPlatform::new())
}

fn deliver(
    messages: &MessageRepository<MemoryPlatform>,
    event: fn(ReservationState) -> Event,
    reservation: u64,
    car: u64,
) -> Result<(), ChangeError<Infallible>> {
    block_on(reactions::react(
        messages,
        &cloud_event(event, reservation, car),
    ))
}

fn cloud_event(event: fn(ReservationState) -> Event, reservation: u64, car: u64) -> CloudEvent {
    CloudEvent {
        specversion: SPEC_VERSION.into(),
        id: format!("reservation/{reservation}/2"),
        source: "socar/reservation".into(),
        subject: format!("reservation/{reservation}"),
        time: Timestamp::from_millis(0),
        datacontenttype: "application/json".into(),
        sequence: 2,
        correlationid: "customer".into(),
        causationid: "customer".into(),
        traceparent: String::new(),
        actor: None,
        event: event(ReservationState {
            rsv_id: ReservationId(reservation),
            car_id: CarId(car),
            pay_id: None,
            status: "any".into(),
            reason: None,
            customer_id: None,
        }),
    }
}

/// All listed messages, and their reported number.
fn list(messages: &MessageRepository<MemoryPlatform>) -> (Vec<Message>, u64) {
    let page = Page::without_filters(&Request::new(Bytes::new()), &[]).unwrap();
    block_on(queries::messages(messages, &page, Language::Korean)).unwrap()
}

fn contents(messages: &MessageRepository<MemoryPlatform>) -> Vec<String> {
    let (rows, _) = list(messages);
    rows.iter()
        .map(|message| message.content(Language::Korean))
        .collect()
}
