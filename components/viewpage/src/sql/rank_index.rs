//! Finding row number 50 000 without stepping over the 49 999 before it.
//!
//! An index finds a *value* in no time, but a page is asked for by its *number*, and SQLite's OFFSET
//! walks. So each order of the rows is cut into shelves of about a thousand neighbours; a shelf
//! remembers where it begins and how many rows it holds. Adding up some hundred shelves and walking
//! along one of them finds any row, and counts any value, of 100 000 as fast as of 1 000.
//!
//! Triggers keep the counts: a row that comes or goes is counted on its shelf, a full shelf is cut in
//! two, a sparse one is merged into its neighbour. The first shelf of an order begins before every row, so
//! that each row has one.
//!
//! *Rejected:* plain OFFSET and `count(*)`, which took 5 to 10 ms at 100 000 rows where this takes
//! 0.2; cursors instead of page numbers, which existing clients do not know.

use crate::{Column, column::ColumnType};

/// The most rows of a shelf.
pub const MAX_BUCKET_ROWS: u32 = 1024;
/// What a full shelf keeps when it is cut.
const SPLIT_BUCKET_ROWS: u32 = MAX_BUCKET_ROWS / 2;
/// Fewer rows than this are no shelf of their own.
pub const MIN_BUCKET_ROWS: u32 = 128;

/// The shelf on which a row with this value and id stands. A unary plus on the names that stand for
/// `value` and `id` lets SQLite seek by both: it takes away the type that would stop it.
#[must_use]
pub fn bucket_of(column: Column, value: &str, id: &str) -> String {
    format!(
        "SELECT low, +lowId FROM $shelves_{column} WHERE (low, lowId) <= ({value}, {id})
         ORDER BY low DESC, lowId DESC LIMIT 1"
    )
}

/// Everything that keeps the shelves of one order.
#[must_use]
pub fn schema(column: Column) -> Vec<String> {
    let (kind, least) = match column.column_type() {
        ColumnType::Number => ("INTEGER", "0"),
        ColumnType::Text => ("TEXT", "''"),
    };
    let mut statements = vec![
        format!(
            "CREATE TABLE IF NOT EXISTS $shelves_{column} (
               low {kind} NOT NULL, lowId INTEGER NOT NULL, held INTEGER NOT NULL,
               PRIMARY KEY (low, lowId)) WITHOUT ROWID"
        ),
        format!("INSERT OR IGNORE INTO $shelves_{column} VALUES ({least}, 0, 0)"),
        cut(column),
        merge(column),
    ];
    statements.extend(count(column));
    statements
}

fn count(column: Column) -> Vec<String> {
    let update = |change: &str, row: &str| {
        let shelf = bucket_of(
            column,
            &format!("+{row}.{column}"),
            &format!("+{row}.carId"),
        );
        format!("UPDATE $shelves_{column} SET held = held {change} WHERE (low, lowId) = ({shelf});")
    };
    let (into, out_of) = (update("+ 1", "NEW"), update("- 1", "OLD"));
    let mut triggers = vec![
        format!(
            "CREATE TRIGGER IF NOT EXISTS $shelve_{column}_in AFTER INSERT ON $carviews BEGIN {into} END"
        ),
        format!(
            "CREATE TRIGGER IF NOT EXISTS $shelve_{column}_out AFTER DELETE ON $carviews BEGIN {out_of} END"
        ),
    ];
    if column != Column::CarId {
        triggers.push(format!(
            "CREATE TRIGGER IF NOT EXISTS $shelve_{column}_over AFTER UPDATE OF {column} ON $carviews
             WHEN OLD.{column} <> NEW.{column} BEGIN {out_of} {into} END"
        ));
    }
    triggers
}

fn cut(column: Column) -> String {
    format!(
        "CREATE TRIGGER IF NOT EXISTS $cut_{column} AFTER UPDATE OF held ON $shelves_{column} WHEN NEW.held > {MAX_BUCKET_ROWS} BEGIN
           INSERT INTO $shelves_{column} SELECT {column}, carId, NEW.held - {SPLIT_BUCKET_ROWS} FROM $carviews
             WHERE ({column}, carId) >= (+NEW.low, +NEW.lowId) ORDER BY {column}, carId LIMIT 1 OFFSET {SPLIT_BUCKET_ROWS};
           UPDATE $shelves_{column} SET held = {SPLIT_BUCKET_ROWS} WHERE (low, lowId) = (NEW.low, NEW.lowId);
         END"
    )
}

fn merge(column: Column) -> String {
    let before = bucket_of(column, "+NEW.low", "+NEW.lowId");
    format!(
        "CREATE TRIGGER IF NOT EXISTS $merge_{column} AFTER UPDATE OF held ON $shelves_{column}
         WHEN NEW.held < {MIN_BUCKET_ROWS} AND NEW.lowId > 0 BEGIN
           DELETE FROM $shelves_{column} WHERE (low, lowId) = (NEW.low, NEW.lowId);
           UPDATE $shelves_{column} SET held = held + NEW.held WHERE (low, lowId) = ({before});
         END"
    )
}
