//! The reservation context over HTTP: `/reservations` for customers, `/internal/sweep` for the host.

mod reserve;

use crate::{
    ReservationPorts, commands,
    domain::{Refusal, Reservation},
    ports::{Cars, Payments},
    queries, sweep,
};
use ::http::Method;
use events::ReservationId;
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
    Reservations,
    Reservation(ReservationId),
    Timeline(ReservationId),
    Sweep,
}

/// Answers one request.
pub async fn answer<P: Platform, C: Cars, Y: Payments>(
    ports: &ReservationPorts<P, C, Y>,
    request: Request,
) -> Response {
    http::serve(request, route, async |resource, request| {
        let origin = Origin::from_headers(request.headers(), &ports.platform.unique_id());
        let call = Call {
            ports,
            origin,
            request,
        };
        match (resource, call.request.method()) {
            (Resource::Reservations, &Method::POST) => call.reserve().await,
            (Resource::Reservations, _) => call.list().await,
            (Resource::Reservation(id), &Method::PATCH) => call.patch(id).await,
            (Resource::Reservation(id), &Method::DELETE) => call.cancel(id).await,
            (Resource::Reservation(id), _) => call.show(id).await,
            (Resource::Timeline(id), _) => call.timeline(id).await,
            (Resource::Sweep, _) => call.sweep().await,
        }
    })
    .await
}

fn route(path: &[&str]) -> Option<Route<Resource>> {
    const LIST: &[Method] = &[Method::GET, Method::POST];
    const ITEM: &[Method] = &[Method::GET, Method::PATCH, Method::DELETE];
    let (resource, methods) = match *path {
        ["reservations"] => (Resource::Reservations, LIST),
        ["reservations", id] => (Resource::Reservation(id.parse().ok()?), ITEM),
        ["reservations", id, "timeline"] => {
            (Resource::Timeline(id.parse().ok()?), &[Method::GET] as &[_])
        }
        ["internal", "sweep"] => (Resource::Sweep, &[Method::POST] as &[_]),
        _ => return None,
    };
    Some(Route { resource, methods })
}

/// One request on its way.
struct Call<'a, P, C, Y> {
    ports: &'a ReservationPorts<P, C, Y>,
    origin: Origin,
    request: Request,
}

impl<P: Platform, C: Cars, Y: Payments> Call<'_, P, C, Y> {
    async fn show(&self, id: ReservationId) -> Result<Response, Problem> {
        let reservation = queries::reservation(self.ports, id).await?;
        Ok(self.found(&reservation))
    }

    async fn list(&self) -> Result<Response, Problem> {
        let page = Page::without_filters(&self.request, &queries::COLUMNS)?;
        let (reservations, total) = queries::reservations(self.ports, &page).await?;
        let items = reservations.iter().map(|one| self.item(one)).collect();
        let base = http::base_url(&self.request);
        Ok(hal::page(
            &page,
            total,
            &base,
            "/reservations",
            "reservations",
            items,
        ))
    }

    /// The only change that a customer may make is to give the reservation up.
    async fn patch(&self, id: ReservationId) -> Result<Response, Problem> {
        let mut fields = Fields::from_request(&self.request)?;
        let found = queries::reservation(self.ports, id).await?.state;
        fields.ignore("_links");
        fields.ignore_nulls(&["rsvId", "carId", "payId"]);
        fields.read_only("rsvId", &json!(id), CANNOT_CHANGE);
        fields.read_only("carId", &json!(found.car), CANNOT_CHANGE);
        fields.read_only("payId", &json!(found.stage.payment()), CANNOT_CHANGE);
        match fields.has("status") {
            true => fields.read_only(
                "status",
                &json!("reqCancel"),
                "can only be set to reqCancel",
            ),
            false => fields.reject("status", "is required, and can only be reqCancel"),
        }
        fields.finish()?;
        self.cancel(id).await
    }

    async fn cancel(&self, id: ReservationId) -> Result<Response, Problem> {
        let condition = IfMatch::from_request(&self.request);
        let check = |reservation: &Versioned<Reservation>| condition.check(reservation.version);
        let reservation =
            commands::request_cancellation::<_, _, _, Problem>(self.ports, &self.origin, id, check)
                .await?;
        Ok(self.found(&reservation))
    }

    async fn timeline(&self, id: ReservationId) -> Result<Response, Problem> {
        let reservation = queries::reservation(self.ports, id).await?;
        let steps = reservation.state.steps.iter();
        let step = |step: &crate::domain::SagaStep| json!({ "status": step.status, "at": step.at, "cause": step.cause });
        let fields = json!({
            "rsvId": id,
            "status": reservation.state.stage.as_str(),
            "steps": steps.map(step).collect::<Vec<_>>(),
        });
        let path = format!("/reservations/{id}/timeline");
        let item = hal::item(fields, &http::base_url(&self.request), &path, "timeline");
        Ok(etag::tagged(hal::found(&item), reservation.version))
    }

    async fn sweep(&self) -> Result<Response, Problem> {
        let summary = sweep::sweep(self.ports)
            .await
            .map_err(|error| Problem::unavailable(error, 5))?;
        Ok(hal::found(&json!({
            "published": summary.outbox.published,
            "forgotten": summary.outbox.discarded,
            "ended": summary.ended,
            "open": summary.open,
            "expired": summary.expired,
            "retired": summary.retired,
        })))
    }

    fn found(&self, reservation: &Versioned<Reservation>) -> Response {
        etag::tagged(
            hal::found(&self.item(&reservation.state)),
            reservation.version,
        )
    }

    fn item(&self, reservation: &Reservation) -> Value {
        let id = reservation.id;
        let mut fields = json!({
            "rsvId": id,
            "carId": reservation.car,
            "payId": reservation.stage.payment(),
            "status": reservation.stage.as_str(),
        });
        if let Some(reason) = reservation.stage.reason() {
            fields["reason"] = json!(reason.as_str());
        }
        hal::item(
            fields,
            &http::base_url(&self.request),
            &format!("/reservations/{id}"),
            "reservation",
        )
    }
}

const CANNOT_CHANGE: &str = "cannot be changed";

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unknown(id) => Self::not_found(format!("there is no reservation {id}")),
            Refusal::Undecided(id) => Self::conflict(
                "reservation-undecided",
                "The reservation is not decided yet",
                format!("reservation {id} is still being confirmed; try again in a moment"),
            )
            .retry_after(1),
            Refusal::Rejected(id) => Self::conflict(
                "reservation-rejected",
                "The reservation was rejected",
                format!("reservation {id} was rejected; there is nothing to cancel"),
            ),
        }
    }
}

#[cfg(test)]
mod tests;
