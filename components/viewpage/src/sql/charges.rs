//! What payments bring in, by the hour in which they were approved.
//!
//! A *charge* is what the events of one payment say of it: the hour and the amount of its approval, and whether the money was
//! returned. Both are set once, so that any order of the events, and any number of deliveries, ends in the same charge.
//! Triggers add up the charges of each hour that were not returned.

use crate::sql_value::SqlValue;
use events::{CloudEvent, Event};

/// The length of an hour, in milliseconds.
const HOUR_MILLIS: u64 = 3_600_000;

/// An hour, counted from the Unix epoch.
pub type Hour = u64;

const CHARGE: &str = "
    INSERT INTO $charges (payId, hour, amount, returned) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (payId) DO UPDATE SET
      hour = coalesce(hour, excluded.hour), returned = max(returned, excluded.returned)
    WHERE excluded.returned > returned OR (hour IS NULL AND excluded.hour IS NOT NULL)";

/// The revenue of the hours after parameter 1, up to parameter 2.
pub const REVENUE: &str =
    "SELECT hour, amount, payments FROM $revenue WHERE hour > ?1 AND hour <= ?2 ORDER BY hour";

/// The statements that create the tables. A database of an older version gets them too; it counts from then on, and a
/// rebuild adds the hours before.
pub const SCHEMA: [&str; 4] = [
    "CREATE TABLE IF NOT EXISTS $charges (
       payId INTEGER PRIMARY KEY, hour INTEGER, amount INTEGER NOT NULL, returned INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS $revenue (
       hour INTEGER PRIMARY KEY, amount INTEGER NOT NULL, payments INTEGER NOT NULL)",
    "CREATE TRIGGER IF NOT EXISTS $charges_in AFTER INSERT ON $charges WHEN NEW.hour IS NOT NULL AND NOT NEW.returned BEGIN
       INSERT INTO $revenue VALUES (NEW.hour, NEW.amount, 1)
         ON CONFLICT (hour) DO UPDATE SET amount = amount + excluded.amount, payments = payments + 1; END",
    "CREATE TRIGGER IF NOT EXISTS $charges_returned AFTER UPDATE ON $charges
       WHEN OLD.hour IS NOT NULL AND NEW.returned > OLD.returned BEGIN
       UPDATE $revenue SET amount = amount - OLD.amount, payments = payments - 1 WHERE hour = OLD.hour; END",
];

/// The hour of a time in milliseconds since the Unix epoch.
#[must_use]
pub const fn hour_of(millis: u64) -> Hour {
    millis / HOUR_MILLIS
}

/// The beginning of an hour, in milliseconds since the Unix epoch.
#[must_use]
pub const fn beginning_of(hour: Hour) -> u64 {
    hour.saturating_mul(HOUR_MILLIS)
}

/// The statement that records what an event says of a charge, and its parameters; `None` for every other event.
#[must_use]
pub fn statement(event: &CloudEvent) -> Option<(&'static str, Vec<SqlValue>)> {
    let (payment, hour, is_returned) = match &event.event {
        Event::PaymentApproved(payment) => (payment, hour_of(event.time.as_millis()).into(), false),
        Event::PaymentCancelled(payment) => (payment, SqlValue::Null, true),
        _ => return None,
    };
    let parameters = vec![
        payment.pay_id.0.into(),
        hour,
        payment.amount.into(),
        is_returned.into(),
    ];
    Some((CHARGE, parameters))
}
