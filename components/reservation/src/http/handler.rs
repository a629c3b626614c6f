//! The operations of the HTTP surface: a parsed request in, a command or query, a response out.

use super::{body, fields::ReservationFields, filter};
use crate::{
    authorization::{self, Operation},
    commands,
    domain::{Refusal, RejectionReason, Reservation, SagaStep},
    ports::{Cars, Payments, ReservationPorts},
    queries, sweep,
};
use events::ReservationId;
use kit::{
    Origin, Platform, Principal, Versioned,
    http::{
        Problem, Request, Response, base_url,
        etag::{self, Preconditions},
        hal::{self, Item},
        json::Fields,
        paging::Page,
    },
};
use serde_json::{Value, json};

/// One request and the ports that serve it.
pub(super) struct Handler<'a, P, C, Y> {
    pub(super) ports: &'a ReservationPorts<P, C, Y>,
    pub(super) origin: Origin,
    pub(super) principal: Principal,
    pub(super) request: &'a Request,
    /// The start of every link.
    base: String,
}

impl<'a, P: Platform, C: Cars, Y: Payments> Handler<'a, P, C, Y> {
    pub(super) fn new(ports: &'a ReservationPorts<P, C, Y>, request: &'a Request) -> Self {
        Self {
            ports,
            origin: Origin::from_headers(request.headers(), &ports.platform.unique_id()),
            principal: Principal::from_headers(request.headers()),
            request,
            base: base_url(request),
        }
    }

    pub(super) async fn show(&self, id: ReservationId) -> Result<Response, Problem> {
        let reservation = self.permitted(id, Operation::See).await?;
        Ok(self.found(&reservation))
    }

    pub(super) async fn list(&self) -> Result<Response, Problem> {
        let access = authorization::list(&self.principal);
        access.require("to list reservations", || unknown_path(self.request))?;
        let page = Page::with_filters(self.request, &queries::COLUMNS)?;
        let (reservations, total) = match (self.principal.customer(), filter::car(&page)?) {
            (Some(customer), car) => {
                queries::reservations_of_customer(self.ports, customer, car, &page).await?
            }
            (None, None) => queries::reservations(self.ports, &page).await?,
            (None, Some(car)) => {
                let order = filter::order(&page)?;
                queries::reservations_of_car(self.ports, car, &page, order).await?
            }
        };
        let items: Vec<_> = reservations.iter().map(|one| self.item(one)).collect();
        Ok(hal::page(
            &page,
            total,
            &self.base,
            "/reservations",
            "reservations",
            &items,
        ))
    }

    /// PATCH: the only change that a customer can make is to request the cancellation.
    pub(super) async fn patch(&self, id: ReservationId) -> Result<Response, Problem> {
        let fields = Fields::from_request(self.request)?;
        let found = self.permitted(id, Operation::Cancel).await?;
        body::check_cancellation(fields, &self.fields(&found.state))?;
        self.request_cancellation(id).await
    }

    pub(super) async fn cancel(&self, id: ReservationId) -> Result<Response, Problem> {
        if self.principal != Principal::Open {
            self.permitted(id, Operation::Cancel).await?;
        }
        self.request_cancellation(id).await
    }

    async fn request_cancellation(&self, id: ReservationId) -> Result<Response, Problem> {
        let conditions = Preconditions::from_request(self.request);
        let check = |found: &Versioned<Reservation>| conditions.check(found.version);
        let reservation =
            commands::request_cancellation::<_, _, _, Problem>(self.ports, &self.origin, id, check)
                .await?;
        Ok(self.found(&reservation))
    }

    pub(super) async fn timeline(&self, id: ReservationId) -> Result<Response, Problem> {
        let reservation = self.permitted(id, Operation::See).await?;
        // A platform without identity shows no users.
        let shows_actor = self.principal != Principal::Open;
        let step = |step: &SagaStep| {
            let mut shown = json!({ "status": step.status, "at": step.at, "cause": step.cause });
            if let Some(actor) = step.actor.as_ref().filter(|_| shows_actor) {
                shown["actor"] = json!(actor);
            }
            shown
        };
        let steps: Vec<Value> = reservation.state.steps.iter().map(step).collect();
        let fields = json!({
            "rsvId": id,
            "status": reservation.state.stage.as_str(),
            "steps": steps,
        });
        let path = format!("/reservations/{id}/timeline");
        let item = hal::item(fields, &self.base, &path, "timeline");
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

    /// A reservation with which the principal may do this. The owner of a reservation never changes.
    async fn permitted(
        &self,
        id: ReservationId,
        operation: Operation,
    ) -> Result<Versioned<Reservation>, Problem> {
        let found = queries::reservation(self.ports, id).await?;
        let owner = found.state.customer.as_ref();
        let access = authorization::authorize(&self.principal, operation, owner);
        access.require("to cancel the reservation of a customer", || {
            Refusal::Unknown(id).into()
        })?;
        Ok(found)
    }

    fn found(&self, reservation: &Versioned<Reservation>) -> Response {
        let item = self.item(&reservation.state);
        etag::tagged(hal::found(&item), reservation.version)
    }

    pub(super) fn item(&self, reservation: &Reservation) -> Item<ReservationFields> {
        let path = format!("/reservations/{}", reservation.id);
        hal::item(self.fields(reservation), &self.base, &path, "reservation")
    }

    /// The fields of a reservation, as the principal may see them.
    fn fields(&self, reservation: &Reservation) -> ReservationFields {
        ReservationFields {
            rsv_id: reservation.id,
            car_id: reservation.car,
            pay_id: reservation.stage.payment(),
            status: reservation.stage.as_str(),
            reason: reservation.stage.reason().map(RejectionReason::as_str),
            customer_id: self.principal.shown(reservation.customer.as_ref()).cloned(),
        }
    }
}

/// A path that the principal may not know.
pub(super) fn unknown_path(request: &Request) -> Problem {
    Problem::not_found(format!("there is nothing at {}", request.uri().path()))
}
