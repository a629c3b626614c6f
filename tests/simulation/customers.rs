//! The customers of one schedule, and the staff that manages the cars. Each has a short list of actions. They retry
//! requests that got no response, and sometimes requests that got one.

use crate::{
    context::ContextId,
    oracle::{CustomerRequest, CustomerResponse},
    request::request,
    world::World,
};
use events::{CarId, ReservationId};
use http::Method;
use kit::http::{Request, Response};
use serde_json::Value;
use std::rc::Rc;

/// A customer waits this long for a response, in milliseconds.
const TIMEOUT_MS: u64 = 30_000;
/// Pauses before a retry, in milliseconds. The lease on an idempotency key expires after ten seconds.
const RETRY_PAUSES_MS: [u64; 4] = [5, 40, 1_200, 11_000];
/// Prices of cars; the gateway declines the largest.
const AMOUNTS: [u64; 6] = [100, 150, 200, 250, 300, 900];

/// One action of a customer.
#[derive(Clone, Copy, Debug)]
enum CustomerAction {
    Register,
    Modify(CarId),
    List(ContextId),
    Delete(CarId),
    Reserve(CarId, Option<&'static str>),
    Cancel(Option<ReservationId>),
}

/// A customer or a member of the staff.
pub struct Customer {
    /// The name in the trace.
    pub name: String,
    world: Rc<World>,
    actions: Vec<CustomerAction>,
    request_count: usize,
    last_reservation: Option<ReservationId>,
}

/// The member of the staff that registers `cars` cars.
pub fn owner(world: &Rc<World>, cars: usize) -> Customer {
    let actions = (0..cars).map(|_| CustomerAction::Register);
    new_customer(world, "the owner".into(), actions.collect())
}

/// The customers that reserve the cars, and sometimes a manager that changes the fleet at the same time.
pub fn customers(world: &Rc<World>, cars: usize) -> Vec<Customer> {
    let random = &world.random;
    let any = || CarId(1 + random.below(cars) as u64);
    // All requests with one key ask for the same car, except for a few.
    let keys = [("k", CarId(1)), ("l", any()), ("k", any())];
    let action = |index: usize| match (index, random.below(10)) {
        (0, _) | (_, 7..9) => match random.one_in(3) {
            true => {
                let (key, car) = random.choose(&keys);
                CustomerAction::Reserve(car, Some(key))
            }
            false => CustomerAction::Reserve(any(), None),
        },
        (_, 0..6) => CustomerAction::Cancel(None),
        (_, 6) if random.one_in(2) => CustomerAction::List(random.choose(&ContextId::SWEPT)),
        (_, 6) => CustomerAction::Cancel(Some(ReservationId(1 + random.below(2) as u64))),
        _ => CustomerAction::Modify(any()),
    };
    let customer = |number: usize| {
        let actions = (0..1 + random.below(3)).map(action).collect();
        new_customer(world, format!("customer {number}"), actions)
    };
    let mut customers: Vec<Customer> = (1..3 + random.below(2)).map(customer).collect();
    if random.one_in(4) {
        let actions = [
            CustomerAction::Delete(any()),
            CustomerAction::Register,
            CustomerAction::Modify(any()),
        ];
        customers.push(new_customer(
            world,
            "the manager".into(),
            vec![random.choose(&actions)],
        ));
    }
    customers
}

fn new_customer(world: &Rc<World>, name: String, actions: Vec<CustomerAction>) -> Customer {
    Customer {
        name,
        world: Rc::clone(world),
        actions,
        request_count: 0,
        last_reservation: None,
    }
}

impl Customer {
    /// Executes all actions.
    pub async fn run(mut self) {
        for action in std::mem::take(&mut self.actions) {
            match action {
                CustomerAction::Register => self.register().await,
                CustomerAction::Modify(car) => self.modify(car).await,
                CustomerAction::List(context) => {
                    let path = format!("/{}", context.plural());
                    self.send(
                        CustomerRequest::List,
                        context,
                        Method::GET,
                        &path,
                        None,
                        String::new(),
                    )
                    .await;
                }
                CustomerAction::Delete(car) => {
                    let path = format!("/cars/{car}");
                    let request_count = CustomerRequest::Delete(car);
                    self.send(
                        request_count,
                        ContextId::Car,
                        Method::DELETE,
                        &path,
                        None,
                        String::new(),
                    )
                    .await;
                }
                CustomerAction::Reserve(car, key) => self.reserve(car, key).await,
                CustomerAction::Cancel(which) => {
                    if let Some(id) = which.or(self.last_reservation) {
                        self.cancel(id).await;
                    }
                }
            }
        }
    }

    async fn register(&mut self) {
        let amount = self.world.random.choose(&AMOUNTS);
        let body = format!(r#"{{"carName":"Kia","amount":{amount}}}"#);
        self.send(
            CustomerRequest::Register,
            ContextId::Car,
            Method::POST,
            "/cars",
            None,
            body,
        )
        .await;
    }

    async fn modify(&mut self, car: CarId) {
        let amount = self.world.random.choose(&AMOUNTS);
        let (path, body) = (format!("/cars/{car}"), format!(r#"{{"amount":{amount}}}"#));
        self.send(
            CustomerRequest::Modify,
            ContextId::Car,
            Method::PATCH,
            &path,
            None,
            body,
        )
        .await;
    }

    /// A request with an idempotency key is retried until the result is known; one without must not be retried.
    async fn reserve(&mut self, car: CarId, key: Option<&str>) {
        let tries = if key.is_some() { 6 } else { 1 };
        for _ in 0..tries {
            let body = format!(r#"{{"carId":{car},"status":"reqReserve"}}"#);
            let response = self
                .send(
                    CustomerRequest::Reserve,
                    ContextId::Reservation,
                    Method::POST,
                    "/reservations",
                    key,
                    body,
                )
                .await;
            if let Some((status, body)) = &response {
                let json: Value = serde_json::from_str(body).unwrap_or_default();
                let is_running = json["type"]
                    .as_str()
                    .is_some_and(|kind| kind.ends_with("idempotency-in-progress"));
                if *status == 201 {
                    self.last_reservation = json["rsvId"].as_u64().map(ReservationId);
                }
                let is_known = *status < 500 && !is_running;
                if is_known && !(key.is_some() && self.world.random.one_in(3)) {
                    return;
                }
            }
            self.pause_before_retry().await;
        }
    }

    async fn cancel(&mut self, id: ReservationId) {
        let path = format!("/reservations/{id}");
        let (method, body) = match self.world.random.one_in(2) {
            true => (Method::DELETE, String::new()),
            false => (Method::PATCH, r#"{"status":"reqCancel"}"#.to_owned()),
        };
        for _ in 0..3 {
            let (method, body) = (method.clone(), body.clone());
            let response = self
                .send(
                    CustomerRequest::Cancel(id),
                    ContextId::Reservation,
                    method,
                    &path,
                    None,
                    body,
                )
                .await;
            if response.is_some_and(|(status, _)| status < 500) && !self.world.random.one_in(4) {
                return;
            }
            self.pause_before_retry().await;
        }
    }

    async fn pause_before_retry(&self) {
        let pause = self.world.random.choose(&RETRY_PAUSES_MS);
        self.world.sleep(pause).await;
    }

    /// Sends a request and records the response in the oracle.
    async fn send(
        &mut self,
        kind: CustomerRequest,
        to: ContextId,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: String,
    ) -> Option<(u16, String)> {
        self.request_count += 1;
        let id = format!("{}.{}", self.name.replace(' ', "-"), self.request_count);
        let request = build_request(method, path, &id, key, &body);
        if let Some(key) = key {
            let keys = &mut self.world.oracle.borrow_mut().keys;
            keys.insert(id.clone(), key.to_owned());
        }
        let response = self.world.call(to, request, TIMEOUT_MS).await;
        let Some(response) = response else {
            self.world.trace(|| "gets no response".into());
            return None;
        };
        let (status, body) = status_and_body(&response);
        self.world.trace(|| format!("receives {status} {body}"));
        self.world
            .oracle
            .borrow_mut()
            .responses
            .push(CustomerResponse {
                request_id: id,
                key: key.map(str::to_owned),
                request: kind,
                status,
                body: body.clone(),
            });
        Some((status, body))
    }
}

fn build_request(method: Method, path: &str, id: &str, key: Option<&str>, body: &str) -> Request {
    let mut headers = vec![("x-request-id", id)];
    headers.extend(key.map(|key| ("idempotency-key", key)));
    request(method, path, &headers, body)
}

fn status_and_body(response: &Response) -> (u16, String) {
    let body = String::from_utf8_lossy(response.body()).into_owned();
    (response.status().as_u16(), body)
}
