//! One message for each transition, when events are duplicated, reordered or interrupted.

use super::*;
use kit::{Platform, Store, claim::claim, numbering};
use std::time::Duration;

const CONFIRMED: &str = "예약이 완료 되었습니다. 차량번호 : 3";
const CANCELLED: &str = "예약이 취소 되었습니다. 차량번호 : 3";
const REJECTED: &str = "예약이 거절 되었습니다. 차량번호 : 3";

/// More calls than a reaction makes to one store.
const CALLS: u32 = 16;

/// Sweeps until nothing is left to recover; an orphan is retired after two minutes.
fn sweep_all(messages: &MessageRepository<MemoryPlatform>) {
    for _ in 0..30 {
        list(messages);
        messages.platform.advance(Duration::from_secs(5));
        block_on(sweep::sweep(messages)).unwrap();
    }
}

#[test]
fn every_transition_sends_a_message() {
    let messages = messages();
    deliver(&messages, Event::ReservationConfirmed, 7, 3).unwrap();
    deliver(&messages, Event::ReservationCancelled, 7, 3).unwrap();
    deliver(&messages, Event::ReservationRejected, 8, 3).unwrap();
    assert_eq!(contents(&messages), [CONFIRMED, CANCELLED, REJECTED]);
    let (rows, total) = list(&messages);
    assert_eq!(total, 3);
    assert!(
        rows.iter()
            .all(|row| row.sent_at == messages.platform.now())
    );
    assert_eq!(messages.platform.published_types(), [""; 0]);
    let stored = format!("{:?}", messages.platform.state.snapshot());
    assert!(!stored.contains("claim/"), "{stored}");
}

#[test]
fn a_request_sends_no_message() {
    let messages = messages();
    deliver(&messages, Event::ReservationCreated, 7, 3).unwrap();
    deliver(&messages, Event::ReservationCancelRequested, 7, 3).unwrap();
    assert_eq!(list(&messages), (vec![], 0));
}

#[test]
fn an_event_that_arrives_twice_sends_one_message() {
    let messages = messages();
    for _ in 0..3 {
        deliver(&messages, Event::ReservationCancelled, 7, 3).unwrap();
        deliver(&messages, Event::ReservationConfirmed, 7, 3).unwrap();
    }
    assert_eq!(contents(&messages), [CANCELLED, CONFIRMED]);
    assert_eq!(list(&messages).1, 2);
}

#[test]
fn a_delivery_that_dies_at_any_call_is_completed_by_the_next() {
    for calls in 0..CALLS {
        for calls_of_second in 0..CALLS {
            let messages = messages();
            let platform = &messages.platform;
            platform.state.fail_after(calls);
            let _ = deliver(&messages, Event::ReservationConfirmed, 7, 3);
            platform.state.fail_after(calls_of_second);
            let _ = deliver(&messages, Event::ReservationConfirmed, 7, 3);
            platform.state.recover();
            deliver(&messages, Event::ReservationConfirmed, 7, 3).unwrap();
            assert_eq!(contents(&messages), [CONFIRMED]);
            sweep_all(&messages);
            let (rows, total) = list(&messages);
            assert_eq!((rows.len(), total), (1, 1), "{calls} {calls_of_second}");
        }
    }
}

#[test]
fn an_event_that_is_not_delivered_again_costs_a_number_and_no_row() {
    for calls in 0..CALLS {
        let messages = messages();
        messages.platform.state.fail_after(calls);
        let sent = deliver(&messages, Event::ReservationConfirmed, 7, 3);
        messages.platform.state.recover();
        sweep_all(&messages);
        let (rows, total) = list(&messages);
        assert_eq!(rows.len() as u64, total, "{calls}");
        if sent.is_ok() {
            assert_eq!(total, 1);
        }
    }
}

#[test]
fn an_interrupted_sweep_is_completed_by_the_next() {
    for calls in 0..CALLS {
        let messages = messages();
        messages.platform.state.fail_after(5);
        assert!(deliver(&messages, Event::ReservationConfirmed, 7, 3).is_err());
        messages.platform.state.recover();
        for _ in 0..22 {
            list(&messages);
            messages.platform.advance(Duration::from_secs(5));
            block_on(sweep::sweep(&messages)).unwrap();
        }
        messages.platform.advance(Duration::from_secs(5));
        messages.platform.state.fail_after(calls);
        messages.platform.outbox.fail_after(calls);
        let _ = block_on(sweep::sweep(&messages));
        messages.platform.state.recover();
        messages.platform.outbox.recover();
        sweep_all(&messages);
        assert_eq!(list(&messages), (vec![], 0));
        assert!(
            block_on(messages.platform.outbox.keys())
                .unwrap()
                .is_empty()
        );
    }
}

#[test]
fn a_delivery_that_died_after_its_claim_does_not_block_the_next() {
    let messages = messages();
    block_on(claim(&messages.platform, "message/7/confirmed")).unwrap();
    deliver(&messages, Event::ReservationConfirmed, 7, 3).unwrap();
    assert_eq!(contents(&messages), [CONFIRMED]);
}

#[test]
fn an_allocated_number_without_a_message_is_neither_listed_nor_counted() {
    let messages = messages();
    block_on(numbering::allocate(&messages.platform, |number| {
        format!("msg/{number}")
    }))
    .unwrap();
    deliver(&messages, Event::ReservationConfirmed, 7, 3).unwrap();
    assert_eq!(contents(&messages), [CONFIRMED]);
    block_on(sweep::sweep(&messages)).unwrap();
    let (rows, total) = list(&messages);
    assert_eq!((rows[0].id.0, total), (2, 1));
}

#[test]
fn a_store_that_reports_every_swap_as_lost_changes_nothing() {
    let messages = messages();
    messages.platform.state.denies_swaps.set(true);
    for _ in 0..2 {
        deliver(&messages, Event::ReservationConfirmed, 7, 3).unwrap();
    }
    assert_eq!(contents(&messages), [CONFIRMED]);
    assert_eq!(list(&messages).1, 1);
}

#[test]
fn a_message_has_a_number_of_its_own_after_the_loss_of_the_counter() {
    let messages = messages();
    for reservation in [7, 8] {
        deliver(&messages, Event::ReservationConfirmed, reservation, 3).unwrap();
    }
    block_on(kit::Store::delete(&messages.platform.state, "ids")).unwrap();
    deliver(&messages, Event::ReservationConfirmed, 9, 3).unwrap();
    let (rows, total) = list(&messages);
    let sent: Vec<_> = rows
        .iter()
        .map(|row| (row.id.0, row.reservation.0))
        .collect();
    assert_eq!((sent, total), (vec![(1, 7), (2, 8), (3, 9)], 3));
}
