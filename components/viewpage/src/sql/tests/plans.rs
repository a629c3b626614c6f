//! Every order and every filter uses an index.

use super::*;
use crate::sql::list;

fn plan(model: &MemoryModel, listing: &ListQuery) -> String {
    let (text, parameters) = list::statement(listing);
    let rows = sql(model, &format!("EXPLAIN QUERY PLAN {text}"), &parameters);
    let detail = |row: &Vec<SqlValue>| match &row[3] {
        SqlValue::Text(detail) => detail.clone(),
        other => panic!("{other:?}"),
    };
    rows.iter().map(detail).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_order_uses_an_index() {
    let model = model();
    for column in Column::ALL {
        for order in [ascending(column), descending(column)] {
            let plan = plan(&model, &page(order, 400));
            let index = match column {
                Column::CarId => {
                    "SEARCH g1_carviews USING INTEGER PRIMARY KEY (rowid>?)".to_owned()
                }
                _ => format!(
                    "SEARCH g1_carviews USING INDEX g1_by_{column} (({column},rowid)>(?,?))"
                ),
            };
            assert!(plan.contains(&index), "{column}: {plan}");
            assert!(!plan.contains("SCAN g1_carviews"), "{column}: {plan}");
        }
    }
}

#[test]
fn the_first_pages_are_read_along_their_order() {
    let model = model();
    for column in Column::ALL {
        for order in [ascending(column), descending(column)] {
            let plan = plan(&model, &page(order, 40));
            let rows = match column {
                Column::CarId => "SCAN g1_carviews".to_owned(),
                _ => format!("SCAN g1_carviews USING INDEX g1_by_{column}"),
            };
            assert!(plan.contains(&rows), "{column}: {plan}");
            assert!(!plan.contains("buckets"), "{column}: {plan}");
        }
    }
}

#[test]
fn every_filter_uses_an_index() {
    let model = model();
    for column in Column::ALL {
        let value = column.parse("1").unwrap();
        let listing = ListQuery {
            filters: vec![(column, value)],
            size: 20,
            ..ListQuery::default()
        };
        let text = plan(&model, &listing);
        assert!(!text.contains("SCAN g1_carviews"), "{column}: {text}");
        let one = sql(
            &model,
            &format!("EXPLAIN QUERY PLAN {}", list::one(column)),
            &[1_i64.into()],
        );
        assert!(format!("{one:?}").contains("SEARCH"), "{column}: {one:?}");
    }
}
