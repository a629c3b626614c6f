//! The finders, in the form of Spring Data REST: the row of one reservation or payment.

use super::{
    PATH,
    query_string::{id_parameter, reject_parameters},
    rows::{fingerprint, item, principal},
};
use crate::{
    authorization, car_view::CarView, column::Column, ports::Database, read_model::ReadModel,
};
use events::{PaymentId, ReservationId};
use kit::Principal;
use kit::http::{
    Problem, Request, Response, base_url, etag,
    hal::{self, Embedded, Item},
};
use serde::Serialize;
use serde_json::json;

/// The links of the finders.
pub(super) async fn index(request: &Request) -> Result<Response, Problem> {
    principal(request)?;
    reject_parameters(request)?;
    let search = format!("{}{PATH}/search", base_url(request));
    let finder = |name: &str, column: Column| json!({ "href": format!("{search}/{name}{{?{column}}}"), "templated": true });
    Ok(hal::found(&json!({ "_links": {
        "findByRsvId": finder("findByRsvId", Column::RsvId),
        "findByPayId": finder("findByPayId", Column::PayId),
        "self": { "href": search },
    }})))
}

pub(super) async fn by_reservation<D: Database>(
    model: &ReadModel<D>,
    request: &Request,
) -> Result<Response, Problem> {
    let principal = principal(request)?;
    let rsv_id: ReservationId = id_parameter(request, Column::RsvId)?;
    let view = model.by_reservation(rsv_id).await?;
    let unknown = || Problem::not_found(format!("no car shows reservation {rsv_id}"));
    found(view, &principal, request).ok_or_else(unknown)
}

pub(super) async fn by_payment<D: Database>(
    model: &ReadModel<D>,
    request: &Request,
) -> Result<Response, Problem> {
    let principal = principal(request)?;
    let pay_id: PaymentId = id_parameter(request, Column::PayId)?;
    let view = model.by_payment(pay_id).await?;
    let unknown = || Problem::not_found(format!("no car shows payment {pay_id}"));
    found(view, &principal, request).ok_or_else(unknown)
}

/// The row itself, and the same row as a list of one, which clients of Spring Data REST expect.
#[derive(Serialize)]
struct FoundRow<'a> {
    #[serde(flatten)]
    item: &'a Item<&'a CarView>,
    #[serde(rename = "_embedded")]
    embedded: Embedded<'a, &'a CarView>,
}

/// The response with a row; `None` if there is none, or if the principal may not see the reservation in it.
fn found(view: Option<CarView>, principal: &Principal, request: &Request) -> Option<Response> {
    let view = view.filter(|view| authorization::sees_reservation(principal, view))?;
    let view = &authorization::visible(principal, view);
    let item = item(view, &base_url(request));
    let body = FoundRow {
        item: &item,
        embedded: Embedded {
            plural: "carviews",
            items: std::slice::from_ref(&item),
        },
    };
    Some(etag::tagged(hal::found(&body), fingerprint(view)))
}
