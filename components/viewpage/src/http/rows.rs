//! The rows: a list, or the row of one car.

use super::{
    PATH,
    query_string::{list_query, reject_parameters},
};
use crate::{
    authorization, car_view::CarView, column::Column, ports::Database, read_model::ReadModel,
};
use events::CarId;
use kit::Principal;
use kit::http::{
    Problem, Request, Response, base_url, etag,
    hal::{self, Item},
    paging::Page,
};

pub(super) async fn list<D: Database>(
    model: &ReadModel<D>,
    request: &Request,
) -> Result<Response, Problem> {
    let principal = principal(request)?;
    let page = Page::with_filters(request, &Column::NAMES)?;
    let found = model.visible_list(&list_query(&page)?, &principal).await?;
    let base = base_url(request);
    let items: Vec<_> = found.rows.iter().map(|view| item(view, &base)).collect();
    Ok(hal::page(
        &page,
        found.total,
        &base,
        PATH,
        "carviews",
        &items,
    ))
}

pub(super) async fn show<D: Database>(
    model: &ReadModel<D>,
    request: &Request,
    car_id: CarId,
) -> Result<Response, Problem> {
    let principal = principal(request)?;
    reject_parameters(request)?;
    let view = model.by_car(car_id).await?;
    let view = view.ok_or_else(|| Problem::not_found(format!("there is no car {car_id}")))?;
    let view = authorization::visible(&principal, view);
    let item = item(&view, &base_url(request));
    Ok(etag::tagged(hal::found(&item), fingerprint(&view)))
}

/// The principal of a request, which may see rows.
pub(super) fn principal(request: &Request) -> Result<Principal, Problem> {
    let principal = Principal::from_headers(request.headers());
    let access = authorization::see(&principal);
    access.require("to see the view", || Problem::not_found("there is no view"))?;
    Ok(principal)
}

/// A row with its links.
pub(super) fn item<'a>(view: &'a CarView, base: &str) -> Item<&'a CarView> {
    let path = format!("{PATH}/{}", view.car_id);
    hal::item(view, base, &path, "carview")
}

/// The fingerprint of a row for its entity tag: a row changes with three aggregates and has no version.
pub(super) fn fingerprint(view: &CarView) -> u64 {
    etag::fingerprint(&serde_json::to_vec(view).unwrap_or_default())
}
