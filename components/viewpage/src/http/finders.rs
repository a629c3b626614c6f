//! The finders, in the form of Spring Data REST: the row of one reservation or payment.

use super::{
    PATH,
    query_string::{id_parameter, reject_parameters},
    rows::{fingerprint, item},
};
use crate::{car_view::CarView, column::Column, ports::Database, read_model::ReadModel};
use events::{PaymentId, ReservationId};
use kit::http::{Problem, Request, Response, base_url, etag, hal};
use serde_json::json;

/// The links of the finders.
pub(super) async fn index(request: &Request) -> Result<Response, Problem> {
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
    let rsv_id: ReservationId = id_parameter(request, Column::RsvId)?;
    let view = model.by_reservation(rsv_id).await?;
    let unknown = || Problem::not_found(format!("no car shows reservation {rsv_id}"));
    Ok(found(&view.ok_or_else(unknown)?, request))
}

pub(super) async fn by_payment<D: Database>(
    model: &ReadModel<D>,
    request: &Request,
) -> Result<Response, Problem> {
    let pay_id: PaymentId = id_parameter(request, Column::PayId)?;
    let view = model.by_payment(pay_id).await?;
    let unknown = || Problem::not_found(format!("no car shows payment {pay_id}"));
    Ok(found(&view.ok_or_else(unknown)?, request))
}

/// The row itself, and the same row as a list of one, which clients of Spring Data REST expect.
fn found(view: &CarView, request: &Request) -> Response {
    let mut body = item(view, &base_url(request));
    body["_embedded"] = json!({ "carviews": [body] });
    etag::tagged(hal::found(&body), fingerprint(view))
}
