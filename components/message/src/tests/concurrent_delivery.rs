//! One event is delivered twice at the same time, as by a relay and a trigger: the second delivery runs to its end while
//! the first one is under way.

use super::*;
use futures::FutureExt;
use kit::{LogError, Platform, claim::claim, memory::MemoryStore, numbering};
use std::{cell::Cell, time::Duration};

/// The call of the first delivery during which the second one runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interleaving {
    /// The wait for another delivery that has claimed the message.
    Sleep,
    /// The reading of the clock, after the number is allocated and before the message is stored.
    Clock,
}

/// A platform that runs the second delivery once.
struct InterleavingPlatform<'a> {
    messages: &'a MessageRepository<MemoryPlatform>,
    at: Cell<Option<Interleaving>>,
}

impl InterleavingPlatform<'_> {
    fn interleave(&self, at: Interleaving) {
        if self.at.get() == Some(at) {
            self.at.set(None);
            let event = cloud_event(Event::ReservationConfirmed, 7, 3);
            // An in-memory platform never suspends.
            let second = reactions::react(self.messages, &event).now_or_never();
            second.unwrap().unwrap();
        }
    }
}

impl Platform for InterleavingPlatform<'_> {
    type Store = MemoryStore;

    fn state(&self) -> &MemoryStore {
        self.messages.platform.state()
    }

    fn outbox(&self) -> &MemoryStore {
        self.messages.platform.outbox()
    }

    async fn append(&self, stream: &str, event: &str) -> Result<(), LogError> {
        self.messages.platform.append(stream, event).await
    }

    fn now(&self) -> Timestamp {
        self.interleave(Interleaving::Clock);
        self.messages.platform.now()
    }

    fn unique_id(&self) -> String {
        self.messages.platform.unique_id()
    }

    async fn sleep(&self, duration: Duration) {
        self.interleave(Interleaving::Sleep);
        self.messages.platform.sleep(duration).await;
    }
}

fn deliver_interleaved(messages: &MessageRepository<MemoryPlatform>, at: Interleaving) {
    let first = MessageRepository::new(InterleavingPlatform {
        messages,
        at: Cell::new(Some(at)),
    });
    let event = cloud_event(Event::ReservationConfirmed, 7, 3);
    block_on(reactions::react(&first, &event)).unwrap();
    assert_eq!(first.platform.at.get(), None, "the second delivery has run");
    // No list has retired a number yet.
    let numbers = block_on(numbering::live_numbers(&messages.platform)).unwrap();
    assert_eq!(numbers.count(), 1, "no number is unused");
    assert_eq!(contents(messages).len(), 1);
}

#[test]
fn a_delivery_that_waits_for_a_claim_leaves_the_message_to_the_other() {
    let messages = messages();
    block_on(claim(&messages.platform, "message/7/confirmed")).unwrap();
    deliver_interleaved(&messages, Interleaving::Sleep);
    assert_eq!(list(&messages).0[0].id.0, 1);
    let next = block_on(numbering::allocate(&messages.platform, |number| {
        format!("msg/{number}")
    }))
    .unwrap();
    assert_eq!(next, 2, "only one number was allocated");
}

#[test]
fn the_slower_delivery_retires_its_number() {
    let messages = messages();
    deliver_interleaved(&messages, Interleaving::Clock);
    assert_eq!(list(&messages).0[0].id.0, 2);
}
