//! The use cases of the payment context, over a platform and a gateway in memory.

mod changed_gateway;
mod faults;
mod gateway;
mod http;
mod late_refunds;

use crate::{
    built_in_gateway::BuiltInGateway,
    commands,
    domain::{Order, Payment, Refusal},
    fake_gateway::FakeGateway,
    ports::{Gateway, PaymentPorts},
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
use std::time::Duration;

const SWEEP_INTERVAL: Duration = Duration::from_secs(5);

const RESERVATION: ReservationId = ReservationId(7);

fn with_built_in_gateway(limit: &str) -> PaymentPorts<MemoryPlatform, BuiltInGateway> {
    PaymentPorts {
        platform: MemoryPlatform::new(),
        gateway: BuiltInGateway::new(limit),
    }
}

fn with_remote_gateway() -> PaymentPorts<MemoryPlatform, FakeGateway> {
    PaymentPorts {
        platform: MemoryPlatform::new(),
        gateway: FakeGateway::default(),
    }
}

fn order(reservation: ReservationId) -> Order {
    Order {
        reservation,
        car: CarId(1),
        amount: 100,
        customer: None,
    }
}

fn approve<G: Gateway>(
    ports: &PaymentPorts<MemoryPlatform, G>,
) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    let origin = Origin::new("approval");
    block_on(commands::approve(ports, &origin, order(RESERVATION)))
}

fn cancel<G: Gateway>(
    ports: &PaymentPorts<MemoryPlatform, G>,
) -> Result<Versioned<Payment>, ChangeError<Refusal>> {
    block_on(commands::cancel(ports, &Origin::new("cancel"), RESERVATION))
}

fn request_cancellation<G: Gateway>(ports: &PaymentPorts<MemoryPlatform, G>) {
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
        actor: None,
        event: Event::ReservationCancelRequested(ReservationState {
            rsv_id: RESERVATION,
            car_id: CarId(1),
            pay_id: None,
            status: "reqCancel".into(),
            reason: None,
            customer_id: None,
        }),
    };
    block_on(reactions::react(ports, &event)).unwrap();
}

/// Sweeps until nothing is left to recover; an orphan is retired after two minutes.
fn sweep_all<G: Gateway>(ports: &PaymentPorts<MemoryPlatform, G>) {
    for _ in 0..30 {
        list(ports);
        ports.platform.advance(SWEEP_INTERVAL);
        block_on(sweep::sweep(ports)).unwrap();
    }
}

/// Sweeps three times, until intents are old enough, and returns the sum of what the sweeps did.
fn sweep_until_settled(
    platform: &MemoryPlatform,
    sweep: impl Fn() -> sweep::SweepSummary,
) -> sweep::SweepSummary {
    let mut summary = sweep::SweepSummary::default();
    for _ in 0..3 {
        platform.advance(SWEEP_INTERVAL);
        let next = sweep();
        summary.settled += next.settled;
        summary.open = next.open;
    }
    summary
}

/// Sweeps until the intents are settled.
fn sweep_once(ports: &PaymentPorts<MemoryPlatform, FakeGateway>) -> sweep::SweepSummary {
    sweep_until_settled(&ports.platform, || block_on(sweep::sweep(ports)).unwrap())
}

fn outcome<G>(ports: &PaymentPorts<MemoryPlatform, G>) -> &'static str {
    let payment = block_on(queries::payment_of::<_, _, Refusal>(ports, RESERVATION)).unwrap();
    payment.map_or("none", |payment| payment.outcome())
}

/// The statuses of all listed payments, and their reported number.
fn list<G>(ports: &PaymentPorts<MemoryPlatform, G>) -> (Vec<&'static str>, u64) {
    let page = Page::without_filters(&Request::new(Bytes::new()), &[]).unwrap();
    let (rows, total) = block_on(queries::payments(ports, &page)).unwrap();
    (rows.iter().map(|row| row.status).collect(), total)
}

/// The keys of unfinished work: neither the ages of it, nor late refunds and their clock.
fn stored_intents(platform: &MemoryPlatform) -> Vec<String> {
    use kit::Store;
    let mut keys = block_on(platform.outbox.keys()).unwrap();
    keys.retain(|key| !["sightings", "clock"].contains(&key.as_str()) && !key.starts_with("late/"));
    keys
}

fn stored_late_refunds(platform: &MemoryPlatform) -> Vec<String> {
    use kit::Store;
    let mut keys = block_on(platform.outbox.keys()).unwrap();
    keys.retain(|key| key.starts_with("late/"));
    keys
}
