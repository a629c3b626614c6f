//! That the simulation can fail: a platform with a defect on purpose is caught within a bounded
//! number of schedules.

use crate::{mutation::Defect, oracle::Violation, schedule};

/// Each defect is found in fewer schedules than this. The one that hides best,
/// [`Defect::ApprovesAfterCancel`], shows in one of 400, the others in one of 40 or more often.
const ENOUGH: u64 = 10_000;

/// Looks for a schedule in which the defect breaks the promise that it should break, and says how
/// many it took.
fn caught(defect: Defect, promise: &str) {
    for seed in 0..ENOUGH {
        let outcome = schedule::run(seed, Some(defect), false);
        if let Err(Violation(broken)) = outcome.verdict
            && broken.contains(promise)
        {
            println!("{defect:?} is caught by schedule {}: {broken}", seed + 1);
            return;
        }
    }
    panic!("{defect:?} was not caught within {ENOUGH} schedules");
}

#[test]
fn a_platform_without_compare_and_swap_is_caught() {
    caught(Defect::SwapsWithoutComparing, "customers at a time");
}

#[test]
fn a_platform_that_publishes_before_it_commits_is_caught() {
    caught(Defect::PublishesBeforeCommit, "stays reqReserve");
}

#[test]
fn a_platform_that_writes_no_intents_is_caught() {
    caught(Defect::WritesNoIntent, "events are");
}

#[test]
fn a_platform_that_sweeps_no_outbox_is_caught() {
    caught(Defect::SweepsNoOutbox, "does not come to rest");
}

#[test]
fn a_platform_that_sweeps_no_sagas_is_caught() {
    caught(Defect::SweepsNoSagas, "does not come to rest");
}

#[test]
fn a_platform_that_acknowledges_before_it_handles_is_caught() {
    caught(Defect::AcknowledgesBeforeHandling, "messages are");
}

#[test]
fn a_platform_that_never_delivers_again_is_caught() {
    caught(Defect::DropsWhatFailed, "messages are");
}

#[test]
fn a_reaction_that_is_not_idempotent_is_caught() {
    caught(Defect::ForgetsThatAMessageWasSent, "messages are");
}

#[test]
fn a_payment_that_is_approved_after_its_cancel_is_caught() {
    caught(Defect::ApprovesAfterCancel, "its payment Some(Paid");
}

#[test]
fn a_gateway_that_is_called_without_a_note_is_caught() {
    caught(Defect::NotesNoGatewayCall, "charges at the gateway");
}

#[test]
fn a_gateway_call_that_is_denied_is_caught() {
    caught(Defect::DeniesWhatWasAsked, "charges at the gateway");
}

#[test]
fn a_hold_that_is_released_twice_is_caught() {
    caught(Defect::ReleasesTwice, "customers at a time");
}

#[test]
fn a_rejection_that_keeps_the_car_is_caught() {
    caught(Defect::KeepsWhatWasRejected, "bookings are");
}

#[test]
fn a_platform_that_forgets_idempotency_keys_is_caught() {
    caught(Defect::ForgetsIdempotencyKeys, "two answers to one request");
}

#[test]
fn a_view_that_believes_the_last_event_to_come_is_caught() {
    caught(Defect::ViewBelievesTheLastToCome, "rows of View");
}
