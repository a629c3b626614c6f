//! The reservations of one car.

use super::*;

fn numbers(ports: &TestPorts<'_>, query: &str) -> (Vec<u64>, u64) {
    let response = send(ports, "GET", &format!("/reservations?{query}"), "", &[]);
    assert_eq!(response.status(), 200, "{query}");
    let page = body(&response);
    let listed = page["_embedded"]["reservations"].as_array().unwrap();
    let numbers = listed.iter().map(|it| it["rsvId"].as_u64().unwrap());
    (
        numbers.collect(),
        page["page"]["totalElements"].as_u64().unwrap(),
    )
}

fn list_of_customer(ports: &TestPorts<'_>, customer: &str, query: &str) -> Response {
    let principal = format!("customer {customer}");
    let headers = [("socar-principal", principal.as_str())];
    send(
        ports,
        "GET",
        &format!("/reservations?{query}"),
        "",
        &headers,
    )
}

fn numbers_of_customer(ports: &TestPorts<'_>, customer: &str, query: &str) -> Vec<u64> {
    let page = body(&list_of_customer(ports, customer, query));
    let listed = page["_embedded"]["reservations"].as_array();
    let listed = listed.unwrap_or_else(|| panic!("{query}: {page}"));
    let numbers = listed.iter().map(|it| it["rsvId"].as_u64().unwrap());
    numbers.collect()
}

#[test]
fn the_reservations_of_a_car_are_listed_whatever_became_of_them() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    for car in [1, 2, 1, 1] {
        let order = format!(r#"{{"carId":{car}}}"#);
        send(&ports, "POST", "/reservations", &order, &[]);
    }
    assert_eq!(numbers(&ports, "carId=1"), (vec![1, 3, 4], 3));
    assert_eq!(
        numbers(&ports, "carId=1&sort=rsvId,desc&size=2"),
        (vec![4, 3], 3)
    );
    assert_eq!(numbers(&ports, "carId=1&size=2&page=1"), (vec![4], 3));
    assert_eq!(numbers(&ports, "carId=2"), (vec![2], 1));
    assert_eq!(numbers(&ports, "carId=9"), (vec![], 0));
}

#[test]
fn a_customer_lists_own_reservations_of_one_car() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    for (customer, car) in [("alice", 1), ("alice", 2), ("bob", 3), ("alice", 4)] {
        let principal = format!("customer {customer}");
        let order = format!(r#"{{"carId":{car}}}"#);
        let headers = [("socar-principal", principal.as_str())];
        send(&ports, "POST", "/reservations", &order, &headers);
    }
    let numbers = |customer, query| numbers_of_customer(&ports, customer, query);
    assert_eq!(numbers("alice", ""), [1, 2, 4]);
    assert_eq!(numbers("alice", "carId=2"), [2]);
    assert_eq!(numbers("alice", "carId=3"), [0; 0]);
    assert_eq!(numbers("bob", "carId=3"), [3]);
}

#[test]
fn a_customer_with_a_long_history_lists_own_reservations_of_one_car() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    for (customer, car) in [("bob", 2), ("alice", 2), ("alice", 3), ("alice", 2)] {
        let principal = format!("customer {customer}");
        let order = format!(r#"{{"carId":{car}}}"#);
        let headers = [("socar-principal", principal.as_str())];
        send(&ports, "POST", "/reservations", &order, &headers);
    }
    let alice = events::CustomerId("alice".into());
    for _ in 0..1000 {
        block_on(ports.reservations().of_customer(&alice).add(9999)).unwrap();
    }
    let numbers = |query| numbers_of_customer(&ports, "alice", query);
    assert_eq!(numbers("carId=2"), [2, 4]);
    assert_eq!(numbers("carId=2&sort=rsvId,desc"), [4, 2]);
    assert_eq!(numbers("carId=2&sort=status,desc&size=1&page=1"), [4]);
    assert_eq!(numbers("carId=9"), [0; 0]);
    assert_eq!(numbers_of_customer(&ports, "bob", "carId=2"), [1]);
}

#[test]
fn a_filter_of_two_long_histories_is_refused_with_what_can_be_done() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    let alice = events::CustomerId("alice".into());
    for number in 1..=1001 {
        block_on(ports.reservations().of_customer(&alice).add(number)).unwrap();
        block_on(ports.reservations().of_car(CarId(2)).add(number)).unwrap();
    }
    for query in ["carId=2", "carId=2&sort=rsvId,desc", "carId=2&sort=status"] {
        let response = list_of_customer(&ports, "alice", query);
        assert_eq!(response.status(), 400, "{query}");
        let problem = body(&response);
        let named: Vec<_> = problem["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| &it["field"])
            .collect();
        assert_eq!(named, ["carId"], "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("without carId"), "{detail}");
    }
}

#[test]
fn a_filter_that_the_list_does_not_have_is_refused() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    for query in [
        "carId=x",
        "carId=",
        "carId=-1",
        "carId=0",
        "carId=%2B1",
        "carId=01",
        "carId=1&carId=2",
        "status=reserved",
        "carId=1&sort=status",
    ] {
        let response = send(&ports, "GET", &format!("/reservations?{query}"), "", &[]);
        assert_eq!(response.status(), 400, "{query}");
    }
}
