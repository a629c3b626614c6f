//! The rows: a list, or the row of one car.

use super::{
    PATH,
    query_string::{list_query, reject_parameters},
};
use crate::{car_view::CarView, column::Column, ports::Database, read_model::ReadModel};
use events::CarId;
use kit::http::{Problem, Request, Response, base_url, etag, hal, paging::Page};
use serde_json::Value as Json;

pub(super) async fn list<D: Database>(
    model: &ReadModel<D>,
    request: &Request,
) -> Result<Response, Problem> {
    let page = Page::with_filters(request, &Column::NAMES)?;
    let found = model.list(&list_query(&page)?).await?;
    let base = base_url(request);
    let items = found.rows.iter().map(|view| item(view, &base)).collect();
    Ok(hal::page(
        &page,
        found.total,
        &base,
        PATH,
        "carviews",
        items,
    ))
}

pub(super) async fn show<D: Database>(
    model: &ReadModel<D>,
    request: &Request,
    car_id: CarId,
) -> Result<Response, Problem> {
    reject_parameters(request)?;
    let view = model.by_car(car_id).await?;
    let view = view.ok_or_else(|| Problem::not_found(format!("there is no car {car_id}")))?;
    let item = item(&view, &base_url(request));
    Ok(etag::tagged(hal::found(&item), fingerprint(&view)))
}

/// A row with its links.
pub(super) fn item(view: &CarView, base: &str) -> Json {
    let path = format!("{PATH}/{}", view.car_id);
    hal::item(fields(view), base, &path, "carview")
}

/// The fingerprint of a row for its entity tag: a row changes with three aggregates and has no version.
pub(super) fn fingerprint(view: &CarView) -> u64 {
    etag::fingerprint(fields(view).to_string().as_bytes())
}

fn fields(view: &CarView) -> Json {
    serde_json::to_value(view).unwrap_or_default()
}
