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
    let numbers = |customer: &str, query: &str| {
        let principal = format!("customer {customer}");
        let headers = [("socar-principal", principal.as_str())];
        let path = format!("/reservations?{query}");
        let page = body(&send(&ports, "GET", &path, "", &headers));
        let listed = page["_embedded"]["reservations"].as_array().unwrap();
        let numbers = listed.iter().map(|it| it["rsvId"].as_u64().unwrap());
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(numbers("alice", ""), [1, 2, 4]);
    assert_eq!(numbers("alice", "carId=2"), [2]);
    assert_eq!(numbers("alice", "carId=3"), [0; 0]);
    assert_eq!(numbers("bob", "carId=3"), [3]);
}

#[test]
fn a_filter_that_the_list_does_not_have_is_refused() {
    let contexts = FakeContexts::new();
    let ports = contexts.ports();
    for query in [
        "carId=x",
        "carId=",
        "carId=-1",
        "carId=1&carId=2",
        "status=reserved",
        "carId=1&sort=status",
    ] {
        let response = send(&ports, "GET", &format!("/reservations?{query}"), "", &[]);
        assert_eq!(response.status(), 400, "{query}");
    }
}
