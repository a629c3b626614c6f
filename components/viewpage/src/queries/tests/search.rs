//! Searches by text, compared with the same searches over all rows in memory.

use super::*;
use crate::search_text::SearchText;

fn search(text: &str) -> Option<SearchText> {
    SearchText::parse(text)
}

/// Whether a row contains a text, in other words than the statement.
pub(super) fn contains(view: &CarView, text: &str) -> bool {
    let wanted = kit::text::normalized(text.trim()).to_ascii_lowercase();
    let texts = [&view.car_name, &view.car_type, &view.car_id.to_string()];
    texts
        .iter()
        .any(|text| text.to_ascii_lowercase().contains(&wanted))
}

/// Names with common beginnings, middles and ends, in two scripts.
fn fleet(cars: u64) -> MemoryModel {
    let model = model();
    let names = [
        "Mercedes-Benz EQS",
        "쏘나타 디 엣지",
        "EV6",
        "Kia EV9",
        "ananas",
        "기아 모닝",
        "a",
    ];
    for id in 1..=cars {
        let mut car = car_registered(id, 1, names[id as usize % names.len()]);
        if let events::Event::CarRegistered(car) = &mut car.event {
            car.amount = id % 5;
            car.car_type = ["EV", "SUV", "전기차", "", "밴"][id as usize % 5].into();
        }
        project(&model, &car);
        if id % 3 == 0 {
            project(&model, &reservation(1000 + id, 1, id, "reserved"));
        }
    }
    model
}

const TEXTS: [&str; 24] = [
    "e",
    "E",
    "ev",
    "EV9",
    "1",
    "12",
    "123",
    "7",
    "anan",
    "nanas",
    "ananas",
    "benz eq",
    "기",
    "기아",
    "아 모닝",
    "전기차",
    "나타 디 엣지",
    "-",
    "%",
    "_",
    "a",
    "no such car",
    "v\ne",
    " ev\n",
];

#[test]
fn searches_find_every_car_that_contains_the_text_and_no_other() {
    let model = fleet(700);
    let all = rows(&model);
    let filters = [
        vec![],
        vec![(Column::CarType, "SUV".into())],
        vec![
            (Column::RsvStatus, "reserved".into()),
            (Column::Amount, 2_i64.into()),
        ],
        vec![(Column::CarId, 13_i64.into())],
    ];
    for text in TEXTS {
        for filters in &filters {
            for order in [
                vec![],
                vec![descending(Column::CarName)],
                vec![ascending(Column::RsvId)],
            ] {
                let query = ListQuery {
                    filters: filters.clone(),
                    search: search(text),
                    order,
                    ..ListQuery::default()
                };
                let mut expected = expected(&all, &query);
                expected.retain(|view| contains(view, text));
                for offset in [0, 7, 300] {
                    let query = ListQuery {
                        offset,
                        size: 40,
                        ..query.clone()
                    };
                    let page = block_on(model.list(&query)).unwrap();
                    assert_eq!(page.total, expected.len() as u64, "{query:?}");
                    let expected = expected.iter().skip(offset as usize).take(40);
                    assert!(page.rows.iter().eq(expected), "{query:?}");
                }
            }
        }
    }
}

#[test]
fn a_search_finds_a_car_by_its_present_name_only() {
    let model = model();
    let found = |text: &str| {
        let query = ListQuery {
            search: search(text),
            size: 20,
            ..ListQuery::default()
        };
        let page = block_on(model.list(&query)).unwrap();
        assert_eq!(page.total, page.rows.len() as u64);
        page.rows.iter().map(|row| row.car_id.0).collect::<Vec<_>>()
    };
    // The reservation of a car can arrive before its registration.
    project(&model, &car_reserved(61, 2, "Kia Ray", 7));
    project(&model, &car_registered(61, 1, "Kia"));
    project(&model, &car_registered(1, 1, "Kia Ray"));
    assert_eq!(found("ray"), [1, 61]);
    project(&model, &car_modified(61, 3, "Kia Morning"));
    assert_eq!(found("ray"), [1]);
    assert_eq!(found("MORN"), [61]);
    assert_eq!(found("6"), [61]);
    project(&model, &car_deleted(61, 4));
    project(&model, &car_modified(61, 5, "Kia Ray"));
    assert_eq!(found("kia"), [1]);
    project(&model, &car_deleted(1, 2));
    assert_eq!(sql(&model, "SELECT * FROM $grams", &[]), [[]; 0]);
}

#[test]
fn a_customer_searches_among_what_is_visible() {
    let model = fleet(30);
    let query = ListQuery {
        filters: vec![(Column::RsvStatus, "".into())],
        search: search("ev"),
        size: 100,
        ..ListQuery::default()
    };
    let customer = Principal::Customer(events::CustomerId("alice".into()));
    let page = block_on(model.visible_list(&query, &customer)).unwrap();
    let expected = rows(&model)
        .iter()
        .filter(|row| contains(row, "ev"))
        .count();
    assert_eq!(page.rows.len(), expected);
    assert_eq!(page.total, expected as u64);
}

#[test]
fn the_tables_of_a_version_without_the_index_get_it() {
    let model = fleet(1200);
    for name in ["_in", "_out", "_over"] {
        sql(&model, &format!("DROP TRIGGER $grams{name}"), &[]);
    }
    for table in ["grams", "slices", "bits"] {
        sql(&model, &format!("DROP TABLE ${table}"), &[]);
    }
    sql(&model, "DELETE FROM $carviews WHERE carId = 3", &[]);
    let reopened = block_on(ReadModel::open(model.database(), model.generation)).unwrap();
    let query = ListQuery {
        search: search("benz"),
        size: 1,
        ..ListQuery::default()
    };
    let page = block_on(reopened.list(&query)).unwrap();
    let expected = rows(&model)
        .iter()
        .filter(|row| contains(row, "benz"))
        .count();
    assert_eq!(page.total, expected as u64);
}
