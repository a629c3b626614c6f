//! Mutations of the platform: defects that are introduced on purpose to show that the simulation detects them. Each
//! is part of a fake, so production code contains none.

/// One defect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// A swap writes whatever value the key has.
    SwapsWithoutComparing,
    /// A store reports writes that a later crash undoes: events are published before the state is durable.
    PublishesBeforeCommit,
    /// No intent is written before a swap.
    WritesNoIntent,
    /// The sweep does not find intents.
    SkipsOutboxSweep,
    /// The sweep does not find sagas.
    SkipsSagaSweep,
    /// An event is acknowledged as soon as its delivery begins.
    AcknowledgesBeforeHandling,
    /// An event whose handler failed is not delivered again.
    DropsFailedDeliveries,
    /// The message context does not find the messages that it has sent.
    ForgetsSentMessages,
    /// A cancellation that arrives before the approval leaves no tombstone, and an approval after the rejection is
    /// not compensated.
    ApprovesAfterCancel,
    /// Calls of the gateway are not recorded before they are sent.
    RecordsNoGatewayCall,
    /// A call that reached the gateway is reported as not sent.
    ReportsSentCallAsNotSent,
    /// A hold is released twice; the second release affects the current holder of the car.
    ReleasesHoldTwice,
    /// A rejection releases the car neither by a command nor by an event; either one would suffice.
    KeepsRejectedHold,
    /// Idempotency keys are forgotten.
    ForgetsIdempotencyKeys,
    /// The read model takes every event as newer than its row.
    ViewIgnoresSequence,
    /// A parked event is never offered again.
    ForgetsParkedEvents,
    /// A rebuild reads the log and not the state of the contexts.
    RebuildReadsLogOnly,
    /// The lease of an idempotency key expires by the difference between the clocks of two hosts.
    TrustsClocks,
    /// Refunds of an unknown approval are not repeated.
    ForgetsLateRefunds,
    /// The clock that the hosts share shows the time of the host that reads it.
    ReadsHostClocks,
    /// The log loses its last second, and the stores keep theirs.
    LosesLogAlone,
    /// Calls that know of a lost batch of writes go on writing.
    WritesOnAfterLostBatch,
    /// Answers do not wait for the commit of the batch that they depend on.
    AnswersBeforeCommit,
    /// Sweeps do not remember for how long they have seen recorded work.
    ForgetsAges,
}
