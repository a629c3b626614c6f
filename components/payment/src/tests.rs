//! What the payment context does as a whole, over twins of everything around it.

mod faults;
mod gateway;
mod http;

use crate::{
    Payments, commands,
    domain::{Order, Payment, Refusal},
    ledger::Ledger,
    memory::MemoryGateway,
    ports::Gateway,
    queries, reactions, sweep,
};
use bytes::Bytes;
use events::{CarId, CloudEvent, Event, ReservationId, ReservationState, SPEC_VERSION, Timestamp};
use futures::executor::block_on;
use kit::{
    ChangeError, Origin, Versioned,
    http::{Request, paging::Page},
    memory::MemoryPlatform,
};

const RESERVATION: ReservationId = ReservationId(7);

fn with_ledger(limit: &str) -> Payments<MemoryPlatform, Ledger> {
    Payments::new(MemoryPlatform::new(), Ledger::new(limit))
}

fn with_gateway() -> Payments<MemoryPlatform, MemoryGateway> {
    Payments::new(MemoryPlatform::new(), MemoryGateway::default())
}

fn order(reservation: ReservationId) -> Order {
    Order {
        reservation,
        car: CarId(1),
        amount: 100,
    }
}

fn approve<G: Gateway>(
    payments: &Payments<MemoryPlatform, G>,
) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    let origin = Origin::new("approval");
    block_on(commands::approve(payments, &origin, order(RESERVATION)))
}

fn cancel<G: Gateway>(
    payments: &Payments<MemoryPlatform, G>,
) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    block_on(commands::cancel(
        payments,
        &Origin::new("cancel"),
        RESERVATION,
    ))
}

fn request_cancellation<G: Gateway>(payments: &Payments<MemoryPlatform, G>) {
    let event = CloudEvent {
        specversion: SPEC_VERSION.into(),
        id: "reservation/7/3".into(),
        source: "socar/reservation".into(),
        subject: "reservation/7".into(),
        time: Timestamp::from_millis(0),
        datacontenttype: "application/json".into(),
        sequence: 3,
        correlationid: "customer".into(),
        causationid: "customer".into(),
        traceparent: String::new(),
        event: Event::ReservationCancelRequested(ReservationState {
            rsv_id: RESERVATION,
            car_id: CarId(1),
            pay_id: None,
            status: "reqCancel".into(),
            reason: None,
        }),
    };
    block_on(reactions::react(payments, &event)).unwrap();
}

/// Sweeps until what is left over has long been taken care of.
fn sweep_up<G: Gateway>(payments: &Payments<MemoryPlatform, G>) {
    for _ in 0..3 {
        list(payments);
        payments
            .platform
            .advance(std::time::Duration::from_secs(130));
        block_on(sweep::sweep(payments)).unwrap();
    }
}

fn outcome<G>(payments: &Payments<MemoryPlatform, G>) -> &'static str {
    let known = block_on(queries::outcome(payments, RESERVATION)).unwrap();
    known.map_or("none", |payment| payment.outcome())
}

/// The statuses of all payments that can be seen, and how many there are said to be.
fn list<G>(payments: &Payments<MemoryPlatform, G>) -> (Vec<&'static str>, u64) {
    let page = Page::without_filters(&Request::new(Bytes::new()), &[]).unwrap();
    let (rows, total) = block_on(queries::payments(payments, &page)).unwrap();
    (rows.iter().map(|row| row.status).collect(), total)
}

fn notes(platform: &MemoryPlatform) -> Vec<String> {
    use kit::Store;
    block_on(platform.outbox.keys()).unwrap()
}
