//! The same event is delivered twice at the same time, as it is when a relay and a trigger overlap:
//! while one delivery is under way, the other overtakes it.

use super::*;
use futures::FutureExt;
use kit::{LogError, Platform, claim::claim, memory::MemoryStore, numbering};
use std::{cell::Cell, time::Duration};

/// Where the other delivery overtakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// While this one waits for whoever claimed the message first.
    Pause,
    /// When this one has looked, and drawn a number, and is about to send.
    Clock,
}

/// A platform on which the other delivery overtakes once.
struct Overtaking<'a> {
    messages: &'a MessageRepository<MemoryPlatform>,
    at: Cell<Option<At>>,
}

impl Overtaking<'_> {
    fn is_at(&self, at: At) {
        if self.at.get() == Some(at) {
            self.at.set(None);
            let event = told(Event::ReservationConfirmed, 7, 3);
            // Nothing in memory ever waits.
            let other = reactions::react(self.messages, &event).now_or_never();
            other.unwrap().unwrap();
        }
    }
}

impl Platform for Overtaking<'_> {
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
        self.is_at(At::Clock);
        self.messages.platform.now()
    }

    fn unique_id(&self) -> String {
        self.messages.platform.unique_id()
    }

    async fn sleep(&self, duration: Duration) {
        self.is_at(At::Pause);
        self.messages.platform.sleep(duration).await;
    }
}

fn overtaken(messages: &MessageRepository<MemoryPlatform>, at: At) {
    let slow = MessageRepository::new(Overtaking {
        messages,
        at: Cell::new(Some(at)),
    });
    let event = told(Event::ReservationConfirmed, 7, 3);
    block_on(reactions::react(&slow, &event)).unwrap();
    assert_eq!(slow.platform.at.get(), None, "it was overtaken");
    // Before any list could have repaired it.
    let numbers = block_on(numbering::live_numbers(&messages.platform)).unwrap();
    assert_eq!(numbers.count(), 1, "no number is left over");
    assert_eq!(contents(messages).len(), 1);
}

#[test]
fn who_waits_for_a_claim_leaves_the_message_to_the_other() {
    let messages = messages();
    block_on(claim(&messages.platform, "message/7/confirmed")).unwrap();
    overtaken(&messages, At::Pause);
    assert_eq!(list(&messages).0[0].id.0, 1);
    let next = block_on(numbering::allocate(&messages.platform)).unwrap();
    assert_eq!(next, 2, "only one number was drawn");
}

#[test]
fn who_is_overtaken_before_sending_gives_his_number_back() {
    let messages = messages();
    overtaken(&messages, At::Clock);
    assert_eq!(list(&messages).0[0].id.0, 2);
}
