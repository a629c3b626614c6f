use super::*;
use crate::{
    ReadModel, ReadModelGeneration, fixtures::*, memory::MemoryDatabase, queries::CarView,
};
use events::{PaymentId, ReservationId};
use futures::executor::block_on;
use proptest::prelude::*;
use std::collections::{BTreeMap, btree_map::Entry};

/// A car's whole life so far: one reservation refused, one kept, then another name.
fn story(car: u64) -> Vec<CloudEvent> {
    let (kept, refused, pay) = (car * 10, car * 10 + 1, car * 10);
    vec![
        car_registered(car, 1, "Kia"),
        reservation(kept, 1, car, "reqReserve"),
        payment(pay, 1, kept, car, "paid"),
        reservation(kept, 2, car, "reserved"),
        car_reserved(car, 2, "Kia", kept),
        reservation(refused, 1, car, "reqReserve"),
        reservation(refused, 2, car, "rejected"),
    ]
}

fn end_of_story(car: u64) -> CarView {
    CarView {
        car_id: CarId(car),
        car_name: "Kia".into(),
        car_type: "EV".into(),
        amount: 100,
        car_status: "reserved".into(),
        rsv_id: Some(ReservationId(car * 10)),
        rsv_status: Some("reserved".into()),
        pay_id: Some(PaymentId(car * 10)),
        pay_status: Some("paid".into()),
    }
}

fn view(model: &Model, car: u64) -> Option<CarView> {
    block_on(model.of_car(CarId(car))).unwrap()
}

fn permutations(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![vec![]];
    }
    let mut all = Vec::new();
    for shorter in permutations(count - 1) {
        for place in 0..count {
            let mut longer = shorter.clone();
            longer.insert(place, count - 1);
            all.push(longer);
        }
    }
    all
}

#[test]
fn every_order_of_a_story_ends_in_the_same_row() {
    let model = model();
    let length = story(1).len();
    for (car, order) in (1..).zip(permutations(length)) {
        let story = story(car);
        for index in &order {
            project(&model, &story[*index]);
        }
        assert_eq!(view(&model, car), Some(end_of_story(car)), "{order:?}");
    }
}

#[test]
fn an_event_that_comes_again_changes_nothing() {
    let model = model();
    for event in story(1) {
        project(&model, &event);
        let before = rows(&model);
        project(&model, &event);
        assert_eq!(rows(&model), before, "{}", event.id);
    }
    for event in story(1) {
        project(&model, &event);
        assert_eq!(rows(&model), [end_of_story(1)], "{}", event.id);
    }
}

#[test]
fn a_deleted_car_is_not_raised_by_events_that_come_late() {
    for late in [
        car_registered(1, 1, "Kia"),
        car_modified(1, 2, "Kia"),
        car_modified(1, 9, "Kia"),
        reservation(1, 1, 1, "reqReserve"),
        payment(1, 1, 1, 1, "paid"),
    ] {
        let model = model();
        project(&model, &car_registered(1, 1, "Kia"));
        project(&model, &car_deleted(1, 3));
        assert_eq!(rows(&model), []);
        project(&model, &late);
        assert_eq!(rows(&model), [], "{}", late.id);
    }
}

#[test]
fn a_car_whose_deletion_came_first_never_appears() {
    let model = model();
    project(&model, &car_deleted(1, 3));
    project(&model, &car_registered(1, 1, "Kia"));
    assert_eq!(rows(&model), []);
}

#[test]
fn a_payment_waits_for_its_reservation_and_a_reservation_for_its_car() {
    let model = model();
    project(&model, &payment(3, 1, 2, 1, "paid"));
    project(&model, &reservation(2, 2, 1, "reserved"));
    assert_eq!(rows(&model), []);
    project(&model, &car_registered(1, 1, "Kia"));
    let view = view(&model, 1).unwrap();
    assert_eq!(view.rsv_id, Some(ReservationId(2)));
    assert_eq!(view.pay_status.as_deref(), Some("paid"));
}

#[test]
fn a_rejected_reservation_gives_way_to_the_one_before_it() {
    let model = model();
    for event in story(1) {
        project(&model, &event);
    }
    let next = reservation(99, 1, 1, "reqReserve");
    project(&model, &next);
    let between = view(&model, 1).unwrap();
    assert_eq!(between.rsv_id, Some(ReservationId(99)));
    assert_eq!(between.pay_id, None);
    project(&model, &reservation(99, 2, 1, "rejected"));
    assert_eq!(view(&model, 1), Some(end_of_story(1)));
}

#[test]
fn the_later_of_two_events_of_one_commit_wins_in_either_order() {
    let mut first = car_modified(1, 2, "first");
    let mut second = car_modified(1, 2, "second");
    first.id = "car/1/2".into();
    second.id = "car/1/2.1".into();
    for pair in [[&first, &second], [&second, &first]] {
        let model = model();
        pair.into_iter().for_each(|event| project(&model, event));
        assert_eq!(view(&model, 1).unwrap().car_name, "second");
    }
}

#[test]
fn two_generations_live_side_by_side() {
    let rows = MemoryDatabase::new().unwrap();
    block_on(async {
        let old = ReadModel::open(&rows).await.unwrap();
        old.project(&car_registered(1, 1, "Kia")).await.unwrap();
        let next = ReadModelGeneration::numbered(1);
        let new = ReadModel::open_generation(&rows, next).await.unwrap();
        assert_eq!(new.of_car(CarId(1)).await.unwrap(), None);
        new.project(&car_registered(1, 1, "Kia")).await.unwrap();
        new.project(&car_deleted(1, 2)).await.unwrap();
        assert!(old.of_car(CarId(1)).await.unwrap().is_some());
    });
}

#[test]
fn tables_that_were_half_created_are_completed_and_whole_ones_left_alone() {
    let rows = MemoryDatabase::new().unwrap();
    block_on(ReadModel::open(&rows)).unwrap();
    let drop = "DROP TRIGGER g1_reservations_after_INSERT";
    rows.connection.execute_batch(drop).unwrap();
    let again = block_on(ReadModel::open(&rows)).unwrap();
    block_on(async {
        again.project(&car_registered(1, 1, "Kia")).await.unwrap();
        let event = reservation(2, 1, 1, "reqReserve");
        again.project(&event).await.unwrap();
        let third = ReadModel::open(&rows).await.unwrap();
        let view = third.of_car(CarId(1)).await.unwrap().unwrap();
        assert_eq!(view.rsv_id, Some(ReservationId(2)));
    });
}

// === any history, in any order ===

/// What happens to one of three cars: the choice and a number to vary it.
type Step = (u64, u8);

/// The events of a history and what the view should show of it, worked out step by step in order.
#[derive(Default)]
struct History {
    events: Vec<CloudEvent>,
    /// Sequence, name, status.
    cars: BTreeMap<u64, (u64, String, &'static str)>,
    gone: Vec<u64>,
    /// Car, sequence, status.
    reservations: BTreeMap<u64, (u64, u64, &'static str)>,
    /// Reservation, sequence, status.
    payments: BTreeMap<u64, (u64, u64, &'static str)>,
}

impl History {
    fn of(steps: &[Step]) -> Self {
        let mut history = Self::default();
        for (number, (car, choice)) in (1..).zip(steps) {
            history.step(number, *car, *choice);
        }
        history
    }

    fn step(&mut self, number: u64, car: u64, choice: u8) {
        if self.gone.contains(&car) {
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
                self.gone.push(car);
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
        self.events.push(reservation(id, state.1, car, status));
    }

    /// Every reservation may have up to two payments; the second one counts.
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
            }
        };
        self.cars.iter().map(row).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_history_in_any_order_with_any_repeats_ends_in_what_it_says(
        steps in prop::collection::vec((1..4_u64, 0..10_u8), 1..60),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..120),
        shuffle in any::<u64>(),
    ) {
        let history = History::of(&steps);
        let model = model();
        // Some events first, in any order and repeated; then all of them, in any order.
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
        prop_assert_eq!(rows(&model), history.expected());
    }
}
