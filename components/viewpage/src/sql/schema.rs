//! The tables: the state that the events carry (`cars`, `reservations`, `payments`), its join (`joined`), and the joined
//! rows (`carviews`), which triggers keep up to date.
//!
//! Triggers rather than a second statement: a crash cannot separate an update from its effect on the view.

use super::{charges, customer_cars, rank_index, text_index};
use crate::column::{Column, ColumnType};

/// Counts the names of this generation that exist.
pub const COUNT_NAMES: &str = "SELECT count(*) FROM sqlite_schema WHERE name GLOB '$*'";

const BASE: [&str; 7] = [
    "CREATE TABLE IF NOT EXISTS $cars (
       carId INTEGER PRIMARY KEY, gone INTEGER NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL,
       carName TEXT NOT NULL, carType TEXT NOT NULL, amount INTEGER NOT NULL, status TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS $reservations (
       rsvId INTEGER PRIMARY KEY, rejected INTEGER NOT NULL, sequence INTEGER NOT NULL, event TEXT NOT NULL,
       carId INTEGER NOT NULL, status TEXT NOT NULL)",
    "CREATE INDEX IF NOT EXISTS $reservations_of_car ON $reservations (carId, rsvId) WHERE NOT rejected",
    // A table of its own: an owner never changes, and tables of an older version get it too.
    "CREATE TABLE IF NOT EXISTS $owners (rsvId INTEGER PRIMARY KEY, customerId TEXT NOT NULL)",
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

/// Per base table: the car whose row an update affects, and the affected columns of that row. An UPDATE rewrites the index
/// of every column that it names, changed or not, so it names no others.
const AFFECTED: [(&str, &str, &[Column]); 3] = [
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

/// The statements that create a generation. Each is a no-op when its name exists. The last one creates a name that no older
/// version has, so a complete count of names means that all of them ran, and the [`COMPLETION`] too.
#[must_use]
pub fn statements() -> Vec<String> {
    let mut statements: Vec<String> = BASE.map(str::to_owned).into();
    statements.push(carviews());
    for column in Column::ALL {
        statements.extend(index(column));
        statements.extend(rank_index::schema(column));
    }
    statements.extend(text_index::schema());
    statements.extend(charges::SCHEMA.map(str::to_owned));
    statements.extend(customer_cars::SCHEMA.map(str::to_owned));
    for (table, car, affected) in AFFECTED {
        let refresh = refresh(car, affected);
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
    statements.push(customer_cars::INDEX.to_owned());
    statements
}

/// The statement that fills in what the tables of an older version lack, a part at a time, until it returns no row. It runs
/// before the last of [`statements`].
pub const COMPLETION: &str = text_index::INDEX_BATCH;

/// Whether a statement of [`statements`] creates a name.
#[must_use]
pub fn creates(statement: &str) -> bool {
    statement.starts_with("CREATE")
}

fn carviews() -> String {
    let column = |column: Column| {
        let sql_type = match column.column_type() {
            ColumnType::Number => "INTEGER",
            ColumnType::Text => "TEXT",
        };
        match column {
            Column::CarId => format!("{column} {sql_type} PRIMARY KEY"),
            _ => format!("{column} {sql_type} NOT NULL"),
        }
    };
    let columns = Column::ALL.map(column).join(", ");
    format!("CREATE TABLE IF NOT EXISTS $carviews ({columns})")
}

/// The index of the order by a column, with ties broken by the car's id. The id is the rowid and thereby part of every
/// index; naming it would keep SQLite from seeking by both. The table itself is in the order of the id.
fn index(column: Column) -> Option<String> {
    let create = || format!("CREATE INDEX IF NOT EXISTS $by_{column} ON $carviews ({column})");
    (column != Column::CarId).then(create)
}

/// The statement that updates the affected columns of one car's row from the base tables.
fn refresh(car: &str, affected: &[Column]) -> String {
    let columns = Column::select_list();
    let affected: Vec<String> = affected
        .iter()
        .map(|name| format!("{name} = excluded.{name}"))
        .collect();
    let affected = affected.join(", ");
    format!(
        "INSERT INTO $carviews ({columns}) SELECT {columns} FROM $joined WHERE carId = {car}
         ON CONFLICT (carId) DO UPDATE SET {affected};"
    )
}
