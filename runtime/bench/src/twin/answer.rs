//! The responses of the twin, in the form of the platform's.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::Full;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde_json::{Value, json};

/// A response with its body in memory.
pub type Answer = Response<Full<Bytes>>;

/// A response with a resource.
pub fn resource(status: StatusCode, path: &str, body: Value) -> anyhow::Result<Answer> {
    let mut answer = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "application/hal+json");
    if status == StatusCode::CREATED {
        answer = answer.header(header::LOCATION, path);
    }
    Ok(answer.body(Full::from(body.to_string()))?)
}

/// A response without a resource.
pub fn empty(status: StatusCode) -> anyhow::Result<Answer> {
    Ok(Response::builder().status(status).body(Full::default())?)
}

/// The reservation with this number.
pub fn reservation(connection: &Connection, id: i64) -> rusqlite::Result<Option<Value>> {
    connection
        .prepare_cached("SELECT carId, payId, status FROM reservations WHERE rsvId = ?1")?
        .query_row([id], |row| {
            let (car, payment): (i64, Option<i64>) = (row.get(0)?, row.get(1)?);
            let status: String = row.get(2)?;
            Ok(json!({ "rsvId": id, "carId": car, "payId": payment, "status": status, "_links": links("/reservations", id, "reservation") }))
        })
        .optional()
}

/// The parameters of a page of the view.
#[derive(Default)]
pub struct ViewQuery {
    pub size: u32,
    pub page: u32,
    pub by_amount: bool,
    pub rsv_status: Option<String>,
}

/// A page of the view.
pub fn view(connection: &Connection, query: &ViewQuery) -> rusqlite::Result<Value> {
    let ViewQuery { size, page, .. } = query;
    let order = match query.by_amount {
        true => "amount DESC, carId DESC",
        false => "carId",
    };
    // Nothing deletes a car here, so the highest number is the number of rows.
    let (filter, count) = match query.rsv_status {
        Some(_) => (
            "rsvStatus = ?1",
            "SELECT count(*) FROM carviews WHERE rsvStatus = ?1",
        ),
        None => (
            "?1 IS NULL",
            "SELECT coalesce((SELECT max(carId) FROM carviews), 0) WHERE ?1 IS NULL",
        ),
    };
    let total: i64 = connection
        .prepare_cached(count)?
        .query_row([&query.rsv_status], |row| row.get(0))?;
    let mut rows = connection.prepare_cached(&format!(
        "SELECT carId, carName, carType, amount, carStatus, rsvId, rsvStatus, payId, payStatus FROM carviews
         WHERE {filter} ORDER BY {order} LIMIT {size} OFFSET {}",
        page * size
    ))?;
    let rows: Vec<Value> = rows
        .query_map([&query.rsv_status], row)?
        .collect::<rusqlite::Result<_>>()?;
    let pages = total.unsigned_abs().div_ceil(u64::from(*size));
    Ok(json!({
        "_embedded": { "carviews": rows },
        "_links": { "self": { "href": format!("/carviews?page={page}&size={size}") } },
        "page": { "size": size, "totalElements": total, "totalPages": pages, "number": page },
    }))
}

fn row(row: &Row<'_>) -> rusqlite::Result<Value> {
    let car: i64 = row.get(0)?;
    let (name, kind, amount): (String, String, i64) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let status: String = row.get(4)?;
    let (rsv, rsv_status): (Option<i64>, Option<String>) = (row.get(5)?, row.get(6)?);
    let (pay, pay_status): (Option<i64>, Option<String>) = (row.get(7)?, row.get(8)?);
    Ok(json!({
        "carId": car, "carName": name, "carType": kind, "amount": amount, "carStatus": status,
        "rsvId": rsv, "rsvStatus": rsv_status, "payId": pay, "payStatus": pay_status,
        "_links": links("/carviews", car, "carview"),
    }))
}

fn links(path: &str, id: i64, name: &str) -> Value {
    let href = json!({ "href": format!("{path}/{id}") });
    json!({ "self": href, name: href })
}
