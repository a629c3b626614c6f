//! Two instances of the component, each with a store of its own, on one database.

use super::*;
use crate::{fixtures::*, list_query::ListQuery, memory::MemoryDatabase};
use futures::executor::block_on;
use std::cell::Cell;

/// Counts the statements.
struct Counted {
    database: MemoryDatabase,
    statements: Cell<usize>,
}

impl Database for Counted {
    async fn run(
        &self,
        statement: &str,
        parameters: &[SqlValue],
    ) -> Result<Vec<Vec<SqlValue>>, DatabaseError> {
        self.statements.set(self.statements.get() + 1);
        self.database.run(statement, parameters).await
    }
}

fn database() -> Counted {
    Counted {
        database: MemoryDatabase::new().unwrap(),
        statements: Cell::default(),
    }
}

fn store(database: &Counted) -> ReadModelStore<&Counted> {
    block_on(ReadModelStore::open(database)).unwrap()
}

fn project(store: &ReadModelStore<&Counted>, event: &CloudEvent) -> usize {
    let before = store.database.statements.get();
    block_on(store.project(event)).unwrap();
    store.database.statements.get() - before
}

fn names(store: &ReadModelStore<&Counted>) -> Vec<String> {
    let all = ListQuery {
        size: 1000,
        ..ListQuery::default()
    };
    let page = block_on(async { store.active().await.unwrap().list(&all).await.unwrap() });
    page.rows.into_iter().map(|row| row.car_name).collect()
}

#[test]
fn an_event_is_one_statement_while_no_rebuild_is_under_way() {
    let database = database();
    let store = store(&database);
    project(&store, &car_registered(1, 1, "Kia"));
    assert_eq!(project(&store, &car_registered(2, 1, "Ray")), 1);
    assert_eq!(project(&store, &car_modified(1, 2, "EV6")), 1);
    assert_eq!(names(&store), ["EV6", "Ray"]);
    project(&store, &car_registered(1, 1, "Kia"));
    assert_eq!(names(&store), ["EV6", "Ray"]);
}

#[test]
fn every_kind_of_event_is_one_statement_and_its_charge_another() {
    let database = database();
    let store = store(&database);
    project(&store, &car_registered(1, 1, "Kia"));
    for (event, statements) in [
        (reservation(1, 1, 1, "reqReserve"), 1),
        (payment(1, 1, 1, 1, "paid"), 2),
        (reservation(1, 2, 1, "reserved"), 1),
        (payment(1, 2, 1, 1, "cancelled"), 2),
        (car_deleted(1, 2), 1),
    ] {
        assert_eq!(project(&store, &event), statements, "{}", event.id);
    }
}

#[test]
fn an_instance_that_did_not_see_a_rebuild_begin_projects_into_both_generations() {
    let database = database();
    let (rebuilding, other) = (store(&database), store(&database));
    project(&other, &car_registered(1, 1, "Kia"));
    block_on(rebuilding.begin_rebuild()).unwrap();
    project(&other, &car_registered(2, 1, "Ray"));
    assert_eq!(names(&rebuilding), ["Kia", "Ray"]);
    block_on(rebuilding.activate()).unwrap();
    assert_eq!(names(&rebuilding), ["Ray"]);
}

#[test]
fn an_instance_that_did_not_see_a_switch_projects_into_the_active_generation() {
    let database = database();
    let (rebuilding, other) = (store(&database), store(&database));
    project(&other, &car_registered(1, 1, "Kia"));
    block_on(async {
        rebuilding.begin_rebuild().await.unwrap();
        rebuilding.activate().await.unwrap();
        rebuilding.drop_unused().await.unwrap();
    });
    project(&other, &car_registered(2, 1, "Ray"));
    assert_eq!(names(&other), ["Ray"]);
}
