//! The tables of the twin, and what commands and events do to them.

use rusqlite::{Connection, OptionalExtension as _, params};

/// The tables: those of the contexts, the view with its orders, and the outbox.
pub const SCHEMA: &str = "
    PRAGMA journal_mode = wal;
    PRAGMA synchronous = normal;
    CREATE TABLE cars (
      carId INTEGER PRIMARY KEY, carName TEXT NOT NULL, carType TEXT NOT NULL, amount INTEGER NOT NULL,
      status TEXT NOT NULL, rsvId INTEGER);
    CREATE TABLE reservations (
      rsvId INTEGER PRIMARY KEY, carId INTEGER NOT NULL, payId INTEGER, status TEXT NOT NULL, version INTEGER NOT NULL);
    CREATE TABLE payments (
      payId INTEGER PRIMARY KEY, rsvId INTEGER NOT NULL, carId INTEGER NOT NULL, amount INTEGER NOT NULL,
      status TEXT NOT NULL);
    CREATE TABLE messages (
      msgId INTEGER PRIMARY KEY, carId INTEGER NOT NULL, rsvId INTEGER NOT NULL, content TEXT NOT NULL,
      sentAt INTEGER NOT NULL);
    CREATE TABLE carviews (
      carId INTEGER PRIMARY KEY, carName TEXT NOT NULL, carType TEXT NOT NULL, amount INTEGER NOT NULL,
      carStatus TEXT NOT NULL, rsvId INTEGER, rsvStatus TEXT, payId INTEGER, payStatus TEXT);
    CREATE INDEX car_by_rsvId ON cars (rsvId);
    CREATE INDEX payment_by_rsvId ON payments (rsvId);
    CREATE INDEX by_rsvId ON carviews (rsvId);
    CREATE INDEX by_amount ON carviews (amount);
    CREATE INDEX by_rsvStatus ON carviews (rsvStatus);
    CREATE TABLE outbox (position INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, subject INTEGER NOT NULL,
      data TEXT NOT NULL);";

/// A refused command, as an HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    NotFound,
    Conflict,
}

/// The events that one transaction takes from the outbox.
const EVENTS_AT_ONCE: u32 = 256;

/// Registers a car; returns its number.
pub fn register(
    connection: &Connection,
    name: &str,
    kind: &str,
    amount: i64,
) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(
            "INSERT INTO cars (carName, carType, amount, status) VALUES (?1, ?2, ?3, 'available')",
        )?
        .execute(params![name, kind, amount])?;
    let car = connection.last_insert_rowid();
    announce(connection, "CarRegistered", car)?;
    Ok(car)
}

/// Stores a reservation, holds its car and pays; returns its number.
pub fn reserve(connection: &Connection, car: i64) -> rusqlite::Result<Result<i64, Refusal>> {
    let found: Option<(String, i64)> = connection
        .prepare_cached("SELECT status, amount FROM cars WHERE carId = ?1")?
        .query_row([car], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((status, amount)) = found else {
        return Ok(Err(Refusal::NotFound));
    };
    if status != "available" {
        return Ok(Err(Refusal::Conflict));
    }
    connection
        .prepare_cached(
            "INSERT INTO reservations (carId, status, version) VALUES (?1, 'reqReserve', 1)",
        )?
        .execute([car])?;
    let reservation = connection.last_insert_rowid();
    connection
        .prepare_cached("UPDATE cars SET status = 'held', rsvId = ?2 WHERE carId = ?1")?
        .execute([car, reservation])?;
    connection
        .prepare_cached(
            "INSERT INTO payments (rsvId, carId, amount, status) VALUES (?1, ?2, ?3, 'paid')",
        )?
        .execute(params![reservation, car, amount])?;
    announce(connection, "ReservationCreated", reservation)?;
    announce(connection, "PaymentApproved", reservation)?;
    Ok(Ok(reservation))
}

/// Requests the cancellation of a confirmed reservation.
pub fn cancel(connection: &Connection, reservation: i64) -> rusqlite::Result<Result<(), Refusal>> {
    let changed = connection
        .prepare_cached("UPDATE reservations SET status = 'reqCancel', version = version + 1 WHERE rsvId = ?1 AND status = 'reserved'")?
        .execute([reservation])?;
    if changed == 0 {
        return Ok(Err(Refusal::Conflict));
    }
    announce(connection, "ReservationCancelRequested", reservation)?;
    Ok(Ok(()))
}

fn announce(connection: &Connection, event: &str, subject: i64) -> rusqlite::Result<()> {
    let data = format!(
        r#"{{"specversion":"1.0","id":"{subject}/{event}","type":"{event}","subject":"{subject}","data":{{"id":{subject}}}}}"#
    );
    connection
        .prepare_cached("INSERT INTO outbox (type, subject, data) VALUES (?1, ?2, ?3)")?
        .execute(params![event, subject, data])?;
    Ok(())
}

/// Handles the next events of the outbox; returns whether there were any.
pub fn handle_events(connection: &Connection) -> rusqlite::Result<bool> {
    let mut events = connection
        .prepare_cached("SELECT position, type, subject FROM outbox ORDER BY position LIMIT ?1")?;
    let events: Vec<(i64, String, i64)> = events
        .query_map([EVENTS_AT_ONCE], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<rusqlite::Result<_>>()?;
    for (position, event, subject) in &events {
        handle(connection, event, *subject)?;
        connection
            .prepare_cached("DELETE FROM outbox WHERE position = ?1")?
            .execute([position])?;
    }
    Ok(!events.is_empty())
}

fn handle(connection: &Connection, event: &str, subject: i64) -> rusqlite::Result<()> {
    let run = |statement: &str| connection.prepare_cached(statement)?.execute([subject]);
    match event {
        "CarRegistered" => {
            run(
                "INSERT INTO carviews (carId, carName, carType, amount, carStatus)
                 SELECT carId, carName, carType, amount, 'available' FROM cars WHERE carId = ?1",
            )?;
        }
        "PaymentApproved" => {
            run(
                "UPDATE reservations SET status = 'reserved', version = version + 1,
                   payId = (SELECT payId FROM payments WHERE rsvId = ?1) WHERE rsvId = ?1",
            )?;
            run("UPDATE carviews SET payStatus = 'paid', payId = (SELECT payId FROM payments WHERE rsvId = ?1)
                 WHERE carId = (SELECT carId FROM reservations WHERE rsvId = ?1)")?;
            announce(connection, "ReservationConfirmed", subject)?;
        }
        "ReservationCreated" | "ReservationConfirmed" | "ReservationCancelRequested" => {
            run("UPDATE carviews SET rsvId = ?1, rsvStatus = (SELECT status FROM reservations WHERE rsvId = ?1)
                 WHERE carId = (SELECT carId FROM reservations WHERE rsvId = ?1)")?;
            if event == "ReservationConfirmed" {
                message(connection, subject, "is reserved")?;
                run("UPDATE cars SET status = 'reserved' WHERE rsvId = ?1")?;
                announce(connection, "CarReserved", subject)?;
            }
            if event == "ReservationCancelRequested" {
                run("UPDATE payments SET status = 'cancelled' WHERE rsvId = ?1")?;
                announce(connection, "PaymentCancelled", subject)?;
            }
        }
        "CarReserved" => {
            run(
                "UPDATE carviews SET carStatus = 'reserved' WHERE carId = (SELECT carId FROM reservations WHERE rsvId = ?1)",
            )?;
        }
        "PaymentCancelled" => {
            run("UPDATE carviews SET payStatus = 'cancelled' WHERE rsvId = ?1")?;
            run(
                "UPDATE reservations SET status = 'cancelled', version = version + 1 WHERE rsvId = ?1",
            )?;
            announce(connection, "ReservationCancelled", subject)?;
        }
        "ReservationCancelled" => {
            message(connection, subject, "is cancelled")?;
            run("UPDATE carviews SET rsvStatus = 'cancelled' WHERE rsvId = ?1")?;
            run("UPDATE cars SET status = 'available', rsvId = NULL WHERE rsvId = ?1")?;
            announce(connection, "CarCancelled", subject)?;
        }
        _ => {
            run("UPDATE carviews SET carStatus = 'available' WHERE rsvId = ?1")?;
        }
    }
    Ok(())
}

fn message(connection: &Connection, reservation: i64, what: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO messages (carId, rsvId, content, sentAt)
             SELECT carId, rsvId, 'Reservation ' || rsvId || ' ' || ?2, unixepoch() FROM reservations WHERE rsvId = ?1",
        )?
        .execute(params![reservation, what])?;
    Ok(())
}
