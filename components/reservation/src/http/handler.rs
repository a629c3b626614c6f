//! The operations of the HTTP surface: a parsed request in, a command or query, a response out.

use super::{body, filter};
use crate::{
    commands,
    domain::{Reservation, SagaStep},
    ports::{Cars, Payments, ReservationPorts},
    queries, sweep,
};
use events::ReservationId;
use kit::{
    Origin, Platform, Versioned,
    http::{
        Problem, Request, Response, base_url,
        etag::{self, Preconditions},
        hal,
        json::Fields,
        paging::Page,
    },
};
use serde_json::{Value, json};

/// One request and the ports that serve it.
pub(super) struct Handler<'a, P, C, Y> {
    pub(super) ports: &'a ReservationPorts<P, C, Y>,
    pub(super) origin: Origin,
    pub(super) request: &'a Request,
}

impl<'a, P: Platform, C: Cars, Y: Payments> Handler<'a, P, C, Y> {
    pub(super) fn new(ports: &'a ReservationPorts<P, C, Y>, request: &'a Request) -> Self {
        Self {
            ports,
            origin: Origin::from_headers(request.headers(), &ports.platform.unique_id()),
            request,
        }
    }

    pub(super) async fn show(&self, id: ReservationId) -> Result<Response, Problem> {
        let reservation = queries::reservation(self.ports, id).await?;
        Ok(self.found(&reservation))
    }

    pub(super) async fn list(&self) -> Result<Response, Problem> {
        let page = Page::with_filters(self.request, &queries::COLUMNS)?;
        let (reservations, total) = match filter::car(&page)? {
            None => queries::reservations(self.ports, &page).await?,
            Some(car) => {
                let order = filter::order(&page)?;
                queries::reservations_of_car(self.ports, car, &page, order).await?
            }
        };
        let items = reservations.iter().map(|one| self.item(one)).collect();
        let base = base_url(self.request);
        Ok(hal::page(
            &page,
            total,
            &base,
            "/reservations",
            "reservations",
            items,
        ))
    }

    /// PATCH: the only change that a customer can make is to request the cancellation.
    pub(super) async fn patch(&self, id: ReservationId) -> Result<Response, Problem> {
        let fields = Fields::from_request(self.request)?;
        let found = queries::reservation(self.ports, id).await?;
        body::check_cancellation(fields, &found.state)?;
        self.cancel(id).await
    }

    pub(super) async fn cancel(&self, id: ReservationId) -> Result<Response, Problem> {
        let conditions = Preconditions::from_request(self.request);
        let check = |found: &Versioned<Reservation>| conditions.check(found.version);
        let reservation =
            commands::request_cancellation::<_, _, _, Problem>(self.ports, &self.origin, id, check)
                .await?;
        Ok(self.found(&reservation))
    }

    pub(super) async fn timeline(&self, id: ReservationId) -> Result<Response, Problem> {
        let reservation = queries::reservation(self.ports, id).await?;
        let step =
            |step: &SagaStep| json!({ "status": step.status, "at": step.at, "cause": step.cause });
        let steps: Vec<Value> = reservation.state.steps.iter().map(step).collect();
        let fields = json!({
            "rsvId": id,
            "status": reservation.state.stage.as_str(),
            "steps": steps,
        });
        let path = format!("/reservations/{id}/timeline");
        let item = hal::item(fields, &base_url(self.request), &path, "timeline");
        Ok(etag::tagged(hal::found(&item), reservation.version))
    }

    pub(super) async fn sweep(&self) -> Result<Response, Problem> {
        let summary = sweep::sweep(self.ports).await?;
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
        let item = self.item(&reservation.state);
        etag::tagged(hal::found(&item), reservation.version)
    }

    pub(super) fn item(&self, reservation: &Reservation) -> Value {
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
        let base = base_url(self.request);
        hal::item(fields, &base, &format!("/reservations/{id}"), "reservation")
    }
}
