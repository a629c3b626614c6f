//! The operations of the HTTP surface: a parsed request in, a command or query, a response out.

use super::body::{self, Completeness};
use crate::{
    authorization::{self, Operation},
    commands,
    domain::{Car, CarDetails},
    queries,
    repository::CarRepository,
    sweep,
};
use ::http::StatusCode;
use events::CarId;
use kit::{
    Origin, Platform, Principal, Versioned,
    http::{
        Problem, Request, Response, base_url,
        etag::{self, Preconditions},
        hal::{self, Item},
        paging::Page,
    },
};
use serde::Serialize;
use serde_json::json;

/// One request and the repository that serves it.
pub(super) struct Handler<'a, P> {
    cars: &'a CarRepository<P>,
    origin: Origin,
    principal: Principal,
    request: &'a Request,
    /// The start of every link.
    base: String,
}

/// The fields of a car. A deleted car has no details.
#[derive(Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(rename = "Car")
)]
#[serde(rename_all = "camelCase")]
pub(super) struct CarFields<'a> {
    car_id: CarId,
    #[serde(flatten)]
    details: Option<DetailFields<'a>>,
    #[cfg_attr(feature = "schema", schemars(extend("enum" = ["available", "reserved"])))]
    status: &'static str,
}

#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct DetailFields<'a> {
    car_name: &'a str,
    car_type: &'a str,
    amount: u64,
}

impl<'a, P: Platform> Handler<'a, P> {
    pub(super) fn new(cars: &'a CarRepository<P>, request: &'a Request) -> Self {
        Self {
            cars,
            origin: Origin::from_headers(request.headers(), &cars.platform.unique_id()),
            principal: Principal::from_headers(request.headers()),
            request,
            base: base_url(request),
        }
    }

    pub(super) async fn register(&self) -> Result<Response, Problem> {
        self.require(Operation::Change, "to register a car")?;
        let details = body::registration(self.request)?;
        let car = commands::register::<P, Problem>(self.cars, &self.origin, details).await?;
        let created = hal::created(&self.item(&car.state));
        Ok(etag::tagged(created, car.version))
    }

    pub(super) async fn show(&self, id: CarId) -> Result<Response, Problem> {
        self.require(Operation::See, "to see a car")?;
        let car = queries::car(self.cars, id).await?;
        Ok(self.found(&car))
    }

    pub(super) async fn list(&self) -> Result<Response, Problem> {
        self.require(Operation::See, "to list cars")?;
        let page = Page::without_filters(self.request, &queries::COLUMNS)?;
        let (cars, total) = queries::cars(self.cars, &page).await?;
        let items: Vec<_> = cars.iter().map(|car| self.item(car)).collect();
        Ok(hal::page(&page, total, &self.base, "/cars", "cars", &items))
    }

    /// PUT: fields that the body lacks get their defaults.
    pub(super) async fn replace(&self, id: CarId) -> Result<Response, Problem> {
        self.require(Operation::Change, "to modify a car")?;
        let defaults = CarDetails::default();
        let fields = body::fields(self.request, Completeness::Complete)?;
        self.modify(id, |car| {
            body::details(fields.clone(), car, &defaults, Completeness::Complete)
        })
        .await
    }

    /// PATCH: fields that the body lacks keep their values.
    pub(super) async fn merge(&self, id: CarId) -> Result<Response, Problem> {
        self.require(Operation::Change, "to modify a car")?;
        let fields = body::fields(self.request, Completeness::Partial)?;
        self.modify(id, |car| {
            let current = car.details()?;
            body::details(fields.clone(), car, current, Completeness::Partial)
        })
        .await
    }

    async fn modify(
        &self,
        id: CarId,
        edit: impl Fn(&Car) -> Result<CarDetails, Problem>,
    ) -> Result<Response, Problem> {
        let conditions = Preconditions::from_request(self.request);
        let edit = |car: &Versioned<Car>| {
            conditions.check(car.version)?;
            edit(&car.state)
        };
        let car = commands::modify(self.cars, &self.origin, id, edit).await?;
        Ok(self.found(&car))
    }

    pub(super) async fn delete(&self, id: CarId) -> Result<Response, Problem> {
        self.require(Operation::Change, "to delete a car")?;
        let conditions = Preconditions::from_request(self.request);
        let check = |car: &Versioned<Car>| conditions.check(car.version);
        commands::delete(self.cars, &self.origin, id, check).await?;
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    pub(super) async fn hold(&self, id: CarId) -> Result<Response, Problem> {
        let reservation = body::reservation(self.request)?;
        let car = commands::hold::<P, Problem>(self.cars, &self.origin, id, reservation).await?;
        let amount = car.state.details()?.amount;
        Ok(hal::found(&json!({ "carId": id, "amount": amount })))
    }

    pub(super) async fn release(&self, id: CarId) -> Result<Response, Problem> {
        let reservation = body::reservation(self.request)?;
        commands::release::<P, Problem>(self.cars, &self.origin, id, reservation).await?;
        Ok(hal::found(&json!({ "carId": id })))
    }

    pub(super) async fn sweep(&self) -> Result<Response, Problem> {
        let summary = sweep::sweep(self.cars).await?;
        Ok(hal::found(&json!({
            "published": summary.outbox.published,
            "forgotten": summary.outbox.discarded,
            "retired": summary.retired,
        })))
    }

    /// Checks that the principal may do this with the cars of the company. Every user may see them.
    fn require(&self, operation: Operation, attempt: &str) -> Result<(), Problem> {
        let access = authorization::authorize(&self.principal, operation);
        access.require(attempt, || Problem::not_found("there is no such car"))
    }

    fn found(&self, car: &Versioned<Car>) -> Response {
        etag::tagged(hal::found(&self.item(&car.state)), car.version)
    }

    fn item<'c>(&self, car: &'c Car) -> Item<CarFields<'c>> {
        let id = car.id();
        let details = car.details().ok().map(|details| DetailFields {
            car_name: &details.name,
            car_type: &details.kind,
            amount: details.amount,
        });
        let fields = CarFields {
            car_id: id,
            details,
            status: car.status().as_str(),
        };
        hal::item(fields, &self.base, &format!("/cars/{id}"), "car")
    }
}
