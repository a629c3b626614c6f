//! The text index: it finds the cars whose name, type or number contains a text, of one character or more.
//!
//! A *gram* is a part of one to three characters of a car's texts. For each gram and each *block* of sixty car numbers, the
//! index has one row with a bit for each car that has the gram. A frequent gram of 100 000 cars is thereby 1700 rows, and
//! their numbers of cars add up to the total of a search for it. A search for a longer text intersects the rows of several
//! grams and compares the cars that remain.
//!
//! Triggers maintain the rows when a car appears, disappears, or changes its name or type. A reservation changes none of
//! these. A database of a version without the index gets it in batches ([`INDEX_BATCH`]).
//!
//! *Rejected:* the trigram tokenizer of FTS5, which reads every row for texts of one and two characters; a row for each
//! suffix of each text, which takes several times the space and counts a frequent text by reading all of its rows.

use crate::search_text::MAX_GRAM;

/// The number of cars of a block: the bits of a number that is not negative.
pub const BLOCK: u32 = 60;

/// The length of the texts of a car that the index covers. Longer texts do not exist: names and types have up to 200
/// characters.
const MAX_LENGTH: u32 = 512;

/// Inserts the grams of up to 500 cars that the index lacks, and returns a row for each changed row of the index. A car is in
/// the index if the first digit of its number is.
pub const INDEX_BATCH: &str = "
    INSERT INTO $grams (gram, block, cars, bits)
    SELECT DISTINCT substr(text, start, size), carId / 60, 1, 1 << (carId % 60)
    FROM (
      SELECT carId, lower(carName) || char(10) || lower(carType) || char(10) || carId AS text FROM $carviews AS car
      WHERE NOT EXISTS (
        SELECT 1 FROM $grams WHERE gram = substr(car.carId, 1, 1) AND block = car.carId / 60 AND (bits >> (car.carId % 60)) & 1)
      ORDER BY carId LIMIT 500)
    CROSS JOIN $slices ON start <= length(text) AND start + size <= length(text) + 1
    WHERE instr(substr(text, start, size), char(10)) = 0
    ON CONFLICT (gram, block) DO UPDATE SET cars = cars + 1, bits = bits | excluded.bits
    RETURNING 1";

/// The statements that create the index and its triggers.
#[must_use]
pub fn schema() -> Vec<String> {
    let [insert, delete] = [insert("NEW"), delete("OLD")];
    vec![
        "CREATE TABLE IF NOT EXISTS $slices (
           start INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (start, size)) WITHOUT ROWID"
            .to_owned(),
        format!(
            "INSERT OR IGNORE INTO $slices
             WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {MAX_LENGTH})
             SELECT start.n, size.n FROM number AS start JOIN number AS size ON size.n <= {MAX_GRAM}"
        ),
        "CREATE TABLE IF NOT EXISTS $bits (bit INTEGER PRIMARY KEY)".to_owned(),
        format!("INSERT OR IGNORE INTO $bits SELECT DISTINCT start - 1 FROM $slices WHERE start <= {BLOCK}"),
        "CREATE TABLE IF NOT EXISTS $grams (
           gram TEXT NOT NULL, block INTEGER NOT NULL, cars INTEGER NOT NULL, bits INTEGER NOT NULL,
           PRIMARY KEY (gram, block)) WITHOUT ROWID"
            .to_owned(),
        format!("CREATE TRIGGER IF NOT EXISTS $grams_in AFTER INSERT ON $carviews BEGIN {insert} END"),
        format!("CREATE TRIGGER IF NOT EXISTS $grams_out AFTER DELETE ON $carviews BEGIN {delete} END"),
        format!(
            "CREATE TRIGGER IF NOT EXISTS $grams_over AFTER UPDATE OF carName, carType ON $carviews
             WHEN (OLD.carName, OLD.carType) <> (NEW.carName, NEW.carType) BEGIN {delete} {insert} END"
        ),
    ]
}

/// The condition that a row contains the text of a search, which is a parameter.
#[must_use]
pub fn contains(parameter: &str) -> String {
    format!(
        "(instr(lower(carName), {parameter}) OR instr(lower(carType), {parameter}) OR instr(carId, {parameter}))"
    )
}

/// A query for the grams of a row, each with these further columns.
fn grams_of(row: &str, columns: &str) -> String {
    format!(
        "SELECT DISTINCT substr(text, start, size){columns} FROM (
           SELECT lower({row}.carName) || char(10) || lower({row}.carType) || char(10) || {row}.carId AS text)
         CROSS JOIN $slices ON start <= length(text) AND start + size <= length(text) + 1
         WHERE instr(substr(text, start, size), char(10)) = 0"
    )
}

fn insert(row: &str) -> String {
    let columns = format!(", {row}.carId / {BLOCK}, 1, 1 << ({row}.carId % {BLOCK})");
    let grams = grams_of(row, &columns);
    format!(
        "INSERT INTO $grams (gram, block, cars, bits) {grams}
         ON CONFLICT (gram, block) DO UPDATE SET cars = cars + 1, bits = bits | excluded.bits;"
    )
}

fn delete(row: &str) -> String {
    let grams = grams_of(row, "");
    let condition = format!("block = {row}.carId / {BLOCK} AND gram IN ({grams})");
    format!(
        "UPDATE $grams SET cars = cars - 1, bits = bits & ~(1 << ({row}.carId % {BLOCK})) WHERE {condition};
         DELETE FROM $grams WHERE cars = 0 AND {condition};"
    )
}
