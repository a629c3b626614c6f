//! What is said, and when. Plain values and functions: no clock, no store, no HTTP.

use events::{CarId, MessageId, ReservationId, Timestamp};

/// What there is to tell. Each happens to a reservation at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// The reservation stands.
    Confirmed,
    /// It was given up.
    Cancelled,
    /// It was refused.
    Rejected,
}

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Which message.
    pub id: MessageId,
    /// About which reservation.
    pub reservation: ReservationId,
    /// About which car.
    pub car: CarId,
    /// What it says.
    pub content: String,
    /// When it was sent.
    pub sent_at: Timestamp,
}

impl MessageKind {
    /// The word under which it is filed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }

    /// What is said about it, in the product's first language.
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
    fn every_occasion_has_its_words() {
        let said = |kind: MessageKind| kind.content(CarId(12));
        assert_eq!(
            said(MessageKind::Confirmed),
            "예약이 완료 되었습니다. 차량번호 : 12"
        );
        assert_eq!(
            said(MessageKind::Cancelled),
            "예약이 취소 되었습니다. 차량번호 : 12"
        );
        assert_eq!(
            said(MessageKind::Rejected),
            "예약이 거절 되었습니다. 차량번호 : 12"
        );
    }
}
