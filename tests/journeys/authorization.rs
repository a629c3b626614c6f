//! May each role do exactly what the table in `docs/src/authorization.md` says? Every cell is tried, with what is the
//! caller's own and with what belongs to another.

use std::collections::BTreeMap;

use harness::{Mode, Platform, Response, Setup, TokenIssuer, eventually, read};
use http::Method;
use serde_json::{Value, json};

/// A row of the table.
struct Rule {
    method: Method,
    path: String,
    /// The expected results by column: `customer, own` and so on.
    cells: BTreeMap<String, String>,
}

const COLUMNS: [&str; 4] = [
    "customer, own",
    "customer, of another",
    "company, own",
    "company, of a customer",
];

/// The users of the platform.
struct Users {
    platform: Platform,
    alice: Platform,
    bob: Platform,
    company: Platform,
    operator: Platform,
}

/// One reservation with everything around it.
#[derive(Clone, Debug)]
struct Booked {
    car: u64,
    reservation: u64,
    payment: u64,
    message: u64,
}

// === impl Users ===

impl Users {
    fn of(platform: Platform) -> Self {
        Self::new(platform, Platform::signed_in)
    }

    /// Users with tokens of an issuer.
    fn of_issuer(platform: Platform, issuer: &TokenIssuer) -> Self {
        Self::new(platform, |platform, role, subject| {
            platform.with_token(&issuer.token(role, subject))
        })
    }

    fn new(platform: Platform, user: impl Fn(&Platform, &str, &str) -> Platform) -> Self {
        Self {
            alice: user(&platform, "customer", "alice"),
            bob: user(&platform, "customer", "bob"),
            company: user(&platform, "host", "company"),
            operator: user(&platform, "operator", "olga"),
            platform,
        }
    }

    /// A car, and its confirmed reservation of this user.
    fn booked(&self, user: &Platform) -> Booked {
        let car = self.company.register_car("authorization");
        let reservation = user.reserve(&car);
        booked(&self.company, car.id, reservation.id)
    }
}

/// What belongs to a reservation, once all of it exists.
fn booked(company: &Platform, car: u64, reservation: u64) -> Booked {
    let row = eventually(
        || company.get(&format!("/carviews/{car}")).send().json(),
        |row| row["payStatus"] == "paid" && row["rsvStatus"] == "reserved",
    );
    let about = |message: &Value| message["rsvId"] == reservation;
    let messages = eventually(|| company.list("/messages", about), |it| !it.is_empty());
    Booked {
        car,
        reservation,
        payment: row["payId"].as_u64().expect("a payment"),
        message: messages[0]["msgId"].as_u64().expect("a message"),
    }
}

fn platform(mode: Mode) -> Setup {
    Setup::new(mode).argument("--identity").argument("local")
}

/// The rows of the table.
fn rules() -> Vec<Rule> {
    let page = read("docs/src/authorization.md");
    let mut lines = page
        .lines()
        .skip_while(|line| !line.starts_with("| Operation |"));
    let cells = |line: &str| -> Vec<String> {
        let cells = line.trim_matches('|').split('|');
        cells
            .map(|cell| cell.trim().trim_matches('`').to_owned())
            .collect()
    };
    let header = cells(lines.next().expect("a table"));
    assert_eq!(header[2..], COLUMNS);
    let rows = lines.skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|line| {
        let cells = cells(line);
        let (method, path) = cells[1].split_once(' ').expect("a request");
        Rule {
            method: method.parse().expect("a method"),
            path: path.to_owned(),
            cells: header[2..]
                .iter()
                .cloned()
                .zip(cells[2..].to_vec())
                .collect(),
        }
    })
    .collect()
}

/// Sends the request of a rule.
fn attempt(rule: &Rule, user: &Platform, booked: &Booked) -> Response {
    let is_list = !rule.path.contains(['{', '?']) && !rule.path.ends_with("/summary");
    let path = match is_list && rule.method == Method::GET {
        true => format!("{}?size=1000", rule.path),
        false => rule.path.clone(),
    };
    let path = path.replace("{car}", &booked.car.to_string());
    let path = path.replace("{reservation}", &booked.reservation.to_string());
    let path = path.replace("{payment}", &booked.payment.to_string());
    let path = path.replace("{message}", &booked.message.to_string());
    let request = user.request(rule.method.clone(), &path);
    match (rule.method.as_str(), path.split('/').nth(1)) {
        ("POST" | "PUT" | "PATCH", Some("cars")) => request
            .json(&json!({"carName": "authorization", "amount": 1}))
            .send(),
        ("POST", _) => request.json(&json!({"carId": booked.car})).send(),
        ("PATCH", _) => request.json(&json!({"status": "reqCancel"})).send(),
        _ => request.send(),
    }
}

/// Checks one cell.
fn check(rule: &Rule, column: &str, response: &Response, booked: &Booked) {
    let expected = rule.cells[column].as_str();
    let what = format!("{} {} as {column}", rule.method, rule.path);
    match expected {
        "403" => drop(response.problem(403, "forbidden")),
        "404" => drop(response.problem(404, "not-found")),
        // What the role allows may still be refused for the state of the aggregate: a booked car stays.
        "yes" => assert!(
            matches!(response.status, 200 | 201 | 204 | 409),
            "{what}: {response}"
        ),
        "own" | "all" => {
            assert_eq!(response.status, 200, "{what}: {response}");
            let is_listed = lists(&response.json(), booked.reservation);
            assert_eq!(
                is_listed,
                expected == "all" || column.ends_with("own"),
                "{what}: {response}"
            );
        }
        other => panic!("{what}: `{other}` is no result"),
    }
}

/// Whether a page lists something of this reservation.
fn lists(page: &Value, reservation: u64) -> bool {
    let embedded = page["_embedded"].as_object().expect("a page");
    let mut rows = embedded
        .values()
        .flat_map(|rows| rows.as_array().into_iter().flatten());
    rows.any(|row| row["rsvId"] == reservation)
}

#[test]
fn each_role_may_do_what_the_table_says() {
    each_cell_holds(|setup| {
        let setup = setup.argument("--identity").argument("local");
        Users::of(setup.start())
    });
}

/// As on stock Spin: the host is open, and each context verifies the tokens of its requests.
#[test]
fn each_role_may_do_the_same_where_the_components_verify_tokens() {
    let issuer = TokenIssuer::start();
    each_cell_holds(|setup| {
        let setup = setup.verified_by_components(&issuer.url(), &issuer.public_keys());
        Users::of_issuer(setup.start(), &issuer)
    });
}

/// Tries every cell of the table on a platform with identity that `start` starts.
fn each_cell_holds(start: impl FnOnce(Setup) -> Users) {
    let rules = rules();
    assert!(rules.len() >= 20, "{} rows", rules.len());
    // Before there was identity, everything belonged to the company.
    let open = Setup::new(Mode::Embedded).start();
    let of_company: Vec<_> = (0..2 * rules.len())
        .map(|_| {
            let car = open.register_car("authorization");
            let reservation = open.reserve(&car);
            (car.id, reservation.id)
        })
        .collect();
    let state = open.state();
    assert!(open.terminate().success());
    // The table needs more reservations of one customer than a customer has at a time.
    let setup = Setup::new(Mode::Embedded).variable("reservation_limit", "1000");
    let users = start(setup.in_state_dir(&state));
    let mut of_company = of_company.into_iter();
    let mut own = || {
        let (car, reservation) = of_company.next().expect("a reservation of the company");
        booked(&users.company, car, reservation)
    };
    for rule in &rules {
        let unknown = attempt(
            rule,
            &users.platform,
            &Booked {
                car: 1,
                reservation: 1,
                payment: 1,
                message: 1,
            },
        );
        unknown.problem(401, "token-required");
        let mut cases = vec![
            ("customer, own", &users.alice, users.booked(&users.alice)),
            (
                "customer, of another",
                &users.alice,
                users.booked(&users.bob),
            ),
        ];
        for company in [&users.company, &users.operator] {
            cases.push(("company, own", company, own()));
            cases.push(("company, of a customer", company, users.booked(&users.bob)));
        }
        for (column, user, booked) in cases {
            check(rule, column, &attempt(rule, user, &booked), &booked);
        }
    }
}

#[test]
fn what_belongs_to_a_customer_says_so_to_those_who_may_see_it() {
    let users = Users::of(platform(Mode::Embedded).start());
    let booked = users.booked(&users.alice);
    let paths = [
        format!("/reservations/{}", booked.reservation),
        format!("/payments/{}", booked.payment),
        format!("/messages/{}", booked.message),
        format!("/carviews/{}", booked.car),
    ];
    for path in &paths {
        for user in [&users.alice, &users.company, &users.operator] {
            assert_eq!(user.get_json(path)["customerId"], "alice", "{path}");
        }
    }
    // To another customer, the car is reserved by no one in particular.
    let row = users.bob.get_json(&paths[3]);
    assert_eq!(row["carStatus"], "reserved", "{row:#}");
    for hidden in ["rsvId", "rsvStatus", "payId", "payStatus", "customerId"] {
        assert_eq!(row[hidden], Value::Null, "{hidden}: {row:#}");
    }
    // Filters and orders reveal nothing either.
    let total = |user: &Platform, query: &str| {
        user.get_json(&format!("/carviews?{query}"))["page"]["totalElements"].clone()
    };
    for query in [
        format!("rsvId={}", booked.reservation),
        format!("payId={}", booked.payment),
        "rsvStatus=reserved".to_owned(),
        "payStatus=paid&carStatus=reserved".to_owned(),
    ] {
        assert_eq!(total(&users.alice, &query), 1, "{query}");
        assert_eq!(total(&users.company, &query), 1, "{query}");
        assert_eq!(total(&users.bob, &query), 0, "{query}");
    }
    assert_eq!(total(&users.bob, "rsvId=&sort=rsvStatus,desc"), 1);
    // The events carry the customer, for other consumers of the log.
    let events = users
        .alice
        .get_json(&format!("/reservations/{}/timeline", booked.reservation));
    assert_eq!(events["status"], "reserved");
}

#[test]
fn an_open_platform_shows_no_customers() {
    let users = Users::of(platform(Mode::Embedded).start());
    let booked = users.booked(&users.alice);
    let state = users.platform.state();
    assert!(users.platform.terminate().success());
    let open = Setup::new(Mode::Embedded).in_state_dir(&state).start();
    for path in [
        format!("/reservations/{}", booked.reservation),
        format!("/payments/{}", booked.payment),
        format!("/messages/{}", booked.message),
        format!("/carviews/{}", booked.car),
    ] {
        let found = open.get_json(&path);
        assert!(found.get("customerId").is_none(), "{found:#}");
    }
}

#[test]
fn a_key_of_one_customer_is_no_key_of_another() {
    let users = Users::of(platform(Mode::Embedded).start());
    let reserve = |user: &Platform, car: u64| {
        let request = user
            .post("/reservations")
            .header("idempotency-key", "\"same\"");
        request.json(&json!({"carId": car})).send()
    };
    let (first, second) = (
        users.company.register_car("first"),
        users.company.register_car("second"),
    );
    let of_alice = reserve(&users.alice, first.id).is(201).json();
    let of_bob = reserve(&users.bob, second.id).is(201).json();
    assert_ne!(of_alice["rsvId"], of_bob["rsvId"]);
    let again = reserve(&users.alice, first.id).is(201).json();
    assert_eq!(again, of_alice);
    reserve(&users.bob, first.id).problem(422, "idempotency-key-reuse");
}

/// Two customers act at random, and a model says what each of them sees.
#[test]
fn no_customer_changes_or_sees_what_belongs_to_another() {
    let users = Users::of(platform(Mode::Embedded).start());
    let cars: Vec<_> = (0..4)
        .map(|_| users.company.register_car("random"))
        .collect();
    let customers = [&users.alice, &users.bob];
    // The number of each reservation, and whether its owner has cancelled it.
    let mut owned: [BTreeMap<u64, bool>; 2] = Default::default();
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..120 {
        let who = random.usize(..2);
        let other = 1 - who;
        let known: Vec<u64> = owned.iter().flat_map(BTreeMap::keys).copied().collect();
        let any = known.get(random.usize(..known.len().max(1))).copied();
        match (random.u8(..5), any) {
            (0, _) | (_, None) => {
                let reserved = customers[who].try_reserve(&cars[random.usize(..cars.len())]);
                if let Some(id) = reserved.json()["rsvId"].as_u64() {
                    owned[who].insert(id, false);
                }
            }
            (1, Some(id)) => {
                let cancelled = customers[who].patch(&format!("/reservations/{id}"));
                let cancelled = cancelled.json(&json!({"status": "reqCancel"})).send();
                match owned[who].get_mut(&id) {
                    Some(is_cancelled) => *is_cancelled |= cancelled.status == 200,
                    None => drop(cancelled.problem(404, "not-found")),
                }
            }
            (2, Some(id)) => {
                let deleted = customers[who].delete(&format!("/reservations/{id}")).send();
                match owned[who].get_mut(&id) {
                    Some(is_cancelled) => *is_cancelled |= deleted.status == 200,
                    None => drop(deleted.problem(404, "not-found")),
                }
            }
            (3, Some(id)) => {
                let seen = customers[who].get(&format!("/reservations/{id}")).send();
                let expected = if owned[who].contains_key(&id) {
                    200
                } else {
                    404
                };
                assert_eq!(seen.status, expected, "{seen}");
            }
            (_, Some(_)) => {
                let sort = ["rsvId", "rsvId,desc", "carId", "status,desc"][random.usize(..4)];
                let page = customers[who].get_json(&format!("/reservations?size=1000&sort={sort}"));
                let rows = page["_embedded"]["reservations"].as_array().expect("rows");
                let listed: Vec<u64> = rows
                    .iter()
                    .filter_map(|row| row["rsvId"].as_u64())
                    .collect();
                let mut sorted = listed.clone();
                sorted.sort_unstable();
                assert_eq!(sorted, Vec::from_iter(owned[who].keys().copied()));
                assert_eq!(page["page"]["totalElements"], listed.len());
                assert!(listed.iter().all(|id| !owned[other].contains_key(id)));
            }
        }
    }
    // What one customer did not cancel is not cancelled, whatever the other one tried.
    for (customer, owned) in customers.iter().zip(&owned) {
        for (id, is_cancelled) in owned {
            let path = format!("/reservations/{id}");
            let status = customer.get_json(&path)["status"].clone();
            let is_ended = ["reqCancel", "cancelled"].iter().any(|it| status == *it);
            assert_eq!(is_ended, *is_cancelled, "{path}: {status}");
        }
        let payments = customer.list("/payments", |_| true);
        assert!(
            payments
                .iter()
                .all(|it| owned.contains_key(&it["rsvId"].as_u64().unwrap_or(0)))
        );
        let messages = customer.list("/messages", |_| true);
        assert!(
            messages
                .iter()
                .all(|it| owned.contains_key(&it["rsvId"].as_u64().unwrap_or(0)))
        );
    }
}
