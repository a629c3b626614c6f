//! Defects to show that the simulation can fail: each lies in a twin, so that production code knows
//! nothing of them.

/// One thing that is wrong with the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A swap writes whatever the key holds.
    SwapsWithoutComparing,
    /// A store reports writes that a crash then undoes: events go out before the state is safe.
    PublishesBeforeCommit,
    /// No intent is written before a swap.
    WritesNoIntent,
    /// The sweep does not find intents.
    SkipsOutboxSweep,
    /// The sweep does not find sagas.
    SkipsSagaSweep,
    /// An event counts as delivered as soon as its delivery begins.
    AcknowledgesBeforeHandling,
    /// An event whose handler failed is not delivered again.
    DropsFailedDeliveries,
    /// The message context does not see what it has sent.
    ForgetsSentMessages,
    /// A cancel that comes before the approval leaves nothing behind, and nobody minds an approval that
    /// comes after the rejection.
    ApprovesAfterCancel,
    /// Calls of the gateway are not noted.
    RecordsNoGatewayCall,
    /// The gateway was asked, and is said not to have been.
    ReportsSentCallAsNotSent,
    /// A hold is released twice, the second time whoever holds the car by then.
    ReleasesHoldTwice,
    /// A rejection frees the car neither by its release nor by its event; one of the two would do.
    KeepsRejectedHold,
    /// Idempotency keys are forgotten.
    ForgetsIdempotencyKeys,
    /// The view takes every event for newer than what it knows.
    ViewIgnoresSequence,
}
