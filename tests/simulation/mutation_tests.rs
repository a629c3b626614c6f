//! Does the simulation detect defects? Each mutation of the platform must violate an invariant within a bounded
//! number of schedules.

use crate::{mutation::Mutation, oracle::Violation, schedule};

/// Each mutation is detected in fewer schedules than this. [`Mutation::ApprovesAfterCancel`] is the rarest: it
/// shows in one of some 10 000 schedules, the others in one of some hundred or more often.
const MAX_SCHEDULES: u64 = 50_000;

/// Looks for a schedule in which the mutation violates the expected invariant, and prints the number of schedules
/// that it took.
fn assert_detected(mutation: Mutation, promise: &str) {
    for seed in 0..MAX_SCHEDULES {
        let report = schedule::run(seed, Some(mutation), false);
        if let Err(Violation(broken)) = report.result
            && broken.contains(promise)
        {
            println!("{mutation:?} is caught by schedule {}: {broken}", seed + 1);
            return;
        }
    }
    panic!("{mutation:?} was not caught within {MAX_SCHEDULES} schedules");
}

#[test]
fn a_platform_without_compare_and_swap_is_detected() {
    assert_detected(Mutation::SwapsWithoutComparing, "customers at a time");
}

#[test]
fn a_platform_that_publishes_before_it_commits_is_detected() {
    assert_detected(Mutation::PublishesBeforeCommit, "stays reqReserve");
}

#[test]
fn a_platform_that_writes_no_intents_is_detected() {
    assert_detected(Mutation::WritesNoIntent, "events are");
}

#[test]
fn a_platform_that_sweeps_no_outbox_is_detected() {
    assert_detected(Mutation::SkipsOutboxSweep, "does not become idle");
}

#[test]
fn a_platform_that_sweeps_no_sagas_is_detected() {
    assert_detected(Mutation::SkipsSagaSweep, "does not become idle");
}

#[test]
fn a_platform_that_acknowledges_before_it_handles_is_detected() {
    assert_detected(Mutation::AcknowledgesBeforeHandling, "messages are");
}

#[test]
fn a_platform_that_drops_failed_deliveries_is_detected() {
    assert_detected(Mutation::DropsFailedDeliveries, "messages are");
}

#[test]
fn a_reaction_that_is_not_idempotent_is_detected() {
    assert_detected(Mutation::ForgetsSentMessages, "messages are");
}

#[test]
fn a_payment_that_is_approved_after_its_cancellation_is_detected() {
    assert_detected(Mutation::ApprovesAfterCancel, "its payment Some(Paid");
}

#[test]
fn a_gateway_call_that_is_not_recorded_is_detected() {
    assert_detected(Mutation::RecordsNoGatewayCall, "charges at the gateway");
}

#[test]
fn a_sent_gateway_call_that_is_reported_as_not_sent_is_detected() {
    assert_detected(Mutation::ReportsSentCallAsNotSent, "charges at the gateway");
}

#[test]
fn a_hold_that_is_released_twice_is_detected() {
    assert_detected(Mutation::ReleasesHoldTwice, "customers at a time");
}

#[test]
fn a_rejection_that_keeps_its_hold_is_detected() {
    assert_detected(Mutation::KeepsRejectedHold, "bookings are");
}

#[test]
fn a_platform_that_forgets_idempotency_keys_is_detected() {
    assert_detected(
        Mutation::ForgetsIdempotencyKeys,
        "two responses to one request",
    );
}

#[test]
fn a_view_that_ignores_the_sequence_of_events_is_detected() {
    assert_detected(Mutation::ViewIgnoresSequence, "rows of View");
}

#[test]
fn a_parked_event_that_is_never_offered_again_is_detected() {
    assert_detected(Mutation::ForgetsParkedEvents, "event was not handled");
}

#[test]
fn a_rebuild_that_reads_only_the_log_is_detected() {
    assert_detected(Mutation::RebuildReadsLogOnly, "rows of View");
}

#[test]
fn a_lease_that_trusts_the_clocks_of_others_is_detected() {
    assert_detected(Mutation::TrustsClocks, "two responses to one request");
}

#[test]
fn a_platform_that_does_not_repeat_refunds_is_detected() {
    assert_detected(Mutation::ForgetsLateRefunds, "charges at the gateway");
}

#[test]
fn waits_by_the_clocks_of_hosts_are_detected() {
    assert_detected(Mutation::ReadsHostClocks, "charges at the gateway");
}

#[test]
fn a_log_that_loses_what_the_stores_keep_is_detected() {
    assert_detected(Mutation::LosesLogAlone, "messages are");
}

#[test]
fn calls_that_write_on_after_a_lost_batch_are_detected() {
    assert_detected(Mutation::WritesOnAfterLostBatch, "bookings are");
}

#[test]
fn answers_before_the_commit_of_their_batch_are_detected() {
    assert_detected(
        Mutation::AnswersBeforeCommit,
        "that was not true in the end",
    );
}

#[test]
fn a_platform_whose_work_never_becomes_old_is_detected() {
    assert_detected(Mutation::ForgetsAges, "does not become idle");
}

/// The variants of an enumeration in one of these files, without `None`.
fn variants(source: &str, name: &str) -> Vec<String> {
    let file = syn::parse_file(source).expect("the file compiles");
    let of_enum = |item: syn::Item| match item {
        syn::Item::Enum(item) if item.ident == name => Some(item.variants),
        _ => None,
    };
    let variants = file.items.into_iter().find_map(of_enum);
    let variants = variants.expect("the enumeration is there").into_iter();
    let names = variants.map(|variant| variant.ident.to_string());
    names.filter(|name| name != "None").collect()
}

#[test]
fn every_defect_has_a_test_and_the_documentation_has_their_number() {
    let schedule = variants(include_str!("mutation.rs"), "Mutation");
    let model = variants(include_str!("model/protocol.rs"), "ProtocolMutation");
    let tests = [include_str!("mutation_tests.rs"), include_str!("model.rs")];
    for (prefix, names) in [("Mutation", &schedule), ("ProtocolMutation", &model)] {
        for name in names {
            let name = format!("{prefix}::{name}");
            let is_tested = tests.iter().any(|text| {
                let calls = text.split("assert_detected(").skip(1);
                calls
                    .filter_map(|call| call.trim_start().split(',').next())
                    .any(|first| first == name)
            });
            assert!(is_tested, "{name} has no test");
        }
    }
    let count = schedule.len() + model.len();
    let promises = include_str!("../../docs/src/promises.md");
    let promise = format!("{count} deliberate defects");
    assert!(
        promises.contains(&promise),
        "docs/src/promises.md should say: {promise}"
    );
}
