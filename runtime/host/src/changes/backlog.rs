//! The newest messages of a feed. All listeners share them, and one that lags too far behind finds its next one gone.

use std::collections::VecDeque;

use super::visibility::SharedMessage;

/// The largest number of bytes in a backlog.
const MAX_BYTES: usize = 8 << 20;

/// The newest messages, each with a number: the first message of a feed has 0.
pub(super) struct Backlog {
    messages: VecDeque<SharedMessage>,
    bytes: usize,
    /// The number of the oldest message that is still there.
    first: u64,
    max_messages: usize,
}

/// The message with a number.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    Message(SharedMessage),
    /// It is still to come.
    NotYet,
    /// It was there.
    Gone,
}

// === impl Backlog ===

impl Backlog {
    pub fn new(max_messages: usize) -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
            first: 0,
            max_messages,
        }
    }

    /// The number of the next message.
    pub fn next(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    /// Adds a message, and removes the oldest ones beyond the bounds.
    pub fn push(&mut self, message: SharedMessage) {
        self.bytes += message.len();
        self.messages.push_back(message);
        while self.messages.len() > self.max_messages || self.bytes > MAX_BYTES {
            let Some(oldest) = self.messages.pop_front() else {
                break;
            };
            self.bytes -= oldest.len();
            self.first += 1;
        }
    }

    pub fn take(&self, number: u64) -> Taken {
        let Some(index) = number.checked_sub(self.first) else {
            return Taken::Gone;
        };
        let message = usize::try_from(index).ok();
        let message = message.and_then(|index| self.messages.get(index));
        message.map_or(Taken::NotYet, |message| Taken::Message(message.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_reader_that_lags_beyond_either_bound_finds_its_message_gone() {
        let mut backlog = Backlog::new(2);
        let message = |text: &'static str| {
            SharedMessage::of_event(Bytes::from_static(text.as_bytes()), None, None)
        };
        assert_eq!(backlog.take(0), Taken::NotYet);
        for text in ["a", "b", "c"] {
            backlog.push(message(text));
        }
        assert_eq!(backlog.take(0), Taken::Gone);
        assert_eq!(backlog.take(1), Taken::Message(message("b")));
        assert_eq!(backlog.take(3), Taken::NotYet);
        assert_eq!(backlog.next(), 3);
        backlog.push(SharedMessage::of_event(
            vec![0; MAX_BYTES].into(),
            None,
            None,
        ));
        assert_eq!(backlog.take(2), Taken::Gone);
        assert!(matches!(backlog.take(3), Taken::Message(_)));
    }
}
