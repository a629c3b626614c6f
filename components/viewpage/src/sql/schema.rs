//! The tables: what the events say (`cars`, `reservations`, `payments`), how it joins (`joined`),
//! and the joined rows kept ready (`carviews`), which triggers hold up to date.
//!
//! Triggers rather than a second statement: a crash cannot come between an event and its effect on
//! the view.

use super::{columns, rank_index};
use crate::{Column, column::ColumnType};

/// Counts the names of this generation that exist.
pub const NAMES_THAT_EXIST: &str = "SELECT count(*) FROM sqlite_schema WHERE name GLOB '$*'";

const BASE: [&str; 6] = [
    "CREATE TABLE IF NOT EXISTS $cars (
       carId INTEGER PRIMARY KEY, gone INTEGER NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL,
       carName TEXT NOT NULL, carType TEXT NOT NULL, amount INTEGER NOT NULL, status TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS $reservations (
       rsvId INTEGER PRIMARY KEY, rejected INTEGER NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL,
       carId INTEGER NOT NULL, status TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS $reservations_of_car ON $reservations (carId, rsvId) WHERE NOT rejected",
    "CREATE TABLE IF NOT EXISTS $payments (
       payId INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, event TEXT NOT NULL,
       rsvId INTEGER NOT NULL, status TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS $payments_of_reservation ON $payments (rsvId, payId)",
    "CREATE VIEW IF NOT EXISTS $joined AS
       SELECT cars.carId AS carId, carName, carType, amount, cars.status AS carStatus,
         coalesce(reservations.rsvId, 0) AS rsvId, coalesce(reservations.status, '') AS rsvStatus,
         coalesce(payments.payId, 0) AS payId, coalesce(payments.status, '') AS payStatus
       FROM $cars AS cars
       LEFT JOIN $reservations AS reservations ON reservations.rsvId =
         (SELECT max(rsvId) FROM $reservations WHERE carId = cars.carId AND NOT rejected)
       LEFT JOIN $payments AS payments ON payments.payId =
         (SELECT max(payId) FROM $payments WHERE rsvId = reservations.rsvId)
       WHERE NOT gone",
];

/// The car whose row an event of each base table touches, and which columns of it: an UPDATE rewrites every index whose
/// column it names, changed or not.
const TOUCHED: [(&str, &str, &[Column]); 3] = [
    (
        "cars",
        "NEW.carId",
        &[
            Column::CarName,
            Column::CarType,
            Column::Amount,
            Column::CarStatus,
        ],
    ),
    (
        "reservations",
        "NEW.carId",
        &[
            Column::RsvId,
            Column::RsvStatus,
            Column::PayId,
            Column::PayStatus,
        ],
    ),
    (
        "payments",
        "(SELECT carId FROM $reservations WHERE rsvId = NEW.rsvId)",
        &[Column::PayId, Column::PayStatus],
    ),
];

/// Everything that creates a generation, each harmless when it is there already. The last one
/// creates a name, so that a full count of names means that all of them ran.
#[must_use]
pub fn statements() -> Vec<String> {
    let mut statements: Vec<String> = BASE.map(str::to_owned).into();
    statements.push(carviews());
    for column in Column::ALL {
        statements.extend(index(column));
        statements.extend(rank_index::schema(column));
    }
    for (table, car, touched) in TOUCHED {
        let refresh = refresh(car, touched);
        for change in ["INSERT", "UPDATE"] {
            statements.push(format!(
                "CREATE TRIGGER IF NOT EXISTS ${table}_after_{change} AFTER {change} ON ${table} BEGIN {refresh} END"
            ));
        }
    }
    statements.push(
        "CREATE TRIGGER IF NOT EXISTS $cars_gone AFTER UPDATE OF gone ON $cars WHEN NEW.gone BEGIN
           DELETE FROM $carviews WHERE carId = NEW.carId; END"
            .to_owned(),
    );
    statements
}

/// Whether a statement creates a name.
#[must_use]
pub fn creates(statement: &str) -> bool {
    statement.starts_with("CREATE")
}

fn carviews() -> String {
    let column = |column: Column| {
        let kind = match column.column_type() {
            ColumnType::Number => "INTEGER",
            ColumnType::Text => "TEXT",
        };
        match column {
            Column::CarId => format!("{column} {kind} PRIMARY KEY"),
            _ => format!("{column} {kind} NOT NULL"),
        }
    };
    let columns = Column::ALL.map(column).join(", ");
    format!("CREATE TABLE IF NOT EXISTS $carviews ({columns})")
}

/// The order by a column, ties broken by the car's id, which is the rowid and so stands in every
/// index; naming it would only keep SQLite from seeking by both. By the id itself the table is in
/// order.
fn index(column: Column) -> Option<String> {
    let create = || format!("CREATE INDEX IF NOT EXISTS $by_{column} ON $carviews ({column})");
    (column != Column::CarId).then(create)
}

/// Brings one car's row up to what the base tables say.
fn refresh(car: &str, touched: &[Column]) -> String {
    let columns = columns();
    let touched: Vec<String> = touched
        .iter()
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    let touched = touched.join(", ");
    format!(
        "INSERT INTO $carviews ({columns}) SELECT {columns} FROM $joined WHERE carId = {car}
         ON CONFLICT (carId) DO UPDATE SET {touched};"
    )
}
