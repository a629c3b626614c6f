//! The messages and their texts. Plain values and functions: no clock, no store, no HTTP.

use events::{CarId, CustomerId, MessageId, ReservationId, Timestamp};
use kit::http::language::Language;

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
    /// The customer; `None` if it is for the company.
    pub customer: Option<CustomerId>,
    /// What it says.
    pub kind: MessageKind,
    /// When it was sent.
    pub sent_at: Timestamp,
}

impl Message {
    /// Its text.
    #[must_use]
    pub fn content(&self, language: Language) -> String {
        self.kind.content(self.car, language)
    }
}

impl MessageKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Confirmed, Self::Cancelled, Self::Rejected];

    /// The name for clients, by which they choose a text of their own.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "reservation-confirmed",
            Self::Cancelled => "reservation-cancelled",
            Self::Rejected => "reservation-rejected",
        }
    }

    /// The identifier in the message's key.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Cancelled => "cancelled",
            Self::Rejected => "rejected",
        }
    }

    /// The text of the message.
    #[must_use]
    pub fn content(self, car: CarId, language: Language) -> String {
        match (language, self) {
            (Language::Korean, Self::Confirmed) => {
                format!("예약이 완료 되었습니다. 차량번호 : {car}")
            }
            (Language::Korean, Self::Cancelled) => {
                format!("예약이 취소 되었습니다. 차량번호 : {car}")
            }
            (Language::Korean, Self::Rejected) => {
                format!("예약이 거절 되었습니다. 차량번호 : {car}")
            }
            (Language::English, Self::Confirmed) => {
                format!("Your reservation is confirmed. Car number: {car}")
            }
            (Language::English, Self::Cancelled) => {
                format!("Your reservation is cancelled. Car number: {car}")
            }
            (Language::English, Self::Rejected) => {
                format!("Your reservation was rejected. Car number: {car}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_message_has_its_text() {
        let korean = MessageKind::ALL.map(|kind| kind.content(CarId(12), Language::Korean));
        assert_eq!(
            korean,
            [
                "예약이 완료 되었습니다. 차량번호 : 12",
                "예약이 취소 되었습니다. 차량번호 : 12",
                "예약이 거절 되었습니다. 차량번호 : 12",
            ]
        );
        let english = MessageKind::ALL.map(|kind| kind.content(CarId(12), Language::English));
        assert_eq!(
            english,
            [
                "Your reservation is confirmed. Car number: 12",
                "Your reservation is cancelled. Car number: 12",
                "Your reservation was rejected. Car number: 12",
            ]
        );
    }
}
