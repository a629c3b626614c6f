//! The operations of the HTTP surface: a parsed request in, a command or query, a response out.

use super::body::{self, Completeness};
use crate::{
    commands,
    domain::{Car, CarDetails},
    queries,
    repository::CarRepository,
    sweep,
};
use ::http::StatusCode;
use events::CarId;
use kit::{
    Origin, Platform, Versioned,
    http::{
        Problem, Request, Response, base_url,
        etag::{self, Preconditions},
        hal,
        paging::Page,
    },
};
use serde_json::{Value, json};

/// One request and the repository that serves it.
pub(super) struct Handler<'a, P> {
    cars: &'a CarRepository<P>,
    origin: Origin,
    request: &'a Request,
}

impl<'a, P: Platform> Handler<'a, P> {
    pub(super) fn new(cars: &'a CarRepository<P>, request: &'a Request) -> Self {
        Self {
            cars,
            origin: Origin::from_headers(request.headers(), &cars.platform.unique_id()),
            request,
        }
    }

    pub(super) async fn register(&self) -> Result<Response, Problem> {
        let details = body::registration(self.request)?;
        let car = commands::register::<P, Problem>(self.cars, &self.origin, details).await?;
        let created = hal::created(&self.item(&car.state));
        Ok(etag::tagged(created, car.version))
    }

    pub(super) async fn show(&self, id: CarId) -> Result<Response, Problem> {
        let car = queries::car(self.cars, id).await?;
        Ok(self.found(&car))
    }

    pub(super) async fn list(&self) -> Result<Response, Problem> {
        let page = Page::without_filters(self.request, &queries::COLUMNS)?;
        let (cars, total) = queries::cars(self.cars, &page).await?;
        let items = cars.iter().map(|car| self.item(car)).collect();
        let base = base_url(self.request);
        Ok(hal::page(&page, total, &base, "/cars", "cars", items))
    }

    /// PUT: fields that the body lacks get their defaults.
    pub(super) async fn replace(&self, id: CarId) -> Result<Response, Problem> {
        let defaults = CarDetails::default();
        let fields = body::fields(self.request, Completeness::Complete)?;
        self.modify(id, |car| {
            body::details(fields.clone(), car, &defaults, Completeness::Complete)
        })
        .await
    }

    /// PATCH: fields that the body lacks keep their values.
    pub(super) async fn merge(&self, id: CarId) -> Result<Response, Problem> {
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

    fn found(&self, car: &Versioned<Car>) -> Response {
        etag::tagged(hal::found(&self.item(&car.state)), car.version)
    }

    fn item(&self, car: &Car) -> Value {
        let id = car.id();
        let mut fields = json!({ "carId": id });
        if let Ok(details) = car.details() {
            fields["carName"] = json!(details.name);
            fields["carType"] = json!(details.kind);
            fields["amount"] = json!(details.amount);
        }
        fields["status"] = json!(car.status().as_str());
        let base = base_url(self.request);
        hal::item(fields, &base, &format!("/cars/{id}"), "car")
    }
}
