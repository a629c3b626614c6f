//! The HTTP surface: `/carviews`, read only, and its old name `/roomviews`.

use crate::{
    Column, Database, ReadModel,
    queries::{CarView, ListQuery, SortKey},
};
use events::{CarId, PaymentId, ReservationId};
use http::{HeaderName, HeaderValue, Method, header};
use kit::http::{
    Problem, Request, Response, Route, base_url, etag, hal,
    paging::{Page, parameters},
    serve,
};
use serde_json::{Value as Json, json};
use std::str::FromStr;

/// Where the rows are.
const PATH: &str = "/carviews";
/// Where they were when the product was about rooms.
const DEPRECATED: &str = "/roomviews";

/// What a path leads to.
enum Resource {
    List,
    One(CarId),
    Searches,
    FindByReservation,
    FindByPayment,
}

/// Answers a request.
pub async fn answer<R: Database>(model: &ReadModel<R>, request: Request) -> Response {
    let target = request.uri().path_and_query().map(ToString::to_string);
    let mut response = serve(request, route, async |resource, request| {
        handle(model, resource, &request).await
    })
    .await;
    if let Some(rest) = target
        .as_deref()
        .and_then(|target| target.strip_prefix(DEPRECATED))
    {
        deprecate(&mut response, rest);
    }
    response
}

fn route(path: &[&str]) -> Option<Route<Resource>> {
    let ["carviews" | "roomviews", rest @ ..] = path else {
        return None;
    };
    let resource = match rest {
        [] => Resource::List,
        ["search"] => Resource::Searches,
        ["search", "findByRsvId"] => Resource::FindByReservation,
        ["search", "findByPayId"] => Resource::FindByPayment,
        [car_id] => Resource::One(car_id.parse().ok()?),
        _ => return None,
    };
    Some(Route {
        resource,
        methods: &[Method::GET],
    })
}

async fn handle<R: Database>(
    model: &ReadModel<R>,
    resource: Resource,
    request: &Request,
) -> Result<Response, Problem> {
    match resource {
        Resource::List => list(model, request).await,
        Resource::Searches => searches(request),
        Resource::One(car_id) => {
            refuse_parameters(request)?;
            let view = model.of_car(car_id).await?;
            found(view, request, || format!("there is no car {car_id}"))
        }
        Resource::FindByReservation => {
            let rsv_id: ReservationId = wanted(request, Column::RsvId)?;
            let view = model.of_reservation(rsv_id).await?;
            found_by(view, request, || {
                format!("no car shows reservation {rsv_id}")
            })
        }
        Resource::FindByPayment => {
            let pay_id: PaymentId = wanted(request, Column::PayId)?;
            let view = model.of_payment(pay_id).await?;
            found_by(view, request, || format!("no car shows payment {pay_id}"))
        }
    }
}

async fn list<R: Database>(model: &ReadModel<R>, request: &Request) -> Result<Response, Problem> {
    let page = Page::with_filters(request, &Column::NAMES)?;
    let found = model.list(&listing(&page)?).await?;
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

/// What the query string asks for: every parameter that is not about paging is a filter.
fn listing(page: &Page) -> Result<ListQuery, Problem> {
    let mut filters = Vec::new();
    for (name, text) in page.filters() {
        let column = Column::named(name).ok_or_else(|| unknown(name))?;
        if filters.iter().any(|(other, _)| *other == column) {
            return Err(Problem::given_twice(name));
        }
        let value = column
            .parse(text)
            .map_err(|right| Problem::bad_query(name, right))?;
        filters.push((column, value));
    }
    let order = page.sort.iter().filter_map(|sort| {
        Some(SortKey {
            column: Column::named(sort.column)?,
            descending: sort.descending,
        })
    });
    Ok(ListQuery {
        filters,
        order: order.collect(),
        offset: page.offset(),
        size: page.size,
    })
}

fn found(
    view: Option<CarView>,
    request: &Request,
    otherwise: impl FnOnce() -> String,
) -> Result<Response, Problem> {
    let view = view.ok_or_else(|| Problem::not_found(otherwise()))?;
    let item = item(&view, &base_url(request));
    Ok(etag::tagged(hal::found(&item), fingerprint(&view)))
}

/// What a finder found: the row itself, and the same as a list of one, which is how clients know the finders of a
/// repository.
fn found_by(
    view: Option<CarView>,
    request: &Request,
    otherwise: impl FnOnce() -> String,
) -> Result<Response, Problem> {
    let view = view.ok_or_else(|| Problem::not_found(otherwise()))?;
    let mut found = item(&view, &base_url(request));
    found["_embedded"] = json!({ "carviews": [found] });
    Ok(etag::tagged(hal::found(&found), fingerprint(&view)))
}

fn item(view: &CarView, base: &str) -> Json {
    hal::item(
        fields(view),
        base,
        &format!("{PATH}/{}", view.car_id),
        "carview",
    )
}

fn fields(view: &CarView) -> Json {
    serde_json::to_value(view).unwrap_or_default()
}

/// The fingerprint of a row for its entity tag: a row changes with three aggregates and has no version.
fn fingerprint(view: &CarView) -> u64 {
    etag::fingerprint(fields(view).to_string().as_bytes())
}

/// What Spring Data REST shows of a repository's finders.
fn searches(request: &Request) -> Result<Response, Problem> {
    refuse_parameters(request)?;
    let search = format!("{}{PATH}/search", base_url(request));
    let finder = |name: &str, column: Column| json!({ "href": format!("{search}/{name}{{?{column}}}"), "templated": true });
    Ok(hal::found(&json!({ "_links": {
        "findByRsvId": finder("findByRsvId", Column::RsvId),
        "findByPayId": finder("findByPayId", Column::PayId),
        "self": { "href": search },
    }})))
}

/// The one parameter of a finder.
fn wanted<I: FromStr>(request: &Request, column: Column) -> Result<I, Problem> {
    let mut values = Vec::new();
    for (name, value) in parameters(request) {
        if name != column.name() {
            return Err(unknown(&name));
        }
        values.push(value);
    }
    match &values[..] {
        [_, _, ..] => Err(Problem::given_twice(column.name())),
        values => values
            .first()
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| {
                let right = format!("{column} must be given, as a whole number from 1");
                Problem::bad_query(column.name(), right)
            }),
    }
}

fn refuse_parameters(request: &Request) -> Result<(), Problem> {
    match parameters(request).next() {
        Some((name, _)) => Err(unknown(&name)),
        None => Ok(()),
    }
}

fn unknown(name: &str) -> Problem {
    Problem::bad_query(
        name,
        format!("`{name}` is not a parameter of this resource"),
    )
}

/// Tells users of the old name where the same answer is.
fn deprecate(response: &mut Response, rest: &str) {
    let headers = response.headers_mut();
    let deprecation = HeaderName::from_static("deprecation");
    headers.insert(deprecation, HeaderValue::from_static("true"));
    let link = format!("<{PATH}{rest}>; rel=\"successor-version\"");
    if let Ok(link) = HeaderValue::from_str(&link) {
        headers.insert(header::LINK, link);
    }
}

#[cfg(test)]
mod tests;
