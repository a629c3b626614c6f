//! The car context over HTTP: `/cars` for people, `/internal/cars` for the reservation context.

use crate::{
    CarRepository, commands,
    domain::{Car, CarDetails, MAX_AMOUNT, MAX_TEXT, Refusal},
    queries, sweep,
};
use ::http::{Method, StatusCode};
use events::{CarId, ReservationId};
use kit::{
    Origin, Platform, Versioned,
    http::{
        self, Problem, Request, Response, Route,
        etag::{self, IfMatch},
        hal,
        json::Fields,
        paging::Page,
    },
};
use serde_json::{Value, json};

enum Resource {
    Cars,
    Car(CarId),
    Hold(CarId),
    Release(CarId),
    Sweep,
}

/// Answers one request.
pub async fn answer<P: Platform>(cars: &CarRepository<P>, request: Request) -> Response {
    http::serve(request, route, async |resource, request| {
        let origin = Origin::from_headers(request.headers(), &cars.platform.unique_id());
        let call = Call {
            cars,
            origin,
            request,
        };
        match (resource, call.request.method()) {
            (Resource::Cars, &Method::POST) => call.register().await,
            (Resource::Cars, _) => call.list().await,
            (Resource::Car(id), &Method::PUT) => call.modify(id, CarDetails::default()).await,
            (Resource::Car(id), &Method::PATCH) => call.modify(id, None).await,
            (Resource::Car(id), &Method::DELETE) => call.delete(id).await,
            (Resource::Car(id), _) => call.show(id).await,
            (Resource::Hold(id), _) => call.hold(id).await,
            (Resource::Release(id), _) => call.release(id).await,
            (Resource::Sweep, _) => call.sweep().await,
        }
    })
    .await
}

fn route(path: &[&str]) -> Option<Route<Resource>> {
    const LIST: &[Method] = &[Method::GET, Method::POST];
    const ITEM: &[Method] = &[Method::GET, Method::PUT, Method::PATCH, Method::DELETE];
    const COMMAND: &[Method] = &[Method::POST];
    let (resource, methods) = match *path {
        ["cars"] => (Resource::Cars, LIST),
        ["cars", id] => (Resource::Car(id.parse().ok()?), ITEM),
        ["internal", "cars", id, "hold"] => (Resource::Hold(id.parse().ok()?), COMMAND),
        ["internal", "cars", id, "release"] => (Resource::Release(id.parse().ok()?), COMMAND),
        ["internal", "sweep"] => (Resource::Sweep, COMMAND),
        _ => return None,
    };
    Some(Route { resource, methods })
}

/// One request on its way.
struct Call<'a, P> {
    cars: &'a CarRepository<P>,
    origin: Origin,
    request: Request,
}

impl<P: Platform> Call<'_, P> {
    async fn register(&self) -> Result<Response, Problem> {
        let mut fields = Fields::from_request(&self.request)?;
        fields.ignore_nulls(&OPTIONAL);
        fields.read_only("carId", &Value::Null, "is given by the platform");
        fields.read_only("status", &json!("available"), STATUS_IS_DERIVED);
        let details = details(fields, &CarDetails::default(), true)?;
        let car = commands::register::<P, Problem>(self.cars, &self.origin, details).await?;
        Ok(etag::tagged(
            hal::created(&self.item(&car.state)),
            car.version,
        ))
    }

    async fn show(&self, id: CarId) -> Result<Response, Problem> {
        let car = queries::car(self.cars, id).await?;
        Ok(self.found(&car))
    }

    async fn list(&self) -> Result<Response, Problem> {
        let page = Page::without_filters(&self.request, &queries::COLUMNS)?;
        let (cars, total) = queries::cars(self.cars, &page).await?;
        let items = cars.iter().map(|car| self.item(car)).collect();
        let base = http::base_url(&self.request);
        Ok(hal::page(&page, total, &base, "/cars", "cars", items))
    }

    /// PUT starts from the defaults, PATCH (`None`) from what the car is.
    async fn modify(
        &self,
        id: CarId,
        start: impl Into<Option<CarDetails>>,
    ) -> Result<Response, Problem> {
        let start: Option<CarDetails> = start.into();
        let fields = Fields::from_request(&self.request)?;
        let condition = IfMatch::from_request(&self.request);
        let edit = |car: &Versioned<Car>| {
            condition.check(car.version)?;
            let mut fields = fields.clone();
            if start.is_some() {
                fields.ignore_nulls(&OPTIONAL);
            }
            fields.read_only("carId", &json!(id), "cannot be changed");
            fields.read_only(
                "status",
                &json!(car.state.status().as_str()),
                STATUS_IS_DERIVED,
            );
            let start_from = start.as_ref().map_or_else(|| car.state.details(), Ok)?;
            details(fields, start_from, start.is_some())
        };
        let car = commands::modify(self.cars, &self.origin, id, edit).await?;
        Ok(self.found(&car))
    }

    async fn delete(&self, id: CarId) -> Result<Response, Problem> {
        let condition = IfMatch::from_request(&self.request);
        let check = |car: &Versioned<Car>| condition.check(car.version);
        commands::delete(self.cars, &self.origin, id, check).await?;
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }

    async fn hold(&self, id: CarId) -> Result<Response, Problem> {
        let reservation = self.reservation()?;
        let car = commands::hold::<P, Problem>(self.cars, &self.origin, id, reservation).await?;
        let amount = car.state.details()?.amount;
        Ok(hal::found(&json!({ "carId": id, "amount": amount })))
    }

    async fn release(&self, id: CarId) -> Result<Response, Problem> {
        let reservation = self.reservation()?;
        commands::release::<P, Problem>(self.cars, &self.origin, id, reservation).await?;
        Ok(hal::found(&json!({ "carId": id })))
    }

    async fn sweep(&self) -> Result<Response, Problem> {
        let swept = sweep::sweep(self.cars)
            .await
            .map_err(|silence| Problem::unavailable(silence, 5))?;
        Ok(hal::found(&json!({
            "published": swept.outbox.published,
            "forgotten": swept.outbox.discarded,
            "retired": swept.retired,
        })))
    }

    fn reservation(&self) -> Result<ReservationId, Problem> {
        let mut fields = Fields::from_request(&self.request)?;
        let id = fields.number("rsvId", 1, u64::MAX);
        if id.is_none() {
            fields.reject("rsvId", "is required");
        }
        fields.finish()?;
        Ok(ReservationId(id.unwrap_or_default()))
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
        hal::item(
            fields,
            &http::base_url(&self.request),
            &format!("/cars/{id}"),
            "car",
        )
    }
}

/// What a new car, and one that is replaced, need not say.
const OPTIONAL: [&str; 4] = ["carId", "carType", "amount", "status"];

const STATUS_IS_DERIVED: &str = "follows from the car's bookings and cannot be set";

/// Reads the details that a body gives, and takes the others from `start`.
fn details(
    mut fields: Fields,
    start: &CarDetails,
    name_required: bool,
) -> Result<CarDetails, Problem> {
    fields.ignore("_links");
    if name_required && !fields.has("carName") {
        fields.reject("carName", "is required");
    }
    let name = fields.text("carName", 1, MAX_TEXT);
    let kind = fields.text("carType", 0, MAX_TEXT);
    let amount = fields.number("amount", 0, MAX_AMOUNT);
    fields.finish()?;
    Ok(CarDetails {
        name: name.unwrap_or_else(|| start.name.clone()),
        kind: kind.unwrap_or_else(|| start.kind.clone()),
        amount: amount.unwrap_or(start.amount),
    })
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // The number tells it from a path that leads nowhere, for whoever asks in a program.
            Refusal::Unknown(id) => {
                Self::not_found(format!("there is no car {id}")).member("carId", id.0)
            }
            Refusal::NotAvailable(id) => Self::conflict(
                "car-not-available",
                "The car is not available",
                format!("car {id} is booked; choose another or try again later"),
            ),
            Refusal::Booked(id) => Self::conflict(
                "car-booked",
                "The car has a booking",
                format!("car {id} has a live booking; cancel its reservation first"),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
