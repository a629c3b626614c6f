//! Any history of three cars, projected in any order and with any repetitions, ends in the same rows.

use super::*;
use crate::{column::Column, list_query::ListQuery};
use futures::executor::block_on;
use kit::Principal;
use proptest::prelude::*;
use std::collections::{BTreeMap, btree_map::Entry};

/// One step of a history: the car, and the choice of what happens to it.
type HistoryStep = (u64, u8);

/// The events of a history, and the state of its aggregates after all of them.
#[derive(Default)]
struct History {
    events: Vec<CloudEvent>,
    /// Sequence, name, status.
    cars: BTreeMap<u64, (u64, String, &'static str)>,
    deleted: Vec<u64>,
    /// Car, sequence, status.
    reservations: BTreeMap<u64, (u64, u64, &'static str)>,
    /// Reservation, sequence, status.
    payments: BTreeMap<u64, (u64, u64, &'static str)>,
}

/// The customer of a reservation, if it has one.
fn customer_of(reservation: u64) -> Option<&'static str> {
    [None, Some("alice"), Some("bob")][reservation as usize % 3]
}

/// The cars whose row shows a reservation of a customer, as a list of the customer finds them.
fn cars_of(model: &MemoryModel, customer: &CustomerId) -> Vec<u64> {
    let list = ListQuery {
        order: vec![descending(Column::RsvId), ascending(Column::CarId)],
        size: 100,
        ..ListQuery::default()
    };
    let principal = Principal::Customer(customer.clone());
    let page = block_on(model.visible_list(&list, &principal)).unwrap();
    let own = page.rows.iter().filter(|row| row.rsv_id.is_some());
    let mut cars: Vec<u64> = own.map(|row| row.car_id.0).collect();
    cars.sort_unstable();
    cars
}

impl History {
    fn of(steps: &[HistoryStep]) -> Self {
        let mut history = Self::default();
        for (number, (car, choice)) in (1..).zip(steps) {
            history.step(number, *car, *choice);
        }
        history
    }

    fn step(&mut self, number: u64, car: u64, choice: u8) {
        if self.deleted.contains(&car) {
            return;
        }
        if let Entry::Vacant(entry) = self.cars.entry(car) {
            entry.insert((1, "new".into(), "available"));
            self.events.push(car_registered(car, 1, "new"));
            return;
        }
        match choice {
            0 => self.change_car(car, Some(format!("name {number}")), "available"),
            1 => self.change_car(car, None, "reserved"),
            2 | 3 => self.change_reservation(number, car, "reqReserve"),
            4..=8 => {
                let next = ["reserved", "rejected", "reqCancel", "cancelled"];
                let of_car =
                    |(id, state): (&u64, &(u64, u64, &str))| (state.0 == car).then_some(*id);
                let ids: Vec<u64> = self.reservations.iter().filter_map(of_car).collect();
                if let Some(id) = ids.get(number as usize % ids.len().max(1)) {
                    match choice {
                        8 => self.change_payment(*id, car),
                        _ => self.change_reservation(*id, car, next[usize::from(choice) - 4]),
                    }
                }
            }
            _ => {
                let (sequence, ..) = self.cars.remove(&car).unwrap();
                self.deleted.push(car);
                self.events.push(car_deleted(car, sequence + 1));
            }
        }
    }

    fn change_car(&mut self, car: u64, name: Option<String>, status: &'static str) {
        let state = self.cars.get_mut(&car).unwrap();
        state.0 += 1;
        state.1 = name.unwrap_or_else(|| state.1.clone());
        state.2 = status;
        self.events.push(match status {
            "reserved" => car_reserved(car, state.0, &state.1, 1),
            _ => car_cancelled(car, state.0, &state.1, 1),
        });
    }

    fn change_reservation(&mut self, id: u64, car: u64, status: &'static str) {
        let state = self.reservations.entry(id).or_insert((car, 0, status));
        state.1 += 1;
        state.2 = status;
        let event = reservation(id, state.1, car, status);
        self.events.push(match customer_of(id) {
            Some(customer) => of_customer(customer, event),
            None => event,
        });
    }

    /// A reservation has up to two payments; the view shows the second one.
    fn change_payment(&mut self, rsv: u64, car: u64) {
        let id = rsv * 2 + (self.events.len() as u64 % 2);
        let state = self.payments.entry(id).or_insert((rsv, 0, ""));
        state.1 += 1;
        state.2 = if state.1 == 1 { "paid" } else { "cancelled" };
        self.events.push(payment(id, state.1, rsv, car, state.2));
    }

    fn expected(&self) -> Vec<CarView> {
        let row = |(car, (_, name, status)): (&u64, &(u64, String, &str))| {
            let mut reservations = self.reservations.iter().rev();
            let latest = reservations.find(|(_, state)| state.0 == *car && state.2 != "rejected");
            let mut payments = self.payments.iter().rev();
            let payment = latest.and_then(|(rsv, _)| payments.find(|(_, state)| state.0 == *rsv));
            CarView {
                car_id: CarId(*car),
                car_name: name.clone(),
                car_type: "EV".into(),
                amount: 100,
                car_status: (*status).into(),
                rsv_id: latest.map(|(id, _)| ReservationId(*id)),
                rsv_status: latest.map(|(_, state)| state.2.into()),
                pay_id: payment.map(|(id, _)| PaymentId(*id)),
                pay_status: payment.map(|(_, state)| state.2.into()),
                customer_id: latest.and_then(|(id, _)| Some(CustomerId(customer_of(*id)?.into()))),
            }
        };
        self.cars.iter().map(row).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_order_with_any_repetitions_ends_in_the_same_rows(
        steps in prop::collection::vec((1..4_u64, 0..10_u8), 1..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..120),
        shuffle in any::<u64>(),
    ) {
        let history = History::of(&steps);
        let model = model();
        // First some events, in any order and repeated; then all events, in any order.
        for index in &order {
            project(&model, index.get(&history.events));
        }
        let mut rest: Vec<(u64, &CloudEvent)> = history.events.iter().zip(0..)
            .map(|(event, number): (_, u64)| ((number ^ shuffle).wrapping_mul(0x9e37_79b9_7f4a_7c15), event))
            .collect();
        rest.sort_by_key(|(key, _)| *key);
        for (_, event) in rest {
            project(&model, event);
        }
        let expected = history.expected();
        prop_assert_eq!(&rows(&model), &expected);
        for customer in ["alice", "bob"].map(|name| CustomerId(name.into())) {
            let own = expected.iter().filter(|row| row.customer_id.as_ref() == Some(&customer));
            let own: Vec<u64> = own.map(|row| row.car_id.0).collect();
            prop_assert_eq!(cars_of(&model, &customer), own);
        }
    }
}
