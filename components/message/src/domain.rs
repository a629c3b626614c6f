//! The messages and their texts. Plain values and functions: no clock, no store, no HTTP.

use events::{CarId, MessageId, ReservationId, Timestamp};

/// The kind of a message. A reservation gets at most one message of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// The reservation is confirmed.
    Confirmed,
    /// The reservation is cancelled.
    Cancelled,
    /// The reservation is rejected.
    Rejected,
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its number.
    pub id: MessageId,
    /// The reservation it is about.
    pub reservation: ReservationId,
    /// The reserved car.
    pub car: CarId,
    /// Its text.
    pub content: String,
    /// When it was sent.
    pub sent_at: Timestamp,
}

impl MessageKind {
    /// The identifier in the message's key.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }

    /// The text of the message, in Korean, the product's first language.
    #[must_use]
    pub fn content(self, car: CarId) -> String {
        match self {
            Self::Confirmed => format!("예약이 완료 되었습니다. 차량번호 : {car}"),
            Self::Cancelled => format!("예약이 취소 되었습니다. 차량번호 : {car}"),
            Self::Rejected => format!("예약이 거절 되었습니다. 차량번호 : {car}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_message_has_its_text() {
        let content = |kind: MessageKind| kind.content(CarId(12));
        assert_eq!(
            content(MessageKind::Confirmed),
            "예약이 완료 되었습니다. 차량번호 : 12"
        );
        assert_eq!(
            content(MessageKind::Cancelled),
            "예약이 취소 되었습니다. 차량번호 : 12"
        );
        assert_eq!(
            content(MessageKind::Rejected),
            "예약이 거절 되었습니다. 차량번호 : 12"
        );
    }
}
