//! The rank index counts its rows correctly.

use super::*;
use crate::sql::rank_index::{MAX_BUCKET_ROWS, MIN_BUCKET_ROWS};

/// The stored and the actual number of rows of each bucket of a column.
fn buckets_of(model: &MemoryModel, column: Column) -> Vec<(i64, i64)> {
    let text = format!(
        "SELECT held, (SELECT count(*) FROM $carviews
           WHERE ({column}, carId) >= (bucket.low, bucket.lowId) AND (bucket.next IS NULL
             OR ({column}, carId) < (bucket.next, bucket.nextId)))
         FROM (SELECT *, lead(low) OVER (ORDER BY low, lowId) AS next, lead(lowId) OVER (ORDER BY low, lowId) AS nextId
           FROM $shelves_{column}) AS bucket ORDER BY low, lowId"
    );
    let number = |value: &SqlValue| match value {
        SqlValue::Number(number) => *number,
        other => panic!("{other:?}"),
    };
    let rows = sql(model, &text, &[]);
    rows.iter()
        .map(|row| (number(&row[0]), number(&row[1])))
        .collect()
}

fn check_buckets(model: &MemoryModel) -> usize {
    let mut most = 0;
    for column in Column::ALL {
        let buckets = buckets_of(model, column);
        for (index, (stored, actual)) in buckets.iter().enumerate() {
            assert_eq!(stored, actual, "bucket {index} of {column}");
            assert!(
                *stored <= i64::from(MAX_BUCKET_ROWS),
                "{column}: {buckets:?}"
            );
            assert!(
                index == 0 || *stored >= i64::from(MIN_BUCKET_ROWS),
                "{column}: {buckets:?}"
            );
        }
        most = most.max(buckets.len());
    }
    most
}

#[test]
fn buckets_count_their_rows_while_rows_are_inserted_updated_and_deleted() {
    let model = model();
    fill(&model, 6000);
    assert!(check_buckets(&model) > 5);
    sql(
        &model,
        "UPDATE $carviews SET carStatus = 'reserved', rsvId = rsvId + 9000 WHERE carId % 3 = 0",
        &[],
    );
    check_buckets(&model);
    sql(
        &model,
        "UPDATE $carviews SET amount = 7, carName = 'same' WHERE carId > 100",
        &[],
    );
    check_buckets(&model);
    sql(
        &model,
        "UPDATE $carviews SET amount = carId, carName = 'Car ' || carId",
        &[],
    );
    check_buckets(&model);
    sql(&model, "DELETE FROM $carviews WHERE carId % 10 > 0", &[]);
    check_buckets(&model);
    sql(&model, "DELETE FROM $carviews", &[]);
    assert_eq!(check_buckets(&model), 1);
}
