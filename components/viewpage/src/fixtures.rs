//! Events and databases for the tests of this crate.

use crate::{
    car_view::CarView,
    column::Column,
    generation::ReadModelGeneration,
    list_query::{ListQuery, SortKey},
    memory::MemoryDatabase,
    read_model::ReadModel,
    sql_value::SqlValue,
};
use events::{
    CarBookingState, CarDeleted, CarId, CarState, CloudEvent, CustomerId, Event, PaymentId,
    PaymentState, ReservationId, ReservationState, SPEC_VERSION, Timestamp,
};
use futures::executor::block_on;

pub type MemoryModel = ReadModel<MemoryDatabase>;

/// An empty read model.
pub fn model() -> MemoryModel {
    let database = MemoryDatabase::new().unwrap();
    block_on(ReadModel::open(database, ReadModelGeneration::FIRST)).unwrap()
}

pub fn project(model: &MemoryModel, event: &CloudEvent) {
    block_on(model.project(event)).unwrap();
}

/// All rows, by car.
pub fn rows(model: &MemoryModel) -> Vec<CarView> {
    let query = ListQuery {
        size: 1_000_000,
        ..ListQuery::default()
    };
    block_on(model.list(&query)).unwrap().rows
}

pub fn ascending(column: Column) -> SortKey {
    SortKey {
        column,
        descending: false,
    }
}

pub fn descending(column: Column) -> SortKey {
    SortKey {
        column,
        descending: true,
    }
}

/// Runs SQL with `$` before the names of tables.
pub fn sql(model: &MemoryModel, statement: &str, parameters: &[SqlValue]) -> Vec<Vec<SqlValue>> {
    block_on(model.run(statement, parameters)).unwrap()
}

fn envelope(subject: String, sequence: u64, event: Event) -> CloudEvent {
    CloudEvent {
        specversion: SPEC_VERSION.into(),
        id: format!("{subject}/{sequence}"),
        source: "socar/test".into(),
        subject,
        time: Timestamp::from_millis(sequence),
        datacontenttype: "application/json".into(),
        sequence,
        correlationid: "r".into(),
        causationid: "r".into(),
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into(),
        actor: None,
        event,
    }
}

pub fn car_state(id: u64, name: &str, status: &str) -> CarState {
    CarState {
        car_id: CarId(id),
        car_name: name.into(),
        car_type: "EV".into(),
        amount: 100,
        status: status.into(),
    }
}

pub fn car_registered(id: u64, sequence: u64, name: &str) -> CloudEvent {
    let event = Event::CarRegistered(car_state(id, name, "available"));
    envelope(format!("car/{id}"), sequence, event)
}

pub fn car_modified(id: u64, sequence: u64, name: &str) -> CloudEvent {
    let event = Event::CarModified(car_state(id, name, "available"));
    envelope(format!("car/{id}"), sequence, event)
}

pub fn car_reserved(id: u64, sequence: u64, name: &str, rsv_id: u64) -> CloudEvent {
    let event = Event::CarReserved(CarBookingState {
        car: car_state(id, name, "reserved"),
        rsv_id: ReservationId(rsv_id),
    });
    envelope(format!("car/{id}"), sequence, event)
}

pub fn car_cancelled(id: u64, sequence: u64, name: &str, rsv_id: u64) -> CloudEvent {
    let event = Event::CarCancelled(CarBookingState {
        car: car_state(id, name, "available"),
        rsv_id: ReservationId(rsv_id),
    });
    envelope(format!("car/{id}"), sequence, event)
}

pub fn car_deleted(id: u64, sequence: u64) -> CloudEvent {
    let event = Event::CarDeleted(CarDeleted { car_id: CarId(id) });
    envelope(format!("car/{id}"), sequence, event)
}

/// The event that brings a reservation into `status`.
pub fn reservation(id: u64, sequence: u64, car_id: u64, status: &str) -> CloudEvent {
    let state = ReservationState {
        rsv_id: ReservationId(id),
        car_id: CarId(car_id),
        pay_id: None,
        status: status.into(),
        reason: None,
        customer_id: None,
    };
    let event = match status {
        "reqReserve" => Event::ReservationCreated(state),
        "reserved" => Event::ReservationConfirmed(state),
        "rejected" => Event::ReservationRejected(state),
        "reqCancel" => Event::ReservationCancelRequested(state),
        "cancelled" => Event::ReservationCancelled(state),
        other => panic!("no event brings a reservation into `{other}`"),
    };
    envelope(format!("reservation/{id}"), sequence, event)
}

/// The event of a reservation, with its customer.
pub fn of_customer(name: &str, mut event: CloudEvent) -> CloudEvent {
    match &mut event.event {
        Event::ReservationCreated(state)
        | Event::ReservationConfirmed(state)
        | Event::ReservationRejected(state)
        | Event::ReservationCancelRequested(state)
        | Event::ReservationCancelled(state) => state.customer_id = Some(CustomerId(name.into())),
        other => panic!("{other:?}"),
    }
    event
}

/// The event that brings a payment into `status`.
pub fn payment(id: u64, sequence: u64, rsv_id: u64, car_id: u64, status: &str) -> CloudEvent {
    let state = PaymentState {
        pay_id: PaymentId(id),
        rsv_id: ReservationId(rsv_id),
        car_id: CarId(car_id),
        amount: 100,
        status: status.into(),
        customer_id: None,
    };
    let event = match status {
        "paid" => Event::PaymentApproved(state),
        "cancelled" => Event::PaymentCancelled(state),
        other => panic!("no event brings a payment into `{other}`"),
    };
    envelope(format!("payment/{id}"), sequence, event)
}
